//! What each operation of SQS does on a queue of asks.
//!
//! Limits and errors are SQS' own. Of two things that AWS leaves open this does what a client
//! likes least: a receipt handle that is not the latest deletes nothing, although the call
//! succeeds, and an order is kept only as far as [`messages`](super::messages) tells.

use std::collections::BTreeSet;
use std::time::Duration;

use contract::ask::MAX_DELAY;
use md5::{Digest as _, Md5};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::asks::{Asks, QueueNumber, Receipt, Wish};
use super::messages::{Figures, OverLimit, Unchangeable};
use super::wire::{self, Batch, Code, Identified, Refusal, Results};

/// Most entries of a batch, and messages of one receipt (AWS limit).
const MAX_ENTRIES: usize = 10;

/// Largest message, and largest sum of a batch's messages (AWS limit).
const MAX_BYTES: usize = 1_048_576;

/// Longest id of a batch's entry (AWS limit).
const MAX_ID_LENGTH: usize = 80;

/// Longest that a message is hidden (AWS limit).
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3_600);

/// Longest that a call waits for messages (AWS limit).
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Does what a request asks for.
pub(super) async fn perform(
    asks: &Asks,
    queue: QueueNumber,
    operation: &str,
    request: Value,
) -> Result<Value, Refusal> {
    match operation {
        "SendMessage" => send(asks, queue, parse(request)?).await,
        "SendMessageBatch" => send_batch(asks, queue, parse(request)?).await,
        "ReceiveMessage" => receive(asks, queue, parse(request)?).await,
        "DeleteMessage" => delete(asks, queue, &parse(request)?).map(|()| json!({})),
        "DeleteMessageBatch" => {
            each(parse(request)?, "Delete", |entry| delete(asks, queue, &entry))
        }
        "ChangeMessageVisibility" => change(asks, queue, &parse(request)?).map(|()| json!({})),
        "ChangeMessageVisibilityBatch" => {
            each(parse(request)?, "ChangeVisibility", |entry| change(asks, queue, &entry))
        }
        "GetQueueAttributes" => attributes(asks, queue, &parse(request)?),
        _ => Err(Refusal::new(Code::UnsupportedOperation, format!("{operation} is not here."))),
    }
}

fn parse<T: DeserializeOwned>(request: Value) -> Result<T, Refusal> {
    serde_json::from_value(request)
        .map_err(|error| Refusal::new(Code::UnsupportedOperation, error.to_string()))
}

async fn send(asks: &Asks, queue: QueueNumber, request: wire::Send) -> Result<Value, Refusal> {
    let message = message(request)?;
    let mut sent = accept(asks, queue, vec![message]).await?;
    Ok(sent.pop().unwrap_or_default())
}

async fn send_batch(
    asks: &Asks,
    queue: QueueNumber,
    request: Batch<wire::Send>,
) -> Result<Value, Refusal> {
    let entries = valid(request, "Send")?;
    let bodies = entries.iter().filter_map(|each| each.entry.message_body.as_ref());
    let bytes: usize = bodies.map(String::len).sum();
    if bytes > MAX_BYTES {
        let message = format!(
            "Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {bytes} bytes."
        );
        return Err(Refusal::new(Code::BatchRequestTooLong, message));
    }
    let (mut results, mut ids, mut messages) = (Results::default(), Vec::new(), Vec::new());
    for Identified { id, entry } in entries {
        match message(entry) {
            Ok(message) => {
                ids.push(id);
                messages.push(message);
            }
            Err(refusal) => results.failed.push(refusal.entry(id)),
        }
    }
    let sent = accept(asks, queue, messages).await?;
    results.successful = ids.into_iter().zip(sent).map(|(id, sent)| with_id(id, sent)).collect();
    Ok(json!(results))
}

/// Puts messages on the queue, and says of each what `SendMessage` says.
async fn accept(
    asks: &Asks,
    queue: QueueNumber,
    messages: Vec<(String, Duration)>,
) -> Result<Vec<Value>, Refusal> {
    let checksums: Vec<String> = messages.iter().map(|(body, _)| checksum(body)).collect();
    let ids = asks.send(queue, messages).await.map_err(|error| failure(&error))?;
    let sent = ids.into_iter().zip(checksums);
    let sent =
        sent.map(|(id, md5)| json!({ "MessageId": message_id(id), "MD5OfMessageBody": md5 }));
    Ok(sent.collect())
}

async fn receive(
    asks: &Asks,
    queue: QueueNumber,
    request: wire::Receive,
) -> Result<Value, Refusal> {
    let most = request.max_number_of_messages.unwrap_or(1);
    let most = usize::try_from(most).ok().filter(|most| (1..=MAX_ENTRIES).contains(most));
    let most = most.ok_or_else(|| {
        let given = request.max_number_of_messages.unwrap_or_default();
        let reason = format!("Must be between 1 and {MAX_ENTRIES}, if provided.");
        Refusal::invalid("MaxNumberOfMessages", given, &reason)
    })?;
    let wait = request.wait_time_seconds.unwrap_or_default();
    let wish = Wish {
        most,
        hide: match request.visibility_timeout {
            Some(given) => visibility(given)?,
            None => asks.visibility(),
        },
        wait: seconds("WaitTimeSeconds", wait, MAX_WAIT)?,
    };
    let received = asks.receive(queue, wish).await.map_err(|OverLimit| {
        Refusal::new(Code::OverLimit, "Too many messages are in flight for the queue.")
    })?;
    if received.is_empty() {
        return Ok(json!({}));
    }
    let names = &request.message_system_attribute_names;
    let is_wanted = |name: &str| names.iter().any(|each| each == name || each == "All");
    let messages = received.into_iter().map(|each| {
        let mut attributes = Map::new();
        let counted = [
            ("ApproximateReceiveCount", u64::from(each.receipt.receives)),
            ("SentTimestamp", each.sent_ms),
        ];
        for (name, n) in counted.into_iter().filter(|(name, _)| is_wanted(name)) {
            attributes.insert(name.to_owned(), n.to_string().into());
        }
        let mut message = json!({
            "MessageId": message_id(each.receipt.id),
            "ReceiptHandle": handle(each.receipt),
            "MD5OfBody": checksum(&each.body),
            "Body": each.body,
        });
        if !attributes.is_empty() {
            message["Attributes"] = attributes.into();
        }
        message
    });
    Ok(json!({ "Messages": messages.collect::<Vec<Value>>() }))
}

fn delete(asks: &Asks, queue: QueueNumber, request: &wire::Delete) -> Result<(), Refusal> {
    let receipt = receipt(queue, request.receipt_handle.as_deref())?;
    asks.delete(receipt).map_err(|error| failure(&error))
}

fn change(asks: &Asks, queue: QueueNumber, request: &wire::Change) -> Result<(), Refusal> {
    let handle = request.receipt_handle.as_deref();
    let receipt = receipt(queue, handle)?;
    let Some(hide) = request.visibility_timeout else {
        return Err(Refusal::missing("VisibilityTimeout"));
    };
    asks.change(receipt, visibility(hide)?).map_err(|unchangeable| match unchangeable {
        Unchangeable::Visible => {
            Refusal::new(Code::MessageNotInflight, "The message referred to is not in flight.")
        }
        Unchangeable::Gone => Refusal::invalid(
            "ReceiptHandle",
            handle.unwrap_or_default(),
            "Message does not exist or is not available for visibility timeout change.",
        ),
    })
}

fn attributes(
    asks: &Asks,
    queue: QueueNumber,
    request: &wire::Attributes,
) -> Result<Value, Refusal> {
    let Some(Figures { visible, in_flight, delayed }) = asks.figures(queue) else {
        return Err(no_such_queue());
    };
    let known = [
        ("ApproximateNumberOfMessages", visible as u64),
        ("ApproximateNumberOfMessagesNotVisible", in_flight as u64),
        ("ApproximateNumberOfMessagesDelayed", delayed as u64),
        ("VisibilityTimeout", asks.visibility().as_secs()),
        ("DelaySeconds", 0),
        ("ReceiveMessageWaitTimeSeconds", 0),
        ("MaximumMessageSize", MAX_BYTES as u64),
    ];
    let mut attributes = Map::new();
    for name in &request.attribute_names {
        let mut found = known.iter().filter(|(each, _)| name == each || name == "All").peekable();
        if found.peek().is_none() {
            let message = format!("Unknown Attribute {name}.");
            return Err(Refusal::new(Code::InvalidAttributeName, message));
        }
        attributes.extend(found.map(|(name, n)| ((*name).to_owned(), n.to_string().into())));
    }
    if attributes.is_empty() { Ok(json!({})) } else { Ok(json!({ "Attributes": attributes })) }
}

/// Does something with each entry of a batch.
fn each<Entry>(
    request: Batch<Entry>,
    kind: &str,
    perform: impl Fn(Entry) -> Result<(), Refusal>,
) -> Result<Value, Refusal> {
    let mut results = Results::default();
    for Identified { id, entry } in valid(request, kind)? {
        match perform(entry) {
            Ok(()) => results.successful.push(json!({ "Id": id })),
            Err(refusal) => results.failed.push(refusal.entry(id)),
        }
    }
    Ok(json!(results))
}

/// The entries of a batch, if it is one that SQS takes.
fn valid<Entry>(request: Batch<Entry>, kind: &str) -> Result<Vec<Identified<Entry>>, Refusal> {
    let entries = request.entries;
    if entries.is_empty() {
        let message =
            format!("There should be at least one {kind}MessageBatchRequestEntry in the request.");
        return Err(Refusal::new(Code::EmptyBatchRequest, message));
    }
    if entries.len() > MAX_ENTRIES {
        let message = format!(
            "Maximum number of entries per request are {MAX_ENTRIES}. You have sent {}.",
            entries.len()
        );
        return Err(Refusal::new(Code::TooManyEntriesInBatchRequest, message));
    }
    let mut ids = BTreeSet::new();
    for Identified { id, .. } in &entries {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > MAX_ID_LENGTH || !id.chars().all(is_valid) {
            let message = format!(
                "A batch entry id can only contain alphanumeric characters, hyphens and \
                 underscores. It can be at most {MAX_ID_LENGTH} letters long."
            );
            return Err(Refusal::new(Code::InvalidBatchEntryId, message));
        }
        if !ids.insert(id) {
            return Err(Refusal::new(Code::BatchEntryIdsNotDistinct, format!("Id {id} repeated.")));
        }
    }
    Ok(entries)
}

/// A message that SQS takes, and its delay.
fn message(request: wire::Send) -> Result<(String, Duration), Refusal> {
    let body = request.message_body.filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| Refusal::missing("MessageBody"))?;
    if body.len() > MAX_BYTES {
        let message = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MAX_BYTES} \
             bytes."
        );
        return Err(Refusal::new(Code::InvalidParameterValue, message));
    }
    if let Some(c) = body.chars().find(|c| !is_allowed(*c)) {
        let message = format!(
            "Invalid binary character '#x{:X}' was found in the message body, the set of allowed \
             characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to \
             #x10FFFF",
            u32::from(c)
        );
        return Err(Refusal::new(Code::InvalidMessageContents, message));
    }
    Ok((body, seconds("DelaySeconds", request.delay_seconds.unwrap_or_default(), MAX_DELAY)?))
}

/// Whether SQS takes a character: those of XML.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn visibility(given: i64) -> Result<Duration, Refusal> {
    seconds("VisibilityTimeout", given, MAX_VISIBILITY)
}

fn seconds(parameter: &str, given: i64, most: Duration) -> Result<Duration, Refusal> {
    let valid = u64::try_from(given).ok().filter(|secs| *secs <= most.as_secs());
    valid.map(Duration::from_secs).ok_or_else(|| {
        let reason = format!("{parameter} must be >= 0 and <= {}.", most.as_secs());
        Refusal::invalid(parameter, given, &reason)
    })
}

fn receipt(queue: QueueNumber, handle: Option<&str>) -> Result<Receipt, Refusal> {
    let Some(handle) = handle else { return Err(Refusal::missing("ReceiptHandle")) };
    let mut parts = handle.split('-');
    let mut part = || parts.next()?.parse::<u64>().ok();
    let mut receipt = || {
        let (of_queue, id, receives) = (part()?, part()?, part()?);
        let is_of_queue = usize::try_from(of_queue) == Ok(queue.0);
        let receives = u32::try_from(receives).ok()?;
        is_of_queue.then_some(Receipt { queue, id, receives })
    };
    receipt().ok_or_else(|| {
        let message =
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        Refusal::new(Code::ReceiptHandleIsInvalid, message)
    })
}

fn handle(receipt: Receipt) -> String {
    format!("{}-{}-{}", receipt.queue.0, receipt.id, receipt.receives)
}

fn message_id(id: u64) -> String {
    format!("ask-{id}")
}

fn with_id(id: String, mut sent: Value) -> Value {
    sent["Id"] = id.into();
    sent
}

fn checksum(body: &str) -> String {
    Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn no_such_queue() -> Refusal {
    Refusal::new(Code::QueueDoesNotExist, "The specified queue does not exist.")
}

pub(super) fn failure(error: &std::io::Error) -> Refusal {
    tracing::error!(%error, "a queue was not written");
    Refusal::new(Code::InternalFailure, "The request processing has failed.")
}
