//! A self-hosted service that speaks the wire of the Gadget Process API.
//!
//! It looks at the pictures itself (feature `embedded`), or answers from a script: what people build
//! against without spending their allowance.

pub mod config;
mod contexts;
pub mod judge;
pub mod keys;
pub mod log;
pub mod reply;
pub mod server;
mod service;
pub mod stats;
pub mod upload;
pub mod verdicts;

pub use config::Config;
pub use server::Running;
