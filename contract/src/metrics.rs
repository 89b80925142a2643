//! The names of all counters, and the sum they must add up to.
//!
//! Every invocation logs its [`Counts`] in one line. For `processor`,
//! [`EVENTS_RECEIVED`] equals the sum of all [`Fate`] counters: no event leaves
//! without one.

use std::collections::BTreeMap;

use serde::Serialize;

/// Objects read to their end.
pub const OBJECTS_READ: &str = "objects_read";
/// Objects that are not Avro files by name, and ignored.
pub const OBJECTS_IGNORED: &str = "objects_ignored";
/// Objects that no longer exist.
pub const OBJECTS_GONE: &str = "objects_gone";
/// Objects that could not be read to their end; each is a dead letter.
pub const OBJECTS_DAMAGED: &str = "objects_damaged";
/// Objects whose content was replaced before they were read to their end; what is there now
/// is read from its beginning.
pub const OBJECTS_REPLACED: &str = "objects_replaced";
/// Parts of notifications that speak of no new object: of deletions, of tags, of the set-up.
pub const NOTIFICATIONS_IGNORED: &str = "notifications_ignored";
/// Objects whose rest was left to another invocation.
pub const OBJECTS_CONTINUED: &str = "objects_continued";
/// Files of catalogs that were imported.
pub const CATALOGS_IMPORTED: &str = "catalogs_imported";
/// Files of catalogs that changed nothing, because they had been imported already or a newer file
/// took the place of the whole catalog.
pub const CATALOGS_OUTDATED: &str = "catalogs_outdated";
/// Items of catalogs that were put, those included that newer imports had put already.
pub const CATALOG_ITEMS: &str = "catalog_items";
/// Events decoded from objects, and put on the stream or counted below.
pub const EVENTS_READ: &str = "events_read";
/// Events without a user id, which are not put on the stream.
pub const EVENTS_WITHOUT_USER: &str = "events_without_user";
/// Events whose user id is longer than a table takes, which are not put on the stream.
pub const EVENTS_USER_ID_TOO_LONG: &str = "events_user_id_too_long";
/// Events whose properties hold something that could not be read as it was written: it costs
/// itself only, and they are put on the stream.
pub const EVENTS_MENDED: &str = "events_mended";
/// Events larger than a stream record may be; each is a dead letter.
pub const EVENTS_TOO_LARGE: &str = "events_too_large";
/// User records put on the stream.
pub const USER_RECORDS: &str = "user_records";
/// Stream records that Kinesis acknowledged.
pub const STREAM_RECORDS: &str = "stream_records";
/// Bytes in stream records, their partition keys included.
pub const STREAM_BYTES: &str = "stream_bytes";
/// Entries that Kinesis refused and that were sent again.
pub const ENTRIES_RESENT: &str = "entries_resent";

/// Posts of events and attributes over HTTP.
pub const POSTS_RECEIVED: &str = "posts_received";
/// Posts of which something was refused, or all.
pub const POSTS_REFUSED: &str = "posts_refused";
/// Events of posts that were put on the stream.
pub const EVENTS_POSTED: &str = "events_posted";

/// Events taken off the stream, every delivery counted.
pub const EVENTS_RECEIVED: &str = "events_received";
/// Stream records that could not be decoded; each is a dead letter.
pub const POISON_RECORDS: &str = "poison_records";
/// Calls of the model that returned an answer, usable or not.
pub const GENERATIONS: &str = "generations";
/// Answers that could not be used and were asked for once more.
pub const CORRECTIONS: &str = "corrections";
/// Answers that broke a rule of their campaign's own, such as one of its checks.
pub const ANSWERS_AGAINST_RULES: &str = "answers_against_rules";
/// Catalog items that were read from the table, those included that are not there.
pub const ITEMS_READ: &str = "items_read";
/// Content written from an answer that stood in the cache already.
pub const CONTENTS_FROM_CACHE: &str = "contents_from_cache";
/// Conditions of campaigns that could not be evaluated for an event; it counts as not met.
pub const CONDITIONS_FAILED: &str = "conditions_failed";
/// Values of events that were cut or left out of a history, because they are longer, larger
/// or nested more deeply than it keeps.
pub const VALUES_CUT: &str = "values_cut";
/// Calls of the model that it failed, or that ended without an answer that could be read.
pub const CALLS_FAILED: &str = "calls_failed";
/// Content items written.
pub const CONTENTS_STORED: &str = "contents_stored";
/// Updates of the table for slices of the quota.
pub const QUOTA_TABLE_CALLS: &str = "quota_table_calls";
/// Times the model's service said no for reasons of quota.
pub const THROTTLES: &str = "throttles";
/// Input tokens that the service counted.
pub const INPUT_TOKENS: &str = "input_tokens";
/// Output tokens that the service counted.
pub const OUTPUT_TOKENS: &str = "output_tokens";
/// Users whose content was deleted.
pub const USERS_DELETED: &str = "users_deleted";
/// Messages put on the dead-letter queue.
pub const DEAD_LETTERS: &str = "dead_letters";

/// Asks put on a queue for events.
pub const ASKS_PARKED: &str = "asks_parked";
/// Asks taken up, every delivery counted; the sum of all [`AskFate`] counters.
pub const ASKS_RECEIVED: &str = "asks_received";
/// Asks that were moved on unasked: their time had not come, or they had waited for it.
pub const ASKS_MOVED: &str = "asks_moved";
/// Asks that cannot be decoded; each is a dead letter.
pub const POISON_ASKS: &str = "poison_asks";
/// Campaigns that the account was denied the model for, from which on they wait some minutes.
pub const CAMPAIGNS_HALTED: &str = "campaigns_halted";

/// Calls of the api; the sum of the four that follow.
pub const CALLS_RECEIVED: &str = "calls_received";
/// Calls that got what they asked for, or fallback content in its place.
pub const CALLS_ANSWERED: &str = "calls_answered";
/// Calls for content that is not there, where that is an error (`UNKNOWN_USER=not-found`).
pub const CALLS_WITHOUT_CONTENT: &str = "calls_without_content";
/// Calls that were wrong in themselves.
pub const CALLS_REFUSED: &str = "calls_refused";
/// Calls without valid credentials: many of them are somebody who guesses.
pub const CREDENTIALS_REFUSED: &str = "credentials_refused";
/// Calls whose credentials could not be compared with any secret; they get fallback content.
pub const CREDENTIALS_UNVERIFIABLE: &str = "credentials_unverifiable";
/// Contents of users that were served.
pub const CONTENTS_SERVED: &str = "contents_served";
/// Fallback contents that were served.
pub const FALLBACKS_SERVED: &str = "fallbacks_served";
/// Contents that could not be looked up; each is served as fallback content.
pub const LOOKUPS_FAILED: &str = "lookups_failed";

/// Contents that stand in the table and were not served, because they are recalled or their
/// campaign serves fallback content for now.
pub const CONTENTS_WITHHELD: &str = "contents_withheld";
/// Published versions of the campaigns that could not be taken over, once for each look.
pub const CAMPAIGNS_REFUSED: &str = "campaigns_refused";

/// What became of one event in one invocation.
///
/// Where several campaigns decide differently about one event, the greatest
/// stands: an event that goes back to the stream is not done, whatever else
/// happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// No campaign is triggered by it.
    NoTrigger,
    /// A newer event of the user in the same batch speaks for it.
    Coalesced,
    /// It was processed already.
    Duplicate,
    /// A newer event of the user is known already.
    Stale,
    /// It lacks what the campaign's prompt needs.
    Incomplete,
    /// An item that it leads to is in no catalog.
    NoItem,
    /// The user got content too short a time before.
    Cooldown,
    /// The user did since what the campaign excludes.
    Unless,
    /// The campaign has spent its budget of the day.
    OverBudget,
    /// The user was deleted after the event.
    Deleted,
    /// It deleted content.
    Deletion,
    /// It is no trigger, and was noted for what it ends: an ask that waits, or content.
    Noted,
    /// It is no trigger, and its attributes are known now.
    Attributes,
    /// Its content is stored.
    Stored,
    /// It is remembered, and an ask for its content waits.
    Parked,
    /// It was given up; a dead letter says why.
    DeadLettered,
    /// It goes back to the stream and will be delivered again.
    Returned,
}

impl Fate {
    /// Every fate, in order.
    pub const ALL: [Self; 17] = [
        Self::NoTrigger,
        Self::Coalesced,
        Self::Duplicate,
        Self::Stale,
        Self::Incomplete,
        Self::NoItem,
        Self::Cooldown,
        Self::Unless,
        Self::OverBudget,
        Self::Deleted,
        Self::Deletion,
        Self::Noted,
        Self::Attributes,
        Self::Stored,
        Self::Parked,
        Self::DeadLettered,
        Self::Returned,
    ];

    /// Name of the counter.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::NoTrigger => "events_skipped_no_trigger",
            Self::Coalesced => "events_skipped_coalesced",
            Self::Duplicate => "events_skipped_duplicate",
            Self::Stale => "events_skipped_stale",
            Self::Incomplete => "events_skipped_incomplete",
            Self::NoItem => "events_skipped_no_item",
            Self::Cooldown => "events_skipped_cooldown",
            Self::Unless => "events_skipped_unless",
            Self::OverBudget => "events_skipped_over_budget",
            Self::Deleted => "events_skipped_deleted",
            Self::Deletion => "events_deletion",
            Self::Noted => "events_noted",
            Self::Attributes => "events_attributes",
            Self::Stored => "events_stored",
            Self::Parked => "events_parked",
            Self::DeadLettered => "events_dead_lettered",
            Self::Returned => "events_returned",
        }
    }
}

/// What became of one ask when it was taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AskFate {
    /// Its content is stored.
    Stored,
    /// There is content for the user's newest event already.
    Answered,
    /// The user got content too short a time before.
    Cooldown,
    /// The prompt says nothing, or the campaign asks for nothing any more.
    Incomplete,
    /// An item that the event leads to is in no catalog.
    NoItem,
    /// The campaign has spent its budget of the day.
    OverBudget,
    /// Nothing is remembered of the user, who was deleted or whose content has ended.
    Deleted,
    /// The user did since what ends the ask.
    Unless,
    /// Another ask for the same waits.
    Superseded,
    /// It waits again.
    ParkedAgain,
    /// It was given up; a dead letter says why.
    DeadLettered,
    /// It goes back to its queue, and will be delivered again.
    Returned,
}

impl AskFate {
    /// Every fate, in order.
    pub const ALL: [Self; 12] = [
        Self::Stored,
        Self::Answered,
        Self::Cooldown,
        Self::Incomplete,
        Self::NoItem,
        Self::OverBudget,
        Self::Deleted,
        Self::Unless,
        Self::Superseded,
        Self::ParkedAgain,
        Self::DeadLettered,
        Self::Returned,
    ];

    /// Name of the counter.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Stored => "asks_stored",
            Self::Answered => "asks_skipped_answered",
            Self::Cooldown => "asks_skipped_cooldown",
            Self::Incomplete => "asks_skipped_incomplete",
            Self::NoItem => "asks_skipped_no_item",
            Self::OverBudget => "asks_skipped_over_budget",
            Self::Deleted => "asks_skipped_deleted",
            Self::Unless => "asks_skipped_unless",
            Self::Superseded => "asks_skipped_superseded",
            Self::ParkedAgain => "asks_parked_again",
            Self::DeadLettered => "asks_dead_lettered",
            Self::Returned => "asks_returned",
        }
    }

    /// Whether the ask is over: it does not wait any more.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::ParkedAgain | Self::Returned)
    }
}

/// Counters of one invocation, or of many added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Adds `n` to the counter `name`.
    pub fn add(&mut self, name: &'static str, n: u64) {
        *self.0.entry(name).or_default() += n;
    }

    /// Reads a counter; one that was never touched is zero.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Adds all counters of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (name, n) in &other.0 {
            self.add(name, *n);
        }
    }

    /// Adds up the fates of events; equals [`EVENTS_RECEIVED`] after every invocation.
    pub fn fates(&self) -> u64 {
        Fate::ALL.iter().map(|fate| self.get(fate.metric())).sum()
    }

    /// Adds up the fates of asks; equals [`ASKS_RECEIVED`] after every invocation.
    pub fn ask_fates(&self) -> u64 {
        AskFate::ALL.iter().map(|fate| self.get(fate.metric())).sum()
    }

    /// Asks that are over: those that were parked for events, less these, wait.
    pub fn asks_over(&self) -> u64 {
        let over = AskFate::ALL.iter().filter(|fate| fate.is_over());
        over.map(|fate| self.get(fate.metric())).sum()
    }

    /// The counters by their names.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    /// Writes the counters as one line of JSON, for the log.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "a map of strings to integers")]
        serde_json::to_string(self).expect("counts are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_goes_back_outweighs_one_that_is_stored() {
        assert_eq!(Fate::Stored.max(Fate::Returned), Fate::Returned);
        assert_eq!(Fate::NoTrigger.max(Fate::Stored), Fate::Stored);
    }

    #[test]
    fn merged_counts_are_sums() {
        let mut all = Counts::default();
        all.add(GENERATIONS, 2);
        let mut one = Counts::default();
        one.add(GENERATIONS, 3);
        one.add(THROTTLES, 1);

        all.merge(&one);

        assert_eq!(all.to_json(), r#"{"generations":5,"throttles":1}"#);
    }
}
