//! What is asked of a running `local` beside look-ups: its figures, and its faults.

use std::time::Duration;

use bytes::Bytes;
use contract::local::{FAULTS, Faults, METRICS, Metrics};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::client::{BadTarget, Target, connector};

/// Longest answer that is waited for: `local` under load has more to do.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Most characters of a refusal that a person is shown.
const MAX_REFUSAL_CHARS: usize = 200;

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
    pub async fn set_faults(&self, faults: &Faults) -> Result<(), LocalError> {
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
