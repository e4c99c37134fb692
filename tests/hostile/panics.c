/* A build in which the next call panics when it is told to: each function in turn, then its handle is freed as ever.
 * Then the engine, deep within a look. panics REPORT URL PICTURE */
#include "hostile.h"

void oe_test_panic_next(void);
void oe_test_panic_in_look(uint32_t nth);

#define STATUS(call) do { oe_test_panic_next(); IS(call, OE_ERR_PANIC); } while (0)
#define GIVES(call, value) do { oe_test_panic_next(); if ((call) != (value)) FAIL("%s", #call); } while (0)
#define CALL(call) do { oe_test_panic_next(); call; } while (0)

static void free_data(void *count) { ++*(int *)count; }

static void on_log(void *data, int32_t level, const char *text)
{
    (void)data; (void)level; (void)text;
}

static void pure(void)
{
    char text[100];
    oe_error error = OE_ERROR_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_usage usage = OE_USAGE_INIT;
    oe_info info = OE_INFO_INIT;
    oe_event event = OE_EVENT_INIT;
    oe_print_options print = OE_PRINT_OPTIONS_INIT;
    CHECK(oe_version() == OE_VERSION); /* a number: there is nothing in it that could fail */
    CHECK(strcmp(oe_version_string(), OE_VERSION_STRING) == 0); /* so is this text */
    GIVES(oe_build_info(text, sizeof text), 0);
    GIVES(oe_has(OE_FEATURE_TLS), 0);
    oe_test_panic_next();
    CHECK(strcmp(oe_status_name(OE_OK), "OE_STATUS_UNKNOWN") == 0);
    oe_test_panic_next();
    CHECK(oe_status_text(OE_OK)[0] != '\0');
    GIVES(oe_status_is_retryable(OE_ERR_DNS), 0);
    oe_test_panic_next();
    CHECK(strcmp(oe_quality_text(5), "unknown") == 0);
    GIVES(oe_quality_level(5), OE_LEVEL_UNKNOWN);
    STATUS(oe_last_error(&error));
    CALL(oe_error_init(&error, sizeof error));
    CALL(oe_result_init(&result, sizeof result));
    CALL(oe_usage_init(&usage, sizeof usage));
    CALL(oe_info_init(&info, sizeof info));
    CALL(oe_event_init(&event, sizeof event));
    CALL(oe_print_options_init(&print, sizeof print));
    GIVES(oe_options_new(), NULL);
}

static oe_options *options(const char *url)
{
    int freed = 0;
    oe_options *o = oe_options_new();
    STATUS(oe_options_set_api_key(o, "k"));
    STATUS(oe_options_set_backend(o, 0));
    STATUS(oe_options_set_endpoint(o, url));
    STATUS(oe_options_set_allow_http(o, 1));
    STATUS(oe_options_set_trust(o, 0));
    STATUS(oe_options_set_ca_file(o, NULL));
    STATUS(oe_options_set_ca_pem(o, NULL, 0));
    STATUS(oe_options_set_proxy(o, NULL));
    STATUS(oe_options_set_resolve(o, NULL, NULL));
    STATUS(oe_options_set_timeout_ms(o, 5000));
    STATUS(oe_options_set_connect_timeout_ms(o, 5000));
    STATUS(oe_options_set_interval_sec(o, 5));
    STATUS(oe_options_set_max_frame_age_ms(o, 0));
    STATUS(oe_options_set_workers(o, 2));
    STATUS(oe_options_set_user_agent(o, "x"));
    STATUS(oe_options_set_model_file(o, NULL));
    STATUS(oe_options_set_picture_memory_mb(o, 0));
    STATUS(oe_options_set_log(o, OE_LOG_INFO, on_log, &freed, free_data));
    CHECK(freed == 1); /* also when it fails so */
    /* None of them did anything: all are still as they were, and can be set. That they failed is remembered. */
    oe_client *client = NULL;
    IS(oe_client_new(o, &client), OE_ERR_PANIC);
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_backend(o, 0), OE_OK);
    IS(oe_options_set_trust(o, 0), OE_OK);
    IS(oe_options_set_ca_file(o, NULL), OE_OK);
    IS(oe_options_set_ca_pem(o, NULL, 0), OE_OK);
    IS(oe_options_set_proxy(o, NULL), OE_OK);
    IS(oe_options_set_resolve(o, NULL, NULL), OE_OK);
    IS(oe_options_set_model_file(o, NULL), OE_OK);
    return o;
}

/* A look that panics at any of its steps, pictures half decoded among them: its context is free again and waits as after any
 * failure, and what the look had taken, its turn and its memory, comes back. */
static void engine(const char *path)
{
    static uint8_t picture[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(picture, 1, sizeof picture, file) : 0;
    if (file) fclose(file);
    CHECK(length > 0);
    oe_options *o = oe_options_new();
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_info info = OE_INFO_INIT;
    char text[8193];
    size_t len;
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_options_set_picture_memory_mb(o, 5), OE_OK);
    IS(oe_options_set_timeout_ms(o, 30000), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    how.flags = OE_PRINT_REPLAY;
    IS(oe_context_create_with(client, &how, &context), OE_OK);
    int64_t hours = 1;
    uint32_t nth = 1;
    for (;; nth += 1 + nth / 8) {
        oe_test_panic_in_look(nth);
        oe_status status = oe_process_jpeg_at(context, picture, length, hours++ * 3600000, &result);
        if (status == OE_OK) break; /* it asks less often */
        IS(status, OE_ERR_PANIC);
        IS(oe_context_info(context, &info), OE_OK);
        CHECK(info.last_status == OE_ERR_PANIC && info.failures_in_a_row > 0);
        IS(oe_process_jpeg_at(context, picture, length, (hours - 1) * 3600000 + 19000, &result), OE_NOT_DUE);
        IS(oe_context_save(context, text, sizeof text, &len), OE_OK);
    }
    CHECK(nth > 100);
    oe_test_panic_in_look(0);
    /* A monitor's look: told as an error, and its worker goes on. */
    oe_monitor *monitor = NULL;
    oe_event event = OE_EVENT_INIT;
    oe_test_panic_in_look(50);
    IS(oe_monitor_start(client, 0, 0, 4, &monitor), OE_OK);
    IS(oe_monitor_submit(monitor, picture, length, 0), OE_OK);
    do IS(oe_client_next_event(client, 60000, &event, NULL, NULL), OE_OK); while (event.kind == OE_EVENT_FRAME_WANTED);
    CHECK(event.kind == OE_EVENT_ERROR && event.status == OE_ERR_PANIC);
    IS(oe_monitor_info(monitor, &info), OE_OK);
    CHECK(info.last_status == OE_ERR_PANIC);
    oe_monitor_free(monitor);
    IS(oe_process_jpeg_at(context, picture, length, hours * 3600000, &result), OE_OK);
    oe_context_free(context);
    oe_client_free(client);
    oe_options_free(o);
}

int main(int argc, char **argv)
{
    if (argc != 4 || !(report = fopen(argv[1], "w"))) return 2;
    make_jpeg();
    int before = descriptors();
    pure();
    oe_options *o = options(argv[2]);
    oe_client *client = (oe_client *)o;
    oe_context *context = (oe_context *)o;
    oe_monitor *monitor = (oe_monitor *)o;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_usage usage = OE_USAGE_INIT;
    oe_info info = OE_INFO_INIT;
    oe_event event = OE_EVENT_INIT;
    char text[8193];
    size_t len;
    uint32_t due;
    STATUS(oe_client_new(o, &client));
    IS(oe_client_new(o, &client), OE_OK);
    STATUS(oe_client_cancel(client));
    STATUS(oe_client_create_due_in_ms(client, &due));
    STATUS(oe_client_check_key(client));
    STATUS(oe_client_clear_latch(client));
    STATUS(oe_client_usage(client, &usage));
    STATUS(oe_client_next_event(client, 0, &event, &result, &error));
    GIVES(oe_client_event_fd(client), -1);
    STATUS(oe_context_create(client, 0, 0, &context));
    STATUS(oe_context_create_with(client, NULL, &context));
    STATUS(oe_context_restore(client, "x", &context));
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    STATUS(oe_context_renew(context));
    STATUS(oe_process_jpeg(context, jpeg, 1000, &result));
    STATUS(oe_process_jpeg_at(context, jpeg, 1000, 0, &result));
    STATUS(oe_context_due_in_ms(context, &due));
    STATUS(oe_context_wait_due(context));
    STATUS(oe_context_cancel(context));
    STATUS(oe_context_set_interval_sec(context, 5));
    STATUS(oe_context_set_confidence(context, 1, 1));
    STATUS(oe_context_save(context, text, sizeof text, &len));
    STATUS(oe_context_info(context, &info));
    STATUS(oe_context_last_error(context, &error));
    IS(oe_process_jpeg(context, jpeg, 1000, &result), OE_OK); /* the first: nothing was sent before */
    STATUS(oe_monitor_start(client, 0, 0, 1, &monitor));
    STATUS(oe_monitor_start_with(client, NULL, 1, &monitor));
    STATUS(oe_monitor_start_saved(client, "x", 1, &monitor));
    IS(oe_monitor_start(client, 0, 0, 1, &monitor), OE_OK);
    STATUS(oe_monitor_pause(monitor));
    STATUS(oe_monitor_resume(monitor));
    STATUS(oe_monitor_mute(monitor, 1));
    STATUS(oe_monitor_set_interval_sec(monitor, 5));
    STATUS(oe_monitor_set_confidence(monitor, 1, 1));
    STATUS(oe_monitor_submit(monitor, jpeg, 1000, 0));
    STATUS(oe_monitor_info(monitor, &info));
    STATUS(oe_monitor_save(monitor, text, sizeof text, &len));
    STATUS(oe_monitor_stop(monitor));
    IS(oe_monitor_pause(monitor), OE_OK); /* it was not stopped */
    IS(oe_last_error(&error), OE_OK);
    CHECK(error.status == OE_ERR_PANIC);
    /* A free that panics has freed nothing; the next one does. */
    CALL(oe_monitor_free(monitor));
    CALL(oe_context_free(context));
    CALL(oe_client_free(client));
    CALL(oe_options_free(o));
    IS(oe_monitor_pause(monitor), OE_OK);
    oe_monitor_free(monitor);
    oe_context_free(context);
    oe_client_free(client);
    oe_options_free(o);
    IS(oe_monitor_pause(monitor), OE_ERR_HANDLE);
    engine(argv[3]);
    CHECK(soon(threads, 1));
    CHECK(soon(descriptors, before));
    return finish();
}
