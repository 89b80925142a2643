//! A stand-in for Amazon Bedrock's Converse.
//!
//! Keeps the account's books as AWS describes them: a request is charged its
//! input and its whole output allowance when it starts and is settled to what it
//! used, output times burndown, when it ends; what would exceed the quota of any
//! sixty seconds gets a `ThrottlingException`. The text is made up from the
//! events in the prompt and says so: no model runs here.
//!
//! A request that real models refuse is refused, whoever asks. What else a service does that
//! does not answer well, it does when told to: see [`scenario`]. An answer is billed when it
//! ends, or when its client goes away before.
//!
//! - `behaviour` — what can be set; `ledger` — the quota's books.
//! - `text` — the text, in the shape of the requested schema.
//! - `validation`, `grammar` — what is wrong with a request, and with its schema.
//! - `jobs` — batch inference.
//! - [`scenario`] — what can be told to go wrong; `refusal` and `odd` do it.

mod behaviour;
mod grammar;
mod jobs;
mod ledger;
mod odd;
mod refusal;
pub mod scenario;
mod text;
mod validation;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use clap::ValueEnum as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::aws::free_port;
pub use behaviour::{Behaviour, DEFAULT_SLOW, Unusable};
use jobs::Jobs;
pub use ledger::QuotaUse;
use ledger::{Entry, Ledger};
use refusal::{Call, Refusal};
use scenario::{Rule, Scenario};
use text::{Answer, NoAnswer, Schemas};

/// Bytes that make one token here; AWS' sample estimates with the same number.
const BYTES_PER_TOKEN: usize = 4;

/// Output allowance of a request that names none, as of a current model.
const DEFAULT_MAX_TOKENS: u64 = 8_192;

/// What a guardrail puts in an answer's place.
const BLOCKED: &str = "blocked by the stand-in's guardrail";

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
    schemas: Schemas,
    ledger: Ledger,
    jobs: Jobs,
    calls: AtomicU64,
    answers: AtomicU64,
    guarded: AtomicU64,
    under_way: AtomicU64,
    billed_calls: AtomicU64,
    billed_tokens: AtomicU64,
    /// How often each scenario struck, by its place in the list.
    struck: Vec<AtomicU64>,
}

/// What the account was billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BilledUsage {
    /// Calls that were answered, whether somebody could read the answer or not.
    pub calls: u64,
    /// Their input and output tokens.
    pub tokens: u64,
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
            schemas: Schemas::of(&behaviour.campaigns),
            behaviour,
            ledger,
            jobs: Jobs::default(),
            calls: AtomicU64::default(),
            answers: AtomicU64::default(),
            guarded: AtomicU64::default(),
            under_way: AtomicU64::default(),
            billed_calls: AtomicU64::default(),
            billed_tokens: AtomicU64::default(),
            struck: Scenario::value_variants().iter().map(|_| AtomicU64::default()).collect(),
        });
        let router = Router::new()
            .route("/model/{model_id}/converse", post(converse))
            .route("/guardrail/{id}/version/{version}/apply", post(apply_guardrail))
            .merge(jobs::routes())
            .with_state(Arc::clone(&state));
        let stop = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
                tracing::error!(%error, "Bedrock stand-in stopped");
            }
        });
        Ok(Self { address, state })
    }

    /// Lets there be jobs, whose files are here.
    pub(crate) fn open_jobs(&self, files: aws_sdk_s3::Client) {
        self.state.jobs.open(files);
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

    /// What the account was billed so far.
    pub fn billed(&self) -> BilledUsage {
        BilledUsage {
            calls: self.state.billed_calls.load(Ordering::SeqCst),
            tokens: self.state.billed_tokens.load(Ordering::SeqCst),
        }
    }

    /// How often a scenario struck so far.
    pub fn struck(&self, scenario: Scenario) -> u64 {
        self.state.struck[scenario as usize].load(Ordering::SeqCst)
    }

    /// Calls that were answered with text.
    pub fn answers(&self) -> u64 {
        self.state.answers.load(Ordering::SeqCst)
    }
}

async fn converse(
    State(state): State<Arc<Shared>>,
    Path(model_id): Path<String>,
    Json(request): Json<Value>,
) -> Response {
    let call = state.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let under_way = UnderWay::begin(&state);
    let scenarios = match state.scenarios(&model_id, &request) {
        Ok(scenarios) => scenarios,
        Err(refusal) => return refusal.into_response(),
    };
    if let Err(reason) = validation::check(&request) {
        return Refusal::invalid(reason).into_response();
    }
    if let Some(refusal) = state.refusal(&scenarios, &model_id, &request, &under_way) {
        return refusal.into_response();
    }
    match state.answer(call, &request, &scenarios).await {
        Ok(reply) => odd::send(&scenarios, &reply),
        Err(refusal) => refusal.into_response(),
    }
}

impl Shared {
    /// What strikes a call.
    fn scenarios(&self, model_id: &str, request: &Value) -> Result<Vec<Scenario>, Refusal> {
        let of_model = Rule::of_model(model_id).map_err(|error| {
            Refusal::invalid(format!("The provided model identifier is invalid. ({error})"))
        })?;
        let rules = self.behaviour.scenarios.iter().chain(&of_model);
        Ok(rules.filter(|rule| rule.strikes(request)).map(|rule| rule.scenario).collect())
    }

    /// What a scenario refuses a call with, if one does.
    fn refusal(
        &self,
        scenarios: &[Scenario],
        model_id: &str,
        request: &Value,
        under_way: &UnderWay,
    ) -> Option<Refusal> {
        scenarios.iter().find_map(|scenario| {
            let before = self.struck[*scenario as usize].fetch_add(1, Ordering::SeqCst);
            let under_way = under_way.calls;
            Refusal::of(*scenario, Call { request, model_id, before, under_way })
        })
    }

    /// Answers a call that nothing speaks against but the quota.
    async fn answer(
        self: &Arc<Self>,
        call: u64,
        request: &Value,
        scenarios: &[Scenario],
    ) -> Result<Value, Refusal> {
        let behaviour = &self.behaviour;
        let input_tokens = (request.to_string().len() / BYTES_PER_TOKEN) as u64;
        let max_tokens = max_tokens(request);
        let is_fault =
            behaviour.throttle_every > 0 && call.is_multiple_of(behaviour.throttle_every);
        let reserved = self.ledger.reserve(input_tokens + max_tokens, Instant::now());
        let entry = reserved.ok_or_else(Refusal::throttled)?;
        if is_fault {
            self.ledger.settle(entry, 0, Instant::now());
            return Err(Refusal::throttled());
        }
        let mut answer = self.schemas.answer(request).map_err(|none| {
            self.ledger.settle(entry, 0, Instant::now());
            unanswered(none)
        })?;
        let stop_reason = behaviour.spoil(request, &mut answer);
        let is_slow = scenarios.contains(&Scenario::Slow);
        let takes = |output_tokens: u64| match is_slow {
            true => behaviour.slow,
            false => {
                let tokens = u32::try_from(output_tokens).unwrap_or(u32::MAX);
                behaviour.latency + behaviour.latency_per_token * tokens
            }
        };
        let (reply, output_tokens) =
            self.reply((request, scenarios), &mut answer, stop_reason, takes);
        let latency = takes(output_tokens);
        let bill = Bill { state: Arc::clone(self), entry, input_tokens, output_tokens };
        sleep(latency).await;
        drop(bill);
        self.answers.fetch_add(1, Ordering::SeqCst);
        Ok(reply)
    }

    /// The reply with an answer, and how many tokens of output that is.
    fn reply(
        &self,
        (request, scenarios): (&Value, &[Scenario]),
        answer: &mut Answer,
        stop_reason: Option<&'static str>,
        takes: impl Fn(u64) -> Duration,
    ) -> (Value, u64) {
        scenarios.iter().for_each(|scenario| answer.upset(*scenario));
        let input_tokens = (request.to_string().len() / BYTES_PER_TOKEN) as u64;
        let output_tokens = answer.text.len().div_ceil(BYTES_PER_TOKEN) as u64;
        let output_tokens = output_tokens.min(max_tokens(request));
        let latency = takes(output_tokens);
        let mut reply = json!({
            "output": { "message": { "role": "assistant", "content": [answer.content()] } },
            "stopReason": stop_reason.unwrap_or(answer.stop_reason()),
            "usage": {
                "inputTokens": input_tokens,
                "outputTokens": output_tokens,
                "totalTokens": input_tokens + output_tokens,
            },
            "metrics": { "latencyMs": u64::try_from(latency.as_millis()).unwrap_or(u64::MAX) },
        });
        scenarios.iter().for_each(|scenario| odd::upset_reply(*scenario, &mut reply));
        (reply, output_tokens)
    }
}

/// The output allowance of a request.
fn max_tokens(request: &Value) -> u64 {
    request["inferenceConfig"]["maxTokens"].as_u64().unwrap_or(DEFAULT_MAX_TOKENS)
}

/// What a request is refused with that has no answer.
fn unanswered(none: NoAnswer) -> Refusal {
    match none {
        NoAnswer::Incomplete => Refusal::invalid("The request holds no schema or no prompt."),
        NoAnswer::Limit(limit) => Refusal::invalid(limit.to_string()),
    }
}

/// A call that is under way until this is dropped.
struct UnderWay {
    state: Arc<Shared>,
    /// How many there were when it began, itself included.
    calls: u64,
}

impl UnderWay {
    fn begin(state: &Arc<Shared>) -> Self {
        let calls = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        Self { state: Arc::clone(state), calls }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.state.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a call costs. It is billed when this is dropped: when the answer is done, or when
/// nobody waits for it any more.
struct Bill {
    state: Arc<Shared>,
    entry: Entry,
    input_tokens: u64,
    output_tokens: u64,
}

impl Drop for Bill {
    fn drop(&mut self) {
        let Self { state, entry, input_tokens, output_tokens } = self;
        let used = *input_tokens + *output_tokens * state.behaviour.output_burndown;
        state.ledger.settle(*entry, used, Instant::now());
        state.billed_calls.fetch_add(1, Ordering::SeqCst);
        state.billed_tokens.fetch_add(*input_tokens + *output_tokens, Ordering::SeqCst);
    }
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
