//! What was deleted, and what is left elsewhere until when: for a person, and as JSON to keep.

use std::fmt;

use contract::digest;
use processor::store::{DAY_SECS, TOMBSTONE_SECS};
use serde_json::{Value, json};

use super::holdings::Counts;
use crate::arguments::Retention;
use crate::outcome::moment;

/// Version of the JSON.
const VERSION: u32 = 1;

/// What became of a deletion. Times are in UNIX seconds.
#[derive(Debug)]
pub(super) struct Evidence<'e> {
    pub(super) user_id: &'e str,
    /// When it was asked for: what happened up to then is deleted.
    pub(super) asked_at: i64,
    /// When it was seen to be done, or was waited for no longer.
    pub(super) ended_at: i64,
    pub(super) is_done: bool,
    /// Whether anything was known of the user before.
    pub(super) was_known: bool,
    pub(super) before: Counts,
    /// What is there still of what there was.
    pub(super) after: Counts,
    /// What is there of later events, and stays.
    pub(super) newer: Counts,
    /// Time of the deletion that is noted.
    pub(super) tombstone: Option<i64>,
    pub(super) retention: Retention,
}

/// What is left somewhere.
struct Left {
    place: &'static str,
    what: &'static str,
    /// Until when; `None` where it is not about a user, or ends by itself.
    until: Option<i64>,
}

impl Evidence<'_> {
    /// What is left elsewhere.
    fn left(&self) -> Vec<Left> {
        let Retention { stream_days, files_days, letters_days, given_up_days, backups_days } =
            self.retention;
        let days = |days: u16| Some(self.ended_at + i64::from(days) * DAY_SECS);
        let left = |place, what, until| Left { place, what, until };
        vec![
            left("stream", "events of the user, and this deletion", days(stream_days)),
            left("bucket of Currents", "files with events of the user", days(files_days)),
            left("dead letters", "events that could not be processed", days(letters_days)),
            left("queues of asks", "the user's id, where content was awaited", days(letters_days)),
            left("records given up", "batches that could not be processed", days(given_up_days)),
            left("backups of the content table", "what was deleted", days(backups_days)),
            left(
                "content table",
                "the user's id and the time of the deletion, which refuse what comes late",
                Some(self.ended_at + TOMBSTONE_SECS),
            ),
            left("list of deletions", "the same, where it is kept (ops erase --list)", None),
            left("answers that users share", "no user id; they end after cache_hours", None),
            left("logs", "no user id, and nothing of an event", None),
        ]
    }

    /// The same as JSON, without the user's id.
    pub(super) fn to_json(&self) -> Value {
        let left = self.left().into_iter().map(|Left { place, what, until }| {
            json!({ "place": place, "what": what, "until": until.map(moment) })
        });
        json!({
            "v": VERSION,
            "user_sha256": digest::hex(self.user_id),
            "deleted_up_to": moment(self.asked_at),
            "ended_at": moment(self.ended_at),
            "done": self.is_done,
            "known": self.was_known,
            "tombstone": self.tombstone.map(moment),
            "before": self.before,
            "after": self.after,
            "newer": self.newer,
            "left": left.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (asked_at, after) = (moment(self.asked_at), &self.after);
        if !self.is_done {
            let secs = self.ended_at - self.asked_at;
            let noted = match self.tombstone {
                Some(at) if at >= self.asked_at => "The deletion is noted",
                _ => "The deletion is on the stream, and not noted yet",
            };
            write!(
                f,
                "Not done after {secs} s. {noted}; still there: {after}. Look at the runbook for \
                 events-late, and run this again, with evidence in another file: that does no harm."
            )?;
            return Ok(());
        }
        writeln!(
            f,
            "Done: what happened up to {asked_at} is gone from the content table, and refused if \
             it comes again. Of later events, which count as a new user's, it has: {}.\n\nLeft \
             elsewhere:",
            self.newer
        )?;
        let left = self.left();
        for (n, Left { place, what, until }) in left.iter().enumerate() {
            let until = until.map_or(String::new(), |at| format!("until {}", moment(at)));
            let end = if n + 1 < left.len() { "\n" } else { "" };
            write!(f, "  {place:<28}  {until:<26}  {what}{end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(is_done: bool) -> Evidence<'static> {
        Evidence {
            user_id: "5f0000000000000000000001",
            asked_at: 1_795_564_800,
            ended_at: 1_795_564_803,
            is_done,
            was_known: true,
            before: Counts { items: 1, contents: 1, events: 2, attributes: 3, prompts: 1 },
            after: if is_done {
                Counts::default()
            } else {
                Counts { items: 1, ..Counts::default() }
            },
            newer: Counts::default(),
            tombstone: is_done.then_some(1_795_564_800),
            retention: Retention {
                stream_days: 7,
                files_days: 90,
                letters_days: 14,
                given_up_days: 30,
                backups_days: 35,
            },
        }
    }

    #[test]
    fn what_is_kept_names_no_user_and_tells_what_is_left_until_when() {
        let kept = evidence(true).to_json();

        assert!(!kept.to_string().contains("5f0000000000000000000001"), "{kept}");
        assert_eq!(kept["user_sha256"], digest::hex("5f0000000000000000000001"));
        assert_eq!((&kept["done"], &kept["before"]["events"]), (&true.into(), &2.into()));
        assert_eq!(kept["after"]["items"], 0);
        let until = |place: &str| {
            let left = kept["left"].as_array().expect("is a list");
            let left = left.iter().find(|left| left["place"] == place).expect("is told");
            left["until"].clone()
        };
        assert_eq!(until("stream"), "2026-12-02T00:00:03Z");
        assert_eq!(until("bucket of Currents"), "2027-02-23T00:00:03Z");
        assert_eq!(until("dead letters"), "2026-12-09T00:00:03Z");
        assert_eq!(until("records given up"), "2026-12-25T00:00:03Z");
        assert_eq!(until("backups of the content table"), "2026-12-30T00:00:03Z");
        assert_eq!(until("logs"), Value::Null);
    }

    #[test]
    fn what_a_person_reads_names_no_user_either() {
        let done = evidence(true).to_string();
        assert!(done.starts_with("Done: what happened up to 2026-11-25T00:00:00Z is gone"));
        assert!(done.contains("until 2026-12-02T00:00:03Z") && !done.contains("5f0000"), "{done}");

        let late = evidence(false).to_string();
        assert!(late.contains("Not done after 3 s") && late.contains("items of campaigns: 1"));
        assert!(late.contains("not noted yet") && !late.contains("5f0000"), "{late}");
    }
}
