//! The embedded SQS: the queues of asks, of notifications, and of dead letters.
//!
//! ```text
//! request -> which queue -+-> asks: operations -> asks -> messages, waiting
//!                         |                          \-> journal
//!                         +-> notifications -> whoever delivers them
//!                         +-> dead letters -> a file
//! ```
//!
//! The queues of asks take what the processor says to SQS, in its AWS JSON 1.0 protocol: see
//! [`operations`]. The two others only take `SendMessage`. What is not here: making and
//! changing queues, FIFO, attributes of messages, redrive policies, and an end of retention.
//!
//! No crate takes its place: `fakecloud-sqs` is AGPL; `winterbaume-sqs` looks at every message
//! of a queue at each call, and keeps nothing from one run to the next.

mod asks;
mod journal;
mod letters;
mod messages;
mod operations;
mod waiting;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use contract::ask::{Class, Queue, QueueUrls, ReadyUrls};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::free_port;
use asks::{Asks, Named};
use letters::Letters;
use wire::{Code, Refusal};

pub use letters::{dead_letters_so_far, read_dead_letters};
pub use waiting::Waits;

/// The account in the addresses of queues.
const ACCOUNT: &str = "/000000000000";

/// Name of the queue of notifications.
const NOTIFICATIONS: &str = "/notifications";

/// Name of the queue of dead letters.
const DEAD_LETTERS: &str = "/dead-letters";

/// Largest request: the 1 MiB of a batch, each character of it escaped.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// The queues.
#[derive(Debug, Clone)]
pub struct Queues {
    address: SocketAddr,
    asks: Arc<Asks>,
    /// The folder in which asks are kept, if they are.
    kept: Option<PathBuf>,
}

#[derive(Debug)]
struct Server {
    letters: Letters,
    /// Receives the notifications. Only invocations under way send them, one each at
    /// most, so they are as few as those.
    notifications: mpsc::UnboundedSender<String>,
    asks: Arc<Asks>,
}

/// Serves the queues with their state in `folder`; with `kept`, asks are there for another
/// run. Also returns the notifications.
pub(super) async fn serve(
    folder: &Path,
    kept: bool,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(Queues, mpsc::UnboundedReceiver<String>)> {
    let (listener, address) = free_port().await?;
    let (notifications, receiver) = mpsc::unbounded_channel();
    let asks = Arc::new(Asks::new(stop));
    let server = Server { letters: Letters::new(folder), notifications, asks: Arc::clone(&asks) };
    let router = Router::new()
        .fallback(post(answer))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(server));
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "embedded SQS stopped");
        }
    });
    let kept = kept.then(|| folder.to_owned());
    Ok((Queues { address, asks, kept }, receiver))
}

impl Queues {
    /// Opens the queues of asks for these models, once.
    ///
    /// What an earlier run left for another model is on the queue of those that wait for a
    /// time, from where whoever takes it up puts it where it belongs.
    ///
    /// A message that was received is hidden for `visibility`, unless the call says otherwise.
    pub fn open_asks(&self, models: &[String], visibility: Duration) -> anyhow::Result<QueueUrls> {
        let urls = ask_queue_urls(self.address, models);
        let mut queues = vec![Queue::Later, Queue::Jobs];
        for model_id in urls.ready.keys() {
            let ready = |class| Queue::Ready { model_id: model_id.clone(), class };
            queues.extend(Class::ALL.map(ready));
        }
        let named = queues.iter().filter_map(|queue| {
            Some(Named { path: path(urls.url(queue)?).to_owned(), name: name(queue) })
        });
        self.asks.open(named.collect(), visibility, self.kept.as_deref())?;
        Ok(urls)
    }

    /// Who waits on the queues of asks.
    pub fn waits(&self) -> Waits {
        self.asks.waits()
    }

    /// Lets asks that were received be received again at once, whose receivers are gone.
    pub(crate) fn release(&self) {
        self.asks.release();
    }

    pub(super) fn dead_letters_url(&self) -> String {
        format!("http://{}{ACCOUNT}{DEAD_LETTERS}", self.address)
    }

    pub(super) fn notifications_url(&self) -> String {
        format!("http://{}{ACCOUNT}{NOTIFICATIONS}", self.address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The addresses of the queues of asks for these models, numbered, as names of models are not
/// for addresses.
pub fn ask_queue_urls(address: SocketAddr, models: &[String]) -> QueueUrls {
    let url = |name: &str| format!("http://{address}{ACCOUNT}/asks-{name}");
    let models: BTreeMap<&String, ()> = models.iter().map(|model| (model, ())).collect();
    let ready = models.into_keys().enumerate().map(|(number, model_id)| {
        let url = |class: Class| url(&format!("{number}-{}", class.name()));
        let [high, normal, low] = Class::ALL.map(url);
        (model_id.clone(), ReadyUrls { high, normal, low })
    });
    QueueUrls { later: url("later"), ready: ready.collect(), jobs: Some(url("jobs")) }
}

/// By which another run, whose models may be others, knows a queue.
fn name(queue: &Queue) -> String {
    match queue {
        Queue::Later => "later".to_owned(),
        Queue::Jobs => "jobs".to_owned(),
        Queue::Ready { model_id, class } => format!("{} {model_id}", class.name()),
    }
}

/// The path in an address.
fn path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.find('/').map_or("", |at| &after_scheme[at..])
}

async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("AmazonSQS."));
    match respond(&server, operation.unwrap_or_default(), &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn respond(server: &Server, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
    let mut request: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::new(Code::UnsupportedOperation, error.to_string()))?;
    let url = request.as_object_mut().and_then(|request| request.remove("QueueUrl"));
    let url = url.as_ref().and_then(Value::as_str).ok_or_else(|| Refusal::missing("QueueUrl"))?;
    let path = path(url);
    if let Some(queue) = server.asks.number(path) {
        return operations::perform(&server.asks, queue, operation, request).await;
    }
    let name = path.strip_prefix(ACCOUNT).unwrap_or_default();
    if ![NOTIFICATIONS, DEAD_LETTERS].contains(&name) {
        return Err(operations::no_such_queue());
    }
    if operation != "SendMessage" {
        let message = format!("{operation} is not here for this queue.");
        return Err(Refusal::new(Code::UnsupportedOperation, message));
    }
    let message = request["MessageBody"].as_str().ok_or_else(|| Refusal::missing("MessageBody"))?;
    if name == NOTIFICATIONS {
        let sent = server.notifications.send(message.to_owned());
        return sent
            .map(|()| json!({ "MessageId": "notification" }))
            .map_err(|_| operations::no_such_queue());
    }
    match server.letters.append(message).await {
        Ok(position) => Ok(json!({ "MessageId": format!("letter-{position}") })),
        Err(error) => {
            tracing::error!(%error, "dead letter was not written");
            Err(Refusal::new(Code::RequestThrottled, "dead letter was not written"))
        }
    }
}

#[cfg(test)]
mod tests;
