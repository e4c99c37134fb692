//! A clock that stands still until told otherwise, and a transport that follows a script.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use oe_core::account::config::Options;
use oe_core::client::Client;
use oe_core::error::{Due, Error, Status};
use oe_core::platform::clock::{Clock, Spawn, StdSpawn, World};
use oe_core::platform::log::{Level, Log, LogSink};
use oe_core::rules::confidence::Confidence;
use oe_core::session::Session;
use oe_core::session::outcome::Outcome;
use oe_core::transport::{
    Exchange, Failure, MAX_REPLY_BODY, Reply, ReplyBody, Request, Sent, Transport,
};

pub const KEY: &str = "SECRETKEY0123456789";
pub const PRIMARY: &str =
    "https://gadget-region.octoeverywhere.com/api/gadget/v1/process/SECRETCTX1";
pub const FALLBACK: &str =
    "https://gadget-pv1-oeapi.octoeverywhere.com/api/gadget/v1/process/SECRETCTX1";
pub const CREATE_BODY: &str = r#"{"ContextId":"SECRETCTX1","ProcessRequestUrl":"https://gadget-region.octoeverywhere.com/api/gadget/v1/process/SECRETCTX1","FallbackProcessRequestUrl":"https://gadget-pv1-oeapi.octoeverywhere.com/api/gadget/v1/process/SECRETCTX1"}"#;
pub const P200: &str = r#"{"NextProcessIntervalSec":{"Minimum":5,"Recommended":20},"FasterInspectionSuggested":false,"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false,"Score":5}"#;

/// A verdict in edition B.
pub fn p200(minimum: u32, recommended: u32, faster: bool, warning: bool, pause: bool) -> String {
    format!(
        r#"{{"NextProcessIntervalSec":{{"Minimum":{minimum},"Recommended":{recommended}}},"FasterInspectionSuggested":{faster},"PrintQuality":8,"WarningSuggested":{warning},"PauseSuggested":{pause},"Score":5}}"#
    )
}

/// An error body with a type and details that must never be shown.
pub fn error_body(kind: &str) -> String {
    format!(r#"{{"ErrorType":"{kind}","ErrorDetails":"SECRETDETAILS"}}"#)
}

pub const GONE: &str =
    r#"{"ErrorType":"OE_INTERNAL_ERROR","ErrorDetails":"Failed to get context object."}"#;

#[derive(Debug)]
struct Times {
    now: Duration,
    wall_ms: i64,
    boot: Option<Duration>,
    boot_id: Option<String>,
    /// How many readings there are before one that panics.
    trap: Option<usize>,
}

#[derive(Debug)]
pub struct FakeClock(Mutex<Times>);

impl FakeClock {
    pub fn new() -> FakeClock {
        FakeClock(Mutex::new(Times {
            now: Duration::from_secs(40 * 24 * 3_600),
            wall_ms: 1_793_000_000_000,
            boot: Some(Duration::from_secs(1_000)),
            boot_id: Some("boot-1".into()),
            trap: None,
        }))
    }

    /// The reading after so many others panics, once.
    pub fn set_trap(&self, readings: usize) {
        self.0.lock().unwrap().trap = Some(readings);
    }

    /// Whether no reading has panicked since it was set, and none will.
    pub fn take_trap(&self) -> bool {
        self.0.lock().unwrap().trap.take().is_some()
    }

    /// All clocks go on.
    pub fn advance(&self, time: Duration) {
        let mut times = self.0.lock().unwrap();
        times.now += time;
        times.wall_ms += i64::try_from(time.as_millis()).unwrap();
        times.boot = times.boot.map(|boot| boot + time);
    }

    pub fn advance_secs(&self, secs: u64) {
        self.advance(Duration::from_secs(secs));
    }

    /// The device sleeps: the monotonic clock stands still.
    pub fn suspend(&self, time: Duration) {
        let mut times = self.0.lock().unwrap();
        times.wall_ms += i64::try_from(time.as_millis()).unwrap();
        times.boot = times.boot.map(|boot| boot + time);
    }

    pub fn jump_wall(&self, ms: i64) {
        self.0.lock().unwrap().wall_ms += ms;
    }

    /// The device starts anew: another boot id, a boot clock near zero.
    pub fn reboot(&self) {
        let mut times = self.0.lock().unwrap();
        times.boot = Some(Duration::from_secs(30));
        times.boot_id = Some("boot-2".into());
    }

    pub fn without_boot_clock(&self) {
        let mut times = self.0.lock().unwrap();
        times.boot = None;
        times.boot_id = None;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        let mut times = self.0.lock().unwrap();
        let now = times.now;
        times.trap = match times.trap {
            Some(0) => {
                times.trap = None;
                drop(times);
                // A panic that prints nothing.
                std::panic::resume_unwind(Box::new("planted"));
            }
            trap => trap.map(|readings| readings - 1),
        };
        now
    }

    fn wall_ms(&self) -> i64 {
        self.0.lock().unwrap().wall_ms
    }

    fn since_boot(&self) -> Option<Duration> {
        self.0.lock().unwrap().boot
    }

    fn boot_id(&self) -> Option<String> {
        self.0.lock().unwrap().boot_id.clone()
    }
}

/// Holds a request until it is released or cancelled.
#[derive(Default)]
pub struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    pub fn wait_until_reached(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |(reached, _)| !*reached)
                .unwrap(),
        );
    }

    pub fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// Reaches it, and waits until it is open.
    pub fn reach_and_wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, open)| !*open).unwrap());
    }

    fn pass(&self, request: &Request<'_>) -> Result<(), Failure> {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        self.changed.notify_all();
        while !state.1 {
            if request.cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            state = self
                .changed
                .wait_timeout(state, Duration::from_millis(2))
                .unwrap()
                .0;
        }
        Ok(())
    }
}

#[derive(Clone)]
pub enum Step {
    Reply {
        status: u16,
        body: Vec<u8>,
        headers: Vec<(&'static str, String)>,
    },
    Fail {
        failure: Failure,
        sent: Sent,
        reused: bool,
    },
    /// The body broke off after this much.
    Broken {
        status: u16,
        body: Vec<u8>,
    },
    TooLong {
        status: u16,
        body: Vec<u8>,
    },
    Encoded {
        status: u16,
    },
    Gated(Arc<Gate>, Box<Step>),
    /// The same for an answer that has arrived already: no cancel keeps it from being read.
    Arrived(Arc<Gate>, Box<Step>),
    Panic,
}

pub fn reply(status: u16, body: &str) -> Step {
    Step::Reply {
        status,
        body: body.as_bytes().to_vec(),
        headers: vec![],
    }
}

pub fn with_header(status: u16, body: &str, name: &'static str, values: &[&str]) -> Step {
    let headers = values
        .iter()
        .map(|value| (name, (*value).to_owned()))
        .collect();
    Step::Reply {
        status,
        body: body.as_bytes().to_vec(),
        headers,
    }
}

pub fn fail(failure: Failure) -> Step {
    let sent = match failure {
        Failure::Io => Sent::Part,
        Failure::Timeout => Sent::All,
        _ => Sent::Nothing,
    };
    Step::Fail {
        failure,
        sent,
        reused: false,
    }
}

pub fn ok() -> Step {
    reply(200, P200)
}

#[derive(Clone, Debug)]
pub struct Seen {
    pub url: String,
    pub key: Option<String>,
    pub content_type: String,
    pub body: Vec<u8>,
    pub at: Duration,
}

/// Answers from a script; what is not scripted is an error of the test.
pub struct Script {
    steps: Mutex<VecDeque<Step>>,
    /// Answers when the script is used up.
    pub otherwise: Mutex<Option<Step>>,
    seen: Mutex<Vec<Seen>>,
    clock: Arc<FakeClock>,
    pub overdrawn: AtomicBool,
}

impl Script {
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn creates(&self) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.url.ends_with("createcontext"))
            .count()
    }

    pub fn uploads(&self) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| !seen.url.ends_with("createcontext"));
        seen
    }

    pub fn push(&self, step: Step) {
        self.steps.lock().unwrap().push_back(step);
    }

    pub fn push_front(&self, step: Step) {
        self.steps.lock().unwrap().push_front(step);
    }

    fn run(&self, step: Step, request: &Request<'_>) -> Exchange {
        let all = request.body_len() as u64;
        let done = |outcome, sent, reused| Exchange {
            outcome,
            sent,
            reused,
            answered: false,
            bytes_sent: if sent == Sent::All { all } else { 0 },
            bytes_received: 0,
            cause: None,
        };
        let answer = |status, headers: Vec<(&str, String)>, body| {
            let named = |wanted: &'static str| -> Vec<String> {
                let of_name = headers.iter().filter(|(name, _)| *name == wanted);
                of_name.map(|(_, value)| value.clone()).collect()
            };
            let reply = Reply {
                status,
                retry_after: named("retry-after"),
                date: named("date").pop(),
                body,
            };
            Exchange {
                answered: true,
                ..done(Ok(reply), Sent::All, false)
            }
        };
        match step {
            Step::Reply {
                status,
                body,
                headers,
            } if body.len() > MAX_REPLY_BODY => answer(
                status,
                headers,
                ReplyBody::TooLong(body[..MAX_REPLY_BODY].to_vec()),
            ),
            Step::Reply {
                status,
                body,
                headers,
            } => answer(status, headers, ReplyBody::Whole(body)),
            Step::Fail {
                failure,
                sent,
                reused,
            } => done(Err(failure), sent, reused),
            Step::Broken { status, body } => {
                answer(status, vec![], ReplyBody::Broken(body, Failure::Io))
            }
            Step::TooLong { status, body } => answer(status, vec![], ReplyBody::TooLong(body)),
            Step::Encoded { status } => answer(status, vec![], ReplyBody::Encoded),
            Step::Arrived(gate, then) => {
                gate.reach_and_wait();
                self.run(*then, request)
            }
            Step::Gated(gate, then) => match gate.pass(request) {
                Ok(()) => self.run(*then, request),
                Err(failure) => done(Err(failure), Sent::Part, false),
            },
            Step::Panic => panic!("a bug"),
        }
    }
}

impl Transport for Script {
    fn exchange(&self, request: &Request<'_>) -> Exchange {
        let at = self.clock.now();
        self.seen.lock().unwrap().push(Seen {
            url: request.url.as_str().to_owned(),
            key: request.key.map(|key| key.expose().to_owned()),
            content_type: request.content_type.to_owned(),
            body: request.body.concat(),
            at,
        });
        let step = self.steps.lock().unwrap().pop_front();
        let step = step.or_else(|| self.otherwise.lock().unwrap().clone());
        match step {
            Some(step) => self.run(step, request),
            None => {
                self.overdrawn.store(true, Ordering::SeqCst);
                panic!("a request that the script does not expect");
            }
        }
    }
}

/// Collects every line.
#[derive(Default)]
pub struct Lines(pub Mutex<Vec<String>>);

impl LogSink for Lines {
    fn line(&self, level: Level, text: &str) {
        self.0.lock().unwrap().push(format!("{level:?} {text}"));
    }
}

/// A client over a script, and everything around it.
pub struct Rig {
    pub clock: Arc<FakeClock>,
    pub script: Arc<Script>,
    pub client: Arc<Client>,
    pub lines: Arc<Lines>,
}

impl Rig {
    pub fn new(steps: Vec<Step>) -> Rig {
        Rig::with(steps, |_| {})
    }

    pub fn with(steps: Vec<Step>, set: impl FnOnce(&mut Options)) -> Rig {
        Rig::on(steps, Arc::new(StdSpawn), set)
    }

    /// In a world that starts threads like this.
    pub fn on(steps: Vec<Step>, spawn: Arc<dyn Spawn>, set: impl FnOnce(&mut Options)) -> Rig {
        let lines = Arc::new(Lines::default());
        let mut options = Options::default();
        options.set_api_key(Some(KEY)).unwrap();
        options.set_log(Log::new(Level::Trace, lines.clone()));
        set(&mut options);
        let clock = Arc::new(FakeClock::new());
        let script = Arc::new(Script {
            steps: Mutex::new(steps.into()),
            otherwise: Mutex::new(None),
            seen: Mutex::default(),
            clock: clock.clone(),
            overdrawn: AtomicBool::new(false),
        });
        let world = World {
            clock: clock.clone(),
            spawn,
            ..World::default()
        };
        let client = Client::with_transport(&options, world, script.clone()).unwrap();
        Rig {
            clock,
            script,
            client,
            lines,
        }
    }

    /// With a context, created by a first step of its own.
    pub fn printing(mut steps: Vec<Step>) -> (Rig, Arc<Session>) {
        steps.insert(0, reply(200, CREATE_BODY));
        let rig = Rig::new(steps);
        let session = rig.create().unwrap();
        (rig, session)
    }

    pub fn create(&self) -> Result<Arc<Session>, Error> {
        self.client
            .create_context(Confidence::default(), Confidence::default())
    }

    /// Lets time pass until the session is due, then processes a new frame.
    pub fn next(&self, session: &Session) -> Result<Outcome, Error> {
        self.clock.advance(wait_of(session));
        session.process(&frame(self.script.seen().len()), None)
    }

    pub fn secs_until_due(&self, session: &Session) -> u64 {
        wait_of(session).as_secs()
    }
}

pub fn wait_of(session: &Session) -> Duration {
    match session.due() {
        Due::In(wait) => wait,
        Due::Never => panic!("never due"),
    }
}

/// A frame unlike any other.
pub fn frame(n: usize) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0];
    bytes.extend(format!("frame {n} ").repeat(40).bytes());
    bytes.extend([0xFF, 0xD9]);
    bytes
}

pub fn status_of<T: std::fmt::Debug>(result: Result<T, Error>) -> Status {
    match result {
        Ok(_) => Status::Ok,
        Err(error) => error.status,
    }
}
