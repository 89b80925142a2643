//! What SQS' requests and answers look like in its AWS JSON 1.0 protocol.
//!
//! A field that is not here is refused, and not passed over: whoever sends message attributes
//! or group ids counts on what is not there.

use axum::Json;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Tells errors' names as the older query protocol has them; SDKs go by these.
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// Why a request, or an entry of one, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
}

/// The errors of SQS that are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InternalFailure,
    InvalidAttributeName,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    QueueDoesNotExist,
    ReceiptHandleIsInvalid,
    RequestThrottled,
    TooManyEntriesInBatchRequest,
    UnsupportedOperation,
}

impl Code {
    /// Its name in JSON.
    fn name(self) -> String {
        format!("{self:?}")
    }

    /// Its name in the query protocol.
    pub(super) fn query_name(self) -> String {
        match self {
            Self::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            Self::BatchEntryIdsNotDistinct
            | Self::BatchRequestTooLong
            | Self::EmptyBatchRequest
            | Self::InvalidBatchEntryId
            | Self::MessageNotInflight
            | Self::TooManyEntriesInBatchRequest
            | Self::UnsupportedOperation => format!("AWS.SimpleQueueService.{self:?}"),
            _ => self.name(),
        }
    }

    fn is_senders(self) -> bool {
        self != Self::InternalFailure
    }
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(Code::MissingParameter, message)
    }

    pub(super) fn invalid(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        let message =
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(Code::InvalidParameterValue, message)
    }

    /// As an entry of a batch's answer.
    pub(super) fn entry(self, id: String) -> Value {
        json!({
            "Id": id,
            "Code": self.code.query_name(),
            "Message": self.message,
            "SenderFault": self.code.is_senders(),
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, at_fault) = match self.code.is_senders() {
            true => (StatusCode::BAD_REQUEST, "Sender"),
            false => (StatusCode::INTERNAL_SERVER_ERROR, "Receiver"),
        };
        let query_error = format!("{};{at_fault}", self.code.query_name());
        let body = json!({
            "__type": format!("com.amazonaws.sqs#{}", self.code.name()),
            "message": self.message,
        });
        (status, [(QUERY_ERROR, query_error)], Json(body)).into_response()
    }
}

/// `SendMessage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Send {
    pub(super) message_body: Option<String>,
    pub(super) delay_seconds: Option<i64>,
}

/// A batch of any kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, bound = "Entry: DeserializeOwned")]
pub(super) struct Batch<Entry> {
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Identified<Entry>>,
}

/// One entry of a batch: what it would be alone, and its id.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>", bound = "Entry: DeserializeOwned")]
pub(super) struct Identified<Entry> {
    pub(super) id: String,
    pub(super) entry: Entry,
}

impl<Entry: DeserializeOwned> TryFrom<Map<String, Value>> for Identified<Entry> {
    type Error = serde_json::Error;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let id = fields.remove("Id").map_or(Ok(String::new()), serde_json::from_value)?;
        Ok(Self { id, entry: serde_json::from_value(fields.into())? })
    }
}

/// `ReceiveMessage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Receive {
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    #[serde(default, alias = "AttributeNames")]
    pub(super) message_system_attribute_names: Vec<String>,
}

/// `DeleteMessage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Delete {
    pub(super) receipt_handle: Option<String>,
}

/// `ChangeMessageVisibility`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Change {
    pub(super) receipt_handle: Option<String>,
    pub(super) visibility_timeout: Option<i64>,
}

/// `GetQueueAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Attributes {
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

/// The answer to a batch: never a failure as a whole.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Results {
    pub(super) successful: Vec<Value>,
    pub(super) failed: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_is_refused() {
        let refused = |request: Value| serde_json::from_value::<Send>(request).is_err();

        assert!(!refused(json!({ "MessageBody": "a", "DelaySeconds": 1 })));
        assert!(refused(json!({ "MessageBody": "a", "MessageGroupId": "g" })));
        let batch =
            json!({ "Entries": [{ "Id": "1", "MessageBody": "a", "MessageGroupId": "g" }] });
        assert!(serde_json::from_value::<Batch<Send>>(batch).is_err());
    }
}
