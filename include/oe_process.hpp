/* oe_process.hpp: the C++ face of oe_process.h. C++11 or later, header only; adds no symbol to the library.
 *
 * Each handle is owned by an object that can be moved but not copied, and is freed with it. Every operation is the C
 * function of that name and returns its status; the comments of oe_process.h hold. oe::check() turns a status below zero
 * into an exception, so that both styles read well:
 *
 *     oe::check(monitor.pause());                          // throws oe::exception
 *     if (monitor.pause() != OE_OK) ...                    // does not
 *
 * Constructors that can fail throw. With OE_NO_EXCEPTIONS defined nothing throws, and they do not exist: an object is made
 * empty and filled by open(), start() and the like, which return a status. A compiler that has exceptions turned off has
 * it defined by this header. Parts of one program may differ in it.
 *
 *     oe::options options;                                 oe::client client;
 *     oe::check(options.set_api_key(key));                 oe::check(client.open(options));
 *     oe::monitor print(client, 0, 0, 1);                  // or print.start(client, 0, 0, 1)
 *
 * From C++17 on a status that nobody looks at is a warning; say (void) where you mean it.
 *
 * An object that is empty, or was moved from, holds NULL: its operations return OE_ERR_HANDLE. Objects may be destroyed in
 * any order. Using one from several threads is as safe as the handle is; moving or destroying it meanwhile is not.
 */
#ifndef OE_PROCESS_HPP
#define OE_PROCESS_HPP

#include <oe_process.h>

/* Whether the compiler has exceptions: the standard's word, those of older GCC and of Microsoft's. */
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define OE_HPP_CATCHES 1
#else
#define OE_HPP_CATCHES 0
#endif
#if !OE_HPP_CATCHES && !defined(OE_NO_EXCEPTIONS)
#define OE_NO_EXCEPTIONS
#endif

#if __cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#define OE_HPP_NODISCARD [[nodiscard]]
#else
#define OE_HPP_NODISCARD
#endif

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <utility>
#ifndef OE_NO_EXCEPTIONS
#include <stdexcept>
#endif

namespace oe {

/** How a call ended: OE_OK, above zero nothing is wrong, below zero the group says who has to act. */
using status = oe_status;

/* ---- structures that come prepared ---- */

/** oe_error, prepared for a call. */
struct error : oe_error {
    error() noexcept { oe_error_init(this, sizeof(oe_error)); }
    /** The last failed call of the calling thread. */
    static error last() noexcept
    {
        error out;
        (void)oe_last_error(&out);
        return out;
    }
};

/** oe_result, prepared for a call. */
struct result : oe_result {
    result() noexcept { oe_result_init(this, sizeof(oe_result)); }
    /** Tell the user now. */
    bool warning_edge() const noexcept { return (flags & OE_RESULT_WARNING_EDGE) != 0; }
    /** Pause the print now. */
    bool pause_edge() const noexcept { return (flags & OE_RESULT_PAUSE_EDGE) != 0; }
    /** What to make of print_quality: OE_LEVEL_... */
    std::int32_t quality_level() const noexcept { return oe_quality_level(print_quality); }
    /** The service's words for print_quality. */
    const char *quality_text() const noexcept { return oe_quality_text(print_quality); }
};

/** oe_usage, prepared for a call. */
struct usage : oe_usage {
    usage() noexcept { oe_usage_init(this, sizeof(oe_usage)); }
};

/** oe_info, prepared for a call. */
struct info : oe_info {
    info() noexcept { oe_info_init(this, sizeof(oe_info)); }
};

/** oe_print_options, prepared for a call. */
struct print_options : oe_print_options {
    print_options() noexcept { oe_print_options_init(this, sizeof(oe_print_options)); }
    /** A part of the picture, in thousandths, that is never judged. The ninth makes the call fail. */
    void add_ignored(const oe_region &region) noexcept
    {
        if (ignore_count < sizeof ignore / sizeof *ignore) ignore[ignore_count] = region;
        ignore_count++;
    }
};

/** oe_event, prepared for a call, with the verdict and the error that some kinds come with. */
struct event : oe_event {
    oe::result result; /**< Of RESULT, WARNING and PAUSE. */
    oe::error error;   /**< Of ERROR, LATCHED and STOPPED. */
    event() noexcept { oe_event_init(this, sizeof(oe_event)); }
    /** Since it was queued. */
    std::chrono::milliseconds age() const noexcept { return std::chrono::milliseconds(age_ms); }
};

/* ---- errors ---- */

#ifndef OE_NO_EXCEPTIONS
/** A status below zero, with its details. */
class exception : public std::runtime_error {
public:
    /** Of a call that just failed on this thread. */
    explicit exception(oe::status failed) : exception(failed, oe::error::last()) {}
    /** With these details, if they are of this status; else with what is known of it alone. */
    exception(oe::status failed, const oe::error &details) : exception(of(failed, details)) {}
    OE_HPP_NODISCARD oe::status status() const noexcept { return details_.status; }
    /** HTTP status, retry time, the service's word for the reason. */
    const oe::error &details() const noexcept { return details_; }

private:
    explicit exception(const oe::error &own) : std::runtime_error(own.text), details_(own) {}

    /* The thread's last error may be that of another call: nothing of it is taken then. */
    static oe::error of(oe::status failed, const oe::error &details) noexcept
    {
        oe::error own;
        if (details.status == failed) own = details;
        own.status = failed;
        if (own.text[0] == '\0') {
            const char *text = oe_status_text(failed);
            const std::size_t len = std::strlen(text), most = sizeof own.text - 1; /* whose last byte is 0 already */
            std::memcpy(own.text, text, len < most ? len : most);
        }
        return own;
    }

    oe::error details_;
};

/** Throws on a status below zero, and gives back any other: OE_NOT_DUE, OE_CANCELLED and OE_NO_EVENT are no errors. */
inline oe::status check(oe::status got)
{
    if (got < 0) throw exception(got);
    return got;
}
#endif

/* ---- what all handles have ---- */

namespace detail {

template <class T, void (*Free)(T *)>
class handle {
public:
    handle() noexcept : raw_(nullptr) {}
    explicit handle(T *raw) noexcept : raw_(raw) {}
    handle(handle &&other) noexcept : raw_(other.release()) {}
    handle &operator=(handle &&other) noexcept
    {
        if (this != &other) reset(other.release());
        return *this;
    }
    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;
    ~handle() { Free(raw_); }

    /** The handle for C functions; stays owned. */
    T *get() const noexcept { return raw_; }
    explicit operator bool() const noexcept { return raw_ != nullptr; }
    /** Hands the handle over: from now on the caller frees it. */
    T *release() noexcept
    {
        T *raw = raw_;
        raw_ = nullptr;
        return raw;
    }
    /** Frees what it has, and takes over another handle. */
    void reset(T *raw = nullptr) noexcept
    {
        T *before = raw_;
        raw_ = raw;
        Free(before);
    }

protected:
    /** Frees what it has and takes what a constructor in C gives. */
    template <class Make>
    OE_HPP_NODISCARD status fill(Make make) noexcept
    {
        T *raw = nullptr;
        status got = make(&raw);
        reset(raw);
        return got;
    }

private:
    T *raw_;
};

/** Text whose length is not known before: asked for, then fetched; again if it grew meanwhile. */
template <class Fetch>
OE_HPP_NODISCARD status text(std::string &out, Fetch fetch)
{
    std::size_t len = 0;
    status got = fetch(static_cast<char *>(nullptr), static_cast<std::size_t>(0), &len);
    while (got == OE_ERR_BUFFER) {
        out.resize(len + 1);
        got = fetch(&out[0], out.size(), &len);
    }
    out.resize(got == OE_OK ? len : 0);
    return got;
}

inline std::uint32_t ms(std::chrono::milliseconds time) noexcept
{
    if (time.count() <= 0) return 0;
    if (time.count() >= static_cast<std::chrono::milliseconds::rep>(OE_NEVER)) return OE_NEVER;
    return static_cast<std::uint32_t>(time.count());
}

} /* namespace detail */

/** Waits for ever. */
inline std::chrono::milliseconds never() noexcept { return std::chrono::milliseconds(OE_NEVER); }

/** Version, target, features, TLS provider and trust roots of the library that is loaded. */
inline std::string build_info()
{
    std::string out(oe_build_info(nullptr, 0) + 1, '\0');
    out.resize(oe_build_info(&out[0], out.size()));
    return out;
}

/** The version of the library that is loaded, to compare with OE_VERSION. */
inline std::uint32_t version() noexcept { return oe_version(); }
/** The same as text, "0.2.0" for example. */
inline const char *version_string() noexcept { return oe_version_string(); }
/** Whether the library that is loaded has a feature (OE_FEATURE_...). */
inline bool has(std::int32_t feature) noexcept { return oe_has(feature) == 1; }

/** "OE_ERR_TIMEOUT", for example. */
inline const char *status_name(status s) noexcept { return oe_status_name(s); }
/** One sentence for people. */
inline const char *status_text(status s) noexcept { return oe_status_text(s); }
/** Whether a loop that takes a new frame each time should go on. */
inline bool is_retryable(status s) noexcept { return oe_status_is_retryable(s) == 1; }

/** What is logged, and how much it matters (OE_LOG_...). Runs on any thread, one call at a time. */
using log_function = std::function<void(std::int32_t level, const char *text)>;

namespace detail {
/* These two are each unit's own, as is what names them (unit_only): units with exceptions and units without may be parts of
 * one program, and a linker that merged them would leave one body for both. A log function that throws would then end the
 * program, or not, by the order in which they are linked. */
extern "C" {
static inline void oe_hpp_log(void *user_data, std::int32_t level, const char *text)
{
#if OE_HPP_CATCHES
    try {
        (*static_cast<log_function *>(user_data))(level, text);
    } catch (...) { /* nothing may be thrown into the library */
    }
#else
    (*static_cast<log_function *>(user_data))(level, text);
#endif
}
static inline void oe_hpp_free_log(void *user_data) { delete static_cast<log_function *>(user_data); }
}
namespace {
struct unit_only {};
} /* namespace */
} /* namespace detail */

/* ---- options ---- */

/** What a client is made with. Made with the defaults; empty only when out of resources. */
class options : public detail::handle<oe_options, oe_options_free> {
public:
    options() noexcept : handle(oe_options_new()) {}

    OE_HPP_NODISCARD status set_api_key(const char *key) noexcept { return oe_options_set_api_key(get(), key); }
    OE_HPP_NODISCARD status set_api_key(const std::string &key) noexcept { return set_api_key(key.c_str()); }
    OE_HPP_NODISCARD status set_backend(std::int32_t backend) noexcept { return oe_options_set_backend(get(), backend); }
    OE_HPP_NODISCARD status set_endpoint(const char *base_url) noexcept { return oe_options_set_endpoint(get(), base_url); }
    OE_HPP_NODISCARD status set_endpoint(const std::string &base_url) noexcept { return set_endpoint(base_url.c_str()); }
    OE_HPP_NODISCARD status set_allow_http(bool allow) noexcept { return oe_options_set_allow_http(get(), allow ? 1 : 0); }
    OE_HPP_NODISCARD status set_trust(std::int32_t trust) noexcept { return oe_options_set_trust(get(), trust); }
    OE_HPP_NODISCARD status set_ca_file(const char *path) noexcept { return oe_options_set_ca_file(get(), path); }
    OE_HPP_NODISCARD status set_ca_file(const std::string &path) noexcept { return set_ca_file(path.c_str()); }
    OE_HPP_NODISCARD status set_ca_pem(const std::uint8_t *pem, std::size_t len) noexcept
    {
        return oe_options_set_ca_pem(get(), pem, len);
    }
    OE_HPP_NODISCARD status set_proxy(const char *url) noexcept { return oe_options_set_proxy(get(), url); }
    OE_HPP_NODISCARD status set_proxy(const std::string &url) noexcept { return set_proxy(url.c_str()); }
    /** "10.0.0.5, fd00::5": connect there for this host, no look-up. */
    OE_HPP_NODISCARD status set_resolve(const char *host, const char *addresses) noexcept
    {
        return oe_options_set_resolve(get(), host, addresses);
    }
    OE_HPP_NODISCARD status set_resolve(const std::string &host, const std::string &addresses) noexcept
    {
        return set_resolve(host.c_str(), addresses.c_str());
    }
    OE_HPP_NODISCARD status set_timeout(std::chrono::milliseconds total) noexcept
    {
        return oe_options_set_timeout_ms(get(), detail::ms(total));
    }
    OE_HPP_NODISCARD status set_connect_timeout(std::chrono::milliseconds time) noexcept
    {
        return oe_options_set_connect_timeout_ms(get(), detail::ms(time));
    }
    OE_HPP_NODISCARD status set_interval_sec(std::uint32_t sec) noexcept { return oe_options_set_interval_sec(get(), sec); }
    OE_HPP_NODISCARD status set_max_frame_age(std::chrono::milliseconds age) noexcept
    {
        return oe_options_set_max_frame_age_ms(get(), detail::ms(age));
    }
    OE_HPP_NODISCARD status set_workers(std::uint32_t count) noexcept { return oe_options_set_workers(get(), count); }
    OE_HPP_NODISCARD status set_user_agent(const char *product) noexcept { return oe_options_set_user_agent(get(), product); }
    OE_HPP_NODISCARD status set_user_agent(const std::string &product) noexcept { return set_user_agent(product.c_str()); }
    OE_HPP_NODISCARD status set_model_file(const char *path) noexcept { return oe_options_set_model_file(get(), path); }
    OE_HPP_NODISCARD status set_model_file(const std::string &path) noexcept { return set_model_file(path.c_str()); }
    OE_HPP_NODISCARD status set_picture_memory_mb(std::uint32_t mb) noexcept
    {
        return oe_options_set_picture_memory_mb(get(), mb);
    }
    /** Sets the log function; it is kept until everything made from these options is gone. What it throws is dropped. */
    template <class Unit = detail::unit_only>
    OE_HPP_NODISCARD status set_log(std::int32_t max_level, log_function function) noexcept
    {
        if (!function) return oe_options_set_log(get(), max_level, nullptr, nullptr, nullptr);
        log_function *kept = new (std::nothrow) log_function(std::move(function));
        if (!kept) return OE_ERR_RESOURCES;
        return oe_options_set_log(get(), max_level, detail::oe_hpp_log, kept, detail::oe_hpp_free_log);
    }
};

/* ---- client ---- */

/** One account, one connection pool, one place to wait for events. */
class client : public detail::handle<oe_client, oe_client_free> {
public:
    client() noexcept = default;
    explicit client(oe_client *raw) noexcept : handle(raw) {}
#ifndef OE_NO_EXCEPTIONS
    explicit client(const options &from) { oe::check(open(from)); }
#endif
    /** Makes a client in place of what this one held. No network. */
    OE_HPP_NODISCARD status open(const options &from) noexcept
    {
        return fill([&](oe_client **out) { return oe_client_new(from.get(), out); });
    }
    OE_HPP_NODISCARD status cancel() noexcept { return oe_client_cancel(get()); }
    /** Milliseconds until a create is allowed; OE_NEVER while latched. */
    OE_HPP_NODISCARD status create_due_in_ms(std::uint32_t &out) const noexcept
    {
        return oe_client_create_due_in_ms(get(), &out);
    }
    OE_HPP_NODISCARD status check_key() noexcept { return oe_client_check_key(get()); }
    OE_HPP_NODISCARD status clear_latch() noexcept { return oe_client_clear_latch(get()); }
    OE_HPP_NODISCARD status read(usage &out) const noexcept { return oe_client_usage(get(), &out); }
    /** Takes the oldest unread event, waiting for it up to `timeout`; OE_NO_EVENT if none comes. */
    OE_HPP_NODISCARD status next_event(event &out, std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) noexcept
    {
        return oe_client_next_event(get(), detail::ms(timeout), &out, &out.result, &out.error);
    }
    /** Readable while there are unread events; the library's, never to be read or closed; -1 where there is none. */
    std::intptr_t event_fd() const noexcept { return oe_client_event_fd(get()); }
};

/* ---- context ---- */

/** One print, for a loop of your own. */
class context : public detail::handle<oe_context, oe_context_free> {
public:
    context() noexcept = default;
    explicit context(oe_context *raw) noexcept : handle(raw) {}
#ifndef OE_NO_EXCEPTIONS
    explicit context(const client &of, std::int32_t warning_confidence = 0, std::int32_t pause_confidence = 0)
    {
        oe::check(create(of, warning_confidence, pause_confidence));
    }
#endif
    OE_HPP_NODISCARD status create(
        const client &of, std::int32_t warning_confidence = 0, std::int32_t pause_confidence = 0) noexcept
    {
        return fill([&](oe_context **out) { return oe_context_create(of.get(), warning_confidence, pause_confidence, out); });
    }
    OE_HPP_NODISCARD status create(const client &of, const oe_print_options &with) noexcept
    {
        return fill([&](oe_context **out) { return oe_context_create_with(of.get(), &with, out); });
    }
    OE_HPP_NODISCARD status restore(const client &of, const std::string &saved) noexcept
    {
        return fill([&](oe_context **out) { return oe_context_restore(of.get(), saved.c_str(), out); });
    }
    OE_HPP_NODISCARD status process(const std::uint8_t *jpeg, std::size_t len, result &out) noexcept
    {
        return oe_process_jpeg(get(), jpeg, len, &out);
    }
    /** Of a frame whose capture time is known, in milliseconds since 1970. */
    OE_HPP_NODISCARD status process_at(
        const std::uint8_t *jpeg, std::size_t len, std::int64_t captured_unix_ms, result &out) noexcept
    {
        return oe_process_jpeg_at(get(), jpeg, len, captured_unix_ms, &out);
    }
    OE_HPP_NODISCARD status renew() noexcept { return oe_context_renew(get()); }
    OE_HPP_NODISCARD status due_in_ms(std::uint32_t &out) const noexcept { return oe_context_due_in_ms(get(), &out); }
    OE_HPP_NODISCARD status wait_due() noexcept { return oe_context_wait_due(get()); }
    OE_HPP_NODISCARD status cancel() noexcept { return oe_context_cancel(get()); }
    OE_HPP_NODISCARD status set_interval_sec(std::uint32_t sec) noexcept { return oe_context_set_interval_sec(get(), sec); }
    OE_HPP_NODISCARD status set_confidence(std::int32_t warning_confidence, std::int32_t pause_confidence) noexcept
    {
        return oe_context_set_confidence(get(), warning_confidence, pause_confidence);
    }
    /** To survive a restart; a secret. */
    OE_HPP_NODISCARD status save(std::string &out) const
    {
        return detail::text(out, [&](char *buf, std::size_t cap, std::size_t *needed) {
            return oe_context_save(get(), buf, cap, needed);
        });
    }
    OE_HPP_NODISCARD status read(info &out) const noexcept { return oe_context_info(get(), &out); }
    OE_HPP_NODISCARD status last_error(error &out) const noexcept { return oe_context_last_error(get(), &out); }
};

/* ---- monitor ---- */

/** One print that is watched; what happens is told by its client. */
class monitor : public detail::handle<oe_monitor, oe_monitor_free> {
public:
    monitor() noexcept = default;
    explicit monitor(oe_monitor *raw) noexcept : handle(raw) {}
#ifndef OE_NO_EXCEPTIONS
    monitor(const client &of, std::int32_t warning_confidence, std::int32_t pause_confidence, std::uint64_t tag)
    {
        oe::check(start(of, warning_confidence, pause_confidence, tag));
    }
#endif
    OE_HPP_NODISCARD status start(
        const client &of, std::int32_t warning_confidence, std::int32_t pause_confidence, std::uint64_t tag) noexcept
    {
        return fill([&](oe_monitor **out) {
            return oe_monitor_start(of.get(), warning_confidence, pause_confidence, tag, out);
        });
    }
    OE_HPP_NODISCARD status start(const client &of, const oe_print_options &with, std::uint64_t tag) noexcept
    {
        return fill([&](oe_monitor **out) { return oe_monitor_start_with(of.get(), &with, tag, out); });
    }
    OE_HPP_NODISCARD status start_saved(const client &of, const std::string &saved, std::uint64_t tag) noexcept
    {
        return fill([&](oe_monitor **out) { return oe_monitor_start_saved(of.get(), saved.c_str(), tag, out); });
    }
    OE_HPP_NODISCARD status stop() noexcept { return oe_monitor_stop(get()); }
    OE_HPP_NODISCARD status pause() noexcept { return oe_monitor_pause(get()); }
    OE_HPP_NODISCARD status resume() noexcept { return oe_monitor_resume(get()); }
    OE_HPP_NODISCARD status mute(bool muted = true) noexcept { return oe_monitor_mute(get(), muted ? 1 : 0); }
    OE_HPP_NODISCARD status set_interval_sec(std::uint32_t sec) noexcept { return oe_monitor_set_interval_sec(get(), sec); }
    OE_HPP_NODISCARD status set_confidence(std::int32_t warning_confidence, std::int32_t pause_confidence) noexcept
    {
        return oe_monitor_set_confidence(get(), warning_confidence, pause_confidence);
    }
    /** Copies the frame; captured_unix_ms 0: now. */
    OE_HPP_NODISCARD status submit(const std::uint8_t *jpeg, std::size_t len, std::int64_t captured_unix_ms = 0) noexcept
    {
        return oe_monitor_submit(get(), jpeg, len, captured_unix_ms);
    }
    OE_HPP_NODISCARD status read(info &out) const noexcept { return oe_monitor_info(get(), &out); }
    /** To survive a restart; a secret. */
    OE_HPP_NODISCARD status save(std::string &out) const
    {
        return detail::text(out, [&](char *buf, std::size_t cap, std::size_t *needed) {
            return oe_monitor_save(get(), buf, cap, needed);
        });
    }
};

} /* namespace oe */

#endif /* OE_PROCESS_HPP */
