#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "camera.h"
#include "clock.h"
#include "engine.h"
#include "moonraker.h"

static const int64_t OLDEST_UNIX_MS = 1767225600000; /* the year of this program: no right clock says less */

typedef struct checker {
    const printer_config *config;
    moonraker moonraker;
    request request;
    camera camera;
    uint8_t *jpeg; /* NULL: there is none */
    size_t jpeg_len;
    int reached, ready, missing; /* Moonraker answers; Klipper does */
} checker;

#if defined(__GNUC__)
#define LIKE_PRINTF __attribute__((format(printf, 2, 3)))
#else
#define LIKE_PRINTF
#endif

static void line(const char *mark, const char *format, va_list args)
{
    printf("  %-8s", mark);
    vprintf(format, args);
    putchar('\n');
}

LIKE_PRINTF static void good(const checker *c, const char *format, ...)
{
    va_list args;
    (void)c;
    va_start(args, format);
    line("ok", format, args);
    va_end(args);
}

/* Something could be better; the print is watched all the same. */
LIKE_PRINTF static void note(const checker *c, const char *format, ...)
{
    va_list args;
    (void)c;
    va_start(args, format);
    line("note", format, args);
    va_end(args);
}

LIKE_PRINTF static void miss(checker *c, const char *format, ...)
{
    va_list args;
    c->missing++;
    va_start(args, format);
    line("MISSING", format, args);
    va_end(args);
}

static void wait_for(checker *c)
{
    while (c->request.easy) {
        http_turn(c->moonraker.multi);
        if (c->request.easy) curl_multi_poll(c->moonraker.multi, NULL, 0, 100, NULL);
    }
}

static void get(checker *c, const char *path, answered *done)
{
    moonraker_send(&c->moonraker, &c->request, path, 0, done, c);
    wait_for(c);
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItem(object, name); /* sections in capitals or small letters */
}

static cJSON *parse(const request *answer)
{
    return answer->code == CURLE_OK ? cJSON_ParseWithLength((const char *)answer->body, answer->len) : NULL;
}

/* ---- Moonraker and Klipper ---- */

static void on_info(void *user_data, const request *answer)
{
    checker *c = user_data;
    char buf[200];
    cJSON *json = parse(answer);
    const cJSON *info = member(json, "result");
    const char *state = cJSON_GetStringValue(member(info, "klippy_state"));
    const char *trouble = moonraker_trouble(answer, buf, sizeof buf);
    if (answer->status == 401 || answer->status == 403) miss(c, "%s", trouble);
    else if (!state) miss(c, "Moonraker does not answer at %s: %s", c->config->moonraker, trouble ? trouble : "this is not Moonraker");
    else if (strcmp(state, "ready") != 0) miss(c, "Moonraker answers, but Klipper is not ready: its state is %s", state);
    else good(c, "Moonraker answers at %s, Klipper is ready", c->config->moonraker);
    c->reached = state != NULL;
    c->ready = c->reached && !strcmp(state, "ready");
    cJSON_Delete(json);
}

static void on_config(void *user_data, const request *answer)
{
    checker *c = user_data;
    char buf[200];
    cJSON *json = parse(answer);
    const cJSON *have = member(member(member(json, "result"), "status"), "configfile");
    have = member(have, "config"); /* not "settings", which has no section without options */
    if (!have) {
        const char *trouble = moonraker_trouble(answer, buf, sizeof buf);
        miss(c, "Klipper's configuration cannot be read: %s", trouble ? trouble : "the answer has none");
        cJSON_Delete(json);
        return;
    }
    if (!member(have, "virtual_sdcard")) miss(c, "[virtual_sdcard] in printer.cfg: without it no print is seen");
    if (member(have, "pause_resume")) good(c, "a failing print can be paused%s", c->config->notify_only ? ", but notify_only is set" : "");
    else if (c->config->notify_only) note(c, "[pause_resume] is not in printer.cfg, and notify_only needs none");
    else miss(c, "[pause_resume] in printer.cfg: without it a failing print cannot be paused");
    if (c->config->console && !member(have, "respond")) note(c, "[respond] is not in printer.cfg: no warnings on the console");
    if (c->config->display && !member(have, "display_status")) note(c, "[display_status] is not in printer.cfg: no warnings on the display");
    if (member(have, "gcode_macro " MUTE_MACRO)) good(c, "OE_MUTE mutes a print");
    else note(c, "oe_process_macros.cfg is not included in printer.cfg: a print cannot be muted");
    if (c->config->notifier[0] && !member(have, "gcode_macro _OE_NOTIFY"))
        miss(c, "oe_process_macros.cfg is not included in printer.cfg: the notifier is not told");
    cJSON_Delete(json);
}

static void on_notifiers(void *user_data, const request *answer)
{
    checker *c = user_data;
    cJSON *json = parse(answer);
    const cJSON *notifier = NULL;
    int found = 0;
    cJSON_ArrayForEach(notifier, member(member(json, "result"), "notifiers")) {
        const char *name = cJSON_GetStringValue(member(notifier, "name"));
        found |= name && !strcmp(name, c->config->notifier);
    }
    if (found) good(c, "Moonraker has the notifier %s", c->config->notifier);
    else miss(c, "[notifier %s] in moonraker.conf", c->config->notifier);
    cJSON_Delete(json);
}

/* ---- the camera ---- */

static void on_webcams(void *user_data, const request *answer)
{
    checker *c = user_data;
    const char *why = camera_choose(c->config, answer, &c->camera);
    if (why) miss(c, "no camera: %s", why);
}

static void on_picture(void *user_data, const request *answer)
{
    checker *c = user_data;
    char shown[MAX_URL], buf[160];
    const uint8_t *jpeg = http_picture(answer, &c->jpeg_len);
    camera_show(&c->camera, shown, sizeof shown);
    if (answer->offline) {
        miss(c, "the camera %s is not connected (%s shows a placeholder)", c->camera.name, shown);
    } else if (!jpeg || c->jpeg_len < 3 || memcmp(jpeg, "\xFF\xD8\xFF", 3) != 0) {
        const char *trouble = http_trouble(answer, buf, sizeof buf);
        miss(c, "the camera %s gives no picture at %s: %s", c->camera.name, shown,
             answer->status / 100 == 2 || !trouble ? "the answer is none" : trouble);
    } else if ((c->jpeg = malloc(c->jpeg_len)) != NULL) {
        memcpy(c->jpeg, jpeg, c->jpeg_len);
        good(c, "the camera %s at %s: %zu KB in %" PRId64 " ms", c->camera.name, shown, c->jpeg_len / 1024,
             now_ms() - answer->started_ms);
    }
}

static void check_camera(checker *c)
{
    if (!camera_from_config(c->config, &c->camera) && c->reached) get(c, "/server/webcams/list", on_webcams);
    if (!c->camera.url[0]) return;
    camera_take(&c->moonraker, &c->camera, &c->request, on_picture, c);
    wait_for(c);
}

/* ---- the engine ---- */

static void look(checker *c, oe_client *client)
{
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_status status = oe_context_create_with(client, &c->config->print, &context);
    int64_t before = now_ms();
    if (status == OE_OK) status = oe_process_jpeg(context, c->jpeg, c->jpeg_len, &result);
    oe_context_free(context);
    if (status == OE_OK) good(c, "the engine inside this program looks at a picture in %" PRId64 " ms", now_ms() - before);
    else if (status == OE_BLIND) note(c, "the engine works, but the picture shows nothing to judge: is it dark, is the lens covered?");
    else miss(c, "the engine cannot use the picture: %s", oe_status_text(status));
}

static void check_engine(checker *c)
{
    const engine_config *engine = &c->config->engine;
    oe_client *client = NULL;
    oe_error error = OE_ERROR_INIT;
    oe_status status = engine_open(engine, &client);
    if (status != OE_OK) {
        oe_last_error(&error);
        miss(c, "the engine does not start: %s", error.status == status && error.text[0] ? error.text : oe_status_text(status));
        return;
    }
    if (!engine->service[0]) {
        if (c->jpeg) look(c, client);
        else good(c, "the engine inside this program starts");
    } else {
        status = oe_client_check_key(client);
        oe_last_error(&error);
        if (status == OE_OK) good(c, "the service %s takes %s", engine->service, engine->api_key[0] ? "the key" : "this printer without a key");
        else miss(c, "the service %s: %s", engine->service, error.status == status && error.text[0] ? error.text : oe_status_text(status));
    }
    oe_client_free(client);
}

static void check_clock(checker *c)
{
    time_t now = time(NULL);
    char text[32] = "";
    struct tm utc;
    if ((int64_t)now * 1000 >= OLDEST_UNIX_MS) return;
    if (gmtime_r(&now, &utc)) strftime(text, sizeof text, "%Y-%m-%d", &utc);
    miss(c, "the clock of this machine is wrong: it says %s. Certificates are refused; see timedatectl", text);
}

int check_printer(CURLM *multi, const printer_config *config)
{
    checker c = { .config = config };
    printf("%s (%s)\n", config->name, config->file);
    check_clock(&c);
    if (moonraker_open(&c.moonraker, multi, config) != 0) return 1;
    get(&c, "/server/info", on_info);
    if (c.ready) get(&c, "/printer/objects/query?configfile=config", on_config);
    if (c.reached && config->notifier[0]) get(&c, "/server/notifiers/list", on_notifiers);
    check_camera(&c);
    check_engine(&c);
    free(c.jpeg);
    moonraker_close(&c.moonraker);
    return c.missing;
}
