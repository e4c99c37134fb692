//! What a client has sent and what it may have been billed.

use crate::backend::{Reading, Traffic};
use crate::error::Status;
use crate::platform::sync::Mutex;

/// Counters of one client, from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Contexts alive now.
    pub contexts: u32,
    /// Process calls answered with a verdict, or with that there was nothing to judge.
    pub processed: u64,
    /// Process calls sent whole whose answer, or verdict, never arrived whole: billed or not,
    /// nobody knows.
    pub possibly_billed: u64,
    /// Process calls that went out, or tried to, and brought no verdict; includes the above.
    pub failed: u64,
    /// Contexts created.
    pub creates: u64,
    /// Bytes handed to connections, headers included, TLS not.
    pub bytes_sent: u64,
    /// Bytes of answers, headers included, TLS not.
    pub bytes_received: u64,
    /// The account error that stops this client, or `Ok`.
    pub latched: Option<Status>,
}

/// The counters behind [`Usage`]. Under a lock, because not every processor that prints has atomic
/// numbers of 64 bits.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Usage>);

impl Counters {
    pub(crate) fn traffic(&self, traffic: Traffic) {
        let mut usage = self.0.lock();
        usage.bytes_sent += traffic.sent;
        usage.bytes_received += traffic.received;
    }

    pub(crate) fn created(&self) {
        self.0.lock().creates += 1;
    }

    pub(crate) fn processed(&self) {
        self.0.lock().processed += 1;
    }

    pub(crate) fn failed(&self, reading: &Reading) {
        let mut usage = self.0.lock();
        usage.failed += 1;
        usage.possibly_billed += u64::from(reading.possibly_billed);
    }

    /// What was counted; contexts and latch are not, here.
    pub(crate) fn read(&self) -> Usage {
        *self.0.lock()
    }
}
