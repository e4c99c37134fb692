/* What is asked of Moonraker, and what its answers say. */
#ifndef MOONRAKER_H
#define MOONRAKER_H

#include "config.h"
#include "http.h"

/* A printer's Moonraker. */
typedef struct moonraker {
    CURLM *multi;
    const printer_config *config;
    struct curl_slist *headers; /* its key */
} moonraker;

typedef enum reach {
    READY,     /* Klipper answers */
    NO_KLIPPY, /* Moonraker answers, Klipper does not print: it is gone, starting, or has shut down */
    LOCKED,    /* Moonraker wants a key */
    AWAY       /* nobody answers, or somebody else */
} reach;

/* What a printer says of itself. */
typedef struct report {
    reach reach;
    char why[160]; /* unless it is READY */
    char state[16], file[1024];
    int64_t printing_ms; /* since the start of the print, pauses included */
    int has_pause; /* [pause_resume] */
    int muted;
} report;

/* The macro of oe_process_macros.cfg that holds the mute of a print. */
#define MUTE_MACRO "OE_PROCESS"

int moonraker_open(moonraker *m, CURLM *multi, const printer_config *config);
void moonraker_close(moonraker *m);

/* GET or POST of a path. */
void moonraker_send(const moonraker *m, request *r, const char *path, int post, answered *done, void *user_data);

/* Asks for what moonraker_report() reads. */
void moonraker_query(const moonraker *m, request *r, answered *done, void *user_data);

/* Runs lines of G-code, which Klipper does when it gets to it. */
void moonraker_script(const moonraker *m, request *r, const char *script, answered *done, void *user_data);

void moonraker_report(const request *answer, report *out);

/* What went wrong with a request, in Moonraker's own words where it has some; NULL: nothing. */
const char *moonraker_trouble(const request *answer, char *buf, size_t cap);

#endif
