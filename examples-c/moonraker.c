/* moonraker: watches a Klipper printer, in as little code as that takes. moonraker/ has the program that people install: it also
 * goes on with a print after its own restart, watches several printers, and is configured by a file. Needs libcurl and cJSON.
 *
 * One loop: ask Moonraker what the printer does, read the library's events, take a picture when it wants one, pause a print that
 * fails. A request waits for its answer: a camera that hangs delays the next question, by --timeout at most. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "engine.h"

enum { MAX_IMAGE = 6291456, POLL_MS = 1000, PAUSE_SEC = 60, TOO_OLD_MS = 30000, MAX_EMPTY = 3 };

typedef struct answer {
    uint8_t *body;
    size_t len, first; /* of a stream: where its picture begins, */
    int whole;         /* whether that has ended */
    long status;       /* HTTP's; 0: nobody answered */
} answer;

static const char *moonraker = "http://127.0.0.1:7125";
static long timeout_sec = 10;
static int notify_only, camera_is_given;
static struct curl_slist *key; /* Moonraker's, as a header */
static oe_client *client;
static oe_monitor *monitor; /* NULL: nothing is watched */
static uint64_t prints;     /* the tag of the last one */
static char file[1024], camera[512];
static double printing_sec;
static long http; /* the status of Moonraker's last answer; 0: there was none */
static int rests, has_pause; /* paused, or Klipper is gone; [pause_resume] is there */
static time_t pause_until;   /* until then the printer is to be told to pause; 0: it is not */

/* The first line of a stream is what parts it. A picture ends where the next part begins, with an end marker or without. */
static void find_picture(answer *a)
{
    size_t line = 0, mark = 0, at;
    while (line < a->len && strchr("\r\n", a->body[line])) line++;
    while (line + mark < a->len && a->body[line + mark] != '\r') mark++;
    for (at = line + mark; at + 3 <= a->len && memcmp(a->body + at, "\xFF\xD8\xFF", 3) != 0;) at++;
    for (a->first = at; at + mark <= a->len && memcmp(a->body + at, a->body + line, mark) != 0;) at++;
    a->whole = at > a->first && at + mark <= a->len;
    while (a->whole && strchr("\r\n", a->body[at - 1])) at--;
    if (a->whole) a->len = at;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *user_data)
{
    answer *a = user_data;
    uint8_t *more = a->len + len <= MAX_IMAGE ? realloc(a->body, a->len + len) : NULL;
    if (!more) return 0; /* ends the transfer */
    memcpy(more + a->len, bytes, len);
    a->body = more;
    a->len += len;
    if (strchr("-\r\n", a->body[0])) find_picture(a);
    return a->whole ? 0 : one * len; /* one picture of a stream is enough */
}

/* Whether it was answered with 2xx. The caller frees the body. */
static int ask(const char *url, const struct curl_slist *headers, int post, answer *out)
{
    CURL *easy = curl_easy_init();
    memset(out, 0, sizeof *out);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* printer and camera are at home */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, timeout_sec);
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST)); /* http://user:password@camera/ */
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, out);
    if (post) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &out->status);
    curl_easy_cleanup(easy);
    return (code == CURLE_OK || out->whole) && out->status / 100 == 2;
}

/* Moonraker's answer, to be deleted; NULL: none. */
static cJSON *ask_moonraker(const char *path, int post)
{
    char url[1024];
    answer a;
    snprintf(url, sizeof url, "%s%s", moonraker, path);
    cJSON *json = ask(url, key, post, &a) ? cJSON_ParseWithLength((const char *)a.body, a.len) : NULL;
    http = a.status;
    free(a.body);
    return json;
}

static const cJSON *member(const cJSON *object, const char *name) { return cJSON_GetObjectItemCaseSensitive(object, name); }
static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_IsString(member(object, name)) ? member(object, name)->valuestring : "";
}

/* The first camera that is enabled. An address without a host is on port 80 of the printer's host. */
static void choose_camera(void)
{
    const char *host = moonraker + strlen("http://");
    const cJSON *webcam;
    cJSON *json = ask_moonraker("/server/webcams/list", 0);
    cJSON_ArrayForEach(webcam, member(member(json, "result"), "webcams")) {
        const char *url = *text_of(webcam, "snapshot_url") ? text_of(webcam, "snapshot_url") : text_of(webcam, "stream_url");
        if (camera[0] || !*url || cJSON_IsFalse(member(webcam, "enabled"))) continue;
        if (strstr(url, "://")) snprintf(camera, sizeof camera, "%s", url);
        else snprintf(camera, sizeof camera, "http://%.*s/%s", (int)strcspn(host, ":/"), host, url + (*url == '/'));
    }
    cJSON_Delete(json);
    if (!camera[0]) puts("Moonraker knows no camera");
}

static void take_picture(void)
{
    answer a = { 0 };
    int good = 0;
    if (!camera[0]) choose_camera();
    for (int n = 0; camera[0] && n < MAX_EMPTY && !a.len; n++) { /* streamers begin with an empty picture */
        free(a.body);
        good = ask(camera, NULL, 0, &a);
    }
    oe_status status = good && a.len ? oe_monitor_submit(monitor, a.body + a.first, a.len - a.first, 0) : OE_NO_EVENT;
    if (status != OE_OK) printf("camera: HTTP %ld, %zu bytes: %s\n", a.status, a.len, oe_status_text(status));
    free(a.body);
}

/* Tells the printer to pause, for as long as that has not come about and the alarm lasts: the library says it once. */
static void pause_print(void)
{
    if (!monitor || !pause_until || rests) return;
    cJSON *json = has_pause ? ask_moonraker("/printer/print/pause", 1) : NULL;
    puts(json ? "the printer was told to pause" : "pausing failed"); /* then again after the next question */
    if (json || !has_pause || time(NULL) > pause_until) pause_until = 0;
    cJSON_Delete(json);
}

static void follow(const cJSON *stats)
{
    const char *state = text_of(stats, "state"), *name = text_of(stats, "filename");
    double sec = cJSON_IsNumber(member(stats, "total_duration")) ? member(stats, "total_duration")->valuedouble : 0;
    int prints_now = !strcmp(state, "printing") || !strcmp(state, "paused");
    /* The time is that of another print when the same file was started again and its end not seen. */
    if (monitor && (!prints_now || strcmp(name, file) != 0 || sec + 1 < printing_sec)) {
        printf("%s: %s\n", file, prints_now ? "replaced" : state);
        oe_monitor_free(monitor);
        monitor = NULL;
    }
    snprintf(file, sizeof file, "%s", name);
    printing_sec = sec;
    if (!prints_now || monitor) return;
    rests = 0;
    pause_until = 0;
    printf("watching %s: %s\n", file, oe_status_text(oe_monitor_start(client, 0, 0, ++prints, &monitor)));
    if (!has_pause) puts("[pause_resume] is missing in printer.cfg: a failing print cannot be paused");
    if (!camera_is_given) camera[0] = '\0'; /* another one may be set by now */
}

static void poll_printer(void)
{
    static long last = 200;
    cJSON *json = ask_moonraker("/printer/objects/query?print_stats&pause_resume", 0);
    const cJSON *status = member(member(json, "result"), "status"), *stats = member(status, "print_stats");
    const char *why = http == 401 ? ": set MOONRAKER_API_KEY" : http == 503 ? ": Klipper is gone" : "";
    if (http != last) printf("Moonraker: HTTP %ld%s\n", http, why);
    last = http;
    if (status) has_pause = member(member(status, "pause_resume"), "is_paused") != NULL;
    if (status) follow(stats);
    /* Without Klipper nothing prints. A Moonraker that does not answer may just restart: the print, and so the watch, goes on. */
    int rest = last ? strcmp(text_of(stats, "state"), "printing") != 0 : rests;
    if (monitor && rest != rests) {
        puts(rest ? "paused" : "resumed");
        (rest ? oe_monitor_pause : oe_monitor_resume)(monitor);
        if (status) pause_until = 0;
        rests = rest;
    }
    cJSON_Delete(json);
    pause_print();
}

static void on_event(const oe_event *event, const oe_result *result, const oe_error *error)
{
    if (!monitor || event->tag != prints) return;
    switch (event->kind) {
    case OE_EVENT_FRAME_WANTED: take_picture(); break;
    case OE_EVENT_RESULT:
        printf("quality %" PRId32 " (%s)\n", result->print_quality, oe_quality_text(result->print_quality));
        if (!result->warning_suggested && !result->pause_suggested) pause_until = 0; /* the alarm is over */
        else if (pause_until && result->pause_suggested) pause_until = time(NULL) + PAUSE_SEC;
        break;
    case OE_EVENT_WARNING:
        puts("warning: the print may be failing");
        if (event->age_ms > TOO_OLD_MS) break;
        cJSON_Delete(ask_moonraker("/printer/gcode/script?script=M117%20Print%20may%20be%20failing", 1));
        break;
    case OE_EVENT_PAUSE:
        puts(notify_only ? "the print is failing (not paused: --notify-only)" : "the print is failing: pausing it");
        if (!notify_only && event->age_ms <= TOO_OLD_MS) pause_until = time(NULL) + PAUSE_SEC;
        pause_print();
        break;
    case OE_EVENT_CAMERA_STALLED: puts("the camera has stalled: nobody watches this print"); break;
    case OE_EVENT_ERROR: case OE_EVENT_LATCHED: case OE_EVENT_STOPPED: printf("error: %s\n", error->text); break;
    }
}

static const char usage[] =
    "usage: moonraker [--moonraker http://HOST:PORT] [--camera URL] [--timeout SEC] [--notify-only yes] [ENGINE]\n"
    ENGINE_USAGE "Moonraker's API key, if it has one, is read from MOONRAKER_API_KEY.\n";

int main(int argc, char **argv)
{
    const char *engine = NULL, *endpoint = NULL, *moonraker_key = getenv("MOONRAKER_API_KEY"), *problem = NULL;
    char header[1024];
    int32_t backend = 0;
    for (int i = 1; i < argc && !problem; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--help")) return puts(usage) < 0;
        if (!value) problem = usage;
        else if (!strcmp(name, "--moonraker") && !strncmp(value, "http://", 7)) moonraker = value;
        else if (!strcmp(name, "--camera")) camera_is_given = snprintf(camera, sizeof camera, "%s", value);
        else if (!strcmp(name, "--timeout")) timeout_sec = atol(value);
        else if (!strcmp(name, "--notify-only")) notify_only = !strcmp(value, "yes");
        else if (!strcmp(name, "--engine")) engine = value;
        else if (!strcmp(name, "--endpoint")) endpoint = value;
        else problem = usage;
    }
    if (!problem) problem = engine_problem(engine, endpoint, &backend);
    if (problem) return fprintf(stderr, "%s\n", problem), 2;
    if (moonraker_key && snprintf(header, sizeof header, "X-Api-Key: %s", moonraker_key) > 0) key = curl_slist_append(NULL, header);
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_backend(options, backend);
    if (status == OE_OK) status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK) status = oe_options_set_endpoint(options, endpoint);
    if (status == OE_OK) status = oe_options_set_allow_http(options, endpoint != NULL);
    if (status == OE_OK) status = oe_client_new(options, &client);
    oe_options_free(options);
    while (status == OE_OK) {
        oe_event event = OE_EVENT_INIT;
        oe_result result = OE_RESULT_INIT;
        oe_error error = OE_ERROR_INIT;
        poll_printer();
        fflush(stdout);
        for (uint32_t wait = POLL_MS; oe_client_next_event(client, wait, &event, &result, &error) == OE_OK; wait = 0)
            on_event(&event, &result, &error);
    }
    return puts(oe_status_text(status)), 1;
}
