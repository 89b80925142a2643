//! What the event source itself gave up: objects in a bucket on AWS.
//!
//! Lambda writes each batch that it discards as one object, with the records in it. An
//! object is deleted once its records are on the stream.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use contract::dead_letter::Input;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use ingest::stream::again::{Record, Sent, Stays, Target, records_of};

use crate::now_ms;

/// Where Lambda writes in a bucket of discarded batches.
const PREFIX: &str = "aws/lambda/";

/// Largest object that is read: a batch of Lambda's limit of 6 MB, twice escaped.
const MAX_OBJECT_BYTES: i64 = 64 << 20;

/// Objects that are read at a time; each is in memory some times over.
const OBJECTS: usize = 4;

/// A bucket of discarded batches, and where their records go.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Reads the bucket.
    pub s3: aws_sdk_s3::Client,
    /// Takes the records.
    pub target: Target,
    /// Name of the bucket.
    pub name: String,
    /// Whether it is only looked what can be sent.
    pub only_looks: bool,
}

/// What became of a bucket's batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Batches that were sent again and are gone from the bucket.
    pub batches: u64,
    /// User records in them.
    pub records: u64,
    /// Objects that stay, by the reason.
    pub left: BTreeMap<Stays, u64>,
}

impl RedriveReport {
    /// Objects that stay.
    pub fn left(&self) -> u64 {
        self.left.values().sum()
    }
}

impl Bucket {
    /// Sends every batch again.
    pub async fn redrive(&self) -> anyhow::Result<RedriveReport> {
        let mut redriven = RedriveReport::default();
        let listing = self.s3.list_objects_v2().bucket(&self.name).prefix(PREFIX);
        let mut pages = listing.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.with_context(|| format!("listing the bucket {}", self.name))?;
            let objects = page.contents().iter().map(|object| {
                let (key, bytes) = (object.key().unwrap_or_default(), object.size());
                self.send(key, bytes.unwrap_or_default())
            });
            let mut sent = stream::iter(objects).buffer_unordered(OBJECTS);
            while let Some(sent) = sent.try_next().await? {
                match sent {
                    Ok(records) => {
                        redriven.records += records;
                        redriven.batches += 1;
                    }
                    Err(stays) => *redriven.left.entry(stays).or_default() += 1,
                }
            }
        }
        Ok(redriven)
    }

    /// Sends the records of an object, and removes it; says how many they were.
    async fn send(&self, key: &str, bytes: i64) -> anyhow::Result<Result<u64, Stays>> {
        if bytes > MAX_OBJECT_BYTES {
            return Ok(Err(Stays::TooLarge));
        }
        let failed = || format!("reading {key}");
        let object = self.s3.get_object().bucket(&self.name).key(key).send().await;
        let body = object.with_context(failed)?.body.collect().await.with_context(failed)?;
        let Some(inputs) = inputs_of(&body.into_bytes()) else { return Ok(Err(Stays::Unreadable)) };
        let now = now_ms();
        let records: Result<Vec<Vec<Record>>, Stays> =
            inputs.iter().map(|input| records_of(input, now)).collect();
        let records = match records {
            Ok(records) => records.concat(),
            Err(stays) => return Ok(Err(stays)),
        };
        if self.only_looks {
            return Ok(Err(Stays::Looked));
        }
        let sent = self.target.send(&records).await;
        match sent.with_context(|| format!("sending {key} again; it stays in the bucket"))? {
            Sent::All => {}
            Sent::Refused => return Ok(Err(Stays::Refused)),
        }
        let delete = self.s3.delete_object().bucket(&self.name).key(key).send().await;
        delete.with_context(|| format!("removing {key}, whose records were sent again"))?;
        Ok(Ok(records.len() as u64))
    }
}

/// The records of a discarded batch; `None` if there are none to be read.
fn inputs_of(object: &[u8]) -> Option<Vec<Input>> {
    let mut invocation: Value = serde_json::from_slice(object).ok()?;
    // The event of the invocation is JSON, or a text that holds JSON.
    let batch = match invocation["payload"].take() {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        payload => payload,
    };
    let records = batch["Records"].as_array()?.iter().map(|record| {
        let text = |name| record["kinesis"][name].as_str().map(str::to_owned);
        Some(Input::StreamRecord {
            partition_key: text("partitionKey")?,
            sequence_number: text("sequenceNumber")?,
            member: None,
            data_base64: Some(text("data")?),
        })
    });
    records.collect::<Option<Vec<_>>>().filter(|records| !records.is_empty())
}

impl fmt::Display for RedriveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, records, left } = self;
        let objects = self.left();
        write!(f, "Sent {records} records of {batches} batches again; {objects} objects stay")?;
        super::write_left(left, f)
    }
}
