//! The two calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::HOST;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::config::Config;
use crate::contexts::Contexts;
use crate::judge::{Judge, Levels};
use crate::reply::{self, Answer, Edition, Problem};
use crate::stats::Stats;
use crate::upload::{MAX_IMAGE, MAX_OVERHEAD, one_file};

/// How long a request's body may take.
const BODY_TIME: Duration = Duration::from_secs(120);

const CREATE: &str = "/api/gadget/v1/createcontext";
const PROCESS: &str = "/api/gadget/v1/process/";
const FALLBACK: &str = "/api/gadget/v1/fallback/process/";

pub(crate) struct Service {
    config: Config,
    contexts: Contexts,
    judge: Judge,
    pub(crate) stats: Stats,
    tls: bool,
}

/// What a request came to, for the log.
pub(crate) struct RequestRecord {
    pub(crate) answer: Answer,
    pub(crate) call: &'static str,
    pub(crate) context: Option<u64>,
    pub(crate) bytes: usize,
}

impl Service {
    pub(crate) fn new(config: Config, tls: bool) -> Service {
        let judge = Judge::new(
            config.engine.clone(),
            Arc::clone(&config.verdicts),
            config.minimum,
            config.speed,
        );
        Service {
            contexts: Contexts::new(config.context_life),
            config,
            judge,
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

    async fn route(&self, request: Request<Incoming>) -> RequestRecord {
        let path = request.uri().path().to_owned();
        let id = path
            .strip_prefix(PROCESS)
            .or_else(|| path.strip_prefix(FALLBACK));
        let plain = |call, answer| RequestRecord {
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

    async fn process(&self, id: &str, request: Request<Incoming>) -> RequestRecord {
        let mut done = RequestRecord {
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
        let call = context.take()?;
        let arrived = Instant::now();
        if request.body().size_hint().lower() > (MAX_IMAGE + MAX_OVERHEAD) as u64 {
            return Err(Problem::TOO_LARGE);
        }
        let image = tokio::time::timeout(BODY_TIME, one_file(request)).await;
        let image = image.map_err(|_| Problem::PARSE)??;
        *bytes = image.len();
        let verdict = &self.judge.judge(image, call.number, call.belief()).await?;
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
        let minimum = verdict.minimum.unwrap_or(self.config.minimum);
        call.answered(if verdict.error.is_some() { 0 } else { minimum });
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
            Edition::A if self.judge.has_engine() => recommended,
            _ => minimum,
        };
        let edition = self.config.edition;
        Ok(reply::verdict(verdict, edition, told, recommended))
    }
}

fn key_of(request: &Request<Incoming>) -> Option<&str> {
    request
        .headers()
        .get("x-api-key")
        .and_then(|key| key.to_str().ok())
}
