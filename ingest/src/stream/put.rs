//! The stream, written with PutRecords.
//!
//! Guarantees: [`Stream::put`] returns success only when Kinesis has
//! acknowledged every record; of a partly failed request only the failed
//! entries are sent again, and of one that failed for a while all of them, with
//! capped, jittered backoff, until the deadline, and never beyond it.

use std::mem;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_kinesis::operation::put_records::PutRecordsError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::{Instant, sleep, timeout_at};

use super::packing::StreamRecord;

/// Most entries of one PutRecords request (AWS limit).
pub const MAX_ENTRIES: usize = 500;

/// Most bytes of one PutRecords request, partition keys included (AWS limit: 5 MiB).
pub const MAX_REQUEST_BYTES: usize = 5 * 1024 * 1024;

/// Waits before failed entries are sent again, each up to twice as long by chance. A shard's
/// limits are per second, so longer ones would waste capacity.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(25))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times()
    .with_jitter();

/// Codes of errors that pass by themselves although they blame the request (status 400), beside
/// [`THROTTLES`].
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html#API_PutRecords_Errors>,
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html>
const PASSING: [&str; 2] = ["RequestTimeout", "RequestTimeoutException"];

/// Codes that say that there is too much just now, which passes as well.
const THROTTLES: [&str; 7] = [
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
];

/// The stream that user records are put on.
#[derive(Debug, Clone)]
pub struct Stream {
    client: Client,
    name: String,
}

/// What puts have come to so far, also when one of them failed.
#[derive(Debug, Default)]
pub struct Put {
    /// Stream records acknowledged.
    pub records: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Entries that were refused and sent again.
    pub resent: u64,
}

/// The records were not all acknowledged: the object must be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Kinesis kept refusing entries, or did not answer, until the deadline.
    #[error("{entries} entries still refused at the deadline, the last time with {code}")]
    OutOfTime {
        /// Entries not acknowledged.
        entries: usize,
        /// Kinesis' code for the last refusal, or what failed before it answered.
        code: String,
    },
    /// The request failed as a whole in a way that sending again does not mend.
    #[error("records were refused: {0}")]
    Refused(String),
}

impl PutError {
    /// Tells whether the stream takes no more just now.
    pub fn is_throttled(&self) -> bool {
        let Self::OutOfTime { code, .. } = self else { return false };
        THROTTLES.contains(&code.as_str())
    }

    /// Tells whether more time might have helped.
    pub fn is_out_of_time(&self) -> bool {
        matches!(self, Self::OutOfTime { .. })
    }
}

impl Stream {
    /// Writes to the stream `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Puts stream records; in order within each bucket, as far as no entry is refused.
    pub async fn put(
        &self,
        records: Vec<StreamRecord>,
        deadline: Instant,
        put: &mut Put,
    ) -> Result<(), PutError> {
        let mut request = Vec::new();
        let mut bytes = 0;
        for record in records {
            let size = record.data.len() + record.partition_key.len();
            if request.len() == MAX_ENTRIES || bytes + size > MAX_REQUEST_BYTES {
                self.put_all(mem::take(&mut request), deadline, put).await?;
                bytes = 0;
            }
            put.bytes += size as u64;
            request.push(entry(record)?);
            bytes += size;
        }
        if !request.is_empty() {
            self.put_all(request, deadline, put).await?;
        }
        Ok(())
    }

    async fn put_all(
        &self,
        mut entries: Vec<PutRecordsRequestEntry>,
        deadline: Instant,
        put: &mut Put,
    ) -> Result<(), PutError> {
        let mut waits = BACKOFF.build();
        loop {
            let sent = entries.len();
            let Ok(put_once) = timeout_at(deadline, self.put_once(&mut entries)).await else {
                return Err(PutError::OutOfTime { entries: sent, code: "no answer".to_owned() });
            };
            let code = put_once?;
            put.records += (sent - entries.len()) as u64;
            if entries.is_empty() {
                return Ok(());
            }
            // What was taken shows that the shard has room again, so waiting long wastes it.
            if entries.len() < sent {
                waits = BACKOFF.build();
            }
            let wait = waits.next().unwrap_or(Duration::MAX);
            if Instant::now() + wait >= deadline {
                return Err(PutError::OutOfTime { entries: entries.len(), code });
            }
            put.resent += entries.len() as u64;
            sleep(wait).await;
        }
    }

    /// Sends once and keeps what was refused, with Kinesis' code for it.
    async fn put_once(
        &self,
        entries: &mut Vec<PutRecordsRequestEntry>,
    ) -> Result<String, PutError> {
        let request = self.client.put_records().stream_name(&self.name);
        let answer = match request.set_records(Some(entries.clone())).send().await {
            Ok(answer) => answer,
            Err(error) => return passing(&error).ok_or_else(|| refused(&error)),
        };
        let mut code = String::new();
        let mut results = answer.records.into_iter();
        entries.retain(|_| {
            // Fewer results than entries would be Kinesis' fault; what has none is sent again.
            let refusal = match results.next() {
                Some(result) => result.error_code,
                None => Some("NoResult".to_owned()),
            };
            let Some(refused_with) = refusal else { return false };
            code = refused_with;
            true
        });
        Ok(code)
    }
}

/// What to call an error of a whole request that may pass by itself; `None` for one that
/// comes again with the same request.
fn passing(error: &SdkError<PutRecordsError>) -> Option<String> {
    let code = error.code().map(str::to_owned);
    match error {
        SdkError::TimeoutError(_) => Some("no answer".to_owned()),
        // What came cannot be read: whether the records were taken, nobody knows.
        SdkError::ResponseError(_) => Some("an answer that cannot be read".to_owned()),
        SdkError::DispatchFailure(failure) if !failure.is_user() => {
            Some("no connection".to_owned())
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let is_passing = status >= 500
                || status == 429
                || code
                    .as_deref()
                    .is_some_and(|code| PASSING.contains(&code) || THROTTLES.contains(&code));
            is_passing.then(|| code.unwrap_or_else(|| format!("status {status}")))
        }
        _ => None,
    }
}

fn refused(error: &SdkError<PutRecordsError>) -> PutError {
    let code = error.code().map(str::to_owned);
    PutError::Refused(code.unwrap_or_else(|| error.to_string()))
}

fn entry(record: StreamRecord) -> Result<PutRecordsRequestEntry, PutError> {
    let entry = PutRecordsRequestEntry::builder()
        .partition_key(record.partition_key)
        .explicit_hash_key(record.explicit_hash_key)
        .data(Blob::new(record.data));
    entry.build().map_err(|error| PutError::Refused(error.to_string()))
}
