//! The limits from the wire, one by one, at and over each bound: who is over one is told to come again,
//! and nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Answer, CREATE, Connection, FORM, head, parts};
use oe_server::keys::Keys;
use oe_server::{Clock, Config, Limits, Running};

const FRAME: &[u8] = include_bytes!("../../demo/frames/frame-01.jpg");

fn start(limits: Limits) -> Running {
    start_with(Config {
        limits,
        ..Config::default()
    })
}

/// With two keys, `a` and `b`.
fn start_with(config: Config) -> Running {
    Running::start(Config {
        keys: Arc::new(Keys::parse("a name=left\nb").unwrap()),
        minimum: 0,
        ..config
    })
    .unwrap()
}

fn new(server: &Running) -> Connection {
    Connection::new(server.addr())
}

/// Waits until a call is answered as it should be: a peer takes a moment to see what another did.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_head_of_a_request() {
    let server = start(Limits {
        header_bytes: 8_192,
        ..Limits::default()
    });
    let with_head_of = |length: usize| {
        let plain = head(CREATE, "a", "application/json", 2);
        let filler = "x".repeat(length - plain.len() - "X: \r\n".len());
        let end = plain.len() - 2;
        let whole = format!("{}X: {filler}\r\n\r\n{{}}", &plain[..end]);
        assert_eq!(whole.len() - 2, length);
        let mut connection = new(&server);
        connection.send(whole.as_bytes());
        connection.answer().unwrap().status
    };
    assert_eq!(with_head_of(8_192), 200);
    assert_eq!(with_head_of(8_193), 431);
}

#[test]
fn the_head_of_a_part() {
    let server = start(Limits::default());
    let mut connection = new(&server);
    let mut with_head_of = |length: usize| {
        let path = connection.create("a");
        let filler = "x".repeat(length - "X: \r\n\r\n".len());
        let mut body = format!("--B\r\nX: {filler}\r\n\r\n").into_bytes();
        body.extend_from_slice(FRAME);
        body.extend_from_slice(b"\r\n--B--\r\n");
        connection.call(&path, "a", FORM, &body).unwrap()
    };
    assert_eq!(with_head_of(16_384).status, 200);
    let over = with_head_of(16_385);
    assert_eq!((over.status, over.error()), (400, "OE_ARGS_PARSE_FAILED"));
}

/// Heads of parts without number, as large as a body may be: it takes no more than the body does.
#[test]
fn many_parts_are_refused() {
    let server = start(Limits::default());
    let mut connection = new(&server);
    let path = connection.create("a");
    let part = b"--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n";
    let body: Vec<u8> = part
        .iter()
        .copied()
        .cycle()
        .take(part.len() * 100_000)
        .collect();
    let answer = connection.call(&path, "a", FORM, &body).unwrap();
    assert_eq!((answer.status, answer.error()), (400, "OE_BAD_ARGS"));
}

/// A body in chunks of this size.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in body.chunks(size) {
        chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    chunks
}

#[test]
fn an_image_with_and_without_a_stated_length() {
    let server = start(Limits {
        image_bytes: 200_000,
        ..Limits::default()
    });
    let mut image = FRAME.to_vec();
    image.resize(200_001, 0);
    for length in [200_000, 200_001] {
        let body = parts(&[&image[..length]]);
        let expected = if length == 200_000 { 200 } else { 413 };
        let mut connection = new(&server);
        let path = connection.create("a");
        let answer = connection.call(&path, "a", FORM, &body).unwrap();
        assert_eq!(answer.status, expected, "stated");
        for size in [1_000, 100_000] {
            let mut connection = new(&server);
            let path = connection.create("a");
            let head = head(&path, "a", FORM, 0);
            let head = head.replace("Content-Length: 0", "Transfer-Encoding: chunked");
            connection.send(head.as_bytes());
            connection.send(&chunked(&body, size));
            assert_eq!(connection.answer().unwrap().status, expected, "{size}");
        }
    }
}

#[test]
fn the_rest_of_a_body_has_a_limit_however_it_is_sent() {
    let server = start(Limits {
        image_bytes: 200_000,
        ..Limits::default()
    });
    let mut body = parts(&[FRAME]);
    body.resize(200_000 + 65_536, b' ');
    for over in [0, 1] {
        body.resize(200_000 + 65_536 + over, b' ');
        let expected = if over == 0 { 200 } else { 413 };
        let mut connection = new(&server);
        let path = connection.create("a");
        connection.send(head(&path, "a", FORM, body.len()).as_bytes());
        if over == 0 {
            connection.send(&body);
        }
        assert_eq!(connection.answer().unwrap().status, expected, "stated");
        let mut connection = new(&server);
        let path = connection.create("a");
        let head = head(&path, "a", FORM, 0);
        let head = head.replace("Content-Length: 0", "Transfer-Encoding: chunked");
        connection.send(head.as_bytes());
        connection.send(&chunked(&body, 10_000));
        assert_eq!(connection.answer().unwrap().status, expected, "chunked");
    }
}

#[test]
fn uploads_of_a_key() {
    let server = start(Limits {
        uploads_per_key: 3,
        ..Limits::default()
    });
    let mut stalled: Vec<_> = (0..3).map(|_| new(&server)).collect();
    let mut other = new(&server);
    let path = other.create("a");
    for connection in &mut stalled[..2] {
        let path = connection.create("a");
        connection.stall(&path, "a");
    }
    // The third place is free, however often it is taken.
    for _ in 0..3 {
        assert_eq!(other.process(&path, "a", FRAME).unwrap().status, 200);
    }
    let third = stalled[2].create("a");
    stalled[2].stall(&third, "a");
    let fourth = new(&server).process(&path, "a", FRAME).unwrap();
    assert!(fourth.is_throttled(), "{fourth:?}");
    let mut alone = new(&server);
    let theirs = alone.create("b");
    assert_eq!(alone.process(&theirs, "b", FRAME).unwrap().status, 200);
    drop(stalled);
    until("places are given back", || {
        new(&server).process(&path, "a", FRAME).unwrap().status == 200
    });
}

#[test]
fn uploads_together_and_who_makes_room() {
    let server = start(Limits {
        uploads: 3,
        ..Limits::default()
    });
    let mut stalled: Vec<_> = (0..3).map(|_| new(&server)).collect();
    for connection in &mut stalled {
        let path = connection.create("a");
        connection.stall(&path, "a");
    }
    let mut own = new(&server);
    let path = own.create("a");
    let fourth = own.process(&path, "a", FRAME).unwrap();
    assert!(fourth.is_throttled(), "{fourth:?}");
    let mut alone = new(&server);
    let theirs = alone.create("b");
    assert_eq!(alone.process(&theirs, "b", FRAME).unwrap().status, 200);
    let told = stalled.iter_mut().map(|one| {
        let patience = Some(Duration::from_millis(500));
        one.0.get_ref().set_read_timeout(patience).unwrap();
        one.answer().is_some_and(|answer| answer.is_throttled())
    });
    assert_eq!(told.filter(|told| *told).count(), 1);
}

/// What 150 uploads of which the last byte does not come used to hold: a gigabyte.
#[test]
fn the_memory_of_uploads() {
    let server = start(Limits {
        upload_memory: 1_000_000,
        ..Limits::default()
    });
    let mut image = FRAME.to_vec();
    image.resize(600_000, 0);
    let body = parts(&[&image]);
    let all_but_the_end = |connection: &mut Connection, key: &str| {
        let path = connection.create(key);
        connection.send(head(&path, key, FORM, body.len()).as_bytes());
        connection.send(&body[..body.len() - 1]);
    };
    let mut first = new(&server);
    all_but_the_end(&mut first, "a");
    // One more of the same key is too much for it; whichever came later is refused.
    let mut second = new(&server);
    all_but_the_end(&mut second, "a");
    let refused = second.answer().unwrap();
    assert!(refused.is_throttled(), "{refused:?}");
    // Another key does not pay for it.
    let mut other = new(&server);
    let path = other.create("b");
    let answer = other.process(&path, "b", &image).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let stopped = first.answer().unwrap();
    assert!(stopped.is_throttled(), "{stopped:?}");
}

#[test]
fn an_upload_that_stalls_is_given_up() {
    let server = start(Limits {
        stall: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut connection = new(&server);
    let path = connection.create("a");
    let body = parts(&[FRAME]);
    connection.send(head(&path, "a", FORM, body.len()).as_bytes());
    for part in body.chunks(body.len() / 4) {
        std::thread::sleep(Duration::from_millis(100));
        connection.send(part);
    }
    assert_eq!(connection.answer().unwrap().status, 200, "slow is no stall");
    connection.stall(&path, "a");
    let answer = connection.answer().unwrap();
    assert_eq!(
        (answer.status, answer.error()),
        (400, "OE_ARGS_PARSE_FAILED")
    );
}

#[test]
fn contexts_of_a_key() {
    let server = start(Limits {
        contexts_per_key: 3,
        ..Limits::default()
    });
    let mut connection = new(&server);
    let theirs = connection.create("b");
    let own: Vec<_> = (0..3).map(|_| connection.create("a")).collect();
    for path in &own {
        assert_eq!(connection.process(path, "a", FRAME).unwrap().status, 200);
    }
    assert_eq!(connection.process(&own[0], "a", FRAME).unwrap().status, 200);
    connection.create("a");
    let lost = new(&server).process(&own[1], "a", FRAME).unwrap();
    assert_eq!(lost.body["ErrorDetails"], "Failed to get context object.");
    for (path, key) in [(&own[0], "a"), (&own[2], "a"), (&theirs, "b")] {
        assert_eq!(connection.process(path, key, FRAME).unwrap().status, 200);
    }
}

#[test]
fn creates_of_a_key_in_a_minute() {
    let clock = Clock::manual();
    let server = start_with(Config {
        limits: Limits {
            creates_per_minute: 30,
            ..Limits::default()
        },
        clock: clock.clone(),
        ..Config::default()
    });
    let mut connection = new(&server);
    let mut create = |key: &str, body: &[u8]| -> Answer {
        let mut answer = connection.call(CREATE, key, "application/json", body);
        if answer.is_none() {
            connection = new(&server);
            answer = connection.call(CREATE, key, "application/json", body);
        }
        answer.unwrap()
    };
    for n in 0..30 {
        // One that cannot be read counts as any other.
        let (body, status) = if n % 2 == 0 { ("{}", 200) } else { ("{", 400) };
        assert_eq!(create("a", body.as_bytes()).status, status);
    }
    let over = create("a", b"{}");
    assert!(
        over.is_throttled() && over.retry_after() == Some(2),
        "{over:?}"
    );
    assert_eq!(create("b", b"{}").status, 200);
    clock.advance(Duration::from_secs(2));
    assert_eq!(create("a", b"{}").status, 200);
    assert!(create("a", b"{}").is_throttled());
    assert_eq!(Limits::default().creates_per_minute, 6_000);
}

/// Whoever makes keys up where any is accepted is one all the same.
#[test]
fn where_any_key_is_accepted_an_address_is_one() {
    let server = Running::start(Config {
        limits: Limits {
            creates_per_minute: 3,
            ..Limits::default()
        },
        clock: Clock::manual(),
        ..Config::default()
    });
    let server = server.unwrap();
    for key in ["k1", "k2", "k3"] {
        new(&server).create(key);
    }
    let over = new(&server).call(CREATE, "k4", "application/json", b"{}");
    assert!(over.unwrap().is_throttled());
}

#[test]
fn a_picture_that_cannot_be_decoded_is_paced() {
    let server = Running::start(Config {
        clock: Clock::manual(),
        ..Config::default()
    });
    let server = server.unwrap();
    let mut connection = new(&server);
    let path = connection.create("k");
    let broken = connection
        .process(&path, "k", b"\xFF\xD8\xFFgarbage")
        .unwrap();
    assert_eq!(broken.error(), "OE_IMAGE_DECODE_FAILED");
    let early = new(&server).process(&path, "k", FRAME).unwrap();
    assert_eq!(
        (early.status, early.error()),
        (429, "OE_CONTEXT_RATE_LIMITED")
    );
}

/// The turn of a print is taken when its picture is there, not before.
#[test]
fn an_upload_that_dies_or_hangs_does_not_block_its_print() {
    // The newer picture takes the place of the older: there is no other.
    let server = start(Limits {
        uploads_per_key: 1,
        ..Limits::default()
    });
    let mut dead = new(&server);
    let path = dead.create("a");
    dead.stall(&path, "a");
    drop(dead);
    assert_eq!(new(&server).process(&path, "a", FRAME).unwrap().status, 200);
    let mut hangs = new(&server);
    hangs.stall(&path, "a");
    assert_eq!(new(&server).process(&path, "a", FRAME).unwrap().status, 200);
    let displaced = hangs.answer().unwrap();
    let details = displaced.body["ErrorDetails"].as_str().unwrap();
    assert_eq!(
        (displaced.status, displaced.error()),
        (429, "OE_CONTEXT_RATE_LIMITED")
    );
    assert!(details.contains("newer picture"), "{details}");
}

/// Whether the server has closed this connection.
fn is_closed(connection: &mut Connection) -> bool {
    let stream = connection.0.get_mut();
    let patience = Some(Duration::from_millis(500));
    stream.set_read_timeout(patience).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(n) => n == 0,
        Err(why) => !matches!(
            why.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
    }
}

#[test]
fn connections_and_which_goes_first() {
    let server = start(Limits {
        connections: 3,
        ..Limits::default()
    });
    let mut open: Vec<_> = (0..3).map(|_| new(&server)).collect();
    for connection in &mut open {
        connection.create("a");
    }
    assert!(open.iter_mut().all(|one| !is_closed(one)), "at the bound");
    // The first was used since; the second is the oldest.
    open[0].create("a");
    let mut new_one = new(&server);
    new_one.create("a");
    let closed: Vec<_> = open.iter_mut().map(is_closed).collect();
    assert_eq!(closed, [false, true, false]);
    let path = open[0].create("a");
    assert_eq!(open[0].process(&path, "a", FRAME).unwrap().status, 200);
}

/// A client that says nothing is asked nothing; one that begins a head has to end it.
#[test]
fn idle_connections_stay_and_heads_have_a_deadline() {
    let server = start(Limits::default());
    let mut idle = new(&server);
    idle.create("a");
    let mut silent = new(&server);
    let mut drips = new(&server);
    drips.send(b"POST / HTTP/1.1\r\nX:");
    let start = Instant::now();
    while !is_closed(&mut drips) {
        assert!(start.elapsed() < Duration::from_secs(40));
        drips.send(b"x");
    }
    assert!(
        start.elapsed() > Duration::from_secs(14),
        "{:?}",
        start.elapsed()
    );
    // Longer than a head may take; hours are the same to it.
    std::thread::sleep(Duration::from_secs(3));
    idle.create("a");
    silent.create("a");
}
