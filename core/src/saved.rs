//! A context as text, to survive a restart of the host.
//!
//! The text is `oe-context-1 ` and a JSON object in ASCII. It holds the context's URLs and is
//! therefore a secret, but never the API key or the account latch. Whoever reads it trusts
//! nothing in it: URLs are checked again, times are clamped.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Status};

/// The longest saved text, in bytes.
pub const MAX_SAVED: usize = 8 * 1024;

const MARK: &str = "oe-context-";
const VERSION: u32 = 1;

/// What is saved. Times are milliseconds; ages are counted back from the save.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) process_url: String,
    pub(crate) fallback_url: String,
    pub(crate) warning_level: u8,
    pub(crate) pause_level: u8,
    pub(crate) age_ms: u64,
    pub(crate) saved_wall_ms: i64,
    pub(crate) boot_id: Option<String>,
    pub(crate) saved_boot_ms: Option<u64>,
    pub(crate) wait_ms: u64,
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
}

impl Saved {
    /// Plain numbers, booleans and ASCII: there is nothing here that could fail to be written.
    pub(crate) fn encode(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{MARK}{VERSION} {json}")
    }

    pub(crate) fn decode(text: &str) -> Result<Saved, Error> {
        let refuse = |text: &'static str| Error::with_text(Status::Argument, text);
        let broken = || refuse("the saved context is damaged or not complete");
        if text.len() > MAX_SAVED {
            return Err(broken());
        }
        let rest = text.trim_end().strip_prefix(MARK).ok_or_else(broken)?;
        let (version, json) = rest.split_once(' ').ok_or_else(broken)?;
        match version.parse::<u32>() {
            Ok(VERSION) => serde_json::from_str(json).map_err(|_| broken()),
            Ok(newer) if newer > VERSION => Err(refuse(
                "the saved context was written by a newer version of this library",
            )),
            _ => Err(broken()),
        }
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
    fn the_longest_text_fits() {
        let long =
            "https://octoeverywhere.com/".to_owned() + &"x".repeat(crate::trust::MAX_URL - 27);
        let max = u64::MAX;
        let saved = Saved {
            process_url: long.clone(),
            fallback_url: long,
            boot_id: Some("x".repeat(64)),
            saved_wall_ms: i64::MIN,
            saved_boot_ms: Some(max),
            unusable: (u32::MAX, max),
            fallback_failing: (u32::MAX, max),
            last_frame: Some((usize::MAX, max)),
            rejected_frames: vec![(usize::MAX, max); 8],
            renewal_ages_ms: vec![max; 3],
            ..Saved::default()
        };
        assert!(saved.encode().len() < MAX_SAVED);
    }
}
