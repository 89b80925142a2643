//! One page of a catalog from Braze's REST API.
//! <https://www.braze.com/docs/api/endpoints/catalogs/catalog_items/synchronous/get_catalog_items_details_bulk>
//!
//! The key goes to the address that was named and to no other, whatever a link says, and is
//! never shown.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::header::{AUTHORIZATION, LINK, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::https::{self, Https};

/// Longest wait for an answer: Braze's own take some hundred milliseconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer: fifty items of a thousand values of five thousand characters would be more,
/// and no catalog has such.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Where Braze is, and the key for it.
#[derive(Clone)]
pub struct Braze {
    client: Https,
    url: String,
    authorization: HeaderValue,
}

/// One answer.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Items, and where the next are.
    Page {
        /// The items.
        items: Vec<Map<String, Value>>,
        /// Path and query of the next page, if there is one.
        next: Option<String>,
        /// When to ask again, in UNIX seconds, if nothing is left of the limit until then.
        open_at: Option<u64>,
    },
    /// Too many requests.
    Busy(Wait),
    /// Trouble of Braze's or of the network, that may be over the next time.
    Trouble(String),
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// Until this time, in UNIX seconds.
    Until(u64),
    /// Nobody says.
    Unknown,
}

#[derive(Deserialize)]
struct Body {
    items: Vec<Map<String, Value>>,
}

impl fmt::Debug for Braze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Braze").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Braze {
    /// Asks at `url`, e.g. `https://rest.iad-01.braze.com`, with `key`.
    pub fn new(url: &str, key: String) -> anyhow::Result<Self> {
        let wrong = "--braze-url is https://HOST, as Braze's page on its REST API names it";
        let uri: Uri = url.parse().ok().context(wrong)?;
        let authority = uri.authority().context(wrong)?;
        if authority.as_str().contains('@') || uri.query().is_some() || uri.path() != "/" {
            bail!("{wrong}, and nothing behind it");
        }
        match uri.scheme_str() {
            Some("https") => {}
            // A stand-in on this machine.
            Some("http") if matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]") => {}
            _ => bail!("{wrong}: with http the key would be readable on its way"),
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
            .ok()
            .context("BRAZE_API_KEY is no key: it holds other characters than a header may")?;
        authorization.set_sensitive(true);
        Ok(Self {
            client: https::client()?,
            url: url.trim_end_matches('/').to_owned(),
            authorization,
        })
    }

    /// The address that is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gets what is under `path`. What can only be mended by a person is an error.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let request = Request::get(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Full::default())
            .context("Braze's link to the next page is none")?;
        let answered = timeout(TIMEOUT, async {
            let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
            Ok((head, body.map_err(|error| error.to_string())?.to_bytes()))
        });
        let (head, body) = match answered.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Ok(Answer::Trouble(why)),
            Err(_) => return Ok(Answer::Trouble("no answer in time".to_owned())),
        };
        match head.status {
            StatusCode::OK => self.page(&head.headers, &body),
            StatusCode::TOO_MANY_REQUESTS => Ok(Answer::Busy(wait(&head.headers))),
            status if status.is_server_error() => Ok(Answer::Trouble(status.to_string())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bail!(
                "Braze refuses the key ({}): BRAZE_API_KEY must be a REST key of this workspace's \
                 cluster with the permission catalogs.get_items",
                head.status.as_u16()
            ),
            StatusCode::NOT_FOUND => bail!("Braze has no such catalog (404)"),
            StatusCode::BAD_REQUEST => bail!(
                "Braze does not know the place to go on at (400): delete the state of the pull \
                 and run it again"
            ),
            status => bail!("Braze answers {status}, which its page on this does not name"),
        }
    }

    fn page(&self, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<Answer> {
        // A body that was cut comes whole the next time.
        let Ok(Body { items }) = serde_json::from_slice(body) else {
            return Ok(Answer::Trouble("an answer without items".to_owned()));
        };
        let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
        let next = links.into_iter().find_map(next_link).map(|link| self.own(link)).transpose()?;
        let is_used_up = number(headers, "x-ratelimit-remaining") == Some(0);
        let open_at = number(headers, "x-ratelimit-reset").filter(|_| is_used_up);
        Ok(Answer::Page { items, next, open_at })
    }

    /// The path of a link, which is relative or leads to the same address.
    fn own(&self, link: &str) -> anyhow::Result<String> {
        let path = link.strip_prefix(&self.url).unwrap_or(link);
        if !path.starts_with('/') || path.starts_with("//") {
            bail!("Braze's link to the next page leads elsewhere: the key stays here");
        }
        Ok(path.to_owned())
    }
}

/// The link of the relation `next`, of a header such as
/// `</a?cursor=b=>; rel="prev",</a?cursor=c>; rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (link, after) = rest.split_once('<')?.1.split_once('>')?;
        let (about, following) = match after.find('<') {
            Some(at) => after.split_at(at),
            None => (after, ""),
        };
        let is_next = about.split(';').any(|part| {
            let part = part.trim().trim_end_matches(',').trim();
            part.eq_ignore_ascii_case("rel=\"next\"") || part.eq_ignore_ascii_case("rel=next")
        });
        if is_next {
            return Some(link);
        }
        rest = following;
    }
}

fn wait(headers: &HeaderMap) -> Wait {
    if let Some(secs) = number(headers, RETRY_AFTER.as_str()) {
        return Wait::For(Duration::from_secs(secs));
    }
    number(headers, "x-ratelimit-reset").map_or(Wait::Unknown, Wait::Until)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let both = r#"</c/i?cursor=c2tpcDow>; rel="prev",</c/i?cursor=c2tpcDoxMDA=>; rel="next""#;
        assert_eq!(next_link(both), Some("/c/i?cursor=c2tpcDoxMDA="));
        assert_eq!(
            next_link(r#"</c/i?cursor=a>; rel="next", </c/i>; rel="prev""#),
            Some("/c/i?cursor=a")
        );
        assert_eq!(next_link(r#"</c/i?cursor=a>; rel="prev""#), None);
        assert_eq!(next_link(""), None);
    }

    #[test]
    fn the_key_goes_nowhere_else_and_is_not_shown() {
        let braze = Braze::new("https://rest.iad-01.braze.com/", "secret-key".to_owned());
        let braze = braze.expect("is one");
        assert!(!format!("{braze:?}").contains("secret-key"));
        assert_eq!(braze.own("/a?b").ok().as_deref(), Some("/a?b"));
        assert_eq!(braze.own("https://rest.iad-01.braze.com/a").ok().as_deref(), Some("/a"));
        for other in ["https://elsewhere.example/a", "//elsewhere.example/a", "a", "@elsewhere/a"] {
            assert!(braze.own(other).is_err(), "{other}");
        }
        for wrong in [
            "rest.iad-01.braze.com",
            "http://rest.iad-01.braze.com",
            "https://a:b@c",
            "https://a/b",
        ] {
            assert!(Braze::new(wrong, "key".to_owned()).is_err(), "{wrong}");
        }
        let told =
            Braze::new("https://a", "secret\nkey".to_owned()).expect_err("is none").to_string();
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn how_long_to_wait_is_what_the_answer_says() {
        let mut headers = HeaderMap::new();
        assert_eq!(wait(&headers), Wait::Unknown);
        headers.insert("x-ratelimit-reset", HeaderValue::from_static("1700000000"));
        assert_eq!(wait(&headers), Wait::Until(1_700_000_000));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(wait(&headers), Wait::For(Duration::from_secs(7)));
    }
}
