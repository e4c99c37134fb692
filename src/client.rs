//! Client: one account, one connection pool
//!
//! Contexts of one client share its key, its connections and its pace of creating. An account
//! error (section 2) latches the client: every later call on its contexts, and every create and
//! restore, returns that status at once and sends nothing, until oe_client_check_key() succeeds or
//! oe_client_clear_latch() is called. One client per account is what a farm of printers needs.

use oe_core::account::counters::Usage;
use oe_core::client::Client;

use crate::abi::{self, Out, Place, versioned};
use crate::handle::{self, Close, Handle, oe_client, oe_options};
use crate::status::oe_status;
use crate::{engine, guard};

impl Handle for oe_client {
    type Object = Client;
    const KIND: usize = 2;
}

impl Close for Client {
    fn close(&self) {
        Client::close(self);
    }
}

/// Counters of a client since it was made.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct oe_usage {
    /// Set by OE_USAGE_INIT or oe_usage_init().
    pub struct_size: u32,
    /// Contexts alive now.
    pub contexts: u32,
    /// Process calls that brought a verdict.
    pub processed: u64,
    /// Process calls sent whole whose verdict never came or broke off: billed or not, nobody knows.
    /// Part of failed.
    pub possibly_billed: u64,
    /// Process calls that tried to reach the service and brought no verdict.
    pub failed: u64,
    /// Contexts created, those of key checks and renewals included.
    pub creates: u64,
    /// Bytes sent, HTTP headers included, TLS not.
    pub bytes_sent: u64,
    /// Bytes received, HTTP headers included, TLS not.
    pub bytes_received: u64,
    /// The account error that stops this client; OE_OK: none.
    pub latched: oe_status,
    /// 0.
    pub reserved: u32,
}

versioned!(oe_usage {
    struct_size: u32,
    contexts: u32,
    processed: u64,
    possibly_billed: u64,
    failed: u64,
    creates: u64,
    bytes_sent: u64,
    bytes_received: u64,
    latched: oe_status,
    reserved: u32,
});

impl From<Usage> for oe_usage {
    fn from(usage: Usage) -> oe_usage {
        oe_usage {
            struct_size: 0,
            contexts: usage.contexts,
            processed: usage.processed,
            possibly_billed: usage.possibly_billed,
            failed: usage.failed,
            creates: usage.creates,
            bytes_sent: usage.bytes_sent,
            bytes_received: usage.bytes_received,
            latched: usage.latched.map_or(0, |status| status.code()),
            reserved: 0,
        }
    }
}

/// Makes a client from options. Sends nothing: whether the key is good, a create or a key check
/// tells. The embedded engine needs no key and no address, and its model is read now. A setting
/// that was refused and not set since is refused here too, and oe_last_error() names its setter. On
/// failure *out is NULL.
///
/// Owns: the caller owns *out and frees it with oe_client_free(); options stay the caller's.
/// Returns: OE_OK; the status of a refused setting; OE_ERR_ARGUMENT (no key for the hosted service,
///     http not allowed), OE_ERR_UNSUPPORTED, OE_ERR_RESOURCES, OE_ERR_MODEL (missing, damaged or
///     not a model).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_client_new(
    options: *const oe_options,
    out: *mut *mut oe_client,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let options = handle::get(options)?.lock().clone();
        Place::new(out)?.put_handle(engine::client(&options)?)
    })
}

/// Frees a client, stops its monitors, and ends its creates, renewals, key checks and waits for
/// events (OE_CANCELLED). Its contexts stay usable. NULL and freeing twice do nothing.
///
/// Blocks: until the calls of its monitors have ended, less than 2 s.
/// Threads: any; inside the log function it takes effect when the logging call returns.
/// Owns: takes client.
#[unsafe(no_mangle)]
pub extern "C" fn oe_client_free(client: *mut oe_client) {
    guard::value((), || {
        handle::free(client);
        Ok(())
    });
}

/// Ends every create, renewal, key check and wait for an event on this client: they return
/// OE_CANCELLED. No effect if nothing is in flight; later calls are not affected.
///
/// Blocks: no. The calls it ends return within 2 s.
/// Threads: any; not from a signal handler, which sets a flag instead.
#[unsafe(no_mangle)]
pub extern "C" fn oe_client_cancel(client: *mut oe_client) -> oe_status {
    guard::status(|| {
        handle::get(client)?.cancel();
        Ok(())
    })
}

/// Sets *out to the milliseconds until a create is allowed; 0: now, OE_NEVER: the client is
/// latched. Creates wait only after a failed one, 20 s at first and up to 300 s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_client_create_due_in_ms(
    client: *mut oe_client,
    out: *mut u32,
) -> oe_status {
    guard::status(|| {
        let client = handle::get(client)?;
        Place::new(out)?.put(client.create_due().as_ms());
        Ok(())
    })
}

/// Asks the service whether it takes the key, by a create whose context is dropped: costs nothing,
/// sends no image, and says nothing about the allowance. A success clears a latch. At most one in
/// 20 s.
///
/// Blocks: until answered, at most the timeout; oe_client_cancel() ends it.
/// Threads: any; not inside the log function.
/// Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_ERR_REENTRANT, OE_ERR_UNSUPPORTED (embedded
/// engine), or any call error.
#[unsafe(no_mangle)]
pub extern "C" fn oe_client_check_key(client: *mut oe_client) -> oe_status {
    guard::status(|| {
        let client = handle::get(client)?;
        guard::refuse_while_logging()?;
        client.check_key()
    })
}

/// Clears the latch after the account was mended: calls are allowed again, each when it is due.
///
/// Returns: OE_OK, also when nothing was latched.
#[unsafe(no_mangle)]
pub extern "C" fn oe_client_clear_latch(client: *mut oe_client) -> oe_status {
    guard::status(|| {
        handle::get(client)?.clear_latch();
        Ok(())
    })
}

/// Reads the counters of a client.
///
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_client_usage(client: *mut oe_client, out: *mut oe_usage) -> oe_status {
    guard::status(|| {
        let client = handle::get(client)?;
        Out::new(out)?.write(&client.usage().into());
        Ok(())
    })
}

/// Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_usage).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_usage_init(out: *mut oe_usage, size: usize) {
    guard::value((), || {
        abi::init(out, size);
        Ok(())
    });
}
