//! Objects in the bucket, read as a stream.
//!
//! A task fetches ahead of the decoder, so that network and processor work at the same
//! time; what lies between them is bounded.

use std::io::{self, Read};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use currents::read::Source;
use tokio::sync::mpsc;

use crate::trigger::ObjectRef;

/// Pieces fetched ahead of the decoder; the HTTP library's have up to 64 KiB or so.
const PIECES_AHEAD: usize = 16;

/// Why an object could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was deleted since: there is nothing left to do.
    #[error("object is gone")]
    Gone,
    /// Another content was put in its place while it was being read: a place in the one
    /// before is none in this.
    #[error("object was replaced while it was being read")]
    Replaced,
    /// Access, throttling or network: another delivery may succeed.
    #[error("object could not be opened: {code}")]
    Unavailable {
        /// S3's code for it, or what failed before S3 answered.
        code: String,
    },
}

/// An object whose bytes come.
#[derive(Debug)]
pub struct OpenObject {
    /// The bytes.
    pub source: Source<ObjectBytes>,
    /// What S3 calls this content of the object.
    pub etag: Option<String>,
    /// When it was put there, in UNIX milliseconds.
    pub modified_at_ms: Option<u64>,
}

/// Opens an object, from its beginning or from where it is to be continued; what is continued
/// is the content that was begun, or an error.
pub async fn open(client: &Client, object: &ObjectRef) -> Result<OpenObject, OpenError> {
    if object.from.offset_bytes == 0 {
        let begun = fetch(client, object, 0, None).await?;
        return Ok(begun.open(Source::Whole));
    }
    let begun = fetch(client, object, 0, object.etag.clone()).await?;
    // A continuation of an older build names no content: then header and blocks must at
    // least be of the same.
    let etag = object.etag.clone().or_else(|| begun.etag.clone());
    let from = object.from;
    let blocks = fetch(client, object, from.offset_bytes, etag).await?.bytes;
    Ok(begun.open(|header| Source::Rest { header, blocks, from }))
}

/// The answer to one request.
pub(crate) struct Answer {
    pub(crate) bytes: ObjectBytes,
    /// What S3 calls this content of the object.
    pub(crate) etag: Option<String>,
    /// When it was put there, in UNIX milliseconds.
    pub(crate) modified_at_ms: Option<u64>,
}

impl Answer {
    fn open(self, source: impl FnOnce(ObjectBytes) -> Source<ObjectBytes>) -> OpenObject {
        let Self { bytes, etag, modified_at_ms } = self;
        OpenObject { source: source(bytes), etag, modified_at_ms }
    }
}

/// Fetches an object from a byte on; of the content of this name, if one is named.
pub(crate) async fn fetch(
    client: &Client,
    object: &ObjectRef,
    from: u64,
    etag: Option<String>,
) -> Result<Answer, OpenError> {
    let request = client
        .get_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .set_version_id(object.version_id.clone())
        .set_if_match(etag)
        .set_range((from > 0).then(|| format!("bytes={from}-")));
    match request.send().await {
        Ok(answer) => Ok(Answer {
            modified_at_ms: answer
                .last_modified
                .and_then(|at| at.to_millis().ok()?.try_into().ok()),
            etag: answer.e_tag,
            bytes: ObjectBytes::start(answer.body),
        }),
        Err(error) if is_gone(&error) => Err(OpenError::Gone),
        Err(error) if error.code() == Some("PreconditionFailed") => Err(OpenError::Replaced),
        // Nothing follows the last block that was read: the end, and no fault.
        Err(error) if error.code() == Some("InvalidRange") => {
            Ok(Answer { bytes: ObjectBytes::empty(), etag: None, modified_at_ms: None })
        }
        Err(error) => {
            let code = match error.code() {
                Some(code) => code.to_owned(),
                None => error.to_string(),
            };
            Err(OpenError::Unavailable { code })
        }
    }
}

fn is_gone(error: &SdkError<GetObjectError>) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion"))
}

/// The bytes of an object, fetched ahead; reading blocks, so use it on a blocking thread.
#[derive(Debug)]
pub struct ObjectBytes {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl ObjectBytes {
    fn start(mut body: ByteStream) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        // Ends with the body, or when nobody receives any more.
        tokio::spawn(async move {
            while let Some(piece) = body.next().await {
                let piece = piece.map_err(io::Error::other);
                let is_last = piece.is_err();
                if sender.send(piece).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self { pieces, piece: Bytes::new() }
    }

    fn empty() -> Self {
        Self { pieces: mpsc::channel(1).1, piece: Bytes::new() }
    }
}

impl Read for ObjectBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let n = self.piece.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}
