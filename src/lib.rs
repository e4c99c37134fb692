//! The C ABI of oe-process.
//!
//! One file per section of the header, in its order: [`version`], [`status`], [`options`],
//! [`client`], [`context`], [`process`], [`monitor`], [`log`]. Their doc comments are the header's text; they
//! hold no logic and no `unsafe` block. Every exported body is one call of `guard`.
//!
//! The plumbing, where all of the `unsafe` is: `guard` (panics, calls from inside the log
//! function), `handle` (the table of handles), `per_process` (what a fork makes anew), `abi` (structures and places of the host's),
//! `engine` (what looks at pictures, behind core's trait),
//! `text` (strings in and out), `sink` (calls into the host), `thread` (threads without signals).
#![allow(
    clippy::missing_safety_doc,
    reason = "what a caller must keep to is the header's text: its rules and each function's lines"
)]

mod abi;
mod checksum;
mod engine;
mod guard;
mod handle;
mod last_error;
mod per_process;
mod sink;
mod text;
mod thread;
#[cfg(windows)]
mod windows;

pub mod client;
pub mod context;
pub mod log;
pub mod monitor;
pub mod options;
pub mod process;
pub mod status;
pub mod version;
