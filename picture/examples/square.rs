//! What the engine gets to see of pictures: square FILE.jpg... writes FILE.jpg.ppm beside each when
//! `--write` comes first; else it only says what was found.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use oe_picture::{Budget, Picture};

fn main() -> std::io::Result<()> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let write = files.first().is_some_and(|first| first == "--write");
    for name in files.drain(usize::from(write)..) {
        let jpeg = std::fs::read(&name)?;
        let started = Instant::now();
        let picture = Picture::decode(&jpeg, 320, Budget::process(), &|| false);
        let took = started.elapsed().as_secs_f64() * 1e3;
        match picture {
            Ok(picture) => {
                let (wide, high) = (picture.width, picture.height);
                println!("{name}: {wide}x{high} in {took:.1} ms");
                if write {
                    let mut ppm = b"P6\n320 320\n255\n".to_vec();
                    ppm.extend(&picture.square);
                    std::fs::write(format!("{name}.ppm"), ppm)?;
                }
            }
            Err(why) => println!("{name}: {why}"),
        }
    }
    Ok(())
}
