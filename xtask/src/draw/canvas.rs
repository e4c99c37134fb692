//! A picture of lines, boxes, letters and other pictures, with smooth edges.

use super::font;

/// The program that a file says it was made by.
pub const SOFTWARE: &str = "oe-process";

/// Dots that capitals are high, where nothing else is said.
const CAPITAL: f64 = 12.0;
/// Above the letters of a line of text.
const ABOVE: f64 = 1.0;
/// How thick a letter's strokes are, against the height of capitals.
const PEN: f64 = 0.125;

/// What can be drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Paper,
    Text,
    /// Text that comes second.
    Soft,
    Grid,
    Fine,
    FineArea,
    Failed,
    Good,
    GoodArea,
    Watch,
    WatchArea,
    Bad,
    BadArea,
}

impl Ink {
    const fn rgb(self) -> [u8; 3] {
        match self {
            Ink::Paper => [255, 255, 255],
            Ink::Text => [40, 44, 52],
            Ink::Soft => [112, 118, 128],
            Ink::Grid => [214, 218, 224],
            Ink::Fine => [66, 133, 190],
            Ink::FineArea => [224, 236, 246],
            Ink::Failed => [214, 96, 56],
            Ink::Good => [58, 148, 92],
            Ink::GoodArea => [236, 247, 240],
            Ink::Watch => [208, 142, 24],
            Ink::WatchArea => [253, 246, 226],
            Ink::Bad => [196, 52, 48],
            Ink::BadArea => [252, 235, 233],
        }
    }
}

/// A point, in dots from the upper left corner.
pub type Point = (f64, f64);

/// A box of whole dots: left, top, right, bottom; the last two are not part of it.
pub type Bounds = (i32, i32, i32, i32);

/// A picture being drawn. What lies outside is not drawn.
pub struct Canvas {
    width: usize,
    height: usize,
    dots: Vec<[u8; 3]>,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas {
            width,
            height,
            dots: vec![Ink::Paper.rgb(); width * height],
        }
    }

    fn place(&mut self, x: i32, y: i32) -> Option<&mut [u8; 3]> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let inside = x < self.width;
        inside.then(|| self.dots.get_mut(y * self.width + x))?
    }

    pub fn dot(&mut self, x: i32, y: i32, ink: Ink) {
        self.cover(x, y, ink.rgb(), 1.0);
    }

    /// Covers a share of a dot.
    fn cover(&mut self, x: i32, y: i32, colour: [u8; 3], share: f64) {
        if let Some(place) = self.place(x, y) {
            for (part, new) in place.iter_mut().zip(colour) {
                let mixed = f64::from(*part) * (1.0 - share) + f64::from(new) * share;
                *part = mixed.round() as u8;
            }
        }
    }

    /// A filled box; the right and lower edge are not part of it.
    pub fn fill(&mut self, left: i32, top: i32, right: i32, bottom: i32, ink: Ink) {
        for y in top..bottom {
            for x in left..right {
                self.dot(x, y, ink);
            }
        }
    }

    /// The edges of a box, so many dots thick, outside of it.
    pub fn frame(&mut self, (left, top, right, bottom): Bounds, thick: i32, ink: Ink) {
        let (outer_left, outer_right) = (left - thick, right + thick);
        self.fill(outer_left, top - thick, outer_right, top, ink);
        self.fill(outer_left, bottom, outer_right, bottom + thick, ink);
        self.fill(outer_left, top, left, bottom, ink);
        self.fill(right, top, outer_right, bottom, ink);
    }

    /// A straight line, two dots wide.
    pub fn line(&mut self, from: (i32, i32), to: (i32, i32), ink: Ink) {
        let middle = |(x, y): (i32, i32)| (f64::from(x) + 1.0, f64::from(y) + 1.0);
        self.stroke(&[middle(from), middle(to)], 2.0, ink);
    }

    /// A line through points, with round ends and corners.
    pub fn stroke(&mut self, points: &[Point], width: f64, ink: Ink) {
        let reach = width / 2.0 + 1.0;
        let Some((left, top, right, bottom)) = bounds(points, reach) else {
            return;
        };
        let wide = (right - left) as usize;
        let mut shares = vec![0.0_f64; wide * (bottom - top) as usize];
        for (n, from) in points.iter().enumerate() {
            // A single point is a dot.
            let to = points.get(n + 1).unwrap_or(from);
            let Some(near) = bounds(&[*from, *to], reach) else {
                continue;
            };
            for y in near.1..near.3 {
                for x in near.0..near.2 {
                    let at = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                    let share = (width / 2.0 + 0.5 - distance(at, *from, *to)).clamp(0.0, 1.0);
                    let place = (y - top) as usize * wide + (x - left) as usize;
                    if let Some(most) = shares.get_mut(place) {
                        *most = most.max(share);
                    }
                }
            }
        }
        for (y, row) in (top..).zip(shares.chunks(wide.max(1))) {
            for (x, share) in (left..).zip(row).filter(|(_, share)| **share > 0.0) {
                self.cover(x, y, ink.rgb(), *share);
            }
        }
    }

    /// A line of dashes, across or down.
    pub fn dashes(&mut self, from: (i32, i32), to: (i32, i32), ink: Ink) {
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        for n in (0..across.max(down)).filter(|n| n % 10 < 6) {
            let (x, y) = match across > down {
                true => (from.0 + n, from.1),
                false => (from.0, from.1 + n),
            };
            self.dot(x, y, ink);
        }
    }

    /// A line of text, its upper left corner here; gives where it ends.
    pub fn text(&mut self, x: i32, y: i32, text: &str, ink: Ink) -> i32 {
        self.text_of(CAPITAL, x, y, text, ink)
    }

    /// The same with capitals so many dots high.
    pub fn text_of(&mut self, capital: f64, x: i32, y: i32, text: &str, ink: Ink) -> i32 {
        let unit = capital / font::CAPITAL;
        let mut at = f64::from(x);
        for letter in text.chars() {
            for path in font::strokes(letter) {
                let place = |(across, down): Point| {
                    (at + 1.0 + across * unit, f64::from(y) + ABOVE + down * unit)
                };
                let points: Vec<Point> = path.into_iter().map(place).collect();
                self.stroke(&points, (capital * PEN).max(1.2), ink);
            }
            at += font::advance(letter) * unit;
        }
        at.ceil() as i32
    }

    /// Dots that a text is wide.
    pub fn width_of(text: &str) -> i32 {
        Canvas::width_at(CAPITAL, text)
    }

    /// The same with capitals so many dots high.
    pub fn width_at(capital: f64, text: &str) -> i32 {
        let units: f64 = text.chars().map(font::advance).sum();
        (units * capital / font::CAPITAL).ceil() as i32
    }

    /// Another picture, a square of `side` pixels, stretched over a box.
    pub fn picture(&mut self, (left, top, right, bottom): Bounds, side: usize, square: &[[u8; 3]]) {
        let (wide, high) = (f64::from(right - left), f64::from(bottom - top));
        for y in top..bottom {
            for x in left..right {
                let across = (f64::from(x - left), f64::from(x - left + 1));
                let down = (f64::from(y - top), f64::from(y - top + 1));
                let from = |(a, b): (f64, f64), of: f64| {
                    let scale = side as f64 / of;
                    let first = (a * scale) as usize;
                    first..((b * scale).ceil() as usize).clamp(first + 1, side.max(first + 1))
                };
                let colour = mean(square, side, from(across, wide), from(down, high));
                self.cover(x, y, colour, 1.0);
            }
        }
    }

    pub fn png(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let (Ok(width), Ok(height)) = (u32::try_from(self.width), u32::try_from(self.height))
        else {
            return Err("the chart is too large".to_owned());
        };
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder
            .add_text_chunk("Software".to_owned(), SOFTWARE.to_owned())
            .and_then(|()| encoder.write_header())
            .and_then(|mut writer| {
                writer.write_image_data(self.dots.as_flattened())?;
                writer.finish()
            });
        written.map_err(|why| format!("the chart: {why}"))?;
        Ok(bytes)
    }
}

/// The whole dots around points, so much further each way.
fn bounds(points: &[Point], reach: f64) -> Option<Bounds> {
    let first = points.first()?;
    let mut around = (first.0, first.1, first.0, first.1);
    for (x, y) in points {
        around = (
            around.0.min(*x),
            around.1.min(*y),
            around.2.max(*x),
            around.3.max(*y),
        );
    }
    Some((
        (around.0 - reach).floor() as i32,
        (around.1 - reach).floor() as i32,
        (around.2 + reach).ceil() as i32,
        (around.3 + reach).ceil() as i32,
    ))
}

/// How far a point is from a line between two others.
fn distance(at: Point, from: Point, to: Point) -> f64 {
    let (across, down) = (to.0 - from.0, to.1 - from.1);
    let (x, y) = (at.0 - from.0, at.1 - from.1);
    let length = across * across + down * down;
    let along = match length > 0.0 {
        true => ((x * across + y * down) / length).clamp(0.0, 1.0),
        false => 0.0,
    };
    (x - along * across).hypot(y - along * down)
}

/// The mean colour of a part of a square.
fn mean(
    square: &[[u8; 3]],
    side: usize,
    across: std::ops::Range<usize>,
    down: std::ops::Range<usize>,
) -> [u8; 3] {
    let mut sum = [0_u32; 3];
    let mut count = 0;
    for y in down {
        for x in across.clone() {
            if let Some(pixel) = square.get(y * side + x) {
                count += 1;
                for (sum, part) in sum.iter_mut().zip(pixel) {
                    *sum += u32::from(*part);
                }
            }
        }
    }
    sum.map(|sum| (sum / count.max(1)) as u8)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The file's size, and its dots.
    pub fn read(file: Vec<u8>) -> (usize, usize, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut dots = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut dots).unwrap();
        (info.width as usize, info.height as usize, dots)
    }

    #[test]
    fn what_is_drawn_is_in_the_file_and_what_is_outside_is_not() {
        let mut canvas = Canvas::new(40, 20);
        canvas.fill(-5, 18, 3, 99, Ink::Failed);
        canvas.line((10, 5), (90, 5), Ink::Grid);
        let end = canvas.text(20, 8, "L", Ink::Text);
        assert_eq!(end, 20 + Canvas::width_of("L"));
        let (width, height, dots) = read(canvas.png().unwrap());
        assert_eq!((width, height), (40, 20));
        assert_eq!(dots, canvas.dots.as_flattened());
        let at = |x: usize, y: usize| canvas.dots[y * 40 + x];
        assert_eq!(at(2, 19), Ink::Failed.rgb());
        let paper = Ink::Paper.rgb();
        assert_eq!((at(3, 19), at(39, 5)), (paper, Ink::Grid.rgb()));
        assert!(at(21, 12) < paper && at(25, 12) == paper, "the L's stem");
    }

    #[test]
    fn edges_are_smooth() {
        let mut canvas = Canvas::new(60, 60);
        canvas.stroke(&[(5.0, 5.0), (55.0, 28.7)], 3.0, Ink::Text);
        let tones: std::collections::BTreeSet<_> = canvas.dots.iter().map(|dot| dot[0]).collect();
        assert!(tones.len() > 10, "{tones:?}");
        let dark = canvas.dots.iter().filter(|dot| **dot == Ink::Text.rgb());
        assert!((60..220).contains(&dark.count()));
    }

    #[test]
    fn a_picture_is_stretched_over_its_box() {
        let mut canvas = Canvas::new(20, 10);
        let square = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 9, 9]];
        canvas.picture((2, 2, 14, 8), 2, &square);
        let at = |x: usize, y: usize| canvas.dots[y * 20 + x];
        assert_eq!([at(2, 2), at(13, 2), at(2, 7), at(13, 7)], square);
        assert_eq!((at(14, 7), at(2, 8)), (Ink::Paper.rgb(), Ink::Paper.rgb()));
    }
}
