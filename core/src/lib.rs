//! The client behind oe-process: one print, watched through the Gadget Process API.
//!
//! Nothing here knows C. Pure decisions ([`pacing`], [`policy`], [`trust`], [`verdict`],
//! [`acting`]) know no socket, thread or clock; [`session`] brings them together with a
//! [`transport::Transport`]; [`http`] is the only module that names ureq and rustls.
#![forbid(unsafe_code)]

pub mod acting;
pub mod cancel;
pub mod cause;
pub mod client;
pub mod clock;
pub mod config;
mod creating;
pub mod error;
mod files;
pub mod frame;
pub mod http;
mod json;
pub mod key;
pub mod latch;
pub mod log;
pub mod monitor;
pub mod pacing;
pub mod policy;
mod random;
pub mod reply;
pub mod saved;
pub mod session;
#[doc(hidden)]
pub mod sync;
pub mod transport;
pub mod trust;
pub mod usage;
pub mod verdict;
pub mod wire;
