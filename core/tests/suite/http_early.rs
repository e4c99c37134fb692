//! Answers that come before the request was sent, and connections that break meanwhile.

use std::time::{Duration, Instant};

use crate::http_rig::{
    MORE_THAN_BUFFERS, Post, both, in_a_process_of_its_own, ms, reply, transport, whole,
};
use oe_core::transport::{Failure, ReplyBody, Sent};
use oe_test_support::peer::{Step, json};

/// What is read whole in the end.
const IMAGE: usize = 5 << 20;

/// A refusal after the head and a little of the body.
fn refusal(status: &str, then: &[Step]) -> Vec<Step> {
    let mut script = vec![
        Step::Head,
        Step::Read(20_000),
        Step::Send(json(status, "{\"a\":1}")),
    ];
    script.extend_from_slice(then);
    script
}

#[test]
fn an_early_refusal_is_read_whatever_becomes_of_the_connection() {
    for status in [
        "413 Too Large",
        "403 Forbidden",
        "429 Slow",
        "503 Busy",
        "302 Found",
    ] {
        for then in [
            &[Step::Reset][..],
            &[Step::Close],
            &[Step::Hang],
            &[Step::End, Step::Hang],
            &[Step::Sleep(ms(100)), Step::Reset],
        ] {
            for peer in both(&[refusal(status, then)]) {
                let transport = transport();
                let start = Instant::now();
                let exchange = Post::to(&peer.base_url())
                    .image(MORE_THAN_BUFFERS)
                    .send(&transport);
                let what = format!("{status} {then:?}: {exchange:?}");
                assert_eq!(reply(&exchange).status.to_string(), status[..3], "{what}");
                assert_eq!(whole(&exchange), b"{\"a\":1}", "{what}");
                assert!(start.elapsed() < Duration::from_secs(10), "{what}");
                assert!(exchange.answered && !exchange.reused, "{what}");
                assert_eq!(exchange.sent, Sent::Part, "{what}");
                let again = Post::to(&peer.base_url())
                    .image(MORE_THAN_BUFFERS)
                    .send(&transport);
                assert!(!again.reused, "{what}");
            }
        }
    }
}

#[test]
fn an_early_refusal_may_drip_and_may_be_cut() {
    let drip = [
        Step::Head,
        Step::Drip(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too ".to_vec(),
            ms(2),
        ),
        Step::Sleep(ms(100)),
        Step::Drip(b"Large\r\n".to_vec(), ms(2)),
    ];
    for then in [&[Step::Close][..], &[Step::Reset]] {
        for peer in both(&[[&drip[..], then].concat()]) {
            let exchange = Post::to(&peer.base_url())
                .image(MORE_THAN_BUFFERS)
                .send(&transport());
            assert_eq!(reply(&exchange).status, 413);
            let body = &reply(&exchange).body;
            assert!(
                matches!(body, ReplyBody::Broken(_, Failure::Io)),
                "{body:?}"
            );
            assert_eq!(exchange.sent, Sent::Part);
        }
    }
}

#[test]
fn an_early_success_does_not_end_the_upload() {
    let script = vec![
        Step::Head,
        Step::Send(json("200 OK", "{\"a\":1}")),
        Step::Sleep(ms(300)),
        Step::Read(IMAGE + 10),
        Step::Hang,
    ];
    for peer in both(&[script]) {
        let exchange = Post::to(&peer.base_url()).image(IMAGE).send(&transport());
        assert_eq!(whole(&exchange), b"{\"a\":1}");
        assert_eq!(exchange.sent, Sent::All);
    }
}

#[test]
fn an_early_success_survives_a_reset() {
    for then in [Step::Reset, Step::Close] {
        for peer in both(&[refusal("200 OK", &[Step::Sleep(ms(200)), then])]) {
            let exchange = Post::to(&peer.base_url())
                .image(MORE_THAN_BUFFERS)
                .send(&transport());
            assert_eq!(whole(&exchange), b"{\"a\":1}");
            assert_eq!(exchange.sent, Sent::Part);
        }
    }
}

#[test]
fn interim_answers_do_not_end_the_upload() {
    let interim =
        b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let script = vec![
        Step::Head,
        Step::Read(100_000),
        Step::Send(interim.to_vec()),
        Step::Sleep(ms(300)),
        Step::Read(IMAGE + 10),
        Step::Send(json("200 OK", "{\"a\":1}")),
        Step::Hang,
    ];
    for peer in both(&[script]) {
        let exchange = Post::to(&peer.base_url()).image(IMAGE).send(&transport());
        assert_eq!(whole(&exchange), b"{\"a\":1}");
        assert_eq!(exchange.sent, Sent::All);
    }
}

#[test]
fn re_18_an_upload_that_is_reset_was_sent_in_part() {
    for then in [Step::Reset, Step::Close, Step::End] {
        let script = vec![Step::Head, Step::Read(1 << 20), then.clone(), Step::Hang];
        for peer in both(&[script]) {
            let start = Instant::now();
            let exchange = Post::to(&peer.base_url())
                .image(MORE_THAN_BUFFERS)
                .send(&transport());
            assert_eq!(exchange.outcome, Err(Failure::Io), "{then:?}");
            assert_eq!(exchange.sent, Sent::Part, "{then:?}");
            assert!(!exchange.answered && exchange.bytes_received == 0);
            assert!(start.elapsed() < Duration::from_secs(10), "{then:?}");
            assert_eq!(peer.connections(), 1, "nothing is sent again");
        }
    }
}

#[test]
fn li_08_a_broken_pipe_raises_no_signal() {
    if in_a_process_of_its_own(module_path!(), "li_08_a_broken_pipe_raises_no_signal", "1")
        .is_none()
    {
        return;
    }
    // Programs in Rust ignore the signal; hosts in C do not.
    // SAFETY: sets the default action, no handler of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    for then in [Step::Reset, Step::Close] {
        for peer in both(&[vec![Step::Head, Step::Read(1 << 20), then]]) {
            for _ in 0..5 {
                let post = Post::to(&peer.base_url()).image(MORE_THAN_BUFFERS);
                assert_eq!(post.send(&transport()).outcome, Err(Failure::Io));
            }
        }
    }
}
