/*
 * oe_process: watches 3D prints.
 *
 * A camera sees a print fail long before its owner does. Give this library a JPEG when one is due:
 * its own engine looks at it, or the service does; it says when to tell the user and when to pause
 * the print. It keeps to the pace, survives bad networks, and never acts on a doubtful answer.
 *
 * A complete program:
 *
 *   #include <oe_process.h>
 *   #include <stdio.h>
 *   #include <stdlib.h>
 *   int main(int argc, char **argv) { // minimal snapshot.jpg [--engine embedded|service [URL]]
 *       static uint8_t jpeg[6291456]; oe_error why = OE_ERROR_INIT;
 *       oe_client *client = NULL; oe_context *print = NULL; oe_options *o = oe_options_new();
 *       int32_t engine = OE_BACKEND_EMBEDDED; // or OE_BACKEND_SERVICE, with a key
 *       if (argc > 3 && argv[3][0] == 's') engine = OE_BACKEND_SERVICE;
 *       oe_status status = oe_options_set_backend(o, engine);
 *       if (status == OE_OK) status = oe_options_set_api_key(o, getenv("OE_API_KEY"));
 *       if (argc > 4) oe_options_set_endpoint(o, argv[4]), oe_options_set_allow_http(o, 1);
 *       if (status == OE_OK) status = oe_client_new(o, &client); // refuses what a setter refused
 *       if (status == OE_OK) status = oe_context_create(client, 0, 0, &print);
 *       while (!fflush(stdout) && !status && (status = oe_context_wait_due(print)) == OE_OK) {
 *           oe_result result = OE_RESULT_INIT;
 *           size_t len = 0; FILE *file = fopen(argc > 1 ? argv[1] : "snapshot.jpg", "rb");
 *           if (file) { len = fread(jpeg, 1, sizeof jpeg, file); fclose(file); }
 *           status = oe_process_jpeg(print, jpeg, len, &result);
 *           printf("%s: %s\n", oe_status_name(status), oe_quality_text(result.print_quality));
 *           if (result.flags & OE_RESULT_PAUSE_EDGE) puts("pause the print now");
 *           if (status != OE_ERR_IMAGE_REJECTED && oe_status_is_retryable(status)) status = OE_OK;
 *       }
 *       oe_last_error(&why); oe_context_free(print); oe_client_free(client); oe_options_free(o);
 *       return fprintf(stderr, "%s %s\n", oe_status_text(status), why.text) > 0;
 *   }
 *
 * Build it with: cc minimal.c -loe_process. It needs no key and no network. With --engine service,
 * or with the other constant in that line, the service looks, and the API key is in OE_API_KEY.
 *
 * RULES FOR EVERY FUNCTION
 *
 * Order. oe_options_new(), setters, oe_client_new(), oe_context_create() when a print starts, then
 *     oe_context_wait_due() and oe_process_jpeg() in turn, oe_context_free() when the print ends.
 *     Or let a monitor do that: oe_monitor_start(), then oe_client_next_event() again and again, a
 *     oe_monitor_submit() after each FRAME_WANTED, oe_monitor_stop() when the print ends.
 *
 * Handles. Opaque, never to be looked into. Each is freed by its own _free() and by nothing else,
 *     in any order. NULL, a freed handle and one of another kind get OE_ERR_HANDLE; _free() then
 *     does nothing. A constructor that fails sets *out to NULL.
 *
 * Memory. Nothing but handles is ever freed by the host. Strings and bytes that go in are copied,
 *     or read in place until the call returns. What comes out goes into the host's own memory.
 *
 * Threads. Any function may be called from any thread at any time. One context takes one call at a
 *     time that waits or sends: another one gets OE_ERR_BUSY, it is never queued. The library has
 *     no thread of its own but one that looks up a host name, while it does, one that goes on with
 *     the lines of several threads for a log function that is slow, and while a client has
 *     monitors, one that keeps time and up to oe_options_set_workers() others. Such threads are
 *     called "oe-...", block all signals and never call the host, except for its log function.
 *
 * Blocking. Only functions whose comment says so wait. oe_context_cancel(), oe_client_cancel() and
 *     oe_context_free() return at once and end what is in flight within 2 s. They are not for
 *     signal handlers: let a handler set a flag and another thread cancel.
 *
 * Time. Waits are measured on a clock that does not jump. No call goes out before its time,
 *     whatever the host does: it gets OE_NOT_DUE.
 *
 * Text in. UTF-8 with a NUL at its end, at most 64 KiB. NULL restores an option's default.
 *
 * Text out. As snprintf(): at most cap bytes, cut between characters, always with a NUL if cap > 0.
 *     The length reported is that of the whole text without the NUL. NULL with cap 0 asks for it.
 *
 * Structures. struct_size comes first, and tells the library which members the host's release has:
 *     set it with OE_X_INIT or oe_x_init(). The library writes no byte beyond it. One that is below
 *     8, above 4096 or no multiple of 4 gets OE_ERR_ABI. Later releases add members at the end.
 *     oe_x_init() with a size above 4096 only sets struct_size, to 0, which every call refuses.
 *     Never put these structures into packed ones. Results stay untouched unless the call returns
 *     OE_OK.
 *
 * Errors. The status says who has to act: see section 2. oe_last_error() and
 *     oe_context_last_error() have the details. A function that takes a handle may also return
 *     OE_ERR_HANDLE, OE_ERR_FORKED or OE_ERR_PANIC, which is not repeated below. Checks come in
 *     this order: handle, fork, arguments, struct_size, the JPEG, its age, the account, the
 *     context, busy, not due.
 *
 * Forks. In a child the parent's handles are OE_ERR_FORKED, and _free() of one does nothing and
 *     touches no socket of the parent. The child makes handles of its own. Fork and exec needs
 *     nothing.
 *
 * Unloading. Free every handle first. On Linux the library stays in memory after dlclose(), as a
 *     thread of it may still be running. Nothing is registered for the end of the process.
 *
 * Process-wide state. Untouched: stdout, stderr, signal handlers, environment, locale, working
 *     directory. The library never exits, aborts or throws into the host.
 *
 * Integers for enumerations are checked: one that is not listed gets OE_ERR_ARGUMENT.
 *
 * IN THE COMMENTS BELOW
 *
 * Unless noted, a function does not block, may be called from any thread, takes ownership of
 * nothing, returns OE_OK or OE_ERR_ARGUMENT if it returns a status, and is there since 0.1.0.
 * "Blocks:", "Threads:", "Owns:", "Returns:" and "Since:" stand only where that is different. "Any
 * call error" is each status that section 2 lists under the network, the device, the service, the
 * account or the library; "the latched account error" is one of those that latch a client (see
 * section 4).
 */
#ifndef OE_PROCESS_H
#define OE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Written by `cargo xtask header`. Do not edit. */

#define OE_VERSION_MAJOR 0
#define OE_VERSION_MINOR 2
#define OE_VERSION_PATCH 0
#define OE_VERSION ((OE_VERSION_MAJOR << 16) | (OE_VERSION_MINOR << 8) | OE_VERSION_PATCH)
#define OE_VERSION_STRING "0.2.0"

/** Never; no deadline. */
#define OE_NEVER 0xFFFFFFFFu

/* Windows: define OE_SHARED to link with the DLL. Callbacks are cdecl, as OE_CALL spells out. */
#ifdef _WIN32
#define OE_CALL __cdecl
#else
#define OE_CALL
#endif
#if defined(_WIN32) && defined(OE_SHARED)
#define OE_API __declspec(dllimport)
#else
#define OE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Client configuration. Made by oe_options_new(). */
typedef struct oe_options oe_options;

/** One account and its connections. Made by oe_client_new(). */
typedef struct oe_client oe_client;

/** One print. Made by oe_context_create() or oe_context_restore(). */
typedef struct oe_context oe_context;

/** One print that is watched. Made by oe_monitor_start() or oe_monitor_start_saved(). */
typedef struct oe_monitor oe_monitor;

/* ==============================================================================================
 * 1. Version
 *
 * OE_VERSION is what a host was compiled against, oe_version() what it runs with. Programs built
 * for an older minor version keep working with a newer library of the same major version.
 * ============================================================================================== */

/** What a build may have, for oe_has(). */
enum {
    OE_FEATURE_EMBEDDED = 1, /**< The engine that looks at the pictures inside this library:
                                  OE_BACKEND_EMBEDDED. */
    OE_FEATURE_TLS = 2,      /**< Endpoints with https. */
    OE_FEATURE_EVENT_FD = 3, /**< oe_client_event_fd(). */
    OE_FEATURE_MONITOR = 4   /**< Monitors. */
};

/** The version of the library that is loaded, as a number like OE_VERSION.
 * Returns: major << 16 | minor << 8 | patch. */
OE_API uint32_t oe_version(void);

/** The same as text, as OE_VERSION_STRING.
 * Owns: nothing; the text is static.
 * Returns: a text, never NULL.
 * Since: 0.2.0. */
OE_API const char *oe_version_string(void);

/** Tells if the library that is loaded has one of OE_FEATURE_..., without trying it.
 * Returns: 1 if it has; else 0, also for a number that is no feature.
 * Since: 0.2.0. */
OE_API int32_t oe_has(int32_t feature);

/** How the library that is loaded was built, in one line for people and bug reports: version,
 * target, features, the built-in model, TLS provider and trust roots; under 200 bytes. buf takes
 * up to cap bytes; it may be NULL.
 * Returns: the length of the whole text without its NUL; the text was cut if that is >= cap. */
OE_API size_t oe_build_info(char *buf, size_t cap);

/* ==============================================================================================
 * 2. Status
 *
 * Every call that can fail returns an oe_status. 0 is success. Above 0 nothing is wrong, there is
 * just no verdict. Below 0 something is, and the group says who has to act. Numbers are never
 * reused; treat one you do not know by its sign.
 * ============================================================================================== */

enum {
    /* Nobody has to act. */
    OE_OK = 0,                     /**< The call succeeded. */
    OE_NOT_DUE = 1,                /**< The interval has not elapsed yet; nothing was sent and
                                        nothing changed. */
    OE_CANCELLED = 2,              /**< A cancel, stop or free ended the call. */
    OE_NO_EVENT = 3,               /**< No event arrived within the time given. */
    OE_BLIND = 4,                  /**< The picture arrived and shows nothing to judge: no verdict;
                                        the next one is due at the normal interval. */
    /* The host program: nothing was sent. The service may say OE_ERR_IMAGE_TOO_LARGE too. */
    OE_ERR_ARGUMENT = -1,          /**< An argument is null, out of range, not UTF-8 or not
                                        usable. */
    OE_ERR_HANDLE = -2,            /**< The handle is not a live handle of this kind. */
    OE_ERR_ABI = -3,               /**< The struct_size is impossible: set it with the INIT macro or
                                        the init function. */
    OE_ERR_BUSY = -4,              /**< Another call is in flight on this context; calls are never
                                        queued. */
    OE_ERR_BUFFER = -5,            /**< The buffer is too small; the size needed is reported. */
    OE_ERR_NOT_JPEG = -6,          /**< The bytes are not a JPEG: they do not start with FF D8
                                        FF. */
    OE_ERR_IMAGE_TOO_LARGE = -7,   /**< The image is larger than 6,291,456 bytes, or the service
                                        said it is too large. */
    OE_ERR_STALE_FRAME = -8,       /**< The frame is older than the configured maximum age; take a
                                        new one. */
    OE_ERR_FORKED = -9,            /**< The handle was made by a parent process; make a new one
                                        after fork. */
    OE_ERR_REENTRANT = -10,        /**< This call is not allowed from inside the log function. */
    OE_ERR_UNSUPPORTED = -11,      /**< This build of the library lacks the feature. */
    OE_ERR_CLOSED = -12,           /**< The monitor is stopped. */
    /* The network: retrying helps, and is paced by the library. */
    OE_ERR_DNS = -20,              /**< The service's host name could not be resolved. */
    OE_ERR_CONNECT = -21,          /**< The service could not be reached: refused, unreachable or no
                                        answer in time. */
    OE_ERR_IO = -22,               /**< The connection broke while sending or receiving, or the
                                        answer was not HTTP. */
    OE_ERR_TIMEOUT = -23,          /**< The call did not finish before its deadline. */
    OE_ERR_PROXY = -24,            /**< The configured proxy refused or could not be reached. */
    /* The device's owner: its clock, its certificates. */
    OE_ERR_TLS = -40,              /**< The TLS certificate or handshake was refused. */
    OE_ERR_CLOCK = -41,            /**< The certificate is not yet valid at this device's time:
                                        check the clock. */
    /* The service: wait; after OE_ERR_CONTEXT_LOST call oe_context_renew(). */
    OE_ERR_RATE_LIMITED = -50,     /**< The service says this context calls too often; the wait
                                        grows. */
    OE_ERR_THROTTLED = -51,        /**< The service is busy; wait and try again. */
    OE_ERR_SERVER = -52,           /**< The service failed or could not route the request. */
    OE_ERR_PROTOCOL = -53,         /**< The answer breaks the service's contract and was not acted
                                        on. */
    OE_ERR_CONTEXT_LOST = -54,     /**< The service no longer has this context, or it is over 14
                                        days old: renew it or make a new one. */
    OE_ERR_IMAGE_REJECTED = -55,   /**< The image could not be decoded; the next frame may be
                                        fine. */
    OE_ERR_REQUEST_REJECTED = -56, /**< The service rejected the request as wrong; repeating it will
                                        not help. */
    OE_ERR_UNTRUSTED_URL = -57,    /**< A process URL is outside the trusted hosts; nothing was sent
                                        to it. */
    /* The account's owner: all but OE_ERR_AUTH_UNCONFIRMED latch the client. */
    OE_ERR_INVALID_API_KEY = -70,  /**< The API key is not valid. */
    OE_ERR_API_KEY_DISABLED = -71, /**< The API key is disabled; see the account or contact the
                                        vendor. */
    OE_ERR_PAYMENT_FAILED = -72,   /**< The API key is blocked because a payment failed. */
    OE_ERR_IP_RESTRICTED = -73,    /**< Another API key has claimed this public address. */
    OE_ERR_FREE_LIMIT = -74,       /**< The monthly allowance of this API key is used up. */
    OE_ERR_AUTH_UNCONFIRMED = -75, /**< Something answered 401 or 403 without naming a reason of the
                                        service; a proxy may be in the way. */
    /* The library, or the system's resources. */
    OE_ERR_PANIC = -90,            /**< A bug in this library was contained; please report it. */
    OE_ERR_RESOURCES = -91,        /**< Out of memory, sockets or threads. */
    OE_ERR_MODEL = -92             /**< The embedded engine's model is missing or damaged. */
};

/** How good a print looks, by oe_quality_level(). */
enum {
    OE_LEVEL_UNKNOWN = 0, /**< No print_quality: it is outside 1 to 10. */
    OE_LEVEL_GOOD = 1,    /**< 6 to 10. */
    OE_LEVEL_WATCH = 2,   /**< 4 and 5. */
    OE_LEVEL_BAD = 3      /**< 1 to 3. */
};

/** How a call ended: one of the constants above, or one of a later release. */
typedef int32_t oe_status;

/** Details of the last error. Only statuses below 0 are kept here. */
typedef struct oe_error {
    uint32_t struct_size;    /**< Set by OE_ERROR_INIT or oe_error_init(). */
    oe_status status;        /**< OE_OK when nothing has failed yet. */
    int32_t http_status;     /**< The HTTP status of the answer; 0: no answer was read. */
    uint32_t retry_after_ms; /**< Milliseconds from the failure until the next call is allowed;
                                  OE_NEVER: not before someone acts. */
    char error_type[64];     /**< The service's own word for the reason if it is a known one, else
                                  "". */
    char text[256];          /**< For people and logs. Holds no key, context id, URL path or raw
                                  text of a server. */
} oe_error;
#define OE_ERROR_INIT { sizeof(oe_error), 0, 0, 0, { 0 }, { 0 } }

/** The name of a status, "OE_ERR_TIMEOUT" for example. Any number gets an answer.
 * Owns: nothing; the text is static.
 * Returns: a text, never NULL; "OE_STATUS_UNKNOWN" for a number that is no status. */
OE_API const char *oe_status_name(oe_status status);

/** One sentence for people on what a status means. Any number gets an answer.
 * Owns: nothing; the text is static.
 * Returns: a text, never NULL. */
OE_API const char *oe_status_text(oe_status status);

/** Tells if a loop that takes a new frame each time should go on: nobody has to change anything,
 * and a later call with another frame, at its own time, may bring a verdict. It does not say
 * that the same bytes may be sent again. These are: OE_NOT_DUE, OE_BLIND, OE_ERR_BUSY,
 * OE_ERR_STALE_FRAME, OE_ERR_DNS to OE_ERR_PROXY, OE_ERR_TLS, OE_ERR_CLOCK, OE_ERR_RATE_LIMITED to
 * OE_ERR_PROTOCOL, OE_ERR_IMAGE_REJECTED, OE_ERR_AUTH_UNCONFIRMED, OE_ERR_RESOURCES.
 * Returns: 1 for these; else 0, also for OE_OK and for a number that is no status. */
OE_API int32_t oe_status_is_retryable(oe_status status);

/** The service's words for a print_quality: 1 "print failure" to 10 "perfect".
 * Owns: nothing; the text is static.
 * Returns: a text, never NULL; "unknown" outside 1 to 10. */
OE_API const char *oe_quality_text(int32_t print_quality);

/** What to make of a print_quality in colours, or in words of the user's own language.
 * Returns: OE_LEVEL_GOOD, OE_LEVEL_WATCH or OE_LEVEL_BAD; OE_LEVEL_UNKNOWN outside 1 to 10.
 * Since: 0.2.0. */
OE_API int32_t oe_quality_level(int32_t print_quality);

/** The last call of the calling thread that ended with a status below 0. A success in between
 * does not clear it, and asking does not change it.
 * Threads: any; each has its own record.
 * Returns: OE_OK, also when nothing has failed yet; OE_ERR_ARGUMENT, OE_ERR_ABI. */
OE_API oe_status oe_last_error(oe_error *out);

/** Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_error). */
OE_API void oe_error_init(oe_error *out, size_t size);

/* ==============================================================================================
 * 3. Options
 *
 * Client configuration. Setters check and copy at once; a refused value leaves the one before.
 * Options can be changed or freed at any time after oe_client_new(): clients keep what they were
 * made with. Strings are at most 64 KiB; NULL restores the default.
 *
 * A refused key, backend, endpoint, allow_http, trust, CA, proxy, resolve or model file is
 * remembered: until the same setter succeeds, with NULL or 0 too, oe_client_new() returns that
 * status. So neither key nor pictures go where the host did not mean them to, even if it checks
 * oe_client_new() only.
 * ============================================================================================== */

/** The judge of the pictures, for oe_options_set_backend(). */
enum {
    OE_BACKEND_SERVICE = 0, /**< The service, or a server of your own that speaks its wire. */
    OE_BACKEND_EMBEDDED = 1 /**< The engine inside this library, where it was built in. */
};

/** Trusted certificates, for oe_options_set_trust(). */
enum {
    OE_TRUST_BUNDLED = 0, /**< The roots compiled into this library. They work where the system has
                               none. */
    OE_TRUST_SYSTEM = 1   /**< The system's store, read when the option is set. */
};

/** Makes options that hold the defaults.
 * Owns: the caller owns the result and frees it with oe_options_free().
 * Returns: the options; NULL when out of resources, which oe_last_error() tells. */
OE_API oe_options *oe_options_new(void);

/** Frees options. NULL and freeing twice do nothing. Clients made from them are not affected.
 * Threads: any; inside the log function it takes effect when the logging call returns.
 * Owns: takes options. */
OE_API void oe_options_free(oe_options *options);

/** Sets the API key: visible ASCII, at most 512 bytes; white space around it is cut. Default: none:
 * oe_client_new() then refuses the hosted service, and one of your own is sent none.
 * Owns: copies key; the copy is overwritten when it is no longer needed. */
OE_API oe_status oe_options_set_api_key(oe_options *options, const char *key);

/** Sets who looks at the pictures: OE_BACKEND_SERVICE (default) or OE_BACKEND_EMBEDDED. In a build
 * without the embedded engine oe_client_new() returns OE_ERR_UNSUPPORTED for the latter. */
OE_API oe_status oe_options_set_backend(oe_options *options, int32_t backend);

/** Sets the address of a server of your own, scheme://host[:port]. The API key then goes to that
 * origin and nowhere else. Default: the hosted service.
 * Owns: copies base_url. */
OE_API oe_status oe_options_set_endpoint(oe_options *options, const char *base_url);

/** Allows (1) or refuses (0, default) an endpoint with plain http, over which the API key and the
 * pictures travel readable. The hosted service is always https. */
OE_API oe_status oe_options_set_allow_http(oe_options *options, int32_t allow);

/** Sets whose certificates are trusted: OE_TRUST_BUNDLED (default) or OE_TRUST_SYSTEM.
 * Blocks: for OE_TRUST_SYSTEM while the system's store is read.
 * Returns: OE_OK; OE_ERR_ARGUMENT, also when the system has no usable store. */
OE_API oe_status oe_options_set_trust(oe_options *options, int32_t trust);

/** Trusts the certificates of a PEM file instead of any others. NULL goes back to the trust set by
 * oe_options_set_trust().
 * Blocks: while the file is read, which is now.
 * Owns: copies the certificates; the file is not needed again.
 * Returns: OE_OK; OE_ERR_ARGUMENT, also when the file cannot be read or holds no certificate. */
OE_API oe_status oe_options_set_ca_file(oe_options *options, const char *path);

/** As oe_options_set_ca_file(), from len bytes of PEM in memory, which need no NUL. NULL with
 * len 0 goes back to the trust set by oe_options_set_trust().
 * Owns: copies pem. */
OE_API oe_status oe_options_set_ca_pem(oe_options *options, const uint8_t *pem, size_t len);

/** Sets an HTTP proxy, http://[user:password@]host:port. "env" reads HTTPS_PROXY and NO_PROXY from
 * the environment now, and never again. Default: none, whatever the environment says.
 * Threads: any; with "env" no other thread may change the environment meanwhile.
 * Owns: copies url. */
OE_API oe_status oe_options_set_proxy(oe_options *options, const char *url);

/** Connects to these addresses for a host, "10.0.0.5, fd00::5", and never looks it up; certificates
 * are still checked by its name. For boards whose C library looks up no names, and for tests. At
 * most 8 hosts, a proxy may be one. NULL addresses look it up again, NULL for both does so for all.
 * Owns: copies host and addresses.
 * Since: 0.2.0. */
OE_API oe_status oe_options_set_resolve(oe_options *options, const char *host, const char
    *addresses);

/** Sets the one deadline of a call, from looking the name up to the last byte of the answer:
 * 1,000 to 3,600,000 ms, default 60,000. */
OE_API oe_status oe_options_set_timeout_ms(oe_options *options, uint32_t total_ms);

/** Sets how much of the deadline may go into making the connection: 1 to 3,600,000 ms, default
 * 10,000. More than the deadline itself counts as the deadline. */
OE_API oe_status oe_options_set_connect_timeout_ms(oe_options *options, uint32_t ms);

/** Sets the host's own interval between verdicts in seconds: up to 1,209,600 (14 days). It never
 * goes below the service's minimum. 0 (default) follows the service. */
OE_API oe_status oe_options_set_interval_sec(oe_options *options, uint32_t sec);

/** Sets the age in ms above which a frame with a capture time is not sent (OE_ERR_STALE_FRAME), or
 * not acted on (OE_RESULT_LATE): up to 3,600,000, default 30,000. 0 does not check. */
OE_API oe_status oe_options_set_max_frame_age_ms(oe_options *options, uint32_t ms);

/** Sets how many worker threads the monitors of a client share: 1 to 64, default 4. Each is started
 * when it is needed; contexts use none. */
OE_API oe_status oe_options_set_workers(oe_options *options, uint32_t n);

/** Names the host to the service, "my-printer-ui/2.1" for example: 1 to 128 visible ASCII
 * characters and spaces, put after the library's own user agent. Default: nothing.
 * Owns: copies product. */
OE_API oe_status oe_options_set_user_agent(oe_options *options, const char *product);

/** Sets the model of the embedded engine, a file of at most 16 MiB that is read by oe_client_new().
 * Default: the model that is built in. The service backend ignores it.
 * Owns: copies path. */
OE_API oe_status oe_options_set_model_file(oe_options *options, const char *path);

/** Sets how much memory the embedded engine takes at most to decode pictures, all looks of a client
 * together: 4 to 2,000 MB. A look waits for its share; a picture that takes more than all of it is
 * OE_ERR_IMAGE_REJECTED, with both numbers in the text. A baseline picture takes 2 to 5 MB, a
 * progressive one besides 3 (4:2:0) to 6 (4:4:4) bytes for each pixel. 0 (default): 32 MB, which
 * the clients that set nothing else share.
 * Since: 0.2.0. */
OE_API oe_status oe_options_set_picture_memory_mb(oe_options *options, uint32_t mb);

/* ==============================================================================================
 * 4. Client: one account, one connection pool
 *
 * Contexts of one client share its key, its connections and its pace of creating. An account
 * error (section 2) latches the client: every later call on its contexts, and every create and
 * restore, returns that status at once and sends nothing, until oe_client_check_key() succeeds or
 * oe_client_clear_latch() is called. One client per account is what a farm of printers needs.
 * ============================================================================================== */

/** Counters of a client since it was made. */
typedef struct oe_usage {
    uint32_t struct_size;     /**< Set by OE_USAGE_INIT or oe_usage_init(). */
    uint32_t contexts;        /**< Contexts alive now. */
    uint64_t processed;       /**< Process calls that brought a verdict. */
    uint64_t possibly_billed; /**< Process calls sent whole whose verdict never came or broke off:
                                   billed or not, nobody knows. Part of failed. */
    uint64_t failed;          /**< Process calls that tried to reach the service and brought no
                                   verdict. */
    uint64_t creates;         /**< Contexts created, those of key checks and renewals included. */
    uint64_t bytes_sent;      /**< Bytes sent, HTTP headers included, TLS not. */
    uint64_t bytes_received;  /**< Bytes received, HTTP headers included, TLS not. */
    oe_status latched;        /**< The account error that stops this client; OE_OK: none. */
    uint32_t reserved;        /**< 0. */
} oe_usage;
#define OE_USAGE_INIT { sizeof(oe_usage), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** Makes a client from options. Sends nothing: whether the key is good, a create or a key check
 * tells. The embedded engine needs no key and no address, and its model is read now. A setting
 * that was refused and not set since is refused here too, and oe_last_error() names its setter. On
 * failure *out is NULL.
 * Owns: the caller owns *out and frees it with oe_client_free(); options stay the caller's.
 * Returns: OE_OK; the status of a refused setting; OE_ERR_ARGUMENT (no key for the hosted service,
 *     http not allowed), OE_ERR_UNSUPPORTED, OE_ERR_RESOURCES, OE_ERR_MODEL (missing, damaged or
 *     not a model). */
OE_API oe_status oe_client_new(const oe_options *options, oe_client **out);

/** Frees a client, stops its monitors, and ends its creates, renewals, key checks and waits for
 * events (OE_CANCELLED). Its contexts stay usable. NULL and freeing twice do nothing.
 * Blocks: until the calls of its monitors have ended, less than 2 s.
 * Threads: any; inside the log function it takes effect when the logging call returns.
 * Owns: takes client. */
OE_API void oe_client_free(oe_client *client);

/** Ends every create, renewal, key check and wait for an event on this client: they return
 * OE_CANCELLED. No effect if nothing is in flight; later calls are not affected.
 * Blocks: no. The calls it ends return within 2 s.
 * Threads: any; not from a signal handler, which sets a flag instead. */
OE_API oe_status oe_client_cancel(oe_client *client);

/** Sets *out to the milliseconds until a create is allowed; 0: now, OE_NEVER: the client is
 * latched. Creates wait only after a failed one, 20 s at first and up to 300 s. */
OE_API oe_status oe_client_create_due_in_ms(oe_client *client, uint32_t *out);

/** Asks the service whether it takes the key, by a create whose context is dropped: costs nothing,
 * sends no image, and says nothing about the allowance. A success clears a latch. At most one in
 * 20 s.
 * Blocks: until answered, at most the timeout; oe_client_cancel() ends it.
 * Threads: any; not inside the log function.
 * Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_ERR_REENTRANT, OE_ERR_UNSUPPORTED (embedded
 * engine), or any call error. */
OE_API oe_status oe_client_check_key(oe_client *client);

/** Clears the latch after the account was mended: calls are allowed again, each when it is due.
 * Returns: OE_OK, also when nothing was latched. */
OE_API oe_status oe_client_clear_latch(oe_client *client);

/** Reads the counters of a client.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_ABI. */
OE_API oe_status oe_client_usage(oe_client *client, oe_usage *out);

/** Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_usage). */
OE_API void oe_usage_init(oe_usage *out, size_t size);

/* ==============================================================================================
 * 5. Context: one print
 *
 * A context holds the pace of one print at the service, its last verdict and what was already
 * raised. Make one when a print starts, free it when the print ends. It lives 14 days. When the
 * service has lost it (OE_ERR_CONTEXT_LOST), oe_context_renew() continues on the same handle.
 * ============================================================================================== */

/** Bits of oe_print_options.flags. */
enum {
    OE_PRINT_REPLAY = 1 /**< A recording is played, see oe_context_create_with(). Only the embedded
                             engine can do that. */
};

/** A part of a picture, as it is shown (upright), in thousandths of its width and height. */
typedef struct oe_region {
    uint16_t x;      /**< From the left edge of the picture to that of the region. */
    uint16_t y;      /**< From the top edge of the picture to that of the region. */
    uint16_t width;  /**< At least 1; x + width is at most 1000. */
    uint16_t height; /**< At least 1; y + height is at most 1000. */
} oe_region;

/** What is set for one print. All 0 is the default. */
typedef struct oe_print_options {
    uint32_t struct_size;       /**< Set by OE_PRINT_OPTIONS_INIT or oe_print_options_init(). */
    int32_t warning_confidence; /**< As for oe_context_create(). */
    int32_t pause_confidence;   /**< As for oe_context_create(). */
    uint32_t interval_sec;      /**< As for oe_options_set_interval_sec(); 0: the client's. */
    uint32_t ignore_count;      /**< How many of ignore count: 0 to 8. */
    uint32_t flags;             /**< OE_PRINT_... bits. */
    oe_region ignore[8];        /**< Parts of the picture that are never judged: a spool, a purge
                                     bin, another printer. Together not all of it. Only the embedded
                                     engine can do that. */
} oe_print_options;
#define OE_PRINT_OPTIONS_INIT { sizeof(oe_print_options), 0, 0, 0, 0, 0, { { 0, 0, 0, 0 } } }

/** State of a context. */
typedef struct oe_info {
    uint32_t struct_size;       /**< Set by OE_INFO_INIT or oe_info_init(). */
    int32_t using_fallback;     /**< 1 while the service's fallback address is in use, else 0. */
    uint32_t failures_in_a_row; /**< Failures since the last verdict; they lengthen the wait. */
    int32_t last_quality;       /**< print_quality of the last verdict; 0 before the first. */
    uint64_t age_sec;           /**< Seconds since the service created this context. */
    uint64_t calls;             /**< Process calls that tried to reach the service. */
    oe_status last_status;      /**< How the last of them ended. */
    uint32_t due_in_ms;         /**< As oe_context_due_in_ms(). */
} oe_info;
#define OE_INFO_INIT { sizeof(oe_info), 0, 0, 0, 0, 0, 0, 0 }

/** As oe_context_create(), with more that is set for this print; NULL options are the default. A
 * struct_size that ends before the regions that ignore_count names, or behind what this release
 * knows with something set there, is OE_ERR_ABI. With OE_PRINT_REPLAY capture times are the clock:
 * due is the last capture plus the interval, oe_context_wait_due() returns at once, no frame is
 * stale or late, and one that was captured before the last is OE_ERR_ARGUMENT.
 * Blocks: as oe_context_create().
 * Threads: any; not inside the log function.
 * Owns: as oe_context_create(); copies options.
 * Returns: as oe_context_create(); OE_ERR_ABI; OE_ERR_UNSUPPORTED: regions or replay, and the
 * service backend.
 * Since: 0.2.0. */
OE_API oe_status oe_context_create_with(oe_client *client, const oe_print_options *options,
    oe_context **out);

/** Makes a context by one Create Context call. Each confidence is 1 (suggests soonest) to 5 (only
 * when most certain); 0 is the service's default. On failure *out is NULL.
 * Blocks: until answered, at most the timeout; oe_client_cancel() ends it.
 * Threads: any; not inside the log function.
 * Owns: the caller owns *out and frees it with oe_context_free(); it may outlive client.
 * Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_ERR_ARGUMENT, OE_ERR_REENTRANT, or any call
 * error. */
OE_API oe_status oe_context_create(oe_client *client, int32_t warning_confidence, int32_t
    pause_confidence, oe_context **out);

/** Frees a context. What is in flight on it is cancelled and returns OE_CANCELLED within 2 s. NULL
 * and freeing twice do nothing.
 * Threads: any; inside the log function it takes effect when the logging call returns.
 * Owns: takes context. */
OE_API void oe_context_free(oe_context *context);

/** Replaces the service's side of a context by one Create Context call, for OE_ERR_CONTEXT_LOST.
 * Pace, counters and what was already raised are kept. At most 3 in an hour, else OE_NOT_DUE.
 * Blocks: until answered, at most the timeout; either cancel ends it.
 * Threads: any, one call on a context at a time; not inside the log function.
 * Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_ERR_BUSY, OE_ERR_REENTRANT, OE_ERR_UNSUPPORTED
 * (embedded engine), or any call error. */
OE_API oe_status oe_context_renew(oe_context *context);

/** Sets *out to the milliseconds until a process call is allowed; 0: now, OE_NEVER: the client is
 * latched or the context lost. */
OE_API oe_status oe_context_due_in_ms(oe_context *context, uint32_t *out);

/** Sleeps until a process call is allowed. While the client is latched or the context lost it
 * returns that status at once: branch on it, or the loop around it spins.
 * Blocks: until due; oe_context_cancel() and oe_context_free() end it.
 * Threads: any, one call on a context at a time; not inside the log function.
 * Returns: OE_OK; OE_CANCELLED, OE_ERR_BUSY, OE_ERR_REENTRANT, OE_ERR_CONTEXT_LOST, or the latched
 * account error. */
OE_API oe_status oe_context_wait_due(oe_context *context);

/** Ends the wait or call in flight on this context: it returns OE_CANCELLED, and the context stays
 * usable. No effect if nothing is in flight; later calls are not affected.
 * Blocks: no. The call it ends returns within 2 s.
 * Threads: any; not from a signal handler, which sets a flag instead. */
OE_API oe_status oe_context_cancel(oe_context *context);

/** As oe_options_set_interval_sec(), for this context from now on, the running wait included. */
OE_API oe_status oe_context_set_interval_sec(oe_context *context, uint32_t sec);

/** Sets how certain it must be before a warning and before a pause, as for oe_context_create(). The
 * embedded engine goes by it from the next verdict on; the service hears of it with the next
 * oe_context_renew(), which this does not cause.
 * Since: 0.2.0. */
OE_API oe_status oe_context_set_confidence(oe_context *context, int32_t warning_confidence,
    int32_t pause_confidence);

/** Writes a context as text, to continue after a restart of the host: at most 8 KiB with its NUL,
 * opaque, and a secret, but without the key. *needed (may be NULL when buf is not) gets its length
 * without the NUL. buf NULL with cap 0 asks for that only.
 * Returns: OE_OK; OE_ERR_BUFFER when cap <= *needed (the text was cut), OE_ERR_ARGUMENT. */
OE_API oe_status oe_context_save(oe_context *context, char *buf, size_t cap, size_t *needed);

/** Makes a context from the text of oe_context_save(). Sends nothing. Restore one text once: two
 * contexts with one identity break the pace. A text that is damaged or from a newer release is
 * OE_ERR_ARGUMENT, over 14 days old OE_ERR_CONTEXT_LOST, made with another endpoint
 * OE_ERR_UNTRUSTED_URL. On failure *out is NULL.
 * Threads: any; not inside the log function.
 * Owns: as oe_context_create(); copies saved.
 * Returns: OE_OK; OE_ERR_REENTRANT, the latched account error, or one of those above. */
OE_API oe_status oe_context_restore(oe_client *client, const char *saved, oe_context **out);

/** Reads what is known of a context.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_ABI. */
OE_API oe_status oe_context_info(oe_context *context, oe_info *out);

/** The last call on this context, by any thread, that ended with a status below 0.
 * Returns: OE_OK, also when nothing has failed yet; OE_ERR_ARGUMENT, OE_ERR_ABI. */
OE_API oe_status oe_context_last_error(oe_context *context, oe_error *out);

/** Zeroes size bytes and sets struct_size. Pass sizeof(oe_print_options).
 * Since: 0.2.0. */
OE_API void oe_print_options_init(oe_print_options *out, size_t size);

/** Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_info). */
OE_API void oe_info_init(oe_info *out, size_t size);

/* ==============================================================================================
 * 6. Process: one frame, one verdict
 *
 * Act on the edge flags: they rise once per episode of a failing print, and again only after a
 * clear verdict. warning_suggested and pause_suggested are the service's raw word, which may stay
 * 1 for many verdicts in a row. One call sends at most one picture; nothing is ever sent twice.
 * ============================================================================================== */

/** Bits of oe_result.flags. */
enum {
    OE_RESULT_WARNING_EDGE = 1,      /**< Tell the user now. */
    OE_RESULT_PAUSE_EDGE = 2,        /**< Pause the print now. */
    OE_RESULT_FALLBACK = 4,          /**< The verdict came from the service's fallback address. */
    OE_RESULT_REPEATED_FRAME = 8,    /**< The same bytes as the last frame: the camera may be
                                          frozen. No edge. */
    OE_RESULT_LATE = 16,             /**< The frame was over the maximum age when the verdict came.
                                          No edge. */
    OE_RESULT_TIMING_DEFAULTED = 32, /**< The answer held no usable interval; a safe one is
                                          used. */
    OE_RESULT_EMBEDDED = 64          /**< The verdict is the embedded engine's. */
};

/** A verdict. */
typedef struct oe_result {
    uint32_t struct_size;                /**< Set by OE_RESULT_INIT or oe_result_init(). */
    int32_t print_quality;               /**< 1 (failed) to 10 (perfect), to show to people. */
    int32_t score;                       /**< 0 (perfect) to 100 (failed); -1: the service sent none
                                              that is valid. */
    int32_t warning_suggested;           /**< 0 or 1, as sent. */
    int32_t pause_suggested;             /**< 0 or 1, as sent. */
    int32_t faster_inspection_suggested; /**< 1: the service would like a shorter interval for a
                                              while; followed by itself. */
    uint32_t minimum_interval_sec;       /**< The service's shortest allowed interval. */
    uint32_t recommended_interval_sec;   /**< The service's usual interval. */
    uint32_t next_due_ms;                /**< Milliseconds until this context may be called
                                              again. */
    uint32_t flags;                      /**< OE_RESULT_... bits. Ignore bits you do not know. */
    uint32_t latency_ms;                 /**< Milliseconds from the call to the verdict. */
    uint32_t frame_age_ms;               /**< Milliseconds from the capture, or the call without its
                                              time, to the verdict; sleep included. */
    oe_region place;                     /**< Where in this picture it looks failed, when the score
                                              is 50 or more and it is one place; all 0: not known.
                                              Of the embedded engine, and of services that say so.
                                              Since 0.2.0. */
} oe_result;
#define OE_RESULT_INIT { sizeof(oe_result), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0, 0, 0 } }

/** Sends one picture and brings its verdict: len bytes of JPEG, at most 6,291,456, read in place.
 * Call it when due; earlier it returns OE_NOT_DUE and sends nothing.
 * Blocks: until answered, at most the timeout; oe_context_cancel() and oe_context_free() end it.
 * Threads: any, one call on a context at a time; not inside the log function.
 * Owns: nothing; jpeg must not change before the call returns. out is written on OE_OK only.
 * Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_BLIND, OE_ERR_ARGUMENT, OE_ERR_ABI, OE_ERR_BUSY,
 * OE_ERR_NOT_JPEG, OE_ERR_IMAGE_TOO_LARGE, OE_ERR_STALE_FRAME, OE_ERR_REENTRANT, or any call
 * error. */
OE_API oe_status oe_process_jpeg(oe_context *context, const uint8_t *jpeg, size_t len, oe_result
    *out);

/** As oe_process_jpeg(), of a frame whose capture time is known: milliseconds since 1970, UTC. One
 * in the future counts as now; 0 is now, and not late because of its own upload. Old frames are
 * refused or marked late; time asleep counts.
 * Blocks: as oe_process_jpeg().
 * Threads: as oe_process_jpeg().
 * Owns: as oe_process_jpeg().
 * Returns: as oe_process_jpeg(); OE_ERR_STALE_FRAME above the maximum age. */
OE_API oe_status oe_process_jpeg_at(oe_context *context, const uint8_t *jpeg, size_t len,
    int64_t captured_unix_ms, oe_result *out);

/** Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_result). */
OE_API void oe_result_init(oe_result *out, size_t size);

/* ==============================================================================================
 * 7. Monitor: the process loop, pulled
 *
 * A monitor watches one print: submit frames when you have them, read what happened from its
 * client when you like. It makes and renews the context, sends a frame when one is due, and
 * nothing ever calls into the host. All monitors of a client share its worker threads and one queue
 * of events, which holds at most one unread event of each kind per monitor: a newer one takes the
 * place of the older. RESULT comes before WARNING before PAUSE of one verdict.
 * ============================================================================================== */

/** Kinds of oe_event. */
enum {
    OE_EVENT_FRAME_WANTED = 1,    /**< Submit a frame: one is due in 2 s. Again every 10 s until one
                                       comes. */
    OE_EVENT_RESULT = 2,          /**< A verdict, in result. */
    OE_EVENT_WARNING = 3,         /**< Tell the user, once per episode; with result. */
    OE_EVENT_PAUSE = 4,           /**< Pause the print, once per episode; with result. */
    OE_EVENT_ERROR = 5,           /**< An attempt failed, as error says; it is made again in
                                       time. */
    OE_EVENT_RECOVERED = 6,       /**< The first verdict after errors. */
    OE_EVENT_CAMERA_STALLED = 7,  /**< 60 s without a frame of use, or the same bytes three times;
                                       status says why. */
    OE_EVENT_CAMERA_BACK = 8,     /**< Frames come, change or are of use again. */
    OE_EVENT_CONTEXT_RENEWED = 9, /**< A new context took the place of a lost one, or of one with
                                       other confidences. */
    OE_EVENT_LATCHED = 10,        /**< An account error stops the client, see section 4; with
                                       error. */
    OE_EVENT_STOPPED = 11         /**< The library gave up on this monitor; with error. Free it. */
};

/** One event of a monitor. */
typedef struct oe_event {
    uint32_t struct_size; /**< Set by OE_EVENT_INIT or oe_event_init(). */
    int32_t kind;         /**< OE_EVENT_... Ignore one you do not know. */
    uint64_t tag;         /**< The monitor's, from its start. */
    oe_status status;     /**< Of ERROR, LATCHED, STOPPED. Of CAMERA_STALLED: OE_NO_EVENT none came,
                               OE_OK the same bytes, OE_BLIND nothing to see, or why frames were
                               refused. Else OE_OK. */
    uint32_t age_ms;      /**< Milliseconds since it was queued: do not pause on an old one. */
} oe_event;
#define OE_EVENT_INIT { sizeof(oe_event), 0, 0, 0, 0 }

/** Starts monitoring a print. Its events, read with oe_client_next_event(), carry tag.
 * Confidences as for oe_context_create(). Makes no request itself; the first calls of monitors
 * started together are spread over up to 20 s. On failure *out is NULL.
 * Threads: any; not inside the log function.
 * Owns: the caller owns *out and frees it with oe_monitor_free().
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_REENTRANT, OE_ERR_RESOURCES, or the latched account
 * error. */
OE_API oe_status oe_monitor_start(oe_client *client, int32_t warning_confidence, int32_t
    pause_confidence, uint64_t tag, oe_monitor **out);

/** Stops a monitor as oe_monitor_stop() does, and frees it. NULL and freeing twice do nothing.
 * Blocks: until its call in flight has ended, less than 2 s.
 * Threads: any; inside the log function it takes effect when the logging call returns.
 * Owns: takes monitor. */
OE_API void oe_monitor_free(oe_monitor *monitor);

/** The print has ended: a verdict in flight is dropped, unread events of this monitor are removed,
 * and no more come. Everything but stop and free is OE_ERR_CLOSED from then on.
 * Blocks: until its call in flight has ended, less than 2 s.
 * Threads: any; not inside the log function.
 * Owns: nothing; the monitor still has to be freed.
 * Returns: OE_OK, also the second time; OE_ERR_REENTRANT. */
OE_API oe_status oe_monitor_stop(oe_monitor *monitor);

/** The print is paused: nothing is sent, the context is kept. Removes unread WARNING, PAUSE and
 * FRAME_WANTED; the first two come again after the resume if it still fails, though not their flag
 * in a RESULT that was read. A verdict in flight still comes, without edges.
 * Returns: OE_OK; OE_ERR_CLOSED. */
OE_API oe_status oe_monitor_pause(oe_monitor *monitor);

/** The print goes on. Frames captured before this call are discarded.
 * Returns: OE_OK, also when it was not paused; OE_ERR_CLOSED. */
OE_API oe_status oe_monitor_resume(oe_monitor *monitor);

/** With 1, "this is no failure": no WARNING, PAUSE or edge flags for the rest of this print, and
 * unread ones and FRAME_WANTED are removed. Verdicts still come. 0 ends that, as a resume does.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_CLOSED. */
OE_API oe_status oe_monitor_mute(oe_monitor *monitor, int32_t muted);

/** As oe_options_set_interval_sec(), for this monitor from now on, the running wait included.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_CLOSED. */
OE_API oe_status oe_monitor_set_interval_sec(oe_monitor *monitor, uint32_t sec);

/** As oe_context_set_confidence(). The service hears of it when the pace of renewals allows a new
 * context, which the monitor makes for it.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_CLOSED.
 * Since: 0.2.0. */
OE_API oe_status oe_monitor_set_confidence(oe_monitor *monitor, int32_t warning_confidence,
    int32_t pause_confidence);

/** Hands in a frame of len bytes, at most 6,291,456; the newest wins and is sent when due. The time
 * of capture is as for oe_process_jpeg_at(). Any time will do, best is after FRAME_WANTED. While
 * the print is paused a frame is dropped, which is OE_OK.
 * Owns: copies jpeg.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_NOT_JPEG, OE_ERR_IMAGE_TOO_LARGE, OE_ERR_STALE_FRAME,
 * OE_ERR_CLOSED, OE_ERR_IMAGE_REJECTED (the same bytes were refused before), OE_ERR_RESOURCES,
 * or the latched account error. */
OE_API oe_status oe_monitor_submit(oe_monitor *monitor, const uint8_t *jpeg, size_t len, int64_t
    captured_unix_ms);

/** Reads the state of the print. Before there is a context, due_in_ms is that of its create.
 * Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_ABI, OE_ERR_CLOSED. */
OE_API oe_status oe_monitor_info(oe_monitor *monitor, oe_info *out);

/** As oe_context_save(), for oe_monitor_start_saved(): call it after each RESULT and ERROR. An edge
 * whose event is unread is saved as not raised; that the print is paused is not saved.
 * Returns: OE_OK; OE_ERR_BUFFER when cap <= *needed, OE_ERR_ARGUMENT, OE_ERR_CLOSED. */
OE_API oe_status oe_monitor_save(oe_monitor *monitor, char *buf, size_t cap, size_t *needed);

/** As oe_monitor_start(), with more that is set for this print, as for oe_context_create_with().
 * Threads: any; not inside the log function.
 * Owns: as oe_monitor_start(); copies options.
 * Returns: as oe_monitor_start(); OE_ERR_ARGUMENT for OE_PRINT_REPLAY too, OE_ERR_ABI,
 * OE_ERR_UNSUPPORTED: regions, and the service backend.
 * Since: 0.2.0. */
OE_API oe_status oe_monitor_start_with(oe_client *client, const oe_print_options *options,
    uint64_t tag, oe_monitor **out);

/** Goes on watching from the text of oe_monitor_save(), or of oe_context_save(), as
 * oe_context_restore() does.
 * Threads: any; not inside the log function.
 * Owns: as oe_monitor_start(); copies saved.
 * Returns: as oe_context_restore(); OE_ERR_RESOURCES. */
OE_API oe_status oe_monitor_start_saved(oe_client *client, const char *saved, uint64_t tag,
    oe_monitor **out);

/** Takes the oldest unread event of any monitor of this client, waiting for it up to timeout_ms:
 * 0 does not wait, OE_NEVER waits for ever. result is filled for RESULT, WARNING and PAUSE,
 * error for ERROR, LATCHED and STOPPED; either may be NULL. Several threads may wait; each event
 * goes to one.
 * Blocks: up to timeout_ms; oe_client_cancel() and oe_client_free() end it.
 * Threads: any; not inside the log function.
 * Owns: nothing; out, result and error are written on OE_OK only.
 * Returns: OE_OK; OE_NO_EVENT, OE_CANCELLED, OE_ERR_ARGUMENT, OE_ERR_ABI, OE_ERR_REENTRANT. */
OE_API oe_status oe_client_next_event(oe_client *client, uint32_t timeout_ms, oe_event *out,
    oe_result *result, oe_error *error);

/** A descriptor for poll, epoll, select and event loops: readable while there are unread events.
 * Windows: a manual-reset event's HANDLE, for WaitForMultipleObjects and its kind.
 * The library's: never read, reset or close it. It lasts until oe_client_free().
 * Returns: the descriptor; -1 where there is none, or out of descriptors. */
OE_API intptr_t oe_client_event_fd(oe_client *client);

/** Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_event). */
OE_API void oe_event_init(oe_event *out, size_t size);

/* ==============================================================================================
 * 8. Log
 *
 * Silent unless a function is set. Lines hold no key, context id, URL path or text of a server.
 * ============================================================================================== */

/** Levels of log lines. */
enum {
    OE_LOG_ERROR = 1, /**< Something failed and somebody has to act. */
    OE_LOG_WARN = 2,  /**< Something failed and will be tried again. */
    OE_LOG_INFO = 3,  /**< A context began, a verdict arrived. */
    OE_LOG_DEBUG = 4, /**< One line per request. */
    OE_LOG_TRACE = 5  /**< Everything. */
};

/** Takes one line, without a line end, that is valid until the function returns. It may run on
 * any thread, one call at a time per set of options, and must not throw, longjmp or fork. When
 * it is slow, a call waits for its own lines only: those of other threads are queued, 1024 at
 * most, and a thread of the library goes on with them; freeing the last handle that logs waits
 * for that, 2 s at most, and lines that take longer are counted in a last one. Inside it
 * oe_process_jpeg(), oe_process_jpeg_at(), oe_context_create(), oe_context_create_with(),
 * oe_context_renew(), oe_context_restore(), oe_context_wait_due(), oe_client_check_key(),
 * oe_client_next_event(), oe_monitor_start(), oe_monitor_start_with(), oe_monitor_start_saved()
 * and oe_monitor_stop() return OE_ERR_REENTRANT. */
typedef void (OE_CALL *oe_log_fn)(void *user_data, int32_t level, const char *text);

/** Sets the log function for lines up to max_level, OE_LOG_ERROR to OE_LOG_TRACE; 0 is silence.
 * It replaces the one before; a NULL function removes it. free_user_data (may be NULL) runs
 * exactly once on user_data, on any thread, also when this call fails: when the function was
 * replaced or the options are gone, and every client, context and monitor made with it is gone
 * too. The function has ended for good before that.
 * Blocks: no, unless it replaces a function that is slow: see oe_log_fn.
 * Owns: takes user_data. */
OE_API oe_status oe_options_set_log(oe_options *options, int32_t max_level, oe_log_fn function,
    void *user_data, void (OE_CALL *free_user_data)(void *));

#ifdef __cplusplus
}
#endif

#endif /* OE_PROCESS_H */
