//! One call: a request in, an answer out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use campaign::Campaign;
use contract::metrics::{self, Counts};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use program::build::BUILD;
use program::causes;
use registry::current::{Current, Edition, NotLoaded};
use registry::head::Head;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::answer::{self, Answer, Caching};
use crate::cache::Cache;
use crate::content::{Content, Data};
use crate::query::Query;
use crate::settings::UnknownUser;
use crate::table::{StoredContent, Table, Unreadable};
use program::credentials::{Access, Gate};
use program::telemetry::meter::Remarks;

/// What the api offers, for those who call it; tests hold it against the handlers.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Where [`OPENAPI`] is served.
const OPENAPI_PATH: &str = "/openapi.json";

/// Longest look at what is published, before the content is looked up: fallback content must
/// still arrive in time, whatever becomes of the registry.
const LOOK: Duration = Duration::from_millis(600);

/// Answers while the process lives, without asking anything else.
const HEALTH_PATH: &str = "/health";

/// Said of every other path.
const NO_SUCH_PATH: &str = "use GET /?user_id=...: nothing stands between the question mark and \
    the stage, or the custom domain with its base path";

/// Methods that are understood.
const METHODS: &str = "GET, HEAD";

/// Schemes of credentials that are understood (RFC 7617, RFC 6750).
const CHALLENGES: [&str; 2] = ["Basic realm=\"content\", charset=\"UTF-8\"", "Bearer"];

/// Everything a look-up needs, built once per instance.
#[derive(Debug)]
pub struct Api {
    table: Table,
    gate: Gate,
    cache: Option<Cache>,
    campaigns: Arc<Current<Campaigns>>,
    unknown_user: UnknownUser,
}

/// Campaigns by their names, for their fallback content.
pub type Campaigns = BTreeMap<String, Campaign>;

/// Reads a folder's campaigns.
pub fn load(folder: &Path) -> Result<Campaigns, NotLoaded> {
    Ok(by_name(campaign::read(folder)?))
}

/// Campaigns by their names.
pub fn by_name(campaigns: Vec<Campaign>) -> Campaigns {
    campaigns.into_iter().map(|each| (each.name.clone(), each)).collect()
}

/// A request, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, without the stage that API Gateway may put before it.
    pub path: &'a str,
    /// The query string as it stands in the URL, without `?`.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// Whether anything follows the headers.
    pub has_body: bool,
}

/// What became of one campaign in a look-up.
enum Found {
    Stored(Arc<StoredContent>),
    Nothing,
    /// It stands in the table, and is not to be served now.
    Withheld,
    /// Whether there is anything could not be told, as the table could not be read.
    Unknown,
    /// It is not told to somebody whose credentials could not be compared.
    Unverified,
}

impl Found {
    /// The counter of the reason for fallback content, where that was not counted before.
    const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Nothing => Some(metrics::FALLBACKS_NO_CONTENT),
            Self::Unverified => Some(metrics::FALLBACKS_UNVERIFIED),
            Self::Stored(_) | Self::Withheld | Self::Unknown => None,
        }
    }
}

/// Marks an answer that says there is no content, which is no fault of the call.
#[derive(Clone)]
struct NoContent;

impl Api {
    /// Serves content from `table` to whom `gate` lets in, and the campaigns' fallback content.
    pub fn new(
        table: Table,
        gate: Gate,
        cache: Option<Cache>,
        campaigns: Arc<Current<Campaigns>>,
        unknown_user: UnknownUser,
    ) -> Self {
        Self { table, gate, cache, campaigns, unknown_user }
    }

    /// Does before the first call what every call would have to wait for otherwise, each part
    /// within a limit of its own: the first call may be waiting.
    pub async fn warm(&self) {
        let secrets = async {
            if let Gate::Managed(managed) = &self.gate {
                managed.warm(unix_secs()).await;
            }
        };
        tokio::join!(secrets, self.table.warm(), self.campaigns.within(LOOK));
    }

    /// What the line about calls says beside their counters.
    pub fn remarks(&self) -> Remarks {
        vec![("publication", self.campaigns.known().publication.to_string())]
    }

    /// What `GET /health` answers, of what is known already.
    fn health(&self) -> String {
        let Edition { version, publication, .. } = &*self.campaigns.known();
        let campaigns = json!({ "version": version, "publication": publication });
        json!({ "status": "ok", "build": BUILD, "campaigns": campaigns }).to_string()
    }

    /// Answers a call and counts what became of it.
    pub async fn answer(&self, call: &Call<'_>, counts: &mut Counts) -> Response<String> {
        counts.add(metrics::CALLS_RECEIVED, 1);
        let mut response = self.route(call, counts).await;
        counts.add(fate(&response), 1);
        if call.method == Method::HEAD {
            response.body_mut().clear();
        }
        response
    }

    async fn route(&self, call: &Call<'_>, counts: &mut Counts) -> Response<String> {
        if !matches!(call.path, "/" | HEALTH_PATH | OPENAPI_PATH) {
            return answer::error(StatusCode::NOT_FOUND, "no_such_path", NO_SUCH_PATH);
        }
        if !matches!(*call.method, Method::GET | Method::HEAD) {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let mut refusal = answer::error(status, "method_not_allowed", "use GET");
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
            return refusal;
        }
        if call.has_body {
            let message = "send everything in the query string, and no body";
            return answer::error(StatusCode::BAD_REQUEST, "unexpected_body", message);
        }
        match call.path {
            HEALTH_PATH => answer::document(&self.health()),
            OPENAPI_PATH => answer::document(OPENAPI),
            _ => {
                let began = Instant::now();
                let response = self.look_up(call, counts).await;
                counts.took(metrics::LOOK_UP_TIME, began.elapsed());
                response
            }
        }
    }

    async fn look_up(&self, call: &Call<'_>, counts: &mut Counts) -> Response<String> {
        let now = unix_secs();
        let access = self.gate.judge(call.headers, now).await;
        if access == Access::Refused {
            return refusal();
        }
        let query = match Query::parse(call.query) {
            Ok(query) => query,
            Err(error) => {
                let (status, code) = error.status();
                return answer::error(status, code, &error.to_string());
            }
        };
        // One edition from here on: a look-up sees one version.
        let edition = self.campaigns.within(LOOK).await;
        self.campaigns.count(counts);
        let Some(campaigns) = named(&edition.campaigns, &query.campaigns) else {
            return no_campaign(query.campaigns.is_empty());
        };
        let found = match access {
            Access::Granted => {
                let of = (&edition.head, &campaigns[..]);
                self.find(&query.user_id, of, now, counts).await
            }
            // Nobody can be told apart now. Fallback content is everybody's, and an e-mail
            // with it beats one with nothing.
            Access::Unverifiable | Access::Refused => {
                counts.add(metrics::CREDENTIALS_UNVERIFIABLE, 1);
                campaigns.iter().map(|_| Found::Unverified).collect()
            }
        };
        let fallbacks = self.fallbacks(&query.user_id, &campaigns, &found).await;
        self.write(&query, &fallbacks, &found, call, counts)
    }

    /// Looks every campaign's content up, in the cache and then in the table.
    async fn find(
        &self,
        user_id: &str,
        (head, campaigns): (&Head, &[(&str, &Campaign)]),
        now: i64,
        counts: &mut Counts,
    ) -> Vec<Found> {
        let cached = |name: &str| self.cache.as_ref().and_then(|c| c.get(user_id, name, now));
        let mut found: Vec<Option<Found>> =
            campaigns.iter().map(|(name, _)| cached(name).map(Found::Stored)).collect();
        let missing = campaigns.iter().zip(&found).filter(|(_, found)| found.is_none());
        let missing: Vec<&str> = missing.map(|((name, _), _)| *name).collect();
        let read = match missing[..] {
            [] => Vec::new(),
            [name] => vec![self.table.one(user_id, name).await],
            ref names => self.table.several(user_id, names).await,
        };
        let places = found.iter_mut().filter(|found| found.is_none());
        for ((place, name), read) in places.zip(missing).zip(read) {
            *place = Some(self.taken(user_id, name, read, now, counts));
        }
        let served = |(found, (name, _)): (Option<Found>, &(&str, &Campaign))| match found {
            Some(Found::Stored(stored)) if !stored.stands(now) => Found::Nothing,
            Some(Found::Stored(stored)) if !head.serves(name, stored.provenance()) => {
                counts.add(metrics::CONTENTS_WITHHELD, 1);
                Found::Withheld
            }
            Some(found) => found,
            None => Found::Unknown,
        };
        found.into_iter().zip(campaigns).map(served).collect()
    }

    /// The campaigns' fallback content, in the user's language where it is to be served and there
    /// is some in other languages. Who serves content reads nothing for it.
    async fn fallbacks<'c>(
        &self,
        user_id: &str,
        campaigns: &[(&'c str, &'c Campaign)],
        found: &[Found],
    ) -> Vec<(&'c str, &'c Map<String, Value>)> {
        let mut fallbacks = Vec::with_capacity(campaigns.len());
        for ((name, campaign), found) in campaigns.iter().zip(found) {
            let language = match found {
                Found::Nothing | Found::Withheld if !campaign.fallbacks.is_empty() => {
                    let attribute = campaign.config.fallback_attribute();
                    self.table.language(user_id, name, attribute).await
                }
                _ => None,
            };
            fallbacks.push((*name, campaign.fallback_for(language.as_deref())));
        }
        fallbacks
    }

    fn taken(
        &self,
        user_id: &str,
        campaign: &str,
        read: Result<Option<StoredContent>, Unreadable>,
        now: i64,
        counts: &mut Counts,
    ) -> Found {
        match read {
            Ok(Some(stored)) => {
                let stored = Arc::new(stored);
                if let Some(cache) = &self.cache {
                    cache.put(user_id, campaign, &stored, now);
                }
                Found::Stored(stored)
            }
            Ok(None) => Found::Nothing,
            Err(error) => {
                tracing::error!(error = causes::told(&error), "fallback content served");
                counts.add(metrics::LOOKUPS_FAILED, 1);
                Found::Unknown
            }
        }
    }

    fn write(
        &self,
        query: &Query,
        campaigns: &[(&str, &Map<String, Value>)],
        found: &[Found],
        call: &Call<'_>,
        counts: &mut Counts,
    ) -> Response<String> {
        let is_nothing =
            found.iter().all(|found| matches!(found, Found::Nothing | Found::Withheld));
        if is_nothing && self.unknown_user == UnknownUser::NotFound {
            let message = "there is no content for this user";
            let mut nothing = answer::error(StatusCode::NOT_FOUND, "no_content", message);
            nothing.extensions_mut().insert(NoContent);
            return nothing;
        }
        let contents = campaigns.iter().zip(found).map(|((name, fallback), found)| {
            let mut served = Counts::default();
            let content = match found {
                Found::Stored(stored) => {
                    served.add(metrics::CONTENTS_SERVED, 1);
                    Content { data: Data::Stored(&stored.data), is_fallback: false }
                }
                other => {
                    served.add(metrics::FALLBACKS_SERVED, 1);
                    other.reason().into_iter().for_each(|reason| served.add(reason, 1));
                    Content { data: Data::Json(fallback), is_fallback: true }
                }
            };
            counts.merge(&served.of(name));
            (*name, content)
        });
        let contents = contents.collect();
        let is_ill = found.iter().any(|found| matches!(found, Found::Unknown | Found::Unverified));
        let caching = if is_ill { Caching::Forbidden } else { Caching::Allowed };
        let by_campaign = query.campaigns.len() > 1;
        let answer =
            Answer { user_id: &query.user_id, contents, by_campaign, format: query.format };
        answer::success(answer.text(), caching, call.headers)
    }
}

/// The named campaigns that exist, or the only one there is. A message that names one that
/// was taken away keeps the others.
fn named<'c>(campaigns: &'c Campaigns, names: &[String]) -> Option<Vec<(&'c str, &'c Campaign)>> {
    let found: Vec<_> = match names {
        [] if campaigns.len() == 1 => campaigns.iter().collect(),
        names => names.iter().filter_map(|name| campaigns.get_key_value(name)).collect(),
    };
    let found = found.into_iter().map(|(name, campaign)| (name.as_str(), campaign));
    let found: Vec<_> = found.collect();
    (!found.is_empty()).then_some(found)
}

/// The counter of calls that ended with this answer.
fn fate(response: &Response<String>) -> &'static str {
    match response.status() {
        _ if response.extensions().get::<NoContent>().is_some() => metrics::CALLS_WITHOUT_CONTENT,
        StatusCode::UNAUTHORIZED => metrics::CREDENTIALS_REFUSED,
        status if status.is_client_error() => metrics::CALLS_REFUSED,
        _ => metrics::CALLS_ANSWERED,
    }
}

fn refusal() -> Response<String> {
    let message = "send the credentials that were set up, as Basic or Bearer";
    let mut refusal = answer::error(StatusCode::UNAUTHORIZED, "unauthorized", message);
    for challenge in CHALLENGES {
        let challenge = HeaderValue::from_static(challenge);
        refusal.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
    }
    refusal
}

fn no_campaign(is_missing: bool) -> Response<String> {
    if is_missing {
        let message = "there are several campaigns: name one, with campaign=";
        return answer::error(StatusCode::BAD_REQUEST, "campaign_missing", message);
    }
    let message = "there is no campaign of such a name";
    answer::error(StatusCode::NOT_FOUND, "unknown_campaign", message)
}

fn unix_secs() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
