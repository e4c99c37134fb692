//! What is made of every kind of answer.

use std::time::Instant;

use crate::http_rig::{KEY, Post, USER_AGENT, answer_of, both, ms, reply, transport, whole};
use oe_core::transport::{Failure, ReplyBody, Sent};
use oe_test_support::peer::{Peer, Step, answer, json};

#[test]
fn up_01_up_13_the_request_is_what_was_asked_for_and_nothing_else() {
    for peer in both(&[vec![Step::Serve(json("200 OK", "{}"))]]) {
        let post = Post::to(&peer.base_url());
        let exchange = post.send(&transport());
        assert_eq!(whole(&exchange), b"{}");
        let seen = peer.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].body, post.whole_body());
        let mut lines: Vec<_> = seen[0].head.trim_end().split("\r\n").collect();
        assert_eq!(lines.remove(0), "POST /p/CTX1 HTTP/1.1");
        let mut names: Vec<_> = lines
            .iter()
            .map(|line| line.split(':').next().unwrap().to_ascii_lowercase())
            .collect();
        names.sort();
        let expected = [
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "x-api-key",
        ];
        assert_eq!(names, expected);
        let authority = peer.base_url().split_once("//").unwrap().1.to_owned();
        for (name, value) in [
            ("host", authority.as_str()),
            ("x-api-key", KEY),
            ("user-agent", USER_AGENT),
            ("accept", "application/json"),
            ("content-type", "multipart/form-data; boundary=b"),
        ] {
            assert_eq!(seen[0].header(name), Some(value), "{name}");
        }
        let total = seen[0].head.len() + seen[0].body.len();
        assert_eq!(exchange.bytes_sent, total as u64);
        let answered = json("200 OK", "{}").len() as u64;
        assert_eq!(exchange.bytes_received, answered);
        assert_eq!((exchange.sent, exchange.reused), (Sent::All, false));
        assert!(exchange.answered);
    }
}

#[test]
fn without_a_key_there_is_no_key_header() {
    let peer = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    let mut post = Post::to(&peer.base_url());
    post.key = None;
    post.body = [b"{}".to_vec(), Vec::new(), Vec::new()];
    assert_eq!(reply(&post.send(&transport())).status, 200);
    assert_eq!(peer.seen()[0].header("x-api-key"), None);
    assert_eq!(peer.seen()[0].body, b"{}");
}

#[test]
fn urls_are_used_exactly_as_they_came() {
    let peer = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    for path in [
        "/p?a=%2F&b='x'&c=[1]",
        "/a//b/../c;d,e!$()*+@:~_-.%zz",
        "/",
        "/%00?",
    ] {
        let mut post = Post::to(&peer.base_url());
        post.url = crate::http_rig::url(&peer.base_url(), path);
        assert_eq!(reply(&post.send(&transport())).status, 200);
        assert_eq!(peer.seen().last().unwrap().path(), path);
    }
}

#[test]
fn up_02_up_04_the_largest_image_arrives_whole_and_unchunked() {
    for peer in both(&[vec![Step::Serve(json("200 OK", "{}"))]]) {
        let post = Post::to(&peer.base_url()).image(6_291_456);
        let exchange = post.send(&transport());
        assert_eq!(reply(&exchange).status, 200);
        assert_eq!(exchange.sent, Sent::All);
        let seen = &peer.seen()[0];
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.header("expect"), None);
        let length: usize = seen.header("content-length").unwrap().parse().unwrap();
        assert_eq!(length, post.whole_body().len());
        assert!(seen.body == post.whole_body());
    }
}

#[test]
fn up_07_a_slow_reader_gets_all_of_it() {
    let script = vec![
        Step::ReadSlowly(4_000_000),
        Step::Send(json("200 OK", "{}")),
    ];
    for peer in both(&[script]) {
        let post = Post::to(&peer.base_url()).image(5 << 20);
        let start = Instant::now();
        let exchange = post.send(&transport());
        assert_eq!(reply(&exchange).status, 200);
        assert!(start.elapsed() > ms(1_000));
        assert!(peer.seen()[0].body == post.whole_body());
    }
}

#[test]
fn up_10_interim_responses_are_skipped() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 100 Continue\r\nX-Odd: 1\r\n\r\n\
        HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nLink: </y>\r\n\r\n\
        HTTP/1.1 102 Processing\r\n\r\n";
    let bytes = [&interim[..], &json("200 OK", "{\"a\":1}")].concat();
    assert_eq!(whole(&answer_of(&bytes, Step::Hang)), b"{\"a\":1}");
    // Before the body was sent, one by one, byte by byte.
    for peer in both(&[vec![
        Step::Head,
        Step::Send(interim[..60].to_vec()),
        Step::Sleep(ms(20)),
        Step::Drip(interim[60..].to_vec(), ms(1)),
        Step::Read(2_000),
        Step::Drip(json("200 OK", "{\"a\":1}"), ms(1)),
        Step::Hang,
    ]]) {
        let exchange = Post::to(&peer.base_url()).send(&transport());
        assert_eq!(whole(&exchange), b"{\"a\":1}");
        assert_eq!(exchange.sent, Sent::All);
    }
    // The connection is as good as any other afterwards.
    let peer = Peer::plain(vec![vec![Step::Serve(bytes)]]);
    let transport = transport();
    for reused in [false, true, true] {
        let exchange = Post::to(&peer.base_url()).send(&transport);
        assert_eq!(whole(&exchange), b"{\"a\":1}");
        assert_eq!(exchange.reused, reused);
    }
}

#[test]
fn up_12_the_media_type_does_not_matter() {
    for headers in [
        &[][..],
        &["Content-Type: text/plain"],
        &["Content-Type: image/jpeg"],
    ] {
        let exchange = answer_of(&answer("200 OK", headers, b"{}"), Step::Hang);
        assert_eq!(whole(&exchange), b"{}");
    }
}

#[test]
fn fb_04_every_status_is_reported() {
    for status in [
        200, 201, 202, 299, 300, 304, 307, 400, 404, 418, 499, 500, 599, 600, 601, 613, 999,
    ] {
        let exchange = answer_of(&json(&format!("{status} Word"), ""), Step::Hang);
        assert_eq!(reply(&exchange).status, status);
        assert_eq!(whole(&exchange), b"");
    }
    let without_reason = answer_of(b"HTTP/1.1 613\r\nContent-Length: 2\r\n\r\n{}", Step::Hang);
    assert_eq!(reply(&without_reason).status, 613);
    assert_eq!(whole(&without_reason), b"{}");
    let no_content = answer_of(b"HTTP/1.1 204 No Content\r\n\r\n", Step::Hang);
    assert_eq!(whole(&no_content), b"");
}

#[test]
fn cr_16_redirects_are_not_followed_and_cookies_not_kept() {
    let target = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    let location = format!("Location: {}/elsewhere", target.base_url());
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let bytes = answer(status, &[&location, "Set-Cookie: a=b"], b"moved");
        let peer = Peer::plain(vec![vec![Step::Serve(bytes)]]);
        let transport = transport();
        for _ in 0..2 {
            let exchange = Post::to(&peer.base_url()).send(&transport);
            assert_eq!(reply(&exchange).status.to_string(), status[..3]);
            assert_eq!(whole(&exchange), b"moved");
        }
        let seen = peer.seen();
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|seen| seen.header("cookie").is_none()));
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn an_answer_counts_from_its_status_line_on() {
    for (head, status) in [
        ("HTTP/1.1 413 Too Large\r\n", 413),
        ("HTTP/1.1 613\r\nContent-Len", 613),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", 200),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nA: b\r\n",
            403,
        ),
    ] {
        for then in [Step::End, Step::Reset] {
            let script = vec![
                Step::Request,
                Step::Send(head.into()),
                Step::Sleep(ms(50)),
                then,
            ];
            for peer in both(&[script]) {
                let exchange = Post::to(&peer.base_url()).send(&transport());
                assert_eq!(reply(&exchange).status, status);
                let expected = ReplyBody::Broken(Vec::new(), Failure::Io);
                assert_eq!(reply(&exchange).body, expected);
            }
        }
    }
    for head in [
        "",
        "HTTP/1.1 413",
        "HTTP/1.1 413 Too Lar",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let exchange = answer_of(head.as_bytes(), Step::End);
        assert_eq!(exchange.outcome, Err(Failure::Io), "{head:?}");
        assert_eq!(exchange.answered, !head.is_empty());
        assert_eq!(exchange.sent, Sent::All);
    }
}

#[test]
fn what_is_not_http_is_an_io_failure() {
    for bytes in [
        "<html>hello</html>\r\n\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let exchange = answer_of(bytes.as_bytes(), Step::End);
        assert_eq!(exchange.outcome, Err(Failure::Io), "{bytes:?}");
    }
    let noise = vec![b'x'; 200_000];
    assert_eq!(answer_of(&noise, Step::End).outcome, Err(Failure::Io));
    let lines = b"x: y\r\n".repeat(40_000);
    assert_eq!(answer_of(&lines, Step::End).outcome, Err(Failure::Io));
}

#[test]
fn header_blocks_have_a_limit() {
    let head = |len: usize| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_vec();
        while bytes.len() < len {
            bytes.extend_from_slice(
                format!("X-{}: {}\r\n", bytes.len(), "x".repeat(1_000)).as_bytes(),
            );
        }
        [&bytes[..], b"\r\n{}"].concat()
    };
    for peer in both(&[vec![Step::Request, Step::Send(head(60_000)), Step::Hang]]) {
        assert_eq!(whole(&Post::to(&peer.base_url()).send(&transport())), b"{}");
    }
    for len in [70_000, 120_000] {
        assert_eq!(answer_of(&head(len), Step::Hang).outcome, Err(Failure::Io));
    }
}

#[test]
fn retry_after_and_date_are_handed_on() {
    let mut bytes =
        b"HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nRETRY-AFTER: Wed, 21 Oct 2026 07:28:00 GMT\r\n"
            .to_vec();
    bytes.extend_from_slice(b"Retry-After: \xff\xfe\r\nDate: Wed, 21 Oct 2026 07:27:00 GMT\r\nContent-Length: 0\r\n\r\n");
    let exchange = answer_of(&bytes, Step::Hang);
    let reply = reply(&exchange);
    assert_eq!(reply.retry_after, ["120", "Wed, 21 Oct 2026 07:28:00 GMT"]);
    assert_eq!(reply.date.as_deref(), Some("Wed, 21 Oct 2026 07:27:00 GMT"));
    let bare = answer_of(&json("200 OK", "{}"), Step::Hang);
    let bare = bare.outcome.unwrap();
    assert_eq!((bare.retry_after, bare.date), (Vec::new(), None));
}
