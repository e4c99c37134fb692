/* HTTP requests that nobody waits for: libcurl's, with limits on time, size and redirects. */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "config.h"
#include "mjpeg.h"

typedef struct request request;

/* Takes an answer. The request is free for the next one already. */
typedef void answered(void *user_data, const request *answer);

/* What is asked for. Texts are copied. */
typedef struct ask {
    const char *url, *user, *password; /* "": no user */
    const struct curl_slist *headers;  /* must outlive the request */
    int post, picture;                 /* a picture may be one of a stream, and elsewhere on its host */
    size_t most;                       /* bytes of an answer */
    int64_t time_ms;
    answered *done;
    void *user_data;
} ask;

struct request {
    CURL *easy; /* NULL: none in flight */
    ask asked;  /* its texts are gone, but for the address */
    char url[MAX_URL];
    uint8_t *body;
    size_t len, cap;
    CURLcode code; /* CURLE_OK: the status is 2xx */
    long status;   /* HTTP's; 0: none */
    int streams, offline; /* the answer is an endless stream; the camera is unplugged */
    int hops;
    mjpeg stream;
    int64_t started_ms, started_unix_ms;
};

/* Starts a request, unless this one is in flight. */
void http_send(CURLM *multi, request *r, const ask *asked);

/* Ends a request without an answer. */
void http_discard(CURLM *multi, request *r);

/* Goes on with all that is in flight, and hands on what was answered. */
void http_turn(CURLM *multi);

/* The picture of an answer, if it has one. */
const uint8_t *http_picture(const request *answer, size_t *len);

/* What went wrong, for people; NULL: nothing. */
const char *http_trouble(const request *answer, char *buf, size_t cap);

#endif
