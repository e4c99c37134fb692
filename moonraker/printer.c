#define _POSIX_C_SOURCE 200809L

#include "printer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum {
    START_AGAIN_MS = 60000,
    HOLD_AFTER_MS = 30000 /* Moonraker restarts in less; who cannot reach the printer cannot pause it */
};

void tell(const printer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s: ", p->config->name);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* ---- the watch ---- */

static void rest(printer *p)
{
    int rests = p->paused || p->held;
    if (!p->monitor || rests == p->rests) return;
    p->rests = rests;
    p->unsaved = 1;
    if (rests) {
        oe_monitor_pause(p->monitor);
        return;
    }
    oe_monitor_resume(p->monitor);
    if (p->muted) oe_monitor_mute(p->monitor, 1); /* a resume ends it */
}

static void set_paused(printer *p, int paused)
{
    if (p->paused == paused) return;
    p->paused = paused;
    p->print.pause_until = 0;
    tell(p, paused ? "paused" : "resumed");
    rest(p);
}

static void set_held(printer *p, int held)
{
    if (p->held == held) return;
    p->held = held;
    if (p->monitor) tell(p, held ? "not looking any more until the printer is back" : "looking again");
    rest(p);
}

static void set_muted(printer *p, int muted)
{
    if (p->muted == muted) return;
    p->muted = muted;
    oe_monitor_mute(p->monitor, muted);
    if (muted) p->print.pause_until = 0;
    tell(p, muted ? "muted for this print" : "no longer muted");
}

/* The library's text brings the levels and regions of the print's start along. */
static oe_status start_monitor(printer *p, const char **how)
{
    char saved[MAX_SAVED];
    *how = "going on with";
    if (p->state_file[0] && state_load(p->state_file, &p->print, saved, sizeof saved) &&
        oe_monitor_start_saved(p->client, saved, p->tag, &p->monitor) == OE_OK)
        return OE_OK;
    *how = "watching";
    p->print.pause_until = 0;
    return oe_monitor_start_with(p->client, &p->config->print, p->tag, &p->monitor);
}

static void begin_print(printer *p, const report *now)
{
    const char *how;
    p->tag++;
    p->paused = p->held = p->rests = p->muted = 0;
    p->print.pause_until = 0;
    p->camera_fails = p->empty_pictures = p->no_camera = p->pause_failed = 0;
    p->camera.url[0] = '\0';
    oe_client_clear_latch(p->client); /* the account may have been mended since the last print */
    oe_status status = start_monitor(p, &how);
    if (status != OE_OK) {
        tell(p, "not watching %s: %s", p->print.file, oe_status_text(status));
        p->start_at = now_ms() + START_AGAIN_MS;
        return;
    }
    tell(p, "%s %s", how, p->print.file);
    p->start_at = 0;
    if (!now->has_pause && !p->config->notify_only) {
        tell(p, "[pause_resume] is missing in printer.cfg: a failing print cannot be paused");
        say_on_console(p, "[pause_resume] is missing in printer.cfg: a failing print cannot be paused");
    }
    if (!camera_from_config(p->config, &p->camera)) choose_camera(p);
}

void leave_print(printer *p)
{
    oe_monitor_free(p->monitor);
    p->monitor = NULL;
    p->print.pause_until = 0;
    p->pause_now = 0;
    p->picture_wanted = 0;
    p->choose_at = p->picture_at = 0;
    p->outbox.count = 0;
    http_discard(p->moonraker.multi, &p->picture);
    http_discard(p->moonraker.multi, &p->pause);
}

/* ---- what the printer does ---- */

/* A mute is of one print, and Klipper's variable outlives it. */
static void end_old_mute(printer *p, const report *now, int prints)
{
    if (!now->muted) p->mute_is_old = 0;
    if (!now->muted || (prints && !p->mute_is_old) || p->script.easy || p->outbox.count > 0) return;
    run_script(p, "SET_GCODE_VARIABLE MACRO=" MUTE_MACRO " VARIABLE=muted VALUE=False");
}

static void follow(printer *p, const report *now)
{
    int prints = !strcmp(now->state, "printing") || !strcmp(now->state, "paused");
    /* The time is that of another print when the same file was started again and its end not seen. */
    int another = strcmp(now->file, p->print.file) != 0 || now->printing_ms + 1000 < p->print.printing_ms;
    if (p->monitor && (!prints || another)) {
        tell(p, "%s: %s", p->print.file, prints ? "replaced" : now->state);
        p->mute_is_old = p->muted;
        leave_print(p);
    }
    if (!prints && p->state_file[0]) unlink(p->state_file); /* also one from before this program started */
    if (!prints || another) p->start_at = 0;
    snprintf(p->print.file, sizeof p->print.file, "%s", now->file);
    p->print.printing_ms = now->printing_ms;
    p->print.polled_unix_ms = now_unix_ms();
    p->has_pause = now->has_pause;
    end_old_mute(p, now, prints);
    if (prints && !p->monitor && now_ms() >= p->start_at) begin_print(p, now);
    if (!prints || !p->monitor) return;
    set_held(p, 0);
    set_paused(p, !strcmp(now->state, "paused"));
    set_muted(p, now->muted && !p->mute_is_old);
    pause_print(p);
}

static void tell_reach(const printer *p, const report *now)
{
    switch (now->reach) {
    case READY: tell(p, "the printer is back"); break;
    case NO_KLIPPY: tell(p, "Klipper is gone: %s", now->why); break;
    case LOCKED: tell(p, "%s", now->why); break;
    case AWAY: tell(p, "Moonraker does not answer: %s", now->why); break;
    }
}

static void on_report(void *user_data, const request *answer)
{
    printer *p = user_data;
    report now;
    moonraker_report(answer, &now);
    if (now.reach != p->reach) tell_reach(p, &now);
    p->reach = now.reach;
    if (now.reach == READY) {
        p->unreached_ms = 0;
        follow(p, &now);
        return;
    }
    if (!p->unreached_ms) p->unreached_ms = now_ms();
    /* Without Klipper nothing prints. Moonraker may just restart: the print goes on, and so does the watch. */
    if (now.reach == NO_KLIPPY || now_ms() - p->unreached_ms > HOLD_AFTER_MS) set_held(p, 1);
}

/* ---- the turn ---- */

static void save(const printer *p)
{
    char saved[MAX_SAVED];
    size_t len = 0;
    if (!p->state_file[0] || oe_monitor_save(p->monitor, saved, sizeof saved, &len) != OE_OK) return;
    if (state_save(p->state_file, &p->print, saved) != 0) tell(p, "%s cannot be written", p->state_file);
}

void printer_turn(printer *p)
{
    int64_t now = now_ms();
    if (now >= p->poll_at) {
        moonraker_query(&p->moonraker, &p->query, on_report, p);
        p->poll_at = now + p->config->poll_ms;
    }
    if (p->choose_at && now >= p->choose_at) choose_camera(p);
    if (p->picture_at && now >= p->picture_at) take_picture(p);
    /* A pause is on disk before it is carried out: killed in between, the agent does it when it is back. */
    if (p->unsaved && p->monitor) save(p);
    p->unsaved = 0;
    if (p->pause_now) pause_print(p); /* later tries come with the polls */
    p->pause_now = 0;
    send_messages(p);
}

int64_t printer_due(const printer *p)
{
    int64_t due = p->poll_at;
    if (p->choose_at && p->choose_at < due) due = p->choose_at;
    if (p->picture_at && p->picture_at < due) due = p->picture_at;
    return due;
}

int printer_open(printer *p, CURLM *multi, oe_client *client, const printer_config *config, uint64_t number,
                 const char *state_folder)
{
    memset(p, 0, sizeof *p);
    p->config = config;
    p->client = client;
    p->tag = number << 32;
    if (state_folder &&
        snprintf(p->state_file, sizeof p->state_file, "%s/%s.state", state_folder, config->name) >= MAX_PATH)
        return -1;
    return moonraker_open(&p->moonraker, multi, config);
}

void printer_close(printer *p)
{
    leave_print(p);
    http_discard(p->moonraker.multi, &p->query);
    http_discard(p->moonraker.multi, &p->webcams);
    http_discard(p->moonraker.multi, &p->script);
    moonraker_close(&p->moonraker);
}
