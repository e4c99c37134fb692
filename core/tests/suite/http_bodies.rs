//! Bodies that are long, short, cut, chunked, compressed or slow.

use std::time::Instant;

use crate::http_rig::{Post, answer_of, both, ms, reply, tls_peer, transport, whole};
use oe_core::transport::{Failure, MAX_REPLY_BODY, ReplyBody, Sent};
use oe_test_support::peer::{Peer, Step, answer, json};

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for byte in body {
        bytes.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    }
    bytes
}

#[test]
fn up_15_chunks_of_one_byte_with_trailers_are_read() {
    let body = br#"{"NextProcessIntervalSec": 40}"#;
    let bytes = [
        &chunked(body)[..],
        b"0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n",
    ]
    .concat();
    assert_eq!(whole(&answer_of(&bytes, Step::Hang)), body);
    let peer = tls_peer(vec![vec![
        Step::Request,
        Step::Drip(bytes, ms(1)),
        Step::Hang,
    ]]);
    assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport())), body);
    // Cut in the middle, and behind a whole chunk.
    for cut in [&chunked(body)[..], &chunked(body)[..60]] {
        let exchange = answer_of(cut, Step::End);
        let broken = &reply(&exchange).body;
        assert!(
            matches!(broken, ReplyBody::Broken(_, Failure::Io)),
            "{broken:?}"
        );
    }
}

#[test]
fn up_16_compressed_bodies_are_not_inflated() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0];
    let bomb = vec![0; 20 * 1024];
    for (encoding, body) in [
        ("gzip", &gzip[..]),
        ("gzip", &bomb),
        ("br", b"{}"),
        ("identity, gzip", b""),
    ] {
        for status in ["200 OK", "503 Busy"] {
            let header = format!("Content-Encoding: {encoding}");
            let exchange = answer_of(&answer(status, &[&header], body), Step::Hang);
            assert_eq!(reply(&exchange).body, ReplyBody::Encoded, "{encoding}");
            assert_eq!(reply(&exchange).status.to_string(), status[..3]);
        }
    }
    for encoding in ["identity", "", "Identity"] {
        let header = format!("Content-Encoding: {encoding}");
        let exchange = answer_of(&answer("200 OK", &[&header], b"{}"), Step::Hang);
        assert_eq!(whole(&exchange), b"{}", "{encoding}");
    }
}

#[test]
fn truncated_bodies_are_broken() {
    let bytes = &json("200 OK", "{\"Score\": 5}");
    let bytes = &bytes[..bytes.len() - 4];
    for then in [Step::End, Step::Close, Step::Reset] {
        let exchange = answer_of(bytes, Step::Sleep(ms(1)));
        assert!(exchange.answered);
        let script = vec![
            Step::Request,
            Step::Send(bytes.to_vec()),
            Step::Sleep(ms(100)),
            then,
        ];
        for peer in both(&[script]) {
            let exchange = Post::to(&peer.base_url()).send(&transport());
            let prefix = b"{\"Score\"".to_vec();
            assert_eq!(reply(&exchange).status, 200);
            assert_eq!(
                reply(&exchange).body,
                ReplyBody::Broken(prefix, Failure::Io)
            );
            assert_eq!(exchange.sent, Sent::All);
        }
    }
}

#[test]
fn pa_23_cr_12_er_13_bodies_have_a_limit() {
    let body = |len: usize| vec![b' '; len];
    for peer in both(&[vec![Step::Serve(json(
        "200 OK",
        &" ".repeat(MAX_REPLY_BODY),
    ))]]) {
        let exchange = Post::to(&peer.base_url()).send(&transport());
        assert_eq!(whole(&exchange).len(), MAX_REPLY_BODY);
    }
    for len in [MAX_REPLY_BODY + 1, 70 * 1024, 100 * 1024, 20 << 20] {
        let peers = both(&[vec![Step::Serve(answer("200 OK", &[], &body(len)))]]);
        let refusing = vec![Step::Serve(answer("403 Forbidden", &[], &body(len)))];
        for peer in peers.into_iter().chain([Peer::plain(vec![refusing])]) {
            let transport = transport();
            let exchange = Post::to(&peer.base_url()).send(&transport);
            let expected = ReplyBody::TooLong(body(MAX_REPLY_BODY));
            assert!(reply(&exchange).body == expected, "{len}");
            assert!(
                exchange.bytes_received < 200 * 1024,
                "{}",
                exchange.bytes_received
            );
            let again = Post::to(&peer.base_url()).send(&transport);
            assert!(!again.reused, "the rest of the body was still on its way");
            assert_eq!(peer.connections(), 2);
        }
    }
}

#[test]
fn pa_25_a_body_ended_by_close_is_taken_over_http_and_with_close_notify() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let bytes =
            format!("{version} 200 OK\r\nContent-Type: application/json\r\n\r\n{{\"a\":1}}");
        let script = |then| {
            vec![
                Step::Request,
                Step::Send(bytes.clone().into()),
                Step::Sleep(ms(30)),
                then,
            ]
        };
        let transport = transport();
        for (peer, body) in [
            (Peer::plain(vec![script(Step::End)]), Ok(())),
            (Peer::plain(vec![script(Step::Reset)]), Err(Failure::Io)),
            (tls_peer(vec![script(Step::End)]), Ok(())),
            (tls_peer(vec![script(Step::Close)]), Err(Failure::Io)),
            (tls_peer(vec![script(Step::Reset)]), Err(Failure::Io)),
        ] {
            let exchange = Post::to(&peer.base_url()).send(&transport);
            let text = b"{\"a\":1}".to_vec();
            let expected = match body {
                Ok(()) => ReplyBody::Whole(text),
                Err(failure) => ReplyBody::Broken(text, failure),
            };
            assert_eq!(reply(&exchange).body, expected);
            assert!(!Post::to(&peer.base_url()).send(&transport).reused);
        }
    }
}

#[test]
fn a_refusal_that_drips_is_not_waited_for() {
    let head = b"HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n".to_vec();
    let drip = Step::Drip(vec![b'x'; 1_000], ms(100));
    let peer = Peer::plain(vec![vec![Step::Request, Step::Send(head), drip]]);
    let start = Instant::now();
    let exchange = Post::to(&peer.base_url()).send(&transport());
    let took = start.elapsed();
    let ReplyBody::Broken(prefix, Failure::Timeout) = &reply(&exchange).body else {
        panic!("{exchange:?}");
    };
    assert_eq!(reply(&exchange).status, 503);
    assert!(prefix.len() > 5 && prefix.iter().all(|byte| *byte == b'x'));
    assert!(took > ms(4_500) && took < ms(7_000), "{took:?}");
}

#[test]
fn a_body_that_drips_past_the_deadline_is_broken_and_a_head_is_no_answer() {
    let bytes = json("200 OK", &" ".repeat(1_000));
    let peer = Peer::plain(vec![vec![
        Step::Request,
        Step::Send(bytes[..80].to_vec()),
        Step::Hang,
    ]]);
    let exchange = Post::to(&peer.base_url())
        .timeout(ms(600))
        .send(&transport());
    let body = &reply(&exchange).body;
    assert!(
        matches!(body, ReplyBody::Broken(_, Failure::Timeout)),
        "{body:?}"
    );
    let peer = Peer::plain(vec![vec![
        Step::Request,
        Step::Send(bytes[..30].to_vec()),
        Step::Hang,
    ]]);
    let exchange = Post::to(&peer.base_url())
        .timeout(ms(600))
        .send(&transport());
    assert_eq!(exchange.outcome, Err(Failure::Timeout));
    assert!(exchange.answered);
}
