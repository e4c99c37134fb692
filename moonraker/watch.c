/* Pictures for the library, and what it says of them. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "printer.h"

enum {
    TOO_OLD_MS = 30000,      /* an event that old is not acted on */
    AGAIN_MS = 60000,
    PICTURE_AGAIN_MS = 500,  /* streamers begin with an empty picture */
    MAX_EMPTY = 3,
    PAUSE_FOR_MS = 60000     /* a pause is tried for so long after the last verdict that wants it */
};

/* ---- the camera ---- */

/* The one that is known is used until there is another. */

static void miss_camera(printer *p, const char *why)
{
    p->choose_at = now_ms() + AGAIN_MS;
    if (p->no_camera || p->camera.url[0]) return;
    p->no_camera = 1;
    char text[200];
    snprintf(text, sizeof text, "no camera: %s", why);
    tell(p, "%s", text);
    say_on_console(p, text);
}

static void on_webcams(void *user_data, const request *answer)
{
    printer *p = user_data;
    if (!p->monitor) return;
    camera chosen;
    const char *why = camera_choose(p->config, answer, &chosen);
    if (why) {
        miss_camera(p, why);
        return;
    }
    if (strcmp(chosen.url, p->camera.url) != 0) tell(p, "camera %s", chosen.name);
    p->camera = chosen;
    p->no_camera = 0;
    if (p->picture_wanted) take_picture(p);
}

void choose_camera(printer *p)
{
    p->choose_at = 0;
    moonraker_send(&p->moonraker, &p->webcams, "/server/webcams/list", 0, on_webcams, p);
}

static const char *submit(printer *p, const request *answer, char *buf, size_t cap)
{
    size_t len = 0;
    const uint8_t *jpeg = http_picture(answer, &len);
    if (answer->offline) return "it is not connected";
    if (!jpeg) {
        const char *trouble = http_trouble(answer, buf, cap);
        return trouble ? trouble : "no picture in the answer";
    }
    oe_status status = oe_monitor_submit(p->monitor, jpeg, len, answer->started_unix_ms);
    return status == OE_OK ? NULL : oe_status_text(status);
}

static void on_picture(void *user_data, const request *answer)
{
    printer *p = user_data;
    char buf[160];
    if (!p->monitor) return;
    const char *trouble = submit(p, answer, buf, sizeof buf);
    if (trouble && answer->code == CURLE_OK && answer->len == 0 && p->empty_pictures++ < MAX_EMPTY) {
        p->picture_at = now_ms() + PICTURE_AGAIN_MS;
        return;
    }
    if (trouble && !p->camera_fails) tell(p, "camera: %s", trouble);
    if (!trouble && p->camera_fails) tell(p, "camera: pictures again");
    p->camera_fails = trouble != NULL; /* the library asks again, and tells when it has waited for long */
    if (!trouble) p->empty_pictures = 0;
}

void take_picture(printer *p)
{
    p->picture_at = 0;
    p->picture_wanted = p->camera.url[0] == '\0'; /* then it is taken when there is a camera */
    if (!p->picture_wanted) camera_take(&p->moonraker, &p->camera, &p->picture, on_picture, p);
}

/* ---- events ---- */

static void on_result(printer *p, const oe_result *result)
{
    tell(p, "quality %" PRId32 " (%s), next in %" PRIu32 " s", result->print_quality, oe_quality_text(result->print_quality),
         (result->next_due_ms + 999) / 1000);
    p->unsaved = 1;
    if (!p->print.pause_until) return;
    /* The library says it once per episode: it is tried again while the episode lasts. */
    if (result->pause_suggested) p->print.pause_until = now_unix_ms() + PAUSE_FOR_MS;
    if (result->pause_suggested || result->warning_suggested) return;
    p->print.pause_until = 0;
    tell(p, "the alarm is over: not pausing");
}

static void on_warning(printer *p, const oe_result *result, int late)
{
    char text[80];
    snprintf(text, sizeof text, "The print may be failing (quality %" PRId32 " of 10)", result->print_quality);
    tell(p, "warning: the print may be failing%s", late ? " (not told: too late)" : "");
    if (!late) warn(p, text);
}

static void on_pause(printer *p, int late)
{
    p->unsaved = 1;
    if (late || p->config->notify_only) {
        tell(p, "the print is failing (not paused: %s)", late ? "too late" : "notify_only");
        if (!late) warn(p, "The print is failing");
        return;
    }
    tell(p, "the print is failing: pausing it");
    p->pause_failed = 0;
    p->print.pause_until = now_unix_ms() + PAUSE_FOR_MS;
    p->pause_now = 1;
}

static void on_stalled(printer *p, const oe_event *event)
{
    const char *why = event->status == OE_NO_EVENT ? "no picture comes"
                    : event->status == OE_OK       ? "it shows the same picture again and again"
                                                   : oe_status_text(event->status);
    char text[200];
    snprintf(text, sizeof text, "nobody watches this print: camera: %s", why);
    tell(p, "%s", text);
    say_on_console(p, text);
    if (!p->config->camera_url[0]) choose_camera(p); /* another one may be set by now */
}

static void on_stopped(printer *p, const char *why)
{
    tell(p, "given up: %s", why);
    leave_print(p);
    p->start_at = now_ms() + AGAIN_MS;
}

void printer_event(printer *p, const oe_event *event, const oe_result *result, const oe_error *error)
{
    int late = event->age_ms > TOO_OLD_MS;
    if (!p->monitor || event->tag != p->tag) return;
    switch (event->kind) {
    case OE_EVENT_FRAME_WANTED:
        p->empty_pictures = 0;
        take_picture(p);
        break;
    case OE_EVENT_RESULT: on_result(p, result); break;
    case OE_EVENT_WARNING: on_warning(p, result, late); break;
    case OE_EVENT_PAUSE: on_pause(p, late); break;
    case OE_EVENT_ERROR:
        tell(p, "error: %s", error->text);
        p->unsaved = 1;
        break;
    case OE_EVENT_RECOVERED: tell(p, "recovered"); break;
    case OE_EVENT_CAMERA_STALLED: on_stalled(p, event); break;
    case OE_EVENT_CAMERA_BACK: tell(p, "the camera is back"); break;
    case OE_EVENT_CONTEXT_RENEWED: tell(p, "context renewed"); break;
    case OE_EVENT_LATCHED: /* the owner has to act; the next print tries again */
        tell(p, "nobody watches this print: %s", error->text);
        say_on_console(p, oe_status_text(event->status));
        break;
    case OE_EVENT_STOPPED: on_stopped(p, error->text); break;
    default: break; /* of a later release */
    }
}
