//! The content table: what `processor` writes and `api` reads.
//!
//! One item per user and campaign, under the keys [`USER_ID`] and [`ITEM`], holds the
//! content beside the history that it was written from; a [`REVISION`] makes every
//! write conditional on what its writer saw. A deletion removes these items and
//! leaves one [`TOMBSTONE`] for the user, which the creation of any item checks in
//! the same transaction. What Braze knows of the user lies beside it under [`ATTRIBUTES`], and
//! what the model was asked and answered, where a campaign keeps that, under [`asked_key`].

/// Partition key: the Braze id of the user.
pub const USER_ID: &str = "user_id";
/// Sort key; see [`item_key`].
pub const ITEM: &str = "item";
/// The content itself: a native map in the shape of the campaign's schema.
pub const DATA: &str = "data";
/// Id of the event that the content was written for.
pub const EVENT_ID: &str = "event_id";
/// Time of that event, in UNIX seconds; newer wins.
pub const EVENT_TIME: &str = "event_time";
/// Model or inference profile that wrote it.
pub const MODEL_ID: &str = "model_id";
/// SHA-256 of model, parameters, schema and rendered prompt, in hexadecimal.
pub const PROMPT_HASH: &str = "prompt_hash";
/// Input tokens that the service counted.
pub const INPUT_TOKENS: &str = "input_tokens";
/// Output tokens that the service counted.
pub const OUTPUT_TOKENS: &str = "output_tokens";
/// Where the event came in that asked for the content, as its user record said it; not there where
/// it did not. Of an ask that waited it is the event that asked first, of which a newer one than
/// that may have become the content.
pub const ORIGIN: &str = "origin";
/// When the content was stored, in UNIX seconds.
pub const GENERATED_AT: &str = "generated_at";
/// Number of the publication of campaigns that it was written under; not there before the first.
pub const PUBLICATION: &str = "publication";
/// Version of the campaigns that it was written by.
pub const CAMPAIGNS_VERSION: &str = "campaigns_version";
/// When the user's generations of an hour would be over at the pace of the campaign's hourly limit,
/// in UNIX seconds: further ones wait if that is too far ahead.
pub const PACED_UNTIL: &str = "paced_until";
/// Time to live: when DynamoDB may remove the item, in UNIX seconds.
pub const EXPIRES_AT: &str = "expires_at";
/// Until when the content is served, in UNIX seconds, where the item must outlive it; otherwise
/// that is [`EXPIRES_AT`].
pub const SERVED_UNTIL: &str = "served_until";
/// Counts the writes of an item, from the time of its creation on.
pub const REVISION: &str = "revision";
/// The user's latest events that trigger the campaign, oldest first, as JSON.
pub const HISTORY: &str = "history";
/// Time of the oldest event that the content was written from, in UNIX seconds; those that told
/// the attributes that its prompt could show are among them.
pub const OLDEST_EVENT_TIME: &str = "oldest_event_time";
/// Until when an ask for the content waits, in UNIX milliseconds; not there if none waits.
pub const PARKED_UNTIL: &str = "parked_until";
/// Time of the latest event that ends an ask, in UNIX seconds: what waits for an event that is
/// not newer is not written.
pub const UNLESS_AT: &str = "unless_at";
/// Time of the latest event that retracts content, in UNIX seconds: content whose
/// [`EVENT_TIME`] is not newer is not served.
pub const RETRACTED_AT: &str = "retracted_at";
/// In an item of the compact form: what only `processor` reads, packed as [`crate::compact`] says,
/// under the names that it has in a plain one. What stands beside it as well is newer.
pub const PACKED: &str = "packed";
/// When the user was deleted, in UNIX seconds; only in a tombstone.
pub const DELETED_AT: &str = "deleted_at";

/// Sort key of a user's tombstone.
pub const TOMBSTONE: &str = "tombstone";

/// Sort key of a user's attributes.
pub const ATTRIBUTES: &str = "attributes";

/// In the item of that key: name, value, time and event of each attribute, as JSON.
pub const VALUES: &str = "values";

/// Language in which fallback content is served to the user, where an event says it.
pub const LANGUAGE: &str = "language";

/// What stands before a campaign's name in the sort key of what was asked for its content.
pub const ASKED_PREFIX: &str = "asked#";

/// In the item of that key: the rendered prompt.
pub const PROMPT: &str = "prompt";

/// In the item of that key: the model's answer, as it was checked and made safe, without what
/// the content takes over. [`EVENT_ID`] tells which content it is of.
pub const ANSWER: &str = "answer";

/// What stands before a campaign's name in a sort key.
pub const ITEM_PREFIX: &str = "content#";

/// Partition key of the coordination table, in which instances of `processor` share
/// answers and budgets; its items end by [`EXPIRES_AT`] as well.
pub const COORDINATION_KEY: &str = "key";

/// Key of the answer to a prompt in the coordination table, by the prompt's hash.
pub fn answer_key(hash: &str) -> String {
    format!("answer#{hash}")
}

/// Sort key of a campaign's content.
pub fn item_key(campaign: &str) -> String {
    format!("{ITEM_PREFIX}{campaign}")
}

/// Sort key of what the model was asked for a campaign's content.
pub fn asked_key(campaign: &str) -> String {
    format!("{ASKED_PREFIX}{campaign}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn keys_and_lives_are_those_of_the_golden_file_that_the_tables_are_made_from() {
        let golden: Value =
            serde_json::from_str(include_str!("../golden/tables.json")).expect("is JSON");

        let expected = json!({
            "content": { "partition_key": USER_ID, "sort_key": ITEM, "time_to_live": EXPIRES_AT },
            "coordination": { "partition_key": COORDINATION_KEY, "time_to_live": EXPIRES_AT },
            "catalogs": { "partition_key": crate::catalog::KEY },
        });
        assert_eq!(golden, expected);
    }
}
