//! The picture of a print that was watched: quality and score over time, when the user would have been
//! told, and the pictures themselves.

use super::clock;
use super::table::{Row, Seen};
use super::thumbnail::Thumbnail;
use crate::draw::{Bounds, Canvas, Ink};

const WIDTH: i32 = 1_280;
const LEFT: i32 = 84;
const RIGHT: i32 = WIDTH - 40;
/// The two charts: their tops, and how high each is.
const TOPS: [i32; 2] = [96, 316];
const HIGH: i32 = 180;
/// Where the labels of the time stand, and the first row of pictures.
const TIMES: i32 = TOPS[1] + HIGH;
const PICTURES: i32 = TIMES + 56;
/// Pictures in a row, and rows at most.
const ACROSS: usize = 6;
const ROWS: usize = 2;
const BETWEEN: i32 = 16;
const CELL: (i32, i32) = ((RIGHT - LEFT - 5 * BETWEEN) / 6, 110);
/// Under each picture.
const CAPTION: i32 = 40;
const SMALL: f64 = 10.0;
const TITLE: f64 = 17.0;
/// Qualities from which on the level is another.
const WATCHED: f64 = 5.5;
const BAD: f64 = 3.5;

/// What is drawn.
pub struct Watched<'a> {
    pub title: &'a str,
    pub rows: &'a [Row],
    /// In the same order as the rows.
    pub thumbnails: &'a [Option<Thumbnail>],
    /// The beliefs that the user is warned and the print is paused from.
    pub thresholds: (f64, f64),
}

/// Width and height of the chart of so many pictures, in dots.
pub fn size(count: usize) -> (usize, usize) {
    let rows = count.min(ACROSS * ROWS).div_ceil(ACROSS).max(1) as i32;
    let high = PICTURES + rows * (CELL.1 + CAPTION) + 12;
    (WIDTH as usize, high as usize)
}

/// Draws it, as PNG.
pub fn draw(watched: &Watched<'_>) -> Result<Vec<u8>, String> {
    let (width, height) = size(watched.rows.len());
    let chart = Chart::new(watched.rows);
    let mut canvas = Canvas::new(width, height);
    canvas.text_of(TITLE, LEFT, 20, watched.title, Ink::Text);
    chart.quality(&mut canvas);
    chart.score(&mut canvas, watched.thresholds);
    chart.times(&mut canvas);
    chart.edges(&mut canvas);
    chart.pictures(&mut canvas, watched.thumbnails);
    canvas.png()
}

/// The colour of a quality.
fn level(quality: u8) -> Ink {
    match f64::from(quality) {
        quality if quality > WATCHED => Ink::Good,
        quality if quality > BAD => Ink::Watch,
        _ => Ink::Bad,
    }
}

struct Chart<'a> {
    rows: &'a [Row],
    /// Seconds from the left end to the right.
    longest: f64,
}

impl<'a> Chart<'a> {
    fn new(rows: &'a [Row]) -> Chart<'a> {
        let last = rows.last().map_or(0.0, |row| row.second);
        Chart {
            rows,
            longest: last.max(1.0),
        }
    }

    fn seen(&self) -> impl Iterator<Item = (f64, &'a Seen)> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((self.across(row.second), row.seen.as_ref()?)))
    }

    fn across(&self, second: f64) -> f64 {
        // The first and the last mark do not stand on the edge.
        let wide = f64::from(RIGHT - LEFT - 32);
        f64::from(LEFT + 16) + wide * second / self.longest
    }

    /// The height of a share of one of the charts.
    fn up(chart: usize, share: f64) -> f64 {
        let top = TOPS.get(chart).copied().unwrap_or_default();
        f64::from(top + HIGH) - share * f64::from(HIGH)
    }

    fn label(canvas: &mut Canvas, y: f64, text: &str) {
        let wide = Canvas::width_at(SMALL, text);
        canvas.text_of(SMALL, LEFT - 6 - wide, y as i32 - 6, text, Ink::Soft);
    }

    fn heading(canvas: &mut Canvas, chart: usize, text: &str, more: &str) {
        let y = TOPS.get(chart).copied().unwrap_or_default() - 22;
        let end = canvas.text(LEFT, y, text, Ink::Text);
        canvas.text_of(SMALL, end + 8, y + 2, more, Ink::Soft);
    }

    fn quality(&self, canvas: &mut Canvas) {
        let place = |quality: f64| Chart::up(0, (quality - 0.5) / 10.0);
        Chart::heading(
            canvas,
            0,
            "quality",
            "1 (failed) to 10 (perfect), for people",
        );
        for (from, to, area, ink, word) in [
            (WATCHED, 10.5, Ink::GoodArea, Ink::Good, "good"),
            (BAD, WATCHED, Ink::WatchArea, Ink::Watch, "watched"),
            (0.5, BAD, Ink::BadArea, Ink::Bad, "bad"),
        ] {
            let (top, bottom) = (place(to) as i32, place(from) as i32);
            canvas.fill(LEFT, top, RIGHT, bottom, area);
            canvas.text_of(SMALL, LEFT + 8, bottom - 18, word, ink);
        }
        for quality in [1.0, 2.0, 4.0, 6.0, 8.0, 10.0] {
            Chart::label(canvas, place(quality), &format!("{quality:.0}"));
        }
        let at = |seen: &Seen| place(f64::from(seen.quality));
        let line: Vec<_> = self.seen().map(|(x, seen)| (x, at(seen))).collect();
        canvas.stroke(&line, 2.5, Ink::Text);
        for (x, seen) in self.seen() {
            canvas.stroke(&[(x, at(seen))], 13.0, Ink::Paper);
            canvas.stroke(&[(x, at(seen))], 10.0, level(seen.quality));
        }
    }

    fn score(&self, canvas: &mut Canvas, (warning, pause): (f64, f64)) {
        let more = "0 (fine) to 100: the belief that it looks failed";
        Chart::heading(canvas, 1, "score", more);
        let line: Vec<_> = self
            .seen()
            .filter_map(|(x, seen)| {
                let score = f64::from(seen.score?) / 100.0;
                Some((x, Chart::up(1, score)))
            })
            .collect();
        for pair in line.windows(2) {
            if let [from, to] = pair {
                under(canvas, *from, *to);
            }
        }
        for score in [0.0, 25.0, 50.0, 75.0, 100.0] {
            let y = Chart::up(1, score / 100.0);
            canvas.fill(LEFT, y as i32, RIGHT, y as i32 + 1, Ink::Grid);
            Chart::label(canvas, y, &format!("{score:.0}"));
        }
        // The label of the upper one stands below it, that of the lower one above.
        for (share, ink, word, down) in [
            (warning, Ink::Watch, "warning", -18),
            (pause, Ink::Bad, "pause", 5),
        ] {
            let y = Chart::up(1, share) as i32;
            for thick in 0..2 {
                canvas.dashes((LEFT, y + thick), (RIGHT, y + thick), ink);
            }
            let text = format!(
                "{word}: from a belief of {:.0} % that it has failed",
                share * 100.0
            );
            canvas.text_of(SMALL, LEFT + 8, y + down, &text, ink);
        }
        canvas.stroke(&line, 2.5, Ink::Fine);
        for point in &line {
            canvas.stroke(&[*point], 8.0, Ink::Fine);
        }
    }

    fn times(&self, canvas: &mut Canvas) {
        canvas.fill(LEFT, TIMES, RIGHT, TIMES + 1, Ink::Text);
        for row in self.rows.iter().filter(|row| row.seen.is_none()) {
            let (x, y) = (self.across(row.second), f64::from(TIMES) - 7.0);
            for (up, down) in [(-4.0, 4.0), (4.0, -4.0)] {
                let cross = [(x - 4.0, y + up), (x + 4.0, y + down)];
                canvas.stroke(&cross, 2.0, Ink::Soft);
            }
        }
        let step = step(self.longest);
        let mut second = 0.0;
        while second <= self.longest {
            let (x, text) = (self.across(second) as i32, clock(second));
            canvas.fill(x, TIMES, x + 1, TIMES + 6, Ink::Text);
            let left = x - Canvas::width_at(SMALL, &text) / 2;
            canvas.text_of(SMALL, left, TIMES + 9, &text, Ink::Soft);
            second += step;
        }
    }

    /// A line through both charts, with a flag: warnings to the left, pauses to the right of it.
    fn edges(&self, canvas: &mut Canvas) {
        for row in self.rows {
            let Some(seen) = &row.seen else { continue };
            let x = self.across(row.second) as i32;
            for (rose, ink, word) in [
                (seen.warns, Ink::Watch, "WARNING"),
                (seen.pauses, Ink::Bad, "PAUSE"),
            ] {
                if !rose {
                    continue;
                }
                let text = format!("{word} {}", clock(row.second));
                let wide = Canvas::width_at(SMALL, &text) + 14;
                let left = match ink {
                    Ink::Watch => x + 2 - wide,
                    _ => x,
                };
                let left = left.clamp(LEFT, RIGHT - wide);
                canvas.fill(x, TOPS[0] - 8, x + 2, TIMES, ink);
                canvas.fill(left, TOPS[0] - 28, left + wide, TOPS[0] - 8, ink);
                canvas.text_of(SMALL, left + 7, TOPS[0] - 24, &text, Ink::Paper);
            }
        }
    }

    fn pictures(&self, canvas: &mut Canvas, thumbnails: &[Option<Thumbnail>]) {
        for (n, row) in shown(self.rows).into_iter().enumerate() {
            let column = (n % ACROSS) as i32;
            let left = LEFT + column * (CELL.0 + BETWEEN);
            let top = PICTURES + (n / ACROSS) as i32 * (CELL.1 + CAPTION);
            let picture = thumbnails.get(row).and_then(Option::as_ref);
            if let Some(row) = self.rows.get(row) {
                thumbnail(canvas, (left, top), row, picture);
            }
        }
    }
}

/// Fills what is under a line, down to the axis.
fn under(canvas: &mut Canvas, from: (f64, f64), to: (f64, f64)) {
    for x in from.0 as i32..to.0 as i32 {
        let share = (f64::from(x) - from.0) / (to.0 - from.0).max(1.0);
        let y = from.1 + (to.1 - from.1) * share;
        canvas.fill(x, y as i32, x + 1, TIMES, Ink::FineArea);
    }
}

/// Seconds between two labels of the time: at most a dozen of them.
fn step(longest: f64) -> f64 {
    const STEPS: [f64; 13] = [
        5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0,
        14_400.0,
    ];
    let fits = |step: &&f64| longest / **step <= 12.0;
    let found = STEPS.iter().find(fits).copied();
    found.unwrap_or_else(|| (longest / 12.0 / 86_400.0).ceil() * 86_400.0)
}

/// The pictures for which there is room: the first, the last, those at which something was told, and
/// between them as evenly as can be.
fn shown(rows: &[Row]) -> Vec<usize> {
    let (count, room) = (rows.len(), ACROSS * ROWS);
    if count <= room {
        return (0..count).collect();
    }
    let told = |row: &Row| row.seen.as_ref().is_some_and(|s| s.warns || s.pauses);
    let mut chosen: Vec<usize> = (0..room).map(|n| n * (count - 1) / (room - 1)).collect();
    for (row, _) in rows.iter().enumerate().filter(|(_, row)| told(row)) {
        let inner = chosen.iter_mut().skip(1).take(room - 2);
        if let Some(nearest) = inner.min_by_key(|at| at.abs_diff(row)) {
            *nearest = row;
        }
    }
    chosen
}

/// A picture with the place that looks failed, and what was said of it.
fn thumbnail(canvas: &mut Canvas, (left, top): (i32, i32), row: &Row, picture: Option<&Thumbnail>) {
    let (wide, high) = (f64::from(CELL.0), f64::from(CELL.1));
    let aspect = picture.map_or(wide / high, |picture| picture.aspect);
    let scale = (wide / aspect).min(high);
    let (wide, high) = ((scale * aspect) as i32, scale as i32);
    let left = left + (CELL.0 - wide) / 2;
    let bounds = (left, top, left + wide, top + high);
    match picture {
        Some(picture) => canvas.picture(bounds, Thumbnail::SIDE, &picture.square),
        None => canvas.fill(bounds.0, bounds.1, bounds.2, bounds.3, Ink::Grid),
    }
    let seen = row.seen.as_ref();
    if let Some(place) = seen.and_then(|seen| seen.place) {
        let place = inside(bounds, place);
        canvas.frame(place, 4, Ink::Paper);
        canvas.frame(place, 2, Ink::Bad);
    }
    let ink = seen.map_or(Ink::Soft, |seen| level(seen.quality));
    canvas.frame(bounds, 3, ink);
    let said = match seen {
        Some(seen) if seen.pauses => format!("quality {}: pause", seen.quality),
        Some(seen) if seen.warns => format!("quality {}: warning", seen.quality),
        Some(seen) => format!("quality {}", seen.quality),
        None => "no verdict".to_owned(),
    };
    let y = top + high + 10;
    let end = canvas.text_of(SMALL, left, y, &clock(row.second), Ink::Text);
    canvas.text_of(SMALL, end + 8, y, &said, ink);
}

/// A box within another, from shares of that.
fn inside((left, top, right, bottom): Bounds, shares: [f64; 4]) -> Bounds {
    let [x1, y1, x2, y2] = shares.map(|share| share.clamp(0.0, 1.0));
    let across = |share: f64| left + (share * f64::from(right - left)).round() as i32;
    let down = |share: f64| top + (share * f64::from(bottom - top)).round() as i32;
    (across(x1), down(y1), across(x2), down(y2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u32, quality: u8, warns: bool, place: Option<[f64; 4]>) -> Row {
        Row {
            second: f64::from(n * 20),
            seen: Some(Seen {
                quality,
                score: Some((10 - quality) * 10),
                warns,
                pauses: false,
                place,
            }),
            picture: format!("{n}.jpg"),
        }
    }

    fn drawn(rows: &[Row]) -> (usize, usize, Vec<u8>) {
        let thumbnails: Vec<Option<Thumbnail>> = rows.iter().map(|_| None).collect();
        let file = draw(&Watched {
            title: "a print",
            rows,
            thumbnails: &thumbnails,
            thresholds: (0.55, 0.92),
        });
        crate::draw::read(file.unwrap())
    }

    /// Every part of a row changes the chart, which keeps its size.
    #[test]
    fn the_chart_shows_what_was_seen() {
        let base: Vec<Row> = (0..4).map(|n| row(n, 8, false, None)).collect();
        let of = |change: &dyn Fn(&mut Row)| {
            let mut rows = base.clone();
            rows.iter_mut().skip(2).take(1).for_each(change);
            drawn(&rows)
        };
        let seen =
            |change: fn(&mut Seen)| move |row: &mut Row| row.seen.iter_mut().for_each(change);
        let all = [
            drawn(&base),
            of(&seen(|seen| seen.quality = 2)),
            of(&seen(|seen| seen.score = Some(77))),
            of(&seen(|seen| seen.warns = true)),
            of(&seen(|seen| seen.pauses = true)),
            of(&seen(|seen| seen.place = Some([0.1, 0.1, 0.5, 0.5]))),
            of(&|row| row.seen = None),
            of(&|row| row.second = 50.0),
        ];
        for (n, one) in all.iter().enumerate() {
            assert_eq!((one.0, one.1), size(4));
            assert!(all[..n].iter().all(|other| other.2 != one.2), "{n}");
        }
    }

    #[test]
    fn any_number_of_pictures_has_a_chart() {
        for count in [0, 1, 6, 7, 12, 13, 500] {
            let rows: Vec<Row> = (0..count).map(|n| row(n, 9, false, None)).collect();
            let (width, height, _) = drawn(&rows);
            assert_eq!((width, height), size(count as usize));
        }
        assert!(size(7).1 > size(6).1 && size(500) == size(12));
    }

    #[test]
    fn pictures_at_which_something_was_told_are_shown() {
        let rows: Vec<Row> = (0..100).map(|n| row(n, 9, n == 41, None)).collect();
        let chosen = shown(&rows);
        assert_eq!((chosen.len(), chosen[0], chosen[11]), (12, 0, 99));
        assert!(chosen.contains(&41) && chosen.is_sorted(), "{chosen:?}");
    }

    #[test]
    fn labels_of_the_time_are_few_and_round() {
        for longest in [1.0, 60.0, 660.0, 3_600.0, 90_000.0, 1_209_600.0] {
            let step = step(longest);
            assert!(
                longest / step <= 12.0 && step % 5.0 == 0.0,
                "{longest}: {step}"
            );
        }
    }
}
