//! A stand-in for `local` and its bucket that only counts: what it says can be made wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use contract::metrics::{self, Fate};
use local::{aws, front};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Largest body of a test.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How the stand-in behaves.
pub(crate) struct Behaviour {
    /// Files after which everything is done.
    pub(crate) files: u64,
    /// Those that are damaged.
    pub(crate) damaged: u64,
    /// Events in them.
    pub(crate) events: u64,
    /// Whether the bucket takes anything.
    pub(crate) takes_files: bool,
    /// Whether there are faults at all.
    pub(crate) has_faults: bool,
    /// Path of a figure that is wrong in the end, and its value.
    pub(crate) wrong: Option<(&'static str, Value)>,
}

struct Held {
    behaviour: Behaviour,
    uploaded: AtomicU64,
    /// What was switched, in order.
    switched: Mutex<Vec<Value>>,
    switched_on: Notify,
}

/// The running stand-in.
pub(crate) struct Stub {
    pub(crate) url: String,
    held: Arc<Held>,
}

impl Stub {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let held = Arc::new(Held {
            behaviour,
            uploaded: AtomicU64::default(),
            switched: Mutex::default(),
            switched_on: Notify::new(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&held));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, held }
    }

    /// What was switched, in order.
    pub(crate) fn switched(&self) -> Vec<Value> {
        self.held.switched.lock().expect("is whole").clone()
    }

    /// Waits until the first fault is on.
    pub(crate) async fn a_fault_is_on(&self) {
        self.held.switched_on.notified().await;
    }
}

async fn answer(State(held): State<Arc<Held>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match (request.method().clone(), path.as_str()) {
        (Method::GET, "/local/metrics") => Json(held.figures()).into_response(),
        (Method::PUT, "/local/faults") => held.switch(request).await,
        (Method::PUT, path) if path.starts_with(&format!("/{}/", aws::BUCKET)) => {
            held.take(request.into_body()).await
        }
        _ => look_up(&request),
    }
}

/// What the api answers for a user without content, where it has no fallback.
pub(crate) const NOTHING: &str = r#"{"error":{"code":"no_content","message":"-"}}"#;

/// Nobody has content.
fn look_up(request: &Request) -> Response {
    use base64::Engine as _;
    let right = base64::engine::general_purpose::STANDARD.encode(front::CREDENTIALS);
    let given = request.headers().get(header::AUTHORIZATION);
    let is_right =
        given.is_some_and(|given| given.as_bytes() == format!("Basic {right}").as_bytes());
    if is_right {
        (StatusCode::NOT_FOUND, NOTHING).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

impl Held {
    async fn take(&self, body: Body) -> Response {
        to_bytes(body, MAX_BYTES).await.expect("is read");
        if !self.behaviour.takes_files {
            return StatusCode::FORBIDDEN.into_response();
        }
        self.uploaded.fetch_add(1, Ordering::SeqCst);
        StatusCode::OK.into_response()
    }

    async fn switch(&self, request: Request) -> Response {
        let kind = request.headers().get(header::CONTENT_TYPE).cloned();
        assert_eq!(kind.expect("has a type").as_bytes(), b"application/json");
        if !self.behaviour.has_faults {
            return (StatusCode::NOT_FOUND, "start local with --faults").into_response();
        }
        let body = to_bytes(request.into_body(), MAX_BYTES).await.expect("is read");
        let faults: Value = serde_json::from_slice(&body).expect("is JSON");
        let is_on = faults != json!({});
        self.switched.lock().expect("is whole").push(faults);
        if is_on {
            self.switched_on.notify_one();
        }
        StatusCode::NO_CONTENT.into_response()
    }

    fn figures(&self) -> Value {
        let uploaded = self.uploaded.load(Ordering::SeqCst);
        let Behaviour { files, damaged, events, ref wrong, .. } = self.behaviour;
        let is_done = uploaded == files;
        let done = |n: u64| if is_done { n } else { 0 };
        let switched = self.switched.lock().expect("is whole").clone();
        let strikes = |kind: &str| {
            u64::from(switched.iter().any(|on| !on[format!("{kind}_every")].is_null()))
        };
        let mut figures = json!({
            "uptime_ms": 1,
            "counts": {
                metrics::OBJECTS_READ: done(files - damaged),
                metrics::OBJECTS_DAMAGED: done(damaged),
                metrics::EVENTS_READ: done(events),
                metrics::STREAM_RECORDS: done(7),
                metrics::EVENTS_RECEIVED: done(events),
                Fate::NoTrigger.metric(): done(events - 5),
                Fate::Stored.metric(): done(5),
                metrics::GENERATIONS: done(5),
                metrics::THROTTLES: done(2),
                metrics::DEAD_LETTERS: done(damaged),
            },
            "objects": { "uploaded": uploaded, "notified": uploaded, "done": uploaded },
            "records": { "taken": done(7), "done": done(7) },
            "events_done": done(events),
            "lost": 0,
            "drained": is_done || uploaded == 0,
            "backlog": { "objects": files - uploaded, "records": 0 },
            "freshness_ms": { "count": 5, "p50": 10, "p99": 20, "max": 30 },
            "quota": { "tokens_per_minute": 1_000, "used_last_minute": 900 },
            "stand_in": { "calls": 7, "answers": 5, "throttled": 0 },
            "faults": { "on": {}, "chances": {}, "injected": {
                "bedrock_throttle": strikes("bedrock_throttle"),
                "bedrock_timeout": strikes("bedrock_timeout"),
                "bedrock_error": strikes("bedrock_error"),
                "kinesis_throttle": strikes("kinesis_throttle"),
                "dynamodb_error": strikes("dynamodb_error"),
                "kill": strikes("kill"),
            } },
        });
        if let (true, Some((path, value))) = (is_done, wrong) {
            let figure = figures.pointer_mut(path).expect("there is such a figure");
            *figure = value.clone();
        }
        figures
    }
}
