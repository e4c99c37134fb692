/* What every target must do, in C11 and nothing of a system but what it waits with: verdicts over HTTP and TLS, trust
 * refused, a monitor, and its event in the system's own wait. host HTTP-URL HTTPS-URL CA-FILE IMAGE; the service behind
 * both URLs wants 5 s between calls and finds quality 8 in everything. */
#include "../c/check.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
static int readable(intptr_t fd, unsigned ms)
{
    return WaitForSingleObject((HANDLE)fd, ms) == WAIT_OBJECT_0;
}
#else
#include <poll.h>
static int readable(intptr_t fd, unsigned ms)
{
    struct pollfd ready = { .fd = (int)fd, .events = POLLIN };
    return poll(&ready, 1, (int)ms) == 1;
}
#endif

static uint8_t jpeg[1 << 20];
static size_t jpeg_len;

static oe_client *client_of(const char *url, const char *ca)
{
    oe_client *client = NULL;
    oe_options *options = oe_options_new();
    IS(oe_options_set_api_key(options, "k"), OE_OK);
    IS(oe_options_set_endpoint(options, url), OE_OK);
    IS(oe_options_set_allow_http(options, 1), OE_OK);
    if (ca) IS(oe_options_set_ca_file(options, ca), OE_OK);
    IS(oe_client_new(options, &client), OE_OK);
    oe_options_free(options);
    return client;
}

/* Every figure of a new context that comes from a clock. Where the C library and a caller of it do not agree about the size of a
 * time, these are nonsense. */
static void clocks(oe_context *context)
{
    oe_info info = OE_INFO_INIT;
    IS(oe_context_info(context, &info), OE_OK);
    CHECK(info.age_sec < 60);
    CHECK(info.due_in_ms <= 60000);
}

static void one_verdict(const char *url, const char *ca)
{
    char saved[8193];
    size_t needed = 0;
    oe_context *context = NULL, *restored = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_client *client = client_of(url, ca);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    CHECK(result.print_quality == 8 && result.score == 5 && result.minimum_interval_sec == 5);
    CHECK(result.latency_ms < 60000 && result.next_due_ms > 0 && result.next_due_ms <= 60000);
    clocks(context);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_NOT_DUE);
    IS(oe_process_jpeg(context, jpeg + 1, jpeg_len - 1, &result), OE_ERR_NOT_JPEG);
    IS(oe_context_save(context, saved, sizeof saved, &needed), OE_OK);
    IS(oe_context_restore(client, saved, &restored), OE_OK);
    clocks(restored);
    IS(oe_process_jpeg(restored, jpeg, jpeg_len, &result), OE_NOT_DUE);
    oe_context_free(restored);
    oe_context_free(context);
    oe_client_free(client);
    IS(oe_client_cancel(client), OE_ERR_HANDLE);
}

static void refused(const char *url, const char *ca, oe_status expected)
{
    oe_context *context = NULL;
    oe_client *client = client_of(url, ca);
    IS(oe_context_create(client, 0, 0, &context), expected);
    CHECK(context == NULL);
    oe_client_free(client);
}

/* Waits as an event loop does, and reads until there is nothing. */
static void monitored(const char *url)
{
    int wanted = 0, results = 0;
    oe_monitor *monitor = NULL;
    oe_client *client = client_of(url, NULL);
    intptr_t fd = oe_client_event_fd(client);
    CHECK(fd != -1 && !readable(fd, 0));
    IS(oe_monitor_start(client, 0, 0, 42, &monitor), OE_OK);
    while (results == 0 && readable(fd, 20000)) {
        oe_event event = OE_EVENT_INIT;
        oe_result result = OE_RESULT_INIT;
        while (oe_client_next_event(client, 0, &event, &result, NULL) == OE_OK) {
            CHECK(event.tag == 42);
            if (event.kind == OE_EVENT_FRAME_WANTED && wanted++ == 0)
                IS(oe_monitor_submit(monitor, jpeg, jpeg_len, 0), OE_OK);
            if (event.kind == OE_EVENT_RESULT) {
                CHECK(result.print_quality == 8);
                results++;
            }
        }
        CHECK(!readable(fd, 0));
    }
    CHECK(wanted == 1 && results == 1);
    IS(oe_monitor_stop(monitor), OE_OK);
    oe_monitor_free(monitor);
    oe_client_free(client);
}

int main(int argc, char **argv)
{
    char info[512];
    FILE *file = argc == 5 ? fopen(argv[4], "rb") : NULL;
    if (!file) return 2;
    jpeg_len = fread(jpeg, 1, sizeof jpeg, file);
    fclose(file);
    CHECK(oe_version() == OE_VERSION);
    oe_build_info(info, sizeof info);
    one_verdict(argv[1], NULL);
    one_verdict(argv[2], argv[3]);
    refused(argv[2], NULL, OE_ERR_TLS);
    refused("http://127.0.0.1:1", NULL, OE_ERR_CONNECT);
    monitored(argv[1]);
    printf("%s: %d failed\n", info, failures);
    return failures != 0;
}
