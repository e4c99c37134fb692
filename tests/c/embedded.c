/* The engine in the library, from C: no key, no address, and nothing of the network is touched. argv: a picture, a black
 * one, a file that is no model, and the folder of the demo's pictures. */
#include "check.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint8_t picture[1 << 20], black[1 << 20];
static size_t length, black_length;
static int network;

/* In the place of the C library's: whoever needs the network is found out. */
struct sockaddr;
struct addrinfo;
int socket(int domain, int type, int protocol)
{
    (void)domain, (void)type, (void)protocol;
    network++;
    errno = EACCES;
    return -1;
}
int connect(int fd, const struct sockaddr *address, unsigned len)
{
    (void)fd, (void)address, (void)len;
    network++;
    errno = EACCES;
    return -1;
}
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)name, (void)service, (void)hints, (void)out;
    network++;
    return -4;
}

static size_t load(const char *path, uint8_t *into, size_t cap)
{
    FILE *file = fopen(path, "rb");
    size_t read = file ? fread(into, 1, cap, file) : 0;
    if (file) fclose(file);
    CHECK(read > 0 && read < cap);
    return read;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long threads(void)
{
    char line[256];
    long found = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "Threads: %ld", &found);
    if (file) fclose(file);
    return found;
}

/* With a model, or the built-in one. */
static oe_status new_client(const char *model, oe_client **client)
{
    oe_options *o = oe_options_new();
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    if (model) IS(oe_options_set_model_file(o, model), OE_OK);
    oe_status status = oe_client_new(o, client);
    oe_options_free(o);
    return status;
}

static void one_print(oe_client *client)
{
    oe_context *context = NULL, *again = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_info info = OE_INFO_INIT;
    char saved[8192 + 1];
    size_t needed = 0;
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, picture, length, &result), OE_OK);
    CHECK(result.print_quality >= 6 && result.print_quality <= 10 && result.score >= 0 && result.score < 50);
    CHECK(result.flags == OE_RESULT_EMBEDDED && !result.warning_suggested && !result.pause_suggested);
    CHECK(result.minimum_interval_sec == 5 && result.recommended_interval_sec == 20);
    CHECK(result.next_due_ms > 19000 && result.next_due_ms <= 20000);
    IS(oe_process_jpeg(context, picture, length, &result), OE_NOT_DUE);
    IS(oe_context_renew(context), OE_ERR_UNSUPPORTED);
    IS(oe_client_check_key(client), OE_ERR_UNSUPPORTED);
    IS(oe_context_info(context, &info), OE_OK);
    CHECK(info.calls == 1 && !info.using_fallback && info.last_status == OE_OK && info.last_quality == result.print_quality);
    IS(oe_context_save(context, saved, sizeof saved, &needed), OE_OK);
    CHECK(needed > 100 && needed <= 8192);
    IS(oe_context_restore(client, saved, &again), OE_OK);
    IS(oe_context_info(again, &info), OE_OK);
    CHECK(info.calls == 1 && info.last_quality == result.print_quality && info.due_in_ms > 0);
    oe_context_free(again);
    saved[strlen(saved) / 2] = '\1';
    IS(oe_context_restore(client, saved, &again), OE_ERR_ARGUMENT);
    oe_context_free(context);
}

static void no_verdicts(oe_client *client)
{
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    uint32_t due = 0;
    IS(oe_context_create(client, 5, 1, &context), OE_OK);
    IS(oe_process_jpeg(context, black, black_length, &result), OE_BLIND);
    CHECK(result.print_quality == 0 && result.flags == 0);
    IS(oe_context_due_in_ms(context, &due), OE_OK);
    CHECK(due > 19000 && due <= 20000);
    oe_context_free(context);
    /* Cut off before its pixels. */
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, picture, 300, &result), OE_ERR_IMAGE_REJECTED);
    IS(oe_context_last_error(context, &error), OE_OK);
    CHECK(strstr(error.text, "looking at the picture") && !strstr(error.text, "host"));
    IS(oe_process_jpeg(context, picture, 300, &result), OE_ERR_IMAGE_REJECTED);
    oe_context_free(context);
}

struct call {
    oe_context *context;
    const uint8_t *picture;
    size_t length;
    oe_status status;
};

static void *call(void *of)
{
    struct call *call = of;
    oe_result result = OE_RESULT_INIT;
    call->status = oe_process_jpeg(call->context, call->picture, call->length, &result);
    return NULL;
}

/* Twenty printers at once, on as many threads of the host's; half of them are freed while they look or wait for it. */
static void many(oe_client *client)
{
    struct call calls[20];
    pthread_t hosts[20];
    for (int i = 0; i < 20; i++) {
        calls[i] = (struct call){ NULL, picture, length, OE_OK };
        IS(oe_context_create(client, 0, 0, &calls[i].context), OE_OK);
    }
    long before = threads();
    for (int i = 0; i < 20; i++) CHECK(!pthread_create(&hosts[i], NULL, call, &calls[i]));
    CHECK(threads() <= before + 20);
    double start = seconds();
    for (int i = 0; i < 20; i += 2) oe_context_free(calls[i].context);
    for (int i = 0; i < 20; i += 2) pthread_join(hosts[i], NULL);
    CHECK(seconds() - start < 2);
    for (int i = 1; i < 20; i += 2) pthread_join(hosts[i], NULL);
    for (int i = 0; i < 20; i++)
        CHECK(calls[i].status == OE_OK || (i % 2 == 0 && (calls[i].status == OE_CANCELLED || calls[i].status == OE_ERR_HANDLE)));
    for (int i = 1; i < 20; i += 2) oe_context_free(calls[i].context);
}

/* The demo's print as a recording, 20 s a picture, in no time: it falls, warns, pauses, and says where. */
static void played(oe_client *client, const char *folder)
{
    static const int order[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 11, 12, 11, 12, 11, 12 };
    static uint8_t frame[1 << 20];
    const int64_t started = 1700000000000;
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    uint32_t due = 1;
    char path[512];
    int warnings = 0, pauses = 0;
    how.flags = OE_PRINT_REPLAY;
    IS(oe_context_create_with(client, &how, &context), OE_OK);
    for (int i = 0; i < 18; i++) {
        snprintf(path, sizeof path, "%s/frame-%02d.jpg", folder, order[i]);
        size_t size = load(path, frame, sizeof frame);
        IS(oe_process_jpeg_at(context, frame, size, started + i * 20000, &result), OE_OK);
        IS(oe_process_jpeg_at(context, frame, size, started + i * 20000 + 4999, &result), OE_NOT_DUE);
        IS(oe_context_due_in_ms(context, &due), OE_OK);
        IS(oe_context_wait_due(context), OE_OK);
        warnings += (result.flags & OE_RESULT_WARNING_EDGE) != 0;
        pauses += (result.flags & OE_RESULT_PAUSE_EDGE) != 0;
        CHECK(due == 0 && result.next_due_ms == 20000 && (result.place.width > 0) == (result.place.height > 0));
        CHECK(i >= 6 || (result.print_quality >= 6 && result.flags == OE_RESULT_EMBEDDED && result.place.width == 0));
        CHECK(result.score >= 50 || result.place.width == 0);
    }
    CHECK(warnings == 1 && pauses == 1 && result.print_quality <= 3 && result.score >= 50 && result.place.width > 0);
    IS(oe_process_jpeg_at(context, picture, length, started, &result), OE_ERR_ARGUMENT);
    oe_context_free(context);
    how.ignore_count = 1;
    how.ignore[0].width = how.ignore[0].height = 1000;
    IS(oe_context_create_with(client, &how, &context), OE_ERR_ARGUMENT);
}

static void watched(oe_client *client)
{
    oe_monitor *monitor = NULL;
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    int seen = 0;
    IS(oe_monitor_start(client, 0, 0, 7, &monitor), OE_OK);
    IS(oe_monitor_submit(monitor, picture, length, 0), OE_OK);
    while (!seen && oe_client_next_event(client, 60000, &event, &result, &error) == OE_OK) {
        CHECK(event.kind == OE_EVENT_FRAME_WANTED || event.kind == OE_EVENT_RESULT);
        seen = event.kind == OE_EVENT_RESULT;
    }
    CHECK(seen && event.tag == 7 && (result.flags & OE_RESULT_EMBEDDED) && result.print_quality >= 6);
    oe_monitor_free(monitor);
}

static void models(const char *no_model)
{
    oe_client *client = NULL;
    oe_error error = OE_ERROR_INIT;
    IS(new_client(no_model, &client), OE_ERR_MODEL);
    CHECK(client == NULL && oe_last_error(&error) == OE_OK && strstr(error.text, "of another kind"));
    IS(new_client("/nowhere/to/be/found", &client), OE_ERR_MODEL);
    CHECK(oe_last_error(&error) == OE_OK && strstr(error.text, "not found") && !strstr(error.text, "nowhere"));
    IS(new_client("/", &client), OE_ERR_MODEL);
    IS(new_client("/dev/zero", &client), OE_ERR_MODEL);
}

int main(int argc, char **argv)
{
    char info[512];
    oe_client *client = NULL;
    oe_usage usage = OE_USAGE_INIT;
    if (argc < 5) return 2;
    length = load(argv[1], picture, sizeof picture);
    black_length = load(argv[2], black, sizeof black);
    oe_build_info(info, sizeof info);
    CHECK(strstr(info, ", embedded; model oe-vision") && oe_has(OE_FEATURE_EMBEDDED) == 1);
    models(argv[3]);
    long before = threads();
    IS(new_client(NULL, &client), OE_OK);
    one_print(client);
    no_verdicts(client);
    CHECK(threads() == before);
    if (argc == 5) many(client), played(client, argv[4]);
    watched(client);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.bytes_sent == 0 && usage.bytes_received == 0 && usage.latched == OE_OK && usage.possibly_billed == 0);
    oe_client_free(client);
    CHECK(network == 0);
    return failures != 0;
}
