//! The tests of core in one program, so that what they share is compiled once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails loudly"
)]

mod blind;
mod common;
mod embedded;
mod files;
mod host;
mod http_answers;
mod http_bodies;
mod http_causes;
mod http_connections;
mod http_early;
mod http_floods;
mod http_limits;
mod http_multipart;
mod http_proxy;
mod http_rig;
mod http_tls;
mod lifecycle;
mod monitor_edges;
mod monitor_frames;
mod monitor_threads;
mod monitors;
mod outcomes;
mod panics;
mod print_options;
mod timing;
