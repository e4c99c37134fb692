//! The body of a request, to its limits.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::Instant;

use super::UploadPermit;
use crate::reply::{Problem, Refusal};

/// How long a body may be, and take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit {
    pub(crate) bytes: usize,
    /// How long it may bring nothing.
    pub(crate) stall: Duration,
    pub(crate) time: Duration,
}

/// The whole body; whether its length is stated or not, no more than the limit is kept. An upload has a
/// permit, which counts its bytes and may stop it.
pub(crate) async fn read_body<B>(
    mut body: B,
    limit: BodyLimit,
    permit: Option<&UploadPermit>,
) -> Result<Vec<u8>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let stated = body.size_hint().lower();
    if stated > limit.bytes as u64 {
        return Err(Problem::TOO_LARGE.into());
    }
    // Memory that is not written to yet is not there yet.
    let mut bytes = Vec::with_capacity(usize::try_from(stated).unwrap_or(0));
    let end = Instant::now() + limit.time;
    loop {
        let until = end.min(Instant::now() + limit.stall);
        let frame = tokio::select! {
            biased;
            refusal = stopped(permit) => return Err(refusal),
            frame = tokio::time::timeout_at(until, body.frame()) => frame,
        };
        let Some(frame) = frame.map_err(|_| Problem::PARSE)? else {
            break;
        };
        // Anything else is a trailer, which says nothing here.
        let Ok(data) = frame.map_err(|_| Problem::PARSE)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit.bytes {
            return Err(Problem::TOO_LARGE.into());
        }
        permit.map_or(Ok(()), |permit| permit.grow(data.len()))?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn stopped(permit: Option<&UploadPermit>) -> Refusal {
    match permit {
        Some(permit) => permit.stop().stopped().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};

    use super::*;
    use crate::account::Account;
    use crate::digest::Digest;
    use crate::limits::{Limits, Uploads};

    const LIMIT: BodyLimit = BodyLimit {
        bytes: 100,
        stall: Duration::from_secs(30),
        time: Duration::from_secs(120),
    };

    /// Chunks of ten bytes, one each so many seconds; it states a length or none.
    struct Chunks {
        left: usize,
        each: Duration,
        next: Option<Pin<Box<tokio::time::Sleep>>>,
        stated: bool,
    }

    impl Chunks {
        fn new(left: usize, each: u64, stated: bool) -> Chunks {
            let each = Duration::from_secs(each);
            Chunks {
                left,
                each,
                next: None,
                stated,
            }
        }
    }

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            let each = self.each;
            let next = self
                .next
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(each)));
            if !each.is_zero() && next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.next = None;
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"0123456789")))))
        }

        fn size_hint(&self) -> SizeHint {
            match self.stated {
                true => SizeHint::with_exact(10 * self.left as u64),
                false => SizeHint::default(),
            }
        }
    }

    fn read(body: Chunks, permit: Option<&UploadPermit>) -> Result<usize, Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let read = runtime.block_on(read_body(body, LIMIT, permit));
        read.map(|bytes| bytes.len())
            .map_err(|refusal| refusal.problem)
    }

    #[test]
    fn no_more_bytes_than_the_limit_stated_or_not() {
        for stated in [true, false] {
            assert_eq!(read(Chunks::new(10, 0, stated), None), Ok(100));
            let over = Chunks::new(11, 0, stated);
            assert_eq!(read(over, None), Err(Problem::TOO_LARGE));
        }
        // One that would never end by itself.
        let endless = Chunks::new(usize::MAX, 0, false);
        assert_eq!(read(endless, None), Err(Problem::TOO_LARGE));
    }

    #[test]
    fn it_may_pause_and_be_slow_but_not_for_ever() {
        assert_eq!(read(Chunks::new(4, 29, false), None), Ok(40));
        assert_eq!(read(Chunks::new(1, 31, false), None), Err(Problem::PARSE));
        assert_eq!(read(Chunks::new(5, 29, false), None), Err(Problem::PARSE));
    }

    #[test]
    fn its_permit_stops_it_and_counts_it() {
        let uploads = Uploads::new(&Limits {
            upload_memory: 50,
            ..Limits::default()
        });
        let permit = uploads.begin(&Account::Key(Digest::of("k")), None).unwrap();
        assert_eq!(read(Chunks::new(5, 0, false), Some(&permit)), Ok(50));
        let over = Chunks::new(1, 0, false);
        assert_eq!(read(over, Some(&permit)), Err(Problem::THROTTLED));
        permit.stop().stop(Problem::RATE_LIMITED.into());
        let stopped = Chunks::new(1, 1, false);
        assert_eq!(read(stopped, Some(&permit)), Err(Problem::RATE_LIMITED));
    }
}
