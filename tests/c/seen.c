/* What a service of one's own may say of a picture besides its quality: argv[1] names one that sees nothing in it,
 * argv[2] one that says where it looks failed. */
#include "check.h"

#include <string.h>

static const uint8_t jpeg[] = { 0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xD9 };

static oe_client *connect(const char *url)
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    return client;
}

static void blind(const char *url)
{
    oe_client *client = connect(url);
    oe_context *context = NULL;
    oe_monitor *monitor = NULL;
    oe_result result, before;
    oe_info info = OE_INFO_INIT;
    oe_usage usage = OE_USAGE_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_event event = OE_EVENT_INIT;
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    memset(&result, 0x55, sizeof result);
    result.struct_size = sizeof result;
    before = result;
    IS(oe_process_jpeg(context, jpeg, sizeof jpeg, &result), OE_BLIND);
    CHECK(memcmp(&result, &before, sizeof result) == 0); /* untouched */
    CHECK(!strcmp(oe_status_name(OE_BLIND), "OE_BLIND") && oe_status_is_retryable(OE_BLIND) == 1);
    IS(oe_process_jpeg(context, jpeg, sizeof jpeg, &result), OE_NOT_DUE);
    IS(oe_context_info(context, &info), OE_OK);
    CHECK(info.last_status == OE_BLIND && info.failures_in_a_row == 0 && info.last_quality == 0);
    CHECK(info.due_in_ms > 19000 && info.due_in_ms <= 20000);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.processed == 1 && usage.failed == 0);
    IS(oe_context_last_error(context, &error), OE_OK);
    CHECK(error.status == OE_OK); /* it is none */
    IS(oe_monitor_start(client, 0, 0, 9, &monitor), OE_OK);
    IS(oe_monitor_submit(monitor, jpeg, sizeof jpeg, 0), OE_OK);
    for (int tries = 0; tries < 100; tries++) {
        IS(oe_monitor_info(monitor, &info), OE_OK);
        if (info.calls == 1 && info.last_status == OE_BLIND) break;
        oe_status got = oe_client_next_event(client, 100, &event, NULL, NULL);
        CHECK(got == OE_NO_EVENT || event.kind == OE_EVENT_FRAME_WANTED); /* neither a result nor an error */
    }
    CHECK(info.calls == 1 && info.last_status == OE_BLIND);
    oe_monitor_free(monitor);
    oe_context_free(context);
    oe_client_free(client);
}

static void place(const char *url)
{
    oe_client *client = connect(url);
    oe_context *first = NULL, *second = NULL;
    oe_result result;
    IS(oe_context_create(client, 0, 0, &first), OE_OK);
    IS(oe_context_create(client, 0, 0, &second), OE_OK);
    oe_result_init(&result, sizeof result);
    IS(oe_process_jpeg(first, jpeg, sizeof jpeg, &result), OE_OK);
    CHECK(result.place.x == 250 && result.place.y == 500 && result.place.width == 125 && result.place.height == 400);
    memset(&result, 0x55, sizeof result);
    result.struct_size = 48; /* as large as it was in 0.1.0 */
    IS(oe_process_jpeg(second, jpeg, sizeof jpeg, &result), OE_OK);
    CHECK(result.print_quality == 8 && result.place.x == 0x5555 && result.place.height == 0x5555);
    oe_context_free(second);
    oe_context_free(first);
    oe_client_free(client);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    blind(argv[1]);
    place(argv[2]);
    printf("%d failed\n", failures);
    return failures != 0;
}
