//! Options
//!
//! Client configuration. Setters check and copy at once; a refused value leaves the one before.
//! Options can be changed or freed at any time after oe_client_new(): clients keep what they were
//! made with. Strings are at most 64 KiB; NULL restores the default.
//!
//! A refused key, backend, endpoint, allow_http, trust, CA, proxy, resolve or model file is
//! remembered: until the same setter succeeds, with NULL or 0 too, oe_client_new() returns that
//! status. So neither key nor pictures go where the host did not mean them to, even if it checks
//! oe_client_new() only.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "brackets in the header's text are forms of URLs"
)]

use std::ffi::c_char;

use oe_core::account::config::{Options, Setting};
use oe_core::error::{Error, Status};
use parking_lot::Mutex;

use crate::handle::{self, Close, Handle, oe_options};
use crate::status::oe_status;
use crate::{abi, guard, text};

/// The service, or a server of your own that speaks its wire.
pub const OE_BACKEND_SERVICE: i32 = 0;
/// The engine inside this library, where it was built in.
pub const OE_BACKEND_EMBEDDED: i32 = 1;

/// The roots compiled into this library. They work where the system has none.
pub const OE_TRUST_BUNDLED: i32 = 0;
/// The system's store, read when the option is set.
pub const OE_TRUST_SYSTEM: i32 = 1;

impl Handle for oe_options {
    type Object = Mutex<Options>;
    const KIND: usize = 1;
}

impl Close for Mutex<Options> {
    fn close(&self) {}
}

/// One setter: `set` on the options behind a handle.
pub(crate) fn set(
    options: *mut oe_options,
    set: impl FnOnce(&mut Options) -> Result<(), Error>,
) -> oe_status {
    guard::status(|| set(&mut handle::get(options)?.lock()))
}

/// A setter whose refusal is remembered, whatever refused it: a string that is not UTF-8 never gets
/// as far as the options.
fn remembered(
    options: *mut oe_options,
    setting: Setting,
    set: impl FnOnce(&Mutex<Options>) -> Result<(), Error>,
) -> oe_status {
    // What it is if `set` does not come back.
    let mut result = Err(Error::local(Status::Panic));
    let status = guard::status(|| {
        result = set(&*handle::get(options)?);
        result.clone()
    });
    // Fails without options to remember it in, which oe_client_new() would not take either.
    drop(guard::contain(|| {
        handle::get(options)?.lock().note(setting, &result);
        Ok(())
    }));
    status
}

/// One of these that takes a string.
fn remembered_text(
    options: *mut oe_options,
    setting: Setting,
    value: *const c_char,
    set: impl FnOnce(&mut Options, Option<&str>) -> Result<(), Error>,
) -> oe_status {
    remembered(options, setting, |options| {
        text::with(value, |value| set(&mut options.lock(), value))
    })
}

/// A setter that takes a string.
fn set_text(
    options: *mut oe_options,
    value: *const c_char,
    set: impl FnOnce(&mut Options, Option<&str>) -> Result<(), Error>,
) -> oe_status {
    guard::status(|| {
        let options = handle::get(options)?;
        text::with(value, |value| set(&mut options.lock(), value))
    })
}

/// Makes options that hold the defaults.
///
/// Owns: the caller owns the result and frees it with oe_options_free().
/// Returns: the options; NULL when out of resources, which oe_last_error() tells.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_new() -> *mut oe_options {
    guard::value(std::ptr::null_mut(), || {
        handle::insert(std::sync::Arc::new(Mutex::new(Options::default())))
    })
}

/// Frees options. NULL and freeing twice do nothing. Clients made from them are not affected.
///
/// Threads: any; inside the log function it takes effect when the logging call returns.
/// Owns: takes options.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_free(options: *mut oe_options) {
    guard::value((), || {
        handle::free(options);
        Ok(())
    });
}

/// Sets the API key: visible ASCII, at most 512 bytes; white space around it is cut. Default: none:
/// oe_client_new() then refuses the hosted service, and one of your own is sent none.
///
/// Owns: copies key; the copy is overwritten when it is no longer needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_api_key(
    options: *mut oe_options,
    key: *const c_char,
) -> oe_status {
    remembered_text(options, Setting::ApiKey, key, |options, key| {
        options.set_api_key(key)
    })
}

/// Sets who looks at the pictures: OE_BACKEND_SERVICE (default) or OE_BACKEND_EMBEDDED. In a build
/// without the embedded engine oe_client_new() returns OE_ERR_UNSUPPORTED for the latter.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_backend(options: *mut oe_options, backend: i32) -> oe_status {
    remembered(options, Setting::Backend, |options| {
        options.lock().set_backend(backend)
    })
}

/// Sets the address of a server of your own, scheme://host[:port]. The API key then goes to that
/// origin and nowhere else. Default: the hosted service.
///
/// Owns: copies base_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_endpoint(
    options: *mut oe_options,
    base_url: *const c_char,
) -> oe_status {
    remembered_text(options, Setting::Endpoint, base_url, |options, url| {
        options.set_endpoint(url)
    })
}

/// Allows (1) or refuses (0, default) an endpoint with plain http, over which the API key and the
/// pictures travel readable. The hosted service is always https.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_allow_http(options: *mut oe_options, allow: i32) -> oe_status {
    remembered(options, Setting::AllowHttp, |options| {
        options.lock().set_allow_http(allow)
    })
}

/// Sets whose certificates are trusted: OE_TRUST_BUNDLED (default) or OE_TRUST_SYSTEM.
///
/// Blocks: for OE_TRUST_SYSTEM while the system's store is read.
/// Returns: OE_OK; OE_ERR_ARGUMENT, also when the system has no usable store.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_trust(options: *mut oe_options, trust: i32) -> oe_status {
    remembered(options, Setting::Trust, |options| {
        options.lock().set_trust(trust)
    })
}

/// Trusts the certificates of a PEM file instead of any others. NULL goes back to the trust set by
/// oe_options_set_trust().
///
/// Blocks: while the file is read, which is now.
/// Owns: copies the certificates; the file is not needed again.
/// Returns: OE_OK; OE_ERR_ARGUMENT, also when the file cannot be read or holds no certificate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_ca_file(
    options: *mut oe_options,
    path: *const c_char,
) -> oe_status {
    remembered_text(options, Setting::CaFile, path, |options, path| {
        options.set_ca_file(path)
    })
}

/// As oe_options_set_ca_file(), from len bytes of PEM in memory, which need no NUL. NULL with
/// len 0 goes back to the trust set by oe_options_set_trust().
///
/// Owns: copies pem.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_ca_pem(
    options: *mut oe_options,
    pem: *const u8,
    len: usize,
) -> oe_status {
    remembered(options, Setting::CaPem, |options| {
        match pem.is_null() && len == 0 {
            true => options.lock().set_ca_pem(None),
            false => abi::with_bytes(pem, len, |pem| options.lock().set_ca_pem(Some(pem))),
        }
    })
}

/// Sets an HTTP proxy, http://[user:password@]host:port. "env" reads HTTPS_PROXY and NO_PROXY from
/// the environment now, and never again. Default: none, whatever the environment says.
///
/// Threads: any; with "env" no other thread may change the environment meanwhile.
/// Owns: copies url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_proxy(
    options: *mut oe_options,
    url: *const c_char,
) -> oe_status {
    remembered_text(options, Setting::Proxy, url, |options, url| {
        options.set_proxy(url)
    })
}

/// Connects to these addresses for a host, "10.0.0.5, fd00::5", and never looks it up; certificates
/// are still checked by its name. For boards whose C library looks up no names, and for tests. At
/// most 8 hosts, a proxy may be one. NULL addresses look it up again, NULL for both does so for all.
///
/// Owns: copies host and addresses.
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_resolve(
    options: *mut oe_options,
    host: *const c_char,
    addresses: *const c_char,
) -> oe_status {
    remembered(options, Setting::Resolve, |options| {
        text::with(host, |host| {
            text::with(addresses, |addresses| {
                options.lock().set_resolve(host, addresses)
            })
        })
    })
}

/// Sets the one deadline of a call, from looking the name up to the last byte of the answer:
/// 1,000 to 3,600,000 ms, default 60,000.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_timeout_ms(options: *mut oe_options, total_ms: u32) -> oe_status {
    set(options, |options| options.set_timeout_ms(total_ms))
}

/// Sets how much of the deadline may go into making the connection: 1 to 3,600,000 ms, default
/// 10,000. More than the deadline itself counts as the deadline.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_connect_timeout_ms(
    options: *mut oe_options,
    ms: u32,
) -> oe_status {
    set(options, |options| options.set_connect_timeout_ms(ms))
}

/// Sets the host's own interval between verdicts in seconds: up to 1,209,600 (14 days). It never
/// goes below the service's minimum. 0 (default) follows the service.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_interval_sec(options: *mut oe_options, sec: u32) -> oe_status {
    set(options, |options| options.set_interval_sec(sec))
}

/// Sets the age in ms above which a frame with a capture time is not sent (OE_ERR_STALE_FRAME), or
/// not acted on (OE_RESULT_LATE): up to 3,600,000, default 30,000. 0 does not check.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_max_frame_age_ms(options: *mut oe_options, ms: u32) -> oe_status {
    set(options, |options| options.set_max_frame_age_ms(ms))
}

/// Sets how many worker threads the monitors of a client share: 1 to 64, default 4. Each is started
/// when it is needed; contexts use none.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_workers(options: *mut oe_options, n: u32) -> oe_status {
    set(options, |options| options.set_workers(n))
}

/// Names the host to the service, "my-printer-ui/2.1" for example: 1 to 128 visible ASCII
/// characters and spaces, put after the library's own user agent. Default: nothing.
///
/// Owns: copies product.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_user_agent(
    options: *mut oe_options,
    product: *const c_char,
) -> oe_status {
    set_text(options, product, |options, name| {
        options.set_user_agent(name)
    })
}

/// Sets the model of the embedded engine, a file of at most 16 MiB that is read by oe_client_new().
/// Default: the model that is built in. The service backend ignores it.
///
/// Owns: copies path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_model_file(
    options: *mut oe_options,
    path: *const c_char,
) -> oe_status {
    remembered_text(options, Setting::ModelFile, path, |options, path| {
        options.set_model_file(path)
    })
}

/// Sets how much memory the embedded engine takes at most to decode pictures, all looks of a client
/// together: 4 to 2,000 MB. A look waits for its share; a picture that takes more than all of it is
/// OE_ERR_IMAGE_REJECTED, with both numbers in the text. Only large progressive pictures take more
/// than 4 MB. 0 (default): 32 MB, which the clients that set nothing else share.
///
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub extern "C" fn oe_options_set_picture_memory_mb(options: *mut oe_options, mb: u32) -> oe_status {
    set(options, |options| options.set_picture_memory_mb(mb))
}
