//! The ways that people use today: the real SDK client, whose HTTP connector is the
//! account.
//!
//! What leads to a throttle is the service's answer; what comes then is the SDK's own
//! retrying, in virtual time. Every instance has retry state of its own, as a process has.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::http::{HttpRequest, HttpResponse};
use aws_sdk_bedrockruntime::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_bedrockruntime::config::{
    BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig,
};
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, InferenceConfiguration, Message,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::body::SdkBody;
use governor::clock::{Clock as _, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use quota::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use quota::simulated::account::Account;
use quota::simulated::load::{Caller, INPUT_TOKENS, MAX_TOKENS, MEAN_SETTLED, Request, Run};

/// A way to call the model without the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// No limiter; the SDK's standard retries.
    Standard,
    /// The SDK's adaptive retries, which slow the client down.
    Adaptive,
    /// An instance's share of the requests that fit, by `governor`, and standard retries.
    StaticShare,
    /// One call at a time in an instance, and standard retries.
    OneAtATime,
}

impl Way {
    pub(crate) const ALL: [Self; 4] =
        [Self::Standard, Self::Adaptive, Self::StaticShare, Self::OneAtATime];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Standard => "no limiter, SDK's standard retries",
            Self::Adaptive => "no limiter, SDK's adaptive retries",
            Self::StaticShare => "static share of requests (governor)",
            Self::OneAtATime => "one call at a time",
        }
    }

    /// The callers of a run, one for each instance.
    pub(crate) fn callers(
        self,
        run: &Run,
        account: &Arc<Account>,
        clock: Clock,
    ) -> Vec<Arc<dyn Caller>> {
        let of = |instance| {
            let caller: Arc<dyn Caller> = Arc::new(Peer {
                client: client(self, account, clock, instance),
                turns: (self == Self::OneAtATime).then(|| Semaphore::new(1)),
                share: (self == Self::StaticShare).then(|| Share::of(run)),
            });
            caller
        };
        (0..run.instances).map(of).collect()
    }
}

/// An instance.
struct Peer {
    client: Client,
    turns: Option<Semaphore>,
    share: Option<Share>,
}

/// An instance's share of the requests that fit on average, which nobody knows beforehand.
struct Share {
    limiter: RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<Nanos>>,
    /// Follows the run's clock, by what passed since it was looked at.
    clock: FakeRelativeClock,
    seen: Mutex<Instant>,
}

impl Share {
    fn of(run: &Run) -> Self {
        let requests = run.quota / MEAN_SETTLED / run.instances as f64;
        let requests = NonZeroU32::new(requests as u32).unwrap_or(NonZeroU32::MIN);
        let clock = FakeRelativeClock::default();
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(requests), clock.clone());
        Self { limiter, clock, seen: Mutex::new(Instant::now()) }
    }

    async fn wait(&self) {
        loop {
            {
                let mut seen = self.seen.lock().expect("whole");
                self.clock.advance(seen.elapsed());
                *seen = Instant::now();
            }
            match self.limiter.check() {
                Ok(()) => return,
                Err(refused) => sleep(refused.wait_time_from(self.clock.now())).await,
            }
        }
    }
}

#[async_trait]
impl Caller for Peer {
    async fn call(&self, request: Request) -> Option<Instant> {
        let _turn = match &self.turns {
            Some(turns) => Some(turns.acquire().await.expect("is open")),
            None => None,
        };
        if let Some(share) = &self.share {
            share.wait().await;
        }
        let message = Message::builder()
            .role(ConversationRole::User)
            .content(ContentBlock::Text(request.output_tokens.to_string()))
            .build()
            .expect("is whole");
        let allowance = i32::try_from(MAX_TOKENS).expect("is small");
        let answer = self
            .client
            .converse()
            .model_id("model")
            .messages(message)
            .inference_config(InferenceConfiguration::builder().max_tokens(allowance).build())
            .send()
            .await;
        answer.ok().map(|_| Instant::now() - request.took)
    }
}

fn client(way: Way, account: &Arc<Account>, clock: Clock, instance: usize) -> Client {
    let connector = SharedHttpConnector::new(Wire { account: Arc::clone(account), clock });
    let retries = match way {
        Way::Adaptive => RetryConfig::adaptive(),
        Way::Standard | Way::StaticShare | Way::OneAtATime => RetryConfig::standard(),
    };
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "bench"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .retry_config(retries)
        // A custom partition is shared with nobody.
        .retry_partition(RetryPartition::custom(format!("instance-{instance}")).build())
        .sleep_impl(TokioSleep::new())
        .time_source(SdkClock(clock))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// The account at the other end of an SDK client.
#[derive(Debug, Clone)]
struct Wire {
    account: Arc<Account>,
    clock: Clock,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let body: Value = serde_json::from_slice(request.body().bytes().expect("is in memory"))
                .expect("JSON");
            let text = body["messages"][0]["content"][0]["text"].as_str().expect("a text");
            let request = Request::of(text.parse().expect("a number"));
            Ok(wire.answer(request).await)
        })
    }
}

impl Wire {
    async fn answer(&self, request: Request) -> HttpResponse {
        let Some(call) = self.account.start(request.reserved(), self.clock.now_us(), true) else {
            let mut refusal = response(429, &json!({ "message": "Too many tokens" }));
            refusal.headers_mut().insert("x-amzn-errortype", "ThrottlingException");
            return refusal;
        };
        sleep(request.took).await;
        self.account.end(call, request.settled());
        let output_tokens = request.output_tokens;
        response(
            200,
            &json!({
                "output": { "message": { "role": "assistant", "content": [{ "text": "text" }] } },
                "stopReason": "end_turn",
                "usage": {
                    "inputTokens": INPUT_TOKENS,
                    "outputTokens": output_tokens,
                    "totalTokens": INPUT_TOKENS + output_tokens,
                },
                "metrics": { "latencyMs": 1 },
            }),
        )
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::new(status.try_into().expect("is a status"), SdkBody::from(body.to_string()))
}

/// The run's clock, for the SDK.
#[derive(Debug)]
struct SdkClock(Clock);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0.now_us())
    }
}
