//! A self-hosted service that speaks the wire of the Gadget Process API.
//!
//! It looks at the pictures itself (feature `embedded`), or answers from a script: what people build
//! against without spending their allowance.

mod account;
pub mod clock;
pub mod config;
mod connections;
mod contexts;
mod digest;
mod health;
pub mod judge;
pub mod keys;
pub mod limits;
pub mod listen;
pub mod log;
mod multipart;
pub mod reply;
mod route;
pub mod server;
mod service;
mod slots;
mod state;
pub mod stats;
pub mod store;
mod tls;
pub mod verdicts;

pub use clock::Clock;
pub use config::Config;
pub use limits::Limits;
pub use server::Running;
