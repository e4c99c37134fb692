//! How much work lies between two looks at the stop flag, in rows and blocks that cost the most.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::cell::Cell;

use oe_picture::{Budget, Picture};
use oe_test_support::jpeg::Jpeg;

/// The widest picture that there can be, whose rows are the most work: each of its blocks, its rows and
/// its parts of the square has a look of its own. Counted, not timed.
#[test]
fn wide_pictures_are_looked_after_as_often_as_they_are_work() {
    for (width, height) in [(16_000, 8), (8, 20_000), (2_000, 64)] {
        let jpeg = Jpeg {
            width,
            height,
            sampling: &[(1, 1)],
            step: 16,
            restart: 0,
            apart: false,
            value: &|_, x, y| 100.0 + (x + y) % 50.0,
        };
        let asked = Cell::new(0_usize);
        let stop = || {
            asked.set(asked.get() + 1);
            false
        };
        let budget = Budget::new(32_000_000);
        Picture::decode(&jpeg.encode(), 320, &budget, &stop).unwrap();
        let blocks = width.div_ceil(8) * height.div_ceil(8);
        // A row of a wide picture that is stretched down is added to many rows of the square.
        let rows = if width > 4_096 { 2 * 320 } else { height / 8 };
        let least = blocks / 128 + rows;
        assert!(
            asked.get() >= least,
            "{width}x{height}: {} of {least}",
            asked.get()
        );
    }
}
