/* Eight threads, random calls on handles that they share and free under each other: stress URL SECONDS PICTURE. Half of the
 * clients are of the service, half of the embedded engine. Every call must return a status of the table, and a cancel or a free
 * end soon whatever is in flight; what must not happen, a sanitizer sees. */
#include <oe_process.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLOTS = 6, THREADS = 8 };

static const char *url;
static time_t until;
/* Read and written without a lock on purpose: any thread may use a handle that another frees. */
static oe_client *volatile clients[SLOTS];
static oe_context *volatile contexts[SLOTS];
static oe_monitor *volatile monitors[SLOTS];
static uint8_t jpeg[1 << 20];
static size_t length;
static long calls, looks;
/* 2 s, and as much again for what a sanitizer takes. */
static const double SOON = 4;

static uint32_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 20);
}

static void known(oe_status status)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    if (strcmp(oe_status_name(status), "OE_STATUS_UNKNOWN") == 0 || status == OE_ERR_PANIC) {
        printf("status %d\n", (int)status);
        exit(1);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void soon(double since, const char *what)
{
    double took = seconds() - since;
    if (took < SOON) return;
    printf("%s took %.1f s\n", what, took);
    exit(1);
}

static void make_client(int n)
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    if (n % 2) {
        known(oe_options_set_backend(o, OE_BACKEND_EMBEDDED));
        known(oe_options_set_picture_memory_mb(o, n == 1 ? 4 : 0));
        known(oe_options_set_timeout_ms(o, n == 3 ? 1000 : 60000));
    } else {
        known(oe_options_set_api_key(o, "k"));
        known(oe_options_set_endpoint(o, url));
        known(oe_options_set_allow_http(o, 1));
    }
    known(oe_client_new(o, &client));
    oe_options_free(o);
    oe_client_free(__atomic_exchange_n(&clients[n], client, __ATOMIC_ACQ_REL));
}

/* What was in the slot is freed, though another thread may be in a call with it: else the handles nobody reaches any more
 * would keep their threads, thousands of them within a minute. */
static void keep_context(int n, oe_context *context)
{
    if (context) oe_context_free(__atomic_exchange_n(&contexts[n], context, __ATOMIC_ACQ_REL));
}

static void keep_monitor(int n, oe_monitor *monitor)
{
    if (monitor) oe_monitor_free(__atomic_exchange_n(&monitors[n], monitor, __ATOMIC_ACQ_REL));
}

/* With regions, which only the engine takes. */
static void create_with(int n, int m, uint64_t *state)
{
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_context *context = NULL;
    how.ignore_count = next(state) % 10;
    for (int i = 0; i < 8; i++) how.ignore[i] = (oe_region){ (uint16_t)(next(state) % 900), 0, 120, (uint16_t)(next(state) % 1100) };
    how.flags = next(state) % 3;
    known(oe_context_create_with(clients[m], &how, &context));
    keep_context(n, context);
}

static void process(oe_context *context)
{
    oe_result result = OE_RESULT_INIT;
    oe_status status = oe_process_jpeg(context, jpeg, length, &result);
    known(status);
    if (status == OE_OK && result.flags & OE_RESULT_EMBEDDED) __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
}

static void step(uint64_t *state)
{
    int n = (int)(next(state) % SLOTS), m = (int)(next(state) % SLOTS);
    char text[8193];
    size_t len;
    double start = seconds();
    oe_result result = OE_RESULT_INIT;
    oe_event event = OE_EVENT_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_info info = OE_INFO_INIT;
    oe_usage usage = OE_USAGE_INIT;
    uint32_t due;
    oe_context *context = NULL;
    oe_monitor *monitor = NULL;
    switch (next(state) % 28) {
    case 0: if (next(state) % 50 == 0) make_client(n); break;
    case 1: if (next(state) % 8 == 0) known(oe_context_create(clients[m], 0, 0, &context)); keep_context(n, context); break;
    case 2: if (next(state) % 16 == 0) oe_context_free(contexts[n]); soon(start, "a free"); break;
    case 3: process(contexts[n]); break;
    case 4: if (next(state) % 16 == 0) known(oe_context_cancel(contexts[n])); soon(start, "a cancel"); break;
    case 5: known(oe_context_info(contexts[n], &info)); break;
    case 6: known(oe_context_save(contexts[n], text, sizeof text, &len)); break;
    case 7: known(oe_context_last_error(contexts[n], &error)); break;
    case 8: known(oe_context_due_in_ms(contexts[n], &due)); break;
    case 9: known(oe_context_renew(contexts[n])); break;
    case 10: if (next(state) % 8 == 0) known(oe_monitor_start(clients[m], 0, 0, (uint64_t)n, &monitor)); keep_monitor(n, monitor); break;
    case 11: if (next(state) % 16 == 0) oe_monitor_free(monitors[n]); soon(start, "a free of a monitor"); break;
    case 12: case 13: known(oe_monitor_submit(monitors[n], jpeg, length, 0)); break;
    case 14: known(oe_monitor_pause(monitors[n])); break;
    case 15: known(oe_monitor_resume(monitors[n])); break;
    case 16: known(oe_monitor_mute(monitors[n], (int)(next(state) % 2))); break;
    case 17: known(oe_monitor_info(monitors[n], &info)); break;
    case 18:
        if (oe_monitor_save(monitors[n], text, sizeof text, &len) != OE_OK) break;
        known(oe_monitor_start_saved(clients[m], text, 9, &monitor));
        oe_monitor_free(monitor);
        break;
    case 19: known(oe_client_next_event(clients[n], next(state) % 5, &event, &result, &error)); break;
    case 20: (void)oe_client_event_fd(clients[n]); break;
    case 21: known(oe_client_usage(clients[n], &usage)); break;
    case 22: known(oe_client_cancel(clients[n])); break;
    case 23: known(oe_client_clear_latch(clients[n])); break;
    case 24: if (next(state) % 8 == 0) create_with(n, m, state); break;
    case 25:
        if (next(state) % 8) break;
        if (oe_context_save(contexts[n], text, sizeof text, &len) != OE_OK) break;
        known(oe_context_restore(clients[m], text, &context));
        keep_context(n, context);
        break;
    case 26: if (next(state) % 20 == 0) known(oe_monitor_stop(monitors[n])); break;
    default: known(oe_last_error(&error)); break;
    }
}

static void *work(void *seed)
{
    uint64_t state = 0x9E3779B97F4A7C15ULL * (uint64_t)(1 + (intptr_t)seed);
    while (time(NULL) < until) step(&state);
    return NULL;
}

/* A print that nobody cancels or frees: under a sanitizer a look takes longer than the others live. */
static void *watch(void *unused)
{
    oe_client *client = NULL;
    oe_context *print = NULL;
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_options *o = oe_options_new();
    how.flags = OE_PRINT_REPLAY;
    known(oe_options_set_backend(o, OE_BACKEND_EMBEDDED));
    known(oe_options_set_timeout_ms(o, 600000));
    known(oe_client_new(o, &client));
    known(oe_context_create_with(client, &how, &print));
    for (int64_t at = 1700000000000; client && time(NULL) < until; at += 20000) {
        oe_result result = OE_RESULT_INIT;
        oe_status status = oe_process_jpeg_at(print, jpeg, length, at, &result);
        known(status);
        if (status == OE_OK) __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
    }
    oe_context_free(print);
    oe_client_free(client);
    oe_options_free(o);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS], watcher;
    if (argc != 4) return 2;
    url = argv[1];
    until = time(NULL) + atol(argv[2]);
    FILE *file = fopen(argv[3], "rb");
    length = file ? fread(jpeg, 1, sizeof jpeg, file) : 0;
    if (file) fclose(file);
    if (length == 0) return 2;
    for (int n = 0; n < SLOTS; n++) make_client(n);
    for (intptr_t n = 0; n < THREADS; n++) pthread_create(&threads[n], NULL, work, (void *)n);
    pthread_create(&watcher, NULL, watch, NULL);
    for (int n = 0; n < THREADS; n++) pthread_join(threads[n], NULL);
    pthread_join(watcher, NULL);
    for (int n = 0; n < SLOTS; n++) {
        oe_monitor_free(monitors[n]);
        oe_context_free(contexts[n]);
        oe_client_free(clients[n]);
    }
    printf("%ld calls, %ld verdicts of the engine\n", calls, looks);
    return looks == 0 && oe_has(OE_FEATURE_EMBEDDED);
}
