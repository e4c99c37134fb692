//! What the engine makes of pictures, and how long a look takes: look FILE.jpg...
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use oe_engine::Evidence;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = oe_engine::Engine::new()?;
    println!(
        "{}, fine prints on average {:+.1}",
        engine.name(),
        engine.mean_log_odds()
    );
    for name in std::env::args().skip(1) {
        let jpeg = std::fs::read(&name)?;
        let started = Instant::now();
        match engine.look(&jpeg) {
            Ok(Evidence {
                blind: Some(why), ..
            }) => println!("{name}: nothing to see: {why}"),
            Ok(look) => println!(
                "{name}: {:+.2} in {:.1} ms",
                look.failure,
                started.elapsed().as_secs_f64() * 1e3
            ),
            Err(why) => println!("{name}: {why}"),
        }
    }
    Ok(())
}
