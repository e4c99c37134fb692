//! A self-hosted service that speaks the wire of the Gadget Process API.
//!
//! For development and tests: what people build against without spending their allowance. Its
//! verdicts come from a script until it gets eyes of its own.

mod contexts;
pub mod keys;
pub mod log;
pub mod reply;
pub mod server;
pub mod service;
pub mod verdicts;

pub use server::{Config, Running};
