//! A stand-in for Amazon Bedrock's Converse.
//!
//! Keeps the account's books as AWS describes them: a request is charged its
//! input and its whole output allowance when it starts and is settled to what it
//! used, output times burndown, when it ends; what would exceed the quota of any
//! sixty seconds gets a `ThrottlingException`. The text is made up from the
//! events in the prompt and says so: no model runs here.
//!
//! - `ledger` — the quota's books.
//! - `text` — the text, in the shape of the requested schema.

mod ledger;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::aws::free_port;
use ledger::Ledger;
pub use ledger::QuotaUse;

/// Bytes that make one token here; AWS' sample estimates with the same number.
const BYTES_PER_TOKEN: usize = 4;

/// Output allowance of a request that names none, as of a current model.
const DEFAULT_MAX_TOKENS: u64 = 8_192;

/// What a guardrail puts in an answer's place.
const BLOCKED: &str = "blocked by the stand-in's guardrail";

/// How the stand-in behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Tokens admitted in any sixty seconds.
    pub tokens_per_minute: u64,
    /// What an output token counts when a call is settled.
    pub output_burndown: u64,
    /// Time to the first token.
    pub latency: Duration,
    /// Time for each token of output.
    pub latency_per_token: Duration,
    /// Answer every so-manieth call with a throttle, whatever the quota; 0 for none.
    pub throttle_every: u64,
    /// Which answers cannot be used.
    pub unusable: Unusable,
    /// Stop reason of the unusable answers; without one, they break the schema.
    pub stop_reason: Option<&'static str>,
    /// What the account's guardrails let nobody read; they look at texts, not at what is
    /// put into a tool.
    pub forbidden: Option<&'static str>,
}

/// Which answers cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// None.
    None,
    /// The first to each prompt; a correction gets a good one.
    First,
    /// All.
    All,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            tokens_per_minute: 20_000_000,
            output_burndown: 5,
            latency: Duration::from_millis(20),
            latency_per_token: Duration::from_micros(100),
            throttle_every: 0,
            unusable: Unusable::None,
            stop_reason: None,
            forbidden: None,
        }
    }
}

/// The running stand-in.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    behaviour: Behaviour,
    ledger: Ledger,
    calls: AtomicU64,
    answers: AtomicU64,
    guarded: AtomicU64,
}

impl StandIn {
    /// Starts listening on a free port of loopback.
    pub async fn start(
        behaviour: Behaviour,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let (listener, _) = free_port().await?;
        Self::serve(listener, behaviour, tasks, stop)
    }

    /// Answers on `listener` until `stop`.
    pub fn serve(
        listener: TcpListener,
        behaviour: Behaviour,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("reading the bound port")?;
        let ledger = Ledger::new(behaviour.tokens_per_minute);
        let state = Arc::new(Shared {
            behaviour,
            ledger,
            calls: AtomicU64::default(),
            answers: AtomicU64::default(),
            guarded: AtomicU64::default(),
        });
        let router = Router::new()
            .route("/model/{model_id}/converse", post(converse))
            .route("/guardrail/{id}/version/{version}/apply", post(apply_guardrail))
            .with_state(Arc::clone(&state));
        let stop = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
                tracing::error!(%error, "Bedrock stand-in stopped");
            }
        });
        Ok(Self { address, state })
    }

    /// Answers that a guardrail was asked about by itself.
    pub fn guarded(&self) -> u64 {
        self.state.guarded.load(Ordering::SeqCst)
    }

    /// What the quota was used for so far.
    pub fn quota_use(&self) -> QuotaUse {
        self.state.ledger.used()
    }

    /// Calls that came.
    pub fn calls(&self) -> u64 {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// Tokens admitted in any sixty seconds.
    pub fn tokens_per_minute(&self) -> u64 {
        self.state.behaviour.tokens_per_minute
    }

    /// What the last sixty seconds hold, in tokens.
    pub fn used_last_minute(&self) -> u64 {
        self.state.ledger.charged(Instant::now())
    }

    /// Calls that were answered with text.
    pub fn answers(&self) -> u64 {
        self.state.answers.load(Ordering::SeqCst)
    }
}

async fn converse(
    State(state): State<Arc<Shared>>,
    Path(_model_id): Path<String>,
    Json(request): Json<Value>,
) -> Response {
    let behaviour = &state.behaviour;
    let call = state.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let input_tokens = (request.to_string().len() / BYTES_PER_TOKEN) as u64;
    let max_tokens = request["inferenceConfig"]["maxTokens"].as_u64().unwrap_or(DEFAULT_MAX_TOKENS);
    let is_fault = behaviour.throttle_every > 0 && call.is_multiple_of(behaviour.throttle_every);
    let reserved = input_tokens + max_tokens;
    let entry = match state.ledger.reserve(reserved, Instant::now()) {
        Some(entry) if !is_fault => entry,
        admitted => {
            if let Some(entry) = admitted {
                state.ledger.settle(entry, 0, Instant::now());
            }
            return refusal(
                "ThrottlingException",
                "Too many tokens, please wait before trying again.",
            );
        }
    };
    let is_unusable = match behaviour.unusable {
        Unusable::None => false,
        Unusable::First => !text::is_correction(&request),
        Unusable::All => true,
    };
    let Some(mut answer) = text::answer(&request) else {
        state.ledger.settle(entry, 0, Instant::now());
        return refusal("ValidationException", "The request holds no schema or no prompt.");
    };
    if is_unusable && behaviour.stop_reason.is_none() {
        answer.text = "{}".to_owned();
    }
    let is_blocked = request["guardrailConfig"].is_object()
        && !answer.is_tool()
        && behaviour.forbidden.is_some_and(|word| answer.text.contains(word));
    let stop_reason = if is_blocked {
        answer.text = BLOCKED.to_owned();
        Some("guardrail_intervened")
    } else {
        behaviour.stop_reason.filter(|_| is_unusable)
    };
    let output_tokens = (answer.text.len().div_ceil(BYTES_PER_TOKEN) as u64).min(max_tokens);
    let tokens = u32::try_from(output_tokens).unwrap_or(u32::MAX);
    let latency = behaviour.latency + behaviour.latency_per_token * tokens;
    sleep(latency).await;
    let used = input_tokens + output_tokens * behaviour.output_burndown;
    state.ledger.settle(entry, used, Instant::now());
    state.answers.fetch_add(1, Ordering::SeqCst);
    Json(json!({
        "output": { "message": { "role": "assistant", "content": [answer.content()] } },
        "stopReason": stop_reason.unwrap_or(answer.stop_reason()),
        "usage": {
            "inputTokens": input_tokens,
            "outputTokens": output_tokens,
            "totalTokens": input_tokens + output_tokens,
        },
        "metrics": { "latencyMs": u64::try_from(latency.as_millis()).unwrap_or(u64::MAX) },
    }))
    .into_response()
}

async fn apply_guardrail(
    State(state): State<Arc<Shared>>,
    Path((_id, _version)): Path<(String, String)>,
    Json(request): Json<Value>,
) -> Json<Value> {
    let contents = request["content"].as_array().cloned().unwrap_or_default();
    let texts = contents.iter().filter_map(|content| content["text"]["text"].as_str());
    let is_blocked =
        state.behaviour.forbidden.is_some_and(|word| texts.clone().any(|text| text.contains(word)));
    state.guarded.fetch_add(1, Ordering::SeqCst);
    Json(json!({
        "action": if is_blocked { "GUARDRAIL_INTERVENED" } else { "NONE" },
        "outputs": if is_blocked { json!([{ "text": BLOCKED }]) } else { json!([]) },
        "assessments": [],
        "usage": {
            "topicPolicyUnits": 0, "contentPolicyUnits": 1, "wordPolicyUnits": 1,
            "sensitiveInformationPolicyUnits": 0, "sensitiveInformationPolicyFreeUnits": 0,
            "contextualGroundingPolicyUnits": 0,
        },
    }))
}

fn refusal(code: &'static str, message: &str) -> Response {
    let status = match code {
        "ThrottlingException" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
    (status, headers, Json(json!({ "message": message }))).into_response()
}
