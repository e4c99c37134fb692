//! Which pictures show nothing, and why: blind FILE... (a file that does not end in .jpg is a list).
#![allow(clippy::print_stdout, reason = "a program for people")]

use oe_engine::{Budget, Region, blindness};

fn main() -> std::io::Result<()> {
    let none: &[Region] = &[];
    for name in std::env::args().skip(1) {
        let list = match name.ends_with(".jpg") {
            true => name,
            false => std::fs::read_to_string(name)?,
        };
        for name in list.lines() {
            match blindness(&std::fs::read(name)?, none, Budget::process()) {
                Ok(Some(why)) => println!("{name}: {why:?}"),
                Ok(None) => println!("{name}: seen"),
                Err(why) => println!("{name}: {why}"),
            }
        }
    }
    Ok(())
}
