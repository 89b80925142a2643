//! The stream, written with PutRecords.
//!
//! Guarantees: [`Stream::put`] returns success only when Kinesis has
//! acknowledged every record; of a partly failed request only the failed
//! entries are sent again, with capped, jittered backoff, until the deadline.

use std::mem;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{DisplayErrorContext, SdkError};
use aws_sdk_kinesis::operation::put_records::PutRecordsError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use contract::dead_letter::{DeadLetter, Input};
use contract::user_record::UserRecord;
use tokio::time::{Instant, sleep};

/// Most entries of one PutRecords request (AWS limit).
pub const MAX_ENTRIES: usize = 500;

/// Most bytes of one PutRecords request, partition keys included (AWS limit: 5 MiB).
pub const MAX_REQUEST_BYTES: usize = 5 * 1024 * 1024;

/// Largest record with its partition key (AWS limit: 1 MiB).
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

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
    /// Entries that were refused and sent again.
    pub resent: u64,
    /// Events that no stream record can hold, each as a dead letter.
    pub too_large: Vec<DeadLetter>,
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

impl Stream {
    /// Writes to the stream `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Puts user records; in order within each user, as far as no entry is refused.
    ///
    /// A user record that turns out larger than a stream record is split; an event
    /// that is too large by itself is left out and named in `put`.
    pub async fn put(
        &self,
        records: Vec<UserRecord>,
        deadline: Instant,
        put: &mut Put,
    ) -> Result<(), PutError> {
        let mut request = Vec::new();
        let mut bytes = 0;
        for record in records {
            for (user_id, data) in fitting(record, &mut put.too_large) {
                let size = data.len() + user_id.len();
                if request.len() == MAX_ENTRIES || bytes + size > MAX_REQUEST_BYTES {
                    self.put_all(mem::take(&mut request), deadline, put).await?;
                    bytes = 0;
                }
                request.push(entry(&user_id, data)?);
                bytes += size;
            }
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
        error => Err(PutError::Refused(DisplayErrorContext(error).to_string())),
    }
}

/// Encodes a user record, halving it until every part fits in a stream record.
fn fitting(record: UserRecord, too_large: &mut Vec<DeadLetter>) -> Vec<(String, Vec<u8>)> {
    let mut encoded = Vec::new();
    let mut waiting = vec![record];
    while let Some(mut record) = waiting.pop() {
        let data = record.encode();
        if data.len() + record.user_id.len() <= MAX_RECORD_BYTES {
            encoded.push((record.user_id, data));
        } else if record.events.len() > 1 {
            let newer = record.events.split_off(record.events.len() / 2);
            waiting.push(UserRecord { events: newer, ..record.clone() });
            waiting.push(record);
        } else {
            too_large.extend(record.events.iter().map(|event| {
                let input = Input::Event {
                    user_id: record.user_id.clone(),
                    event_id: event.id.clone(),
                    event_type: record.event_type.clone(),
                    size_bytes: data.len() as u64,
                };
                let detail = format!("a stream record holds {MAX_RECORD_BYTES} bytes");
                DeadLetter::new("event_too_large", detail, input)
            }));
        }
    }
    encoded
}

fn entry(partition_key: &str, data: Vec<u8>) -> Result<PutRecordsRequestEntry, PutError> {
    let entry =
        PutRecordsRequestEntry::builder().partition_key(partition_key).data(Blob::new(data));
    entry.build().map_err(|error| PutError::Refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use contract::user_record::{Event, VERSION};
    use serde_json::{Map, json};

    use super::*;

    fn record(sizes: &[usize]) -> UserRecord {
        let event = |(n, size): (usize, &usize)| Event {
            id: n.to_string(),
            time: n as i64,
            // Six bytes of JSON for each character.
            fields: Map::from_iter([("text".to_owned(), json!("\u{1}".repeat(size / 6)))]),
        };
        UserRecord {
            v: VERSION,
            user_id: "u".to_owned(),
            event_type: "t".to_owned(),
            uploaded_at_ms: 0,
            events: sizes.iter().enumerate().map(event).collect(),
        }
    }

    #[test]
    fn a_record_is_split_until_it_fits_and_only_an_event_too_large_by_itself_is_left_out() {
        let mut too_large = Vec::new();

        let encoded = fitting(record(&[400_000, 400_000, 2_000_000, 400_000]), &mut too_large);

        let ids: Vec<String> = encoded
            .iter()
            .flat_map(|(_, data)| UserRecord::decode(data).expect("is a user record").events)
            .map(|event| event.id)
            .collect();
        assert_eq!(ids, ["0", "1", "3"], "in order");
        assert!(encoded.iter().all(|(user, data)| user.len() + data.len() <= MAX_RECORD_BYTES));
        assert_eq!(too_large.len(), 1);
        assert!(matches!(&too_large[0].input, Input::Event { event_id, .. } if event_id == "2"));
    }
}
