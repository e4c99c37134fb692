//! What a client has sent and what it may have been billed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Status;
use crate::transport::{Exchange, Sent};

/// Counters of one client, from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Contexts alive now.
    pub contexts: u32,
    /// Process calls answered with a verdict.
    pub processed: u64,
    /// Process calls sent whole whose answer never arrived: billed or not, nobody knows.
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

/// The counters behind [`Usage`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    processed: AtomicU64,
    possibly_billed: AtomicU64,
    failed: AtomicU64,
    creates: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

impl Counters {
    pub(crate) fn traffic(&self, exchange: &Exchange) {
        self.bytes_sent
            .fetch_add(exchange.bytes_sent, Ordering::Relaxed);
        self.bytes_received
            .fetch_add(exchange.bytes_received, Ordering::Relaxed);
    }

    pub(crate) fn created(&self) {
        self.creates.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn processed(&self) {
        self.processed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, exchange: &Exchange) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if exchange.sent == Sent::All && exchange.outcome.is_err() {
            self.possibly_billed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Usage {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            contexts: 0,
            processed: get(&self.processed),
            possibly_billed: get(&self.possibly_billed),
            failed: get(&self.failed),
            creates: get(&self.creates),
            bytes_sent: get(&self.bytes_sent),
            bytes_received: get(&self.bytes_received),
            latched: None,
        }
    }
}
