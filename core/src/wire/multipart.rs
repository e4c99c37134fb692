//! The body of a process call.

use crate::platform::random;

/// What a boundary begins with; a token follows.
const BOUNDARY: &str = "oe-process-";
/// What follows the boundary before the image.
const PART: &str = "\r\nContent-Disposition: form-data; name=\"image\"; \
                    filename=\"print.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";

/// A multipart body around a JPEG that stays where it is.
#[derive(Debug)]
pub struct Multipart {
    /// The `Content-Type` header.
    pub content_type: String,
    head: String,
    tail: String,
}

impl Multipart {
    /// One file part, under a boundary that no image has: it is drawn anew for every request, 128
    /// bits of it, after the image was taken. `None` when the system has no randomness to give.
    #[must_use]
    pub fn new() -> Option<Multipart> {
        Some(Multipart::with_boundary(&random::token()?))
    }

    /// Put together and not formatted, which costs several times as much, once for every frame.
    fn with_boundary(token: &str) -> Multipart {
        let around = |before: &str, after: &str| [before, BOUNDARY, token, after].concat();
        Multipart {
            content_type: around("multipart/form-data; boundary=", ""),
            head: around("--", PART),
            tail: around("\r\n--", "--\r\n"),
        }
    }

    /// The body: head, the JPEG itself, tail.
    #[must_use]
    pub fn body<'a>(&'a self, jpeg: &'a [u8]) -> [&'a [u8]; 3] {
        [self.head.as_bytes(), jpeg, self.tail.as_bytes()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_03_the_boundary_is_new_each_time() {
        let (a, b) = (Multipart::new().unwrap(), Multipart::new().unwrap());
        assert_ne!(a.content_type, b.content_type);
    }
}
