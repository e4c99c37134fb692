//! A clock that stands still, a transport whose answers are drawn from bytes, and what was seen.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oe_core::account::config::Options;
use oe_core::client::Client;
use oe_core::platform::clock::{self, Clock, Spawn};
use oe_core::transport::{Exchange, Failure, Reply, ReplyBody, Request, Sent, Transport};

/// What the fuzzer sees of one request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) url: String,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// A verdict, or an image that could not be decoded: the normal interval follows.
    pub(crate) normal: bool,
    pub(crate) latched_before: bool,
}

#[derive(Default)]
struct State {
    now: Duration,
    wall_ms: i64,
    answers: Vec<u8>,
    next: usize,
    contexts: u32,
    seen: Vec<Seen>,
    latched: bool,
    /// No thread is to be had.
    refuses: bool,
}

/// Everything outside of the client.
pub(crate) struct World(Mutex<State>);

/// Starts none, and says so or not.
impl Spawn for World {
    fn spawn(&self, _: &'static str, _: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        match self.0.lock().expect("no panic").refuses {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}

impl World {
    pub(crate) fn new(answers: Vec<u8>) -> Arc<World> {
        Arc::new(World(Mutex::new(State {
            now: Duration::from_secs(40 * 24 * 3_600),
            wall_ms: 1_793_000_000_000,
            answers,
            ..State::default()
        })))
    }

    /// The clock and the threads.
    pub(crate) fn outside(self: &Arc<Self>) -> clock::World {
        clock::World {
            clock: Arc::clone(self) as _,
            spawn: Arc::clone(self) as _,
            ..clock::World::default()
        }
    }

    pub(crate) fn client(self: &Arc<Self>) -> Arc<Client> {
        let mut options = Options::default();
        options.set_api_key(Some("SECRETKEY")).expect("a good key");
        Client::with_transport(&options, self.outside(), Arc::clone(self) as _)
            .expect("good options")
    }

    pub(crate) fn advance(&self, time: Duration) {
        let mut state = self.0.lock().expect("no panic");
        state.now += time;
        state.wall_ms += i64::try_from(time.as_millis()).expect("short");
    }

    pub(crate) fn jump_wall(&self, ms: i64) {
        self.0.lock().expect("no panic").wall_ms += ms;
    }

    /// Tells the transport what the client says of its latch, just before a call.
    pub(crate) fn set_latched(&self, latched: bool) {
        self.0.lock().expect("no panic").latched = latched;
    }

    pub(crate) fn set_refuses(&self, refuses: bool) {
        self.0.lock().expect("no panic").refuses = refuses;
    }

    /// From now on every answer is a good one.
    pub(crate) fn all_well(&self) {
        let mut state = self.0.lock().expect("no panic");
        state.next = state.answers.len();
        state.refuses = false;
    }

    /// How many frames were sent, not counting the first requests.
    pub(crate) fn uploads_since(&self, requests: usize) -> usize {
        let state = self.0.lock().expect("no panic");
        let later = state.seen.iter().skip(requests);
        later
            .filter(|seen| !seen.url.ends_with("createcontext"))
            .count()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().expect("no panic").seen.clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.lock().expect("no panic").seen.len()
    }
}

impl Clock for World {
    fn now(&self) -> Duration {
        self.0.lock().expect("no panic").now
    }

    fn wall_ms(&self) -> i64 {
        self.0.lock().expect("no panic").wall_ms
    }

    fn since_boot(&self) -> Option<Duration> {
        Some(self.now())
    }

    fn boot_id(&self) -> Option<String> {
        Some("boot".into())
    }
}

fn refusal(kind: &str) -> String {
    format!(r#"{{"ErrorType":"{kind}","ErrorDetails":"x"}}"#)
}

/// The answer that a byte stands for, to a process call.
fn verdict(byte: u8) -> Result<(u16, String), Failure> {
    let minimum = 5 + u32::from(byte) % 30;
    let ok = |warning, pause| {
        let body = format!(
            r#"{{"NextProcessIntervalSec":{{"Minimum":{minimum},"Recommended":{minimum}}},"PrintQuality":5,"WarningSuggested":{warning},"PauseSuggested":{pause}}}"#
        );
        Ok((200, body))
    };
    match byte % 24 {
        0..8 => ok(false, false),
        8 => ok(true, false),
        9 | 10 => ok(true, true),
        11 => Ok((200, "{}".into())),
        12 => Ok((500, refusal("OE_INTERNAL_ERROR"))),
        13 => Ok((
            500,
            r#"{"ErrorType":"OE_INTERNAL_ERROR","ErrorDetails":"Failed to get context object."}"#
                .into(),
        )),
        14 => Ok((503, refusal("OE_BACKEND_THROTTLED"))),
        15 => Ok((429, refusal("OE_CONTEXT_RATE_LIMITED"))),
        16 => Ok((400, refusal("OE_IMAGE_DECODE_FAILED"))),
        17 => Ok((400, refusal("OE_BAD_ARGS"))),
        18 => Ok((404, String::new())),
        19 => Ok((403, "<html>".into())),
        20 => Ok((401, refusal("OE_INVALID_API_KEY"))),
        21 => Err(Failure::Connect),
        22 => Err(Failure::Timeout),
        _ => Err(Failure::Io),
    }
}

impl Transport for World {
    fn exchange(&self, request: &Request<'_>) -> Exchange {
        let mut state = self.0.lock().expect("no panic");
        let began = state.now;
        let byte = state.answers.get(state.next).copied().unwrap_or(0);
        state.next += 1;
        // A call takes its time.
        state.now += Duration::from_millis(u64::from(byte) * 7);
        let url = request.url.as_str().to_owned();
        let answer = if url.ends_with("createcontext") && byte % 8 != 7 {
            state.contexts += 1;
            let n = state.contexts;
            Ok((
                200,
                format!(
                    r#"{{"ContextId":"{n}","ProcessRequestUrl":"https://octoeverywhere.com/p/{n}","FallbackProcessRequestUrl":"https://octoeverywhere.com/f/{n}"}}"#
                ),
            ))
        } else {
            verdict(byte)
        };
        let seen = Seen {
            url,
            began,
            ended: state.now,
            normal: answer.as_ref().is_ok_and(|(status, body)| {
                *status == 200 && body != "{}" || body.contains("OE_IMAGE_DECODE_FAILED")
            }),
            latched_before: state.latched,
        };
        state.latched |= matches!(&answer, Ok((401, _)));
        state.seen.push(seen);
        let sent = if answer.is_ok() {
            Sent::All
        } else {
            Sent::Part
        };
        Exchange {
            outcome: answer.map(|(status, body)| Reply {
                status,
                retry_after: Vec::new(),
                date: None,
                body: ReplyBody::Whole(body.into_bytes()),
            }),
            sent,
            reused: byte % 2 == 1,
            answered: false,
            bytes_sent: 0,
            bytes_received: 0,
            cause: None,
        }
    }
}
