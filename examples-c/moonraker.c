/* moonraker: a small agent for Klipper hosts.
 *
 * Follows the print through Moonraker's HTTP API, takes pictures from a webcam's snapshot or MJPEG address when the library
 * wants one, and pauses a print that fails. Killed and started again with the same --state file, it goes on with the same
 * print. One loop, one thread of this program; libcurl does the HTTP of camera and Moonraker, so that the library need not.
 *
 *     moonraker --moonraker http://127.0.0.1:7125 --camera 'http://127.0.0.1/webcam/?action=snapshot' --state /var/lib/oe
 *
 * POSIX, libcurl (from 7.66 on), cJSON. Build: see the Makefile beside this file.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include <oe_process.h>

enum {
    MAX_IMAGE = 6291456,            /* bytes; the library takes no larger ones */
    MAX_BODY = MAX_IMAGE + 65536,   /* with room for what comes before a picture in a stream */
    MAX_PATH = 4096,
    CAMERA_TIMEOUT_MS = 10000,      /* some cameras need seconds for a key frame */
    MOONRAKER_TIMEOUT_MS = 5000,
    PAUSE_TRIES = 5,
    PAUSE_AGAIN_MS = 3000,
    TOO_OLD_MS = 30000              /* an event that old is not acted on */
};

typedef enum kind { STATUS, SNAPSHOT, PAUSE, MESSAGE, KINDS } kind;

/* One request of each kind at a time. */
typedef struct request {
    CURL *easy; /* NULL: none in flight */
    struct curl_slist *headers;
    uint8_t *body;
    size_t len, cap;
    int streams;        /* the answer is an endless multipart stream */
    size_t first, size; /* the picture found in it; size 0: none yet */
    int64_t started_unix_ms;
} request;

typedef struct agent {
    const char *moonraker, *moonraker_key, *camera, *endpoint, *state_file;
    uint32_t interval_sec;
    int64_t poll_ms;
    int dry_run;

    oe_client *client;
    oe_monitor *monitor; /* NULL: nothing is printing */
    int paused;          /* as the printer says */
    char file[1024];     /* what is printing */
    double printed_sec;  /* for how long */
    uint64_t prints;     /* the tag of the last one */

    CURLM *multi;
    request requests[KINDS];
    int64_t poll_at, pause_at;
    int pause_tries;   /* left; 0: no pause to be made */
    int unreachable;   /* Moonraker; said once */
    int camera_fails;  /* likewise */
} agent;

static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
    (void)signal;
    stopping = 1;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

/* ---- pictures ---- */

/* The length of the JPEG that begins at p: its segments, then its scans, up to the end marker. 0: not all of it is here yet.
 * Walking it finds the end also where the stream gives no length, and whatever the picture contains. */
static size_t jpeg_length(const uint8_t *p, size_t len)
{
    size_t at = 2;
    while (at + 4 <= len) {
        if (p[at] != 0xFF) { /* inside a scan */
            const uint8_t *next = memchr(p + at, 0xFF, len - at);
            if (!next) return 0;
            at = (size_t)(next - p);
            continue;
        }
        uint8_t marker = p[at + 1];
        if (marker == 0xD9) return at + 2;
        if (marker == 0xFF) at++; /* fill bytes */
        else if (marker == 0 || marker == 1 || (marker >= 0xD0 && marker <= 0xD8)) at += 2;
        else at += 2 + ((size_t)p[at + 2] << 8 | p[at + 3]);
    }
    return at + 2 <= len && p[at] == 0xFF && p[at + 1] == 0xD9 ? at + 2 : 0;
}

/* Looks for the first whole picture of a stream. */
static void find_picture(request *r)
{
    static const uint8_t start[] = { 0xFF, 0xD8, 0xFF };
    while (r->first + sizeof start <= r->len && memcmp(r->body + r->first, start, sizeof start) != 0) r->first++;
    if (r->first + sizeof start <= r->len) r->size = jpeg_length(r->body + r->first, r->len - r->first);
}

/* ---- requests ---- */

static size_t on_header(char *line, size_t one, size_t len, void *user_data)
{
    static const char name[] = "content-type:";
    request *r = user_data;
    if (len > sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
        const char *value = line + sizeof name - 1;
        while (*value == ' ') value++;
        r->streams = strncasecmp(value, "multipart/", 10) == 0;
    }
    return one * len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *user_data)
{
    request *r = user_data;
    if (r->len + len > MAX_BODY) return 0; /* ends the transfer */
    if (r->len + len > r->cap) {
        size_t cap = (r->len + len) * 2;
        uint8_t *more = realloc(r->body, cap);
        if (!more) return 0;
        r->body = more;
        r->cap = cap;
    }
    memcpy(r->body + r->len, bytes, len);
    r->len += len;
    if (r->streams) find_picture(r);
    return r->size ? 0 : one * len; /* one picture of a stream is enough */
}

static void discard(agent *a, request *r)
{
    if (!r->easy) return;
    curl_multi_remove_handle(a->multi, r->easy);
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    free(r->body);
    memset(r, 0, sizeof *r);
}

static void send_request(agent *a, kind which, const char *url, int post)
{
    request *r = &a->requests[which];
    if (r->easy || !(r->easy = curl_easy_init())) return;
    long timeout = which == SNAPSHOT ? CAMERA_TIMEOUT_MS : MOONRAKER_TIMEOUT_MS;
    r->started_unix_ms = clock_ms(CLOCK_REALTIME);
    curl_easy_setopt(r->easy, CURLOPT_URL, url);
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, (char *)r);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    if (post) curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, "");
    if (which != SNAPSHOT && a->moonraker_key) {
        char header[256];
        snprintf(header, sizeof header, "X-Api-Key: %s", a->moonraker_key);
        r->headers = curl_slist_append(NULL, header);
        curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    }
    curl_multi_add_handle(a->multi, r->easy);
}

static void ask_moonraker(agent *a, kind which, const char *path, int post)
{
    char url[MAX_PATH];
    if (snprintf(url, sizeof url, "%s%s", a->moonraker, path) < (int)sizeof url) send_request(a, which, url, post);
}

/* ---- the state: what a killed agent goes on from. Its first line is the file that was printing. ---- */

static void save(const agent *a)
{
    char text[8193], temporary[MAX_PATH];
    size_t len = 0;
    if (!a->state_file || oe_monitor_save(a->monitor, text, sizeof text, &len) != OE_OK) return;
    if (snprintf(temporary, sizeof temporary, "%s.new", a->state_file) >= MAX_PATH) return;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* it is a secret */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) return;
    int good = fprintf(file, "%s\n%s", a->file, text) > 0 && fflush(file) == 0 && fsync(fd) == 0;
    good &= fclose(file) == 0;
    if (!good || rename(temporary, a->state_file) != 0) unlink(temporary);
}

/* The saved text, if it is of the file that is printing. */
static int load(const agent *a, char *text, size_t cap)
{
    char file_name[sizeof a->file + 2];
    FILE *file = a->state_file ? fopen(a->state_file, "rb") : NULL;
    if (!file) return 0;
    int same = fgets(file_name, sizeof file_name, file) != NULL;
    if (same) file_name[strcspn(file_name, "\n")] = '\0';
    same = same && strcmp(file_name, a->file) == 0;
    size_t len = same ? fread(text, 1, cap - 1, file) : 0;
    text[len] = '\0';
    fclose(file);
    return len > 0;
}

/* ---- the print ---- */

static void begin_print(agent *a, const char *file)
{
    char text[8193];
    oe_status status = OE_ERR_ARGUMENT;
    snprintf(a->file, sizeof a->file, "%s", file);
    a->file[strcspn(a->file, "\r\n")] = '\0';
    a->prints++;
    a->paused = a->pause_tries = 0;
    if (load(a, text, sizeof text)) status = oe_monitor_start_saved(a->client, text, a->prints, &a->monitor);
    const char *how = status == OE_OK ? "going on with" : "watching";
    if (status != OE_OK) status = oe_monitor_start(a->client, 0, 0, a->prints, &a->monitor);
    if (status == OE_OK) printf("%s %s\n", how, a->file);
    else printf("not watching %s: %s\n", a->file, oe_status_text(status));
}

static void end_print(agent *a, const char *state)
{
    printf("%s: %s\n", a->file, state);
    oe_monitor_free(a->monitor); /* nothing of it is told from here on */
    a->monitor = NULL;
    a->pause_tries = 0;
    if (a->state_file) unlink(a->state_file);
}

static void set_paused(agent *a, int paused)
{
    if (a->paused == paused) return;
    a->paused = paused;
    a->pause_tries = 0;
    if (paused) oe_monitor_pause(a->monitor);
    else oe_monitor_resume(a->monitor);
    puts(paused ? "paused" : "resumed");
}

/* What the printer does, after each poll. */
static void follow(agent *a, const char *state, const char *file, double printed_sec)
{
    int prints = !strcmp(state, "printing") || !strcmp(state, "paused");
    /* The same file again, without that the end of the first was seen: the time starts over. */
    int another = a->monitor && (strcmp(file, a->file) != 0 || printed_sec + 1 < a->printed_sec);
    if (a->monitor && (!prints || another)) end_print(a, prints ? "replaced" : state);
    if (prints && !a->monitor) begin_print(a, file);
    if (prints && a->monitor) set_paused(a, !strcmp(state, "paused"));
    a->printed_sec = printed_sec;
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
    const cJSON *printed = cJSON_GetObjectItemCaseSensitive(stats, "print_duration");
    int reachable = text_of(stats, "state")[0] != '\0';
    if (reachable != !a->unreachable) puts(reachable ? "Moonraker is back" : "Moonraker does not answer");
    a->unreachable = !reachable; /* the print may well go on: so does the watch */
    if (reachable)
        follow(a, text_of(stats, "state"), text_of(stats, "filename"), cJSON_IsNumber(printed) ? printed->valuedouble : 0);
    cJSON_Delete(answer);
}

static void on_snapshot(agent *a, const request *r, CURLcode code)
{
    const uint8_t *jpeg = r->streams ? r->body + r->first : r->body;
    size_t len = r->streams ? r->size : r->len;
    oe_status status = OE_ERR_NOT_JPEG;
    if (a->monitor && len > 0 && (code == CURLE_OK || r->size))
        status = oe_monitor_submit(a->monitor, jpeg, len, r->started_unix_ms);
    int fails = status != OE_OK;
    if (fails && !a->camera_fails)
        printf("camera: %s\n", code == CURLE_OK || r->size ? oe_status_text(status) : curl_easy_strerror(code));
    if (!fails && a->camera_fails) puts("camera: pictures again");
    a->camera_fails = fails; /* the library asks again, and tells when it has waited for long */
}

static void on_paused(agent *a, CURLcode code)
{
    if (a->pause_tries == 0) return;
    if (code == CURLE_OK) {
        a->pause_tries = 0;
        puts("the printer was told to pause");
    } else {
        /* The library will not say it again in this episode: trying again is up to the host. */
        printf("pausing failed: %s\n", curl_easy_strerror(code));
        a->pause_tries--;
        a->pause_at = now_ms() + PAUSE_AGAIN_MS;
    }
}

static void read_answers(agent *a)
{
    int left = 0;
    for (CURLMsg *done; (done = curl_multi_info_read(a->multi, &left)) != NULL;) {
        request *r = NULL;
        CURLcode code = done->data.result;
        curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        switch ((kind)(r - a->requests)) {
        case STATUS: on_status(a, r, code); break;
        case SNAPSHOT: on_snapshot(a, r, code); break;
        case PAUSE: on_paused(a, code); break;
        default: break;
        }
        discard(a, r);
    }
}

/* ---- events ---- */

static void on_event(agent *a, const oe_event *event, const oe_result *result, const oe_error *error)
{
    if (!a->monitor || event->tag != a->prints) return;
    switch (event->kind) {
    case OE_EVENT_FRAME_WANTED:
        send_request(a, SNAPSHOT, a->camera, 0);
        break;
    case OE_EVENT_RESULT:
        printf("quality %" PRId32 " (%s), next in %" PRIu32 " s\n", result->print_quality,
               oe_quality_text(result->print_quality), (result->next_due_ms + 999) / 1000);
        save(a);
        break;
    case OE_EVENT_WARNING:
        puts("warning: the print may be failing");
        if (!a->dry_run) ask_moonraker(a, MESSAGE, "/printer/gcode/script?script=M117%20Print%20may%20be%20failing", 1);
        break;
    case OE_EVENT_PAUSE:
        puts(a->dry_run ? "pause (not done: --dry-run)" : "pause: the print is failing");
        if (!a->dry_run && event->age_ms <= TOO_OLD_MS) a->pause_tries = PAUSE_TRIES;
        a->pause_at = now_ms();
        save(a);
        break;
    case OE_EVENT_ERROR:
        printf("error: %s\n", error->text);
        save(a);
        break;
    case OE_EVENT_RECOVERED: puts("recovered"); break;
    case OE_EVENT_CAMERA_STALLED: puts("the camera has stalled"); break;
    case OE_EVENT_CAMERA_BACK: puts("the camera is back"); break;
    case OE_EVENT_CONTEXT_RENEWED: puts("context renewed"); break;
    case OE_EVENT_LATCHED: printf("stopped: %s\n", error->text); break; /* mend the account, then restart */
    default: break;
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
    struct curl_waitfd events = { .fd = (curl_socket_t)oe_client_event_fd(a->client), .events = CURL_WAIT_POLLIN };
    while (!stopping) {
        if (now_ms() >= a->poll_at) {
            ask_moonraker(a, STATUS, "/printer/objects/query?print_stats", 0);
            a->poll_at = now_ms() + a->poll_ms;
        }
        if (a->pause_tries > 0 && now_ms() >= a->pause_at) ask_moonraker(a, PAUSE, "/printer/print/pause", 1);
        curl_multi_perform(a->multi, &running);
        read_answers(a);
        read_events(a);
        fflush(stdout);
        int64_t wait = a->poll_at - now_ms();
        curl_multi_poll(a->multi, &events, 1, wait < 0 ? 0 : wait > 500 ? 500 : (int)wait, NULL);
    }
}

/* ---- setting up ---- */

static int usage(void)
{
    fputs("usage: moonraker --camera URL [options]\n"
          "  --camera URL         a snapshot (image/jpeg) or an MJPEG stream\n"
          "  --moonraker URL      default http://127.0.0.1:7125; its key, if any, in MOONRAKER_API_KEY\n"
          "  --endpoint URL       a self-hosted service (http is allowed then)\n"
          "  --interval SEC       call every SEC seconds, where the service allows it\n"
          "  --state FILE         go on from there after a restart\n"
          "  --poll-ms MS         how often Moonraker is asked (default 2000)\n"
          "  --dry-run            tell, but neither pause nor show messages\n"
          "The API key is read from the environment variable OE_API_KEY.\n", stderr);
    return 2;
}

static int parse(int argc, char **argv, agent *a)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--dry-run")) a->dry_run = 1;
        else if (!value) return usage();
        else {
            i++;
            if (!strcmp(name, "--camera")) a->camera = value;
            else if (!strcmp(name, "--moonraker")) a->moonraker = value;
            else if (!strcmp(name, "--endpoint")) a->endpoint = value;
            else if (!strcmp(name, "--interval")) a->interval_sec = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--state")) a->state_file = value;
            else if (!strcmp(name, "--poll-ms")) a->poll_ms = strtol(value, NULL, 10);
            else return usage();
        }
    }
    return a->camera && a->poll_ms > 0 ? 0 : usage();
}

static oe_status connect_client(agent *a)
{
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_user_agent(options, "moonraker-example");
    if (status == OE_OK) status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK) status = oe_options_set_endpoint(options, a->endpoint);
    if (status == OE_OK) status = oe_options_set_allow_http(options, a->endpoint != NULL);
    if (status == OE_OK) status = oe_options_set_interval_sec(options, a->interval_sec);
    if (status == OE_OK) status = oe_client_new(options, &a->client);
    oe_options_free(options);
    return status;
}

int main(int argc, char **argv)
{
    agent a = { .moonraker = "http://127.0.0.1:7125", .moonraker_key = getenv("MOONRAKER_API_KEY"), .poll_ms = 2000 };
    struct sigaction action = { .sa_handler = on_signal };
    int code = parse(argc, argv, &a);
    if (code) return code;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    a.multi = curl_multi_init();
    oe_status status = a.multi ? connect_client(&a) : OE_ERR_RESOURCES;
    if (status == OE_OK) loop(&a);
    else printf("set-up: %s\n", oe_status_text(status));
    for (int n = 0; n < KINDS; n++) discard(&a, &a.requests[n]);
    oe_monitor_free(a.monitor); /* the print goes on: its state stays */
    oe_client_free(a.client);
    curl_multi_cleanup(a.multi);
    curl_global_cleanup();
    return status == OE_OK ? 0 : 1;
}
