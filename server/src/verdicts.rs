//! What the service answers while it has no eyes of its own: a script.

use serde::Deserialize;

/// The answer to one process call. The n-th call of a context gets the n-th; the last repeats.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// 1 (failed) to 10 (perfect).
    #[serde(default = "good")]
    pub quality: u8,
    /// 0 (perfect) to 100 (failed).
    #[serde(default)]
    pub score: u8,
    /// Tell the user.
    #[serde(default)]
    pub warning: bool,
    /// Pause the print.
    #[serde(default)]
    pub pause: bool,
    /// Edition B: faster inspection is suggested.
    #[serde(default)]
    pub faster: bool,
    /// The picture shows nothing to judge; the rest is what was believed before.
    #[serde(default)]
    pub blind: bool,
    /// Where it looks failed: x, y, width and height, in thousandths of the picture.
    pub place: Option<[u16; 4]>,
    /// The shortest delay in seconds, instead of the service's.
    pub minimum: Option<u32>,
    /// The recommended delay in seconds, instead of the service's.
    pub recommended: Option<u32>,
    /// Answer with this `ErrorType` instead.
    pub error: Option<String>,
    /// The HTTP status of that error, instead of the usual one.
    pub status: Option<u16>,
    /// Wait this long before answering, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// A `Retry-After` header, in seconds.
    pub retry_after: Option<u32>,
}

const fn good() -> u8 {
    8
}

impl Default for Verdict {
    fn default() -> Self {
        Verdict {
            quality: good(),
            score: 5,
            warning: false,
            pause: false,
            faster: false,
            blind: false,
            place: None,
            minimum: None,
            recommended: None,
            error: None,
            status: None,
            delay_ms: 0,
            retry_after: None,
        }
    }
}

/// Reads a script: one JSON object a line; empty lines are passed over.
///
/// # Errors
/// Says the line that cannot be read.
pub fn parse(text: &str) -> Result<Vec<Verdict>, String> {
    let mut verdicts = Vec::new();
    for (n, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let verdict: Verdict =
            serde_json::from_str(line).map_err(|why| format!("line {}: {why}", n + 1))?;
        let place_ok = verdict.place.is_none_or(|[x, y, width, height]| {
            let inside = |start: u16, length: u16| {
                length > 0 && u32::from(start) + u32::from(length) <= 1_000
            };
            inside(x, width) && inside(y, height)
        });
        let status_ok = verdict
            .status
            .is_none_or(|status| (300..1_000).contains(&status));
        if !(1..=10).contains(&verdict.quality) || verdict.score > 100 || !status_ok || !place_ok {
            return Err(format!(
                "line {}: quality is 1..10, score 0..100, status 300..999, place within 1000",
                n + 1
            ));
        }
        verdicts.push(verdict);
    }
    if verdicts.is_empty() {
        return Err("there is no verdict in it".into());
    }
    Ok(verdicts)
}
