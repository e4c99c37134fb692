//! A picture of lines, boxes and letters in a few colours, as PNG.

use super::font;

/// What can be drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Paper = 0,
    Text = 1,
    Grid = 2,
    Fine = 3,
    Failed = 4,
}

/// Red, green and blue of each ink.
const PALETTE: [[u8; 3]; 5] = [
    [255, 255, 255],
    [40, 44, 52],
    [214, 218, 224],
    [66, 133, 190],
    [214, 96, 56],
];

/// A picture being drawn. What lies outside is not drawn.
pub struct Canvas {
    width: usize,
    height: usize,
    inks: Vec<u8>,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas {
            width,
            height,
            inks: vec![Ink::Paper as u8; width * height],
        }
    }

    pub fn dot(&mut self, x: i32, y: i32, ink: Ink) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x < self.width
            && let Some(place) = self.inks.get_mut(y * self.width + x)
        {
            *place = ink as u8;
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

    /// A straight line, two dots wide.
    pub fn line(&mut self, from: (i32, i32), to: (i32, i32), ink: Ink) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step / steps;
            let y = from.1 + (to.1 - from.1) * step / steps;
            self.fill(x, y, x + 2, y + 2, ink);
        }
    }

    /// Letters, two dots each way; gives where they end.
    pub fn text(&mut self, x: i32, y: i32, text: &str, ink: Ink) -> i32 {
        let mut at = x;
        for letter in text.chars() {
            for (down, row) in (0_i32..).zip(font::shape(letter)) {
                for across in (0..font::WIDTH as i32).filter(|n| row >> (4 - n) & 1 == 1) {
                    let (left, top) = (at + 2 * across, y + 2 * down);
                    self.fill(left, top, left + 2, top + 2, ink);
                }
            }
            at += 2 * font::STEP as i32;
        }
        at
    }

    /// Dots that a text is wide.
    pub fn width_of(text: &str) -> i32 {
        2 * (font::STEP * text.chars().count()) as i32
    }

    pub fn png(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let (Ok(width), Ok(height)) = (u32::try_from(self.width), u32::try_from(self.height))
        else {
            return Err("the chart is too large".to_owned());
        };
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(PALETTE.concat());
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.inks)?;
            writer.finish()
        });
        written.map_err(|why| format!("the chart: {why}"))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_in_the_file_and_what_is_outside_is_not() {
        let mut canvas = Canvas::new(40, 20);
        canvas.fill(-5, 18, 3, 99, Ink::Failed);
        canvas.line((10, 5), (90, 5), Ink::Grid);
        assert_eq!(
            canvas.text(20, 8, "L", Ink::Text),
            20 + Canvas::width_of("L")
        );
        let file = canvas.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut inks = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut inks).unwrap();
        assert_eq!(inks, canvas.inks);
        let at = |x: usize, y: usize| inks[y * 40 + x];
        assert_eq!(at(2, 19), Ink::Failed as u8);
        assert_eq!((at(3, 19), at(39, 5)), (Ink::Paper as u8, Ink::Grid as u8));
        assert_eq!((at(20, 8), at(24, 8)), (Ink::Text as u8, Ink::Paper as u8));
    }
}
