//! A library with the engine in it, as small as it gets: what the engine adds to one is measured with
//! it, by `cargo xtask bench looks`. Compared with `bare`.

use std::sync::LazyLock;

use oe_engine::Engine;

static ENGINE: LazyLock<Option<Engine>> = LazyLock::new(|| Engine::new().ok());
static LAST: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());

/// Looks at what was put there last.
pub extern "C" fn look() -> i32 {
    let jpeg = LAST.lock().map(|jpeg| jpeg.clone()).unwrap_or_default();
    let seen = ENGINE.as_ref().and_then(|engine| engine.look(&jpeg).ok());
    seen.map_or(-1, |look| look.failure as i32)
}

/// What keeps the function above in the library.
#[used]
static KEEP: extern "C" fn() -> i32 = look;
