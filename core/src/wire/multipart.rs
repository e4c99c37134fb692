//! The body of a process call.

use crate::platform::random;

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
        let boundary = format!("oe-process-{}", random::token()?);
        Some(Multipart::with_boundary(&boundary))
    }

    fn with_boundary(boundary: &str) -> Multipart {
        Multipart {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            head: format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; \
                 filename=\"print.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
            ),
            tail: format!("\r\n--{boundary}--\r\n"),
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
