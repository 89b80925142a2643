//! A stand-in for Kinesis that takes PutRecords, or does not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use contract::user_record::{UserRecord, unpack};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the stream does with a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Does {
    /// It takes all entries.
    #[default]
    Takes,
    /// It takes none, because a shard has no room.
    IsFull,
    /// It takes none of the next request, and then all.
    IsFullOnce,
    /// It takes the first request, and then none.
    TakesOnce,
    /// The caller may not.
    Denies,
    /// It fails.
    Fails,
}

#[derive(Debug, Default)]
struct Inner {
    does: Does,
    calls: usize,
    taken: Vec<Bytes>,
}

/// The stand-in.
#[derive(Debug, Clone)]
pub(crate) struct Kinesis {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

impl Kinesis {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("has an address");
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let router = Router::new().fallback(put_records).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inner, address }
    }

    pub(crate) fn client(&self) -> aws_sdk_kinesis::Client {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        aws_sdk_kinesis::Client::from_conf(config.build())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panicked")
    }

    /// Lets it do this from now on.
    pub(crate) fn does(&self, does: Does) {
        self.inner().does = does;
    }

    /// Requests so far.
    pub(crate) fn calls(&self) -> usize {
        self.inner().calls
    }

    /// The user records that it took so far, in their order.
    pub(crate) fn user_records(&self) -> Vec<UserRecord> {
        let taken = self.inner().taken.clone();
        let members = taken.into_iter().flat_map(unpack);
        members.map(|(_, record)| record.expect("is a user record")).collect()
    }
}

async fn put_records(State(inner): State<Arc<Mutex<Inner>>>, body: Bytes) -> (StatusCode, String) {
    let mut inner = inner.lock().expect("nobody panicked");
    inner.calls += 1;
    let failure = |status, code: &str| (status, json!({ "__type": code }).to_string());
    let is_full = match inner.does {
        Does::Denies => return failure(StatusCode::BAD_REQUEST, "AccessDeniedException"),
        Does::Fails => return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        Does::Takes => false,
        Does::IsFull => true,
        Does::IsFullOnce => {
            inner.does = Does::Takes;
            true
        }
        Does::TakesOnce => {
            inner.does = Does::IsFull;
            false
        }
    };
    let request: Value = serde_json::from_slice(&body).expect("is JSON");
    let entries = request["Records"].as_array().expect("has records");
    let results = entries.iter().map(|entry| {
        if is_full {
            let code = "ProvisionedThroughputExceededException";
            return json!({ "ErrorCode": code, "ErrorMessage": "slow down" });
        }
        let bytes = entry["Data"].as_str().expect("has bytes");
        inner.taken.push(STANDARD.decode(bytes).expect("is base64").into());
        json!({ "SequenceNumber": inner.taken.len().to_string(), "ShardId": "s" })
    });
    let results: Vec<Value> = results.collect();
    let failed = if is_full { results.len() } else { 0 };
    (StatusCode::OK, json!({ "FailedRecordCount": failed, "Records": results }).to_string())
}
