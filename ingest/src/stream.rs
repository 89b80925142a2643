//! The stream, written with PutRecords.
//!
//! Guarantees: [`Stream::put`] returns success only when Kinesis has
//! acknowledged every record; of a partly failed request only the failed
//! entries are sent again, with capped, jittered backoff, until the deadline.

use std::mem;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_kinesis::operation::put_records::PutRecordsError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::time::{Instant, sleep};

use crate::packing::StreamRecord;

/// Most entries of one PutRecords request (AWS limit).
pub const MAX_ENTRIES: usize = 500;

/// Most bytes of one PutRecords request, partition keys included (AWS limit: 5 MiB).
pub const MAX_REQUEST_BYTES: usize = 5 * 1024 * 1024;

/// First wait before failed entries are sent again.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// Longest wait: a shard's limits are per second, so longer would waste capacity.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

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
    /// Kinesis kept refusing entries until the deadline.
    #[error("{entries} entries still refused at the deadline, the last time with {code}")]
    OutOfTime {
        /// Entries not acknowledged.
        entries: usize,
        /// Kinesis' code for the last refusal.
        code: String,
    },
    /// The request failed as a whole in a way that sending again does not mend.
    #[error("records were refused: {0}")]
    Refused(String),
}

impl PutError {
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
        let mut backoff = FIRST_BACKOFF;
        loop {
            let sent = entries.len();
            let code = self.put_once(&mut entries).await?;
            put.records += (sent - entries.len()) as u64;
            if entries.is_empty() {
                return Ok(());
            }
            // What was taken shows that the shard has room again, so waiting long wastes it.
            if entries.len() < sent {
                backoff = FIRST_BACKOFF;
            }
            let wait = backoff.mul_f64(rand::random_range(0.5..1.0));
            if Instant::now() + wait >= deadline {
                return Err(PutError::OutOfTime { entries: entries.len(), code });
            }
            put.resent += entries.len() as u64;
            sleep(wait).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
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
            Err(error) => return throttled(&error),
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

/// Tells a request that was refused for being too much from one that never will pass.
fn throttled(error: &SdkError<PutRecordsError>) -> Result<String, PutError> {
    match error {
        SdkError::ServiceError(service)
            if service.err().is_provisioned_throughput_exceeded_exception() =>
        {
            Ok("ProvisionedThroughputExceededException".to_owned())
        }
        error => {
            let code = error.code().map(str::to_owned);
            Err(PutError::Refused(code.unwrap_or_else(|| error.to_string())))
        }
    }
}

fn entry(record: StreamRecord) -> Result<PutRecordsRequestEntry, PutError> {
    let entry = PutRecordsRequestEntry::builder()
        .partition_key(record.partition_key)
        .explicit_hash_key(record.explicit_hash_key)
        .data(Blob::new(record.data));
    entry.build().map_err(|error| PutError::Refused(error.to_string()))
}
