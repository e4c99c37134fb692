//! TLS: whom it trusts, and what its failures are called.

use crate::http_rig::{MORE_THAN_BUFFERS, Post, authority, config, ms, tls_peer, transport, whole};
use oe_core::http::{HttpConfig, HttpTransport, Pins, Roots};
use oe_core::transport::{Failure, Sent};
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::peer::{Peer, Step, json};

fn ok() -> Vec<Vec<Step>> {
    vec![vec![Step::Serve(json("200 OK", "{}"))]]
}

/// A fatal alert as it goes over the wire: 40 is handshake_failure, 42 bad_certificate.
fn alert(code: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, code]
}

/// A peer without TLS, spoken to as if it had it.
fn fake_tls(peer: &Peer) -> String {
    peer.base_url()
        .replace("http://127.0.0.1", "https://localhost")
}

#[test]
fn se_09_se_10_fb_21_only_a_good_certificate_is_accepted_and_nothing_is_sent_to_others() {
    for (fault, expected) in [
        (Fault::None, None),
        (Fault::WrongName, Some(Failure::Tls)),
        (Fault::Expired, Some(Failure::Tls)),
        (Fault::UnknownIssuer, Some(Failure::Tls)),
        (Fault::NotYetValid, Some(Failure::Clock)),
    ] {
        let peer = Peer::tls(authority().server(fault).config(&[]), ok());
        let exchange = Post::to(&peer.base_url()).send(&transport());
        match expected {
            None => assert_eq!(whole(&exchange), b"{}"),
            Some(failure) => {
                assert_eq!(exchange.outcome, Err(failure), "{fault:?}");
                assert_eq!((exchange.sent, exchange.bytes_sent), (Sent::Nothing, 0));
                assert!(!exchange.answered);
                peer.wait_for_open(0);
                assert!(peer.seen().is_empty());
                assert_eq!(peer.connections(), 1, "no second try");
            }
        }
    }
}

#[test]
fn se_09_roots_are_those_configured() {
    let peer = tls_peer(ok());
    let other = Authority::new("Another").pem;
    let both = format!("{other}{}", authority().pem);
    for (roots, trusted) in [
        (Roots::Bundled, false),
        (Roots::pem(other.as_bytes()).unwrap(), false),
        (Roots::pem(both.as_bytes()).unwrap(), true),
    ] {
        let transport = HttpTransport::new(HttpConfig { roots, ..config() }).unwrap();
        let exchange = Post::to(&peer.base_url()).send(&transport);
        assert_eq!(exchange.outcome.is_ok(), trusted);
    }
    assert_eq!(peer.seen().len(), 1);
    for text in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Roots::pem(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn an_address_is_as_good_as_a_name_if_the_certificate_says_so() {
    let peer = tls_peer(ok());
    let base = peer.base_url().replace("localhost", "127.0.0.1");
    assert_eq!(whole(&Post::to(&base).send(&transport())), b"{}");
}

#[test]
fn re_12_http_1_1_is_asked_for() {
    for (alpn, expected) in [
        (&["http/1.1"][..], true),
        (&["h2", "http/1.1"], true),
        (&[], true),
        (&["h2"], false),
    ] {
        let peer = Peer::tls(authority().server(Fault::None).config(alpn), ok());
        let exchange = Post::to(&peer.base_url()).send(&transport());
        match expected {
            true => assert_eq!(whole(&exchange), b"{}"),
            false => {
                assert_eq!(exchange.outcome, Err(Failure::Tls));
                assert_eq!(exchange.sent, Sent::Nothing);
            }
        }
    }
}

#[test]
fn re_09_a_handshake_that_breaks() {
    for (script, expected) in [
        (vec![Step::Close], Failure::Io),
        (vec![Step::Read(1), Step::Close], Failure::Io),
        (vec![Step::Read(1), Step::Reset], Failure::Io),
        (
            vec![Step::Read(1), Step::Send(alert(40)), Step::End],
            Failure::Tls,
        ),
        (
            vec![
                Step::Read(1),
                Step::Send(alert(40)),
                Step::Sleep(ms(20)),
                Step::Reset,
            ],
            Failure::Tls,
        ),
        (
            vec![Step::Read(1), Step::Send(json("400 Bad", "")), Step::End],
            Failure::Tls,
        ),
        (
            vec![Step::Send(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), Step::Hang],
            Failure::Tls,
        ),
    ] {
        let peer = Peer::plain(vec![script.clone()]);
        let exchange = Post::to(&fake_tls(&peer)).send(&transport());
        assert_eq!(exchange.outcome, Err(expected), "{script:?}");
        assert_eq!((exchange.sent, exchange.bytes_sent), (Sent::Nothing, 0));
        assert!(!exchange.answered, "{script:?}");
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn re_09_what_no_key_sealed_is_a_tls_failure() {
    for bytes in [
        alert(40),
        vec![23, 3, 3, 0, 4, 1, 2, 3, 4],
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
    ] {
        for (steps, size, sent) in [
            (vec![Step::Request], 10_000, Sent::All),
            (
                vec![Step::Head, Step::Read(100_000)],
                MORE_THAN_BUFFERS,
                Sent::Part,
            ),
        ] {
            let then = vec![Step::Raw(bytes.clone()), Step::Sleep(ms(100)), Step::Reset];
            let peer = tls_peer(vec![[steps, then].concat()]);
            let exchange = Post::to(&peer.base_url()).image(size).send(&transport());
            assert_eq!(exchange.outcome, Err(Failure::Tls), "{bytes:?}");
            assert_eq!((exchange.sent, exchange.answered), (sent, false));
        }
    }
}

#[test]
fn only_tls_1_2_and_1_3_are_spoken() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let pair = authority().server(Fault::None);
        let config = pair.config_of(&[version], &[]);
        let peer = Peer::tls(
            config,
            vec![vec![Step::Serve(oe_test_support::peer::answer(
                "200 OK",
                &["Connection: close"],
                b"{}",
            ))]],
        );
        let transport = transport();
        for _ in 0..2 {
            assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport)), b"{}");
        }
        assert_eq!(peer.resumed(), 1, "{version:?}");
    }
    // A server of old answers with TLS 1.0.
    let hello = vec![22, 3, 1, 0, 4, 2, 0, 0, 0];
    let peer = Peer::plain(vec![vec![Step::Read(1), Step::Send(hello), Step::Hang]]);
    let exchange = Post::to(&fake_tls(&peer))
        .timeout(ms(3_000))
        .send(&transport());
    assert_eq!(exchange.outcome, Err(Failure::Tls));
    assert_eq!(exchange.sent, Sent::Nothing);
}

/// Where a host is connected to does not change who it has to be.
#[test]
fn a_pinned_host_is_still_checked_by_its_name() {
    let mut pins = Pins::default();
    pins.set("elsewhere.example", Some("127.0.0.1")).unwrap();
    for (fault, accepted) in [(Fault::WrongName, true), (Fault::None, false)] {
        let peer = Peer::tls(authority().server(fault).config(&[]), ok());
        let base = peer.base_url().replace("localhost", "elsewhere.example");
        let pins = pins.clone();
        let transport = HttpTransport::new(HttpConfig { pins, ..config() }).unwrap();
        let exchange = Post::to(&base).send(&transport);
        if accepted {
            assert_eq!(whole(&exchange), b"{}");
            let head = peer.seen()[0].head.to_lowercase();
            assert!(head.contains("\r\nhost: elsewhere.example:"), "{head}");
        } else {
            assert_eq!(exchange.outcome, Err(Failure::Tls));
            assert!(peer.seen().is_empty());
        }
    }
}
