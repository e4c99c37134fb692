#define _POSIX_C_SOURCE 200809L

#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"

enum { MAX_HOPS = 3 };

static int says(const char *line, size_t len, const char *name, const char *value)
{
    size_t at = strlen(name), end = strlen(value);
    if (len < at || strncasecmp(line, name, at) != 0) return 0;
    while (at < len && line[at] == ' ') at++;
    return len - at >= end && strncasecmp(line + at, value, end) == 0;
}

static size_t on_header(char *line, size_t one, size_t len, void *user_data)
{
    request *r = user_data;
    if (says(line, len, "HTTP/", "")) r->streams = r->offline = 0; /* a new answer: the one before asked who we are */
    if (says(line, len, "content-type:", "multipart/")) {
        r->streams = 1;
        mjpeg_set_boundary(&r->stream, line, len);
    }
    if (says(line, len, "x-ustreamer-online:", "false")) r->offline = 1; /* what it shows then is a placeholder */
    return one * len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *user_data)
{
    request *r = user_data;
    size_t room = r->asked.most - r->len;
    int over = len > room;
    if (over) len = room; /* a stream may have its picture in what there is room for */
    if (r->len + len > r->cap) {
        size_t cap = (r->len + len) * 3 / 2;
        uint8_t *more = realloc(r->body, cap);
        if (!more) return 0; /* ends the transfer */
        r->body = more;
        r->cap = cap;
    }
    memcpy(r->body + r->len, bytes, len);
    r->len += len;
    if (r->streams && r->asked.picture) mjpeg_find(&r->stream, r->body, r->len);
    return over || r->stream.size ? 0 : one * len; /* one picture of a stream is enough */
}

void http_send(CURLM *multi, request *r, const ask *asked)
{
    if (r->easy || !(r->easy = curl_easy_init())) return;
    r->asked = *asked;
    snprintf(r->url, sizeof r->url, "%s", asked->url);
    r->started_ms = now_ms();
    r->started_unix_ms = now_unix_ms();
    curl_easy_setopt(r->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, (char *)r);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(r->easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a look-up that hangs */
#endif
    curl_easy_setopt(r->easy, CURLOPT_PROXY, ""); /* printer and camera are at home */
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)asked->time_ms);
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
    if (asked->user && *asked->user) {
        curl_easy_setopt(r->easy, CURLOPT_USERNAME, asked->user);
        curl_easy_setopt(r->easy, CURLOPT_PASSWORD, asked->password);
    }
    if (asked->post) {
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPALIVE, 1L); /* its answer may take long */
    }
    if (asked->headers) curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, asked->headers);
    curl_multi_add_handle(multi, r->easy);
}

void http_discard(CURLM *multi, request *r)
{
    if (!r->easy) return;
    curl_multi_remove_handle(multi, r->easy);
    curl_easy_cleanup(r->easy);
    free(r->body);
    memset(r, 0, sizeof *r);
}

static int part_is_same(CURLU *one, CURLU *other, CURLUPart part)
{
    char *a = NULL, *b = NULL;
    int same = !curl_url_get(one, part, &a, 0) && !curl_url_get(other, part, &b, 0) && strcasecmp(a, b) == 0;
    curl_free(a);
    curl_free(b);
    return same;
}

/* A camera may send a request on, within its host and not from https to http: who else can answer there may not choose whose
 * pictures decide about this print. Whether it was sent on. */
static int follow_redirect(CURLM *multi, request *r)
{
    char *to = NULL;
    int64_t left = r->started_ms + r->asked.time_ms - now_ms();
    curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to || left <= 0 || r->hops >= MAX_HOPS) return 0;
    CURLU *old = curl_url(), *new = curl_url();
    int good = old && new && !curl_url_set(old, CURLUPART_URL, r->url, CURLU_GUESS_SCHEME) &&
               !curl_url_set(new, CURLUPART_URL, to, 0) && part_is_same(old, new, CURLUPART_HOST) &&
               (part_is_same(old, new, CURLUPART_SCHEME) || strncasecmp(to, "https:", 6) == 0);
    curl_url_cleanup(old);
    curl_url_cleanup(new);
    if (!good) return 0;
    r->hops++;
    r->len = 0;
    memset(&r->stream, 0, sizeof r->stream);
    curl_multi_remove_handle(multi, r->easy);
    curl_easy_setopt(r->easy, CURLOPT_URL, to);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)left);
    curl_multi_add_handle(multi, r->easy);
    return 1;
}

/* The request is taken out first: what follows from an answer may end other requests, and begin one of this kind. */
static void finish(CURLM *multi, request *r)
{
    request answer = *r;
    memset(r, 0, sizeof *r);
    curl_multi_remove_handle(multi, answer.easy);
    curl_easy_cleanup(answer.easy);
    if (answer.streams && answer.code == CURLE_OK) mjpeg_end(&answer.stream, answer.body, answer.len);
    answer.asked.done(answer.asked.user_data, &answer);
    free(answer.body);
}

void http_turn(CURLM *multi)
{
    int running = 0, left = 0;
    curl_multi_perform(multi, &running);
    for (CURLMsg *done; (done = curl_multi_info_read(multi, &left)) != NULL;) {
        request *r = NULL;
        curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        r->code = done->data.result;
        curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &r->status);
        if (r->asked.picture && r->code == CURLE_OK && follow_redirect(multi, r)) continue;
        if (r->code == CURLE_OK && r->status / 100 != 2) r->code = CURLE_HTTP_RETURNED_ERROR;
        finish(multi, r);
    }
}

const uint8_t *http_picture(const request *answer, size_t *len)
{
    if (answer->status / 100 != 2) return NULL;
    *len = answer->streams ? answer->stream.size : answer->code == CURLE_OK ? answer->len : 0;
    if (*len == 0) return NULL;
    return answer->streams ? answer->body + answer->stream.first : answer->body;
}

const char *http_trouble(const request *answer, char *buf, size_t cap)
{
    if (answer->code == CURLE_OK) return NULL;
    if (answer->code == CURLE_WRITE_ERROR) return "the answer is too large";
    if (answer->code != CURLE_HTTP_RETURNED_ERROR) return curl_easy_strerror(answer->code);
    if (answer->status == 401) return "it wants a user name and a password (HTTP 401)";
    snprintf(buf, cap, "HTTP %ld", answer->status);
    return buf;
}
