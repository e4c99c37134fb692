/* oe_process.hpp against a service at argv[1] with the image argv[2]. Compiled with and without exceptions, and linked
 * with other.cpp, which includes it too. */
#include <oe_process.hpp>
#include <oe_process.hpp>

#include <cstdio>
#include <cstring>
#include <type_traits>
#include <vector>

extern int from_another_unit();

static int failures;
#define CHECK(condition) \
    do { if (!(condition)) { failures++; std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); } } while (0)

static_assert(!std::is_copy_constructible<oe::client>::value && !std::is_copy_assignable<oe::monitor>::value, "owned once");
static_assert(std::is_nothrow_move_constructible<oe::context>::value, "may live in a vector");
static_assert(std::is_nothrow_move_assignable<oe::monitor>::value, "may live in a vector");
static_assert(!std::is_convertible<oe::client, bool>::value, "never a number by accident");
static_assert(sizeof(oe::monitor) == sizeof(void *), "a handle and nothing else");

static std::vector<std::uint8_t> jpeg;
static int lines;

static oe::client connect(const char *endpoint)
{
    oe::options options;
    oe::client client;
    CHECK(options.set_api_key(std::string("k")) == OE_OK && options.set_endpoint(endpoint) == OE_OK);
    CHECK(options.set_allow_http(true) == OE_OK && options.set_interval_sec(5) == OE_OK);
    CHECK(options.set_timeout(std::chrono::seconds(30)) == OE_OK);
    CHECK(options.set_timeout(std::chrono::milliseconds(-5)) == OE_ERR_ARGUMENT);
    CHECK(options.set_timeout(std::chrono::hours(1000000)) == OE_ERR_ARGUMENT);
    CHECK(options.set_picture_memory_mb(64) == OE_OK && options.set_picture_memory_mb(1) == OE_ERR_ARGUMENT);
    const std::vector<int> mine(1000, 1); /* freed with the log function */
    const oe::status set = options.set_log(OE_LOG_DEBUG, [mine](std::int32_t level, const char *text) {
        lines += level > 0 && text[0] != '\0' ? mine[0] : 0;
#ifndef OE_NO_EXCEPTIONS
        throw mine; /* goes no further */
#endif
    });
    CHECK(set == OE_OK);
    CHECK(client.open(options) == OE_OK && client);
    return client;
}

static void owning(oe::client &client)
{
    oe::monitor empty;
    CHECK(!empty && empty.pause() == OE_ERR_HANDLE);
    oe::monitor one, two;
    CHECK(one.start(client, 0, 0, 1) == OE_OK && two.start(client, 0, 0, 2) == OE_OK);
    oe_monitor *raw = one.get();
    oe::monitor moved(std::move(one));
    CHECK(!one && moved.get() == raw && moved.pause() == OE_OK);
    oe::monitor &same = moved;
    moved = std::move(same);
    CHECK(moved.get() == raw && moved.resume() == OE_OK);
    two = std::move(moved); /* frees what two had */
    CHECK(two.get() == raw && !moved);
    oe_monitor *handed = two.release();
    CHECK(!two && oe_monitor_pause(handed) == OE_OK);
    oe::monitor again(handed);
    again.reset();
    CHECK(oe_monitor_pause(handed) == OE_ERR_HANDLE);
    std::vector<oe::monitor> many;
    for (int n = 0; n < 20; n++) {
        many.push_back(oe::monitor());
        CHECK(many.back().start(client, 1, 5, 100) == OE_OK);
    }
    CHECK(many.front().start(client, 9, 0, 1) == OE_ERR_ARGUMENT && !many.front());
}

static void one_context(oe::client &client)
{
    oe::context context;
    oe::result result;
    oe::info info;
    oe::error error;
    std::uint32_t due = 1;
    std::string saved;
    CHECK(context.create(client) == OE_OK);
    CHECK(context.process(jpeg.data(), 3, result) != OE_OK || result.print_quality == 8);
    CHECK(context.read(info) == OE_OK && info.calls == 1);
    CHECK(context.process(jpeg.data(), jpeg.size(), result) == OE_NOT_DUE);
    CHECK(context.process_at(jpeg.data(), jpeg.size(), 1, result) == OE_ERR_STALE_FRAME);
    CHECK(context.last_error(error) == OE_OK && error.status == OE_ERR_STALE_FRAME);
    CHECK(context.due_in_ms(due) == OE_OK && due > 0 && context.set_interval_sec(6) == OE_OK);
    CHECK(context.set_confidence(1, 5) == OE_OK && context.set_confidence(0, 6) == OE_ERR_ARGUMENT);
    CHECK(result.place.width == 0 && oe::result().quality_level() == OE_LEVEL_UNKNOWN);
    CHECK(context.save(saved) == OE_OK && saved.size() > 50 && saved.find('\0') == std::string::npos);
    CHECK(context.restore(client, saved) == OE_OK && context.cancel() == OE_OK);
    CHECK(context.restore(client, "x") == OE_ERR_ARGUMENT && !context);
    oe::print_options with;
    with.warning_confidence = 2;
    CHECK(context.create(client, with) == OE_OK && context.cancel() == OE_OK);
    with.add_ignored(oe_region{0, 0, 100, 100});
    CHECK(context.create(client, with) == OE_ERR_UNSUPPORTED && !context);
    for (int n = 0; n < 8; n++) with.add_ignored(oe_region{0, 0, 100, 100});
    CHECK(context.create(client, with) == OE_ERR_ARGUMENT);
    CHECK(context.wait_due() == OE_ERR_HANDLE && context.renew() == OE_ERR_HANDLE);
}

static void one_monitor(oe::client &client)
{
    oe::monitor print;
    CHECK(print.start(client, oe::print_options(), 5) == OE_OK && print.set_confidence(1, 2) == OE_OK);
    oe::event event;
    oe::info info;
    oe::usage usage;
    std::string saved;
    CHECK(print.start(client, 0, 0, 42) == OE_OK);
    bool verdict = false;
    for (int n = 0; n < 100 && !verdict; n++) {
        if (client.next_event(event, std::chrono::milliseconds(200)) != OE_OK || event.tag != 42) continue;
        if (event.kind == OE_EVENT_FRAME_WANTED) CHECK(print.submit(jpeg.data(), jpeg.size()) == OE_OK);
        verdict = event.kind == OE_EVENT_RESULT;
    }
    CHECK(verdict && event.result.print_quality == 8 && !event.result.pause_edge() && !event.result.warning_edge());
    CHECK(std::strcmp(event.result.quality_text(), "great") == 0 && event.age() < std::chrono::seconds(10));
    CHECK(print.read(info) == OE_OK && info.last_quality == 8 && client.read(usage) == OE_OK && usage.processed >= 1);
    CHECK(print.mute() == OE_OK && print.mute(false) == OE_OK && print.set_interval_sec(7) == OE_OK);
    CHECK(print.save(saved) == OE_OK && print.stop() == OE_OK && print.pause() == OE_ERR_CLOSED);
    CHECK(print.start_saved(client, saved, 43) == OE_OK && client.event_fd() >= 0);
    CHECK(client.next_event(event) == OE_NO_EVENT);
    std::uint32_t due = 1;
    CHECK(client.create_due_in_ms(due) == OE_OK && due == 0 && client.check_key() == OE_OK);
    CHECK(client.clear_latch() == OE_OK && client.cancel() == OE_OK);
}

static void throwing(oe::client &client)
{
#ifndef OE_NO_EXCEPTIONS
    oe::options none;
    try {
        oe::client without_a_key(none);
        CHECK(false);
    } catch (const oe::exception &failed) {
        CHECK(failed.status() == OE_ERR_ARGUMENT && std::strlen(failed.what()) > 5);
        CHECK(failed.details().status == OE_ERR_ARGUMENT && failed.details().http_status == 0);
    }
    try {
        oe::monitor bad(client, 0, 7, 1);
        CHECK(false);
    } catch (const std::runtime_error &) {
    }
    /* The thread's last error is that of the monitor now: nothing of it becomes that of another status. */
    const oe::exception other(OE_ERR_TIMEOUT);
    CHECK(std::strcmp(other.what(), oe_status_text(OE_ERR_TIMEOUT)) == 0);
    CHECK(std::strcmp(other.details().text, other.what()) == 0 && other.details().status == OE_ERR_TIMEOUT);
    oe::error refused;
    refused.status = OE_ERR_FREE_LIMIT;
    refused.http_status = 403;
    refused.retry_after_ms = OE_NEVER;
    std::strcpy(refused.error_type, "OE_FREE_USAGE_LIMIT_REACHED");
    std::strcpy(refused.text, "the text of another error");
    const oe::exception mixed(OE_ERR_DNS, refused), right(OE_ERR_FREE_LIMIT, refused);
    CHECK(mixed.status() == OE_ERR_DNS && std::strcmp(mixed.details().text, oe_status_text(OE_ERR_DNS)) == 0);
    CHECK(mixed.details().http_status == 0 && mixed.details().retry_after_ms == 0 && !mixed.details().error_type[0]);
    CHECK(mixed.details().struct_size == sizeof(oe_error));
    CHECK(std::strcmp(right.what(), refused.text) == 0 && right.details().http_status == 403);
    refused.text[0] = '\0';
    CHECK(std::strcmp(oe::exception(OE_ERR_FREE_LIMIT, refused).details().text, oe_status_text(OE_ERR_FREE_LIMIT)) == 0);
    oe::context context(client);
    oe::event event;
    CHECK(oe::check(OE_NOT_DUE) == OE_NOT_DUE && oe::check(client.next_event(event)) == OE_NO_EVENT);
#else
    (void)client;
#endif
}

int main(int argc, char **argv)
{
    CHECK(std::strcmp(oe::version_string(), OE_VERSION_STRING) == 0 && oe::has(OE_FEATURE_MONITOR) && !oe::has(0));
    {
        oe::options pinned;
        CHECK(pinned.set_resolve(std::string("a.invalid"), std::string("::1")) == OE_OK);
        CHECK(pinned.set_resolve("a.invalid", nullptr) == OE_OK);
        CHECK(pinned.set_resolve("a.invalid", "x") == OE_ERR_ARGUMENT);
    }
    std::FILE *file = argc > 2 ? std::fopen(argv[2], "rb") : nullptr;
    if (!file) return 2;
    jpeg.resize(1 << 20);
    jpeg.resize(std::fread(jpeg.data(), 1, jpeg.size(), file));
    std::fclose(file);
    CHECK(oe::version() == OE_VERSION && oe::build_info().size() > 10 && from_another_unit() == OE_VERSION_MAJOR);
    CHECK(std::strcmp(oe::status_name(OE_ERR_TLS), "OE_ERR_TLS") == 0 && oe::is_retryable(OE_ERR_TLS));
    CHECK(oe::never() == std::chrono::milliseconds(OE_NEVER));
    {
        oe::client client = connect(argv[1]);
        one_context(client);
        one_monitor(client);
        owning(client);
        throwing(client);
    }
    CHECK(lines > 0);
    std::printf("%d failures\n", failures);
    return failures != 0;
}
