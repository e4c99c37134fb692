/* Monitors from C, against a service at argv[1] with the image argv[2]: each function from each state, events, the
 * log function, forks, and ends in every order. */
#include "check.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *endpoint;
static int valgrind; /* which takes signals on every thread, and calls what a fork leaves behind lost */
static uint8_t jpeg[1 << 20];
static size_t jpeg_len;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void nap(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

static oe_client *new_client(const char *url, oe_log_fn log, void *data, void (*free_data)(void *))
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_api_key(o, "SECRETKEY"), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_interval_sec(o, 5), OE_OK);
    if (log) IS(oe_options_set_log(o, OE_LOG_TRACE, log, data, free_data), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    return client;
}

static oe_monitor *start(oe_client *client, uint64_t tag)
{
    oe_monitor *monitor = NULL;
    IS(oe_monitor_start(client, 0, 0, tag, &monitor), OE_OK);
    CHECK(monitor != NULL);
    return monitor;
}

/* Waits for an event of this kind, at most 10 s. */
static int wait_for(oe_client *client, int32_t kind, oe_event *event, oe_result *result)
{
    for (int64_t until = now_ms() + 10000; now_ms() < until;)
        if (oe_client_next_event(client, 200, event, result, NULL) == OE_OK && event->kind == kind) return 1;
    return 0;
}

/* How many threads of this process are the library's; each must be named well and take no signal. */
static int library_threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        char path[300], line[300], name[64] = "";
        unsigned long long blocked = 0;
        if (task->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file)) {
            sscanf(line, "Name: %63s", name);
            sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (file) fclose(file);
        if (strncmp(name, "oe-", 3) != 0) continue;
        /* All but SIGKILL, SIGSTOP and the two of the C library. */
        CHECK(valgrind || (blocked | 0x180040100ULL) == ~0ULL);
        count++;
    }
    if (tasks) closedir(tasks);
    return count;
}

static int no_library_thread_soon(void)
{
    for (int64_t until = now_ms() + 2000; now_ms() < until; nap(5))
        if (library_threads() == 0) return 1;
    return 0;
}

/* ---- each function from each state ---- */

enum { STOP, PAUSE, RESUME, MUTE, INTERVAL, SUBMIT, INFO, SAVE, FUNCTIONS };
static const char *const names[FUNCTIONS] = { "stop", "pause", "resume", "mute", "interval", "submit", "info", "save" };

static oe_status call(int function, oe_monitor *m)
{
    char text[8192];
    size_t needed;
    oe_info info = OE_INFO_INIT;
    switch (function) {
    case STOP: return oe_monitor_stop(m);
    case PAUSE: return oe_monitor_pause(m);
    case RESUME: return oe_monitor_resume(m);
    case MUTE: return oe_monitor_mute(m, 1);
    case INTERVAL: return oe_monitor_set_interval_sec(m, 5);
    case SUBMIT: return oe_monitor_submit(m, jpeg, jpeg_len, 0);
    case INFO: return oe_monitor_info(m, &info);
    default: return oe_monitor_save(m, text, sizeof text, &needed);
    }
}

/* Every function but stop, which ends the state; then stop. */
static void calls(const char *state, oe_monitor *m, oe_status others, oe_status stop)
{
    for (int n = 1; n <= FUNCTIONS; n++) {
        int function = n % FUNCTIONS;
        oe_status wanted = function == STOP ? stop : others, got = call(function, m);
        if (got == wanted) continue;
        failures++;
        printf("%s: oe_monitor_%s is %s\n", state, names[function], oe_status_name(got));
    }
}

static oe_monitor *theirs;
static oe_status their_others, their_stop;

static void *from_another_thread(void *state)
{
    calls(state, theirs, their_others, their_stop);
    return NULL;
}

static void on_thread(const char *state, oe_monitor *m, oe_status others, oe_status stop)
{
    pthread_t thread;
    theirs = m;
    their_others = others;
    their_stop = stop;
    CHECK(pthread_create(&thread, NULL, from_another_thread, (void *)state) == 0);
    pthread_join(thread, NULL);
}

static void in_child(oe_client *client, oe_monitor *m)
{
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        oe_event event = OE_EVENT_INIT;
        oe_monitor *out = m;
        calls("forked", m, OE_ERR_FORKED, OE_ERR_FORKED);
        IS(oe_monitor_start(client, 0, 0, 1, &out), OE_ERR_FORKED);
        CHECK(out == NULL);
        IS(oe_monitor_start_saved(client, "", 1, &out), OE_ERR_FORKED);
        IS(oe_client_next_event(client, 0, &event, NULL, NULL), OE_ERR_FORKED);
        CHECK(oe_client_event_fd(client) == -1);
        oe_monitor_free(m);
        oe_client_free(client);
        fflush(stdout);
        _exit(failures != 0);
    }
    int code = 1;
    CHECK(waitpid(child, &code, 0) == child && (code == 0 || (valgrind && WEXITSTATUS(code) == 99)));
}

static void states(void)
{
    oe_client *client = new_client(endpoint, NULL, NULL, NULL);
    int something = 0;
    calls("NULL", NULL, OE_ERR_HANDLE, OE_ERR_HANDLE);
    calls("foreign", (oe_monitor *)&something, OE_ERR_HANDLE, OE_ERR_HANDLE);
    calls("a client", (oe_monitor *)client, OE_ERR_HANDLE, OE_ERR_HANDLE);
    oe_monitor *m = start(client, 1);
    calls("running", m, OE_OK, OE_OK);
    calls("stopped", m, OE_ERR_CLOSED, OE_OK);
    on_thread("stopped, another thread", m, OE_ERR_CLOSED, OE_OK);
    oe_monitor_free(m);
    oe_monitor_free(m);
    oe_monitor_free(NULL);
    calls("freed", m, OE_ERR_HANDLE, OE_ERR_HANDLE);
    on_thread("freed, another thread", m, OE_ERR_HANDLE, OE_ERR_HANDLE);
    m = start(client, 2);
    IS(oe_monitor_pause(m), OE_OK);
    calls("paused", m, OE_OK, OE_OK);
    oe_monitor_free(m);
    m = start(client, 3);
    on_thread("running, another thread", m, OE_OK, OE_OK);
    oe_monitor_free(m);
    m = start(client, 4);
    in_child(client, m);
    calls("running, after a fork", m, OE_OK, OE_OK);
    oe_monitor_free(m);
    m = start(client, 5);
    oe_client_free(client);
    calls("its client freed", m, OE_ERR_CLOSED, OE_OK);
    oe_monitor_free(m);
    IS(oe_monitor_start(client, 0, 0, 1, &m), OE_ERR_HANDLE);
    CHECK(m == NULL);
    CHECK(oe_client_event_fd(client) == -1);
    CHECK(no_library_thread_soon());
}

/* ---- arguments ---- */

static void arguments(void)
{
    oe_client *client = new_client(endpoint, NULL, NULL, NULL);
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_monitor *m = (oe_monitor *)&event;
    IS(oe_monitor_start(client, 6, 0, 1, &m), OE_ERR_ARGUMENT);
    CHECK(m == NULL);
    IS(oe_monitor_start(client, 0, -1, 1, &m), OE_ERR_ARGUMENT);
    IS(oe_monitor_start(client, 0, 0, 1, NULL), OE_ERR_ARGUMENT);
    IS(oe_monitor_start_saved(client, NULL, 1, &m), OE_ERR_ARGUMENT);
    IS(oe_monitor_start_saved(client, "oe-monitor-9 {}", 1, &m), OE_ERR_ARGUMENT);
    IS(oe_monitor_start_saved(client, "\xff", 1, &m), OE_ERR_ARGUMENT);
    IS(oe_client_next_event(client, 0, NULL, &result, &error), OE_ERR_ARGUMENT);
    IS(oe_client_next_event(NULL, 0, &event, &result, &error), OE_ERR_HANDLE);
    event.struct_size = 7;
    IS(oe_client_next_event(client, 0, &event, &result, &error), OE_ERR_ABI);
    oe_event_init(&event, sizeof event);
    CHECK(event.struct_size == 24 && sizeof event == 24);
    result.struct_size = 5000;
    IS(oe_client_next_event(client, 0, &event, &result, &error), OE_ERR_ABI);
    oe_result_init(&result, sizeof result);
    error.struct_size = 0;
    IS(oe_client_next_event(client, 0, &event, &result, &error), OE_ERR_ABI);
    oe_error_init(&error, sizeof error);
    IS(oe_client_next_event(client, 0, &event, &result, &error), OE_NO_EVENT);
    int64_t begun = now_ms();
    IS(oe_client_next_event(client, 150, &event, NULL, NULL), OE_NO_EVENT);
    CHECK(now_ms() - begun >= 150 && now_ms() - begun < 2000);
    m = start(client, 1);
    IS(oe_monitor_submit(m, NULL, 5, 0), OE_ERR_ARGUMENT);
    IS(oe_monitor_submit(m, jpeg, 0, 0), OE_ERR_ARGUMENT);
    IS(oe_monitor_submit(m, jpeg, jpeg_len, -1), OE_ERR_ARGUMENT);
    IS(oe_monitor_submit(m, jpeg, jpeg_len, 1), OE_ERR_STALE_FRAME); /* 1970 */
    IS(oe_monitor_submit(m, jpeg, jpeg_len, INT64_MAX), OE_OK);      /* the future is now */
    IS(oe_monitor_submit(m, (const uint8_t *)"<html>", 6, 0), OE_ERR_NOT_JPEG);
    IS(oe_monitor_mute(m, 2), OE_ERR_ARGUMENT);
    IS(oe_monitor_mute(m, -1), OE_ERR_ARGUMENT);
    IS(oe_monitor_set_interval_sec(m, 1209601), OE_ERR_ARGUMENT);
    IS(oe_monitor_info(m, NULL), OE_ERR_ARGUMENT);
    oe_info info;
    oe_info_init(&info, sizeof info);
    CHECK(info.struct_size == sizeof info && info.calls == 0);
    char text[8193];
    size_t needed = 0;
    IS(oe_monitor_save(m, NULL, 0, &needed), OE_ERR_BUFFER);
    CHECK(needed > 10);
    IS(oe_monitor_save(m, text, needed, &needed), OE_ERR_BUFFER);
    IS(oe_monitor_save(m, text, needed + 1, NULL), OE_OK);
    CHECK(strlen(text) == needed);
    IS(oe_monitor_save(m, NULL, 8, &needed), OE_ERR_ARGUMENT);
    oe_monitor_free(m);
    oe_client_free(client);
}

/* ---- events ---- */

static void events(void)
{
    oe_client *client = new_client(endpoint, NULL, NULL, NULL);
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    struct pollfd ready = { .fd = (int)oe_client_event_fd(client), .events = POLLIN };
    CHECK(ready.fd >= 0 && oe_client_event_fd(client) == ready.fd);
    CHECK(poll(&ready, 1, 0) == 0);
    CHECK(no_library_thread_soon());
    oe_monitor *m = start(client, UINT64_MAX);
    CHECK(poll(&ready, 1, 5000) == 1);
    CHECK(library_threads() >= 1 && library_threads() <= 4 + 2);
    IS(oe_client_next_event(client, 0, &event, &result, NULL), OE_OK);
    CHECK(event.kind == OE_EVENT_FRAME_WANTED && event.tag == UINT64_MAX && event.status == OE_OK);
    CHECK(result.print_quality == 0); /* an event without a verdict leaves it alone */
    IS(oe_monitor_submit(m, jpeg, jpeg_len, 0), OE_OK);
    CHECK(poll(&ready, 1, 5000) == 1);
    event.struct_size = 8;
    event.status = 77;
    IS(oe_client_next_event(client, 0, &event, &result, NULL), OE_OK);
    CHECK(event.kind == OE_EVENT_RESULT && event.status == 77);
    CHECK(result.print_quality == 8 && result.next_due_ms > 4000 && result.next_due_ms <= 5000);
    CHECK(poll(&ready, 1, 0) == 0);
    oe_event_init(&event, sizeof event);
    oe_info info = OE_INFO_INIT;
    IS(oe_monitor_info(m, &info), OE_OK);
    CHECK(info.calls == 1 && info.last_quality == 8 && info.due_in_ms <= 5000);
    /* Saved and started again: the same context, not before its time. */
    char text[8193];
    IS(oe_monitor_save(m, text, sizeof text, NULL), OE_OK);
    CHECK(!strstr(text, "SECRETKEY"));
    oe_monitor_free(m);
    oe_usage usage = OE_USAGE_INIT;
    IS(oe_monitor_start_saved(client, text, 7, &m), OE_OK);
    int64_t begun = now_ms();
    IS(oe_monitor_submit(m, jpeg, jpeg_len, 0), OE_OK);
    CHECK(wait_for(client, OE_EVENT_RESULT, &event, &result) && event.tag == 7);
    CHECK(now_ms() - begun >= 4900);
    CHECK((result.flags & OE_RESULT_REPEATED_FRAME) != 0);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.creates == 1 && usage.processed == 2 && usage.contexts == 1);
    oe_monitor_free(m);
    oe_client_free(client);
}

/* ---- stopping what hangs ---- */

/* A service that takes connections and never answers. */
static void hanging(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];
    CHECK(bind(server, (struct sockaddr *)&address, sizeof address) == 0 && listen(server, 64) == 0);
    CHECK(getsockname(server, (struct sockaddr *)&address, &size) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    oe_client *client = new_client(url, NULL, NULL, NULL);
    oe_monitor *m[6];
    for (uint64_t n = 0; n < 6; n++) m[n] = start(client, n);
    nap(2500); /* four of them hang by now */
    oe_event event = OE_EVENT_INIT;
    int64_t begun = now_ms();
    IS(oe_monitor_stop(m[0]), OE_OK);
    oe_monitor_free(m[1]);
    CHECK(now_ms() - begun < 2000);
    while (oe_client_next_event(client, 0, &event, NULL, NULL) == OE_OK) CHECK(event.tag >= 2);
    begun = now_ms();
    oe_client_free(client);
    CHECK(now_ms() - begun < 2000);
    CHECK(no_library_thread_soon());
    for (int n = 0; n < 6; n++) oe_monitor_free(m[n]);
    close(server);
}

static void *wait_for_ever(void *client)
{
    oe_event event = OE_EVENT_INIT;
    return (void *)(intptr_t)oe_client_next_event(client, OE_NEVER, &event, NULL, NULL);
}

static void waiting(void)
{
    oe_client *client = new_client(endpoint, NULL, NULL, NULL);
    for (int freed = 0; freed < 2; freed++) {
        pthread_t thread;
        void *status = NULL;
        CHECK(pthread_create(&thread, NULL, wait_for_ever, client) == 0);
        nap(100);
        if (freed) oe_client_free(client);
        else IS(oe_client_cancel(client), OE_OK);
        pthread_join(thread, &status);
        CHECK((intptr_t)status == OE_CANCELLED);
    }
}

/* ---- the log function ---- */

typedef struct host {
    oe_client *client;
    oe_monitor *monitor;
    int lines, freed, on_worker, free_inside;
} host;

static void on_log(void *user_data, int32_t level, const char *text)
{
    host *h = user_data;
    oe_event event = OE_EVENT_INIT;
    oe_monitor *out = NULL;
    char name[64] = "";
    (void)level;
    CHECK(h->freed == 0);
    CHECK(!strstr(text, "SECRETKEY"));
    h->lines++;
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (!h->monitor) return;
    h->on_worker += !strcmp(name, "oe-worker");
    IS(oe_monitor_start(h->client, 0, 0, 1, &out), OE_ERR_REENTRANT);
    IS(oe_monitor_start_saved(h->client, "x", 1, &out), OE_ERR_REENTRANT);
    IS(oe_client_next_event(h->client, 0, &event, NULL, NULL), OE_ERR_REENTRANT);
    for (int function = PAUSE; function < FUNCTIONS; function++) IS(call(function, h->monitor), OE_OK);
    IS(oe_monitor_mute(h->monitor, 0), OE_OK);
    IS(oe_monitor_stop(h->monitor), OE_ERR_REENTRANT);
    CHECK(oe_client_event_fd(h->client) >= 0);
    if (!h->free_inside) return;
    oe_monitor_free(h->monitor); /* when this call returns */
    IS(oe_monitor_pause(h->monitor), OE_OK);
    if (h->free_inside > 1) oe_client_free(h->client);
    h->monitor = NULL;
}

static void on_freed(void *user_data) { ((host *)user_data)->freed++; }

static void logging(int free_inside)
{
    host h = { .free_inside = free_inside };
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    h.client = new_client(endpoint, on_log, &h, on_freed);
    oe_monitor *m = h.monitor = start(h.client, 1);
    if (free_inside == 0) CHECK(wait_for(h.client, OE_EVENT_RESULT, &event, &result));
    else nap(1000);
    CHECK(h.lines > 0 && h.on_worker > 0);
    if (free_inside) IS(oe_monitor_pause(m), OE_ERR_HANDLE);
    h.monitor = NULL;
    oe_monitor_free(m);
    oe_client_free(h.client);
    for (int64_t until = now_ms() + 2000; now_ms() < until && !h.freed; nap(5)) {}
    CHECK(h.freed == 1);
    CHECK(no_library_thread_soon());
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (!file) return 2;
    endpoint = argv[1];
    valgrind = argc > 3;
    jpeg_len = fread(jpeg, 1, sizeof jpeg, file);
    fclose(file);
    states();
    arguments();
    events();
    hanging();
    waiting();
    for (int free_inside = 0; free_inside < 3; free_inside++) logging(free_inside);
    printf("%d failures\n", failures);
    return failures != 0;
}
