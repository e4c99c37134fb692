//! The picture in a request: the only file of a multipart body.

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyStream, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;

use crate::reply::Problem;

/// The largest image, in bytes. Source: the public API documentation (6 MiB).
pub const MAX_IMAGE: usize = 6_291_456;
/// What a multipart body may hold besides the image.
pub(crate) const MAX_OVERHEAD: usize = 64 * 1_024;
/// What reading a body may end with.
type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The only file of a multipart body, whatever its names are.
pub(crate) async fn one_file(request: Request<Incoming>) -> Result<Vec<u8>, Problem> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let boundary = kind
        .and_then(|kind| multer::parse_boundary(kind).ok())
        .ok_or(Problem::PARSE)?;
    // Whoever states no length may send what is no part of the image without end.
    let body = Limited::new(request.into_body(), MAX_IMAGE + MAX_OVERHEAD);
    let body = BodyStream::new(body);
    let chunks = body.filter_map(|frame| async move {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok::<Bytes, BodyError>),
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
