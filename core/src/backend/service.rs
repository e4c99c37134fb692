//! The service as a backend: Create Context and Process over a [`Transport`].

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, CreateError, Creation, Print, Question, Reading, SavedPrint, Traffic};
use crate::error::cause::{Cause, Phase, Why};
use crate::error::{Error, Failure, Status};
use crate::key::ApiKey;
use crate::platform::cancel::CancelToken;
use crate::rules::confidence::Confidence;
use crate::rules::outcome_table::{self, OutcomeClass};
use crate::rules::pacing::Next;
use crate::rules::trust::{Trust, TrustedUrl};
use crate::transport::{Exchange, Reply, ReplyBody, Request, Sent, Transport};
use crate::wire::api_error::{self, ApiError};
use crate::wire::create_context::{self, ContextUrls, NoContext};
use crate::wire::multipart::Multipart;
use crate::wire::verdict;

/// The hosted service, or a self-hosted one.
pub(crate) struct Service {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) trust: Trust,
    pub(crate) key: Option<ApiKey>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
}

impl Service {
    fn post(
        &self,
        url: &TrustedUrl,
        content_type: &str,
        body: [&[u8]; 3],
        cancel: &CancelToken,
    ) -> Exchange {
        self.transport.exchange(&Request {
            url,
            key: self.key.as_ref(),
            content_type,
            body,
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            cancel,
        })
    }
}

impl Backend for Service {
    fn has_account(&self) -> bool {
        true
    }

    fn create(&self, warning: Confidence, pause: Confidence, cancel: &CancelToken) -> Creation {
        let body = create_context::body(warning, pause);
        let url = self.trust.create_url();
        let body = [body.as_bytes(), b"", b""];
        let exchange = self.post(url, create_context::JSON, body, cancel);
        let result = read_creation(&exchange, &self.trust);
        Creation {
            result: result.map_err(|error| CreateError {
                host: url.origin().host.clone(),
                cause: exchange.cause.clone(),
                ..error
            }),
            traffic: traffic(&exchange),
        }
    }

    fn judge(&self, print: &Print, question: &Question<'_>, cancel: &CancelToken) -> Reading {
        let Print::Service(urls) = print else {
            return Reading::of_another_backend();
        };
        let url = if question.fallback {
            &urls.fallback
        } else {
            &urls.process
        };
        let exchange = match Multipart::new() {
            Some(parts) => {
                let body = parts.body(question.jpeg);
                self.post(url, &parts.content_type, body, cancel)
            }
            None => Exchange::nothing_sent(Failure::Resources, Some(no_randomness())),
        };
        let reading = Reading::of(&exchange);
        match reading.verdict {
            Some(_) => reading,
            None => Reading {
                host: url.origin().host.clone(),
                ..reading
            },
        }
    }

    fn save(&self, print: &Print) -> SavedPrint {
        let url = |of: fn(&ContextUrls) -> &TrustedUrl| match print {
            Print::Service(urls) => of(urls).as_str().to_owned(),
            Print::Embedded(_) => String::new(),
        };
        SavedPrint::Service {
            process_url: url(|urls| &urls.process),
            fallback_url: url(|urls| &urls.fallback),
        }
    }

    fn restore(&self, saved: SavedPrint) -> Result<Print, Error> {
        let SavedPrint::Service {
            process_url,
            fallback_url,
        } = saved
        else {
            let text = "the saved text is of a print of the embedded engine, not of the service";
            return Err(Error::with_text(Status::Argument, text));
        };
        let check = |url: &str| {
            let refuse =
                |why: crate::rules::trust::Untrusted| Error::with_text(Status::UntrustedUrl, why.0);
            self.trust.check(url).map_err(refuse)
        };
        Ok(Print::Service(Arc::new(ContextUrls {
            process: check(&process_url)?,
            fallback: check(&fallback_url)?,
        })))
    }
}

fn no_randomness() -> Cause {
    Cause {
        phase: Phase::Send,
        to_proxy: false,
        why: Why::new("the system has no random numbers to give"),
    }
}

fn traffic(exchange: &Exchange) -> Traffic {
    Traffic {
        sent: exchange.bytes_sent,
        received: exchange.bytes_received,
    }
}

/// Whether the service may have judged a frame whose verdict was lost on the way: no answer came,
/// or one that began as a verdict and broke off. A refusal that broke off is a refusal.
fn is_verdict_lost(exchange: &Exchange) -> bool {
    let lost = match &exchange.outcome {
        Err(_) => true,
        Ok(reply) => {
            (200..300).contains(&reply.status) && matches!(reply.body, ReplyBody::Broken(..))
        }
    };
    lost && exchange.sent == Sent::All
}

/// The service's own words in a body, as far as they arrived.
fn api_error(body: &ReplyBody) -> ApiError {
    match body {
        ReplyBody::Whole(bytes) | ReplyBody::TooLong(bytes) | ReplyBody::Broken(bytes, _) => {
            ApiError::read(bytes)
        }
        ReplyBody::Encoded => ApiError::default(),
    }
}

impl CreateError {
    fn new(status: Status, http_status: u16, class: OutcomeClass) -> CreateError {
        let rule = class.rule();
        CreateError {
            status,
            http_status,
            error_type: None,
            latch: rule.latch,
            next: rule.next,
            retry_after: Duration::ZERO,
            text: None,
            host: String::new(),
            cause: None,
        }
    }

    fn no_answer(failure: Failure, sent: Sent) -> CreateError {
        let (class, status) = outcome_table::classify_failure(failure);
        let mut error = CreateError::new(status, 0, class);
        if failure == Failure::Cancelled && sent == Sent::Nothing {
            error.next = Next::Unchanged;
        }
        error
    }
}

fn read_creation(exchange: &Exchange, trust: &Trust) -> Result<Print, CreateError> {
    match &exchange.outcome {
        Ok(reply) if (200..300).contains(&reply.status) => read_context(reply, trust),
        Ok(reply) => Err(read_refusal(reply)),
        Err(failure) => Err(CreateError::no_answer(*failure, exchange.sent)),
    }
}

fn read_context(reply: &Reply, trust: &Trust) -> Result<Print, CreateError> {
    let protocol = CreateError::new(Status::Protocol, reply.status, OutcomeClass::BadVerdict);
    match &reply.body {
        ReplyBody::Whole(body) => match create_context::decode(body, trust) {
            Ok(urls) => Ok(Print::Service(Arc::new(urls))),
            Err(NoContext::Protocol) => Err(protocol),
            Err(NoContext::Untrusted(why)) => Err(CreateError {
                status: Status::UntrustedUrl,
                text: Some(why.0),
                ..protocol
            }),
        },
        ReplyBody::Broken(_, failure) => Err(CreateError {
            http_status: reply.status,
            ..CreateError::no_answer(*failure, Sent::All)
        }),
        ReplyBody::TooLong(_) | ReplyBody::Encoded => Err(protocol),
    }
}

fn read_refusal(reply: &Reply) -> CreateError {
    let said = api_error(&reply.body);
    let (class, status) = match outcome_table::classify(reply.status, said.kind, said.context_gone)
    {
        // There was no image: the request itself was refused.
        (OutcomeClass::ImageRejected | OutcomeClass::TooLarge, _) => {
            (OutcomeClass::RequestRejected, Status::RequestRejected)
        }
        other => other,
    };
    let asked = api_error::retry_after(&reply.retry_after, reply.date.as_deref());
    let heeded = asked.filter(|_| class.rule().heeds_retry_after);
    CreateError {
        error_type: said.kind,
        retry_after: heeded.unwrap_or_default(),
        ..CreateError::new(status, reply.status, class)
    }
}

impl Reading {
    fn of(exchange: &Exchange) -> Reading {
        let reading = match &exchange.outcome {
            Err(failure) => Reading::new(outcome_table::classify_failure(*failure), 0),
            Ok(reply) if (200..300).contains(&reply.status) => Reading::of_success(reply),
            Ok(reply) => Reading::of_refusal(reply),
        };
        Reading {
            sent: exchange.sent,
            reused: exchange.reused,
            answered: exchange.answered,
            possibly_billed: is_verdict_lost(exchange),
            traffic: traffic(exchange),
            cause: exchange.cause.clone(),
            ..reading
        }
    }

    fn of_success(reply: &Reply) -> Reading {
        let unusable = Reading::new((OutcomeClass::BadVerdict, Status::Protocol), reply.status);
        match &reply.body {
            ReplyBody::Broken(_, failure) => {
                Reading::new(outcome_table::classify_failure(*failure), reply.status)
            }
            ReplyBody::TooLong(_) | ReplyBody::Encoded => unusable,
            ReplyBody::Whole(body) => match verdict::decode(body) {
                Ok(verdict) => Reading {
                    verdict: Some(verdict),
                    outcome: (OutcomeClass::Verdict, Status::Ok),
                    ..unusable
                },
                Err(found) => Reading {
                    interval: found.interval,
                    ..unusable
                },
            },
        }
    }

    fn of_refusal(reply: &Reply) -> Reading {
        if let ReplyBody::Broken(_, Failure::Cancelled) = &reply.body {
            let cancelled = outcome_table::classify_failure(Failure::Cancelled);
            return Reading::new(cancelled, reply.status);
        }
        let said = api_error(&reply.body);
        let asked = api_error::retry_after(&reply.retry_after, reply.date.as_deref());
        let row = outcome_table::classify(reply.status, said.kind, said.context_gone);
        Reading {
            error_type: said.kind,
            retry_after: asked.unwrap_or_default(),
            ..Reading::new(row, reply.status)
        }
    }
}
