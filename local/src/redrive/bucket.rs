//! What the event source itself gave up: objects in a bucket on AWS.
//!
//! Lambda writes each batch that it discards as one object, with the records in it. An
//! object is deleted once its records are on the stream.

use std::fmt;

use anyhow::Context as _;
use contract::dead_letter::Input;
use serde_json::Value;

/// Where Lambda writes in a bucket of discarded batches.
const PREFIX: &str = "aws/lambda/";

/// Largest object that is read: a batch of Lambda's limit of 6 MB, twice escaped.
const MAX_OBJECT_BYTES: i64 = 64 << 20;

/// A bucket of discarded batches, and where their records go.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Reads the bucket.
    pub s3: aws_sdk_s3::Client,
    /// Takes the records.
    pub kinesis: aws_sdk_kinesis::Client,
    /// Name of the bucket.
    pub name: String,
    /// The stream.
    pub stream: String,
}

/// What became of a bucket's batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Batches that were sent again and are gone from the bucket.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Objects that stay: no batch of records can be read from them.
    pub left: u64,
}

impl Bucket {
    /// Sends every batch again.
    pub async fn redrive(&self) -> anyhow::Result<Redriven> {
        let mut redriven = Redriven::default();
        let listing = self.s3.list_objects_v2().bucket(&self.name).prefix(PREFIX);
        let mut pages = listing.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.with_context(|| format!("listing the bucket {}", self.name))?;
            for object in page.contents() {
                let key = object.key().unwrap_or_default();
                let is_readable = object.size().unwrap_or_default() <= MAX_OBJECT_BYTES;
                match if is_readable { self.read(key).await? } else { None } {
                    Some(records) => {
                        redriven.records += records.len() as u64;
                        redriven.batches += 1;
                        self.send(key, records).await?;
                    }
                    None => redriven.left += 1,
                }
            }
        }
        Ok(redriven)
    }

    async fn read(&self, key: &str) -> anyhow::Result<Option<Vec<Input>>> {
        let failed = || format!("reading {key}");
        let object = self.s3.get_object().bucket(&self.name).key(key).send().await;
        let body = object.with_context(failed)?.body.collect().await.with_context(failed)?;
        Ok(records_of(&body.into_bytes()))
    }

    async fn send(&self, key: &str, records: Vec<Input>) -> anyhow::Result<()> {
        for record in &records {
            let put = super::put(&self.kinesis, &self.stream, record).await;
            put.with_context(|| format!("sending {key} again; it stays in the bucket"))?;
        }
        let delete = self.s3.delete_object().bucket(&self.name).key(key).send().await;
        delete.with_context(|| format!("removing {key}, whose records were sent again"))?;
        Ok(())
    }
}

/// The records of a discarded batch; `None` if there are none to be read.
fn records_of(object: &[u8]) -> Option<Vec<Input>> {
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

impl fmt::Display for Redriven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, records, left } = self;
        write!(f, "Sent {records} records of {batches} batches again; {left} objects stay.")
    }
}
