//! The service with eyes of its own.
#![cfg(feature = "embedded")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use client::{Answer, Connection, Print};
use oe_engine::{BUILT_IN, Engine};
use oe_server::reply::Edition;
use oe_server::{Config, Limits, Running};

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| Arc::new(Engine::new().unwrap()));

const FINE: &[u8] = include_bytes!("../../demo/frames/frame-01.jpg");
const TANGLE: &[u8] = include_bytes!("../../demo/frames/frame-11.jpg");
const BLACK: &[u8] = include_bytes!("../../engine/tests/pictures/black.jpg");

fn service(edition: Edition, minimum: u32) -> Running {
    service_with(Arc::clone(&ENGINE), edition, minimum)
}

fn service_with(engine: Arc<Engine>, edition: Edition, minimum: u32) -> Running {
    Running::start(Config {
        // It is the engine that is short here, and not the places for uploads.
        limits: Limits {
            uploads: 10_000,
            uploads_per_key: 10_000,
            ..Limits::default()
        },
        engine: Some(engine),
        edition,
        minimum,
        recommended: 20,
        ..Config::default()
    })
    .unwrap()
}

#[test]
fn a_tangle_looks_worse_than_a_fine_print() {
    let service = service(Edition::B, 5);
    let [fine, tangle] = [FINE, TANGLE].map(|jpeg| {
        let (status, verdict) = Print::new(service.addr()).process(jpeg);
        assert_eq!(status, 200, "{verdict}");
        assert_eq!(verdict["NextProcessIntervalSec"]["Minimum"], 5);
        assert_eq!(verdict["NextProcessIntervalSec"]["Recommended"], 20);
        assert_eq!(verdict["WarningSuggested"], false);
        (
            verdict["PrintQuality"].as_u64().unwrap(),
            verdict["Score"].as_u64().unwrap(),
        )
    });
    assert!(fine.0 >= 9 && fine.1 <= 5, "{fine:?}");
    assert!(tangle.0 < fine.0 && tangle.1 > fine.1 + 10, "{tangle:?}");
}

/// Clients of edition A know one number, and clamp it to 20 s and more.
#[test]
fn edition_a_is_told_the_recommended_delay() {
    let service = service(Edition::A, 5);
    let (_, verdict) = Print::new(service.addr()).process(FINE);
    assert_eq!(verdict["NextProcessIntervalSec"], 20);
}

#[test]
fn a_black_picture_changes_no_opinion_and_a_broken_one_has_none() {
    let service = service(Edition::B, 0);
    let print = Print::new(service.addr());
    let (_, before) = print.process(TANGLE);
    let (_, black) = print.process(BLACK);
    assert_eq!(black["Score"], before["Score"]);
    assert_eq!(black["PrintQuality"], before["PrintQuality"]);
    assert_eq!(black["Blind"], true);
    assert!(black.get("Place").is_none() && before.get("Blind").is_none());
    let (status, broken) = print.process(&FINE[..FINE.len() / 2]);
    assert_eq!(
        (status, &broken["ErrorType"]),
        (400, &"OE_IMAGE_DECODE_FAILED".into())
    );
}

/// Nothing was ever seen of it: the middle, and no alarm.
#[test]
fn a_print_that_was_never_seen_is_in_the_middle() {
    let service = service(Edition::B, 0);
    let print = Print::new(service.addr());
    for _ in 0..2 {
        let (status, black) = print.process(BLACK);
        assert_eq!((status, &black["Blind"]), (200, &true.into()));
        assert_eq!(black["PrintQuality"], 5);
        assert_eq!(black["Score"], 0);
        assert_eq!(black["WarningSuggested"], false);
        assert_eq!(black["PauseSuggested"], false);
        assert_eq!(black["FasterInspectionSuggested"], false);
    }
}

/// The model gives no number: its biases are as large as they get. A file's last bytes are these.
#[test]
fn what_the_model_cannot_is_the_services_fault() {
    let mut file = BUILT_IN.to_vec();
    let end = file.len() - 8;
    for bias in file[end..].chunks_exact_mut(4) {
        bias.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    let length = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    let weights = &file[(12 + length).next_multiple_of(64)..];
    let sum = weights.iter().fold(u32::MAX, |crc, byte| {
        let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        (0..8).fold(crc ^ u32::from(*byte), step)
    });
    let key = b"\"crc32\": \"";
    let at = file
        .windows(key.len())
        .position(|part| part == key)
        .unwrap()
        + key.len();
    file[at..at + 8].copy_from_slice(format!("{:08x}", !sum).as_bytes());
    let engine = Arc::new(Engine::with_model(file).unwrap());
    let service = service_with(engine, Edition::B, 0);
    let print = Print::new(service.addr());
    let (status, answer) = print.process(FINE);
    assert_eq!(
        (status, &answer["ErrorType"]),
        (500, &"OE_INTERNAL_ERROR".into())
    );
    let (status, answer) = print.process(&FINE[..FINE.len() / 2]);
    assert_eq!(
        (status, &answer["ErrorType"]),
        (400, &"OE_IMAGE_DECODE_FAILED".into())
    );
}

/// More pictures at once than can be looked at: some are told to come again, at times that differ; and the
/// shortest interval of the others grows. The engine is a slow one, so that they are still many when the last
/// has come.
#[test]
fn too_many_at_once_get_their_turn_one_after_another() {
    let slow = Engine::new().unwrap().with_kind("plain").unwrap();
    let service = service_with(Arc::new(slow), Edition::B, 5);
    let addr = service.addr();
    let (status, alone) = Print::new(addr).process(FINE);
    assert_eq!(status, 200, "{alone}");
    assert_eq!(alone["NextProcessIntervalSec"]["Minimum"], 5);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let calls: Vec<_> = (0..cores * 60)
        .map(|_| {
            std::thread::spawn(move || {
                let mut connection = Connection::new(addr);
                let path = connection.create("k");
                connection.process(&path, "k", FINE).unwrap()
            })
        })
        .collect();
    let answers: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    let (seen, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(
        refused.iter().all(|answer| answer.is_throttled()),
        "{refused:?}"
    );
    let told: Vec<_> = refused
        .iter()
        .filter_map(|answer| answer.retry_after())
        .collect();
    assert!(told.iter().all(|seconds| *seconds >= 20), "{told:?}");
    let all = |name: &str| -> Vec<_> {
        let interval = |answer: &&Answer| answer.body["NextProcessIntervalSec"][name].as_u64();
        seen.iter().filter_map(interval).collect()
    };
    let recommended = all("Recommended");
    assert!(
        recommended.iter().all(|seconds| *seconds >= 20),
        "{recommended:?}"
    );
    let minimum = all("Minimum");
    assert!(minimum.iter().all(|seconds| *seconds >= 5), "{minimum:?}");
    assert!(!told.is_empty(), "{recommended:?}");
    // They are not all told the same second: how many fit in one is tested with the slots.
    let mut promised = [told, recommended].concat();
    promised.sort_unstable();
    promised.dedup();
    assert!(promised.len() > 1, "{promised:?}");
}

/// With the engine and with a script: the same pictures are taken, and the same refused.
#[test]
fn the_script_takes_what_the_engine_takes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/pictures");
    let whole = std::fs::read(folder.join("uvc422.jpg")).unwrap();
    let mut files: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jpg"))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    for percent in [50, 80, 99] {
        files.push(whole[..whole.len() * percent / 100].to_vec());
    }
    files.push([&whole[..whole.len() - 2], &[0; 500]].concat());
    let looking = service(Edition::B, 0);
    let scripted = Running::start(Config {
        edition: Edition::B,
        minimum: 0,
        ..Config::default()
    });
    let scripted = scripted.unwrap();
    let mut counts = [0; 2];
    for (n, file) in files.iter().enumerate() {
        let [a, b] = [&looking, &scripted].map(|service| Print::new(service.addr()).process(file));
        assert_eq!(a.0, b.0, "{n}: {} {}", a.1, b.1);
        match a.0 {
            200 => counts[0] += 1,
            400 => counts[1] += 1,
            other => panic!("{n}: {other} {}", a.1),
        }
    }
    // Refused are arithmetic coding, and what is cut by half and by a fifth.
    assert_eq!(counts[1], 3, "{counts:?}");
}
