//! What is asked of a running `local` beside look-ups: its figures, and its faults.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::client::{BadTarget, Target, connector};

/// Longest answer that is waited for: `local` under load has more to do.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Most characters of a refusal that a person is shown.
const MAX_REFUSAL_CHARS: usize = 200;

/// The figures of a run, as `GET /local/metrics` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Metrics {
    /// Counters, by the names of `contract::metrics`.
    pub counts: BTreeMap<String, u64>,
    /// Objects on their way.
    pub objects: Objects,
    /// Stream records on their way.
    pub records: Records,
    /// Events in records that are done with.
    pub events_done: u64,
    /// What went in and came out nowhere.
    pub lost: u64,
    /// Whether nothing is under way.
    pub drained: bool,
    /// What waits.
    pub backlog: Backlog,
    /// From an object's appearance to its readable content.
    pub freshness_ms: Freshness,
    /// The model's quota, where it is known.
    pub quota: Option<Quota>,
    /// The stand-in for the model, where there is one.
    pub stand_in: Option<StandIn>,
    /// What goes wrong on purpose.
    #[serde(default)]
    pub faults: Struck,
}

/// Objects on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Objects {
    /// Uploaded.
    pub uploaded: u64,
}

/// Stream records on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Records {
    /// Processed, or given up with a dead letter.
    pub done: u64,
}

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Backlog {
    /// Objects.
    pub objects: u64,
    /// Stream records.
    pub records: u64,
}

/// Freshness of all contents so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Freshness {
    /// Half were no older.
    pub p50: u64,
    /// 99 in a hundred were no older.
    pub p99: u64,
}

/// A quota, and its use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Quota {
    /// Tokens a minute.
    pub tokens_per_minute: u64,
    /// Tokens of the last minute.
    pub used_last_minute: u64,
}

/// What the stand-in for the model counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct StandIn {
    /// Calls that it refused, because they were above the quota.
    pub throttled: u64,
}

/// Faults that struck.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Struck {
    /// How often, by kind.
    pub injected: BTreeMap<String, u64>,
    /// How often they could have.
    pub chances: BTreeMap<String, u64>,
}

/// Why `local` could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The address cannot be read.
    #[error("the api's address cannot be read")]
    Uri(#[from] InvalidUri),
    /// Nothing can be asked at all.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// It has no such thing.
    #[error("{path} is not there: start `local` with --faults ({said})")]
    NotThere {
        /// What was asked.
        path: &'static str,
        /// What it said.
        said: String,
    },
    /// It refused.
    #[error("{path} answered {status}: {said}")]
    Refused {
        /// What was asked.
        path: &'static str,
        /// The status.
        status: StatusCode,
        /// What it said.
        said: String,
    },
    /// It does not answer.
    #[error("{path} gave no answer within {} seconds, or none at all", TIMEOUT.as_secs())]
    NoAnswer {
        /// What was asked.
        path: &'static str,
    },
    /// The figures have another shape.
    #[error("the answer of {METRICS} cannot be read")]
    Shape(#[source] serde_json::Error),
}

const METRICS: &str = "/local/metrics";
const FAULTS: &str = "/local/faults";

/// A running `local`.
#[derive(Debug, Clone)]
pub struct Local {
    hyper: Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    credentials: Option<HeaderValue>,
}

impl Local {
    /// At the api's address; no connection is opened yet.
    pub fn new(target: &Target) -> Result<Self, LocalError> {
        let url = target.url.trim_end_matches('/').to_owned();
        url.parse::<Uri>()?;
        let hyper = Hyper::builder(TokioExecutor::new()).build(connector()?);
        let credentials = target.credentials.as_ref().map(|credentials| credentials.header());
        Ok(Self { hyper, url, credentials: credentials.transpose().map_err(BadTarget::from)? })
    }

    /// The figures as they are now.
    pub async fn metrics(&self) -> Result<Metrics, LocalError> {
        let body = self.ask(Method::GET, METRICS, Bytes::new()).await?;
        serde_json::from_slice(&body).map_err(LocalError::Shape)
    }

    /// Lets this go wrong, and nothing else.
    pub async fn set_faults(&self, faults: &impl Serialize) -> Result<(), LocalError> {
        let body = serde_json::to_vec(faults).map_err(LocalError::Shape)?;
        self.ask(Method::PUT, FAULTS, body.into()).await.map(|_| ())
    }

    async fn ask(
        &self,
        method: Method,
        path: &'static str,
        body: Bytes,
    ) -> Result<Bytes, LocalError> {
        let no_answer = || LocalError::NoAnswer { path };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(credentials) = &self.credentials {
            request = request.header(AUTHORIZATION, credentials);
        }
        let request = request.body(Full::new(body)).map_err(|_| no_answer())?;
        let answered = timeout(TIMEOUT, async {
            let (head, body) = self.hyper.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await.ok()?.to_bytes();
            Some((head.status, body))
        });
        let (status, body) = answered.await.ok().flatten().ok_or_else(no_answer)?;
        if status.is_success() {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(&body).chars().take(MAX_REFUSAL_CHARS).collect();
        Err(match status {
            StatusCode::NOT_FOUND => LocalError::NotThere { path, said },
            status => LocalError::Refused { path, status, said },
        })
    }
}

impl Metrics {
    /// A counter; one that was never touched is zero.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// What was counted since `start`; gauges stay as they are.
    pub fn since(&self, start: &Self) -> Self {
        let without = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let less = |name| before.get(name).copied().unwrap_or_default();
            now.iter().map(|(name, n)| (name.clone(), n.saturating_sub(less(name)))).collect()
        };
        let refused = |of: &Self| of.stand_in.unwrap_or_default().throttled;
        Self {
            counts: without(&self.counts, &start.counts),
            objects: Objects {
                uploaded: self.objects.uploaded.saturating_sub(start.objects.uploaded),
            },
            records: Records { done: self.records.done.saturating_sub(start.records.done) },
            events_done: self.events_done.saturating_sub(start.events_done),
            lost: self.lost.saturating_sub(start.lost),
            stand_in: self
                .stand_in
                .map(|_| StandIn { throttled: refused(self).saturating_sub(refused(start)) }),
            faults: Struck {
                injected: without(&self.faults.injected, &start.faults.injected),
                chances: without(&self.faults.chances, &start.faults.chances),
            },
            ..self.clone()
        }
    }
}
