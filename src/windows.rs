//! Plumbing: what Windows has in place of a descriptor, and of a library that stays mapped.

use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr;

use oe_core::platform::signal::Signal;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};

/// A manual-reset event: what `WaitForMultipleObjects` and `MsgWaitForMultipleObjects` take.
struct Event(OwnedHandle);

/// A new one, which is not signalled.
pub(crate) fn signal() -> io::Result<Box<dyn Signal>> {
    // SAFETY: no attributes and no name are given; 1 is manual reset, 0 is not signalled.
    let handle = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nobody else's.
    Ok(Box::new(Event(unsafe {
        OwnedHandle::from_raw_handle(handle)
    })))
}

impl Signal for Event {
    fn set(&self) {
        // SAFETY: the handle is open while `self` lives.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    fn clear(&self) {
        // SAFETY: as above.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }

    fn number(&self) -> isize {
        self.0.as_raw_handle() as isize
    }
}

/// Keeps this library mapped until the process ends, as `-z nodelete` does elsewhere: its threads
/// run its code, and a FreeLibrary would pull that away from under them.
pub(crate) fn stay() {
    let mut module = ptr::null_mut();
    let within: fn() = stay;
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    // SAFETY: with FROM_ADDRESS the name is any address within the module. Failing is harmless
    // unless the host unloads the library, and there is nobody to tell.
    unsafe { GetModuleHandleExW(flags, within as *const u16, &raw mut module) };
}
