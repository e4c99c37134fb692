/* What a killed agent goes on from: one file per printer. */
#ifndef STATE_H
#define STATE_H

#include <stdint.h>

enum { MAX_SAVED = 8193 }; /* the library's text */

/* Which print it is: the time tells it from another one of the same file. */
typedef struct print_state {
    char file[1024];        /* what is printing */
    int64_t printing_ms;    /* since its start, pauses included, */
    int64_t polled_unix_ms; /* as of then */
    int64_t pause_until;    /* Unix time in ms up to which the printer is to be told to pause; 0: it is not */
} print_state;

/* Replaces the file as a whole; it is a secret. 0 if that went well. */
int state_save(const char *path, const print_state *print, const char *saved);

/* The library's text, if the file is of the print that goes on. Its pause goes on too. */
int state_load(const char *path, print_state *print, char *saved, int cap);

#endif
