//! Plumbing: what is written through the host's pointers, structures by their `struct_size` first
//! of all.
//!
//! The pointers in these signatures came from the host and are passed on unchanged by the section
//! files, which never make one up. What they must point to is written in the header. That is why
//! these functions are not `unsafe` themselves: no Rust caller could keep a promise that only the
//! host can make.

use oe_core::error::{Error, Status};

use crate::handle::{self, Handle};

/// The sizes a structure of any release may have.
const SIZES: std::ops::RangeInclusive<u32> = 8..=4096;

/// A structure of the C ABI.
///
/// # Safety
/// `#[repr(C)]`, made of integers only and without padding, starting with `struct_size: u32`, and
/// `MEMBERS` holds offset and size of each member in order. [`versioned!`] checks all of it.
pub(crate) unsafe trait Versioned: Copy {
    /// Offset and size of each member.
    const MEMBERS: &'static [(usize, usize)];
}

/// Implements [`Versioned`] for a structure, given its members in order.
macro_rules! versioned {
    ($name:ident { $($member:ident: $type:ty,)* }) => {
        const _: () = {
            // Each member begins where the one before ended, and nothing follows the last.
            let mut end = 0;
            $(
                assert!(std::mem::offset_of!($name, $member) == end);
                assert!(end % std::mem::align_of::<$type>() == 0);
                end += std::mem::size_of::<$type>();
            )*
            assert!(end == std::mem::size_of::<$name>());
            assert!(std::mem::offset_of!($name, struct_size) == 0);
            // The types given here are the real ones, and no member is missing.
            #[allow(dead_code, reason = "it only has to compile")]
            fn same($name { $($member,)* }: $name) {
                $(let _: $type = $member;)*
            }
        };
        // SAFETY: checked just above; all types of members are integers or arrays of such, which
        // the `Plain` bound holds.
        unsafe impl $crate::abi::Versioned for $name {
            const MEMBERS: &'static [(usize, usize)] = &[$(
                (std::mem::offset_of!($name, $member), $crate::abi::plain::<$type>()),
            )*];
        }
    };
}
pub(crate) use versioned;

/// Types without padding and invalid values.
pub(crate) trait Plain {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for i8 {}
impl Plain for u32 {}
impl Plain for i32 {}
impl Plain for u64 {}
impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The size of a plain type.
pub(crate) const fn plain<T: Plain>() -> usize {
    size_of::<T>()
}

/// A host's structure whose `struct_size` is possible.
pub(crate) struct Out<T> {
    to: *mut u8,
    size: usize,
    kind: std::marker::PhantomData<T>,
}

impl<T: Versioned> Out<T> {
    /// Looks at the structure, and changes nothing.
    ///
    /// # Errors
    /// `Argument` for NULL, `Abi` for an impossible size.
    pub(crate) fn new(to: *mut T) -> Result<Out<T>, Error> {
        if to.is_null() {
            return Err(null("the structure to fill"));
        }
        // SAFETY: the host's structure begins with a u32, whatever its release.
        let size = unsafe { to.cast::<u32>().read_unaligned() };
        if !SIZES.contains(&size) || size % 4 != 0 {
            return Err(Error::local(Status::Abi));
        }
        Ok(Out {
            to: to.cast(),
            size: size as usize,
            kind: std::marker::PhantomData,
        })
    }

    /// As [`new`](Self::new), of a structure that the host may leave out.
    ///
    /// # Errors
    /// `Abi`.
    pub(crate) fn optional(to: *mut T) -> Result<Option<Out<T>>, Error> {
        match to.is_null() {
            true => Ok(None),
            false => Out::new(to).map(Some),
        }
    }

    /// Writes the members that the host's release of the structure has, but for `struct_size`.
    pub(crate) fn write(self, value: &T) {
        let from = std::ptr::from_ref(value).cast::<u8>();
        let known = T::MEMBERS.iter().skip(1);
        for &(offset, size) in known.filter(|(offset, size)| offset + size <= self.size) {
            // SAFETY: `offset + size` is within `value`, and within the `struct_size` bytes that
            // the host says are its own. They cannot overlap: `value` is ours.
            unsafe {
                std::ptr::copy_nonoverlapping(from.add(offset), self.to.add(offset), size);
            }
        }
    }
}

/// A structure from the host, and its `struct_size`: what is beyond that is 0.
///
/// # Errors
/// `Abi` for an impossible size, and for more than this release knows that is not 0: it would be
/// passed over.
pub(crate) fn read<T: Versioned>(from: *const T) -> Result<(T, usize), Error> {
    if from.is_null() {
        return Err(null("the structure to read"));
    }
    let from = from.cast::<u8>();
    // SAFETY: the host's structure begins with a u32, whatever its release.
    let size = unsafe { from.cast::<u32>().read_unaligned() };
    if !SIZES.contains(&size) || size % 4 != 0 {
        return Err(Error::local(Status::Abi));
    }
    let size = size as usize;
    // SAFETY: the host says that `size` bytes are there, and that nobody changes them before the
    // call returns.
    let bytes = unsafe { std::slice::from_raw_parts(from, size) };
    let (known, unknown) = bytes.split_at(size.min(size_of::<T>()));
    if unknown.iter().any(|byte| *byte != 0) {
        let text = "the structure is of a later release, and has something set that this one lacks";
        return Err(Error::with_text(Status::Abi, text));
    }
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: `known` is no longer than a `T`, and ours does not overlap with it. Versioned types are
    // made of integers: any bytes are a value of them.
    let value = unsafe {
        std::ptr::copy_nonoverlapping(known.as_ptr(), value.as_mut_ptr().cast(), known.len());
        value.assume_init()
    };
    Ok((value, size))
}

/// The body of every `oe_x_init`: zeroes the host's `size` bytes and sets `struct_size`.
pub(crate) fn init<T: Versioned>(to: *mut T, size: usize) {
    if to.is_null() {
        return;
    }
    let to = to.cast::<u8>();
    let (zeroed, struct_size) = match u32::try_from(size) {
        Ok(size) if size <= *SIZES.end() => (size as usize, size),
        // No structure is that large. Zero makes every later call refuse it.
        _ => (4, 0),
    };
    // SAFETY: the host passes the size of its structure; `zeroed` is no more than that.
    unsafe { to.write_bytes(0, zeroed) };
    if zeroed >= 4 {
        // SAFETY: as above.
        unsafe { to.cast::<u32>().write_unaligned(struct_size) };
    }
}

/// Where a number or a handle goes.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// # Errors
    /// `Argument` for NULL.
    pub(crate) fn new(to: *mut T) -> Result<Place<T>, Error> {
        match to.is_null() {
            true => Err(null("the place for the answer")),
            false => Ok(Place(to)),
        }
    }

    /// Writes it.
    pub(crate) fn put(self, value: T) {
        // SAFETY: not null, and the host says that a `T` may be written there.
        unsafe { self.0.write_unaligned(value) };
    }
}

impl<H: Handle> Place<*mut H> {
    /// Makes a handle and writes it.
    ///
    /// # Errors
    /// `Resources`.
    pub(crate) fn put_handle(self, object: std::sync::Arc<H::Object>) -> Result<(), Error> {
        self.put(handle::insert(object)?);
        Ok(())
    }
}

/// Sets a constructor's `*out` to NULL before anything can fail.
pub(crate) fn clear<H>(out: *mut *mut H) {
    if let Ok(place) = Place::new(out) {
        place.put(std::ptr::null_mut());
    }
}

/// Bytes from the host, for the time of one call.
///
/// # Errors
/// Those of `body`; `Argument` for NULL, for no bytes, and for more than there can be.
pub(crate) fn with_bytes<T>(
    bytes: *const u8,
    len: usize,
    body: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    if bytes.is_null() {
        return Err(null("the pointer to the bytes"));
    }
    if len == 0 || isize::try_from(len).is_err() {
        let text = "the number of bytes is 0 or impossible";
        return Err(Error::with_text(Status::Argument, text));
    }
    // SAFETY: not null and no longer than an allocation can be; the host says that `len` bytes are
    // there and that nobody changes them before the call returns.
    body(unsafe { std::slice::from_raw_parts(bytes, len) })
}

fn null(what: &str) -> Error {
    Error::with_text(Status::Argument, format!("{what} is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::oe_usage;
    use crate::context::{oe_info, oe_print_options};
    use crate::monitor::oe_event;
    use crate::process::oe_result;
    use crate::status::oe_error;

    const PATTERN: u8 = 0xA5;

    /// Every `struct_size` from 0 to 4100, against a buffer whose bytes are all known.
    fn every_size<T: Versioned>() {
        // SAFETY: `Versioned` types are made of integers: any bytes are a value of them.
        let value: T = unsafe { std::mem::zeroed() };
        for size in 0..=4100_u32 {
            let mut buffer = vec![PATTERN; 4200];
            buffer[..4].copy_from_slice(&size.to_ne_bytes());
            let before = buffer.clone();
            let out = Out::new(buffer.as_mut_ptr().cast::<T>());
            let possible = (8..=4096).contains(&size) && size % 4 == 0;
            assert_eq!(out.is_ok(), possible, "{size}");
            let Ok(out) = out else {
                assert_eq!(buffer, before);
                continue;
            };
            out.write(&value);
            assert_eq!(buffer[..4], size.to_ne_bytes(), "struct_size changed");
            let end = T::MEMBERS
                .iter()
                .map(|(offset, len)| offset + len)
                .filter(|end| *end <= size as usize)
                .max()
                .unwrap();
            assert!(buffer[4..end].iter().all(|byte| *byte == 0), "{size}");
            assert!(buffer[end..].iter().all(|byte| *byte == PATTERN), "{size}");
        }
    }

    #[test]
    fn every_struct_size_of_every_structure() {
        every_size::<oe_error>();
        every_size::<oe_usage>();
        every_size::<oe_info>();
        every_size::<oe_event>();
        every_size::<oe_result>();
        every_size::<oe_print_options>();
    }

    #[test]
    fn layouts_are_those_of_the_first_release() {
        assert_eq!((size_of::<oe_error>(), align_of::<oe_error>()), (336, 4));
        // Its place came with 0.2.0.
        assert_eq!(size_of::<oe_result>(), 48 + 8);
        let (offset, size) = *oe_result::MEMBERS.last().unwrap();
        assert_eq!((offset, size), (48, 8));
        assert_eq!(size_of::<oe_usage>(), 64);
        assert_eq!(size_of::<oe_info>(), 40);
        // Whole words of 8 where there is a 64-bit member, at multiples of 8, on every target.
        for members in [oe_usage::MEMBERS, oe_info::MEMBERS] {
            let wide = members.iter().filter(|(_, size)| *size == 8);
            assert!(wide.map(|(offset, _)| offset % 8).all(|rest| rest == 0));
        }
    }

    #[test]
    fn init_zeroes_exactly_what_it_is_told() {
        for size in 0..=4096_usize {
            let mut buffer = vec![PATTERN; 4200];
            init(buffer.as_mut_ptr().cast::<oe_result>(), size);
            let zero_from = if size >= 4 {
                assert_eq!(buffer[..4], u32::try_from(size).unwrap().to_ne_bytes());
                4
            } else {
                0
            };
            assert!(buffer[zero_from..size].iter().all(|byte| *byte == 0));
            assert!(buffer[size..].iter().all(|byte| *byte == PATTERN));
        }
        for size in [4097, usize::MAX] {
            let mut buffer = [PATTERN; 64];
            init(buffer.as_mut_ptr().cast::<oe_result>(), size);
            assert_eq!(buffer[..4], [0; 4]);
            assert!(buffer[4..].iter().all(|byte| *byte == PATTERN));
            assert!(Out::new(buffer.as_mut_ptr().cast::<oe_result>()).is_err());
        }
        init::<oe_result>(std::ptr::null_mut(), 48);
    }

    /// Every `struct_size`, from memory of exactly that size.
    #[test]
    fn structures_come_in_at_every_size() {
        let known = size_of::<oe_print_options>();
        for size in 0..=4100_u32 {
            let len = (size as usize).max(4);
            let mut bytes = vec![0; len];
            let end = len.min(known);
            bytes[4..end].fill(PATTERN);
            bytes[..4].copy_from_slice(&size.to_ne_bytes());
            let read = read(bytes.as_ptr().cast::<oe_print_options>());
            let possible = (8..=4096).contains(&size) && size % 4 == 0;
            assert_eq!(read.is_ok(), possible, "{size}");
            let Ok((value, told)) = read else {
                continue;
            };
            assert_eq!(told, size as usize);
            let set = |at: usize| if at < len { 0xA5A5_A5A5 } else { 0 };
            assert_eq!(value.interval_sec, set(12));
            assert_eq!(value.flags, set(20));
            let last = value.ignore[7];
            assert_eq!(u32::from(last.height), set(84) & 0xFFFF);
            // What is not known must not be set.
            for at in known..len {
                bytes[at] = 1;
                let from = bytes.as_ptr().cast::<oe_print_options>();
                assert!(super::read(from).is_err(), "{size} {at}");
                bytes[at] = 0;
            }
        }
        let none = std::ptr::null::<oe_print_options>();
        assert!(read(none).is_err_and(|error| error.status == Status::Argument));
    }

    #[test]
    fn misaligned_structures_are_served() {
        let mut buffer = [PATTERN; 80];
        init(
            buffer[1..].as_mut_ptr().cast::<oe_info>(),
            size_of::<oe_info>(),
        );
        let out = Out::new(buffer[1..].as_mut_ptr().cast::<oe_info>()).unwrap();
        // SAFETY: integers only.
        out.write(&unsafe { std::mem::zeroed() });
        assert_eq!(buffer[41], PATTERN);
    }

    #[test]
    fn bytes_are_checked_before_they_are_touched() {
        let is_argument = |result: Result<(), Error>| {
            assert_eq!(result.unwrap_err().status, Status::Argument);
        };
        let one = [1_u8];
        is_argument(with_bytes(std::ptr::null(), 1, |_| Ok(())));
        is_argument(with_bytes(one.as_ptr(), 0, |_| Ok(())));
        is_argument(with_bytes(one.as_ptr(), usize::MAX, |_| Ok(())));
        is_argument(with_bytes(
            one.as_ptr(),
            isize::MAX as usize + 1,
            |_| Ok(()),
        ));
        assert!(with_bytes(one.as_ptr(), 1, |bytes| Ok(bytes.len())).is_ok());
    }
}
