//! The fuzz targets: each takes any bytes, and panics when the library does what it must never do.
//!
//! `fuzz/` feeds them with libFuzzer; `tests/corpus.rs` feeds them with what was found so far and
//! with random bytes, on stable Rust.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise has to be loud"
)]

mod calls;
mod embedded;
mod log;
mod peers;
mod world;

use oe_core::account::config::Options;
use oe_core::client::Client;
use oe_core::frame;
use oe_core::rules::confidence::Confidence;
use oe_core::rules::trust::Trust;
use oe_core::wire::api_error::{ApiError, retry_after};
use oe_core::wire::{create_context, verdict};
use oe_engine::{Ask, BUILT_IN, Engine};
use oe_picture::{Budget, Picture, PictureError};

pub use calls::{calls, uploads_of};
pub use embedded::{embedded, verdicts_of};
pub use log::log;
pub use peers::peers;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("reply", reply),
    ("refusal", refusal),
    ("create", create),
    ("trust", trust),
    ("saved", saved),
    ("options", options),
    ("calls", calls),
    ("embedded", embedded),
    ("peers", peers),
    ("log", log),
    ("model", model),
    ("jpeg", jpeg),
];

/// The body of an answer with a verdict.
pub fn reply(data: &[u8]) {
    if let Ok(verdict) = verdict::decode(data) {
        assert!((1..=10).contains(&verdict.quality));
        assert!(verdict.score.is_none_or(|score| score <= 100));
        if let Some(interval) = verdict.interval {
            let allowed = 1..=1_209_600;
            assert!(allowed.contains(&interval.minimum) && allowed.contains(&interval.recommended));
        }
    }
}

/// The body and the headers of a refusal.
pub fn refusal(data: &[u8]) {
    let (head, body) = data.split_at(data.len().min(64));
    let _ = ApiError::read(body);
    let words = String::from_utf8_lossy(head);
    let mut lines = words.split('\n').map(str::to_owned);
    let date = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.collect();
    for date in [None, Some(&*date)] {
        if let Some(wait) = retry_after(&headers, date) {
            assert!(wait.as_secs() <= 3_600, "an hour at most: {wait:?}");
        }
    }
}

/// The body of an answer with a context.
pub fn create(data: &[u8]) {
    let trust = Trust::service();
    if let Ok(urls) = create_context::decode(data, &trust) {
        for url in [&urls.process, &urls.fallback] {
            assert!(trust.check(url.as_str()).is_ok());
        }
    }
}

/// A URL from the wire: what is trusted is connected to as it was read.
pub fn trust(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (base, url) = text.split_once('\n').unwrap_or(("", &text));
    let mut rules = vec![(Trust::service(), true)];
    if let Ok(endpoint) = Trust::endpoint(base) {
        rules.push((endpoint, false));
    }
    for (rule, hosted) in rules {
        let Ok(trusted) = rule.check(url) else {
            continue;
        };
        assert_eq!(trusted.as_str(), url, "used exactly as it came");
        let origin = trusted.origin();
        let uri: ureq::http::Uri = url.parse().expect("what is trusted can be connected to");
        let authority = uri.authority().expect("a host");
        let host = authority.host().trim_matches(['[', ']']);
        assert!(
            host.eq_ignore_ascii_case(origin.host.trim_matches(['[', ']'])),
            "{host}"
        );
        let scheme = uri.scheme_str().expect("a scheme");
        let default = if scheme == "https" { 443 } else { 80 };
        assert_eq!(authority.port_u16().unwrap_or(default), origin.port);
        assert!(!authority.as_str().contains('@'));
        if hosted {
            let host = host.to_ascii_lowercase();
            assert!(host == "octoeverywhere.com" || host.ends_with(".octoeverywhere.com"));
            assert!(
                !host.split('.').any(|label| label.starts_with("app-")),
                "{host}"
            );
            assert_eq!((scheme, origin.port), ("https", 443));
        }
    }
}

/// A saved text, of a context and of a monitor, at the service and at the embedded engine: never at both.
pub fn saved(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    embedded::saved(&text);
    let world = world::World::new(Vec::new());
    let client = world.client();
    let mut contexts = Vec::new();
    if let Ok(context) = client.restore(&text) {
        assert!(
            context.due().as_ms() >= 5_000,
            "what was called since, nobody knows"
        );
        let again = context.save();
        assert!(again.len() < 8_192);
        client
            .restore(&again)
            .expect("what is saved can be restored");
        contexts.push(context);
    }
    if let Ok(monitor) = client.start_saved_monitor(&text, 1) {
        let again = monitor.save().expect("it runs");
        client
            .start_saved_monitor(&again, 2)
            .expect("what is saved can be restored");
    }
    assert_eq!(world.requests(), 0, "restoring sends nothing");
    for context in contexts {
        // And whatever its numbers are, they are counted on with.
        for number in 0..4 {
            let oe_core::error::Due::In(wait) = context.due() else {
                break;
            };
            world.advance(wait);
            drop(context.process(&[0xFF, 0xD8, 0xFF, number], None));
            let _ = (context.info(), context.save());
            drop(context.renew());
        }
    }
}

/// A model file: from the first byte on, or with a checksum that is right and weights that end early.
/// What is read can be run.
pub fn model(data: &[u8]) {
    let _ = Engine::with_model(data.to_vec());
    let Some((cut, head)) = data.split_first_chunk::<4>() else {
        return;
    };
    let length = u32::from_le_bytes(BUILT_IN[8..12].try_into().expect("four bytes")) as usize;
    let weights = &BUILT_IN[(12 + length).next_multiple_of(64)..];
    let cut = (u32::from_le_bytes(*cut) as usize).min(weights.len());
    let mut file = b"OEMODEL2".to_vec();
    file.extend_from_slice(&u32::try_from(head.len()).expect("short").to_le_bytes());
    file.extend_from_slice(head);
    file.resize(file.len().next_multiple_of(64), 0);
    file.extend_from_slice(&weights[..weights.len() - cut]);
    if let Ok(engine) = Engine::with_model(file) {
        assert_eq!(cut, 0, "what is cut off is found out");
        let side = engine.size();
        assert!((32..=1_024).contains(&side));
        let square = vec![data[0]; side.min(96).pow(2) * 3];
        if let Ok(seen) = engine.observe_square(square, 0, &Ask::default()) {
            assert!(seen.look.failure.is_finite());
        }
    }
}

/// Setters in any order with any value.
pub fn options(data: &[u8]) {
    let mut options = Options::default();
    let mut rest = data;
    while let [which, len, tail @ ..] = rest {
        let (value, tail) = tail.split_at(tail.len().min(*len as usize));
        rest = tail;
        let text = String::from_utf8_lossy(value);
        let text = (!value.is_empty()).then_some(&*text);
        let mut bytes = [0; 4];
        bytes[..value.len().min(4)].copy_from_slice(&value[..value.len().min(4)]);
        let number = u32::from_le_bytes(bytes);
        let signed = i32::from_le_bytes(bytes);
        let set = match which % 13 {
            0 => options.set_api_key(text),
            1 => options.set_backend(signed),
            2 => options.set_endpoint(text),
            3 => options.set_allow_http(signed),
            4 => options.set_ca_pem(text.map(str::as_bytes)),
            5 => options.set_timeout_ms(number),
            6 => options.set_connect_timeout_ms(number),
            7 => options.set_interval_sec(number),
            8 => options.set_max_frame_age_ms(number),
            9 => options.set_workers(number),
            10 => options.set_user_agent(text),
            11 => options.set_proxy(text.filter(|text| *text != "env")),
            _ => Confidence::new(signed).map(drop),
        };
        if let Err(error) = set {
            assert!(error.status.is_error() && !error.text.is_empty());
        }
    }
    // Whatever was set: a client is made or refused, without a network.
    let made = Client::new(&options, oe_core::platform::clock::World::default());
    if let Err(error) = made {
        assert!(error.status.is_error());
    }
    assert!(frame::check(data).is_ok() == (data.starts_with(&[0xFF, 0xD8, 0xFF])));
}

/// A picture. It is decoded or refused, within the budget, whatever the bytes are.
pub fn jpeg(data: &[u8]) {
    let budget = Budget::new(4_000_000);
    // So that a few bytes that say many pixels do not take all the time there is.
    let asked = std::cell::Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) > 20_000;
    match Picture::decode(data, 16, &budget, &stop) {
        Ok(picture) => assert_eq!(picture.square.len(), 16 * 16 * 3),
        Err(PictureError::Undecodable(why)) => assert!(!why.is_empty()),
        Err(_) => {}
    }
    assert_eq!(budget.taken(), 0);
}
