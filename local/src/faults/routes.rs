//! `GET` and `PUT /local/faults`: what goes wrong now, and what shall.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use contract::local::{self, FAULTS};
use serde_json::json;

use super::Faults;

/// Largest request, in bytes.
const MAX_REQUEST_BYTES: usize = 4_096;

/// The two routes; without faults they say how to have them.
pub fn routes(faults: Option<Faults>) -> Router {
    Router::new()
        .route(FAULTS, get(show).put(set))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(faults)
}

async fn show(State(faults): State<Option<Faults>>) -> Response {
    match faults {
        Some(faults) => Json(faults.figures()).into_response(),
        None => off(),
    }
}

// `Json` takes a request of the type application/json only, which a foreign page in a browser
// cannot send without asking first.
async fn set(State(faults): State<Option<Faults>>, Json(plan): Json<local::Faults>) -> Response {
    let Some(faults) = faults else { return off() };
    match faults.set(plan) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error_of(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn off() -> Response {
    error_of(StatusCode::NOT_FOUND, "faults are off: start local with --faults")
}

fn error_of(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": "faults", "message": message } }))).into_response()
}
