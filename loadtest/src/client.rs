//! Looks users up as Braze does: GET over HTTP, with Basic credentials.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, ETAG, IF_NONE_MATCH, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::credentials::{BadCredentials, Credentials};

/// Braze inserts nothing where the answer takes longer.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Braze takes no larger answer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long a connection is kept for the next look-up: less than API Gateway and
/// load balancers keep it (60 seconds), so that none is used while it is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(50);

/// Begins as the User-Agent of Braze does.
const AGENT: HeaderValue = HeaderValue::from_static("Braze Sender (loadtest)");

/// Where the api is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Target {
    /// Address of the api, e.g. `https://abc.execute-api.us-east-1.amazonaws.com/prod/`.
    pub url: String,
    /// Campaign to ask for; may be left out where there is only one.
    pub campaign: Option<String>,
    /// What the api asks for.
    pub credentials: Option<Credentials>,
    /// Connections that are kept for the next look-up; 0 opens one for each.
    pub kept_connections: usize,
}

/// Why no look-up can be made.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// The address is none.
    #[error("the api's address must be http://HOST[:PORT][/PATH] or https://...")]
    Url,
    /// The address holds credentials, which would be printed and written with it.
    #[error("the api's address holds credentials: set LOADTEST_CREDENTIALS=USER:PASSWORD instead")]
    Secret,
    /// The address cannot be read.
    #[error("the api's address cannot be read")]
    Uri(#[from] InvalidUri),
    /// The credentials are none.
    #[error(transparent)]
    Credentials(#[from] BadCredentials),
    /// Certificates of this machine cannot be read.
    #[error("cannot read this machine's certificates")]
    Certificates(#[source] std::io::Error),
}

/// What the api answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Content that was written for the user.
    Hit,
    /// Fallback content, or 404 where the api is set so.
    Miss,
    /// 401.
    Unauthorised,
    /// 304: the very answer that is known.
    Unchanged,
    /// Another status, which Braze would not insert.
    BadStatus,
    /// 200 or 404, and no answer of the api for a user of the campaign.
    BadBody,
    /// Nothing within [`TIMEOUT`].
    TimedOut,
    /// No connection, or one that broke.
    Broken,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hit => "content",
            Self::Miss => "no content",
            Self::Unauthorised => "it refuses the credentials",
            Self::Unchanged => "unchanged",
            Self::BadStatus => "another status than 200, 401 and 404",
            Self::BadBody => "no answer of the api's for a user of this campaign",
            Self::TimedOut => "nothing in time",
            Self::Broken => "no connection",
        })
    }
}

impl Kind {
    /// Whether Braze would have been left without an answer.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::BadStatus | Self::BadBody | Self::TimedOut | Self::Broken)
    }
}

/// An answer with the tag that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What was answered.
    pub kind: Kind,
    /// The answer's tag.
    pub tag: Option<HeaderValue>,
}

/// A client of the api; copies share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    hyper: Hyper<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    url: String,
    query: String,
    credentials: Option<HeaderValue>,
    keeps: bool,
}

impl Client {
    /// Makes a client; no connection is opened yet.
    pub fn new(target: &Target) -> Result<Self, BadTarget> {
        let uri: Uri = target.url.parse()?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_web || uri.host().is_none() || uri.query().is_some() {
            return Err(BadTarget::Url);
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(BadTarget::Secret);
        }
        let hyper = Hyper::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_ALIVE)
            .pool_max_idle_per_host(target.kept_connections)
            .build(connector()?);
        let campaign = target.campaign.as_deref().map_or(String::new(), |campaign| {
            format!("&campaign={}", utf8_percent_encode(campaign, NON_ALPHANUMERIC))
        });
        Ok(Self {
            hyper,
            url: format!("{}/", target.url.trim_end_matches('/')),
            query: campaign,
            credentials: target.credentials.as_ref().map(Credentials::header).transpose()?,
            keeps: target.kept_connections > 0,
        })
    }

    /// The address that is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks a user up; with `known`, only an answer with another tag is sent in full.
    pub async fn look_up(&self, user_id: &str, known: Option<&HeaderValue>) -> Reply {
        self.ask(user_id, self.credentials.as_ref(), known).await
    }

    /// Looks a user up with credentials that are not the api's.
    pub async fn look_up_as_stranger(&self, user_id: &str) -> Reply {
        // "loadtest:wrong"; a secret of this name would have to be made on purpose.
        let wrong = HeaderValue::from_static("Basic bG9hZHRlc3Q6d3Jvbmc=");
        self.ask(user_id, Some(&wrong), None).await
    }

    async fn ask(
        &self,
        user_id: &str,
        credentials: Option<&HeaderValue>,
        known: Option<&HeaderValue>,
    ) -> Reply {
        let user_id = utf8_percent_encode(user_id, NON_ALPHANUMERIC);
        let mut request = Request::get(format!("{}?user_id={user_id}{}", self.url, self.query))
            .header(USER_AGENT, AGENT);
        if !self.keeps {
            request = request.header(CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in [(AUTHORIZATION, credentials), (IF_NONE_MATCH, known)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let broken = Reply { kind: Kind::Broken, tag: None };
        let Ok(request) = request.body(Empty::new()) else { return broken };
        let answered = timeout(TIMEOUT, async {
            let response = self.hyper.request(request).await.ok()?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await.ok()?.to_bytes();
            let tag = head.headers.get(ETAG).cloned();
            Some(Reply { kind: kind(head.status, &body), tag })
        });
        match answered.await {
            Ok(reply) => reply.unwrap_or(broken),
            Err(_) => Reply { kind: Kind::TimedOut, tag: None },
        }
    }
}

/// HTTP/1.1, with TLS where the address says so.
pub(crate) fn connector() -> Result<HttpsConnector<HttpConnector>, BadTarget> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(BadTarget::Certificates)?;
    Ok(connector.https_or_http().enable_http1().build())
}

/// As much of an answer as tells content from fallback.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "Item", borrow)]
    item: Item<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    source: Option<Source<'a>>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(rename = "S")]
    name: &'a str,
}

/// Why the api answers 404; another server's is not read as a user without content, nor is
/// that of a campaign that does not exist.
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Code<'a>,
}

#[derive(Deserialize)]
struct Code<'a> {
    code: &'a str,
}

/// The api's code for a user without content.
const NO_CONTENT: &str = "no_content";

fn kind(status: StatusCode, body: &[u8]) -> Kind {
    match status {
        StatusCode::OK => match serde_json::from_slice::<Body>(body) {
            Ok(Body { item: Item { source: Some(Source { name: "fallback" }) } }) => Kind::Miss,
            Ok(_) => Kind::Hit,
            Err(_) => Kind::BadBody,
        },
        StatusCode::NOT_FOUND => match serde_json::from_slice::<Refusal>(body) {
            Ok(Refusal { error: Code { code: NO_CONTENT } }) => Kind::Miss,
            _ => Kind::BadBody,
        },
        StatusCode::UNAUTHORIZED => Kind::Unauthorised,
        StatusCode::NOT_MODIFIED => Kind::Unchanged,
        _ => Kind::BadStatus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallback_content_is_a_miss_even_where_a_text_speaks_of_it() {
        let answer = |source: &str| {
            format!(r#"{{"Item":{{"data":{{"M":{{"a":{{"S":"\"source\""}}}}}}{source}}}}}"#)
        };
        let written = answer("");
        let fallback = answer(r#","source":{"S":"fallback"}"#);

        assert_eq!(kind(StatusCode::OK, written.as_bytes()), Kind::Hit);
        assert_eq!(kind(StatusCode::OK, fallback.as_bytes()), Kind::Miss);
        assert_eq!(kind(StatusCode::OK, b"<html>"), Kind::BadBody);
        assert!(kind(StatusCode::BAD_GATEWAY, b"").is_failure());
    }

    #[test]
    fn not_found_is_a_miss_only_where_the_api_says_that_the_user_has_none() {
        let refused = |body: &str| kind(StatusCode::NOT_FOUND, body.as_bytes());

        assert_eq!(refused(r#"{"error":{"code":"no_content","message":"x"}}"#), Kind::Miss);
        assert_eq!(refused(r#"{"error":{"code":"unknown_campaign"}}"#), Kind::BadBody);
        assert_eq!(refused("<html>Not Found</html>"), Kind::BadBody);
    }

    #[test]
    fn an_address_without_a_scheme_or_with_a_secret_is_refused() {
        let target = |url: &str| Target {
            url: url.to_owned(),
            campaign: None,
            credentials: None,
            kept_connections: 1,
        };

        assert!(Client::new(&target("http://127.0.0.1:1")).is_ok());
        assert!(Client::new(&target("127.0.0.1:8080")).is_err());
        assert!(Client::new(&target("ftp://example.com")).is_err());
        let secret = Client::new(&target("https://braze:secret@example.com"));
        assert!(matches!(secret, Err(BadTarget::Secret)));
    }
}
