//! The client behind oe-process: one print, watched through the Gadget Process API.
//!
//! Nothing here knows C. The modules stand in floors, and each imports only what stands below it:
//! [`client`], [`monitor`], [`session`], [`account`], [`backend`], [`http`], [`transport`],
//! [`engine`], [`wire`], [`platform`], [`rules`], and on the ground [`frame`], [`key`] and [`error`].
//! `docs/ARCHITECTURE.md` draws them; `tests/floors.rs` holds them to it.
#![forbid(unsafe_code)]

pub mod account;
pub mod backend;
pub mod client;
pub mod engine;
pub mod error;
pub mod frame;
pub mod http;
pub mod key;
pub mod monitor;
pub mod platform;
pub mod rules;
pub mod session;
pub mod transport;
pub mod wire;
