//! A service or a proxy that says anything, once or without end, over a real socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use oe_core::http::{HttpConfig, HttpTransport, Pins, Proxy, Roots};
use oe_core::platform::cancel::CancelToken;
use oe_core::platform::clock::StdSpawn;
use oe_core::platform::log::Log;
use oe_core::rules::trust::Trust;
use oe_core::transport::{Exchange, MAX_REPLY_BODY, ReplyBody, Request, Sent, Transport};

const DEADLINE: Duration = Duration::from_millis(200);
/// By when it has to be noticed on any machine. A flood goes on for longer.
const NOTICED: Duration = Duration::from_secs(20);
const FLOOD: Duration = Duration::from_secs(40);

/// What the first byte of an input says of the peer.
struct Manner {
    /// It is a proxy, not a service.
    proxy: bool,
    /// It says its bytes again and again.
    floods: bool,
    /// It speaks before it was asked.
    early: bool,
}

/// What a peer says: its manner, then its bytes. Whatever they are, the call ends by its deadline, takes
/// no more than its limits and tells why it failed.
pub fn peers(data: &[u8]) {
    let Some((manner, bytes)) = data.split_first() else {
        return;
    };
    let manner = Manner {
        proxy: manner & 1 != 0,
        floods: manner & 2 != 0 && !bytes.is_empty(),
        early: manner & 4 != 0,
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let base = format!("http://{}", listener.local_addr().expect("its address"));
    let proxy = manner.proxy.then(|| Proxy::parse(&base).expect("a proxy"));
    thread::scope(|scope| {
        scope.spawn(|| {
            if let Ok((stream, _)) = listener.accept() {
                speak(stream, &manner, bytes);
            }
        });
        let started = Instant::now();
        let exchange = ask(&base, proxy);
        let took = started.elapsed();
        // Should it never have come, the peer still waits for it.
        drop(TcpStream::connect(&base["http://".len()..]));
        assert!(took < NOTICED, "{took:?}: {exchange:?}");
        check(&exchange);
    });
}

fn speak(mut stream: TcpStream, manner: &Manner, bytes: &[u8]) {
    drop(stream.set_read_timeout(Some(FLOOD)));
    let mut head = [0; 4096];
    if !manner.early && !matches!(stream.read(&mut head), Ok(1..)) {
        return;
    }
    if !manner.floods {
        drop(stream.write_all(bytes));
        return;
    }
    let many = bytes.repeat(1 + 32 * 1024 / bytes.len());
    let started = Instant::now();
    while started.elapsed() < FLOOD && stream.write_all(&many).is_ok() {}
}

fn ask(base: &str, proxy: Option<Proxy>) -> Exchange {
    let transport = HttpTransport::new(HttpConfig {
        pins: Pins::default(),
        roots: Roots::Bundled,
        proxy,
        user_agent: "fuzz".to_owned(),
        spawn: Arc::new(StdSpawn),
        log: Log::default(),
    });
    let trust = Trust::endpoint(base).expect("a base URL");
    transport.expect("good roots").exchange(&Request {
        url: trust.create_url(),
        key: None,
        content_type: "text/plain",
        body: [b"a", b"b", b"c"],
        timeout: DEADLINE,
        connect_timeout: DEADLINE,
        cancel: &CancelToken::new(),
    })
}

fn check(exchange: &Exchange) {
    assert!(exchange.bytes_received < 17 << 20, "{exchange:?}");
    match &exchange.outcome {
        Err(_) => {
            let cause = exchange.cause.as_ref().expect("why it failed");
            let words = cause.to_string();
            assert!(!words.contains(char::is_control), "{words:?}");
            assert!(words.len() < 150, "{words:?}");
            assert!(!cause.to_proxy || exchange.sent == Sent::Nothing);
        }
        Ok(reply) => {
            assert!((100..1_000).contains(&reply.status));
            assert!(exchange.answered && exchange.sent != Sent::Nothing);
            if let ReplyBody::Whole(body) | ReplyBody::TooLong(body) | ReplyBody::Broken(body, _) =
                &reply.body
            {
                assert!(body.len() <= MAX_REPLY_BODY);
            }
        }
    }
}
