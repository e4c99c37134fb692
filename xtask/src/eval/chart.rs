//! The picture of a report: what was told against what is true, and how evidence is spread.

use super::measure::Weighed;
use super::report::Report;
use crate::draw::{Canvas, Ink};

const WIDTH: usize = 1040;
const HEIGHT: usize = 480;
/// Dots of a side of each of the two charts.
const SIDE: i32 = 360;
const TOP: i32 = 60;
/// Evidence from minus to plus this is drawn.
const MOST: f64 = 5.0;
/// Bars of the histogram.
const BARS: usize = 40;

/// Draws it, as PNG.
pub fn draw(report: &Report) -> Result<Vec<u8>, String> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    reliability(&mut canvas, 90, report);
    histogram(&mut canvas, 590, report);
    canvas.png()
}

/// Where a share of a side lies.
fn along(share: f64) -> i32 {
    (share.clamp(0.0, 1.0) * f64::from(SIDE)).round() as i32
}

fn frame(canvas: &mut Canvas, left: i32, title: &str, below: &str) {
    canvas.text(left, 20, title, Ink::Text);
    let middle = left + (SIDE - Canvas::width_of(below)) / 2;
    canvas.text(middle, TOP + SIDE + 34, below, Ink::Text);
    canvas.line((left, TOP + SIDE), (left + SIDE, TOP + SIDE), Ink::Text);
    canvas.line((left, TOP), (left, TOP + SIDE), Ink::Text);
}

/// A label under the axis, or left of it.
fn mark(canvas: &mut Canvas, left: i32, share: f64, text: &str, across: bool) {
    let width = Canvas::width_of(text);
    if across {
        canvas.text(
            left + along(share) - width / 2,
            TOP + SIDE + 10,
            text,
            Ink::Text,
        );
    } else {
        canvas.text(
            left - 6 - width,
            TOP + SIDE - along(share) - 7,
            text,
            Ink::Text,
        );
    }
}

/// The probability that log odds mean.
fn probability(evidence: f64) -> f64 {
    1.0 / (1.0 + (-evidence).exp())
}

fn reliability(canvas: &mut Canvas, left: i32, report: &Report) {
    frame(
        canvas,
        left,
        "failures among pictures, %",
        "told, % (at even odds)",
    );
    let place = |x: f64, y: f64| (left + along(x), TOP + SIDE - along(y));
    for n in 0..=4_u8 {
        let share = f64::from(n) / 4.0;
        let text = format!("{}", u32::from(n) * 25);
        mark(canvas, left, share, &text, true);
        mark(canvas, left, share, &text, false);
        let dotted = (0..SIDE).step_by(8);
        dotted.for_each(|x| canvas.dot(left + x, TOP + SIDE - along(share), Ink::Grid));
    }
    canvas.line(place(0.0, 0.0), place(1.0, 1.0), Ink::Grid);
    for bin in &report.reliability {
        let x = probability(bin.told);
        canvas.line(place(x, bin.share.low), place(x, bin.share.high), Ink::Fine);
        let (x, y) = place(x, bin.share.value);
        canvas.fill(x - 5, y - 5, x + 6, y + 6, Ink::Failed);
    }
}

/// The share of an answer's weight in each bar.
fn bars(samples: &[Weighed], failed: bool) -> Vec<f64> {
    let mut bars = vec![0.0; BARS];
    for sample in samples.iter().filter(|sample| sample.failed == failed) {
        let share = (sample.evidence.clamp(-MOST, MOST) + MOST) / (2.0 * MOST);
        let at = ((share * BARS as f64) as usize).min(BARS - 1);
        if let Some(bar) = bars.get_mut(at) {
            *bar += sample.weight;
        }
    }
    bars
}

fn histogram(canvas: &mut Canvas, left: i32, report: &Report) {
    frame(canvas, left, "pictures", "evidence, log odds");
    let end = canvas.text(left + 110, 20, "fine", Ink::Fine);
    canvas.text(end + 12, 20, "failed", Ink::Failed);
    let (fine, failed) = (bars(&report.samples, false), bars(&report.samples, true));
    let highest = fine.iter().chain(&failed).copied().fold(1e-9, f64::max);
    let wide = SIDE / BARS as i32;
    for (n, (fine, failed)) in (0..).zip(fine.iter().zip(&failed)) {
        let (x, half) = (left + 3 + n * wide, wide / 2);
        let top = |value: f64| TOP + SIDE - along(value / highest);
        canvas.fill(x, top(*fine), x + half, TOP + SIDE, Ink::Fine);
        canvas.fill(
            x + half,
            top(*failed),
            x + 2 * half,
            TOP + SIDE,
            Ink::Failed,
        );
    }
    for n in (-4..=4).step_by(2) {
        let share = (f64::from(n) + MOST) / (2.0 * MOST);
        mark(
            canvas,
            left,
            share,
            &format!("{n:+}").replace("+0", "0"),
            true,
        );
    }
    mark(
        canvas,
        left,
        1.0,
        &format!("{:.0}%", highest * 100.0),
        false,
    );
}
