//! Plumbing: what Windows has in place of a descriptor, of a library that stays mapped, and of a clock
//! that stands still while the device sleeps.

use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::OnceLock;
use std::time::Duration;

use oe_core::platform::clock::{Counters, from_100_ns};
use oe_core::platform::signal::Signal;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleA,
    GetModuleHandleExW, GetProcAddress,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

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

/// The standard library's `Instant` is `QueryPerformanceCounter` here, which counts the time that a
/// device sleeps: after an hour of it every wait would be over at once. The unbiased interrupt time
/// does not count it, the tick count does.
pub(crate) const COUNTERS: Counters = Counters {
    awake,
    with_sleep: || {
        // SAFETY: it takes nothing and cannot fail.
        Duration::from_millis(unsafe { GetTickCount64() })
    },
};

/// `QueryUnbiasedInterruptTimePrecise`.
type Precise = unsafe extern "system" fn(*mut u64);

fn awake() -> Duration {
    let mut units = 0;
    match precise() {
        // SAFETY: it writes one number, to a place that is ours.
        Some(query) => unsafe { query(&raw mut units) },
        // Before Windows 10: a clock that goes on with each tick of the system, 16 ms at most.
        // SAFETY: as above. It fails on a null pointer only.
        None => drop(unsafe { QueryUnbiasedInterruptTime(&raw mut units) }),
    }
    from_100_ns(units)
}

/// Looked up, and not linked: Windows 8 has none, and would not load a library that asks for it.
fn precise() -> Option<Precise> {
    static FOUND: OnceLock<Option<Precise>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the name ends with a NUL. The module is in every process, and stays.
        let module = unsafe { GetModuleHandleA(c"kernelbase.dll".as_ptr().cast()) };
        if module.is_null() {
            return None;
        }
        let name = c"QueryUnbiasedInterruptTimePrecise";
        // SAFETY: the module is loaded, and the name ends with a NUL.
        let found = unsafe { GetProcAddress(module, name.as_ptr().cast()) }?;
        // SAFETY: this is what the function of that name takes and returns.
        Some(unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, Precise>(found) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_go_on_as_time_does() {
        let (awake_before, all_before) = ((COUNTERS.awake)(), (COUNTERS.with_sleep)());
        std::thread::sleep(Duration::from_millis(300));
        let awake = (COUNTERS.awake)() - awake_before;
        let all = (COUNTERS.with_sleep)() - all_before;
        // A tick more or less.
        for passed in [awake, all] {
            let ms = passed.as_millis();
            assert!((280..10_000).contains(&ms), "{passed:?}");
        }
        assert!((COUNTERS.with_sleep)() + Duration::from_secs(1) >= (COUNTERS.awake)());
    }
}
