//! S3 notifications, through a queue, to `ingest`.
//!
//! The embedded S3 sends no notifications, so whoever uploads an object calls
//! [`Notifications::object_created`]. Messages that fail come again, up to a
//! limit, as from SQS; after it they are dead letters. While the stream holds much,
//! messages wait: the embedded stream is in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use contract::units::Function;
use ingest::handler::Ingest;
use ingest::trigger::created::CreatedObject;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::aws::BUCKET;
use crate::totals::{Totals, add};

/// Messages that may wait; an uploader that is ahead by more waits itself.
const QUEUE_LENGTH: usize = 64;

/// Deliveries of a message before it becomes a dead letter (SQS' `maxReceiveCount`).
const MAX_RECEIVE_COUNT: u32 = 5;

/// Invocations of `ingest` at a time.
const CONCURRENCY: usize = 2;

/// Time limit of one invocation of `ingest`.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(90);

/// Bytes on the stream from which on no more objects are read: some batches for each poller of
/// some dozen shards. One invocation can put an object more.
const MAX_BACKLOG_BYTES: u64 = 32 * 1024 * 1024;

/// How often it is looked whether the stream has room.
const ROOM_INTERVAL: Duration = Duration::from_millis(20);

/// Wait before a message that failed comes again, times its deliveries.
const REDELIVERY_DELAY: Duration = Duration::from_millis(500);

/// Where uploads are announced.
#[derive(Debug, Clone)]
pub struct Notifications(mpsc::Sender<String>);

impl Notifications {
    /// Starts `ingest` behind a queue of notifications.
    pub fn start(
        ingest: &Ingest,
        continuations: mpsc::UnboundedReceiver<String>,
        totals: &Arc<Totals>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (sender, messages) = mpsc::channel(QUEUE_LENGTH);
        let messages = Arc::new(Mutex::new(Messages { continuations, notifications: messages }));
        for _ in 0..CONCURRENCY {
            let consumer = Consumer {
                ingest: ingest.clone(),
                totals: Arc::clone(totals),
                messages: Arc::clone(&messages),
            };
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(consumer.run()).await });
        }
        Self(sender)
    }

    /// Announces an object as S3 does, its key encoded.
    pub async fn object_created(&self, key: &str, bytes: u64) {
        let at = OffsetDateTime::now_utc();
        let created = CreatedObject { bucket: BUCKET, key, bytes, at };
        self.message(created.notification("local")).await;
    }

    /// Puts a message into the queue as it is.
    pub async fn message(&self, body: String) {
        // Nobody receives any more only when the process is stopping.
        let _ = self.0.send(body).await;
    }
}

struct Consumer {
    ingest: Ingest,
    totals: Arc<Totals>,
    messages: Arc<Mutex<Messages>>,
}

/// What waits in the queue.
struct Messages {
    /// The rest of objects, which goes first, so that few are under way.
    continuations: mpsc::UnboundedReceiver<String>,
    notifications: mpsc::Receiver<String>,
}

impl Messages {
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            Some(message) = self.continuations.recv() => Some(message),
            message = self.notifications.recv() => message,
        }
    }
}

impl Consumer {
    async fn run(self) {
        loop {
            let message = self.messages.lock().await.next().await;
            let Some(message) = message else { return };
            while self.totals.backlog_bytes() > MAX_BACKLOG_BYTES {
                tokio::time::sleep(ROOM_INTERVAL).await;
            }
            self.deliver(&message).await;
            add(&self.totals.notifications_done, 1);
        }
    }

    /// Delivers a message until it is accepted or has come too often.
    async fn deliver(&self, message: &str) {
        let mut reason = String::new();
        for count in 1..=MAX_RECEIVE_COUNT {
            let event = json!({ "Records": [{
                "messageId": "1", "eventSource": "aws:sqs", "body": message,
            }] });
            let began = Instant::now();
            let ingest = self.ingest.now().await;
            let report = ingest.handle(event, SystemTime::now() + FUNCTION_TIMEOUT).await;
            self.totals.billing.invoked(Function::Ingest, began.elapsed(), &report.counts);
            self.totals.add(&report.counts);
            let continued = report.counts.get(metrics::OBJECTS_CONTINUED);
            self.totals.notified.fetch_add(continued, Ordering::SeqCst);
            let Some(error) = report.errors.first() else { return };
            reason = error.to_string();
            tokio::time::sleep(REDELIVERY_DELAY * count).await;
        }
        self.give_up(message, &reason).await;
    }

    async fn give_up(&self, message: &str, reason: &str) {
        let input = Input::Notification { body: message.to_owned() };
        let detail = format!("failed {MAX_RECEIVE_COUNT} times, the last time with: {reason}");
        let letter = DeadLetter::new("notification_failed", detail, input);
        match self.ingest.dead_letters.send(letter.encode()).await {
            Ok(()) => {
                let mut counts = Counts::default();
                counts.add(metrics::DEAD_LETTERS, 1);
                self.totals.add(&counts);
            }
            Err(error) => tracing::error!(%error, "a notification is lost"),
        }
    }
}
