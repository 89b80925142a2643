//! What both functions talk to: a table with content, and a secret.

use std::collections::HashMap;
use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::http::StatusCode;
use contract::content;
use dynoxide::Database;
use serde_json::{Value, json};

use crate::server::{create, free_port};

/// Users with content.
pub(crate) const USERS: u64 = 1_000;

pub(crate) const TABLE: &str = "content";
pub(crate) const CAMPAIGN: &str = "new-episode";

/// A time long after the benchmark, in UNIX seconds.
const LATER: &str = "9000000000";

/// Events that stand beside the content, as the processor leaves them; not to be read.
const HISTORY_BYTES: usize = 2_000;

/// The servers.
pub(crate) struct Embedded {
    dynamodb: SocketAddr,
    secrets: SocketAddr,
}

/// The Braze id of a user.
pub(crate) fn user(n: u64) -> String {
    format!("{n:024x}")
}

impl Embedded {
    /// Starts them, with content for every user and this password.
    pub(crate) async fn start(password: &str) -> Self {
        let (listener, dynamodb) = free_port().await;
        let database = Database::memory().expect("opens");
        tokio::spawn(async move {
            dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await
        });
        let (listener, secrets) = free_port().await;
        let secret = json!({ "username": "braze", "password": password }).to_string();
        let answer = move |body: String| async move { secret_value(&body, &secret) };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let embedded = Self { dynamodb, secrets };
        embedded.fill().await;
        embedded
    }

    /// Configuration of the SDK whose calls go to the table.
    pub(crate) async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(format!("http://{}", self.dynamodb))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await
    }

    /// The environment of a function.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", self.dynamodb)),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", format!("http://{}", self.secrets)),
            ("CONTENT_TABLE", TABLE.to_owned()),
            ("COORDINATION_TABLE", "coordination".to_owned()),
            ("CREDENTIALS_SECRET_ARN", "arn:aws:secretsmanager:secret".to_owned()),
        ]
    }

    async fn fill(&self) {
        let client = Client::new(&self.config().await);
        create(&client, TABLE).await;
        for n in 0..USERS {
            let put = client
                .put_item()
                .table_name(TABLE)
                .item(content::USER_ID, AttributeValue::S(user(n)))
                .item(content::ITEM, AttributeValue::S(content::item_key(CAMPAIGN)))
                .item(content::DATA, data())
                .item(content::HISTORY, AttributeValue::S("x".repeat(HISTORY_BYTES)))
                .item(content::EXPIRES_AT, AttributeValue::N(LATER.to_owned()));
            put.send().await.expect("is stored");
        }
    }
}

/// Content as the sample campaign has it, of usual length.
pub(crate) fn data() -> AttributeValue {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let map = |entries: [(&str, AttributeValue); 3]| {
        let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
        AttributeValue::M(entries.collect::<HashMap<_, _>>())
    };
    let details = map([
        ("cta", text("Watch episode 8 now")),
        (
            "intro",
            text(&"The harbour is quiet, but not for long: your next episode is here. ".repeat(3)),
        ),
        (
            "episodeDetails",
            text(&"An old friend &amp; an older debt come back to town. ".repeat(3)),
        ),
    ]);
    map([
        ("emailTitle", text("Harbour Lights, season 2: your next episode is waiting")),
        ("heading", text("Back to the harbour")),
        ("details", details),
    ])
}

fn secret_value(body: &str, secret: &str) -> (StatusCode, String) {
    let asked: Value = serde_json::from_str(body).expect("the SDK sends JSON");
    if asked["VersionStage"] == "AWSPREVIOUS" {
        let error = json!({ "__type": "ResourceNotFoundException" });
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    (StatusCode::OK, json!({ "SecretString": secret }).to_string())
}
