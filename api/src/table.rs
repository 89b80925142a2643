//! Looks one item up in the content table.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;

/// Longest look-up, retries included: Braze waits about two seconds for the whole
/// answer, and the fallback content must still arrive in time.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(1_200);

/// Longest single attempt, so that one that hangs leaves time for a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);

/// The content table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// The table could not be read.
#[derive(Debug, thiserror::Error)]
#[error("content table could not be read: {0}")]
pub struct Unreadable(String);

impl Table {
    /// Reads from the table `name`, with time limits that suit Braze.
    pub fn new(config: &aws_config::SdkConfig, name: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(LOOKUP_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let config =
            aws_sdk_dynamodb::config::Builder::from(config).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), name }
    }

    /// The content's data, unless there is none or it has expired by `now`
    /// (UNIX seconds): DynamoDB removes expired items up to days late.
    pub async fn content(
        &self,
        user_id: &str,
        campaign: &str,
        now: i64,
    ) -> Result<Option<AttributeValue>, Unreadable> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(content::USER_ID, AttributeValue::S(user_id.to_owned()))
            .key(content::ITEM, AttributeValue::S(content::item_key(campaign)))
            .projection_expression("#data, #expires_at")
            .expression_attribute_names("#data", content::DATA)
            .expression_attribute_names("#expires_at", content::EXPIRES_AT);
        let answer = request.send().await;
        let answer = answer.map_err(|e| Unreadable(DisplayErrorContext(e).to_string()))?;
        Ok(answer.item.and_then(|item| unexpired(item, now)))
    }
}

fn unexpired(mut item: HashMap<String, AttributeValue>, now: i64) -> Option<AttributeValue> {
    let expires_at: i64 = item.get(content::EXPIRES_AT)?.as_n().ok()?.parse().ok()?;
    if expires_at <= now {
        return None;
    }
    item.remove(content::DATA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_has_expired_but_is_still_there_is_not_served() {
        let item = HashMap::from([
            (content::EXPIRES_AT.to_owned(), AttributeValue::N("100".to_owned())),
            (content::DATA.to_owned(), AttributeValue::M(HashMap::new())),
        ]);

        assert!(unexpired(item.clone(), 99).is_some());
        assert!(unexpired(item, 100).is_none());
    }

    #[test]
    fn a_deletion_is_not_content() {
        let item = HashMap::from([
            (content::EXPIRES_AT.to_owned(), AttributeValue::N("100".to_owned())),
            (content::DELETED_AT.to_owned(), AttributeValue::N("50".to_owned())),
        ]);

        assert!(unexpired(item, 99).is_none());
    }
}
