//! Which connections are used again, and which never.

use std::thread;
use std::time::Duration;

use crate::http_rig::{Post, both, ms, reply, tls_peer, transport, whole};
use oe_core::transport::{Failure, Sent};
use oe_test_support::peer::{Peer, Step, answer, json};

fn ok() -> Vec<u8> {
    json("200 OK", "{}")
}

/// The peer has done what it will do; the system may take a moment to bring it here.
fn arrive() {
    thread::sleep(ms(50));
}

#[test]
fn connections_are_used_again_on_any_thread() {
    for peer in both(&[vec![Step::Serve(ok())]]) {
        let transport = transport();
        for n in 0..6 {
            // A new thread each time: what is kept must not depend on who used it.
            let exchange = thread::scope(|scope| {
                let post = || Post::to(&peer.base_url()).image(200_000).send(&transport);
                scope.spawn(post).join().unwrap()
            });
            assert_eq!(whole(&exchange), b"{}");
            assert_eq!(exchange.reused, n > 0);
            assert_eq!(exchange.sent, Sent::All);
        }
        assert_eq!(peer.connections(), 1);
        assert_eq!(peer.seen().len(), 6);
    }
}

#[test]
fn interim_answers_and_broken_heads_are_understood_on_any_thread() {
    let interim = [b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n", &ok()[..]].concat();
    let script = vec![
        Step::Request,
        Step::Send(ok()),
        Step::Request,
        Step::Send(interim),
        Step::Request,
        Step::Send(b"HTTP/1.1 413 No\r\nA: b\r\n".to_vec()),
        Step::End,
    ];
    for peer in both(&[script]) {
        let transport = transport();
        for (n, status) in [200, 200, 413].into_iter().enumerate() {
            let exchange = thread::scope(|scope| {
                scope
                    .spawn(|| Post::to(&peer.base_url()).send(&transport))
                    .join()
                    .unwrap()
            });
            assert_eq!(reply(&exchange).status, status);
            assert_eq!((exchange.reused, exchange.sent), (n > 0, Sent::All));
        }
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn re_08_a_connection_is_not_used_after_five_seconds() {
    let check = |peer: &Peer| {
        let transport = transport();
        let reused = |after| {
            thread::sleep(after);
            let exchange = Post::to(&peer.base_url()).send(&transport);
            assert_eq!(whole(&exchange), b"{}");
            exchange.reused
        };
        assert!(!reused(Duration::ZERO));
        assert!(reused(ms(3_500)), "the clock starts anew with each use");
        assert!(reused(ms(3_500)));
        assert!(!reused(ms(5_050)));
        assert_eq!(peer.connections(), 2);
    };
    let peers = both(&[vec![Step::Serve(ok())]]);
    thread::scope(|scope| {
        for peer in &peers {
            scope.spawn(|| check(peer));
        }
    });
}

#[test]
fn re_01_connections_that_the_server_closed_are_not_used() {
    let closed = |steps: &[Step]| {
        let mut script = vec![Step::Request];
        script.extend_from_slice(steps);
        script
    };
    for last in [
        &[Step::Send(ok()), Step::Sleep(ms(150)), Step::End][..],
        &[Step::Send(ok()), Step::Sleep(ms(150)), Step::Close],
        &[Step::Send(ok()), Step::Sleep(ms(150)), Step::Reset],
        &[Step::Send(ok()), Step::End, Step::Hang],
    ] {
        for peer in both(&[closed(last)]) {
            let transport = transport();
            for n in 1..=3 {
                let exchange = Post::to(&peer.base_url()).send(&transport);
                assert_eq!(whole(&exchange), b"{}", "{last:?}");
                assert!(!exchange.reused);
                match last {
                    [.., Step::Hang] => peer.wait_for_hung(n),
                    _ => peer.wait_for_open(0),
                }
                arrive();
            }
            assert_eq!((peer.seen().len(), peer.connections()), (3, 3));
        }
    }
}

#[test]
fn re_01_a_close_notify_counts_as_closed_even_when_read_with_the_answer() {
    for last in [
        vec![Step::SendAndNotify(ok()), Step::Hang],
        vec![
            Step::Send(ok()),
            Step::SendAndNotify(Vec::new()),
            Step::Hang,
        ],
    ] {
        let peer = tls_peer(vec![[vec![Step::Request], last].concat()]);
        let transport = transport();
        for n in 1..=3 {
            let exchange = Post::to(&peer.base_url()).send(&transport);
            assert_eq!(whole(&exchange), b"{}");
            assert!(!exchange.reused);
            peer.wait_for_hung(n);
            arrive();
        }
        assert_eq!(peer.connections(), 3);
    }
}

#[test]
fn a_connection_with_more_on_it_than_the_answer_is_not_used() {
    let more = [
        &ok()[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ]
    .concat();
    let late = vec![
        Step::Request,
        Step::Send(ok()),
        Step::Sleep(ms(100)),
        Step::Send(more.clone()),
        Step::Hang,
    ];
    for script in [vec![Step::Serve(more)], late] {
        for peer in both(std::slice::from_ref(&script)) {
            let transport = transport();
            for n in 1..=3 {
                let exchange = Post::to(&peer.base_url()).send(&transport);
                assert_eq!(whole(&exchange), b"{}");
                assert!(!exchange.reused);
                if matches!(script[..], [.., Step::Hang]) {
                    peer.wait_for_hung(n);
                }
                arrive();
            }
        }
    }
}

#[test]
fn connection_close_and_http_1_0_end_the_connection() {
    let old = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    for bytes in [answer("200 OK", &["Connection: close"], b"{}"), old] {
        for peer in both(&[vec![Step::Serve(bytes)]]) {
            let transport = transport();
            for _ in 0..2 {
                let exchange = Post::to(&peer.base_url()).send(&transport);
                assert_eq!((whole(&exchange), exchange.reused), (&b"{}"[..], false));
            }
            assert_eq!(peer.connections(), 2);
            peer.wait_for_open(0);
        }
    }
}

#[test]
fn what_fails_on_a_kept_connection_is_not_sent_again() {
    for then in [Step::End, Step::Reset, Step::Close] {
        let script = vec![Step::Request, Step::Send(ok()), Step::Request, then];
        for peer in both(&[script]) {
            let transport = transport();
            assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport)), b"{}");
            let exchange = Post::to(&peer.base_url()).send(&transport);
            assert_eq!(exchange.outcome, Err(Failure::Io));
            assert!(exchange.reused && !exchange.answered);
            assert_eq!(exchange.sent, Sent::All);
            assert_eq!((peer.connections(), peer.seen().len()), (1, 2));
        }
    }
}

#[test]
fn connections_are_as_many_as_calls_in_flight() {
    for peer in both(&[vec![Step::Serve(ok())]]) {
        let transport = transport();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let exchange = Post::to(&peer.base_url()).send(&transport);
                        assert_eq!(whole(&exchange), b"{}");
                        assert_eq!(exchange.sent, Sent::All);
                    }
                });
            }
        });
        assert_eq!(peer.seen().len(), 160);
        assert!(peer.connections() <= 8, "{}", peer.connections());
    }
}

#[test]
fn re_11_both_address_families_are_tried() {
    let peer = Peer::plain(vec![vec![Step::Serve(ok())]]);
    // localhost is ::1 and 127.0.0.1 on most systems; the peer listens on the latter only.
    let base = peer.base_url().replace("127.0.0.1", "localhost");
    assert_eq!(whole(&Post::to(&base).send(&transport())), b"{}");
}

#[test]
fn hosts_do_not_share_connections() {
    let peers: Vec<_> = (0..2)
        .map(|_| Peer::plain(vec![vec![Step::Serve(ok())]]))
        .collect();
    let transport = transport();
    for reused in [false, true] {
        for peer in &peers {
            let exchange = Post::to(&peer.base_url()).send(&transport);
            assert_eq!(exchange.reused, reused);
        }
    }
    assert!(peers.iter().all(|peer| peer.connections() == 1));
}

#[test]
fn dropping_the_transport_closes_its_connections() {
    for peer in both(&[vec![Step::Serve(ok())]]) {
        let transport = transport();
        assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport)), b"{}");
        peer.wait_for_open(1);
        drop(transport);
        peer.wait_for_open(0);
    }
}

#[test]
fn a_new_connection_resumes_the_tls_session() {
    let peer = tls_peer(vec![vec![Step::Serve(answer(
        "200 OK",
        &["Connection: close"],
        b"{}",
    ))]]);
    let first = transport();
    for _ in 0..4 {
        assert_eq!(whole(&Post::to(&peer.base_url()).send(&first)), b"{}");
    }
    assert_eq!((peer.connections(), peer.resumed()), (4, 3));
    // Sessions belong to a transport.
    assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport())), b"{}");
    assert_eq!(peer.resumed(), 3);
}

#[test]
fn without_a_key_there_is_no_header_of_it() {
    let peer = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    let mut post = Post::to(&peer.base_url());
    post.send(&transport());
    post.key = None;
    post.send(&transport());
    let seen = peer.seen();
    let heads: Vec<_> = seen.iter().map(|one| one.head.to_lowercase()).collect();
    assert!(heads[0].contains("\r\nx-api-key: "));
    assert!(!heads[1].contains("api-key"), "{}", heads[1]);
}
