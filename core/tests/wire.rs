//! The bytes on the wire, against a peer that follows a script: catalogue areas `upload`,
//! `parsing`, `security`, `recovery`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use oe_core::cancel::CancelToken;
use oe_core::clock::StdSpawn;
use oe_core::http::{HttpConfig, HttpTransport, Proxy, Roots};
use oe_core::key::ApiKey;
use oe_core::log::Log;
use oe_core::transport::{Exchange, Failure, Reply, ReplyBody, Request, Sent, Transport};
use oe_core::trust::{Trust, TrustedUrl};
use oe_core::wire::Multipart;
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::peer::{Peer, Step, answer, json};
use oe_test_support::{P200, fake_jpeg};

const KEY: &str = "KEY0123456789";

fn config() -> HttpConfig {
    HttpConfig {
        roots: Roots::Bundled,
        proxy: None,
        user_agent: "oe-process/test".into(),
        spawn: Arc::new(StdSpawn),
        log: Log::default(),
    }
}

fn transport() -> HttpTransport {
    HttpTransport::new(config()).unwrap()
}

fn trusting(authority: &Authority) -> HttpTransport {
    let roots = Roots::pem(authority.pem.as_bytes()).unwrap();
    HttpTransport::new(HttpConfig { roots, ..config() }).unwrap()
}

fn url(base: &str) -> TrustedUrl {
    Trust::endpoint(base)
        .unwrap()
        .check(&format!("{base}/api/gadget/v1/process/CTX1"))
        .unwrap()
}

struct Call<'a> {
    base: String,
    jpeg: &'a [u8],
    timeout: Duration,
    connect_timeout: Duration,
    cancel: CancelToken,
}

impl<'a> Call<'a> {
    fn to(base: &str, jpeg: &'a [u8]) -> Call<'a> {
        Call {
            base: base.to_owned(),
            jpeg,
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(5),
            cancel: CancelToken::new(),
        }
    }

    fn send(&self, transport: &HttpTransport) -> Exchange {
        let key = ApiKey::new(KEY).unwrap();
        let multipart = Multipart::around(self.jpeg).unwrap();
        transport.exchange(&Request {
            url: &url(&self.base),
            key: Some(&key),
            content_type: &multipart.content_type,
            body: multipart.body(self.jpeg),
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            cancel: &self.cancel,
        })
    }
}

fn post(transport: &HttpTransport, peer: &Peer, jpeg: &[u8]) -> Exchange {
    Call::to(&peer.base_url(), jpeg).send(transport)
}

fn small() -> Vec<u8> {
    fake_jpeg(2_000, 1)
}

fn ok() -> Vec<u8> {
    json("200 OK", P200)
}

fn reply(exchange: Exchange) -> Reply {
    exchange
        .outcome
        .unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// A peer that reads one request and answers with exactly these bytes, then closes.
fn once(bytes: &[u8]) -> Peer {
    Peer::plain(vec![vec![
        Step::Request,
        Step::Send(bytes.to_vec()),
        Step::End,
        Step::Hang,
    ]])
}

#[test]
fn up_01_up_02_up_13_one_file_part_with_its_length_and_no_word_too_many() {
    let peer = Peer::plain(vec![vec![Step::Serve(answer(
        "200 OK",
        &["Set-Cookie: a=b", "Content-Type: text/plain"],
        P200.as_bytes(),
    ))]]);
    let (transport, jpeg) = (transport(), small());
    assert_eq!(reply(post(&transport, &peer, &jpeg)).status, 200);
    assert_eq!(reply(post(&transport, &peer, &jpeg)).status, 200);
    let seen = peer.seen();
    assert_eq!(peer.connections(), 1, "kept");
    let request = &seen[1];
    assert!(
        request
            .head
            .starts_with("POST /api/gadget/v1/process/CTX1 HTTP/1.1\r\n")
    );
    assert_eq!(request.header("x-api-key"), Some(KEY));
    assert_eq!(
        request.header("content-length"),
        Some(&*request.body.len().to_string())
    );
    assert_eq!(
        request.header("host"),
        Some(&peer.base_url()["http://".len()..])
    );
    let mut names: Vec<_> = request
        .head
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase()))
        .collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-api-key",
    ];
    assert_eq!(
        names, expected,
        "no cookie, no expect, no encoding, nothing of the host"
    );
    let boundary = request
        .header("content-type")
        .unwrap()
        .split("boundary=")
        .nth(1)
        .unwrap();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"print.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
    );
    let whole = [
        head.as_bytes(),
        &jpeg,
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert!(request.body == whole, "strict multipart, byte for byte");
}

#[test]
fn up_03_payloads_that_look_like_boundaries_arrive_whole() {
    let peer = Peer::plain(vec![vec![Step::Serve(ok())]]);
    let transport = transport();
    post(&transport, &peer, &small());
    let first = peer.seen()[0].body.clone();
    let mut jpeg = small();
    jpeg.extend(first);
    jpeg.extend(b"\r\n--boundary\r\n------WebKitFormBoundary--\r\n");
    assert_eq!(reply(post(&transport, &peer, &jpeg)).status, 200);
    let body = &peer.seen()[1].body;
    assert!(body.windows(jpeg.len()).any(|window| window == jpeg));
}

#[test]
fn up_04_the_largest_image_arrives_whole() {
    let peer = Peer::plain(vec![vec![Step::Serve(ok())]]);
    let jpeg = fake_jpeg(6_291_456, 4);
    let exchange = post(&transport(), &peer, &jpeg);
    assert_eq!(exchange.sent, Sent::All);
    assert!(exchange.bytes_sent > 6_291_456);
    assert_eq!(reply(exchange).status, 200);
    assert!(
        peer.seen()[0]
            .body
            .windows(jpeg.len())
            .any(|window| window == jpeg)
    );
}

#[test]
fn up_07_a_slow_reader_is_waited_for() {
    let script = vec![Step::ReadSlowly(4_000_000), Step::Send(ok())];
    let peer = Peer::plain(vec![script]);
    assert_eq!(
        reply(post(&transport(), &peer, &fake_jpeg(5 << 20, 2))).status,
        200
    );
}

#[test]
fn up_10_interim_answers_are_passed_over() {
    let interim = b"HTTP/1.1 100 Continue\r\nX-With: headers\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let whole = [&interim[..], &ok()].concat();
    assert_eq!(
        reply(post(&transport(), &once(&whole), &small())).status,
        200
    );
    // Before and between the parts of a body that does not fit any buffer.
    let script = vec![
        Step::Head,
        Step::Send(interim.to_vec()),
        Step::Read(6_000_000),
        Step::Send(interim[..30].to_vec()),
        Step::Sleep(Duration::from_millis(30)),
        Step::Send(interim[30..].to_vec()),
        Step::Send(ok()),
        Step::Hang,
    ];
    let exchange = post(
        &transport(),
        &Peer::plain(vec![script]),
        &fake_jpeg(6_000_000, 3),
    );
    assert_eq!(exchange.sent, Sent::All, "interim answers stop no upload");
    assert_eq!(reply(exchange).status, 200);
    let drip = vec![
        Step::Request,
        Step::Drip(whole, Duration::from_millis(1)),
        Step::Hang,
    ];
    assert_eq!(
        reply(post(&transport(), &Peer::plain(vec![drip]), &small())).status,
        200
    );
    let switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";
    assert_eq!(
        post(&transport(), &once(switching), &small()).outcome,
        Err(Failure::Io)
    );
}

#[test]
fn up_12_up_15_pa_25_bodies_however_framed() {
    let mut chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n".to_vec();
    for byte in P200.bytes() {
        chunked.extend([b"1\r\n", &[byte][..], b"\r\n"].concat());
    }
    chunked.extend(b"0\r\nX: y\r\n\r\n");
    let closed = ["HTTP/1.0 200 OK\r\n\r\n", P200].concat();
    for bytes in [&chunked[..], closed.as_bytes()] {
        let reply = reply(post(&transport(), &once(bytes), &small()));
        assert_eq!(reply.body, ReplyBody::Whole(P200.as_bytes().to_vec()));
    }
}

#[test]
fn pa_25_a_close_without_close_notify_is_not_the_end_of_a_body() {
    let authority = Authority::new("Test CA");
    let config = authority.server(Fault::None).config(&["http/1.1"]);
    let closed = ["HTTP/1.0 200 OK\r\n\r\n", P200].concat().into_bytes();
    for (end, trusted) in [(Step::End, true), (Step::Close, false)] {
        let script = vec![Step::Request, Step::Send(closed.clone()), end];
        let peer = Peer::tls(config.clone(), vec![script]);
        let reply = reply(post(&trusting(&authority), &peer, &small()));
        assert_eq!(
            matches!(reply.body, ReplyBody::Whole(_)),
            trusted,
            "{:?}",
            reply.body
        );
    }
}

#[test]
fn up_16_compressed_answers_are_refused_unread() {
    let body = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0].repeat(2_500);
    let bytes = answer("200 OK", &["Content-Encoding: gzip"], &body);
    assert_eq!(
        reply(post(&transport(), &once(&bytes), &small())).body,
        ReplyBody::Encoded
    );
    let bytes = answer("200 OK", &["Content-Encoding: identity"], P200.as_bytes());
    assert!(matches!(
        reply(post(&transport(), &once(&bytes), &small())).body,
        ReplyBody::Whole(_)
    ));
}

#[test]
fn pa_23_cr_12_er_13_long_bodies_are_cut_at_64_kib() {
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(100 * 1_024));
    for status in ["200 OK", "403 Forbidden"] {
        let peer = Peer::plain(vec![vec![Step::Serve(json(status, &body))]]);
        let transport = transport();
        let reply = reply(post(&transport, &peer, &small()));
        assert_eq!(
            reply.body,
            ReplyBody::TooLong(body.as_bytes()[..65_536].to_vec())
        );
        drop(post(&transport, &peer, &small()));
        assert_eq!(peer.connections(), 2, "the connection is dropped");
    }
}

#[test]
fn fb_04_statuses_beyond_the_usual_and_retry_after_come_through() {
    for status in [600, 613, 520, 451, 999] {
        let line = format!("{status} Odd");
        let bytes = answer(
            &line,
            &["Retry-After: 10", "retry-after: 60", "Date: x"],
            b"<html>",
        );
        let reply = reply(post(&transport(), &once(&bytes), &small()));
        assert_eq!((reply.status, reply.retry_after.len()), (status, 2));
        assert_eq!(reply.date.as_deref(), Some("x"));
    }
}

#[test]
fn cr_16_redirects_are_not_followed() {
    for status in ["302 Found", "307 Temporary Redirect"] {
        let peer = Peer::plain(vec![vec![Step::Serve(answer(
            status,
            &["Location: /elsewhere"],
            b"",
        ))]]);
        assert!((300..400).contains(&reply(post(&transport(), &peer, &small())).status));
        assert_eq!(peer.seen().len(), 1);
    }
}

#[test]
fn broken_answers_keep_their_status() {
    let cases: [(&[u8], Option<u16>); 6] = [
        (
            b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n<html",
            Some(503),
        ),
        (b"HTTP/1.1 503 Busy\r\nContent-Le", Some(503)),
        (b"HTTP/1.1 403 No\r\n", Some(403)),
        (b"HTTP/1.1 50", None),
        (b"garbage\r\n\r\n", None),
        (b"", None),
    ];
    for (bytes, status) in cases {
        for end in [Step::End, Step::Reset] {
            let pause = Step::Sleep(Duration::from_millis(30));
            let script = vec![Step::Request, Step::Send(bytes.to_vec()), pause, end];
            let exchange = post(&transport(), &Peer::plain(vec![script]), &small());
            match (exchange.outcome, status) {
                (Ok(reply), Some(status)) => {
                    assert_eq!(reply.status, status);
                    assert!(matches!(reply.body, ReplyBody::Broken(..)));
                }
                (Err(Failure::Io), None) => {}
                other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
            }
        }
    }
    let exchange = post(
        &transport(),
        &once(&answer("200 OK", &[], b"{")[..]),
        &small(),
    );
    assert!(exchange.answered);
}

#[test]
fn the_body_of_a_refusal_is_not_waited_for() {
    let head = b"HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n".to_vec();
    let script = vec![Step::Request, Step::Send(head), Step::Hang];
    let start = Instant::now();
    let reply = reply(post(&transport(), &Peer::plain(vec![script]), &small()));
    assert_eq!(
        (reply.status, reply.body),
        (503, ReplyBody::Broken(vec![], Failure::Timeout))
    );
    assert!(start.elapsed() < Duration::from_secs(7));
}

/// A refusal that arrives while 5 MiB are on their way.
fn early(end: &[Step], tls: bool) -> Exchange {
    let authority = Authority::new("Test CA");
    let refusal = json("413 Payload Too Large", r#"{"ErrorType":"OE_BAD_ARGS"}"#);
    let mut script = vec![Step::Head, Step::Send(refusal)];
    script.extend(end.iter().cloned());
    let peer = match tls {
        false => Peer::plain(vec![script]),
        true => Peer::tls(
            authority.server(Fault::None).config(&["http/1.1"]),
            vec![script],
        ),
    };
    let transport = if tls {
        trusting(&authority)
    } else {
        transport()
    };
    post(&transport, &peer, &fake_jpeg(5 << 20, 5))
}

#[test]
fn an_early_refusal_is_read_however_the_connection_ends() {
    let pause = Step::Sleep(Duration::from_millis(50));
    for tls in [false, true] {
        for end in [
            vec![Step::Hang],
            vec![Step::Close],
            vec![pause.clone(), Step::Reset],
            vec![Step::End, Step::Hang],
        ] {
            let exchange = early(&end, tls);
            assert_eq!(exchange.sent, Sent::Part, "tls {tls} {end:?}");
            let reply = reply(exchange);
            assert_eq!(reply.status, 413, "tls {tls} {end:?}");
            if end.len() == 1 && matches!(end[0], Step::Hang) {
                let body = br#"{"ErrorType":"OE_BAD_ARGS"}"#.to_vec();
                assert_eq!(reply.body, ReplyBody::Whole(body));
            }
        }
    }
}

#[test]
fn an_early_verdict_does_not_stop_the_upload() {
    let script = vec![
        Step::Head,
        Step::Send(ok()),
        Step::Read(5 << 20),
        Step::Hang,
    ];
    let exchange = post(
        &transport(),
        &Peer::plain(vec![script]),
        &fake_jpeg(5 << 20, 6),
    );
    assert_eq!(exchange.sent, Sent::All);
    assert_eq!(reply(exchange).status, 200);
}

#[test]
fn re_18_an_upload_reset_in_the_middle_is_not_billed() {
    let script = vec![Step::Read(1 << 20), Step::Reset];
    let exchange = post(
        &transport(),
        &Peer::plain(vec![script]),
        &fake_jpeg(5 << 20, 7),
    );
    assert_eq!(exchange.outcome, Err(Failure::Io));
    assert_eq!((exchange.sent, exchange.answered), (Sent::Part, false));
}

#[test]
fn re_06_a_peer_that_never_reads_meets_the_deadline() {
    let peer = Peer::plain(vec![vec![Step::Hang]]);
    let jpeg = fake_jpeg(6 << 20, 8);
    let call = Call {
        timeout: Duration::from_millis(800),
        ..Call::to(&peer.base_url(), &jpeg)
    };
    let start = Instant::now();
    let exchange = call.send(&transport());
    assert_eq!(
        (exchange.outcome, exchange.sent),
        (Err(Failure::Timeout), Sent::Part)
    );
    assert!((Duration::from_millis(800)..Duration::from_millis(1_300)).contains(&start.elapsed()));
}

#[test]
fn re_07_a_deadline_after_the_upload_leaves_it_possibly_billed() {
    let peer = Peer::plain(vec![vec![Step::Request, Step::Hang]]);
    let jpeg = small();
    let call = Call {
        timeout: Duration::from_millis(500),
        ..Call::to(&peer.base_url(), &jpeg)
    };
    let exchange = call.send(&transport());
    assert_eq!(
        (exchange.outcome, exchange.sent),
        (Err(Failure::Timeout), Sent::All)
    );
    assert_eq!(peer.seen().len(), 1, "not resent");
}

#[test]
fn re_01_closed_connections_are_not_used_again() {
    let authority = Authority::new("Test CA");
    let script = vec![
        Step::Request,
        Step::Send(ok()),
        Step::Sleep(Duration::from_millis(50)),
        Step::End,
    ];
    let plain = Peer::plain(vec![script.clone()]);
    let tls = Peer::tls(
        authority.server(Fault::None).config(&["http/1.1"]),
        vec![script],
    );
    let transport = trusting(&authority);
    for peer in [&plain, &tls] {
        for n in 0..3 {
            let exchange = post(&transport, peer, &small());
            assert!(!exchange.reused);
            assert_eq!(reply(exchange).status, 200);
            assert_eq!(peer.connections(), n + 1);
            std::thread::sleep(Duration::from_millis(120));
        }
    }
    assert_eq!(tls.resumed(), 2, "new connections resume the TLS session");
}

#[test]
fn re_08_connections_are_kept_for_less_than_five_seconds() {
    let peer = Peer::plain(vec![vec![Step::Serve(ok())]]);
    let transport = transport();
    assert!(!post(&transport, &peer, &small()).reused);
    std::thread::sleep(Duration::from_millis(4_000));
    assert!(post(&transport, &peer, &small()).reused);
    std::thread::sleep(Duration::from_millis(5_100));
    assert!(!post(&transport, &peer, &small()).reused);
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_call_lost_with_a_kept_connection_says_so_and_is_not_resent() {
    let script = vec![Step::Request, Step::Send(ok()), Step::Request, Step::Reset];
    let peer = Peer::plain(vec![script, vec![Step::Serve(ok())]]);
    let transport = transport();
    post(&transport, &peer, &small());
    let lost = post(&transport, &peer, &small());
    assert_eq!(
        (lost.outcome, lost.reused, lost.answered),
        (Err(Failure::Io), true, false)
    );
    assert_eq!(peer.seen().len(), 2);
    assert_eq!(reply(post(&transport, &peer, &small())).status, 200);
}

#[test]
fn re_17_a_connection_that_does_not_come_uses_its_share_only() {
    // A listener whose backlog is full drops what comes: the kernel answers no SYN.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let full: Vec<_> = (0..200)
        .map_while(|_| std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(200)).ok())
        .collect();
    assert!(full.len() < 200, "the backlog is not full");
    let jpeg = small();
    let base = format!("http://{addr}");
    let call = Call {
        connect_timeout: Duration::from_millis(600),
        ..Call::to(&base, &jpeg)
    };
    let start = Instant::now();
    let exchange = call.send(&transport());
    assert_eq!(
        (exchange.outcome, exchange.sent),
        (Err(Failure::Connect), Sent::Nothing)
    );
    assert!((Duration::from_millis(600)..Duration::from_millis(1_200)).contains(&start.elapsed()));
    let call = Call {
        timeout: Duration::from_millis(400),
        ..Call::to(&base, &jpeg)
    };
    assert_eq!(call.send(&transport()).outcome, Err(Failure::Timeout));
}

#[test]
fn fb_01_refused_connections_and_unknown_names() {
    let addr = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let jpeg = small();
    let refused = Call::to(&format!("http://{addr}"), &jpeg).send(&transport());
    assert_eq!(
        (refused.outcome, refused.sent),
        (Err(Failure::Connect), Sent::Nothing)
    );
    let unknown = Call::to("http://no-such-name.invalid", &jpeg).send(&transport());
    assert_eq!(unknown.outcome, Err(Failure::Dns));
}

#[test]
fn re_11_both_address_families_are_tried() {
    let peer = Peer::plain(vec![vec![Step::Serve(ok())]]);
    let jpeg = small();
    // localhost is ::1 and 127.0.0.1 on most systems; the peer listens on the latter only.
    let base = format!("http://localhost:{}", peer.addr().port());
    assert_eq!(reply(Call::to(&base, &jpeg).send(&transport())).status, 200);
}

/// Cancels a call after a while and gives how long it took to return from then.
fn cancelled_in(base: &str, jpeg: &[u8], transport: &HttpTransport) -> (Exchange, Duration) {
    let call = Call::to(base, jpeg);
    let token = call.cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let at = Instant::now();
        token.cancel();
        at
    });
    let exchange = call.send(transport);
    let at = canceller.join().unwrap();
    (exchange, at.elapsed())
}

#[test]
fn cancel_ends_a_call_wherever_it_is() {
    let authority = Authority::new("Test CA");
    let drip = vec![Step::Request, Step::Drip(ok(), Duration::from_millis(100))];
    let large = fake_jpeg(6 << 20, 9);
    let tls = trusting(&authority);
    let silent = Peer::plain(vec![vec![Step::Hang]]);
    let tls_base = silent
        .base_url()
        .replace("http://127.0.0.1", "https://localhost");
    for (name, base, jpeg) in [
        ("upload", Peer::plain(vec![vec![Step::Hang]]), &large),
        (
            "answer",
            Peer::plain(vec![vec![Step::Request, Step::Hang]]),
            &large,
        ),
        ("drip", Peer::plain(vec![drip]), &large),
    ]
    .map(|(name, peer, jpeg)| (name, (peer.base_url(), peer), jpeg))
    {
        let (exchange, took) = cancelled_in(&base.0, jpeg, &transport());
        assert_eq!(exchange.outcome, Err(Failure::Cancelled), "{name}");
        assert!(took < Duration::from_millis(500), "{name}: {took:?}");
    }
    let (exchange, took) = cancelled_in(&tls_base, &large, &tls);
    assert_eq!(
        (exchange.outcome, exchange.sent),
        (Err(Failure::Cancelled), Sent::Nothing)
    );
    assert!(took < Duration::from_millis(500), "handshake: {took:?}");
}

#[test]
fn se_09_se_10_fb_21_certificates() {
    let authority = Authority::new("Test CA");
    let transport = trusting(&authority);
    for (fault, expected) in [
        (Fault::None, None),
        (Fault::WrongName, Some(Failure::Tls)),
        (Fault::Expired, Some(Failure::Tls)),
        (Fault::UnknownIssuer, Some(Failure::Tls)),
        (Fault::NotYetValid, Some(Failure::Clock)),
    ] {
        let config = authority.server(fault).config(&["http/1.1"]);
        let peer = Peer::tls(config, vec![vec![Step::Serve(ok())]]);
        let exchange = post(&transport, &peer, &small());
        assert_eq!(
            exchange.outcome.as_ref().err().copied(),
            expected,
            "{fault:?}"
        );
        if expected.is_some() {
            assert_eq!(
                (exchange.sent, peer.seen().len()),
                (Sent::Nothing, 0),
                "{fault:?}"
            );
        }
    }
    let peer = Peer::tls(
        authority.server(Fault::None).config(&["http/1.1"]),
        vec![vec![Step::Serve(ok())]],
    );
    let bundled = post(&HttpTransport::new(config()).unwrap(), &peer, &small());
    assert_eq!(
        bundled.outcome,
        Err(Failure::Tls),
        "the bundled roots do not know a test CA"
    );
}

#[test]
fn re_09_handshakes_that_break_off() {
    let jpeg = small();
    let authority = Authority::new("Test CA");
    for script in [
        vec![Step::Read(100), Step::Reset],
        vec![Step::Close],
        vec![Step::Read(50), Step::End],
    ] {
        let peer = Peer::plain(vec![script]);
        let base = peer
            .base_url()
            .replace("http://127.0.0.1", "https://localhost");
        let exchange = Call::to(&base, &jpeg).send(&trusting(&authority));
        assert_eq!(
            (exchange.outcome, exchange.sent),
            (Err(Failure::Io), Sent::Nothing)
        );
    }
    // A fatal alert, handshake_failure.
    let alert = vec![
        Step::Read(50),
        Step::Send(vec![21, 3, 3, 0, 2, 2, 40]),
        Step::End,
        Step::Hang,
    ];
    let peer = Peer::plain(vec![alert]);
    let base = peer
        .base_url()
        .replace("http://127.0.0.1", "https://localhost");
    let exchange = Call::to(&base, &jpeg).send(&trusting(&authority));
    assert_eq!(exchange.outcome, Err(Failure::Tls));
}

#[test]
fn re_12_http_1_1_is_what_we_ask_for() {
    let authority = Authority::new("Test CA");
    let config = authority.server(Fault::None).config(&["h2", "http/1.1"]);
    let peer = Peer::tls(config, vec![vec![Step::Serve(ok())]]);
    let transport = trusting(&authority);
    assert_eq!(reply(post(&transport, &peer, &small())).status, 200);
    let large = fake_jpeg(6_291_456, 10);
    assert_eq!(
        reply(post(&transport, &peer, &large)).status,
        200,
        "six MiB over TLS"
    );
    assert!(
        peer.seen()[1]
            .body
            .windows(large.len())
            .any(|window| window == large)
    );
    let only_h2 = authority.server(Fault::None).config(&["h2"]);
    let peer = Peer::tls(only_h2, vec![vec![Step::Serve(ok())]]);
    assert_eq!(post(&transport, &peer, &small()).outcome, Err(Failure::Tls));
}

fn through(proxy: &Peer, target: &str) -> Exchange {
    let url = proxy.base_url().replace("http://", "http://user:SECRET@");
    let transport = HttpTransport::new(HttpConfig {
        proxy: Some(Proxy::parse(&url).unwrap()),
        ..config()
    });
    Call::to(target, &small()).send(&transport.unwrap())
}

#[test]
fn up_14_a_proxy_is_asked_to_connect() {
    let tunnel = vec![
        Step::Head,
        Step::Send(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n".to_vec()),
        Step::Request,
        Step::Send(ok()),
        Step::Hang,
    ];
    let proxy = Peer::plain(vec![tunnel]);
    assert_eq!(
        reply(through(&proxy, "http://printer.example:8080")).status,
        200
    );
    let seen = proxy.seen();
    assert!(
        seen[0]
            .head
            .starts_with("CONNECT printer.example:8080 HTTP/1.1\r\n")
    );
    assert_eq!(
        seen[0].header("proxy-authorization"),
        Some("Basic dXNlcjpTRUNSRVQ=")
    );
    assert_eq!(
        seen[0].header("x-api-key"),
        None,
        "the key is not the proxy's"
    );
    assert!(seen[1].head.starts_with("POST /api/"));
    assert_eq!(seen[1].header("proxy-authorization"), None);
    for status in [
        "407 Proxy Authentication Required",
        "502 Bad Gateway",
        "302 Found",
    ] {
        let proxy = Peer::plain(vec![vec![
            Step::Head,
            Step::Send(answer(status, &[], b"")),
            Step::Hang,
        ]]);
        let exchange = through(&proxy, "http://printer.example");
        assert_eq!(
            (exchange.outcome, exchange.sent),
            (Err(Failure::Proxy), Sent::Nothing)
        );
    }
    let gone = Peer::plain(vec![vec![Step::Close]]);
    assert_eq!(
        through(&gone, "http://printer.example").outcome,
        Err(Failure::Proxy)
    );
}

#[test]
fn header_blocks_are_bounded() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\n{{}}",
        "x".repeat(30_000)
    );
    assert_eq!(
        reply(post(&transport(), &once(long.as_bytes()), &small())).status,
        200
    );
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(300_000));
    let script = vec![Step::Request, Step::Send(endless.into_bytes()), Step::Hang];
    let jpeg = small();
    let peer = Peer::plain(vec![script]);
    let start = Instant::now();
    let exchange = Call::to(&peer.base_url(), &jpeg).send(&transport());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "not read to the deadline"
    );
    assert!(!matches!(
        exchange.outcome,
        Ok(Reply {
            body: ReplyBody::Whole(_),
            ..
        })
    ));
}
