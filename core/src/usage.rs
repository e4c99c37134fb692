//! What a client has sent and what it may have been billed.

use crate::error::Status;
use crate::sync::Mutex;
use crate::transport::{Exchange, ReplyBody, Sent};

/// Counters of one client, from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Contexts alive now.
    pub contexts: u32,
    /// Process calls answered with a verdict.
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
    pub(crate) fn traffic(&self, exchange: &Exchange) {
        let mut usage = self.0.lock();
        usage.bytes_sent += exchange.bytes_sent;
        usage.bytes_received += exchange.bytes_received;
    }

    pub(crate) fn created(&self) {
        self.0.lock().creates += 1;
    }

    pub(crate) fn processed(&self) {
        self.0.lock().processed += 1;
    }

    pub(crate) fn failed(&self, exchange: &Exchange) {
        let mut usage = self.0.lock();
        usage.failed += 1;
        usage.possibly_billed += u64::from(is_verdict_lost(exchange));
    }

    /// What was counted; contexts and latch are not, here.
    pub(crate) fn read(&self) -> Usage {
        *self.0.lock()
    }
}

/// Whether the service may have judged a frame whose verdict was lost on the way: no answer came,
/// or one that began as a verdict and broke off. A refusal that broke off is a refusal.
fn is_verdict_lost(exchange: &Exchange) -> bool {
    let lost = match &exchange.outcome {
        Err(_) => true,
        Ok(reply) => {
            (200..300).contains(&reply.status) && matches!(reply.body, ReplyBody::Broken(..))
        }
    };
    lost && exchange.sent == Sent::All
}
