//! The service of `cargo demo -- --server`.

use std::sync::Arc;

use oe_engine::Engine;
use oe_server::reply::Edition;
use oe_server::{Config, Running};

/// Seconds from one call to the next: the least that the library allows.
pub const PACE: u32 = 5;

/// Starts it on a free port, with the engine. So many seconds of the print pass in one of ours.
pub fn start(speed: f64) -> Result<Running, String> {
    let engine = Engine::new().map_err(|why| why.to_string())?;
    Running::start(Config {
        edition: Edition::B,
        minimum: PACE,
        recommended: PACE,
        engine: Some(Arc::new(engine)),
        speed,
        ..Config::default()
    })
}
