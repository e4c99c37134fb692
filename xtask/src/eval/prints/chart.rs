//! The operating curve: how long it takes to tell a failure against how often it is told wrongly.

use super::report::{Report, Watched};
use crate::draw::{Canvas, Ink};

const WIDTH: usize = 1040;
const HEIGHT: usize = 480;
/// Dots of a side of each of the two charts.
const SIDE: i32 = 360;
const TOP: i32 = 60;
/// Rates are drawn by their logarithm from this to `MOST` in 100 hours; less is drawn as this.
const LEAST: f64 = 0.5;
const MOST: f64 = 1_000.0;
/// Delays up to this are drawn, in seconds.
const LONGEST: f64 = 300.0;

/// Draws it, as PNG.
pub fn draw(report: &Report) -> Result<Vec<u8>, String> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    curve(&mut canvas, (90, 0), "warning", report);
    curve(&mut canvas, (590, 1), "pause", report);
    canvas.png()
}

/// Where a rate and a delay lie.
fn place(left: i32, (rate, delay): (f64, f64)) -> (i32, i32) {
    let across = (rate.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    let up = (delay / LONGEST).clamp(0.0, 1.0);
    let along = |share: f64| (share * f64::from(SIDE)).round() as i32;
    (left + along(across), TOP + SIDE - along(up))
}

fn curve(canvas: &mut Canvas, (left, which): (i32, usize), title: &str, report: &Report) {
    let title = format!("mean delay to {title}, s");
    canvas.text(left, 12, &title, Ink::Text);
    let end = canvas.text(left, 34, "filter, level 1-5", Ink::Fine);
    canvas.text(end + 12, 34, "average", Ink::Failed);
    let below = "in 100 h of fine prints";
    let middle = left + (SIDE - Canvas::width_of(below)) / 2;
    canvas.text(middle, TOP + SIDE + 34, below, Ink::Text);
    axes(canvas, left);
    let averages = report.watched.iter().filter(|one| one.level.is_none());
    let at = |one: &Watched| place(left, one.point(which));
    let points: Vec<(i32, i32)> = averages.map(at).collect();
    for ends in points.windows(2) {
        if let [from, to] = ends {
            canvas.line(*from, *to, Ink::Failed);
        }
    }
    for one in &report.watched {
        if let Some(level) = one.level {
            let (x, y) = at(one);
            canvas.fill(x - 4, y - 4, x + 5, y + 5, Ink::Fine);
            canvas.text(x + 8, y - 7, &level.to_string(), Ink::Fine);
        }
    }
}

fn axes(canvas: &mut Canvas, left: i32) {
    for delay in [0.0, 60.0, 120.0, 180.0, 240.0, 300.0] {
        let (_, y) = place(left, (LEAST, delay));
        let text = format!("{delay:.0}");
        canvas.text(left - 6 - Canvas::width_of(&text), y - 7, &text, Ink::Text);
        (0..SIDE)
            .step_by(8)
            .for_each(|x| canvas.dot(left + x, y, Ink::Grid));
    }
    for (rate, text) in [(LEAST, "0"), (1.0, "1"), (10.0, "10"), (100.0, "100")] {
        let (x, y) = place(left, (rate, 0.0));
        canvas.text(x - Canvas::width_of(text) / 2, y + 10, text, Ink::Text);
        (0..SIDE)
            .step_by(8)
            .for_each(|up| canvas.dot(x, y - up, Ink::Grid));
    }
    canvas.line((left, TOP + SIDE), (left + SIDE, TOP + SIDE), Ink::Text);
    canvas.line((left, TOP), (left, TOP + SIDE), Ink::Text);
}
