//! An api with two campaigns, and what it talks to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use api::cache::Cache;
use api::handler::{Api, Call, by_name};
use api::settings::UnknownUser;
use api::table::Table;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::Campaign;
use contract::content;
use contract::metrics::{self, Counts};
use dynoxide::Database;
use http::{HeaderMap, Method, Response, header};
use program::credentials::{Gate, Secret, ValidSecrets};
use registry::current::Current;
use serde_json::Value;

use crate::server::{create, free_port};

/// The first campaign, which is the project's sample; the second is a copy.
pub(crate) const CAMPAIGN: &str = "new-episode";
pub(crate) const OTHER_CAMPAIGN: &str = "offer";

/// Valid credentials, as the header is written.
pub(crate) const BEARER: &str = "Bearer s3cret";

/// A time long after all tests.
pub(crate) const LATER: i64 = 9_000_000_000;

const TABLE: &str = "content";

/// Why fallback content is served.
const REASONS: [&str; 4] = [
    metrics::FALLBACKS_NO_CONTENT,
    metrics::FALLBACKS_UNVERIFIED,
    metrics::CONTENTS_WITHHELD,
    metrics::LOOKUPS_FAILED,
];

/// The embedded table.
pub(crate) struct World {
    pub(crate) config: SdkConfig,
    client: Client,
}

/// Configuration whose every call goes to `address`.
pub(crate) async fn config_for(address: SocketAddr) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}

impl World {
    /// An empty table.
    pub(crate) async fn start() -> Self {
        let (listener, address) = free_port().await;
        let database = Database::memory().expect("opens");
        tokio::spawn(async move {
            dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await
        });
        let config = config_for(address).await;
        let client = Client::new(&config);
        create(&client, TABLE).await;
        Self { config, client }
    }

    /// Stores content with this heading.
    pub(crate) async fn store(&self, user_id: &str, campaign: &str, heading: &str, until: i64) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let data = HashMap::from([("heading".to_owned(), text(heading))]);
        self.client
            .put_item()
            .table_name(TABLE)
            .item(content::USER_ID, text(user_id))
            .item(content::ITEM, text(&content::item_key(campaign)))
            .item(content::DATA, AttributeValue::M(data))
            .item(content::EXPIRES_AT, AttributeValue::N(until.to_string()))
            .send()
            .await
            .expect("is stored");
    }

    /// Says what stored content was written for, and what retracted it since; both in UNIX
    /// seconds.
    pub(crate) async fn retract(&self, user_id: &str, campaign: &str, times: (i64, i64)) {
        let (event_time, retracted_at) = times;
        self.client
            .update_item()
            .table_name(TABLE)
            .key(content::USER_ID, AttributeValue::S(user_id.to_owned()))
            .key(content::ITEM, AttributeValue::S(content::item_key(campaign)))
            .update_expression("SET #event_time = :event_time, #retracted_at = :retracted_at")
            .expression_attribute_names("#event_time", content::EVENT_TIME)
            .expression_attribute_names("#retracted_at", content::RETRACTED_AT)
            .expression_attribute_values(":event_time", AttributeValue::N(event_time.to_string()))
            .expression_attribute_values(
                ":retracted_at",
                AttributeValue::N(retracted_at.to_string()),
            )
            .send()
            .await
            .expect("is updated");
    }

    /// Removes content.
    pub(crate) async fn remove(&self, user_id: &str, campaign: &str) {
        self.client
            .delete_item()
            .table_name(TABLE)
            .key(content::USER_ID, AttributeValue::S(user_id.to_owned()))
            .key(content::ITEM, AttributeValue::S(content::item_key(campaign)))
            .send()
            .await
            .expect("is removed");
    }

    /// An api over this table that knows one secret.
    pub(crate) fn api(&self) -> Api {
        api_over(&self.config, gate(), None, UnknownUser::Fallback)
    }
}

/// An api over whatever `config` leads to.
pub(crate) fn api_over(
    config: &SdkConfig,
    gate: Gate,
    cache: Option<Cache>,
    unknown_user: UnknownUser,
) -> Api {
    let table = Table::new(config, TABLE.to_owned());
    let campaigns = Arc::new(Current::fixed(by_name(campaigns())));
    Api::new(table, gate, cache, campaigns, unknown_user)
}

pub(crate) fn gate() -> Gate {
    let secret = Secret { username: "braze".to_owned(), password: "s3cret".to_owned() };
    Gate::Fixed(ValidSecrets::new(&[secret]))
}

fn campaigns() -> Vec<Campaign> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
    let mut campaigns = campaign::read(&folder).expect("the sample is valid");
    let other = Campaign { name: OTHER_CAMPAIGN.to_owned(), ..campaigns[0].clone() };
    campaigns.push(other);
    campaigns
}

/// A call as tests make it.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) has_body: bool,
}

/// `GET /` with this query and valid credentials.
pub(crate) fn get(query: &str) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, BEARER.parse().expect("is a header"));
    let (method, path) = (Method::GET, "/");
    Request { method, path, query: query.to_owned(), headers, has_body: false }
}

impl Request {
    /// Sends it, and returns what was counted as well.
    pub(crate) async fn counted(&self, api: &Api) -> (Response<String>, Counts) {
        let call = Call {
            method: &self.method,
            path: self.path,
            query: &self.query,
            headers: &self.headers,
            has_body: self.has_body,
        };
        let mut counts = Counts::default();
        let response = api.answer(&call, &mut counts).await;
        if response.status().is_success() {
            let of =
                |names: &[&'static str]| names.iter().map(|name| counts.get(name)).sum::<u64>();
            assert_eq!(of(&[metrics::FALLBACKS_SERVED]), of(&REASONS), "each has one reason");
        }
        (response, counts)
    }

    pub(crate) async fn send(&self, api: &Api) -> Response<String> {
        self.counted(api).await.0
    }

    /// Sends it, and returns status and body.
    pub(crate) async fn json(&self, api: &Api) -> (u16, Value) {
        let response = self.send(api).await;
        let body = serde_json::from_str(response.body()).expect("the body is JSON");
        (response.status().as_u16(), body)
    }
}
