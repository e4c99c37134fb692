/* What came with 0.2.0, against a service at argv[1] with the image argv[2]. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

static uint8_t jpeg[1 << 20];
static size_t jpeg_len;

static void version(void)
{
    char own[32];
    CHECK(OE_VERSION <= oe_version());
    snprintf(own, sizeof own, "%d.%d.%d", OE_VERSION_MAJOR, OE_VERSION_MINOR, OE_VERSION_PATCH);
    CHECK(!strcmp(own, OE_VERSION_STRING));
    snprintf(own, sizeof own, "%u.%u.%u", oe_version() >> 16, oe_version() >> 8 & 255, oe_version() & 255);
    CHECK(!strcmp(own, oe_version_string()));
    CHECK(oe_version_string() == oe_version_string());
    CHECK(oe_has(OE_FEATURE_TLS) == 1 && oe_has(OE_FEATURE_MONITOR) == 1);
    CHECK(oe_has(0) == 0 && oe_has(-1) == 0 && oe_has(1000) == 0);
}

/* What oe_has() says of the engine and of descriptors is what a try finds. */
static void features(void)
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_client_new(o, &client), oe_has(OE_FEATURE_EMBEDDED) ? OE_OK : OE_ERR_UNSUPPORTED);
    oe_client_free(client);
    IS(oe_options_set_backend(o, OE_BACKEND_SERVICE), OE_OK);
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    CHECK((oe_client_event_fd(client) != -1) == oe_has(OE_FEATURE_EVENT_FD));
    oe_client_free(client);
    oe_options_free(o);
}

static void levels(void)
{
    static const int32_t level[] = { 0, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 0 };
    for (int32_t quality = 0; quality < 12; quality++) CHECK(oe_quality_level(quality) == level[quality]);
    CHECK(oe_quality_level(INT32_MIN) == OE_LEVEL_UNKNOWN && oe_quality_level(INT32_MAX) == OE_LEVEL_UNKNOWN);
}

/* An answer without a place: all of it is 0, whatever was there before. */
static void no_place(const char *url)
{
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_options *o = oe_options_new();
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    CHECK(result.struct_size == sizeof result && result.place.width == 0);
    memset(&result.place, 0x55, sizeof result.place);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    CHECK(!result.place.x && !result.place.y && !result.place.width && !result.place.height);
    oe_context_free(context);
    oe_client_free(client);
}

/* A name that no server of names knows, and where it is. */
static void resolve(const char *url)
{
    char named[100];
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_options *o = oe_options_new();
    snprintf(named, sizeof named, "http://printer.invalid:%s", strrchr(url, ':') + 1);
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_endpoint(o, named), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_picture_memory_mb(NULL, 8), OE_ERR_HANDLE);
    IS(oe_options_set_picture_memory_mb(o, 3), OE_ERR_ARGUMENT);
    IS(oe_options_set_picture_memory_mb(o, 2001), OE_ERR_ARGUMENT);
    IS(oe_options_set_picture_memory_mb(o, 8), OE_OK); /* not for the service, which ignores it */
    IS(oe_options_set_resolve(NULL, "a", "::1"), OE_ERR_HANDLE);
    IS(oe_options_set_resolve(o, NULL, "127.0.0.1"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "", "127.0.0.1"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "\xff", "127.0.0.1"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "printer.invalid", "\xff"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "printer.invalid", "localhost"), OE_ERR_ARGUMENT);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* it would be looked up */
    IS(oe_last_error(&error), OE_OK);
    CHECK(client == NULL && strstr(error.text, "oe_options_set_resolve"));
    IS(oe_options_set_resolve(o, "Printer.INVALID", " 127.0.0.1 "), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    oe_context_free(context);
    oe_client_free(client);
    IS(oe_options_set_resolve(o, "printer.invalid", NULL), OE_OK);
    IS(oe_options_set_resolve(o, "other.invalid", "::1"), OE_OK);
    IS(oe_options_set_resolve(o, NULL, NULL), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    IS(oe_context_create(client, 0, 0, &context), OE_ERR_DNS);
    oe_client_free(client);
    oe_options_free(o);
}

static void without_a_key(const char *url)
{
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_options *o = oe_options_new();
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* the hosted service needs one */
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* plain http, even so */
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_api_key(o, ""), OE_ERR_ARGUMENT);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* a key was meant */
    IS(oe_options_set_api_key(o, NULL), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    IS(oe_client_check_key(client), OE_OK);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    oe_context_free(context);
    oe_client_free(client);
    oe_options_free(o);
}

static oe_client *own(const char *url)
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    return client;
}

/* Both ways in take the same, but for a recording, which a monitor does not play. */
static void both(oe_client *client, const oe_print_options *options, oe_status context_is, oe_status monitor_is)
{
    oe_context *context = (oe_context *)client;
    oe_monitor *monitor = (oe_monitor *)client;
    IS(oe_context_create_with(client, options, &context), context_is);
    IS(oe_monitor_start_with(client, options, 1, &monitor), monitor_is);
    CHECK((context == NULL) == (context_is != OE_OK) && (monitor == NULL) == (monitor_is != OE_OK));
    oe_context_free(context);
    oe_monitor_free(monitor);
}

/* A structure of a later release: as ours, and something behind it. */
typedef struct later { oe_print_options now; uint32_t more[2]; } later;

static void print_sizes(oe_client *client)
{
    later given;
    memset(&given, 0, sizeof given);
    given.now.struct_size = sizeof given;
    both(client, &given.now, OE_OK, OE_OK);
    given.more[1] = 1; /* which would be passed over */
    both(client, &given.now, OE_ERR_ABI, OE_ERR_ABI);
    static const uint32_t bad[] = { 0, 4, 7, 10, 26, 4100, 0xFFFFFFFF };
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        given.now.struct_size = bad[n];
        both(client, &given.now, OE_ERR_ABI, OE_ERR_ABI);
    }
    oe_print_options cut = OE_PRINT_OPTIONS_INIT;
    for (uint32_t size = 8; size <= sizeof cut; size += 4) { /* an older, smaller one */
        cut.struct_size = size;
        both(client, &cut, OE_OK, OE_OK);
    }
    /* One region, which the service backend does not take: ABI where the size cuts through it, else UNSUPPORTED. */
    cut.ignore_count = 1;
    cut.ignore[0].width = cut.ignore[0].height = 100;
    for (uint32_t size = 20; size <= sizeof cut; size += 4) {
        cut.struct_size = size;
        oe_status is = size < 32 ? OE_ERR_ABI : OE_ERR_UNSUPPORTED;
        both(client, &cut, is, is);
    }
    cut.struct_size = 16; /* which does not know of regions */
    both(client, &cut, OE_OK, OE_OK);
}

static void print_members(oe_client *client)
{
    static const oe_region bad[] = {
        { 0, 0, 0, 5 }, { 0, 0, 5, 0 }, { 999, 0, 2, 5 }, { 0, 996, 5, 5 }, { 65535, 0, 2, 5 }, { 0, 0, 1000, 1000 } };
    oe_print_options print;
    oe_print_options_init(&print, sizeof print);
    CHECK(print.struct_size == sizeof print && print.flags == 0 && print.ignore[7].height == 0);
    both(client, &print, OE_OK, OE_OK);
    both(client, NULL, OE_OK, OE_OK);
    print.flags = OE_PRINT_REPLAY;
    both(client, &print, OE_ERR_UNSUPPORTED, OE_ERR_ARGUMENT);
    print.flags = 2;
    both(client, &print, OE_ERR_ARGUMENT, OE_ERR_ARGUMENT);
    print.flags = 0;
    print.warning_confidence = 6;
    both(client, &print, OE_ERR_ARGUMENT, OE_ERR_ARGUMENT);
    print.warning_confidence = 0;
    print.pause_confidence = -1;
    both(client, &print, OE_ERR_ARGUMENT, OE_ERR_ARGUMENT);
    print.pause_confidence = 5;
    print.interval_sec = 1209601;
    both(client, &print, OE_ERR_ARGUMENT, OE_ERR_ARGUMENT);
    print.interval_sec = 30;
    print.ignore_count = 9;
    both(client, &print, OE_ERR_ARGUMENT, OE_ERR_ARGUMENT);
    print.ignore_count = 1;
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        print.ignore[0] = bad[n];
        both(client, &print, OE_ERR_ARGUMENT, OE_ERR_ARGUMENT);
    }
    print.ignore_count = 0; /* then they do not count */
    both(client, &print, OE_OK, OE_OK);
    IS(oe_context_create_with(client, &print, NULL), OE_ERR_ARGUMENT);
    IS(oe_monitor_start_with(client, &print, 1, NULL), OE_ERR_ARGUMENT);
    both(NULL, &print, OE_ERR_HANDLE, OE_ERR_HANDLE);
}

typedef struct heard { oe_client *client; int lines; } heard;

static void on_log(void *user_data, int32_t level, const char *text)
{
    heard *h = user_data;
    oe_context *context = NULL;
    oe_monitor *monitor = NULL;
    (void)level; (void)text;
    if (!h->client) return;
    h->lines++;
    IS(oe_context_create_with(h->client, NULL, &context), OE_ERR_REENTRANT);
    IS(oe_monitor_start_with(h->client, NULL, 1, &monitor), OE_ERR_REENTRANT);
    CHECK(oe_has(OE_FEATURE_TLS) == 1 && oe_quality_level(1) == OE_LEVEL_BAD);
}

static void inside_the_log(const char *url)
{
    heard h = { NULL, 0 };
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_log(o, OE_LOG_TRACE, on_log, &h, NULL), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    h.client = client;
    IS(oe_context_create_with(client, NULL, &context), OE_OK);
    CHECK(h.lines > 0);
    h.client = NULL;
    oe_context_free(context);
    oe_client_free(client);
}

static void confidence(oe_client *client)
{
    oe_print_options print = OE_PRINT_OPTIONS_INIT;
    oe_context *context = NULL;
    oe_monitor *monitor = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_usage before = OE_USAGE_INIT, after = OE_USAGE_INIT;
    print.interval_sec = 33;
    IS(oe_context_create_with(client, &print, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    CHECK(result.next_due_ms > 32000 && result.next_due_ms <= 33000);
    IS(oe_client_usage(client, &before), OE_OK);
    IS(oe_context_set_confidence(context, 2, 5), OE_OK);
    IS(oe_context_set_confidence(context, 6, 0), OE_ERR_ARGUMENT);
    IS(oe_context_set_confidence(context, 0, -1), OE_ERR_ARGUMENT);
    IS(oe_context_set_confidence(NULL, 0, 0), OE_ERR_HANDLE);
    IS(oe_client_usage(client, &after), OE_OK);
    CHECK(after.creates == before.creates); /* it causes none */
    IS(oe_context_renew(context), OE_OK);
    IS(oe_monitor_start_with(client, &print, 7, &monitor), OE_OK);
    IS(oe_monitor_set_confidence(monitor, 1, 1), OE_OK);
    IS(oe_monitor_set_confidence(monitor, 0, 6), OE_ERR_ARGUMENT);
    IS(oe_monitor_set_confidence(NULL, 0, 0), OE_ERR_HANDLE);
    IS(oe_monitor_stop(monitor), OE_OK);
    IS(oe_monitor_set_confidence(monitor, 1, 1), OE_ERR_CLOSED);
    oe_monitor_free(monitor);
    oe_context_free(context);
    IS(oe_context_set_confidence(context, 1, 1), OE_ERR_HANDLE);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (!file) return 2;
    jpeg_len = fread(jpeg, 1, sizeof jpeg, file);
    fclose(file);
    CHECK(jpeg_len > 0);
    version();
    features();
    levels();
    no_place(argv[1]);
    resolve(argv[1]);
    without_a_key(argv[1]);
    oe_client *client = own(argv[1]);
    print_sizes(client);
    print_members(client);
    confidence(client);
    inside_the_log(argv[1]);
    oe_client_free(client);
    printf("%d failed\n", failures);
    return failures != 0;
}
