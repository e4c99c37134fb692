//! Plumbing: handles, which are numbers dressed as pointers and never dereferenced.
//!
//! A handle packs the kind of the object, the fork generation of the process that made it, a slot
//! of the table and how often that slot had been used. NULL, freed, wrong-kind and made-up handles
//! are therefore found out by looking them up. The kind is in the low three bits and never zero:
//! a pointer from an allocator, being aligned, is never mistaken for a handle.

mod table;

use std::any::Any;
use std::ptr;
use std::sync::Arc;

use oe_core::error::{Error, Status};

use crate::guard;
use crate::per_process::PerProcess;
use table::Table;

/// Client configuration. Made by oe_options_new().
#[allow(non_camel_case_types, reason = "the name in C")]
pub struct oe_options {
    _opaque: [u8; 0],
}

/// One account and its connections. Made by oe_client_new().
#[allow(non_camel_case_types, reason = "the name in C")]
pub struct oe_client {
    _opaque: [u8; 0],
}

/// One print. Made by oe_context_create() or oe_context_restore().
#[allow(non_camel_case_types, reason = "the name in C")]
pub struct oe_context {
    _opaque: [u8; 0],
}

/// One print that is watched. Made by oe_monitor_start() or oe_monitor_start_saved().
#[allow(non_camel_case_types, reason = "the name in C")]
pub struct oe_monitor {
    _opaque: [u8; 0],
}

/// The type behind a handle's pointer in C.
pub(crate) trait Handle {
    /// What the table keeps for it.
    type Object: Close;
    /// 1 to 7, different for every type.
    const KIND: usize;
}

/// What happens to an object when its handle is freed. Calls in flight may still hold it.
pub(crate) trait Close: Any + Send + Sync {
    /// Ends what is in flight. May wait for it, 2 s at most: no lock of the table is held.
    fn close(&self);
}

fn table() -> &'static Table {
    static TABLE: PerProcess<Table> = PerProcess::new();
    TABLE.get(Table::new)
}

/// A new handle for an object.
///
/// # Errors
/// `Resources` when every slot is taken.
pub(crate) fn insert<H: Handle>(object: Arc<H::Object>) -> Result<*mut H, Error> {
    let number = table()
        .insert(H::KIND, object)
        .ok_or_else(|| Error::with_text(Status::Resources, "too many handles are alive"))?;
    Ok(ptr::without_provenance_mut(number))
}

/// The object of a handle; it stays alive while it is held, whatever happens to the handle.
///
/// # Errors
/// `Handle`, `Forked`.
pub(crate) fn get<H: Handle>(handle: *const H) -> Result<Arc<H::Object>, Error> {
    let object = table().get(H::KIND, handle.addr()).map_err(Error::local)?;
    object.downcast().map_err(|_| Error::local(Status::Handle))
}

/// Frees a handle: at once, or when the call that is logging returns. Anything that is not a live
/// handle of this kind and process is left alone.
pub(crate) fn free<H: Handle>(handle: *mut H) {
    if !handle.is_null() && !guard::defer(free_now::<H>, handle.addr()) {
        free_now::<H>(handle.addr());
    }
}

fn free_now<H: Handle>(number: usize) {
    // The object is closed and dropped when the table's lock is free again.
    let object = table().remove(H::KIND, number);
    if let Some(Ok(object)) = object.map(Arc::downcast::<H::Object>) {
        object.close();
    }
}
