//! Deadlines and cancels, in every phase.

use std::time::{Duration, Instant};

use crate::http_rig::{
    MORE_THAN_BUFFERS, Post, both, in_a_process_of_its_own, ms, reply, transport, whole,
};
use oe_core::transport::{Failure, ReplyBody, Sent};
use oe_test_support::peer::{Nobody, Peer, Step, Swamp, json, wait_until};

/// How late a deadline may be noticed on a machine that has much else to do.
const SOON: Duration = Duration::from_secs(1);

/// Sends with this deadline and checks that it holds.
fn at_deadline(post: Post, time: Duration) -> oe_core::transport::Exchange {
    let start = Instant::now();
    let exchange = post.timeout(time).send(&transport());
    let took = start.elapsed();
    assert!(
        took >= time - ms(5) && took < time + SOON,
        "{took:?} instead of {time:?}"
    );
    exchange
}

#[test]
fn nothing_is_sent_when_there_is_no_time_or_the_call_is_cancelled() {
    let peer = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    let transport = transport();
    assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport)), b"{}");
    let late = Post::to(&peer.base_url())
        .timeout(Duration::ZERO)
        .send(&transport);
    assert_eq!(
        (late.outcome, late.sent),
        (Err(Failure::Timeout), Sent::Nothing)
    );
    let post = Post::to(&peer.base_url());
    post.cancel.cancel();
    let cancelled = post.send(&transport);
    assert_eq!(cancelled.outcome, Err(Failure::Cancelled));
    assert_eq!(cancelled.sent, Sent::Nothing);
    let endless = Post::to(&peer.base_url())
        .timeout(Duration::MAX)
        .send(&transport);
    assert_eq!(whole(&endless), b"{}");
    assert_eq!(peer.seen().len(), 2);
}

#[test]
fn re_17_the_connect_share_of_the_deadline() {
    let swamp = Swamp::new();
    let base = format!("http://{}", swamp.addr());
    let mut post = Post::to(&base);
    post.connect_timeout = ms(700);
    let start = Instant::now();
    let exchange = post.send(&transport());
    let took = start.elapsed();
    assert_eq!(exchange.outcome, Err(Failure::Connect));
    assert_eq!((exchange.sent, exchange.bytes_sent), (Sent::Nothing, 0));
    assert!(took >= ms(695) && took < ms(700) + SOON, "{took:?}");
    // The deadline comes first.
    let exchange = at_deadline(Post::to(&base), ms(600));
    assert_eq!(exchange.outcome, Err(Failure::Timeout));
}

#[test]
fn fb_01_refused_connections_and_unknown_names_fail_at_once() {
    let nobody = Nobody::new();
    let port = nobody.addr().port();
    for base in [
        format!("http://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
    ] {
        let start = Instant::now();
        let exchange = Post::to(&base).send(&transport());
        assert_eq!(exchange.outcome, Err(Failure::Connect));
        assert_eq!(exchange.sent, Sent::Nothing);
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    let unknown = Post::to("http://no-such-name.invalid").send(&transport());
    // A resolver that nobody answers may be silent until the deadline: that is the system's affair.
    let failed = matches!(unknown.outcome, Err(Failure::Dns | Failure::Timeout));
    assert!(failed && unknown.sent == Sent::Nothing, "{unknown:?}");
}

#[test]
fn a_handshake_that_hangs_ends_at_the_deadline() {
    let peer = Peer::plain(vec![vec![Step::Drain]]);
    let base = peer
        .base_url()
        .replace("http://127.0.0.1", "https://localhost");
    let exchange = at_deadline(Post::to(&base), ms(700));
    assert_eq!(exchange.outcome, Err(Failure::Timeout));
    assert_eq!((exchange.sent, exchange.answered), (Sent::Nothing, false));
    peer.wait_for_open(0);
}

#[test]
fn re_06_an_upload_that_nobody_reads_ends_at_the_deadline() {
    for peer in both(&[vec![Step::Head, Step::Sleep(ms(3_500)), Step::Drain]]) {
        let post = Post::to(&peer.base_url()).image(MORE_THAN_BUFFERS);
        let exchange = at_deadline(post, ms(1_500));
        assert_eq!(exchange.outcome, Err(Failure::Timeout));
        assert_eq!((exchange.sent, exchange.answered), (Sent::Part, false));
        peer.wait_for_open(0);
    }
}

#[test]
fn re_07_no_answer_after_a_complete_upload() {
    for peer in both(&[vec![Step::Request, Step::Hang]]) {
        let exchange = at_deadline(Post::to(&peer.base_url()).image(300_000), ms(2_000));
        assert_eq!(exchange.outcome, Err(Failure::Timeout));
        assert_eq!((exchange.sent, exchange.answered), (Sent::All, false));
        peer.wait_for_open(0);
        assert_eq!(
            (peer.seen().len(), peer.connections()),
            (1, 1),
            "not sent again"
        );
    }
}

#[test]
fn an_answer_that_drips_ends_at_the_deadline() {
    // The head alone takes twice the deadline.
    let drip = Step::Drip(json("200 OK", &" ".repeat(1_000)), ms(40));
    for peer in both(&[vec![Step::Request, drip.clone()]]) {
        let head = at_deadline(Post::to(&peer.base_url()), ms(1_500));
        assert_eq!(head.outcome, Err(Failure::Timeout));
    }
    for peer in both(&[vec![
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        drip,
    ]]) {
        let body = at_deadline(Post::to(&peer.base_url()), ms(1_500));
        let body = &reply(&body).body;
        assert!(
            matches!(body, ReplyBody::Broken(_, Failure::Timeout)),
            "{body:?}"
        );
    }
}

#[test]
fn endless_interim_answers_end_at_the_deadline() {
    let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(400_000);
    for size in [2_000, 5 << 20] {
        for peer in both(&[vec![Step::Head, Step::Send(flood.clone()), Step::Hang]]) {
            let exchange = at_deadline(Post::to(&peer.base_url()).image(size), ms(2_500));
            assert_eq!(exchange.outcome, Err(Failure::Timeout));
        }
    }
}

/// Cancels in the middle; it must be over at once.
fn cancel(post: &Post, delay: Duration) -> oe_core::transport::Exchange {
    let (exchange, took) = post.cancelled_after(delay, &transport());
    assert!(took < Duration::from_secs(1), "{took:?}");
    exchange
}

#[test]
fn a_cancel_ends_connecting_and_handshakes() {
    let swamp = Swamp::new();
    let exchange = cancel(&Post::to(&format!("http://{}", swamp.addr())), ms(300));
    assert_eq!(exchange.outcome, Err(Failure::Cancelled));
    assert_eq!(exchange.sent, Sent::Nothing);
    let peer = Peer::plain(vec![vec![Step::Drain]]);
    let base = peer
        .base_url()
        .replace("http://127.0.0.1", "https://localhost");
    let exchange = cancel(&Post::to(&base), ms(300));
    assert_eq!(exchange.outcome, Err(Failure::Cancelled));
    assert_eq!(exchange.sent, Sent::Nothing);
    peer.wait_for_open(0);
}

#[test]
fn a_cancel_ends_uploads_and_waits() {
    for (script, size, sent) in [
        (vec![Step::Head, Step::Hang], MORE_THAN_BUFFERS, Sent::Part),
        (
            vec![Step::Head, Step::ReadSlowly(10_000), Step::Hang],
            MORE_THAN_BUFFERS,
            Sent::Part,
        ),
        (vec![Step::Request, Step::Hang], 10_000, Sent::All),
        (
            vec![Step::Request, Step::Drip(json("200 OK", "{}"), ms(100))],
            10_000,
            Sent::All,
        ),
    ] {
        for peer in both(&[script]) {
            // The head or the whole request has been read: as much is sent, whoever comes first.
            let arrived = || wait_until("a request", || !peer.seen().is_empty());
            let post = Post::to(&peer.base_url()).image(size);
            let (exchange, took) = post.cancelled_once(arrived, &transport());
            assert!(took < Duration::from_secs(1), "{took:?}");
            assert_eq!(exchange.outcome, Err(Failure::Cancelled));
            assert_eq!(exchange.sent, sent);
        }
    }
}

#[test]
fn a_cancel_ends_a_body_and_the_connection_with_it() {
    let script = vec![
        Step::Request,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec()),
        Step::Drip(vec![b' '; 1_000], ms(50)),
    ];
    for peer in both(&[script]) {
        // Cancelled a while after the head was sent, so that it has been read.
        let begun = || {
            let answered = || peer.seen().iter().any(|seen| seen.answered.is_some());
            wait_until("an answer", answered);
            std::thread::sleep(ms(500));
        };
        let (exchange, took) = Post::to(&peer.base_url()).cancelled_once(begun, &transport());
        assert!(took < Duration::from_secs(1), "{took:?}");
        let body = &reply(&exchange).body;
        assert!(
            matches!(body, ReplyBody::Broken(_, Failure::Cancelled)),
            "{body:?}"
        );
        peer.wait_for_open(0);
    }
}

#[test]
fn a_cancel_wakes_at_once_not_at_the_next_look() {
    let peer = Peer::plain(vec![vec![Step::Request, Step::Hang]]);
    let times: Vec<_> = (0..5)
        .map(|_| {
            Post::to(&peer.base_url())
                .cancelled_after(ms(60), &transport())
                .1
        })
        .collect();
    let fastest = times.iter().min().unwrap();
    assert!(*fastest < ms(50), "{times:?}");
}

#[test]
fn a_cancel_after_the_answer_harms_nothing() {
    let peer = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    let transport = transport();
    let post = Post::to(&peer.base_url());
    assert_eq!(whole(&post.send(&transport)), b"{}");
    post.cancel.cancel();
    let next = Post::to(&peer.base_url()).send(&transport);
    assert_eq!(whole(&next), b"{}");
    assert!(next.reused);
}

#[test]
#[cfg(target_os = "linux")]
fn a_system_without_sockets_to_give_is_out_of_resources() {
    let name = "a_system_without_sockets_to_give_is_out_of_resources";
    if in_a_process_of_its_own(module_path!(), name, "1").is_none() {
        return;
    }
    let peers = both(&[vec![Step::Serve(json("200 OK", "{}"))]]);
    let limit = libc::rlimit {
        rlim_cur: 64,
        rlim_max: 64,
    };
    // SAFETY: reads the struct given and nothing else.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let transport = transport();
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    for peer in &peers {
        let base = peer.base_url().replace("localhost", "127.0.0.1");
        let exchange = Post::to(&base).send(&transport);
        assert_eq!(exchange.outcome, Err(Failure::Resources));
        assert_eq!(exchange.sent, Sent::Nothing);
    }
    files.clear();
    for peer in &peers {
        assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport)), b"{}");
    }
}

#[cfg(target_os = "linux")]
fn threads_and_files() -> [usize; 2] {
    ["/proc/self/task", "/proc/self/fd"].map(|path| std::fs::read_dir(path).unwrap().count())
}

#[test]
#[cfg(target_os = "linux")]
fn li_10_no_thread_and_no_file_is_left() {
    if in_a_process_of_its_own(module_path!(), "li_10_no_thread_and_no_file_is_left", "1").is_none()
    {
        return;
    }
    let before = threads_and_files();
    {
        let transport = transport();
        for script in [
            vec![Step::Serve(json("200 OK", "{}"))],
            vec![Step::Request, Step::Send(json("200 OK", "{}")), Step::Close],
            vec![Step::Head, Step::Send(json("413 No", "{}")), Step::Reset],
            vec![Step::Close],
            vec![Step::Drain],
        ] {
            for peer in both(&[script]) {
                for n in 0..20 {
                    let post = Post::to(&peer.base_url()).image(300_000).timeout(ms(150));
                    if n % 5 == 4 {
                        post.cancelled_after(ms(n), &transport);
                    } else {
                        post.send(&transport);
                    }
                }
            }
        }
    }
    let start = Instant::now();
    while threads_and_files() != before {
        let left = threads_and_files();
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{before:?} became {left:?}"
        );
        std::thread::sleep(ms(20));
    }
}
