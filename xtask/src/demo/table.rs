//! What `watch --table` writes: one line for each picture.

/// What became of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Of the print.
    pub second: f64,
    /// None where there was no verdict.
    pub seen: Option<Seen>,
    pub picture: String,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// 1 (failed) to 10 (perfect).
    pub quality: u8,
    /// 0 (perfect) to 100 (failed), if there was one.
    pub score: Option<u8>,
    /// Tell the user now; pause the print now.
    pub warns: bool,
    pub pauses: bool,
    /// Where it looks failed: left, top, right, bottom, in shares of the picture.
    pub place: Option<[f64; 4]>,
}

/// Columns before the picture's name, which may have commas.
const NUMBERS: usize = 12;

/// Reads a table; a second of its clock is so many of the print.
pub fn parse(text: &str, speed: f64) -> Result<Vec<Row>, String> {
    let lines = text.lines().enumerate().skip(1);
    lines
        .map(|(n, line)| row(line, speed).ok_or_else(|| format!("line {}: {line:?}", n + 1)))
        .collect()
}

fn row(line: &str, speed: f64) -> Option<Row> {
    let mut parts = line.splitn(NUMBERS + 1, ',');
    let numbers: Vec<i64> = parts
        .by_ref()
        .take(NUMBERS)
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [
        second,
        status,
        quality,
        score,
        _,
        _,
        warns,
        pauses,
        x,
        y,
        width,
        height,
    ] = numbers.try_into().ok()?;
    let share = |thousandths: i64| thousandths as f64 / 1_000.0;
    let place = [x, y, x + width, y + height].map(share);
    let seen = || {
        Some(Seen {
            quality: u8::try_from(quality).ok()?,
            score: u8::try_from(score).ok(),
            warns: warns == 1,
            pauses: pauses == 1,
            place: (width > 0).then_some(place),
        })
    };
    Some(Row {
        second: second as f64 * speed,
        seen: match status {
            0 => Some(seen()?),
            _ => None,
        },
        picture: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_what_is_none_is_refused() {
        let text = "second,status,...\n0,0,10,3,0,0,0,0,0,0,0,0,a.jpg\n\
            5,-55,0,0,0,0,0,0,0,0,0,0,b, c.jpg\n10,0,1,-1,1,1,0,1,100,200,300,400,d.jpg\n";
        let rows = parse(text, 4.0).unwrap();
        let seconds: Vec<f64> = rows.iter().map(|row| row.second).collect();
        assert_eq!(seconds, [0.0, 20.0, 40.0]);
        assert_eq!((&rows[1].seen, &*rows[1].picture), (&None, "b, c.jpg"));
        let last = rows[2].seen.as_ref().unwrap();
        assert_eq!((last.quality, last.score, last.pauses), (1, None, true));
        let sides = last.place.unwrap().map(|side| (side * 1_000.0).round());
        assert_eq!(sides, [100.0, 200.0, 400.0, 600.0]);
        assert!(rows[0].seen.as_ref().unwrap().place.is_none());
        for bad in [
            "1,2",
            "0,0,10,3,0,0,0,0,0,0,0,0",
            "0,0,x,3,0,0,0,0,0,0,0,0,a.jpg",
        ] {
            let wrong = parse(&format!("header\n{bad}\n"), 1.0).unwrap_err();
            assert!(wrong.starts_with("line 2"), "{wrong}");
        }
    }
}
