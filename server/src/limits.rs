//! What one request, one key and all together may take.
//!
//! The layer knows neither routes nor contexts: a caller asks it before it takes something, and gives the
//! refusal on as it is.

mod body;
mod creates;
mod uploads;

use std::time::Duration;

use crate::reply::{Problem, Refusal};

pub(crate) use body::{BodyLimit, read_body};
pub(crate) use creates::Creates;
pub(crate) use uploads::{Stop, UploadPermit, Uploads};

/// The largest image, in bytes. Source: the public API documentation (6 MiB).
pub const MAX_IMAGE: usize = 6_291_456;

/// What a multipart body may hold besides the image, in bytes.
pub const MAX_OVERHEAD: usize = 64 * 1_024;

/// What one request, one key and all together may take. Where any key is accepted, an address counts as
/// a key.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The head of a request, and of a part of its body, in bytes; at least 8,192.
    pub header_bytes: usize,
    /// An image, in bytes. A body may have 64 KiB more.
    pub image_bytes: usize,
    /// Images that are received, or wait to be decoded, at a time.
    pub uploads: usize,
    /// The same, of one key.
    pub uploads_per_key: usize,
    /// The bytes of all these images together.
    pub upload_memory: usize,
    /// How long an upload may bring nothing.
    pub stall: Duration,
    /// How long an upload may take.
    pub upload_time: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Contexts at a time.
    pub contexts: usize,
    /// The same, of one key.
    pub contexts_per_key: usize,
    /// Contexts that a key may create at once; as many come back each minute.
    pub creates_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_bytes: 16 * 1_024,
            image_bytes: MAX_IMAGE,
            uploads: 256,
            uploads_per_key: 64,
            upload_memory: 100_000_000,
            stall: Duration::from_secs(30),
            upload_time: Duration::from_secs(120),
            connections: 10_000,
            contexts: 100_000,
            contexts_per_key: 20_000,
            creates_per_minute: 6_000,
        }
    }
}

/// When somebody who found all places taken may try again, in seconds: uploads take less.
const RETRY_SOON: u32 = 5;

/// The refusal for whoever has reached a limit that others give back soon.
pub(crate) fn throttled() -> Refusal {
    Problem::THROTTLED.retry_after(RETRY_SOON)
}
