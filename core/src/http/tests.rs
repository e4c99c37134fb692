//! The transport with names of its own making.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use oe_test_support::peer::{Nobody, Peer, Step, Swamp};

use super::*;
use crate::platform::cancel::CancelToken;
use crate::platform::clock::StdSpawn;
use crate::rules::trust::Trust;
use crate::transport::Sent;

type Found = io::Result<Vec<SocketAddr>>;

fn transport(lookup: impl Fn() -> Found + Send + Sync + 'static) -> HttpTransport {
    let config = HttpConfig {
        pins: Pins::default(),
        roots: Roots::Bundled,
        proxy: None,
        user_agent: "test".to_owned(),
        spawn: Arc::new(StdSpawn),
        log: Log::default(),
    };
    let resolver = Resolver::with(
        Arc::clone(&config.spawn),
        Box::new(move |host, _| {
            assert_eq!(host, "service.test");
            lookup()
        }),
    );
    HttpTransport::with_resolver(config, resolver).unwrap()
}

fn post(transport: &HttpTransport, timeout: Duration, connect_timeout: Duration) -> Exchange {
    let trust = Trust::endpoint("http://service.test").unwrap();
    transport.exchange(&Request {
        url: &trust.check("http://service.test/p").unwrap(),
        key: None,
        content_type: "text/plain",
        body: [b"a", b"b", b"c"],
        timeout,
        connect_timeout,
        cancel: &CancelToken::new(),
    })
}

const LONG: Duration = Duration::from_secs(20);

fn service() -> Peer {
    let answer = oe_test_support::peer::answer("200 OK", &["Connection: close"], b"{}");
    Peer::plain(vec![vec![Step::Serve(answer)]])
}

#[test]
fn a_deadline_includes_a_lookup_that_hangs() {
    let hang = || {
        std::thread::sleep(Duration::from_secs(5));
        Ok(Vec::new())
    };
    let transport = transport(hang);
    for _ in 0..2 {
        let start = Instant::now();
        let exchange = post(&transport, Duration::from_millis(400), LONG);
        let took = start.elapsed();
        assert_eq!(exchange.outcome, Err(Failure::Timeout));
        assert_eq!((exchange.sent, exchange.bytes_sent), (Sent::Nothing, 0));
        assert!(took < Duration::from_millis(1_500), "{took:?}");
        let cause = exchange.cause.unwrap().to_string();
        let words = "While resolving the name: the deadline of 400 ms has passed";
        assert_eq!(cause, words);
    }
}

#[test]
fn a_name_that_is_not_found_is_a_failure_of_its_own() {
    let temporary: fn() -> Found = || Err(io::Error::other("try again\n"));
    for (found, words) in [
        (temporary, "try again "),
        (|| Ok(Vec::new()), "the name has no address"),
    ] {
        let exchange = post(&transport(found), LONG, LONG);
        assert_eq!(exchange.outcome, Err(Failure::Dns));
        assert_eq!(exchange.sent, Sent::Nothing);
        let cause = exchange.cause.unwrap().to_string();
        assert_eq!(cause, format!("While resolving the name: {words}"));
    }
}

#[test]
fn re_11_every_address_is_tried_within_the_connect_share() {
    let (service, swamp, nobody) = (service(), Swamp::new(), Nobody::new());
    let gone = nobody.addr();
    let v6: SocketAddr = format!("[::1]:{}", gone.port()).parse().unwrap();
    let all = vec![gone, v6, swamp.addr(), swamp.addr(), service.addr()];
    let transport = transport(move || Ok(all.clone()));
    let share = Duration::from_millis(1_500);
    let start = Instant::now();
    assert_eq!(post(&transport, LONG, share).outcome.unwrap().status, 200);
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(500) && took < share,
        "{took:?}"
    );
    // The one that worked comes first from now on.
    let start = Instant::now();
    assert_eq!(post(&transport, LONG, share).outcome.unwrap().status, 200);
    assert!(start.elapsed() < Duration::from_millis(400));
    assert_eq!(service.connections(), 2);
}

#[test]
fn re_17_no_address_answers() {
    let swamp = Swamp::new();
    let addresses = vec![swamp.addr(); 5];
    let transport = transport(move || Ok(addresses.clone()));
    let start = Instant::now();
    let exchange = post(&transport, LONG, Duration::from_millis(600));
    let took = start.elapsed();
    assert_eq!(exchange.outcome, Err(Failure::Connect));
    let cause = exchange.cause.unwrap().to_string();
    assert!(cause.contains("no answer within"), "{cause}");
    assert!(
        took >= Duration::from_millis(590) && took < Duration::from_millis(1_100),
        "{took:?}"
    );
}

#[test]
fn why_each_address_failed_is_told_once() {
    let (swamp, nobody) = (Swamp::new(), Nobody::new());
    let gone = nobody.addr();
    let all = vec![gone, gone, swamp.addr(), gone];
    let transport = transport(move || Ok(all.clone()));
    let exchange = post(&transport, LONG, Duration::from_millis(600));
    assert_eq!(exchange.outcome, Err(Failure::Connect));
    let cause = exchange.cause.unwrap().to_string();
    assert_eq!(cause.matches("refused").count(), 1, "{cause}");
    assert_eq!(cause.matches("no answer within").count(), 1, "{cause}");
}

#[test]
fn re_08_addresses_that_nobody_answers_at_are_asked_for_again() {
    let (service, nobody) = (service(), Nobody::new());
    let turns = std::sync::Mutex::new(vec![service.addr(), nobody.addr()]);
    let transport = transport(move || Ok(turns.lock().unwrap().pop().into_iter().collect()));
    assert_eq!(post(&transport, LONG, LONG).outcome, Err(Failure::Connect));
    assert_eq!(post(&transport, LONG, LONG).outcome.unwrap().status, 200);
}

#[test]
fn keys_are_sensitive() {
    let key = ApiKey::new("secret").unwrap();
    let value = key_header(&key).unwrap();
    assert_eq!(value.as_bytes(), b"secret");
    assert_eq!(format!("{value:?}"), "Sensitive");
}

#[test]
fn bodies_are_sent_from_where_they_lie() {
    let parts = [&b"he"[..], b"ab", b"", b"cdef"];
    let whole = parts.concat();
    for done in 0..=whole.len() {
        for most in 1..=whole.len() {
            let (rest, count) = buffers::after(done, parts, most);
            let expected = &whole[done..whole.len().min(done + most)];
            let found: Vec<u8> = rest[..count]
                .iter()
                .flat_map(|part| part.to_vec())
                .collect();
            assert_eq!(found, expected, "{done} {most}");
            assert!(rest[..count].iter().all(|part| !part.is_empty()));
        }
    }
}
