//! A self-hosted service that speaks the wire of the Gadget Process API.
//!
//! It looks at the pictures itself (feature `embedded`), or answers from a script: what people build
//! against without spending their allowance.

mod contexts;
pub mod keys;
pub mod log;
pub mod reply;
pub mod server;
pub mod service;
pub mod verdicts;

pub use server::{Config, Running};
