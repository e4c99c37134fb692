//! The API key: kept zeroised, never shown.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, Status};

/// The longest key accepted, in bytes after trimming.
pub const MAX_KEY: usize = 512;

/// An API key. Its memory is overwritten when the last owner drops it; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Takes a key as a user pasted it: surrounding white space is trimmed, anything but visible
    /// ASCII is refused, so that it can never end a header line.
    ///
    /// # Errors
    /// [`Status::Argument`] when empty, longer than [`MAX_KEY`] or with other characters.
    pub fn new(text: &str) -> Result<ApiKey, Error> {
        let key = text.trim_matches([' ', '\t', '\r', '\n']);
        if key.is_empty() {
            return Err(Error::with_text(Status::Argument, "the API key is empty"));
        }
        if key.len() > MAX_KEY {
            return Err(Error::with_text(
                Status::Argument,
                "the API key is longer than 512 characters",
            ));
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let text = "the API key holds a character that is not visible ASCII";
            return Err(Error::with_text(Status::Argument, text));
        }
        Ok(ApiKey(Zeroizing::new(key.to_owned())))
    }

    /// The key itself, for the one header it belongs in.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_07_keys_are_visible_ascii_after_trimming() {
        for good in ["k", " abc\t\r\n", &"x".repeat(512), "!~"] {
            assert_eq!(ApiKey::new(good).unwrap().expose(), good.trim());
        }
        let long = "x".repeat(10 * 1024);
        for bad in [
            "",
            "   ",
            "abc\r\nX-Evil: 1",
            "a\0b",
            "schl\u{fc}ssel",
            &long,
            "a b",
            "a\tb",
        ] {
            assert_eq!(
                ApiKey::new(bad).unwrap_err().status,
                Status::Argument,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn se_11_debug_shows_nothing() {
        assert!(!format!("{:?}", ApiKey::new("topsecret").unwrap()).contains("secret"));
    }
}
