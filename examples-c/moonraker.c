/* moonraker: a small agent for Klipper hosts.
 *
 * Follows the print through Moonraker's HTTP API, takes pictures from a webcam's snapshot or MJPEG address when the library
 * wants one, and pauses a print that fails. Killed and started again with the same --state file, it goes on with the same
 * print. One loop, one thread of this program; libcurl does the HTTP of camera and Moonraker, so that the library need not.
 *
 *     moonraker --moonraker http://127.0.0.1:7125 --camera 'http://127.0.0.1/webcam/?action=snapshot' --state /var/lib/oe
 *
 * POSIX, libcurl (from 7.66 on), cJSON (from 1.7.13 on). Build: see the Makefile beside this file.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include <oe_process.h>

#include "engine.h"

enum {
    MAX_IMAGE = 6291456,         /* bytes; the library takes no larger ones */
    MAX_ANSWER = 65536,          /* Moonraker's */
    MAX_PATH = 4096,
    MAX_HOPS = 3,                /* redirects of a camera */
    SNAPSHOT_TIME_MS = 10000,    /* redirects included; some cameras need seconds for a key frame */
    MOONRAKER_TIME_MS = 5000,
    PAUSE_TIME_MS = 60000,       /* a pause is answered when Klipper has carried it out, and tried for so long */
    START_AGAIN_MS = 60000,
    TOO_OLD_MS = 30000,          /* an event that old is not acted on */
    SLACK_MS = 60000             /* of the printer's clock against ours */
};

typedef enum kind { STATUS, SNAPSHOT, PAUSE, MESSAGE, KINDS } kind;

/* One request of each kind at a time. */
typedef struct request {
    CURL *easy; /* NULL: none in flight */
    uint8_t *body;
    size_t len, cap, most;
    int streams, offline;   /* the answer is an endless multipart stream; the camera is unplugged */
    int hops;               /* redirects followed */
    size_t first, at, size; /* of the picture in a stream: its start, how far it is known, its length; 0: not yet */
    int64_t started_ms, started_unix_ms;
} request;

typedef struct agent {
    const char *moonraker, *camera, *engine, *endpoint, *state_file, *on_warning;
    int32_t backend;
    uint32_t interval_sec;
    int64_t poll_ms;
    int dry_run;

    oe_client *client;
    oe_monitor *monitor;  /* NULL: nothing is watched */
    uint64_t prints;      /* the tag of the last one */
    char file[1024];      /* what is printing */
    int64_t printing_ms;  /* since its start, pauses included, */
    int64_t polled_unix_ms; /* as of then */
    int paused;           /* as the printer says */
    int64_t pause_until;  /* Unix time in ms up to which the printer is to be told to pause; 0: it is not */
    int64_t poll_at, start_at;
    int unsaved, unreachable, camera_fails;

    CURLM *multi;
    struct curl_slist *headers; /* for Moonraker: its key */
    request requests[KINDS];
} agent;

static volatile sig_atomic_t stopping;
static int wake[2]; /* a pipe that a signal makes readable: none is missed between a look and a wait */

static void on_signal(int signal)
{
    int before = errno;
    stopping = signal;
    if (write(wake[1], "", 1) < 0) stopping = signal; /* full: it is readable */
    errno = before;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void) { return clock_ms(CLOCK_MONOTONIC); }
static int64_t now_unix_ms(void) { return clock_ms(CLOCK_REALTIME); }

/* ---- pictures ---- */

/* Looks on for the first whole picture of a stream: its segments, its scans, its end marker. Walking them finds the end also
 * where the stream gives no length, and whatever thumbnails the picture contains. */
static void find_picture(request *r)
{
    const uint8_t *p = r->body;
    if (!r->at) {
        while (r->first + 3 <= r->len && memcmp(p + r->first, "\xFF\xD8\xFF", 3) != 0) r->first++;
        if (r->first + 3 > r->len) return;
        r->at = r->first + 2;
    }
    while (r->at + 2 <= r->len && !r->size) {
        uint8_t marker = p[r->at + 1];
        if (p[r->at] != 0xFF) { /* inside a scan */
            const uint8_t *next = memchr(p + r->at, 0xFF, r->len - r->at);
            r->at = next ? (size_t)(next - p) : r->len;
        } else if (marker == 0xD9) {
            r->size = r->at + 2 - r->first;
        } else if (marker == 0xD8) { /* the one before was cut short */
            r->first = r->at;
            r->at += 2;
        } else if (marker == 0xFF) {
            r->at++;
        } else if (marker <= 1 || (marker >= 0xD0 && marker <= 0xD7)) {
            r->at += 2;
        } else if (r->at + 4 <= r->len) {
            r->at += 2 + ((size_t)p[r->at + 2] << 8 | p[r->at + 3]);
        } else {
            return;
        }
    }
}

/* ---- requests ---- */

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
    if (says(line, len, "content-type:", "multipart/")) r->streams = 1;
    if (says(line, len, "x-ustreamer-online:", "false")) r->offline = 1; /* what it shows then is a placeholder */
    return one * len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *user_data)
{
    request *r = user_data;
    size_t room = r->most - r->len;
    int over = len > room;
    if (over) len = room; /* a stream may have its picture in what there is room for */
    if (r->len + len > r->cap) {
        uint8_t *more = realloc(r->body, (r->len + len) * 2);
        if (!more) return 0; /* ends the transfer */
        r->body = more;
        r->cap = (r->len + len) * 2;
    }
    memcpy(r->body + r->len, bytes, len);
    r->len += len;
    if (r->streams) find_picture(r);
    return over || r->size ? 0 : one * len; /* one picture of a stream is enough */
}

static void discard(agent *a, kind which)
{
    request *r = &a->requests[which];
    if (!r->easy) return;
    curl_multi_remove_handle(a->multi, r->easy);
    curl_easy_cleanup(r->easy);
    free(r->body);
    memset(r, 0, sizeof *r);
}

static void send_request(agent *a, kind which, const char *url, int post)
{
    request *r = &a->requests[which];
    if (r->easy || !(r->easy = curl_easy_init())) return;
    long time = which == SNAPSHOT ? SNAPSHOT_TIME_MS : which == PAUSE ? PAUSE_TIME_MS : MOONRAKER_TIME_MS;
    r->most = which == SNAPSHOT ? MAX_IMAGE : MAX_ANSWER;
    r->started_ms = now_ms();
    r->started_unix_ms = now_unix_ms();
    curl_easy_setopt(r->easy, CURLOPT_URL, url);
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, (char *)r);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(r->easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a look-up that hangs */
#endif
    curl_easy_setopt(r->easy, CURLOPT_PROXY, ""); /* these are at home */
    curl_easy_setopt(r->easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, time);
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    if (post) curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, "");
    if (which != SNAPSHOT) curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, a->headers);
    curl_multi_add_handle(a->multi, r->easy);
}

static void ask_moonraker(agent *a, kind which, const char *path, int post)
{
    char url[MAX_PATH];
    size_t len = strlen(a->moonraker);
    while (len > 0 && a->moonraker[len - 1] == '/') len--;
    if (snprintf(url, sizeof url, "%.*s%s", (int)len, a->moonraker, path) < (int)sizeof url)
        send_request(a, which, url, post);
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
static int follow_redirect(agent *a, request *r)
{
    char *to = NULL;
    int64_t left = r->started_ms + SNAPSHOT_TIME_MS - now_ms();
    curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to || left <= 0 || r->hops >= MAX_HOPS) return 0;
    CURLU *old = curl_url(), *new = curl_url();
    int good = old && new && !curl_url_set(old, CURLUPART_URL, a->camera, CURLU_GUESS_SCHEME) &&
               !curl_url_set(new, CURLUPART_URL, to, 0) && part_is_same(old, new, CURLUPART_HOST) &&
               (part_is_same(old, new, CURLUPART_SCHEME) || strncasecmp(to, "https:", 6) == 0);
    curl_url_cleanup(old);
    curl_url_cleanup(new);
    if (!good) return 0;
    r->hops++;
    r->len = 0;
    r->streams = r->offline = 0;
    curl_multi_remove_handle(a->multi, r->easy);
    curl_easy_setopt(r->easy, CURLOPT_URL, to);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)left);
    curl_multi_add_handle(a->multi, r->easy);
    return 1;
}

/* ---- the state: what a killed agent goes on from ----
 *
 * Lines: the file that is printing; a time, for how long it was printing then, up to when it is to be paused; the library's
 * text. The second tells a print from another one of the same file, and keeps a pause that was not yet carried out. */

static void save(const agent *a)
{
    char text[8193], temporary[MAX_PATH];
    size_t len = 0;
    if (!a->state_file || oe_monitor_save(a->monitor, text, sizeof text, &len) != OE_OK) return;
    if (snprintf(temporary, sizeof temporary, "%s.new", a->state_file) >= MAX_PATH) return;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* it is a secret */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) return;
    int good = fprintf(file, "%s\n%" PRId64 " %" PRId64 " %" PRId64 "\n%s", a->file, a->polled_unix_ms, a->printing_ms,
                       a->pause_until, text) > 0 && fflush(file) == 0 && fsync(fd) == 0;
    good &= fclose(file) == 0;
    if (!good || rename(temporary, a->state_file) != 0) unlink(temporary);
}

/* The library's text, if it is of the print that goes on. */
static int load(agent *a, char *text, size_t cap)
{
    char name[sizeof a->file + 1], numbers[80];
    int64_t polled_at = 0, printing_ms = 0, pause_until = 0;
    FILE *file = a->state_file ? fopen(a->state_file, "rb") : NULL;
    if (!file) return 0;
    int good = fgets(name, sizeof name, file) && fgets(numbers, sizeof numbers, file) &&
               sscanf(numbers, "%" SCNd64 " %" SCNd64 " %" SCNd64, &polled_at, &printing_ms, &pause_until) == 3;
    size_t len = good ? fread(text, 1, cap - 1, file) : 0;
    text[len] = '\0';
    fclose(file);
    if (len == 0) return 0;
    name[strcspn(name, "\n")] = '\0';
    int64_t late = (a->printing_ms - printing_ms) - (a->polled_unix_ms - polled_at);
    if (strcmp(name, a->file) != 0 || a->printing_ms < printing_ms || late > SLACK_MS || late < -SLACK_MS) return 0;
    a->pause_until = pause_until;
    return 1;
}

/* ---- the print ---- */

static void begin_print(agent *a, const char *file)
{
    char text[8193];
    oe_status status = OE_ERR_ARGUMENT;
    snprintf(a->file, sizeof a->file, "%s", file);
    a->prints++;
    a->paused = 0;
    a->pause_until = 0;
    if (load(a, text, sizeof text)) status = oe_monitor_start_saved(a->client, text, a->prints, &a->monitor);
    const char *how = status == OE_OK ? "going on with" : "watching";
    if (status != OE_OK) status = oe_monitor_start(a->client, 0, 0, a->prints, &a->monitor);
    if (status == OE_OK) printf("%s %s\n", how, a->file);
    else printf("not watching %s: %s\n", a->file, oe_status_text(status));
    a->start_at = status == OE_OK ? 0 : now_ms() + START_AGAIN_MS;
}

/* Nothing of a print outlives it: no picture that is on its way, no pause that would hit the next one. */
static void leave_print(agent *a)
{
    oe_monitor_free(a->monitor);
    a->monitor = NULL;
    a->pause_until = 0;
    discard(a, SNAPSHOT);
    discard(a, PAUSE);
}

static void set_paused(agent *a, int paused)
{
    if (a->paused == paused) return;
    a->paused = paused;
    a->pause_until = 0;
    if (paused) oe_monitor_pause(a->monitor);
    else oe_monitor_resume(a->monitor);
    puts(paused ? "paused" : "resumed");
    a->unsaved = 1;
}

/* Tells the printer to pause, for as long as that has not come about: the library does not say it again in this episode. One
 * request at a time, as Klipper carries out each that arrives, even if nobody waits for the answer any more. */
static void pause_print(agent *a)
{
    if (!a->monitor || !a->pause_until || a->paused || a->requests[PAUSE].easy) return;
    if (now_unix_ms() < a->pause_until) {
        ask_moonraker(a, PAUSE, "/printer/print/pause", 1);
    } else {
        puts("the print was not paused: giving up");
        a->pause_until = 0;
        a->unsaved = 1;
    }
}

/* What the printer does, after each poll. */
static void follow(agent *a, const char *state, const char *name, int64_t printing_ms)
{
    char file[sizeof a->file];
    int prints = !strcmp(state, "printing") || !strcmp(state, "paused");
    snprintf(file, sizeof file, "%s", name);
    for (char *c = file; *c; c++)
        if ((unsigned char)*c < ' ') *c = '?';
    /* The time is that of another print when the same file was started again and its end not seen. */
    int another = strcmp(file, a->file) != 0 || printing_ms + 1000 < a->printing_ms;
    if (a->monitor && (!prints || another)) {
        printf("%s: %s\n", a->file, prints ? "replaced" : state);
        leave_print(a);
    }
    if (!prints && a->state_file) unlink(a->state_file); /* also one from before this program started */
    if (!prints || another) a->start_at = 0;
    a->printing_ms = printing_ms;
    a->polled_unix_ms = now_unix_ms();
    if (prints && !a->monitor && now_ms() >= a->start_at) begin_print(a, file);
    if (prints && a->monitor) set_paused(a, !strcmp(state, "paused"));
    pause_print(a);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

static void on_status(agent *a, const request *r, CURLcode code)
{
    cJSON *answer = code == CURLE_OK ? cJSON_ParseWithLength((const char *)r->body, r->len) : NULL;
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(answer, "result");
    stats = cJSON_GetObjectItemCaseSensitive(stats, "status");
    stats = cJSON_GetObjectItemCaseSensitive(stats, "print_stats");
    const cJSON *sec = cJSON_GetObjectItemCaseSensitive(stats, "total_duration");
    int reachable = text_of(stats, "state")[0] != '\0';
    if (reachable == a->unreachable) puts(reachable ? "Moonraker is back" : "Moonraker does not answer");
    a->unreachable = !reachable; /* the print may well go on: so does the watch */
    double known = cJSON_IsNumber(sec) && sec->valuedouble > 0 && sec->valuedouble < 1e9 ? sec->valuedouble : 0;
    if (reachable) follow(a, text_of(stats, "state"), text_of(stats, "filename"), (int64_t)(known * 1000));
    cJSON_Delete(answer);
}

static void on_snapshot(agent *a, const request *r, CURLcode code)
{
    int whole = r->streams ? r->size > 0 : code == CURLE_OK && r->len > 0;
    const char *trouble = code == CURLE_OK ? "no picture in the answer" : curl_easy_strerror(code);
    if (code == CURLE_WRITE_ERROR) trouble = "the answer is too large";
    if (r->offline) {
        trouble = "it is not connected";
    } else if (whole) {
        oe_status status = oe_monitor_submit(a->monitor, r->streams ? r->body + r->first : r->body,
                                             r->streams ? r->size : r->len, r->started_unix_ms);
        trouble = status == OE_OK ? NULL : oe_status_text(status);
    }
    if (trouble && !a->camera_fails) printf("camera: %s\n", trouble);
    if (!trouble && a->camera_fails) puts("camera: pictures again");
    a->camera_fails = trouble != NULL; /* the library asks again, and tells when it has waited for long */
}

static void on_paused(agent *a, CURLcode code)
{
    if (code == CURLE_OK) {
        puts("the printer was told to pause");
        a->pause_until = 0;
        a->unsaved = 1;
    } else if (a->pause_until) {
        printf("pausing failed: %s\n", curl_easy_strerror(code)); /* again when a poll says that it still prints */
    }
}

static void read_answers(agent *a)
{
    int left = 0;
    for (CURLMsg *done; (done = curl_multi_info_read(a->multi, &left)) != NULL;) {
        request *r = NULL;
        long http = 0;
        CURLcode code = done->data.result;
        curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &http);
        kind which = (kind)(r - a->requests);
        if (which == SNAPSHOT && code == CURLE_OK && follow_redirect(a, r)) continue;
        if (code == CURLE_OK && http / 100 != 2) code = CURLE_HTTP_RETURNED_ERROR;
        /* Taken out first: what follows from an answer may end other requests, and begin one of this kind. */
        request answer = *r;
        memset(r, 0, sizeof *r);
        curl_multi_remove_handle(a->multi, answer.easy);
        curl_easy_cleanup(answer.easy);
        if (which == STATUS) on_status(a, &answer, code);
        else if (which == SNAPSHOT) on_snapshot(a, &answer, code);
        else if (which == PAUSE) on_paused(a, code);
        free(answer.body);
    }
}

/* ---- events ---- */

/* Starts a command and does not wait for it: the loop goes on. */
static void run(const char *command)
{
    extern char **environ;
    pid_t child;
    posix_spawnattr_t attributes;
    sigset_t ignored;
    char *const argv[] = { "sh", "-c", (char *)command, NULL };
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawn(&child, "/bin/sh", NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (failed) printf("the warning command does not start: %s\n", strerror(failed));
}

static void on_event(agent *a, const oe_event *event, const oe_result *result, const oe_error *error)
{
    int acts = !a->dry_run && event->age_ms <= TOO_OLD_MS;
    if (!a->monitor || event->tag != a->prints) return;
    switch (event->kind) {
    case OE_EVENT_FRAME_WANTED:
        send_request(a, SNAPSHOT, a->camera, 0);
        break;
    case OE_EVENT_RESULT:
        printf("quality %" PRId32 " (%s), next in %" PRIu32 " s\n", result->print_quality,
               oe_quality_text(result->print_quality), (result->next_due_ms + 999) / 1000);
        a->unsaved = 1;
        break;
    case OE_EVENT_WARNING:
        puts("warning: the print may be failing");
        if (acts && a->on_warning) run(a->on_warning);
        else if (acts) ask_moonraker(a, MESSAGE, "/printer/gcode/script?script=M117%20Print%20may%20be%20failing", 1);
        break;
    case OE_EVENT_PAUSE:
        puts(a->dry_run ? "pause (not done: --dry-run)" : acts ? "pause: the print is failing" : "pause (not done: too late)");
        if (acts) a->pause_until = now_unix_ms() + PAUSE_TIME_MS;
        a->unsaved = 1;
        break;
    case OE_EVENT_ERROR:
        printf("error: %s\n", error->text);
        a->unsaved = 1;
        break;
    case OE_EVENT_RECOVERED: puts("recovered"); break;
    case OE_EVENT_CAMERA_STALLED: puts("the camera has stalled"); break;
    case OE_EVENT_CAMERA_BACK: puts("the camera is back"); break;
    case OE_EVENT_CONTEXT_RENEWED: puts("context renewed"); break;
    case OE_EVENT_LATCHED: /* the owner has to act, and then to restart this program */
        printf("stopped: %s\n", error->text);
        break;
    case OE_EVENT_STOPPED:
        printf("given up: %s\n", error->text);
        leave_print(a);
        a->start_at = now_ms() + START_AGAIN_MS;
        break;
    default: break; /* of a later release */
    }
}

static void read_events(agent *a)
{
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    while (oe_client_next_event(a->client, 0, &event, &result, &error) == OE_OK) on_event(a, &event, &result, &error);
}

/* ---- the loop ---- */

static void loop(agent *a)
{
    int running = 0;
    struct curl_waitfd fds[] = { { .fd = wake[0], .events = CURL_WAIT_POLLIN },
                                 { .fd = (curl_socket_t)oe_client_event_fd(a->client), .events = CURL_WAIT_POLLIN } };
    while (!stopping) {
        if (now_ms() >= a->poll_at) {
            ask_moonraker(a, STATUS, "/printer/objects/query?print_stats", 0);
            a->poll_at = now_ms() + a->poll_ms;
        }
        curl_multi_perform(a->multi, &running);
        read_answers(a);
        int64_t before = a->pause_until;
        read_events(a);
        /* A pause is on disk before it is carried out: killed in between, the agent does it when it is back. */
        if (a->unsaved && a->monitor) save(a);
        a->unsaved = 0;
        if (a->pause_until && !before) pause_print(a); /* later tries come with the polls */
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        fflush(stdout);
        int64_t wait = a->poll_at - now_ms();
        curl_multi_poll(a->multi, fds, 2, wait < 0 ? 0 : (int)wait, NULL);
    }
}

/* ---- setting up ---- */

static int usage(FILE *to)
{
    fputs("usage: moonraker --camera URL [options]\n"
          "  --camera URL         a snapshot (image/jpeg) or an MJPEG stream\n"
          "  --moonraker URL      default http://127.0.0.1:7125\n"
          ENGINE_USAGE
          "  --interval SEC       look every SEC seconds, where the service allows it\n"
          "  --state FILE         go on from there after a restart\n"
          "  --on-warning CMD     run once when a warning rises, instead of a message on the printer's display\n"
          "  --poll-ms MS         how often Moonraker is asked (default 2000)\n"
          "  --dry-run            tell, but neither pause nor warn\n"
          "Moonraker's API key, if it has one, is read from the environment variable MOONRAKER_API_KEY.\n", to);
    return to == stdout ? 0 : 2;
}

static int parse(int argc, char **argv, agent *a)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--help")) return usage(stdout), -1;
        if (!strcmp(name, "--dry-run")) a->dry_run = 1;
        else if (!value) return usage(stderr);
        else {
            i++;
            if (!strcmp(name, "--camera")) a->camera = value;
            else if (!strcmp(name, "--moonraker")) a->moonraker = value;
            else if (!strcmp(name, "--engine")) a->engine = value;
            else if (!strcmp(name, "--endpoint")) a->endpoint = value;
            else if (!strcmp(name, "--interval")) a->interval_sec = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--state")) a->state_file = value;
            else if (!strcmp(name, "--on-warning")) a->on_warning = value;
            else if (!strcmp(name, "--poll-ms")) a->poll_ms = strtol(value, NULL, 10);
            else return usage(stderr);
        }
    }
    const char *problem = engine_problem(a->engine, a->endpoint, &a->backend);
    if (problem) return fprintf(stderr, "moonraker: %s\n", problem), 2;
    return a->camera && a->poll_ms > 0 && a->poll_ms <= 60000 ? 0 : usage(stderr);
}

static oe_status connect_client(agent *a)
{
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_user_agent(options, "moonraker-example");
    if (status == OE_OK) status = oe_options_set_backend(options, a->backend);
    if (status == OE_OK) status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK) status = oe_options_set_endpoint(options, a->endpoint);
    if (status == OE_OK) status = oe_options_set_allow_http(options, a->endpoint != NULL);
    if (status == OE_OK) status = oe_options_set_interval_sec(options, a->interval_sec);
    if (status == OE_OK) status = oe_client_new(options, &a->client);
    oe_options_free(options);
    return status;
}

/* Before there is any other thread. */
static int prepare(agent *a)
{
    const char *key = getenv("MOONRAKER_API_KEY");
    char header[1024];
    struct sigaction action = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
    if (pipe(wake) != 0) return -1;
    for (int n = 0; n < 2; n++) {
        fcntl(wake[n], F_SETFD, FD_CLOEXEC);
        fcntl(wake[n], F_SETFL, O_NONBLOCK);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return -1;
    if (key && snprintf(header, sizeof header, "X-Api-Key: %s", key) < (int)sizeof header)
        a->headers = curl_slist_append(NULL, header);
    a->multi = curl_multi_init();
    return a->multi ? 0 : -1;
}

int main(int argc, char **argv)
{
    agent a = { .moonraker = "http://127.0.0.1:7125", .poll_ms = 2000 };
    int wrong = parse(argc, argv, &a);
    if (wrong) return wrong < 0 ? 0 : wrong;
    oe_status status = prepare(&a) == 0 ? connect_client(&a) : OE_ERR_RESOURCES;
    /* Commands that are run have no use for these. */
    unsetenv("OE_API_KEY");
    unsetenv("MOONRAKER_API_KEY");
    if (status == OE_OK && oe_client_event_fd(a.client) < 0) status = OE_ERR_RESOURCES;
    if (status == OE_OK) loop(&a);
    else printf("set-up: %s\n", oe_status_text(status));
    leave_print(&a); /* it goes on: its state stays */
    discard(&a, STATUS);
    discard(&a, MESSAGE);
    oe_client_free(a.client);
    curl_slist_free_all(a.headers);
    curl_multi_cleanup(a.multi);
    curl_global_cleanup();
    return status == OE_OK ? 0 : 1;
}
