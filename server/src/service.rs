//! The two calls.

use std::sync::Arc;
#[cfg(feature = "embedded")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, BodyStream, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
#[cfg(feature = "embedded")]
use oe_engine::{Ask, LookError};
use oe_picture::{Budget, Picture};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::contexts::{Contexts, Levels, Turn};
use crate::reply::{self, Answer, Edition, Problem};
use crate::server::{Config, Stats};
use crate::verdicts::Verdict;

/// The largest image, in bytes. Source: the public API documentation (6 MiB).
pub const MAX_IMAGE: usize = 6_291_456;
/// What a multipart body may hold besides the image.
const MAX_OVERHEAD: u64 = 64 * 1_024;
/// The side of the square that a picture is decoded to where nobody looks: the engine's, so that the
/// same pictures are refused.
const SIDE: usize = 320;
/// Pictures that may wait for each processor core. At 15 ms each the last waits a quarter of a second.
#[cfg(feature = "embedded")]
const QUEUE: usize = 16;
/// How long a request's body may take.
const BODY_TIME: Duration = Duration::from_secs(120);

const CREATE: &str = "/api/gadget/v1/createcontext";
const PROCESS: &str = "/api/gadget/v1/process/";
const FALLBACK: &str = "/api/gadget/v1/fallback/process/";

pub(crate) struct Service {
    config: Config,
    contexts: Contexts,
    decoders: Arc<Semaphore>,
    #[cfg(feature = "embedded")]
    looking: Looking,
    pub(crate) stats: Stats,
    tls: bool,
}

/// Pictures that are looked at, or wait for it.
#[cfg(feature = "embedded")]
struct Looking {
    queue: Semaphore,
    longest: usize,
    /// Where the time of the prints begins.
    started: Instant,
}

#[cfg(feature = "embedded")]
impl Looking {
    /// By how much the shortest delay grows: twice from a quarter of the longest queue on, four times
    /// from half.
    fn load(&self) -> u32 {
        let waiting = self.longest - self.queue.available_permits();
        match waiting * 4 / self.longest {
            0 => 1,
            1 => 2,
            _ => 4,
        }
    }
}

/// Ends the look of a call when that is dropped.
#[cfg(feature = "embedded")]
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

#[cfg(feature = "embedded")]
impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a request came to, for the log.
pub(crate) struct Done {
    pub(crate) answer: Answer,
    pub(crate) call: &'static str,
    pub(crate) context: Option<u64>,
    pub(crate) bytes: usize,
}

impl Service {
    pub(crate) fn new(config: Config, tls: bool) -> Service {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Service {
            contexts: Contexts::new(config.context_life),
            config,
            decoders: Arc::new(Semaphore::new(cores)),
            #[cfg(feature = "embedded")]
            looking: Looking {
                queue: Semaphore::new(cores * QUEUE),
                longest: cores * QUEUE,
                started: Instant::now(),
            },
            stats: Stats::default(),
            tls,
        }
    }

    pub(crate) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let start = Instant::now();
        let done = self.route(request).await;
        let context = done
            .context
            .map_or(String::new(), |number| format!(" ctx={number}"));
        self.config.log.line(&format!(
            "call={}{context} status={} bytes={} ms={}",
            done.call,
            done.answer.status().as_u16(),
            done.bytes,
            start.elapsed().as_millis()
        ));
        done.answer
    }

    async fn route(&self, request: Request<Incoming>) -> Done {
        let path = request.uri().path().to_owned();
        let id = path
            .strip_prefix(PROCESS)
            .or_else(|| path.strip_prefix(FALLBACK));
        let plain = |call, answer| Done {
            answer,
            call,
            context: None,
            bytes: 0,
        };
        if request.method() != Method::POST {
            return plain("other", reply::refuse(Problem::NOT_FOUND, None));
        }
        match id {
            Some(id) => self.process(id, request).await,
            None if path == CREATE => {
                let answer = self.create(request).await;
                plain(
                    "create",
                    answer.unwrap_or_else(|problem| reply::refuse(problem, None)),
                )
            }
            None => plain("other", reply::refuse(Problem::NOT_FOUND, None)),
        }
    }

    async fn create(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let key = key_of(&request).map(str::to_owned);
        self.config.keys.check(key.as_deref(), false)?;
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned);
        let body = Limited::new(request.into_body(), 16 * 1_024);
        let body = tokio::time::timeout(BODY_TIME, body.collect()).await;
        let body = body
            .map_err(|_| Problem::PARSE)?
            .map_err(|_| Problem::PARSE)?
            .to_bytes();
        let levels: Value = serde_json::from_slice(&body).map_err(|_| Problem::PARSE)?;
        let levels = levels.as_object().ok_or(Problem::PARSE)?;
        let level = |name: &str| match levels.get(name) {
            None | Some(Value::Null) => Ok(3),
            Some(level) => level
                .as_u64()
                .and_then(|level| u8::try_from(level).ok())
                .filter(|level| (1..=5).contains(level))
                .ok_or(Problem::BAD_ARGS),
        };
        let levels = Levels {
            warning: level("WarningConfidenceLevel")?,
            pause: level("PauseConfidenceLevel")?,
        };
        let scheme = if self.tls { "https" } else { "http" };
        let origin = match (&self.config.public_url, host) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(host)) => format!("{scheme}://{host}"),
            (None, None) => return Err(Problem::PARSE),
        };
        let id = self
            .contexts
            .create(key.as_deref().unwrap_or_default(), levels)?;
        self.stats.created();
        Ok(reply::body(
            200,
            &json!({
                "ContextId": id,
                "ProcessRequestUrl": format!("{origin}{PROCESS}{id}"),
                "FallbackProcessRequestUrl": format!("{origin}{FALLBACK}{id}"),
            }),
        ))
    }

    async fn process(&self, id: &str, request: Request<Incoming>) -> Done {
        let mut done = Done {
            answer: reply::refuse(Problem::INTERNAL, None),
            call: "process",
            context: None,
            bytes: 0,
        };
        let answer = self
            .answer(id, request, &mut done.context, &mut done.bytes)
            .await;
        done.answer = answer.unwrap_or_else(|problem| reply::refuse(problem, None));
        done
    }

    async fn answer(
        &self,
        id: &str,
        request: Request<Incoming>,
        number: &mut Option<u64>,
        bytes: &mut usize,
    ) -> Result<Answer, Problem> {
        let key = key_of(&request).unwrap_or_default().to_owned();
        self.config.keys.check(Some(&key), true)?;
        let context = self.contexts.find(id, &key)?;
        *number = Some(context.number);
        let turn = context.take()?;
        let arrived = Instant::now();
        if request.body().size_hint().lower() > MAX_IMAGE as u64 + MAX_OVERHEAD {
            return Err(Problem::TOO_LARGE);
        }
        let image = tokio::time::timeout(BODY_TIME, one_file(request)).await;
        let image = image.map_err(|_| Problem::PARSE)??;
        *bytes = image.len();
        let verdict = &self.judge(image, &turn).await?;
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
        let minimum = verdict.minimum.unwrap_or(self.config.minimum);
        turn.answered(if verdict.error.is_some() { 0 } else { minimum });
        if let Some(word) = &verdict.error {
            let usual = Problem::by_word(word);
            let problem = Problem(verdict.status.unwrap_or(usual.0), usual.1, usual.2);
            return Ok(reply::refuse(problem, verdict.retry_after));
        }
        self.config.keys.count(&key);
        self.stats.processed(arrived);
        let recommended = verdict
            .recommended
            .unwrap_or(self.config.recommended)
            .max(minimum);
        let told = match self.config.edition {
            // The one number of edition A is what a client waits: not the least.
            Edition::A if self.looks() => recommended,
            _ => minimum,
        };
        let edition = self.config.edition;
        Ok(reply::verdict(verdict, edition, told, recommended))
    }

    #[cfg(feature = "embedded")]
    fn looks(&self) -> bool {
        self.config.engine.is_some()
    }

    #[cfg(not(feature = "embedded"))]
    fn looks(&self) -> bool {
        false
    }

    /// What is said of this picture: what the engine sees, or what is next in the script.
    async fn judge(&self, image: Vec<u8>, turn: &Turn) -> Result<Verdict, Problem> {
        #[cfg(feature = "embedded")]
        if let Some(engine) = &self.config.engine {
            return self.look(engine, image, turn).await;
        }
        self.decode(image).await?;
        let script = &self.config.verdicts;
        let scripted = script.get(turn.call).or(script.last());
        Ok(scripted.cloned().unwrap_or_default())
    }

    /// Looks at the picture, and says what is believed of its print. Too many at once are refused;
    /// before that everybody is asked to come back later.
    #[cfg(feature = "embedded")]
    async fn look(
        &self,
        engine: &Arc<oe_engine::Engine>,
        image: Vec<u8>,
        turn: &Turn,
    ) -> Result<Verdict, Problem> {
        let queue = &self.looking.queue;
        let _queued = queue.try_acquire().map_err(|_| Problem::THROTTLED)?;
        let at = self.looking.started.elapsed();
        let permit = Arc::clone(&self.decoders).acquire_owned().await;
        let permit = permit.map_err(|_| Problem::THROTTLED)?;
        let looking = Arc::clone(engine);
        // A client that hangs up drops this call, and the guard with it.
        let gone = Gone::default();
        let stopped = Arc::clone(&gone.0);
        let looked = tokio::task::spawn_blocking(move || {
            let ask = Ask {
                stop: &|| stopped.load(Ordering::Relaxed),
                ..Ask::default()
            };
            let seen = looking.observe(&image, &ask);
            drop(permit);
            seen
        });
        let seen = looked.await.map_err(|_| Problem::INTERNAL)?;
        drop(gone);
        let seen = seen.map_err(|why| match why {
            LookError::Picture(_) => Problem::DECODE,
            LookError::Model(_) | LookError::Stopped => Problem::INTERNAL,
        })?;
        let opinion = turn.see(at, &seen.look, engine.usual());
        Ok(Verdict {
            quality: opinion.quality,
            score: opinion.score,
            warning: opinion.warning,
            pause: opinion.pause,
            faster: opinion.faster,
            minimum: Some(self.config.minimum * self.looking.load()),
            ..Verdict::default()
        })
    }

    /// Whether the image really is a JPEG: decoded whole, on a thread that may take its time.
    async fn decode(&self, image: Vec<u8>) -> Result<(), Problem> {
        let permit = Arc::clone(&self.decoders).acquire_owned().await;
        let permit = permit.map_err(|_| Problem::THROTTLED)?;
        let decoded = tokio::task::spawn_blocking(move || {
            let result = Picture::decode(&image, SIDE, Budget::process(), &|| false);
            drop(permit);
            result.map(drop).map_err(|_| Problem::DECODE)
        });
        decoded.await.map_err(|_| Problem::DECODE)?
    }
}

fn key_of(request: &Request<Incoming>) -> Option<&str> {
    request
        .headers()
        .get("x-api-key")
        .and_then(|key| key.to_str().ok())
}

/// The only file of a multipart body, whatever its names are.
async fn one_file(request: Request<Incoming>) -> Result<Vec<u8>, Problem> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let boundary = kind
        .and_then(|kind| multer::parse_boundary(kind).ok())
        .ok_or(Problem::PARSE)?;
    let chunks = BodyStream::new(request.into_body()).filter_map(|frame| async move {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok::<Bytes, hyper::Error>),
            Err(error) => Some(Err(error)),
        }
    });
    let mut parts = multer::Multipart::new(chunks, boundary);
    let mut image: Option<Vec<u8>> = None;
    while let Some(mut part) = parts.next_field().await.map_err(|_| Problem::PARSE)? {
        if image.is_some() {
            return Err(Problem::BAD_ARGS);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(|_| Problem::PARSE)? {
            if bytes.len() + chunk.len() > MAX_IMAGE {
                return Err(Problem::TOO_LARGE);
            }
            bytes.extend_from_slice(&chunk);
        }
        image = Some(bytes);
    }
    image
        .filter(|bytes| !bytes.is_empty())
        .ok_or(Problem::BAD_ARGS)
}
