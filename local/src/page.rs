//! The page that shows the system at work, at `/` of the api's port.
//!
//! ```text
//! GET  /                   the page, for a browser (front)
//! GET  /local/page/...     its files, which are part of the program       (files)
//! GET  /local/metrics      the figures of now
//! GET  /metrics            the same as lines of Prometheus                (prometheus)
//! GET  /local/samples      the figures of the last minutes                (samples)
//! GET  /local/users        who got content last                           (users)
//! GET  /local/users/{id}   what is stored of one user, and why            (user, why)
//! POST /local/render       a message over the api's answer for a user     (render)
//! PUT  /local/faults       what goes wrong from now on                    (crate::faults)
//! ```
//!
//! Whoever may open the port sees what the machine's own tables hold; `guard` says why that
//! is nobody else than a person at this machine. Nothing here changes anything but the faults.

mod files;
mod guard;
mod prometheus;
pub mod recent;
pub mod render;
pub mod samples;
mod user;
mod users;
mod why;

use std::path::PathBuf;
use std::sync::Arc;

use api::handler::Api;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use catalog::cache::CachedItems;
use serde::Serialize;
use serde_json::json;

pub(crate) use files::index;
pub(crate) use guard::is_local;
use processor::held::Held;
use recent::Recent;
use registry::current::Current;
use render::Renderer;
use samples::Samples;

use crate::authoring;
use crate::faults::{self, Faults};
use crate::metrics::Metrics;

/// An item of DynamoDB.
type Item = std::collections::HashMap<String, AttributeValue>;

/// What the page looks into.
#[derive(Debug)]
pub struct Page {
    /// The api, which answers a message as it answers Braze.
    pub api: Arc<Api>,
    /// The embedded tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Items of catalogs.
    pub items: CachedItems,
    /// The campaigns as they are now.
    pub campaigns: Arc<Current<Held>>,
    /// Their folder.
    pub campaigns_dir: PathBuf,
    /// Who got content last.
    pub recent: Arc<Recent>,
    /// The figures of now.
    pub metrics: Metrics,
    /// The figures of the last minutes.
    pub samples: Arc<Samples>,
    /// What goes wrong, if anything may.
    pub faults: Option<Faults>,
    /// Renders messages.
    pub renderer: Renderer,
}

impl Page {
    /// The campaigns as they are now, in the order of their names.
    async fn campaigns(&self) -> Arc<Held> {
        Arc::clone(&self.campaigns.now().await.campaigns)
    }
}

/// Everything below `/local/`.
pub fn routes(page: Arc<Page>) -> Router {
    let faults = faults::routes::routes(page.faults.clone());
    let body_limit = DefaultBodyLimit::max(render::MAX_REQUEST_BYTES);
    Router::new()
        .route("/local/page/{name}", get(files::file))
        .route("/local/metrics", get(now))
        .route("/metrics", get(prometheus::show))
        .route("/local/samples", get(samples::list))
        .route("/local/users", get(users::list))
        .route("/local/users/{user_id}", get(user::show))
        .route("/local/render", post(render::render).layer(body_limit))
        .with_state(page)
        .merge(faults)
}

async fn now(State(page): State<Arc<Page>>) -> Response {
    let version = page.campaigns.now().await.version.clone();
    let campaigns = format!("{version} {}", authoring::stamp(&page.campaigns_dir));
    answer(&Now { metrics: page.metrics.now(), campaigns })
}

/// The figures of now, and what tells whether the folder of campaigns was edited.
#[derive(Serialize)]
struct Now<M> {
    #[serde(flatten)]
    metrics: M,
    campaigns: String,
}

/// Lets nobody but this machine's own pages through.
pub fn guarded(routes: Router) -> Router {
    routes.layer(middleware::from_fn(guard::guard))
}

/// Tells whether a browser asks for a page, and not for the api's answer.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}

/// An error in the api's own form.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}

/// An answer that is never kept: the next one is another.
fn answer(value: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

/// The embedded DynamoDB did not answer.
fn unreadable(failure: &aws_sdk_dynamodb::Error) -> Response {
    tracing::warn!(error = %failure, "the page could not read the tables");
    error(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "the tables could not be read")
}

/// A text of an item.
fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// A whole number of an item.
fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
