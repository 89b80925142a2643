//! Looks items up in the content table.
//!
//! One campaign is one GetItem, several are one BatchGetItem; both eventually consistent, and
//! with a projection to what is served.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use contract::content;
use program::aws::CallError;
use registry::head::Provenance;

/// Longest look-up, retries included: Braze waits about two seconds for the whole
/// answer, in which secrets may have to be read first, or an instance to start, and the
/// fallback content must still arrive in time.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(850);

/// Longest single attempt, so that one that hangs leaves time for a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(400);

/// Attempts of a look-up: there is no time for more.
const ATTEMPTS: u32 = 2;

/// Longest wait before the second attempt.
const BACKOFF: Duration = Duration::from_millis(50);

/// Longest wait for the table before the first call, which may be waiting for the start: what
/// did not come by then comes with the call.
const WARM_UP: Duration = Duration::from_millis(400);

/// A user id that nobody has; see [`Table::warm`].
const NOBODY: &str = "-";

/// What is read of an item.
const PROJECTION: &str = "#data, #expires_at, #served_until, #event_time, #retracted_at, \
    #publication, #prompt_hash, #generated_at";

/// The names in it, which DynamoDB may have words of its own for.
const PROJECTED: [(&str, &str); 8] = [
    ("#data", content::DATA),
    ("#expires_at", content::EXPIRES_AT),
    ("#served_until", content::SERVED_UNTIL),
    ("#event_time", content::EVENT_TIME),
    ("#retracted_at", content::RETRACTED_AT),
    ("#publication", content::PUBLICATION),
    ("#prompt_hash", content::PROMPT_HASH),
    ("#generated_at", content::GENERATED_AT),
];

/// The content table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// Content as it stands in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredContent {
    /// The content itself.
    pub data: AttributeValue,
    /// When it ends, in UNIX seconds.
    pub expires_at: i64,
    /// Number of the publication of campaigns that it was written under.
    pub publication: u64,
    /// Hash of its prompt.
    pub prompt_hash: String,
    /// When it was written, in UNIX seconds.
    pub generated_at: i64,
}

/// The table could not be read, as a whole or in part.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The call failed.
    #[error("content table could not be read")]
    Failed(#[source] CallError),
    /// DynamoDB answered for some of the items only.
    #[error("content table gave a part of what was asked for")]
    Partly,
}

impl Table {
    /// Reads from the table `name`, with time limits that suit Braze.
    pub fn new(config: &aws_config::SdkConfig, name: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(LOOKUP_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let retries =
            RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF);
        let config = aws_sdk_dynamodb::config::Builder::from(config)
            .timeout_config(timeouts)
            .retry_config(retries)
            // A stream that stalls ends with its attempt, which is short; watching it costs.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Self { client: Client::from_conf(config.build()), name }
    }

    /// Fetches credentials and opens a connection before the first look-up needs them. A
    /// failure shows in the look-ups.
    pub async fn warm(&self) {
        let _ = tokio::time::timeout(WARM_UP, self.request(NOBODY, NOBODY).send()).await;
    }

    /// One campaign's content, if there is any.
    pub async fn one(
        &self,
        user_id: &str,
        campaign: &str,
    ) -> Result<Option<StoredContent>, Unreadable> {
        let answer = self.request(user_id, campaign).send().await;
        let answer = answer.map_err(|error| Unreadable::Failed(CallError::from(&error)))?;
        Ok(answer.item.and_then(stored))
    }

    /// The content of each of several campaigns, in the order of their names.
    pub async fn several(
        &self,
        user_id: &str,
        campaigns: &[&str],
    ) -> Vec<Result<Option<StoredContent>, Unreadable>> {
        match self.batch(user_id, campaigns).await {
            Ok((mut items, is_whole)) => campaigns
                .iter()
                .map(|campaign| match items.remove(&content::item_key(campaign)) {
                    None if !is_whole => Err(Unreadable::Partly),
                    item => Ok(item.and_then(stored)),
                })
                .collect(),
            Err(error) => {
                let failed = || Unreadable::Failed(error.clone());
                campaigns.iter().map(|_| Err(failed())).collect()
            }
        }
    }

    /// The items that DynamoDB gives, by sort key, and whether those are all there are.
    async fn batch(
        &self,
        user_id: &str,
        campaigns: &[&str],
    ) -> Result<(HashMap<String, HashMap<String, AttributeValue>>, bool), CallError> {
        let mut keys = KeysAndAttributes::builder()
            .projection_expression(format!("#item, {PROJECTION}"))
            .expression_attribute_names("#item", content::ITEM);
        for (placeholder, name) in PROJECTED {
            keys = keys.expression_attribute_names(placeholder, name);
        }
        for campaign in campaigns {
            let sort_key = AttributeValue::S(content::item_key(campaign));
            keys = keys.keys(HashMap::from([
                (content::USER_ID.to_owned(), AttributeValue::S(user_id.to_owned())),
                (content::ITEM.to_owned(), sort_key),
            ]));
        }
        let keys = keys.build().map_err(|_| CallError::NotBuilt)?;
        let answer = self.client.batch_get_item().request_items(&self.name, keys).send().await;
        let answer = answer.map_err(|error| CallError::from(&error))?;
        let is_whole = answer.unprocessed_keys.is_none_or(|keys| keys.is_empty());
        let items = answer.responses.and_then(|mut tables| tables.remove(&self.name));
        let by_key = items.unwrap_or_default().into_iter().filter_map(|mut item| {
            match item.remove(content::ITEM) {
                Some(AttributeValue::S(key)) => Some((key, item)),
                _ => None,
            }
        });
        Ok((by_key.collect(), is_whole))
    }

    /// The language in which a user gets a campaign's fallback content, if it is known: what
    /// an event said, or an attribute of the user. Where that cannot be read it is not known.
    pub async fn language(
        &self,
        user_id: &str,
        campaign: &str,
        attribute: Option<&str>,
    ) -> Option<String> {
        let (sort_key, wanted) = match attribute {
            Some(_) => (content::ATTRIBUTES.to_owned(), content::VALUES),
            None => (content::item_key(campaign), content::LANGUAGE),
        };
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(content::USER_ID, AttributeValue::S(user_id.to_owned()))
            .key(content::ITEM, AttributeValue::S(sort_key))
            .projection_expression("#wanted")
            .expression_attribute_names("#wanted", wanted);
        let answer = request.send().await.ok()?;
        let text = answer.item?.remove(wanted)?.as_s().ok()?.clone();
        let Some(attribute) = attribute else { return Some(text) };
        let values: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(values.get(attribute)?.get("value")?.as_str()?.replace('_', "-"))
    }

    fn request(&self, user_id: &str, campaign: &str) -> GetItemFluentBuilder {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(content::USER_ID, AttributeValue::S(user_id.to_owned()))
            .key(content::ITEM, AttributeValue::S(content::item_key(campaign)))
            .projection_expression(PROJECTION);
        PROJECTED.into_iter().fold(request, |request, (placeholder, name)| {
            request.expression_attribute_names(placeholder, name)
        })
    }
}

impl StoredContent {
    /// Whether it is to be served at `now` (UNIX seconds): DynamoDB removes expired items up
    /// to days late.
    pub fn stands(&self, now: i64) -> bool {
        now < self.expires_at
    }

    /// What decides whether it was recalled.
    pub fn provenance(&self) -> Provenance<'_> {
        let Self { publication, prompt_hash, generated_at, .. } = self;
        Provenance { publication: *publication, prompt_hash, generated_at: *generated_at }
    }
}

/// The content in an item, if it holds any that was not retracted.
fn stored(mut item: HashMap<String, AttributeValue>) -> Option<StoredContent> {
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
    let expires_at = number(content::SERVED_UNTIL).or(number(content::EXPIRES_AT))?;
    // What does not say what it was written for is older than everything.
    let written_for = number(content::EVENT_TIME).unwrap_or(i64::MIN);
    if number(content::RETRACTED_AT).is_some_and(|retracted_at| written_for <= retracted_at) {
        return None;
    }
    let publication = number(content::PUBLICATION).and_then(|number| number.try_into().ok());
    let generated_at = number(content::GENERATED_AT).unwrap_or_default();
    let prompt_hash = match item.remove(content::PROMPT_HASH) {
        Some(AttributeValue::S(hash)) => hash,
        _ => String::new(),
    };
    let data = item.remove(content::DATA)?;
    let publication = publication.unwrap_or_default();
    let stored = StoredContent { data, expires_at, publication, prompt_hash, generated_at };
    stored.data.is_m().then_some(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_has_expired_but_is_still_there_does_not_stand() {
        let item = HashMap::from([
            (content::EXPIRES_AT.to_owned(), AttributeValue::N("100".to_owned())),
            (content::DATA.to_owned(), AttributeValue::M(HashMap::new())),
        ]);
        let stored = stored(item).expect("holds content");

        assert!(stored.stands(99));
        assert!(!stored.stands(100));
    }

    #[test]
    fn content_is_not_served_for_as_long_as_its_item_lives() {
        let number = |n: i64| AttributeValue::N(n.to_string());
        let item = HashMap::from([
            (content::EXPIRES_AT.to_owned(), number(900)),
            (content::SERVED_UNTIL.to_owned(), number(100)),
            (content::DATA.to_owned(), AttributeValue::M(HashMap::new())),
        ]);

        let stored = stored(item).expect("holds content");

        assert!(stored.stands(99) && !stored.stands(100));
    }

    #[test]
    fn content_is_retracted_by_what_is_not_older_than_its_event() {
        let number = |n: i64| AttributeValue::N(n.to_string());
        let stands = |event_time: Option<i64>, retracted_at: Option<i64>| {
            let mut item = HashMap::from([
                (content::EXPIRES_AT.to_owned(), number(100)),
                (content::DATA.to_owned(), AttributeValue::M(HashMap::new())),
            ]);
            item.extend(event_time.map(|at| (content::EVENT_TIME.to_owned(), number(at))));
            item.extend(retracted_at.map(|at| (content::RETRACTED_AT.to_owned(), number(at))));
            stored(item).is_some()
        };

        assert!(stands(Some(50), None));
        assert!(stands(Some(50), Some(49)));
        assert!(!stands(Some(50), Some(50)));
        assert!(!stands(Some(50), Some(51)));
        assert!(stands(None, None));
        assert!(!stands(None, Some(1)));
    }

    #[test]
    fn an_item_without_content_is_none() {
        let item = HashMap::from([
            (content::EXPIRES_AT.to_owned(), AttributeValue::N("100".to_owned())),
            (content::DELETED_AT.to_owned(), AttributeValue::N("50".to_owned())),
        ]);

        assert!(stored(item).is_none());
    }

    #[test]
    fn all_that_is_looked_at_stands_in_a_compact_item_as_in_a_plain_one() {
        let golden = include_str!("../../contract/golden/items.json");
        let golden: serde_json::Value = serde_json::from_str(golden).expect("is JSON");
        let items = golden["content"].as_array().expect("is a list");
        let of = |key: &str| items.iter().find(|item| item["item"]["S"] == key).expect("is there");

        for (_, name) in PROJECTED.into_iter().chain([("", content::LANGUAGE)]) {
            assert!(of("content#offer")[name].is_object(), "{name}");
            assert_eq!(of("content#packed-offer")[name], of("content#offer")[name], "{name}");
        }
    }
}
