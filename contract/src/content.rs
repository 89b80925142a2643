//! The content table: what `processor` writes and `api` reads.
//!
//! One item per user and campaign, under the keys [`USER_ID`] and [`ITEM`]. A
//! deletion takes the very place of the content ([`DELETED_AT`] instead of
//! [`DATA`]), so that one conditional write decides between them and no reader
//! can see content beside its own deletion.

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
/// When the content was stored, in UNIX seconds.
pub const GENERATED_AT: &str = "generated_at";
/// Time to live: when DynamoDB may remove the item, in UNIX seconds.
pub const EXPIRES_AT: &str = "expires_at";
/// When the user was deleted, in UNIX seconds; such an item has no [`DATA`].
pub const DELETED_AT: &str = "deleted_at";

/// Sort key of a campaign's content.
pub fn item_key(campaign: &str) -> String {
    format!("content#{campaign}")
}
