//! Converse without a service: what a call would send, and what a reply that lies in a file says.
//!
//! The records of batch inference hold the body of a request, and of a reply. Both are written and
//! read by the SDK itself, so that a question in a job is asked, and its answer read, as any other
//! is.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::{
    BehaviorVersion, Config, Credentials, Region, SharedCredentialsProvider,
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use campaign::CompiledCampaign;

use super::classify::classify;
use super::{Bedrock, not_built, read_reply, worst_usage};
use crate::model::{Answer, ModelError};

/// Whose name stands under what is signed, and sent to nobody.
const NOBODY: &str = "nobody";

/// Writes requests, and reads replies.
#[derive(Debug, Clone)]
pub struct OnPaper(Bedrock);

/// Takes a request, and gives this in reply.
#[derive(Debug, Clone)]
struct Paper {
    reply: Arc<str>,
    sent: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Default for OnPaper {
    fn default() -> Self {
        let credentials = Credentials::new(NOBODY, NOBODY, None, None, NOBODY);
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(NOBODY))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .build();
        Self(Bedrock { client: Client::from_conf(config) })
    }
}

impl OnPaper {
    /// The body of a request, as JSON.
    pub async fn request(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
    ) -> Result<String, ModelError> {
        let request = self.0.request(campaign, prompt, None);
        let request = request.map_err(|error| not_built("request cannot be built", error))?;
        let paper = Paper::with("{}");
        // Nobody answers: what came of it says nothing.
        let _ = request.customize().config_override(paper.config()).send().await;
        let sent = paper.sent.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sent = sent.and_then(|bytes| String::from_utf8(bytes).ok());
        sent.ok_or_else(|| ModelError::NotSent("request was not written".to_owned()))
    }

    /// What the body of a reply says, to what was asked.
    pub async fn answer(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        reply: &str,
    ) -> Result<Answer, ModelError> {
        let request = self.0.request(campaign, prompt, None);
        let request = request.map_err(|error| not_built("request cannot be built", error))?;
        let sent = request.customize().config_override(Paper::with(reply).config()).send().await;
        let reply = sent.map_err(|error| classify(&error, campaign.campaign.config.timeout()))?;
        read_reply(&reply, worst_usage(campaign, prompt, None))
    }
}

impl Paper {
    fn with(reply: &str) -> Self {
        Self { reply: reply.into(), sent: Arc::default() }
    }

    fn config(&self) -> aws_sdk_bedrockruntime::config::Builder {
        let connector = SharedHttpConnector::new(self.clone());
        Config::builder().http_client(http_client_fn(move |_, _| connector.clone()))
    }
}

impl HttpConnector for Paper {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let bytes = request.body().bytes().map(<[u8]>::to_vec);
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        let reply = SdkBody::from(self.reply.as_bytes());
        HttpConnectorFuture::ready(match StatusCode::try_from(200) {
            Ok(status) => Ok(HttpResponse::new(status, reply)),
            Err(error) => Err(aws_smithy_runtime_api::client::result::ConnectorError::other(
                error.into(),
                None,
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::model::Stop;

    fn campaign() -> Arc<CompiledCampaign> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns");
        Arc::clone(&campaign::load(&folder).expect("are valid")[0])
    }

    #[tokio::test]
    async fn a_request_is_the_body_of_converse_and_names_no_model() {
        let written = OnPaper::default().request(&campaign(), "line\nline").await;
        let written: Value = serde_json::from_str(&written.expect("is written")).expect("is JSON");

        assert_eq!(written["messages"][0]["content"][0]["text"], "line\nline");
        assert!(written["inferenceConfig"]["maxTokens"].as_u64().is_some_and(|most| most > 0));
        // The service refuses a record that says what the job says already.
        assert!(written.get("modelId").is_none(), "{written}");
    }

    #[tokio::test]
    async fn a_reply_is_read_as_one_of_a_call_is() {
        let paper = OnPaper::default();
        let said = |stop: &str, usage: Value| {
            let message = json!({ "role": "assistant", "content": [{ "text": "{\"a\":1}" }] });
            json!({ "output": { "message": message }, "stopReason": stop, "usage": usage })
        };
        let usage = json!({ "inputTokens": 30, "outputTokens": 7, "totalTokens": 37 });
        let campaign = campaign();
        let read = async |reply: &Value| paper.answer(&campaign, "p", &reply.to_string()).await;

        let answer = read(&said("end_turn", usage.clone())).await.expect("is one");
        assert_eq!((answer.text.as_str(), answer.usage.output_tokens), ("{\"a\":1}", 7));
        let cut = read(&said("max_tokens", usage)).await.expect_err("is none");
        assert!(matches!(cut, ModelError::Stopped { stop: Stop::TooLong, .. }), "{cut}");
        for odd in [json!({}), json!([]), json!("x"), json!({ "output": 7 })] {
            let error = read(&odd).await.expect_err("is none");
            assert!(matches!(error, ModelError::Unreadable(_)), "{odd}: {error}");
        }
    }
}
