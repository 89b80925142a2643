//! A stand-in for the queues.
//!
//! Takes SQS' `SendMessage` (AWS JSON 1.0). Dead letters are appended to a file, one a
//! line; notifications go to whoever delivers them. Nothing else of SQS is here: no
//! Rust crate embeds it.

use std::io::{BufRead as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use contract::dead_letter::DeadLetter;
use contract::local::DEAD_LETTERS_FILE;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::free_port;

/// Name of the queue of notifications.
pub(super) const NOTIFICATIONS: &str = "/notifications";

#[derive(Debug)]
struct Queue {
    path: PathBuf,
    /// Taken while writing, so that lines do not mix.
    writing: Mutex<()>,
    /// Receives the notifications. Only invocations under way send them, one each at
    /// most, so they are as few as those.
    notifications: mpsc::UnboundedSender<String>,
}

pub(super) async fn serve(
    folder: &Path,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(SocketAddr, mpsc::UnboundedReceiver<String>)> {
    let (listener, address) = free_port().await?;
    let (notifications, receiver) = mpsc::unbounded_channel();
    let path = folder.join(DEAD_LETTERS_FILE);
    let queue = Arc::new(Queue { path, writing: Mutex::new(()), notifications });
    let router = Router::new().fallback(post(send_message)).with_state(queue);
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "dead-letter queue stopped");
        }
    });
    Ok((address, receiver))
}

async fn send_message(
    State(queue): State<Arc<Queue>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> (StatusCode, Json<Value>) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if target != Some("AmazonSQS.SendMessage") {
        return refusal("com.amazonaws.sqs#UnsupportedOperation");
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(message) = request["MessageBody"].as_str() else {
        return refusal("com.amazonaws.sqs#InvalidMessageContents");
    };
    if request["QueueUrl"].as_str().is_some_and(|url| url.ends_with(NOTIFICATIONS)) {
        return match queue.notifications.send(message.to_owned()) {
            Ok(()) => (StatusCode::OK, Json(json!({ "MessageId": "notification" }))),
            Err(_) => refusal("com.amazonaws.sqs#QueueDoesNotExist"),
        };
    }
    let _writing = queue.writing.lock().await;
    match append(&queue.path, message) {
        Ok(position) => {
            (StatusCode::OK, Json(json!({ "MessageId": format!("letter-{position}") })))
        }
        Err(error) => {
            tracing::error!(%error, "dead letter was not written");
            refusal("com.amazonaws.sqs#RequestThrottled")
        }
    }
}

fn refusal(code: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({ "__type": code })))
}

fn append(path: &Path, message: &str) -> io::Result<u64> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    let position = file.metadata()?.len();
    // Letters are JSON on one line; a line break could only come from outside JSON.
    writeln!(file, "{}", message.replace('\n', " "))?;
    Ok(position)
}

/// Size of the file of dead letters now; where those of a run begin.
pub fn dead_letters_so_far(folder: &Path) -> u64 {
    fs::metadata(folder.join(DEAD_LETTERS_FILE)).map_or(0, |file| file.len())
}

/// Reads up to `most` dead letters from place `from` on, oldest first.
///
/// A line that a killed run left unfinished is passed over.
pub fn read_dead_letters(folder: &Path, from: u64, most: usize) -> anyhow::Result<Vec<DeadLetter>> {
    let path = folder.join(DEAD_LETTERS_FILE);
    let failed = || format!("reading {}", path.display());
    let mut file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(failed),
    };
    file.seek(io::SeekFrom::Start(from)).with_context(failed)?;
    let lines = io::BufReader::new(file).lines().map_while(Result::ok);
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).take(most).collect())
}
