/* One printer: its print is followed, watched, warned of and paused. All printers of the process share one client and one loop. */
#ifndef PRINTER_H
#define PRINTER_H

#include <oe_process.h>

#include "camera.h"
#include "config.h"
#include "moonraker.h"
#include "state.h"

enum { MAX_MESSAGES = 8, MAX_SCRIPT = 240 };

/* G-code that waits for its turn. */
typedef struct outbox {
    char scripts[MAX_MESSAGES][MAX_SCRIPT];
    int count;
} outbox;

typedef struct printer {
    const printer_config *config;
    oe_client *client;
    moonraker moonraker;
    char state_file[MAX_PATH]; /* "": nothing is kept */

    oe_monitor *monitor; /* NULL: nothing is watched */
    uint64_t tag;        /* the print's: the printer's number and a count */
    print_state print;
    int paused, muted;   /* as the printer says */
    int mute_is_old;     /* it was of the print before */
    int held;            /* nothing could be done about what is seen */
    int rests;           /* as the monitor was told, for paused or held */
    int pause_now, pause_failed, unsaved;

    reach reach;
    int64_t unreached_ms;      /* since when; 0: it is reached */
    int has_pause;             /* [pause_resume] */
    int64_t poll_at, start_at; /* when to ask again, to try again to watch */

    camera camera;
    int64_t choose_at, picture_at; /* when to ask for the list, for another picture; 0: not */
    int picture_wanted, empty_pictures, camera_fails, no_camera;

    outbox outbox;
    request query, webcams, picture, pause, script;
} printer;

int printer_open(printer *p, CURLM *multi, oe_client *client, const printer_config *config, uint64_t number,
                 const char *state_folder);

/* Leaves the print as it is: the next start goes on with it. */
void printer_close(printer *p);

/* Does what is due, after answers and events were read. */
void printer_turn(printer *p);

/* When it is to be turned again, if nothing happens before: a time of now_ms(). */
int64_t printer_due(const printer *p);

/* Takes an event of its client. */
void printer_event(printer *p, const oe_event *event, const oe_result *result, const oe_error *error);

/* ---- between the parts of a printer ---- */

/* A line of the log. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void tell(const printer *p, const char *format, ...);

/* Stops watching. Nothing of a print outlives it: no picture on its way, no pause that would hit the next one. */
void leave_print(printer *p);

/* watch.c */
void choose_camera(printer *p);
void take_picture(printer *p);

/* actions.c */
void say_on_console(printer *p, const char *text);
void warn(printer *p, const char *text);
void run_script(printer *p, const char *script);
void send_messages(printer *p);
void pause_print(printer *p);

#endif
