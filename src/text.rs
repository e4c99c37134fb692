//! Plumbing: C strings in, snprintf out.
//!
//! As in [`abi`](crate::abi), the pointers here are the host's, passed on unchanged.

use std::ffi::c_char;

use oe_core::error::{Error, Status};

/// The longest string taken from a host, in bytes. One that has no end before that is not read
/// any further.
pub(crate) const MAX_INPUT: usize = 64 * 1024;

/// A string from the host, for the time of one call; NULL is `None`.
///
/// # Errors
/// Those of `body`; `Argument` when it is not UTF-8 or longer than [`MAX_INPUT`].
pub(crate) fn with<T>(
    text: *const c_char,
    body: impl FnOnce(Option<&str>) -> Result<T, Error>,
) -> Result<T, Error> {
    if text.is_null() {
        return body(None);
    }
    let text = text.cast::<u8>();
    let mut len = 0;
    // SAFETY: the host says that the string has an end; every byte up to it may be read, and none
    // after it is.
    while unsafe { text.add(len).read() } != 0 {
        len += 1;
        if len > MAX_INPUT {
            return Err(Error::with_text(Status::Argument, "a string is too long"));
        }
    }
    // SAFETY: these bytes were just read. Nobody changes them before the call returns.
    let bytes = unsafe { std::slice::from_raw_parts(text, len) };
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::with_text(Status::Argument, "a string is not UTF-8"))?;
    body(Some(text))
}

/// The last end of a character that is not beyond `most` bytes.
fn boundary(text: &str, most: usize) -> usize {
    let fits = |end: &usize| text.is_char_boundary(*end);
    (0..=most.min(text.len())).rev().find(fits).unwrap_or(0)
}

/// As much of `text` as fits in `cap` bytes with its NUL, cut at a character. Returns its whole
/// length. Without a buffer nothing is written.
pub(crate) fn put(text: &str, buf: *mut c_char, cap: usize) -> usize {
    if !buf.is_null() && cap > 0 {
        let cut = boundary(text, cap - 1);
        let buf = buf.cast::<u8>();
        // SAFETY: the host says that `cap` bytes may be written; `cut` is below that. The text is
        // ours and cannot overlap.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buf, cut);
            buf.add(cut).write(0);
        }
    }
    text.len()
}

/// A character array that ends with a NUL, from as much of `text` as fits.
pub(crate) fn array<const N: usize>(text: &str) -> [c_char; N] {
    let mut array = [0; N];
    let cut = boundary(text, N - 1);
    for (to, from) in array.iter_mut().zip(text[..cut].bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    array
}

/// A static string for C: `N` bytes that end with a NUL.
#[derive(Clone, Copy)]
pub(crate) struct Static<const N: usize>([u8; N]);

impl<const N: usize> Static<N> {
    /// Does not compile as a constant when `N` is too small.
    pub(crate) const fn new(text: &str) -> Static<N> {
        let mut bytes = [0; N];
        let text = text.as_bytes();
        assert!(text.len() < N, "the text and its NUL do not fit");
        let mut i = 0;
        while i < text.len() {
            assert!(text[i] != 0, "a NUL within the text");
            bytes[i] = text[i];
            i += 1;
        }
        Static(bytes)
    }

    /// For C. A `&'static`, as the host may keep it for ever.
    pub(crate) const fn as_ptr(&'static self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn read(text: *const c_char) -> Result<Option<String>, Error> {
        with(text, |text| Ok(text.map(str::to_owned)))
    }

    #[test]
    fn strings_come_in_whole_or_not_at_all() {
        assert_eq!(read(std::ptr::null()).unwrap(), None);
        assert_eq!(read(c"".as_ptr()).unwrap().unwrap(), "");
        assert_eq!(read(c"Küche".as_ptr()).unwrap().unwrap(), "Küche");
        for bad in [c"\xff", c"a\xc3", c"\xed\xa0\x80"] {
            assert_eq!(read(bad.as_ptr()).unwrap_err().status, Status::Argument);
        }
        let longest = CString::new(vec![b'x'; MAX_INPUT]).unwrap();
        assert_eq!(read(longest.as_ptr()).unwrap().unwrap().len(), MAX_INPUT);
        // No NUL at all: nothing beyond the limit is read.
        let endless = vec![b'x'; MAX_INPUT + 1];
        let error = read(endless.as_ptr().cast()).unwrap_err();
        assert_eq!(error.status, Status::Argument);
    }

    #[test]
    fn text_goes_out_by_the_rules_of_snprintf() {
        let text = "aü€😀z"; // 1 + 2 + 3 + 4 + 1 bytes
        let ends = [0, 1, 3, 6, 10, 11];
        for cap in 0..=16_usize {
            let mut buffer = [0x55_u8; 16];
            assert_eq!(put(text, buffer.as_mut_ptr().cast(), cap), 11);
            if cap == 0 {
                assert_eq!(buffer, [0x55; 16]);
                continue;
            }
            let end = *ends.iter().rev().find(|end| **end < cap).unwrap();
            assert_eq!(&buffer[..end], &text.as_bytes()[..end], "{cap}");
            assert_eq!(buffer[end], 0);
            assert!(buffer[end + 1..].iter().all(|byte| *byte == 0x55), "{cap}");
        }
        assert_eq!(put(text, std::ptr::null_mut(), 0), 11);
        assert_eq!(put(text, std::ptr::null_mut(), 9), 11);
    }

    #[test]
    fn arrays_are_cut_at_a_character_and_end_with_a_nul() {
        let bytes = |array: &[c_char]| array.iter().map(|c| c.to_ne_bytes()[0]).collect::<Vec<_>>();
        assert_eq!(bytes(&array::<4>("abcdef")), b"abc\0");
        assert_eq!(bytes(&array::<4>("ab€")), b"ab\0\0");
        assert_eq!(bytes(&array::<4>("")), [0; 4]);
    }
}
