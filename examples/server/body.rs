//! Reading a body that may be too large.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::StreamExt;

use crate::error::{Error, Result};

/// A value of 256 KB, however it is escaped.
const MAX_BYTES: usize = 2 << 20;

/// How much of a body that is too large is read, and thrown away.
const MAX_THROWN_AWAY: usize = 32 << 20;

/// The whole body.
///
/// One that is too large is read to its end all the same: a client looks for the answer when it
/// has sent everything, and an answer before that is a broken connection to it.
pub(crate) async fn read(body: Body) -> Result<Bytes> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|_| Error::new(StatusCode::BAD_REQUEST, "the body could not be read"))?;
        length += chunk.len();
        if length <= MAX_BYTES {
            kept.extend_from_slice(&chunk);
        } else if length > MAX_THROWN_AWAY {
            break;
        }
    }
    if length > MAX_BYTES {
        let message = format!("the body must have at most {MAX_BYTES} bytes");
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(Bytes::from(kept))
}
