/* What the printer is told to do: G-code for its console and display, its own PAUSE. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "printer.h"

void run_script(printer *p, const char *script)
{
    outbox *box = &p->outbox;
    if (box->count == MAX_MESSAGES) memmove(box->scripts, box->scripts[1], sizeof box->scripts[0] * (size_t)--box->count);
    snprintf(box->scripts[box->count++], MAX_SCRIPT, "%s", script);
}

/* Puts a text into a line of G-code, without what would end it there. */
static void run_with_text(printer *p, const char *before, const char *text, const char *after)
{
    char script[MAX_SCRIPT], clean[160];
    snprintf(clean, sizeof clean, "%s", text);
    for (char *c = clean; *c; c++)
        if (strchr("\"\\;#*", *c) || (unsigned char)*c < ' ') *c = '\'';
    snprintf(script, sizeof script, "%s%s%s", before, clean, after);
    run_script(p, script);
}

void say_on_console(printer *p, const char *text)
{
    if (p->config->console) run_with_text(p, "RESPOND PREFIX=\"oe-moonraker:\" MSG=\"", text, "\"");
}

void warn(printer *p, const char *text)
{
    char before[MAX_NAME + 32];
    if (p->config->display) run_with_text(p, "M117 ", text, "");
    if (p->config->console) run_with_text(p, "RESPOND TYPE=error MSG=\"", text, "\"");
    if (!p->config->notifier[0]) return;
    snprintf(before, sizeof before, "_OE_NOTIFY NAME=\"%s\" MSG=\"", p->config->notifier);
    run_with_text(p, before, text, "\"");
}

static void on_script(void *user_data, const request *answer)
{
    printer *p = user_data;
    char buf[200];
    const char *trouble = moonraker_trouble(answer, buf, sizeof buf);
    if (trouble) tell(p, "a message for the printer: %s", trouble);
}

/* One at a time, in order, and none while there is no Klipper. */
void send_messages(printer *p)
{
    outbox *box = &p->outbox;
    if (!box->count || p->script.easy || p->reach != READY) return;
    moonraker_script(&p->moonraker, &p->script, box->scripts[0], on_script, p);
    memmove(box->scripts, box->scripts[1], sizeof box->scripts[0] * (size_t)--box->count);
}

static void on_paused(void *user_data, const request *answer)
{
    printer *p = user_data;
    char buf[200];
    const char *trouble = moonraker_trouble(answer, buf, sizeof buf);
    if (!trouble) {
        tell(p, "the printer was told to pause");
        warn(p, "The print is failing and was paused");
        p->print.pause_until = 0;
        p->unsaved = 1;
    } else if (p->print.pause_until) { /* again when a poll says that it still prints */
        if (!p->pause_failed) tell(p, "pausing failed: %s", trouble);
        p->pause_failed = 1;
    }
}

static void give_up_pause(printer *p, const char *why)
{
    char text[160];
    snprintf(text, sizeof text, "The print is failing and was not paused: %s", why);
    tell(p, "not paused: %s", why);
    warn(p, text);
    p->print.pause_until = 0;
    p->unsaved = 1;
}

/* Tells the printer to pause, for as long as that has not come about and the alarm lasts. One request at a time, as Klipper
 * carries out each that arrives, even if nobody waits for the answer any more. */
void pause_print(printer *p)
{
    if (!p->monitor || !p->print.pause_until || p->paused || p->pause.easy || p->reach != READY) return;
    if (!p->has_pause) give_up_pause(p, "[pause_resume] is missing in printer.cfg");
    else if (now_unix_ms() >= p->print.pause_until) give_up_pause(p, "the printer did not do it");
    else moonraker_send(&p->moonraker, &p->pause, "/printer/print/pause", 1, on_paused, p);
}
