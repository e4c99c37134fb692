//! Letters for charts, as strokes of a pen: lines and parts of ellipses.
//!
//! A letter stands on a grid: capitals from 0 down to 10, small letters from 4, tails end at 13. Parts
//! are words. `l` is a line through points, `a` a part of the ellipse in a box (two points), clockwise
//! from one eighth of a turn to another, 0 at its right. Coordinates are digits, `a` is 10.

/// Units that capitals are high.
pub const CAPITAL: f64 = 10.0;
/// Units between letters, and of a gap between words.
const BETWEEN: f64 = 3.2;
const GAP: f64 = 3.0;
/// Straight pieces of an eighth of a turn.
const SMOOTH: u32 = 6;

/// A letter, its width in units, its parts.
const LETTERS: &[(char, u32, &str)] = &[
    ('0', 6, "a006a08"),
    ('1', 6, "l12404a"),
    ('2', 6, "a006649 l550a6a"),
    ('3', 6, "a00655a a056a6b"),
    ('4', 6, "l400767 l404a"),
    ('5', 6, "l601005 a046a5b"),
    ('6', 6, "a046a08 a009d46"),
    ('7', 6, "l00602a"),
    ('8', 6, "a006508 a056a08"),
    ('9', 6, "a006608 l642a"),
    ('A', 6, "l0a306a l1656"),
    ('B', 6, "l30000a3a l0535 a00656a a056a6a"),
    ('C', 7, "a007a17"),
    ('D', 6, "l30000a3a a006a6a"),
    ('E', 5, "l50000a5a l0545"),
    ('F', 5, "l50000a l0545"),
    ('G', 7, "a007a07 l7545"),
    ('H', 6, "l000a l606a l0565"),
    ('I', 0, "l000a"),
    ('J', 5, "l5057 a145a04"),
    ('K', 6, "l000a l6006 l246a"),
    ('L', 5, "l000a5a"),
    ('M', 8, "l0a0047808a"),
    ('N', 6, "l0a006a60"),
    ('O', 7, "a007a08"),
    ('P', 6, "l0a0030 l0636 a00666a"),
    ('Q', 7, "a007a08 l477b"),
    ('R', 6, "l0a0030 l0636 a00666a l366a"),
    ('S', 6, "a006527 a056a6b"),
    ('T', 6, "l0060 l303a"),
    ('U', 6, "l0007 l6067 a046a04"),
    ('V', 6, "l003a60"),
    ('W', 8, "l002a426a80"),
    ('X', 6, "l006a l600a"),
    ('Y', 6, "l003560 l353a"),
    ('Z', 6, "l00600a6a"),
    ('a', 5, "a045a08 l545a"),
    ('b', 5, "l000a a045a08"),
    ('c', 5, "a045a17"),
    ('d', 5, "a045a08 l505a"),
    ('e', 5, "a045a18 l0757"),
    ('f', 3, "l1a12 a105446 l0434"),
    ('g', 5, "a045a08 l545b a085d03"),
    ('h', 5, "l000a a045948 l565a"),
    ('i', 0, "l040a l0101"),
    ('j', 2, "l242b a092d02 l2121"),
    ('k', 5, "l000a l5408 l265a"),
    ('l', 0, "l000a"),
    ('m', 8, "l040a a044948 l464a a448948 l868a"),
    ('n', 5, "l040a a045948 l565a"),
    ('o', 5, "a045a08"),
    ('p', 5, "l040d a045a08"),
    ('q', 5, "a045a08 l545d"),
    ('r', 4, "l040a a044947"),
    ('s', 5, "a045727 a075a6b"),
    ('t', 4, "l1118 a165a24 l0444"),
    ('u', 5, "l0408 a055a04 l545a"),
    ('v', 6, "l043a64"),
    ('w', 8, "l042a456a84"),
    ('x', 5, "l045a l540a"),
    ('y', 6, "l043a l641d"),
    ('z', 5, "l04540a5a"),
    ('.', 0, "l0a0a"),
    (',', 1, "l1a0c"),
    (':', 0, "l0505 l0a0a"),
    ('-', 4, "l0646"),
    ('+', 6, "l0666 l3339"),
    ('=', 6, "l0565 l0868"),
    ('%', 8, "a003408 a568a08 l701a"),
    ('/', 5, "l500a"),
    ('(', 2, "l2003082b"),
    (')', 2, "l0023280b"),
    ('_', 6, "l0b6b"),
];
/// For every letter that is not there.
const MISSING: (u32, &str) = (6, "l00606a0a00");

/// Points of the grid, one after the other.
pub type Path = Vec<(f64, f64)>;

fn glyph(letter: char) -> (u32, &'static str) {
    let known = LETTERS.iter().find(|(known, _, _)| *known == letter);
    known.map_or(MISSING, |(_, width, parts)| (*width, *parts))
}

/// Units from the beginning of a letter to that of the next.
pub fn advance(letter: char) -> f64 {
    match letter {
        ' ' => GAP + BETWEEN,
        letter => f64::from(glyph(letter).0) + BETWEEN,
    }
}

/// The strokes of a letter.
pub fn strokes(letter: char) -> Vec<Path> {
    if letter == ' ' {
        return Vec::new();
    }
    glyph(letter).1.split(' ').map(stroke).collect()
}

fn stroke(part: &str) -> Path {
    let numbers: Vec<f64> = part
        .chars()
        .skip(1)
        .filter_map(|digit| digit.to_digit(16).map(f64::from))
        .collect();
    match (part.starts_with('a'), numbers.as_slice()) {
        (true, [left, top, right, bottom, from, to]) => {
            let steps = ((to - from) as u32 * SMOOTH).max(1);
            let (wide, high) = ((right - left) / 2.0, (bottom - top) / 2.0);
            let at = |step: u32| {
                let eighths = from + (to - from) * f64::from(step) / f64::from(steps);
                let (down, across) = (eighths * std::f64::consts::FRAC_PI_4).sin_cos();
                (left + wide * (1.0 + across), top + high * (1.0 + down))
            };
            (0..=steps).map(at).collect()
        }
        (_, points) => {
            let (points, _) = points.as_chunks::<2>();
            points.iter().map(|[x, y]| (*x, *y)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_lies_on_its_grid() {
        for (letter, width, parts) in LETTERS {
            let strokes = strokes(*letter);
            assert_eq!(strokes.len(), parts.split(' ').count());
            for (x, y) in strokes.concat() {
                let inside = (-0.01..=f64::from(*width) + 0.01).contains(&x);
                assert!(inside && (-0.01..=13.01).contains(&y), "{letter}: {x} {y}");
            }
        }
    }

    #[test]
    fn what_the_charts_say_has_all_its_letters() {
        let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9');
        for letter in letters.chain(".,:-+=%/()_".chars()) {
            assert_ne!(glyph(letter), MISSING, "{letter}");
        }
    }
}
