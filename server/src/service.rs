//! The two calls, and how the service is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::clock::unix_millis;
use crate::config::Config;
use crate::connections::Connection;
use crate::contexts::{Context, Contexts};
use crate::health::{Health, Word};
use crate::judge::{Appointment, Image, Judge, Levels};
use crate::keys::Caller;
use crate::limits::{BodyLimit, Creates, MAX_OVERHEAD, UploadPermit, Uploads, read_body};
use crate::log::Logger;
use crate::multipart;
use crate::reply::{self, Answer, Edition, Problem, Refusal};
use crate::route::{FALLBACK, PROCESS, Prefix, Route, route};
use crate::state::State;
use crate::stats::Stats;
use crate::store::SavedVerdict;
use crate::verdicts::Verdict;

/// How long the body of a create may take, and be.
const CREATE_BODY: BodyLimit = BodyLimit {
    bytes: 16 * 1_024,
    stall: Duration::from_secs(15),
    time: Duration::from_secs(15),
};

pub(crate) struct Service {
    pub(crate) config: Config,
    contexts: Contexts,
    creates: Creates,
    uploads: Arc<Uploads>,
    health: Arc<Health>,
    judge: Judge,
    state: State,
    pub(crate) stats: Stats,
    pub(crate) log: Logger,
    tls: bool,
}

/// Where a request comes from.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) connection: Arc<Connection>,
}

/// What a request came to, for the log.
#[derive(Default)]
struct RequestRecord {
    call: &'static str,
    key: Option<Arc<str>>,
    context: Option<u64>,
    bytes: usize,
}

impl Service {
    pub(crate) fn new(config: Config, tls: bool) -> Service {
        let health = Health::new(config.patience, config.clock.clone());
        let judge = Judge::new(
            config.engine.clone(),
            Arc::clone(&config.verdicts),
            Arc::clone(&health),
            config.clock.clone(),
            config.speed,
        );
        let limits = &config.limits;
        let mut contexts = Contexts::new(config.context_life, limits, config.clock.clone());
        let state = State::open(config.state.as_deref(), config.history, &mut contexts);
        Service {
            contexts,
            state,
            creates: Creates::new(limits.creates_per_minute),
            uploads: Uploads::new(limits),
            health,
            judge,
            stats: Stats::default(),
            log: Logger::new(config.log),
            tls,
            config,
        }
    }

    /// To be called about once a second.
    pub(crate) fn sample_health(&self) {
        self.health
            .sample(self.uploads.is_full() || self.judge.is_full());
        if let Some(news) = self.state.news() {
            self.log.line(&news);
        }
    }

    /// Writes what is not yet on the disk.
    pub(crate) fn close(&self) {
        self.state.close();
    }

    /// What is remembered over a restart, in words.
    pub(crate) fn remembers(&self) -> String {
        self.state.in_words()
    }

    pub(crate) async fn handle(&self, peer: &Peer, request: Request<Incoming>) -> Answer {
        let start = Instant::now();
        let mut record = RequestRecord::default();
        let path = request.uri().path().to_owned();
        let route = route(request.method(), &path);
        record.call = match route {
            Route::Create(_) => "create",
            Route::Process(..) => "process",
            Route::Health => "health",
            Route::Other => "other",
        };
        let answer = match route {
            Route::Create(prefix) => self.create(peer, prefix, request, &mut record).await,
            Route::Process(prefix, id) => {
                self.process(peer, prefix, id, request, &mut record).await
            }
            Route::Health => Ok(self.health()),
            Route::Other => Err(Problem::NOT_FOUND.into()),
        };
        let answer = answer.unwrap_or_else(reply::refuse);
        self.record(&record, answer.status().as_u16(), start.elapsed());
        answer
    }

    fn record(&self, record: &RequestRecord, status: u16, took: Duration) {
        let key = record.key.as_deref();
        let key = key.map_or(String::new(), |name| format!(" key={name}"));
        let context = record.context;
        let context = context.map_or(String::new(), |number| format!(" ctx={number}"));
        self.log.line(&format!(
            "call={}{key}{context} status={status} bytes={} ms={}",
            record.call,
            record.bytes,
            took.as_millis()
        ));
    }

    fn health(&self) -> Answer {
        let word = self.health.word();
        let status = if word == Word::Ok { 200 } else { 503 };
        let mut value = json!({ "Status": word.as_str(), "State": self.state.word() });
        if let Some(why) = self.state.why() {
            value["StateProblem"] = json!(why);
        }
        reply::body(status, &value)
    }

    async fn create(
        &self,
        peer: &Peer,
        prefix: Prefix,
        request: Request<Incoming>,
        record: &mut RequestRecord,
    ) -> Result<Answer, Refusal> {
        let key = header(request.headers(), "x-api-key").map(str::to_owned);
        let keys = &self.config.keys;
        let caller = keys.check(key.as_deref(), peer.address, false)?;
        record.key = caller.name;
        self.creates
            .admit(&caller.account, self.config.clock.now())?;
        let origin = self.origin(request.headers());
        let body = read_body(request.into_body(), CREATE_BODY, None).await;
        let body = body.map_err(|refusal| match refusal.problem {
            Problem::TOO_LARGE => Problem::PARSE.into(),
            _ => refusal,
        })?;
        peer.connection.answering();
        let levels = levels(&body)?;
        let origin = origin.ok_or(Problem::PARSE)? + prefix.as_str();
        let key = key.as_deref().unwrap_or_default();
        let id = self.contexts.create(key, &caller.account, levels)?;
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

    /// The beginning of the URLs given out: what was configured, or what the client called.
    fn origin(&self, headers: &HeaderMap) -> Option<String> {
        if let Some(url) = &self.config.public_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let scheme = if self.tls { "https" } else { "http" };
        header(headers, HOST.as_str()).map(|host| format!("{scheme}://{host}"))
    }

    async fn process(
        &self,
        peer: &Peer,
        prefix: Prefix,
        id: &str,
        request: Request<Incoming>,
        record: &mut RequestRecord,
    ) -> Result<Answer, Refusal> {
        let key = header(request.headers(), "x-api-key").unwrap_or_default();
        let key = key.to_owned();
        let keys = &self.config.keys;
        let caller = keys.check(Some(&key), peer.address, true)?;
        record.key.clone_from(&caller.name);
        let context = self.contexts.find(id, &key)?;
        record.context = Some(context.number);
        context.check_due(self.config.clock.now())?;
        let arrived = Instant::now();
        let older = context.upload();
        let permit = self.uploads.begin(&caller.account, older.as_ref())?;
        drop(older);
        context.receive(&permit, self.config.clock.now())?;
        let image = self.receive(request, permit).await?;
        peer.connection.answering();
        record.bytes = image.bytes.len();
        let mut call = context.take(&self.config.clock, self.config.minimum)?;
        let charge = keys.charge(&key).inspect_err(|_| call.failed())?;
        let interval = self.config.recommended;
        let admitted = self.judge.admit(call.slot(), interval);
        let _admission = admitted.map_err(|later| {
            call.expect(later.slot);
            Problem::THROTTLED.retry_after(later.recommended)
        })?;
        let verdict = self.judge.judge(image, call.number, call.belief()).await;
        let verdict = verdict.inspect_err(|refusal| {
            // A picture that cannot be decoded took its time as any other.
            if refusal.problem != Problem::DECODE {
                call.failed();
            }
        })?;
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
        if let Some(refusal) = scripted_refusal(&verdict) {
            call.answered(0);
            return Err(refusal);
        }
        let minimum = verdict.minimum.unwrap_or(self.config.minimum);
        let recommended = verdict.recommended.unwrap_or(self.config.recommended);
        let next = self.judge.appoint(minimum, recommended.max(minimum));
        call.expect(next.slot);
        call.answered(next.minimum);
        drop(call);
        charge.answered();
        self.stats.processed(arrived);
        self.keep(&context, &verdict);
        Ok(self.verdict(&verdict, self.edition(prefix, &caller), next))
    }

    /// Notes for the state what the picture came to. One that shows nothing is no news.
    fn keep(&self, context: &Context, verdict: &Verdict) {
        let Some(store) = self.state.store() else {
            return;
        };
        if self.contexts.keep(context) && !verdict.blind {
            store.verdict(SavedVerdict {
                print: context.number,
                at: unix_millis(),
                quality: verdict.quality,
                score: verdict.score,
                warning: verdict.warning,
                pause: verdict.pause,
            });
        }
    }

    /// The path names the edition, else the key, else the configuration.
    fn edition(&self, prefix: Prefix, caller: &Caller) -> Edition {
        let asked = prefix.0.or(caller.edition);
        asked.unwrap_or(self.config.edition)
    }

    fn verdict(&self, verdict: &Verdict, edition: Edition, next: Appointment) -> Answer {
        let told = match edition {
            // The one number of edition A is what a client waits: not the least.
            Edition::A if self.judge.has_engine() => next.recommended,
            _ => next.minimum,
        };
        reply::verdict(verdict, edition, told, next.recommended)
    }

    /// The image of a request; it keeps the permit as long as it is there.
    async fn receive(
        &self,
        request: Request<Incoming>,
        permit: UploadPermit,
    ) -> Result<Image, Refusal> {
        let limits = &self.config.limits;
        let kind = header(request.headers(), CONTENT_TYPE.as_str());
        let boundary = kind.and_then(multipart::boundary).ok_or(Problem::PARSE)?;
        let boundary = boundary.to_owned();
        let limit = BodyLimit {
            bytes: limits.image_bytes.saturating_add(MAX_OVERHEAD),
            stall: limits.stall,
            time: limits.upload_time,
        };
        let mut bytes = read_body(request.into_body(), limit, Some(&permit)).await?;
        permit.complete();
        let (head, image) = (limits.header_bytes, limits.image_bytes);
        let file = multipart::only_file(&bytes, &boundary, head, image)?;
        bytes.truncate(file.end);
        bytes.drain(..file.start);
        Ok(Image {
            bytes,
            _permit: permit,
        })
    }
}

/// What a script answers instead of a verdict.
fn scripted_refusal(verdict: &Verdict) -> Option<Refusal> {
    let usual = Problem::by_word(verdict.error.as_deref()?);
    Some(Refusal {
        problem: Problem(verdict.status.unwrap_or(usual.0), usual.1, usual.2),
        retry_after: verdict.retry_after,
    })
}

/// The confidence levels in the body of a create.
fn levels(body: &[u8]) -> Result<Levels, Problem> {
    let levels: Value = serde_json::from_slice(body).map_err(|_| Problem::PARSE)?;
    let levels = levels.as_object().ok_or(Problem::PARSE)?;
    let level = |name: &str| match levels.get(name) {
        None | Some(Value::Null) => Ok(3),
        Some(level) => level
            .as_u64()
            .and_then(|level| u8::try_from(level).ok())
            .filter(|level| (1..=5).contains(level))
            .ok_or(Problem::BAD_ARGS),
    };
    Ok(Levels {
        warning: level("WarningConfidenceLevel")?,
        pause: level("PauseConfidenceLevel")?,
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
