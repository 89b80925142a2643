//! Replies that say no, in the words of Bedrock.
//!
//! Status, header and body are those that its users report; of messages that name an account
//! or a role the names are made up.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::scenario::Scenario;

/// Calls that are answered at a time while there are too many connections.
const CONNECTIONS: u64 = 4;

/// Calls of a burst that is refused, and of the pause behind it.
const BURST: u64 = 20;

/// Calls that fail before what is being set up is there.
const SETTING_UP: u64 = 3;

/// What [`Scenario::Overloaded`] asks its caller to wait, in seconds.
const RETRY_AFTER_SECS: u64 = 1;

/// What stands behind an error's name in the header.
const NAMESPACE: &str = "http://internal.amazon.com/coral/com.amazon.bedrock/";

/// What a proxy shows.
pub(super) const PAGE: &str =
    "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Error</h1></body></html>\n";

/// A reply that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    /// Without one it does not come from the service, and is a page.
    code: Option<&'static str>,
    message: String,
    retry_after_secs: Option<u64>,
}

/// A call as a scenario sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) request: &'a Value,
    pub(super) model_id: &'a str,
    /// How many calls the scenario has struck before.
    pub(super) before: u64,
    /// Calls that are under way, this one included.
    pub(super) under_way: u64,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into(), retry_after_secs: None }
    }

    fn page(status: StatusCode) -> Self {
        Self { status, code: None, message: String::new(), retry_after_secs: None }
    }

    /// The request is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// The quota of the minute is used up.
    pub(super) fn throttled() -> Self {
        let message = "Too many tokens, please wait before trying again.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", message)
    }

    /// It was done already, or cannot be any more.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ConflictException", message)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    pub(super) fn absent(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    fn unavailable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", message)
    }

    /// What a scenario refuses a call with, if it does.
    pub(super) fn of(scenario: Scenario, call: Call<'_>) -> Option<Self> {
        failure(scenario)
            .or_else(|| crowd(scenario, call))
            .or_else(|| passing(scenario, call))
            .or_else(|| account(scenario, call))
            .or_else(|| request(scenario, call.request))
    }
}

/// Failures of the service and of what is before it.
fn failure(scenario: Scenario) -> Option<Refusal> {
    Some(match scenario {
        Scenario::ModelError => Refusal::new(
            StatusCode::FAILED_DEPENDENCY,
            "ModelErrorException",
            "The model returned the following errors: unexpected error during processing.",
        ),
        Scenario::InternalError => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        Scenario::ModelTimeout => Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "ModelTimeoutException",
            "Model has timed out in processing the request. Try your request again.",
        ),
        Scenario::Unavailable => Refusal::unavailable("Bedrock is unable to process your request."),
        Scenario::Proxy403 => Refusal::page(StatusCode::FORBIDDEN),
        Scenario::Proxy400 => Refusal::page(StatusCode::BAD_REQUEST),
        Scenario::Proxy500 => Refusal::page(StatusCode::INTERNAL_SERVER_ERROR),
        _ => return None,
    })
}

/// Refusals because others call as well.
fn crowd(scenario: Scenario, call: Call<'_>) -> Option<Refusal> {
    let crowded = "Too many connections, please wait before trying again.";
    match scenario {
        Scenario::TooManyConnections => {
            (call.under_way > CONNECTIONS).then(|| Refusal::unavailable(crowded))
        }
        Scenario::Busy => (call.before % 3 != 2).then(|| Refusal::unavailable(crowded)),
        Scenario::Overloaded => call.before.is_multiple_of(3).then(|| Refusal {
            // It has a status of its own, which has no name.
            status: StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            retry_after_secs: Some(RETRY_AFTER_SECS),
            ..Refusal::unavailable("Overloaded")
        }),
        Scenario::ThrottleBursts => {
            (call.before / BURST).is_multiple_of(2).then(Refusal::throttled)
        }
        Scenario::DailyQuota => Some(Refusal {
            message: "Too many tokens per day, please wait before trying again.".to_owned(),
            ..Refusal::throttled()
        }),
        _ => None,
    }
}

/// Refusals that are over after some calls.
fn passing(scenario: Scenario, call: Call<'_>) -> Option<Refusal> {
    if call.before >= SETTING_UP {
        return None;
    }
    match scenario {
        Scenario::GrammarTimeout => Some(Refusal::invalid(
            "The model returned the following errors: Grammar compilation timed out.",
        )),
        Scenario::AccessPending => Some(Refusal::denied(
            "Model access is denied due to IAM user or service role is not authorized to perform \
             the required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, \
             aws-marketplace:Subscribe) to enable access to this model. Your AWS Marketplace \
             subscription for this model cannot be completed at this time. If you recently fixed \
             this issue, try again after 2 minutes.",
        )),
        _ => None,
    }
}

/// Refusals because of what the account may do.
fn account(scenario: Scenario, call: Call<'_>) -> Option<Refusal> {
    let model_id = call.model_id;
    match scenario {
        Scenario::UseCaseMissing => Some(Refusal::absent(
            "Model use case details have not been submitted for this account. Fill out the \
             Anthropic use case details form before using the model. If you have already filled \
             out the form, try again in 15 minutes.",
        )),
        Scenario::ExplicitDeny => Some(Refusal::denied(format!(
            "User: arn:aws:sts::111122223333:assumed-role/processor-role/processor is not \
             authorized to perform: bedrock:InvokeModel on resource: \
             arn:aws:bedrock:us-east-1::foundation-model/{model_id} with an explicit deny in a \
             service control policy"
        ))),
        Scenario::CachingDenied => has_cache_point(call.request)
            .then(|| Refusal::denied("You do not have access to explicit prompt caching")),
        Scenario::ModelNotHere => Some(Refusal::absent(
            "Could not resolve the foundation model from the provided model identifier.",
        )),
        Scenario::ProfileOnly => Some(Refusal::invalid(format!(
            "Invocation of model ID {model_id} with on-demand throughput isn\u{2019}t supported. \
             Retry your request with the ID or ARN of an inference profile that contains this \
             model."
        ))),
        Scenario::CredentialsExpired => Some(Refusal::new(
            StatusCode::FORBIDDEN,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )),
        _ => None,
    }
}

/// Refusals because of what the model takes.
fn request(scenario: Scenario, request: &Value) -> Option<Refusal> {
    let (is_refused, message) = match scenario {
        Scenario::NoTemperature => (
            !request["inferenceConfig"]["temperature"].is_null(),
            "The model returned the following errors: `temperature` is deprecated for this model.",
        ),
        Scenario::NoToolChoice => (
            !request["toolConfig"]["toolChoice"]["tool"].is_null(),
            "This model doesn't support the toolConfig.toolChoice.tool field. Remove \
             toolConfig.toolChoice.tool and try again.",
        ),
        Scenario::NoTools => {
            (!request["toolConfig"].is_null(), "This model doesn't support tool use.")
        }
        Scenario::NoCachePoint => (
            has_cache_point(request),
            "Malformed input request: #/system/1: extraneous key [cachePoint] is not permitted, \
             please reformat your input and try again.",
        ),
        Scenario::NoStructuredOutput => (
            !request["outputConfig"].is_null(),
            "This model doesn't support the outputConfig.textFormat field. Remove \
             outputConfig.textFormat and try again.",
        ),
        _ => return None,
    };
    is_refused.then(|| Refusal::invalid(message))
}

fn has_cache_point(request: &Value) -> bool {
    let mut blocks = request["system"].as_array().into_iter().flatten();
    blocks.any(|block| !block["cachePoint"].is_null())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Some(code) = self.code else { return (self.status, Html(PAGE)).into_response() };
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&format!("{code}:{NAMESPACE}")) {
            headers.insert(HeaderName::from_static("x-amzn-errortype"), value);
        }
        if let Some(secs) = self.retry_after_secs {
            headers.insert(HeaderName::from_static("retry-after"), secs.into());
        }
        (self.status, headers, Json(json!({ "message": self.message }))).into_response()
    }
}
