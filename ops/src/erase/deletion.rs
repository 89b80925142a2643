//! The event that deletes a user, as Braze's own comes out of its files.

use anyhow::{Context as _, bail};
use contract::digest;
use contract::user_record::{Event, UserRecord, VERSION};
use contract::wanted::DELETIONS;
use ingest::stream::again::{Record, Sent, Target};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::now_ms;

/// A user, and when they were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deletion {
    /// The Braze id.
    pub(super) user_id: String,
    /// In UNIX seconds: what happened up to then is deleted.
    #[serde(rename = "deleted_at")]
    pub(super) at: i64,
}

impl Deletion {
    fn record(&self, now_ms: u64) -> Record {
        let Self { user_id, at } = self;
        let event = Event {
            // The same for a repeat, and says nothing of whom it is about.
            id: format!("erase-{}", digest::hex(format!("{at} {user_id}"))),
            time: *at,
            fields: Map::new(),
        };
        let record = UserRecord {
            v: VERSION,
            user_id: user_id.clone(),
            event_type: DELETIONS[0].to_owned(),
            uploaded_at_ms: now_ms,
            redriven_at_ms: None,
            origin: String::new(),
            events: vec![event],
        };
        Record::Of { user_id: user_id.clone(), data: record.encode() }
    }
}

/// Puts deletions on the stream, where `ingest` would put them.
pub(super) async fn send(target: &Target, deletions: &[Deletion]) -> anyhow::Result<()> {
    let now_ms = now_ms();
    let records: Vec<Record> = deletions.iter().map(|each| each.record(now_ms)).collect();
    match target.send(&records).await.context("putting deletions on the stream")? {
        Sent::All => Ok(()),
        Sent::Refused => bail!("the stream refuses deletions: does --stream name the right one?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_is_what_a_request_of_brazes_becomes() {
        let deletion = Deletion { user_id: "u1".to_owned(), at: 7 };

        let Record::Of { user_id, data } = deletion.record(9_000) else { panic!("is a user's") };

        let record = UserRecord::decode(&data).expect("is a user record");
        assert_eq!((user_id.as_str(), record.user_id.as_str()), ("u1", "u1"));
        assert_eq!(record.event_type, "users.UserDeleteRequest");
        let [event] = &record.events[..] else { panic!("{record:?}") };
        assert_eq!(event.time, 7);
        assert!(!event.id.contains("u1") && event.id.len() < 128, "{}", event.id);
        assert_eq!(deletion.record(9_000), deletion.record(9_000));
    }
}
