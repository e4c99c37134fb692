use super::context::seconds;
use super::*;
use crate::config::MAX_INTERVAL;
use crate::limits::{UploadPermit, Uploads};

const LEVELS: Levels = Levels {
    warning: 3,
    pause: 3,
};

fn contexts(most: usize, most_per_account: usize, clock: &Clock) -> Contexts {
    let limits = Limits {
        contexts: most,
        contexts_per_key: most_per_account,
        ..Limits::default()
    };
    Contexts::new(Duration::from_secs(1_000), &limits, clock.clone())
}

fn create(contexts: &Contexts, key: &str) -> Result<String, Refusal> {
    contexts.create(key, &Account::Key(Digest::of(key)), LEVELS)
}

fn permit() -> UploadPermit {
    let uploads = Uploads::new(&Limits::default());
    uploads.begin(&Account::Key(Digest::of("k")), None).unwrap()
}

#[test]
fn an_account_loses_its_own_oldest_idle_one() {
    let clock = Clock::manual();
    let contexts = contexts(100, 3, &clock);
    let other = create(&contexts, "b").unwrap();
    let own: Vec<_> = (0..3).map(|_| create(&contexts, "a").unwrap()).collect();
    // The first was used since, and the second is in use.
    let _held = contexts.find(&own[1], "a").unwrap();
    let judged = contexts.find(&own[1], "a").unwrap();
    let _call = judged.take(&clock, 5).unwrap();
    contexts.find(&own[2], "a").unwrap();
    contexts.find(&own[0], "a").unwrap();
    create(&contexts, "a").unwrap();
    let there: Vec<_> = own
        .iter()
        .map(|id| contexts.find(id, "a").is_ok())
        .collect();
    assert_eq!(there, [true, true, false]);
    assert!(contexts.find(&other, "b").is_ok());
}

#[test]
fn when_all_are_in_use_a_create_waits() {
    let clock = Clock::manual();
    let contexts = contexts(100, 1, &clock);
    let context = contexts
        .find(&create(&contexts, "a").unwrap(), "a")
        .unwrap();
    let upload = permit();
    context.receive(&upload, clock.now()).unwrap();
    let refusal = create(&contexts, "a").unwrap_err();
    assert_eq!(refusal.problem, Problem::THROTTLED);
    assert!(refusal.retry_after.is_some());
    drop(upload);
    create(&contexts, "a").unwrap();
}

#[test]
fn together_they_have_a_limit_too() {
    let clock = Clock::manual();
    let contexts = contexts(10, 10, &clock);
    let watched = create(&contexts, "a").unwrap();
    for n in 0..100 {
        create(&contexts, &n.to_string()).unwrap();
        contexts.find(&watched, "a").unwrap();
    }
    let table = contexts.table.lock();
    assert_eq!((table.by_id.len(), table.by_use.len()), (10, 10));
    assert_eq!(table.of_account.len(), 10);
}

#[test]
fn old_ones_are_cleared_away() {
    let clock = Clock::manual();
    let contexts = contexts(100, 100, &clock);
    let old: Vec<_> = (0..6).map(|_| create(&contexts, "a").unwrap()).collect();
    clock.advance(Duration::from_secs(1_000));
    assert_eq!(contexts.find(&old[5], "a").err(), Some(Problem::NO_CONTEXT));
    for _ in 0..2 {
        create(&contexts, "a").unwrap();
    }
    assert_eq!(contexts.table.lock().by_id.len(), 2);
}

#[test]
fn a_newer_picture_displaces_one_that_is_not_complete() {
    let clock = Clock::manual();
    let contexts = contexts(10, 10, &clock);
    let context = contexts
        .find(&create(&contexts, "a").unwrap(), "a")
        .unwrap();
    let [older, newer] = [permit(), permit()];
    context.receive(&older, clock.now()).unwrap();
    context.receive(&newer, clock.now()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let refusal = runtime.block_on(older.stop().stopped());
    assert_eq!(refusal.problem, Problem::DISPLACED);
    let mut call = context.take(&clock, 5).unwrap();
    assert_eq!(context.check_due(clock.now()), Err(Problem::RATE_LIMITED));
    call.answered(20);
    drop(call);
    clock.advance(Duration::from_millis(19_999));
    assert!(context.receive(&permit(), clock.now()).is_err());
    clock.advance(Duration::from_millis(1));
    assert!(context.receive(&permit(), clock.now()).is_ok());
}

#[test]
fn a_client_that_hangs_up_has_had_its_turn_and_a_failure_has_not() {
    let clock = Clock::manual();
    let contexts = contexts(10, 10, &clock);
    let context = contexts
        .find(&create(&contexts, "a").unwrap(), "a")
        .unwrap();
    let mut call = context.take(&clock, 5).unwrap();
    call.failed();
    drop(call);
    drop(context.take(&clock, 5).unwrap());
    assert!(context.take(&clock, 5).is_err());
    clock.advance(Duration::from_secs(5));
    assert!(context.take(&clock, u32::MAX).is_ok());
    clock.advance(seconds(MAX_INTERVAL));
    assert!(context.take(&clock, 0).is_ok());
}

/// What a store in a new folder brings back, with these limits: how many prints, and which of these.
fn restarted(
    name: &str,
    limits: &Limits,
    prints: impl FnOnce(&Contexts) -> Vec<String>,
) -> Vec<bool> {
    let folder = std::env::temp_dir().join(format!("oe-contexts-{}-{name}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let open =
        || crate::store::Store::open(&folder, crate::store::Limits::default(), unix_millis());
    let life = Duration::from_secs(1_000);
    let mut before = Contexts::new(life, &Limits::default(), Clock::manual());
    let (store, none, last) = open().unwrap();
    let store = Arc::new(store);
    before.restore(Arc::clone(&store), &none, last);
    let ids = prints(&before);
    store.close();
    drop((before, store));
    let mut after = Contexts::new(life, limits, Clock::manual());
    let (store, prints, last) = open().unwrap();
    let store = Arc::new(store);
    let restored = after.restore(Arc::clone(&store), &prints, last);
    let there: Vec<_> = ids.iter().map(|id| after.find(id, "k").is_ok()).collect();
    assert_eq!(restored, there.iter().filter(|there| **there).count());
    // What found no room is not there at the next start either.
    store.close();
    assert_eq!(open().unwrap().1.len(), restored);
    // Whoever was restored counts: one more, and the oldest of the account goes.
    let account = Account::of_address("10.0.0.1".parse().unwrap());
    if restored == limits.contexts_per_key {
        after.create("k", &account, LEVELS).unwrap();
        assert_eq!(after.table.lock().by_id.len(), restored);
    }
    drop(std::fs::remove_dir_all(&folder));
    there
}

#[test]
fn what_was_restored_counts_and_the_oldest_find_no_room() {
    let account = Account::of_address("10.0.0.1".parse().unwrap());
    let create = |contexts: &Contexts| {
        (0..4)
            .map(|_| contexts.create("k", &account, LEVELS).unwrap())
            .collect::<Vec<_>>()
    };
    let limits = |contexts, contexts_per_key| Limits {
        contexts,
        contexts_per_key,
        ..Limits::default()
    };
    assert_eq!(restarted("all", &limits(9, 4), create), [true; 4]);
    let newest = [false, false, true, true];
    assert_eq!(restarted("key", &limits(9, 2), create), newest);
    assert_eq!(restarted("together", &limits(2, 9), create), newest);
}

#[test]
fn a_print_that_was_forgotten_meanwhile_is_not_kept() {
    let folder = std::env::temp_dir().join(format!("oe-forgotten-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let limits = crate::store::Limits::default();
    let (store, ..) = crate::store::Store::open(&folder, limits, unix_millis()).unwrap();
    let store = Arc::new(store);
    let clock = Clock::manual();
    let mut contexts = contexts(10, 1, &clock);
    contexts.restore(Arc::clone(&store), &[], 0);
    let first = create(&contexts, "a").unwrap();
    let first = contexts.find(&first, "a").unwrap();
    assert!(contexts.keep(&first));
    create(&contexts, "a").unwrap();
    assert!(!contexts.keep(&first));
    store.close();
    let (_, prints, _) = crate::store::Store::open(&folder, limits, unix_millis()).unwrap();
    let numbers: Vec<_> = prints.iter().map(|print| print.number).collect();
    assert_eq!(numbers, [2]);
    drop(std::fs::remove_dir_all(&folder));
}

#[test]
fn an_id_has_one_form() {
    let clock = Clock::manual();
    let contexts = contexts(10, 10, &clock);
    let id = create(&contexts, "a").unwrap();
    let short = id.trim_start_matches('0');
    for wrong in [
        &id.to_uppercase()[..],
        &format!("0{id}"),
        &id[1..],
        "",
        short,
    ] {
        if *wrong != id {
            assert!(contexts.find(wrong, "a").is_err(), "{wrong}");
        }
    }
    assert!(contexts.find(&id, "b").is_err());
}
