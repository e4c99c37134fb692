//! The service's opinion of one frame, and how it is read from an answer.

use super::json::{Members, boolean, number};
use crate::rules::pacing::{DEFAULT_INTERVAL_SEC, Interval, MAX_INTERVAL_SEC};
use crate::rules::region::Region;

/// What the service said of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// 1 (failed) to 10 (perfect). For people, never to act on.
    pub quality: u8,
    /// 0 (perfect) to 100 (failed), if a valid one was sent. For research only.
    pub score: Option<u8>,
    /// Tell the user.
    pub warning: bool,
    /// Pause the print.
    pub pause: bool,
    /// A host with an interval of its own may use the recommended one while this holds.
    pub faster: bool,
    /// The picture shows nothing to judge: the rest repeats what was believed before it.
    pub blind: bool,
    /// Where in the picture it looks failed, if that was sent and is a region.
    pub place: Option<Region>,
    /// When to call again; `None` when the answer held nothing usable.
    pub interval: Option<Interval>,
}

/// An answer that breaks the contract. Its timing is kept: a service that asks for patience gets
/// it even when the rest cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The valid interval in it.
    pub interval: Option<Interval>,
}

const NAMES: [&str; 8] = [
    "PrintQuality",
    "WarningSuggested",
    "PauseSuggested",
    "Score",
    "FasterInspectionSuggested",
    "NextProcessIntervalSec",
    "Blind",
    "Place",
];

/// Reads the body of a 2xx answer, of either edition of the wire.
///
/// # Errors
/// [`Unusable`] when it is not exactly one JSON object with a valid quality and two booleans.
pub fn decode(body: &[u8]) -> Result<Verdict, Unusable> {
    let members = Members::read(body, NAMES);
    let timing = members.get(5).map(interval).unwrap_or_default();
    let unusable = Unusable {
        interval: timing.interval,
    };
    if !members.whole || members.has_conflict() || timing.conflict {
        return Err(unusable);
    }
    let whole_number = |index, range: std::ops::RangeInclusive<u8>| {
        let value = members.get(index).and_then(number)?;
        range.into_iter().find(|whole| f64::from(*whole) == value)
    };
    let flag = |index| members.get(index).and_then(boolean);
    Ok(Verdict {
        quality: whole_number(0, 1..=10).ok_or(unusable)?,
        warning: flag(1).ok_or(unusable)?,
        pause: flag(2).ok_or(unusable)?,
        score: whole_number(3, 0..=100),
        faster: flag(4).unwrap_or(false),
        blind: flag(6).unwrap_or(false),
        place: members.get(7).and_then(place),
        interval: timing.interval,
    })
}

#[derive(Default)]
struct Timing {
    interval: Option<Interval>,
    conflict: bool,
}

/// Reads `NextProcessIntervalSec`: a number (edition A) or an object (edition B).
fn interval(raw: &str) -> Timing {
    if !raw.starts_with('{') {
        let interval = seconds(raw).map(|minimum| Interval {
            minimum,
            recommended: minimum.max(DEFAULT_INTERVAL_SEC),
        });
        return Timing {
            interval,
            conflict: false,
        };
    }
    let members = Members::read(raw.as_bytes(), ["Minimum", "Recommended"]);
    let valid = |index| members.get(index).and_then(seconds);
    let interval = match (valid(0), valid(1)) {
        (Some(minimum), Some(recommended)) => Some(Interval {
            minimum,
            recommended,
        }),
        (Some(minimum), None) => Some(Interval {
            minimum,
            recommended: minimum.max(DEFAULT_INTERVAL_SEC),
        }),
        (None, Some(both)) => Some(Interval {
            minimum: both,
            recommended: both,
        }),
        (None, None) => None,
    };
    Timing {
        interval,
        conflict: members.has_conflict(),
    }
}

/// Reads `Place`: x, y, width and height.
fn place(raw: &str) -> Option<Region> {
    let [x, y, width, height] = serde_json::from_str::<[f64; 4]>(raw).ok()?.map(thousandths);
    Region::new(x?, y?, width?, height?).ok()
}

fn thousandths(value: f64) -> Option<u16> {
    // A cast from f64 saturates; what it changes was none.
    let whole = value as u16;
    (f64::from(whole) == value).then_some(whole)
}

/// A positive number of seconds, rounded up, at most the 14 days that a context lives.
fn seconds(raw: &str) -> Option<u32> {
    let value = number(raw)?;
    if value.is_nan() || value <= 0.0 {
        return None;
    }
    let capped = value.ceil().min(f64::from(MAX_INTERVAL_SEC));
    // In range by the two lines above; a cast from f64 saturates besides.
    Some(capped as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(interval: &str) -> String {
        format!(
            "{{\"NextProcessIntervalSec\":{interval},\"FasterInspectionSuggested\":false,\
             \"PrintQuality\":8,\"WarningSuggested\":false,\"PauseSuggested\":false,\"Score\":5}}"
        )
    }

    fn with(name: &str, value: &str) -> String {
        let mut members = vec![
            (
                "NextProcessIntervalSec",
                "{\"Minimum\":600,\"Recommended\":700}",
            ),
            ("PrintQuality", "8"),
            ("WarningSuggested", "false"),
            ("PauseSuggested", "true"),
            ("Score", "5"),
            ("FasterInspectionSuggested", "true"),
        ];
        members.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            members.push((name, value));
        }
        let members: Vec<_> = members
            .iter()
            .map(|(n, v)| format!("\"{n}\":{v}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn pa_01_pa_02_pa_06_pa_08_pa_09_ti_19_intervals_of_both_editions() {
        for (raw, expected) in [
            ("40", Some((40, 40))),
            ("5", Some((5, 20))),
            ("{\"Minimum\":5,\"Recommended\":20}", Some((5, 20))),
            ("{\"Minimum\":1,\"Recommended\":1}", Some((1, 1))),
            ("{\"Minimum\":40,\"Recommended\":2}", Some((40, 2))),
            ("{\"Recommended\":30}", Some((30, 30))),
            ("{\"Minimum\":7}", Some((7, 20))),
            ("{\"Minimum\":-3,\"Recommended\":20}", Some((20, 20))),
            ("{\"Minimum\":0,\"Recommended\":0}", None),
            ("0", None),
            ("-5", None),
            ("-0.0", None),
            ("null", None),
            ("\"40\"", None),
            ("[40]", None),
            ("{}", None),
            ("true", None),
            ("7.2", Some((8, 20))),
            ("0.001", Some((1, 20))),
            ("2e1", Some((20, 20))),
            ("4e1", Some((40, 40))),
            ("1e300", Some((1_209_600, 1_209_600))),
            ("1e999", Some((1_209_600, 1_209_600))),
            ("99999999999999999999999999", Some((1_209_600, 1_209_600))),
        ] {
            let verdict = decode(body(raw).as_bytes()).unwrap();
            let interval = expected.map(|(minimum, recommended)| Interval {
                minimum,
                recommended,
            });
            assert_eq!(verdict.interval, interval, "{raw}");
            assert_eq!(verdict.quality, 8);
        }
    }

    #[test]
    fn pa_12_quality_must_be_whole_and_one_to_ten() {
        for bad in [
            "0", "11", "-1", "99", "\"8\"", "true", "null", "", "8.5", "[8]", "1e400",
        ] {
            let refused = decode(with("PrintQuality", bad).as_bytes()).unwrap_err();
            assert_eq!(
                refused.interval.unwrap().minimum,
                600,
                "{bad}: timing is kept"
            );
        }
        for (good, quality) in [("8.0", 8), ("1e1", 10), ("1", 1), ("10", 10), ("80e-1", 8)] {
            assert_eq!(
                decode(with("PrintQuality", good).as_bytes())
                    .unwrap()
                    .quality,
                quality
            );
        }
    }

    #[test]
    fn pa_11_flags_must_be_booleans() {
        for name in ["WarningSuggested", "PauseSuggested"] {
            for bad in ["", "null", "1", "0", "\"true\"", "[true]"] {
                assert!(decode(with(name, bad).as_bytes()).is_err(), "{name} {bad}");
            }
        }
    }

    #[test]
    fn pa_14_odd_scores_and_hints_do_not_cost_the_verdict() {
        for odd in ["", "null", "101", "-1", "\"5\"", "5.5", "[]", "1e400"] {
            assert_eq!(
                decode(with("Score", odd).as_bytes()).unwrap().score,
                None,
                "{odd}"
            );
        }
        assert_eq!(
            decode(with("Score", "100.0").as_bytes()).unwrap().score,
            Some(100)
        );
        for odd in ["", "null", "\"true\"", "1"] {
            let verdict = decode(with("FasterInspectionSuggested", odd).as_bytes()).unwrap();
            assert!(!verdict.faster, "{odd}");
        }
        assert!(
            decode(with("FasterInspectionSuggested", "true").as_bytes())
                .unwrap()
                .faster
        );
    }

    #[test]
    fn pa_17_pa_18_pa_19_pa_26_whole_documents_only() {
        let good = body("20");
        for tail in ["", " ", "\r\n\t "] {
            assert!(
                decode(format!("{good}{tail}").as_bytes()).is_ok(),
                "{tail:?}"
            );
        }
        for tail in ["}", "{}", "\0", "x", "null"] {
            assert!(
                decode(format!("{good}{tail}").as_bytes()).is_err(),
                "{tail:?}"
            );
        }
        assert!(decode("[".repeat(200_000).as_bytes()).is_err());
        assert!(decode("{\"a\":".repeat(12_000).as_bytes()).is_err());
        assert!(decode(good.replace("PrintQuality", "printquality").as_bytes()).is_err());
        let utf16: Vec<u8> = "\u{feff}{}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(decode(&utf16).is_err());
        for bad in [
            "",
            "null",
            "[]",
            "\"x\"",
            "{\"ErrorType\":\"OE_INTERNAL_ERROR\"}",
            "<html>",
        ] {
            assert_eq!(
                decode(bad.as_bytes()),
                Err(Unusable { interval: None }),
                "{bad}"
            );
        }
    }

    #[test]
    fn conflicting_duplicates_of_a_used_member_are_refused() {
        let twice = |extra: &str| body("20").replacen('{', &format!("{{{extra},"), 1);
        assert!(decode(twice("\"PauseSuggested\":false").as_bytes()).is_ok());
        for extra in [
            "\"PauseSuggested\":true",
            "\"PrintQuality\":7",
            "\"Score\":6",
            "\"NextProcessIntervalSec\":21",
        ] {
            assert!(decode(twice(extra).as_bytes()).is_err(), "{extra}");
        }
        let inner = "{\"Minimum\":5,\"Minimum\":6,\"Recommended\":20}";
        let refused = decode(body(inner).as_bytes()).unwrap_err();
        assert_eq!(refused.interval.unwrap().recommended, 20);
    }

    #[test]
    fn only_true_is_blind_and_only_in_a_whole_verdict() {
        let good = with("", "");
        assert!(!decode(good.as_bytes()).unwrap().blind);
        assert!(decode(with("Blind", "true").as_bytes()).unwrap().blind);
        for odd in ["false", "null", "1", "\"true\"", "[true]"] {
            assert!(
                !decode(with("Blind", odd).as_bytes()).unwrap().blind,
                "{odd}"
            );
        }
        let twice = with("Blind", "true").replacen('{', "{\"Blind\":false,", 1);
        assert!(decode(twice.as_bytes()).is_err());
        assert!(decode(b"{\"Blind\":true}").is_err(), "no flags, no quality");
    }

    #[test]
    fn a_place_is_a_region_and_an_odd_one_costs_nothing() {
        let place_of = |raw: &str| decode(with("Place", raw).as_bytes()).unwrap().place;
        assert_eq!(place_of(""), None);
        let region = Region::new(250, 500, 125, 500).unwrap();
        assert_eq!(place_of("[250,500,125,500]"), Some(region));
        assert_eq!(place_of(" [ 2.5e2 , 500.0, 125, 500 ] "), Some(region));
        let whole = Region::new(0, 0, 1_000, 1_000).unwrap();
        assert_eq!(place_of("[0,0,1000,1000]"), Some(whole));
        for odd in [
            "null",
            "[]",
            "[1,2,3]",
            "[1,2,3,4,5]",
            "[0,0,0,0]",
            "[1,2,3,0]",
            "[-1,2,3,4]",
            "[1.5,2,3,4]",
            "[0,0,1001,5]",
            "[600,0,500,5]",
            "[1,2,3,1e400]",
            "[\"1\",2,3,4]",
            "{\"x\":1}",
            "7",
        ] {
            assert_eq!(place_of(odd), None, "{odd}");
        }
        let twice = with("Place", "[1,2,3,4]").replacen('{', "{\"Place\":[1,2,3,5],", 1);
        assert!(decode(twice.as_bytes()).is_err());
    }

    #[test]
    fn pa_27_pa_28_flags_come_as_sent() {
        let verdict = decode(with("WarningSuggested", "false").as_bytes()).unwrap();
        assert!(verdict.pause && !verdict.warning);
    }
}
