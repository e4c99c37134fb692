//! Peers that always have something to say, and never an answer: each call ends by its deadline or
//! at the limit of what it takes, whichever comes first.

use std::time::{Duration, Instant};

use crate::http_rig::{MORE_THAN_BUFFERS, Post, both, config, ms, tls_peer, transport};
use oe_core::http::{HttpConfig, HttpTransport, Proxy};
use oe_core::transport::{Exchange, Failure, Sent};
use oe_test_support::peer::{Peer, Step};

/// For a machine that has much else to do. A flood goes on for a minute.
const SLACK: Duration = Duration::from_secs(15);

fn through(proxy: &Peer) -> HttpTransport {
    let proxy = Some(Proxy::parse(&proxy.base_url()).unwrap());
    HttpTransport::new(HttpConfig { proxy, ..config() }).unwrap()
}

/// Sends with this deadline, which must hold.
fn within(time: Duration, post: Post, transport: &HttpTransport) -> Exchange {
    let start = Instant::now();
    let exchange = post.timeout(time).send(transport);
    let took = start.elapsed();
    assert!(took < time + SLACK, "{took:?} instead of {time:?}");
    exchange
}

/// An interim answer with a header of this length.
fn interim(len: usize) -> Vec<u8> {
    format!("HTTP/1.1 103 Early\r\nX: {}\r\n\r\n", "x".repeat(len)).into()
}

#[test]
fn a_proxy_that_floods_interim_answers_is_refused() {
    for bytes in [
        interim(0),
        interim(1_000),
        b"HTTP/1.1 100 C\n\n".to_vec(),
        b"x".to_vec(),
        b"\r\n".to_vec(),
    ] {
        for target in ["http://127.0.0.1:9", "https://localhost:9"] {
            let proxy = Peer::plain(vec![vec![Step::Head, Step::Flood(bytes.clone())]]);
            let exchange = within(ms(30_000), Post::to(target), &through(&proxy));
            assert_eq!(exchange.outcome, Err(Failure::Proxy), "{bytes:?}");
            assert_eq!((exchange.sent, exchange.answered), (Sent::Nothing, false));
            proxy.wait_for_open(0);
        }
    }
}

#[test]
fn a_proxy_that_drips_interim_answers_ends_at_the_deadline() {
    let drip = Step::Drip(interim(0).repeat(1_000), ms(2));
    let proxy = Peer::plain(vec![vec![Step::Head, drip]]);
    let post = Post::to("http://127.0.0.1:9");
    let exchange = within(ms(700), post, &through(&proxy));
    assert_eq!(exchange.outcome, Err(Failure::Timeout));
}

#[test]
fn a_cancel_ends_a_flood() {
    let proxy = Peer::plain(vec![vec![
        Step::Head,
        Step::Drip(vec![b'x'; 10_000], ms(1)),
    ]]);
    let post = Post::to("http://127.0.0.1:9");
    let (exchange, took) = post.cancelled_after(ms(300), &through(&proxy));
    assert_eq!(exchange.outcome, Err(Failure::Cancelled));
    assert!(took < SLACK, "{took:?}");
    let peer = tls_peer(vec![vec![Step::Request, Step::FloodTickets]]);
    let (exchange, took) = Post::to(&peer.base_url()).cancelled_after(ms(300), &transport());
    assert_eq!(exchange.outcome, Err(Failure::Cancelled));
    assert!(took < SLACK, "{took:?}");
}

#[test]
fn a_service_that_floods_interim_answers_has_a_limit() {
    for size in [2_000, 5 << 20] {
        for peer in both(&[vec![Step::Head, Step::Flood(interim(4_000))]]) {
            let post = Post::to(&peer.base_url()).image(size);
            let exchange = within(ms(45_000), post, &transport());
            assert_eq!(exchange.outcome, Err(Failure::Io));
            assert!(exchange.bytes_received <= 17 << 20);
            peer.wait_for_open(0);
        }
    }
}

/// TLS takes tickets without a word, as many as come.
#[test]
fn a_service_that_floods_tickets_does_not_lift_the_deadline() {
    for (then, sent) in [(Step::Request, Sent::All), (Step::Head, Sent::Part)] {
        let size = if sent == Sent::All {
            2_000
        } else {
            MORE_THAN_BUFFERS
        };
        let peer = tls_peer(vec![vec![then, Step::FloodTickets]]);
        let post = Post::to(&peer.base_url()).image(size);
        let exchange = within(ms(1_000), post, &transport());
        // Which of the two comes first depends on how fast this machine decrypts.
        let ended = matches!(exchange.outcome, Err(Failure::Timeout | Failure::Io));
        assert!(ended, "{exchange:?}");
        assert_eq!((exchange.sent, exchange.answered), (sent, false));
        peer.wait_for_open(0);
    }
}

#[test]
fn a_handshake_that_never_gets_anywhere_ends() {
    let record = |kind: u8, payload: &[u8]| {
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3, len[0], len[1]], payload].concat()
    };
    for bytes in [
        // Warnings, changes of cipher, and a hello of 16 MiB in pieces.
        record(21, &[1, 90]),
        record(20, &[1]),
        record(22, &[2, 0xFF, 0xFF, 0xFF]),
        record(22, &[0, 0, 0, 0]),
    ] {
        let peer = Peer::plain(vec![vec![Step::Read(1), Step::Flood(bytes.clone())]]);
        let base = peer
            .base_url()
            .replace("http://127.0.0.1", "https://localhost");
        let exchange = within(ms(3_000), Post::to(&base), &transport());
        let ended = matches!(exchange.outcome, Err(Failure::Tls | Failure::Timeout));
        assert!(ended, "{bytes:?}: {exchange:?}");
        assert_eq!((exchange.sent, exchange.answered), (Sent::Nothing, false));
    }
}
