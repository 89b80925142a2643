//! One look-up: a query in, content out.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::BehaviorVersion;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use contract::campaign::{self, Campaign, InvalidCampaigns};
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::answer;
use crate::query::{BadQuery, Format, Query};
use crate::settings::{Settings, UnknownUser};
use crate::table::Table;

/// Everything a look-up needs, built once per instance.
#[derive(Debug, Clone)]
pub struct Api {
    table: Table,
    /// Fallback content by campaign.
    fallbacks: BTreeMap<String, Map<String, Value>>,
    unknown_user: UnknownUser,
}

impl Api {
    /// Serves content from `table`, and the campaigns' fallback content.
    pub fn new(table: Table, campaigns: Vec<Campaign>, unknown_user: UnknownUser) -> Self {
        let fallbacks = campaigns.into_iter().map(|c| (c.name, c.fallback)).collect();
        Self { table, fallbacks, unknown_user }
    }

    /// Builds the client and reads the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, InvalidCampaigns> {
        let campaigns = campaign::load(&settings.campaigns_dir)?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        let table = Table::new(&config, settings.content_table.clone());
        Ok(Self::new(table, campaigns, settings.unknown_user))
    }

    /// Answers `GET /?user_id=...[&campaign=...][&format=plain]`.
    pub async fn handle(&self, method: &Method, path: &str, query: &str) -> Response<String> {
        if path != "/" {
            return answer::error(StatusCode::NOT_FOUND, "no_such_path", "use GET /");
        }
        if method != Method::GET {
            let mut refusal =
                answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use GET");
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
            return refusal;
        }
        match Query::parse(query) {
            Ok(query) => self.look_up(&query).await,
            Err(error) => bad_request(&error),
        }
    }

    async fn look_up(&self, query: &Query) -> Response<String> {
        let Some((campaign, fallback)) = self.campaign(query.campaign.as_deref()) else {
            return answer::error(
                StatusCode::BAD_REQUEST,
                "unknown_campaign",
                "name a campaign that exists, with campaign=",
            );
        };
        match self.table.content(&query.user_id, campaign, unix_secs()).await {
            Ok(Some(data)) => answer::stored(&query.user_id, &data, query.format),
            Ok(None) => self.without_content(&query.user_id, fallback, query.format),
            Err(error) => {
                tracing::error!(%error, "fallback content served");
                answer::fallback(&query.user_id, fallback, query.format)
            }
        }
    }

    fn without_content(
        &self,
        user_id: &str,
        fallback: &Map<String, Value>,
        format: Format,
    ) -> Response<String> {
        match self.unknown_user {
            UnknownUser::Fallback => answer::fallback(user_id, fallback, format),
            UnknownUser::NotFound => answer::error(
                StatusCode::NOT_FOUND,
                "no_content",
                "there is no content for this user",
            ),
        }
    }

    /// The named campaign, or the only one there is.
    fn campaign(&self, name: Option<&str>) -> Option<(&str, &Map<String, Value>)> {
        let found = match name {
            Some(name) => self.fallbacks.get_key_value(name),
            None if self.fallbacks.len() == 1 => self.fallbacks.first_key_value(),
            None => None,
        };
        found.map(|(name, fallback)| (name.as_str(), fallback))
    }
}

fn bad_request(error: &BadQuery) -> Response<String> {
    answer::error(StatusCode::BAD_REQUEST, "bad_query", &error.to_string())
}

fn unix_secs() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
