//! A context as text, to survive a restart of the host.
//!
//! The text is `oe-context-1 ` and a JSON object in ASCII; that of a monitor is `oe-monitor-1 ` and
//! one that holds the context's, if it has one yet. It holds the context's URLs and is
//! therefore a secret, but never the API key or the account latch. Whoever reads it trusts
//! nothing in it: URLs are checked again, times are clamped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Status};
use crate::rules::region::Region;

/// The longest saved text, in bytes.
pub const MAX_SAVED: usize = 8 * 1024;

const CONTEXT: &str = "oe-context-";
const MONITOR: &str = "oe-monitor-";
const VERSION: u32 = 1;

/// What is saved. Times are milliseconds; ages are counted back from the save.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) process_url: String,
    pub(crate) fallback_url: String,
    pub(crate) warning_level: u8,
    pub(crate) pause_level: u8,
    /// The levels that the context was made with, where others are wanted since. Not in texts of
    /// before 0.2.
    #[serde(default)]
    pub(crate) made_with: Option<(u8, u8)>,
    pub(crate) age_ms: u64,
    pub(crate) saved_wall_ms: i64,
    pub(crate) boot_id: Option<String>,
    pub(crate) saved_boot_ms: Option<u64>,
    pub(crate) wait_ms: u64,
    /// The part of the wait that a `Retry-After` asked for. Not in texts of before 0.2.
    #[serde(default)]
    pub(crate) asked_ms: u64,
    pub(crate) minimum: Option<u32>,
    pub(crate) recommended: Option<u32>,
    pub(crate) faster: bool,
    pub(crate) defaulted: bool,
    pub(crate) host_sec: Option<u32>,
    pub(crate) failures: u32,
    pub(crate) using_fallback: bool,
    pub(crate) throttled: u32,
    pub(crate) rejected: u32,
    pub(crate) unusable: (u32, u64),
    pub(crate) fallback_failing: (u32, u64),
    pub(crate) warned: bool,
    pub(crate) paused: bool,
    pub(crate) last_warning_age_ms: Option<u64>,
    pub(crate) lost: bool,
    pub(crate) calls: u64,
    pub(crate) last_quality: u8,
    pub(crate) last_status: i32,
    pub(crate) last_frame: Option<(usize, u64)>,
    pub(crate) rejected_frames: Vec<(usize, u64)>,
    pub(crate) renewal_ages_ms: Vec<u64>,
    /// Of a print that the embedded engine looks at; such a one has no URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) embedded: Option<SavedBelief>,
    /// Left, top, width and height of what is not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignore: Vec<Corners>,
    /// When the last picture of a recording was taken, if one is played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) played_ms: Option<u64>,
}

/// A region: left, top, width and height.
pub(crate) type Corners = (u16, u16, u16, u16);

/// Regions as they are saved.
pub(crate) fn corners(ignore: &[Region]) -> Vec<Corners> {
    let corners = |part: &Region| (part.x(), part.y(), part.width(), part.height());
    ignore.iter().map(corners).collect()
}

/// Saved regions, none of which has been looked at yet.
pub(crate) fn regions(saved: &[Corners]) -> Result<Vec<Region>, Error> {
    let region = |part: &Corners| Region::new(part.0, part.1, part.2, part.3);
    saved.iter().map(region).collect()
}

/// What is believed of a print, and under which model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedBelief {
    pub(crate) model: String,
    pub(crate) belief: Option<String>,
}

impl Saved {
    pub(crate) fn encode(&self) -> String {
        encode(CONTEXT, self)
    }

    pub(crate) fn decode(text: &str) -> Result<Saved, Error> {
        decode(CONTEXT, text)
    }
}

/// What is saved of a monitor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedMonitor {
    pub(crate) warning_level: u8,
    pub(crate) pause_level: u8,
    pub(crate) host_sec: Option<u32>,
    pub(crate) muted: bool,
    /// The embedded engine's, which a text without a context does not show. Texts of before 0.2 are all
    /// the service's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) embedded: bool,
    /// Left, top, width and height of what is not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignore: Vec<Corners>,
    /// None before the service has given one.
    pub(crate) context: Option<Saved>,
}

impl SavedMonitor {
    pub(crate) fn encode(&self) -> String {
        encode(MONITOR, self)
    }

    /// The text of a context will do too: a host that had a loop of its own may go on with a monitor.
    pub(crate) fn decode(text: &str) -> Result<SavedMonitor, Error> {
        if !text.starts_with(CONTEXT) {
            return decode(MONITOR, text);
        }
        let context = Saved::decode(text)?;
        Ok(SavedMonitor {
            warning_level: context.warning_level,
            pause_level: context.pause_level,
            host_sec: context.host_sec,
            muted: false,
            embedded: context.embedded.is_some(),
            ignore: context.ignore.clone(),
            context: Some(context),
        })
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Plain numbers, booleans and ASCII: there is nothing here that could fail to be written.
fn encode(mark: &str, what: &impl Serialize) -> String {
    let json = serde_json::to_string(what).unwrap_or_default();
    format!("{mark}{VERSION} {json}")
}

fn decode<T: DeserializeOwned>(mark: &str, text: &str) -> Result<T, Error> {
    let refuse = |text: &'static str| Error::with_text(Status::Argument, text);
    let broken = || refuse("the saved text is damaged, not complete or of something else");
    if text.len() > MAX_SAVED {
        return Err(broken());
    }
    let rest = text.trim_end().strip_prefix(mark).ok_or_else(broken)?;
    let (version, json) = rest.split_once(' ').ok_or_else(broken)?;
    match version.parse::<u32>() {
        Ok(VERSION) => serde_json::from_str(json).map_err(|_| broken()),
        Ok(newer) if newer > VERSION => Err(refuse(
            "the saved text was written by a newer version of this library",
        )),
        _ => Err(broken()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Saved {
        Saved {
            process_url: "https://a.octoeverywhere.com/p".into(),
            fallback_url: "https://b.octoeverywhere.com/p".into(),
            boot_id: Some("id".into()),
            rejected_frames: vec![(1, 2)],
            ..Saved::default()
        }
    }

    #[test]
    fn li_12_only_whole_texts_of_this_version_are_read() {
        let text = sample().encode();
        assert_eq!(Saved::decode(&text).unwrap(), sample());
        assert_eq!(Saved::decode(&format!("{text}\n")).unwrap(), sample());
        for cut in 0..text.len() {
            assert_eq!(
                Saved::decode(&text[..cut]).unwrap_err().status,
                Status::Argument,
                "{cut}"
            );
        }
        for bad in [
            "",
            "x",
            "oe-context-2 {}",
            "oe-context-1 {}",
            "oe-context-x {}",
        ] {
            assert_eq!(Saved::decode(bad).unwrap_err().status, Status::Argument);
        }
        let newer = text.replacen('1', "2", 1);
        assert!(Saved::decode(&newer).unwrap_err().text.contains("newer"));
    }

    #[test]
    fn a_monitor_is_no_context_but_may_begin_with_one() {
        let monitor = SavedMonitor {
            muted: true,
            context: Some(sample()),
            ..SavedMonitor::default()
        };
        let text = monitor.encode();
        assert_eq!(SavedMonitor::decode(&text).unwrap(), monitor);
        assert!(Saved::decode(&text).is_err());
        let context = SavedMonitor::decode(&sample().encode()).unwrap();
        assert_eq!((context.context, context.muted), (Some(sample()), false));
        let early = SavedMonitor::default();
        assert_eq!(SavedMonitor::decode(&early.encode()).unwrap(), early);
        for cut in 0..text.len() {
            assert!(SavedMonitor::decode(&text[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn the_longest_text_fits() {
        let long = "https://octoeverywhere.com/".to_owned()
            + &"x".repeat(crate::rules::trust::MAX_URL - 27);
        let max = u64::MAX;
        let saved = Saved {
            process_url: long.clone(),
            fallback_url: long,
            boot_id: Some("x".repeat(64)),
            made_with: Some((5, 5)),
            saved_wall_ms: i64::MIN,
            saved_boot_ms: Some(max),
            wait_ms: max,
            asked_ms: max,
            unusable: (u32::MAX, max),
            fallback_failing: (u32::MAX, max),
            last_frame: Some((usize::MAX, max)),
            rejected_frames: vec![(usize::MAX, max); 8],
            renewal_ages_ms: vec![max; 3],
            ..Saved::default()
        };
        assert!(saved.encode().len() < MAX_SAVED);
        // A belief is a text within the text.
        let embedded = Saved {
            process_url: String::new(),
            fallback_url: String::new(),
            embedded: Some(SavedBelief {
                model: "x".repeat(128),
                belief: Some("\"12345678".repeat(crate::engine::MAX_BELIEF / 9)),
            }),
            ignore: vec![(1000, 1000, 1000, 1000); crate::rules::region::MAX_REGIONS],
            played_ms: Some(max),
            ..saved.clone()
        };
        assert!(embedded.encode().len() < MAX_SAVED);
        let watched = SavedMonitor {
            ignore: embedded.ignore.clone(),
            context: Some(embedded),
            ..SavedMonitor::default()
        };
        assert!(watched.encode().len() < MAX_SAVED);
        let monitor = SavedMonitor {
            host_sec: Some(u32::MAX),
            context: Some(saved),
            ..SavedMonitor::default()
        };
        assert!(monitor.encode().len() < MAX_SAVED);
    }
}
