use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{FILE, Health, Limits, SavedPrint, SavedVerdict, Store};
use crate::digest::Digest;

const NOW: i64 = 1_795_000_000_000;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("oe-store-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn now() -> i64 {
    crate::clock::unix_millis()
}

fn print(number: u64) -> SavedPrint {
    SavedPrint {
        number,
        id: Digest::of(&format!("id {number}")),
        key: Digest::of("key"),
        account: String::new(),
        created: now(),
        warning: 3,
        pause: 4,
        calls: 1,
        last_at: now(),
        pace: 20_000,
        belief: "{}".to_owned(),
    }
}

fn verdict(print: u64, at: i64, quality: u8, warning: bool) -> SavedVerdict {
    SavedVerdict {
        print,
        at,
        quality,
        score: 100 - quality * 10,
        warning,
        pause: warning && quality == 1,
    }
}

fn numbers(folder: &Path, query: &str) -> Vec<i64> {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    let mut rows = connection.prepare(query).unwrap();
    let columns = rows.column_count();
    let rows = rows.query_map([], |row| {
        (0..columns)
            .map(|column| Ok(row.get::<_, Option<i64>>(column)?.unwrap_or(-1)))
            .collect::<rusqlite::Result<Vec<_>>>()
    });
    rows.unwrap().flat_map(Result::unwrap).collect()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_was_said_last_is_there_again() {
    let folder = Folder::new("again");
    let (store, prints, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    assert_eq!(prints, []);
    let (mut first, second, third) = (print(1), print(2), print(3));
    store.print(first.clone());
    store.print(second);
    store.print(third.clone());
    first.calls = 7;
    first.belief = "{\"x\":1}".to_owned();
    store.print(first.clone());
    store.over(2);
    drop(store);
    let (store, prints, last) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    assert_eq!(prints, [first.clone(), third.clone()]);
    assert_eq!(last, 3);
    // Over two weeks later it is too old.
    drop(store);
    let later = now() + 15 * 24 * 3_600_000;
    let (_store, prints, _) = Store::open(&folder.0, Limits::default(), later).unwrap();
    assert_eq!(prints, []);
}

#[test]
fn a_process_that_is_killed_loses_a_second() {
    let folder = Folder::new("killed");
    let (store, _, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    store.print(print(1));
    let noted = Instant::now();
    until("nothing was written", || {
        !numbers(&folder.0, "SELECT number FROM prints").is_empty()
    });
    assert!(noted.elapsed() < Duration::from_secs(10));
    // What is on the disk now is what a kill would leave.
    let copy = Folder::new("killed-copy");
    std::fs::create_dir_all(&copy.0).unwrap();
    for file in std::fs::read_dir(&folder.0).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.0.join(file.file_name())).unwrap();
    }
    let (_after, prints, _) = Store::open(&copy.0, Limits::default(), now()).unwrap();
    assert_eq!(prints.len(), 1);
}

#[test]
fn verdicts_become_minutes_and_incidents() {
    let folder = Folder::new("incidents");
    let (store, _, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    let minute = now() / 60_000 * 60_000;
    for (second, quality, warning) in [
        (0, 9, false),
        (20, 3, true),
        (40, 1, true),
        (60, 2, true),
        (80, 8, false),
        (100, 2, true),
    ] {
        store.verdict(verdict(5, minute + second * 1_000, quality, warning));
    }
    drop(store);
    let minutes =
        "SELECT verdicts, worst_quality, scores, worst_score, flags FROM minutes ORDER BY minute";
    assert_eq!(
        numbers(&folder.0, minutes),
        [3, 1, 10 + 70 + 90, 90, 3, 3, 2, 80 + 20 + 80, 80, 1]
    );
    let incidents = "SELECT (began - MINUTE) / 1000, (ended - MINUTE) / 1000, paused, quality, score FROM incidents";
    let incidents = incidents.replace("MINUTE", &minute.to_string());
    assert_eq!(
        numbers(&folder.0, &incidents),
        [20, 80, 1, 1, 90, 100, -1, 0, 2, 80]
    );
    // The one that is open goes on after a restart, and ends with the print.
    let (store, _, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    store.verdict(verdict(5, minute + 120_000, 1, true));
    store.over(5);
    drop(store);
    assert_eq!(
        numbers(&folder.0, "SELECT paused, ended > 0 FROM incidents"),
        [1, 1, 1, 1]
    );
}

#[test]
fn what_is_too_old_goes() {
    let folder = Folder::new("old");
    let (store, _, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    let day = 24 * 3_600_000;
    for age in [0, 1, 3, 13, 15] {
        store.verdict(verdict(age as u64, now() - age * day, 2, true));
    }
    drop(store);
    let mut connection = Connection::open(folder.0.join(FILE)).unwrap();
    super::writer::sweep(&mut connection, Limits::default(), now(), false).unwrap();
    assert_eq!(
        numbers(&folder.0, "SELECT print FROM verdicts ORDER BY print"),
        [0, 1]
    );
    assert_eq!(
        numbers(&folder.0, "SELECT print FROM minutes ORDER BY print"),
        [0, 1, 3, 13]
    );
    assert_eq!(
        numbers(&folder.0, "SELECT print FROM incidents ORDER BY print"),
        [0, 1, 3, 13]
    );
}

#[test]
fn the_file_stays_within_its_size_and_keeps_the_newest() {
    let folder = Folder::new("size");
    let limits = Limits {
        bytes: 2 << 20,
        ..Limits::default()
    };
    let (store, _, _) = Store::open(&folder.0, limits, now()).unwrap();
    let start = now() - 3_600_000;
    for n in 0..16_000 {
        store.verdict(verdict(n % 50, start + n as i64 * 100, 9, false));
    }
    drop(store);
    for _ in 0..3 {
        let mut connection = super::schema::open(&folder.0.join(FILE), limits).unwrap();
        super::writer::sweep(&mut connection, limits, now(), false).unwrap();
    }
    let size = std::fs::metadata(folder.0.join(FILE)).unwrap().len();
    assert!(size <= limits.bytes, "{size}");
    let (store, _, _) = Store::open(&folder.0, limits, now()).unwrap();
    store.print(print(1));
    drop(store);
    assert_eq!(numbers(&folder.0, "SELECT count(*) FROM prints"), [1]);
}

#[test]
fn a_full_disk_costs_the_history_and_is_told_and_got_over() {
    let folder = Folder::new("full");
    let limits = Limits {
        bytes: 160 << 10,
        ..Limits::default()
    };
    let now = now();
    let (store, _, _) = Store::open(&folder.0, limits, now).unwrap();
    for n in 0..8_001 {
        store.verdict(verdict(1, now - 8_000 + n, 9, false));
    }
    until("never told", || store.health() != Health::Good);
    let Health::Failing { why, .. } = store.health() else {
        unreachable!()
    };
    assert!(why.contains("full"), "{why}");
    // The print itself comes before the history, of which the oldest goes.
    store.print(print(1));
    until("never better", || store.health() == Health::Good);
    assert_eq!(numbers(&folder.0, "SELECT number FROM prints"), [1]);
    let newest = format!("SELECT max(at) = {} FROM verdicts", now);
    assert_eq!(numbers(&folder.0, &newest), [1]);
    let size = std::fs::metadata(folder.0.join(FILE)).unwrap().len();
    assert!(size <= limits.bytes, "{size}");
}

/// Each of many prints that are made and forgotten while the disk takes nothing leaves nothing behind.
#[test]
fn a_print_that_never_was_on_the_disk_is_not_removed_from_it() {
    let mut notes = super::notes::Notes::new();
    for number in 0..10_000 {
        notes.print(SavedPrint {
            calls: 0,
            ..print(number)
        });
        notes.over(number);
    }
    assert!(notes.is_empty());
    notes.print(print(1));
    notes.over(1);
    assert!(notes.over.contains(&1));
}

#[test]
fn a_number_is_not_given_twice() {
    let folder = Folder::new("numbers");
    let (store, _, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    store.print(print(3));
    store.print(SavedPrint {
        calls: 0,
        ..print(7)
    });
    store.over(7);
    drop(store);
    let (_store, prints, last) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    assert_eq!((prints.len(), last), (1, 7));
}

#[test]
fn where_room_is_short_prints_come_first_and_what_fails_stays_in_order() {
    let mut notes = super::notes::Notes::new();
    notes.print(print(4));
    notes.over(2);
    for n in 0..2_500 {
        notes.verdict(verdict(4, NOW + n, 9, false));
    }
    let parts = notes.parts(1_000);
    assert!(notes.is_empty());
    let sizes = parts
        .iter()
        .map(|part| (part.prints.len(), part.verdicts.len(), part.over.len()));
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(
        sizes,
        [
            (0, 0, 1),
            (1, 0, 0),
            (0, 1_000, 0),
            (0, 1_000, 0),
            (0, 500, 0),
            (0, 0, 1)
        ]
    );
    for part in parts.into_iter().skip(3) {
        notes.put_back_after(part);
    }
    assert_eq!((notes.verdicts.len(), notes.over.len()), (1_500, 1));
    assert!(notes.verdicts.is_sorted_by_key(|verdict| verdict.at));
}

#[test]
fn notes_are_bounded_and_the_newest_stay() {
    let mut notes = super::notes::Notes::new();
    for n in 0..450_000 {
        notes.verdict(verdict(1, NOW + n, 9, false));
    }
    assert!(notes.verdicts.len() <= 200_000);
    assert_eq!(notes.verdicts.len() as u64 + notes.lost, 450_000);
    assert_eq!(notes.verdicts.last().unwrap().at, NOW + 449_999);
}

#[test]
fn what_could_not_be_written_is_a_note_again_unless_there_is_a_newer_one() {
    let mut notes = super::notes::Notes::new();
    notes.print(print(1));
    notes.print(print(2));
    notes.print(print(3));
    notes.verdict(verdict(1, NOW, 9, false));
    let taken = notes.take();
    assert!(notes.is_empty());
    let newer = SavedPrint {
        calls: 9,
        ..print(1)
    };
    notes.print(newer);
    notes.over(2);
    notes.verdict(verdict(1, NOW + 1, 9, false));
    notes.put_back(taken);
    assert_eq!(notes.prints[&1].calls, 9);
    assert!(!notes.prints.contains_key(&2) && notes.prints.contains_key(&3));
    let times: Vec<_> = notes
        .verdicts
        .iter()
        .map(|verdict| verdict.at - NOW)
        .collect();
    assert_eq!(times, [0, 1]);
}

#[test]
fn a_file_that_is_not_ours_is_not_touched() {
    for (name, make, said) in [
        ("text", None, "file is not a database"),
        (
            "other",
            Some("CREATE TABLE t (x)"),
            "not a file of this service",
        ),
        (
            "later",
            Some(
                "CREATE TABLE t (x); PRAGMA application_id = 1868918898; PRAGMA user_version = 99",
            ),
            "another version",
        ),
    ] {
        let folder = Folder::new(name);
        std::fs::create_dir_all(&folder.0).unwrap();
        let path = folder.0.join(FILE);
        match make {
            None => std::fs::write(
                &path,
                "a letter to my aunt, longer than a hundred bytes ".repeat(9),
            )
            .unwrap(),
            Some(sql) => Connection::open(&path).unwrap().execute_batch(sql).unwrap(),
        }
        let before = std::fs::read(&path).unwrap();
        let why = Store::open(&folder.0, Limits::default(), now()).unwrap_err();
        assert!(why.contains(said), "{name}: {why}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    let (store, _, _) = Store::open(&folder.0, Limits::default(), now()).unwrap();
    store.print(print(1));
    drop(store);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&folder.0.join(FILE)), 0o600);
    // Neither a key nor an id is in it.
    let bytes = std::fs::read(folder.0.join(FILE)).unwrap();
    assert!(!bytes.windows(4).any(|part| part == b"id 1"));
}

#[test]
fn two_services_do_not_write_one_state() {
    let folder = Folder::new("two");
    let first = Store::open(&folder.0, Limits::default(), now()).unwrap().0;
    let why = Store::open(&folder.0, Limits::default(), now()).unwrap_err();
    assert!(why.contains("another service uses it"), "{why}");
    // One that is about to end is waited for.
    let ends = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        drop(first);
    });
    Store::open(&folder.0, Limits::default(), now()).unwrap();
    ends.join().unwrap();
}

/// A file that is full of prints under way takes new ones again when old ones are over.
#[test]
fn prints_that_are_over_make_room() {
    let folder = Folder::new("room");
    let limits = Limits {
        bytes: 96 << 10,
        ..Limits::default()
    };
    let (store, _, _) = Store::open(&folder.0, limits, now()).unwrap();
    let all = 400;
    for number in 0..all {
        store.print(SavedPrint {
            calls: 0,
            belief: "x".repeat(300),
            ..print(number)
        });
        // Until the disk is full, each is written.
        std::thread::sleep(Duration::from_millis(5));
    }
    until("never full", || store.health() != Health::Good);
    for number in 0..all - 1 {
        store.over(number);
    }
    until("never better", || store.health() == Health::Good);
    drop(store);
    let there = numbers(&folder.0, "SELECT number FROM prints WHERE over = 0");
    assert_eq!(there, [all as i64 - 1]);
}
