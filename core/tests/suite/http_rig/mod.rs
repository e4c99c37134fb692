//! What the tests of the real transport share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use oe_core::http::{HttpConfig, HttpTransport, Pins, Roots};
use oe_core::key::ApiKey;
use oe_core::platform::cancel::CancelToken;
use oe_core::platform::clock::StdSpawn;
use oe_core::platform::log::Log;
use oe_core::rules::trust::{Trust, TrustedUrl};
use oe_core::transport::{Exchange, Reply, ReplyBody, Request, Transport};
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::fake_jpeg;
use oe_test_support::peer::{Peer, Step};

/// More than the system takes off our hands while the peer reads its first megabyte.
pub const MORE_THAN_BUFFERS: usize = 24 << 20;

pub const KEY: &str = "key-that-nobody-may-see";
pub const USER_AGENT: &str = "oe-process/0.0 (test)";

/// The authority that all tests of one program trust.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Tests"))
}

pub fn config() -> HttpConfig {
    HttpConfig {
        pins: Pins::default(),
        roots: Roots::pem(authority().pem.as_bytes()).unwrap(),
        proxy: None,
        user_agent: USER_AGENT.to_owned(),
        spawn: Arc::new(StdSpawn),
        log: Log::default(),
    }
}

pub fn transport() -> HttpTransport {
    HttpTransport::new(config()).unwrap()
}

/// A peer with a good certificate.
pub fn tls_peer(scripts: Vec<Vec<Step>>) -> Peer {
    Peer::tls(
        authority().server(Fault::None).config(&["http/1.1"]),
        scripts,
    )
}

/// The same script without and with TLS.
pub fn both(scripts: &[Vec<Step>]) -> [Peer; 2] {
    [Peer::plain(scripts.to_vec()), tls_peer(scripts.to_vec())]
}

pub fn url(base: &str, path: &str) -> TrustedUrl {
    let trust = Trust::endpoint(base).unwrap();
    trust.check(&format!("{base}{path}")).unwrap()
}

/// A request that a test sends.
pub struct Post {
    pub url: TrustedUrl,
    pub key: Option<ApiKey>,
    pub body: [Vec<u8>; 3],
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub cancel: CancelToken,
}

impl Post {
    pub fn to(base: &str) -> Post {
        Post {
            url: url(base, "/p/CTX1"),
            key: Some(ApiKey::new(KEY).unwrap()),
            body: [b"--b\r\n".to_vec(), fake_jpeg(2_000, 1), b"--b--".to_vec()],
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            cancel: CancelToken::new(),
        }
    }

    /// With an image of this many bytes.
    pub fn image(mut self, len: usize) -> Post {
        static MADE: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap();
        let image = made.entry(len).or_insert_with(|| fake_jpeg(len, 2));
        self.body[1] = image.clone();
        self
    }

    pub fn timeout(mut self, time: Duration) -> Post {
        self.timeout = time;
        self
    }

    pub fn whole_body(&self) -> Vec<u8> {
        self.body.concat()
    }

    pub fn send(&self, transport: &HttpTransport) -> Exchange {
        let [head, image, tail] = &self.body;
        transport.exchange(&Request {
            url: &self.url,
            key: self.key.as_ref(),
            content_type: "multipart/form-data; boundary=b",
            body: [head, image, tail],
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            cancel: &self.cancel,
        })
    }

    /// Sends, cancels after `delay` and returns what came of it and how long the cancel took.
    pub fn cancelled_after(
        &self,
        delay: Duration,
        transport: &HttpTransport,
    ) -> (Exchange, Duration) {
        self.cancelled_once(|| thread::sleep(delay), transport)
    }

    /// The same, cancelled as soon as `comes` returns.
    pub fn cancelled_once(
        &self,
        comes: impl FnOnce() + Send,
        transport: &HttpTransport,
    ) -> (Exchange, Duration) {
        thread::scope(|scope| {
            let canceller = scope.spawn(|| {
                comes();
                let at = Instant::now();
                self.cancel.cancel();
                at
            });
            let exchange = self.send(transport);
            let end = Instant::now();
            let at = canceller.join().unwrap();
            (exchange, end.saturating_duration_since(at))
        })
    }
}

/// One request to a peer that answers with these bytes and then does this.
pub fn answer_of(bytes: &[u8], then: Step) -> Exchange {
    let peer = Peer::plain(vec![vec![Step::Request, Step::Send(bytes.to_vec()), then]]);
    Post::to(&peer.base_url()).send(&transport())
}

pub fn reply(exchange: &Exchange) -> &Reply {
    match &exchange.outcome {
        Ok(reply) => reply,
        Err(failure) => panic!("no answer but {failure:?}: {exchange:?}"),
    }
}

/// The body of an answer that came whole.
pub fn whole(exchange: &Exchange) -> &[u8] {
    match &reply(exchange).body {
        ReplyBody::Whole(bytes) => bytes,
        other => panic!("not whole: {other:?}"),
    }
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs one test of this program alone, in a process of its own where `what` is set. In that
/// process it returns the value, and the test goes on; in the other, `None`.
pub fn in_a_process_of_its_own(module: &str, test: &str, what: &str) -> Option<String> {
    const CHILD: &str = "OE_TEST_CHILD";
    if let Ok(what) = std::env::var(CHILD) {
        return Some(what);
    }
    // The path of a test begins below its program.
    let (_, module) = module.split_once("::").unwrap();
    let test = format!("{module}::{test}");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", &test, "--test-threads=1"])
        .env(CHILD, what);
    let output = oe_test_support::library::run(&mut child, Duration::from_secs(60));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}: {text}",
        output.status
    );
    None
}
