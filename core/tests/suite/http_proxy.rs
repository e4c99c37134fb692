//! Requests through a proxy.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::http_rig::{KEY, Post, both, config, in_a_process_of_its_own, ms, whole};
use oe_core::http::{HttpConfig, HttpTransport, Proxy};
use oe_core::platform::log::{Level, Log, LogSink};
use oe_core::transport::{Exchange, Failure, Sent};
use oe_test_support::peer::{Nobody, Peer, Step, Swamp, json};

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl LogSink for Lines {
    fn line(&self, _: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

fn through(proxy: &str) -> HttpTransport {
    let proxy = Some(Proxy::parse(proxy).unwrap());
    HttpTransport::new(HttpConfig { proxy, ..config() }).unwrap()
}

/// A proxy that answers a CONNECT with these bytes and then does this.
fn proxy(bytes: &str, then: &[Step]) -> Peer {
    let mut script = vec![Step::Head, Step::Send(bytes.into())];
    script.extend_from_slice(then);
    Peer::plain(vec![script])
}

fn service() -> [Peer; 2] {
    both(&[vec![Step::Serve(json("200 OK", "{}"))]])
}

#[test]
fn up_14_a_tunnel_carries_http_and_https() {
    for service in service() {
        for answer in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nX-Long: 1\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 Fine\r\n\r\n",
        ] {
            let proxy = proxy(answer, &[Step::Relay(service.addr())]);
            let transport = through(&proxy.base_url());
            for reused in [false, true] {
                let post = Post::to(&service.base_url()).image(500_000);
                let exchange = post.send(&transport);
                assert_eq!(whole(&exchange), b"{}");
                assert_eq!((exchange.reused, exchange.sent), (reused, Sent::All));
                assert!(service.seen().last().unwrap().body == post.whole_body());
            }
            let authority = service.base_url().split_once("//").unwrap().1.to_owned();
            let seen = proxy.seen();
            assert_eq!(seen.len(), 1, "one tunnel for both");
            assert!(
                seen[0]
                    .head
                    .starts_with(&format!("CONNECT {authority} HTTP/1.1\r\n"))
            );
            assert_eq!(seen[0].header("host"), Some(authority.as_str()));
            assert_eq!(seen[0].header("proxy-authorization"), None);
            assert!(!seen[0].head.contains(KEY));
            let inner = &service.seen()[0];
            assert!(inner.head.starts_with("POST /p/CTX1 HTTP/1.1\r\n"));
        }
    }
}

#[test]
fn up_14_credentials_go_to_the_proxy_and_nowhere_else() {
    let [service, _] = service();
    let proxy = proxy("HTTP/1.1 200 OK\r\n\r\n", &[Step::Relay(service.addr())]);
    let url = proxy.base_url().replace("//", "//us%40er:s3cr3t%2F@");
    let lines = Arc::new(Lines::default());
    let parsed = Proxy::parse(&url).unwrap();
    let shown = format!("{parsed:?}");
    let transport = HttpTransport::new(HttpConfig {
        proxy: Some(parsed),
        log: Log::new(Level::Trace, lines.clone()),
        ..config()
    })
    .unwrap();
    let exchange = Post::to(&service.base_url()).send(&transport);
    assert_eq!(whole(&exchange), b"{}");
    // "us@er:s3cr3t/"
    let basic = "dXNAZXI6czNjcjN0Lw==";
    let expected = format!("Basic {basic}");
    assert_eq!(
        proxy.seen()[0].header("proxy-authorization"),
        Some(expected.as_str())
    );
    assert_eq!(service.seen()[0].header("proxy-authorization"), None);
    let log = lines.0.lock().unwrap().join("\n");
    assert!(
        log.contains("through the proxy") && log.contains("HTTP 200"),
        "{log}"
    );
    for secret in [KEY, "CTX1", "/p/", "s3cr3t", basic, "us@er", "us%40er"] {
        assert!(
            !log.contains(secret) && !shown.contains(secret),
            "{secret}: {log} {shown}"
        );
    }
}

fn assert_refused(exchange: &Exchange, what: &str) {
    assert_eq!(exchange.outcome, Err(Failure::Proxy), "{what}");
    assert_eq!(
        (exchange.sent, exchange.bytes_sent),
        (Sent::Nothing, 0),
        "{what}"
    );
    assert!(!exchange.answered, "{what}");
}

#[test]
fn up_14_a_proxy_that_refuses_is_a_proxy_failure() {
    for service in service() {
        for (answer, then) in [
            (
                "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
                Step::Hang,
            ),
            ("HTTP/1.1 502 Bad\r\n\r\n", Step::End),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://a/\r\n\r\n",
                Step::End,
            ),
            ("HTTP/1.1 101 Switch\r\n\r\n", Step::Hang),
            ("HTTP/1.1 200 OK\r\n", Step::End),
            ("", Step::End),
            ("", Step::Reset),
            ("SSH-2.0\r\n\r\n", Step::Hang),
            (&"x".repeat(100_000), Step::Hang),
        ] {
            let proxy = proxy(answer, &[then]);
            let exchange = Post::to(&service.base_url()).send(&through(&proxy.base_url()));
            assert_refused(&exchange, &answer[..answer.len().min(30)]);
            assert_eq!(proxy.connections(), 1);
        }
        let nobody = Nobody::new();
        let gone = format!("http://{}", nobody.addr());
        assert_refused(&Post::to(&service.base_url()).send(&through(&gone)), "gone");
        assert_eq!(service.connections(), 0, "never around the proxy");
    }
}

#[test]
fn up_14_a_proxy_that_hangs_ends_at_the_deadline() {
    let [service, _] = service();
    let proxy = Peer::plain(vec![vec![Step::Head, Step::Hang]]);
    let start = Instant::now();
    let post = Post::to(&service.base_url()).timeout(ms(700));
    let exchange = post.send(&through(&proxy.base_url()));
    assert_eq!(exchange.outcome, Err(Failure::Timeout));
    assert!(start.elapsed() < ms(2_000));
    let swamp = Swamp::new();
    let mut post = Post::to(&service.base_url());
    post.connect_timeout = ms(400);
    assert_refused(
        &post.send(&through(&format!("http://{}", swamp.addr()))),
        "swamp",
    );
    let proxy = Peer::plain(vec![vec![Step::Head, Step::Hang]]);
    let post = Post::to(&service.base_url());
    let (exchange, took) = post.cancelled_after(ms(300), &through(&proxy.base_url()));
    assert_eq!(exchange.outcome, Err(Failure::Cancelled));
    assert!(took < Duration::from_secs(1));
}

#[test]
fn up_14_a_certificate_is_checked_through_the_proxy_too() {
    use crate::http_rig::authority;
    use oe_test_support::certs::Fault;
    let pair = authority().server(Fault::UnknownIssuer);
    let script = vec![Step::Serve(json("200 OK", "{}"))];
    let service = Peer::tls(pair.config(&[]), vec![script]);
    let proxy = proxy("HTTP/1.1 200 OK\r\n\r\n", &[Step::Relay(service.addr())]);
    let exchange = Post::to(&service.base_url()).send(&through(&proxy.base_url()));
    assert_eq!(exchange.outcome, Err(Failure::Tls));
    assert!(service.seen().is_empty());
}

#[test]
fn up_14_the_environment_is_read_only_when_asked() {
    let name = "up_14_the_environment_is_read_only_when_asked";
    let Some(case) = in_a_process_of_its_own(module_path!(), name, "all") else {
        return;
    };
    assert_eq!(case, "all");
    let [service, _] = service();
    let set = |variables: &[(&str, &str)]| {
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            for name in [name.to_owned(), name.to_uppercase()] {
                // SAFETY: this process has one thread that looks at its environment, this one.
                unsafe { std::env::remove_var(name) };
            }
        }
        for (name, value) in variables {
            // SAFETY: as above.
            unsafe { std::env::set_var(name, value) };
        }
    };
    let read = || {
        Proxy::from_env()
            .map(|proxy| format!("{proxy:?}"))
            .map_err(drop)
    };
    let upper = "http://user:pass@upper.test:2";
    let local = "http://127.0.0.1:1";
    for (variables, expected) in [
        (
            &[
                ("https_proxy", "http://lower.test:1"),
                ("HTTPS_PROXY", upper),
            ][..],
            Ok("Some(Proxy(lower.test:1))"),
        ),
        (
            &[("HTTPS_PROXY", upper), ("HTTP_PROXY", local)],
            Ok("Some(Proxy(upper.test:2))"),
        ),
        (
            &[("HTTPS_PROXY", "HTTP://upper.test:2/")],
            Ok("Some(Proxy(upper.test:2))"),
        ),
        (
            &[("HTTPS_PROXY", "upper.test:2")],
            Ok("Some(Proxy(upper.test:2))"),
        ),
        (&[("HTTPS_PROXY", "")], Ok("None")),
        (
            &[
                ("http_proxy", local),
                ("HTTP_PROXY", local),
                ("ALL_PROXY", local),
            ],
            Ok("None"),
        ),
        (&[("HTTPS_PROXY", "socks5://upper.test:2")], Err(())),
    ] {
        set(variables);
        assert_eq!(
            read().as_deref(),
            expected.as_ref().copied(),
            "{variables:?}"
        );
        // Who did not ask goes straight to the service.
        let straight = HttpTransport::new(config()).unwrap();
        assert_eq!(whole(&Post::to(&service.base_url()).send(&straight)), b"{}");
    }
    for (exceptions, around) in [
        ("a.test, 127.0.0.1", true),
        ("*", true),
        ("0.0.1,a.test", false),
        ("a.test, fd00::/8 127.0.0.0/8", true),
        ("128.0.0.0/8,fd00::/8", false),
    ] {
        set(&[("https_proxy", local), ("no_proxy", exceptions)]);
        let proxy = Proxy::from_env().unwrap();
        let transport = HttpTransport::new(HttpConfig { proxy, ..config() }).unwrap();
        let exchange = Post::to(&service.base_url()).send(&transport);
        assert_eq!(exchange.outcome.is_ok(), around, "{exceptions}");
    }
}
