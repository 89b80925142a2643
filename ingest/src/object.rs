//! Objects in the bucket, read as a stream.

use std::io::{BufReader, Read};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use tokio_util::io::SyncIoBridge;

use crate::trigger::ObjectRef;

/// Bytes fetched from the network ahead of the decoder.
const READ_AHEAD_BYTES: usize = 256 * 1024;

/// Why an object could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was deleted since: there is nothing left to do.
    #[error("object is gone")]
    Gone,
    /// Access, throttling or network: another delivery may succeed.
    #[error("object could not be opened: {0}")]
    Unavailable(String),
}

/// Opens an object; the reader blocks, so use it on a blocking thread.
pub async fn open(
    client: &Client,
    object: &ObjectRef,
) -> Result<impl Read + Send + 'static, OpenError> {
    let request = client.get_object().bucket(&object.bucket).key(&object.key);
    match request.send().await {
        Ok(answer) => {
            let body = SyncIoBridge::new(answer.body.into_async_read());
            Ok(BufReader::with_capacity(READ_AHEAD_BYTES, body))
        }
        Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => Err(OpenError::Gone),
        Err(error) => Err(OpenError::Unavailable(DisplayErrorContext(error).to_string())),
    }
}
