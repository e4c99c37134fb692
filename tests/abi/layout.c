/* What programs that are out there were compiled with: sizes, offsets and numbers, on 64 and on 32 bits alike. A line here
 * is added to, never changed. */
#include <oe_process.h>

#define AT(type, member, offset, size) \
    _Static_assert(offsetof(type, member) == (offset) && sizeof(((type *)0)->member) == (size), #type "." #member)
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#define IS(name, number) _Static_assert((name) == (number), #name)

SIZE(oe_status, 4);
SIZE(oe_error, 336);
AT(oe_error, struct_size, 0, 4); AT(oe_error, status, 4, 4); AT(oe_error, http_status, 8, 4);
AT(oe_error, retry_after_ms, 12, 4); AT(oe_error, error_type, 16, 64); AT(oe_error, text, 80, 256);
SIZE(oe_usage, 64);
AT(oe_usage, struct_size, 0, 4); AT(oe_usage, contexts, 4, 4); AT(oe_usage, processed, 8, 8);
AT(oe_usage, possibly_billed, 16, 8); AT(oe_usage, failed, 24, 8); AT(oe_usage, creates, 32, 8);
AT(oe_usage, bytes_sent, 40, 8); AT(oe_usage, bytes_received, 48, 8); AT(oe_usage, latched, 56, 4);
AT(oe_usage, reserved, 60, 4);
SIZE(oe_info, 40);
AT(oe_info, struct_size, 0, 4); AT(oe_info, using_fallback, 4, 4); AT(oe_info, failures_in_a_row, 8, 4);
AT(oe_info, last_quality, 12, 4); AT(oe_info, age_sec, 16, 8); AT(oe_info, calls, 24, 8); AT(oe_info, last_status, 32, 4);
AT(oe_info, due_in_ms, 36, 4);
SIZE(oe_region, 8);
AT(oe_region, x, 0, 2); AT(oe_region, y, 2, 2); AT(oe_region, width, 4, 2); AT(oe_region, height, 6, 2);
SIZE(oe_print_options, 88);
AT(oe_print_options, struct_size, 0, 4); AT(oe_print_options, warning_confidence, 4, 4);
AT(oe_print_options, pause_confidence, 8, 4); AT(oe_print_options, interval_sec, 12, 4);
AT(oe_print_options, ignore_count, 16, 4); AT(oe_print_options, flags, 20, 4); AT(oe_print_options, ignore, 24, 64);
SIZE(oe_result, 56);
AT(oe_result, struct_size, 0, 4); AT(oe_result, print_quality, 4, 4); AT(oe_result, score, 8, 4);
AT(oe_result, warning_suggested, 12, 4); AT(oe_result, pause_suggested, 16, 4);
AT(oe_result, faster_inspection_suggested, 20, 4); AT(oe_result, minimum_interval_sec, 24, 4);
AT(oe_result, recommended_interval_sec, 28, 4); AT(oe_result, next_due_ms, 32, 4); AT(oe_result, flags, 36, 4);
AT(oe_result, latency_ms, 40, 4); AT(oe_result, frame_age_ms, 44, 4);
AT(oe_result, place, 48, 8);
SIZE(oe_event, 24);
AT(oe_event, struct_size, 0, 4); AT(oe_event, kind, 4, 4); AT(oe_event, tag, 8, 8); AT(oe_event, status, 16, 4);
AT(oe_event, age_ms, 20, 4);

IS(OE_OK, 0); IS(OE_NOT_DUE, 1); IS(OE_CANCELLED, 2); IS(OE_NO_EVENT, 3); IS(OE_BLIND, 4);
IS(OE_ERR_ARGUMENT, -1); IS(OE_ERR_HANDLE, -2); IS(OE_ERR_ABI, -3); IS(OE_ERR_BUSY, -4); IS(OE_ERR_BUFFER, -5);
IS(OE_ERR_NOT_JPEG, -6); IS(OE_ERR_IMAGE_TOO_LARGE, -7); IS(OE_ERR_STALE_FRAME, -8); IS(OE_ERR_FORKED, -9);
IS(OE_ERR_REENTRANT, -10); IS(OE_ERR_UNSUPPORTED, -11); IS(OE_ERR_CLOSED, -12);
IS(OE_ERR_DNS, -20); IS(OE_ERR_CONNECT, -21); IS(OE_ERR_IO, -22); IS(OE_ERR_TIMEOUT, -23); IS(OE_ERR_PROXY, -24);
IS(OE_ERR_TLS, -40); IS(OE_ERR_CLOCK, -41);
IS(OE_ERR_RATE_LIMITED, -50); IS(OE_ERR_THROTTLED, -51); IS(OE_ERR_SERVER, -52); IS(OE_ERR_PROTOCOL, -53);
IS(OE_ERR_CONTEXT_LOST, -54); IS(OE_ERR_IMAGE_REJECTED, -55); IS(OE_ERR_REQUEST_REJECTED, -56);
IS(OE_ERR_UNTRUSTED_URL, -57);
IS(OE_ERR_INVALID_API_KEY, -70); IS(OE_ERR_API_KEY_DISABLED, -71); IS(OE_ERR_PAYMENT_FAILED, -72);
IS(OE_ERR_IP_RESTRICTED, -73); IS(OE_ERR_FREE_LIMIT, -74); IS(OE_ERR_AUTH_UNCONFIRMED, -75);
IS(OE_ERR_PANIC, -90); IS(OE_ERR_RESOURCES, -91); IS(OE_ERR_MODEL, -92);
IS(OE_BACKEND_SERVICE, 0); IS(OE_BACKEND_EMBEDDED, 1); IS(OE_TRUST_BUNDLED, 0); IS(OE_TRUST_SYSTEM, 1);
IS(OE_RESULT_WARNING_EDGE, 1); IS(OE_RESULT_PAUSE_EDGE, 2); IS(OE_RESULT_FALLBACK, 4); IS(OE_RESULT_REPEATED_FRAME, 8);
IS(OE_RESULT_LATE, 16); IS(OE_RESULT_TIMING_DEFAULTED, 32); IS(OE_RESULT_EMBEDDED, 64);
IS(OE_EVENT_FRAME_WANTED, 1); IS(OE_EVENT_RESULT, 2); IS(OE_EVENT_WARNING, 3); IS(OE_EVENT_PAUSE, 4);
IS(OE_EVENT_ERROR, 5); IS(OE_EVENT_RECOVERED, 6); IS(OE_EVENT_CAMERA_STALLED, 7); IS(OE_EVENT_CAMERA_BACK, 8);
IS(OE_EVENT_CONTEXT_RENEWED, 9); IS(OE_EVENT_LATCHED, 10); IS(OE_EVENT_STOPPED, 11);
IS(OE_LOG_ERROR, 1); IS(OE_LOG_WARN, 2); IS(OE_LOG_INFO, 3); IS(OE_LOG_DEBUG, 4); IS(OE_LOG_TRACE, 5);
IS(OE_NEVER, 4294967295u);
IS(OE_PRINT_REPLAY, 1);
IS(OE_LEVEL_UNKNOWN, 0); IS(OE_LEVEL_GOOD, 1); IS(OE_LEVEL_WATCH, 2); IS(OE_LEVEL_BAD, 3);
IS(OE_FEATURE_EMBEDDED, 1); IS(OE_FEATURE_TLS, 2); IS(OE_FEATURE_EVENT_FD, 3); IS(OE_FEATURE_MONITOR, 4);

/* Each type where programs rely on it. */
static intptr_t (*const event_fd)(oe_client *) = oe_client_event_fd;
static oe_status (*const next_event)(oe_client *, uint32_t, oe_event *, oe_result *, oe_error *) = oe_client_next_event;
static oe_status (*const start)(oe_client *, int32_t, int32_t, uint64_t, oe_monitor **) = oe_monitor_start;
static oe_status (*const submit)(oe_monitor *, const uint8_t *, size_t, int64_t) = oe_monitor_submit;
static oe_status (*const process)(oe_context *, const uint8_t *, size_t, oe_result *) = oe_process_jpeg;
static oe_status (*const set_log)(oe_options *, int32_t, oe_log_fn, void *, void (*)(void *)) = oe_options_set_log;

int main(void)
{
    return !event_fd + !next_event + !start + !submit + !process + !set_log;
}
