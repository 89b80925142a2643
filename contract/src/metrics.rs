//! The names of all counters, and the sum they must add up to.
//!
//! Every invocation logs its [`Counts`] in one line. For `processor`,
//! [`EVENTS_RECEIVED`] equals the sum of all [`Fate`] counters: no event leaves
//! without one.

use std::collections::BTreeMap;

use serde::Serialize;

/// A counter, as people are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: &'static str,
    /// The program that counts it, or `all`.
    pub program: &'static str,
    /// What it counts.
    pub means: &'static str,
}

/// Names counters, each with what it counts: in the code's own documents, and for people.
macro_rules! counters {
    ($($list:ident of $program:literal {
        $($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+
    })+) => {
        $($($(#[doc = $doc])+ pub const $name: &str = $text;)+)+
        $(const $list: &[Counter] = &[
            $(Counter { name: $text, program: $program, means: concat!($($doc),+) }),+
        ];)+
    };
}

/// Names fates, each with its counter.
macro_rules! fates {
    ($(#[$about:meta])* $fate:ident {
        $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $fate {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $fate {
            /// Every fate, in order.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// Name of the counter.
            pub const fn metric(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The counter, for people.
            pub const fn counter(self) -> Counter {
                let means = match self {
                    $(Self::$variant => concat!($($doc),+),)+
                };
                Counter { name: self.metric(), program: "processor", means }
            }
        }
    };
}

counters! {
    OF_INGEST of "ingest" {
        /// Objects read to their end.
        OBJECTS_READ = "objects_read";
        /// Objects that are not Avro files by name, and ignored.
        OBJECTS_IGNORED = "objects_ignored";
        /// Objects that no longer exist.
        OBJECTS_GONE = "objects_gone";
        /// Objects that could not be read to their end; each is a dead letter.
        OBJECTS_DAMAGED = "objects_damaged";
        /// Objects whose content was replaced before they were read to their end; what is there now
        /// is read from its beginning.
        OBJECTS_REPLACED = "objects_replaced";
        /// Parts of notifications that speak of no new object: of deletions, of tags, of the set-up.
        NOTIFICATIONS_IGNORED = "notifications_ignored";
        /// Objects whose rest was left to another invocation.
        OBJECTS_CONTINUED = "objects_continued";
        /// Files of catalogs that were imported.
        CATALOGS_IMPORTED = "catalogs_imported";
        /// Files of catalogs that changed nothing, because they had been imported already or a newer file
        /// took the place of the whole catalog.
        CATALOGS_OUTDATED = "catalogs_outdated";
        /// Items of catalogs that were put, those included that newer imports had put already.
        CATALOG_ITEMS = "catalog_items";
        /// Events decoded from objects, and put on the stream or counted below.
        EVENTS_READ = "events_read";
        /// Events without a user id, which are not put on the stream.
        EVENTS_WITHOUT_USER = "events_without_user";
        /// Events whose user id is longer than a table takes, which are not put on the stream.
        EVENTS_USER_ID_TOO_LONG = "events_user_id_too_long";
        /// Events whose properties hold something that could not be read as it was written: it costs
        /// itself only, and they are put on the stream.
        EVENTS_MENDED = "events_mended";
        /// Events larger than a stream record may be; each is a dead letter.
        EVENTS_TOO_LARGE = "events_too_large";
        /// User records put on the stream.
        USER_RECORDS = "user_records";
        /// Stream records that Kinesis acknowledged.
        STREAM_RECORDS = "stream_records";
        /// Bytes in stream records, their partition keys included.
        STREAM_BYTES = "stream_bytes";
        /// Entries that Kinesis refused and that were sent again.
        ENTRIES_RESENT = "entries_resent";
    }
    OF_THE_DOOR of "ingest" {
        /// Posts of events and attributes over HTTP.
        POSTS_RECEIVED = "posts_received";
        /// Posts of which something was refused, or all.
        POSTS_REFUSED = "posts_refused";
        /// Events of posts that were put on the stream.
        EVENTS_POSTED = "events_posted";
    }
    OF_THE_PROCESSOR of "processor" {
        /// Events taken off the stream, every delivery counted.
        EVENTS_RECEIVED = "events_received";
        /// Stream records that could not be decoded; each is a dead letter.
        POISON_RECORDS = "poison_records";
        /// Calls of the model that returned an answer, usable or not.
        GENERATIONS = "generations";
        /// Answers that could not be used and were asked for once more.
        CORRECTIONS = "corrections";
        /// Answers that broke a rule of their campaign's own, such as one of its checks.
        ANSWERS_AGAINST_RULES = "answers_against_rules";
        /// Catalog items that were read from the table, those included that are not there.
        ITEMS_READ = "items_read";
        /// Content written from an answer that stood in the cache already.
        CONTENTS_FROM_CACHE = "contents_from_cache";
        /// Conditions of campaigns that could not be evaluated for an event; it counts as not met.
        CONDITIONS_FAILED = "conditions_failed";
        /// Values of events that were cut or left out of a history, because they are longer, larger
        /// or nested more deeply than it keeps.
        VALUES_CUT = "values_cut";
        /// Calls of the model that it failed, or that ended without an answer that could be read.
        CALLS_FAILED = "calls_failed";
        /// Content items written.
        CONTENTS_STORED = "contents_stored";
        /// Updates of the table for slices of the quota.
        QUOTA_TABLE_CALLS = "quota_table_calls";
        /// Times the model's service said no for reasons of quota.
        THROTTLES = "throttles";
        /// Input tokens that the service counted.
        INPUT_TOKENS = "input_tokens";
        /// Output tokens that the service counted.
        OUTPUT_TOKENS = "output_tokens";
        /// Users whose content was deleted.
        USERS_DELETED = "users_deleted";
        /// Messages put on the dead-letter queue.
        DEAD_LETTERS = "dead_letters";

        /// Asks put on a queue for events.
        ASKS_PARKED = "asks_parked";
        /// Asks taken up, every delivery counted; the sum of all [`AskFate`] counters.
        ASKS_RECEIVED = "asks_received";
        /// Asks that were moved on unasked: their time had not come, or they had waited for it.
        ASKS_MOVED = "asks_moved";
        /// Asks that cannot be decoded; each is a dead letter.
        POISON_ASKS = "poison_asks";
        /// Campaigns that the account was denied the model for, from which on they wait some minutes.
        CAMPAIGNS_HALTED = "campaigns_halted";
    }
    OF_THE_API of "api" {
        /// Calls of the api; the sum of the four that follow.
        CALLS_RECEIVED = "calls_received";
        /// Calls that got what they asked for, or fallback content in its place.
        CALLS_ANSWERED = "calls_answered";
        /// Calls for content that is not there, where that is an error (`UNKNOWN_USER=not-found`).
        CALLS_WITHOUT_CONTENT = "calls_without_content";
        /// Calls that were wrong in themselves.
        CALLS_REFUSED = "calls_refused";
        /// Calls without valid credentials: many of them are somebody who guesses.
        CREDENTIALS_REFUSED = "credentials_refused";
        /// Calls whose credentials could not be compared with any secret; they get fallback content.
        CREDENTIALS_UNVERIFIABLE = "credentials_unverifiable";
        /// Contents of users that were served.
        CONTENTS_SERVED = "contents_served";
        /// Fallback contents that were served.
        FALLBACKS_SERVED = "fallbacks_served";
        /// Contents that could not be looked up; each is served as fallback content.
        LOOKUPS_FAILED = "lookups_failed";

        /// Contents that stand in the table and were not served, because they are recalled or their
        /// campaign serves fallback content for now.
        CONTENTS_WITHHELD = "contents_withheld";
    }
    OF_ALL of "all" {
        /// Published versions of the campaigns that could not be taken over, once for each look.
        CAMPAIGNS_REFUSED = "campaigns_refused";
    }
}

fates! {
    /// What became of one event in one invocation.
    ///
    /// Where several campaigns decide differently about one event, the greatest
    /// stands: an event that goes back to the stream is not done, whatever else
    /// happened to it.
    Fate {
        /// No campaign is triggered by it.
        NoTrigger = "events_skipped_no_trigger",
        /// A newer event of the user in the same batch speaks for it.
        Coalesced = "events_skipped_coalesced",
        /// It was processed already.
        Duplicate = "events_skipped_duplicate",
        /// A newer event of the user is known already.
        Stale = "events_skipped_stale",
        /// It lacks what the campaign's prompt needs.
        Incomplete = "events_skipped_incomplete",
        /// An item that it leads to is in no catalog.
        NoItem = "events_skipped_no_item",
        /// The user got content too short a time before.
        Cooldown = "events_skipped_cooldown",
        /// The user did since what the campaign excludes.
        Unless = "events_skipped_unless",
        /// The campaign has spent its budget of the day.
        OverBudget = "events_skipped_over_budget",
        /// The user was deleted after the event.
        Deleted = "events_skipped_deleted",
        /// It deleted content.
        Deletion = "events_deletion",
        /// It is no trigger, and was noted for what it ends: an ask that waits, or content.
        Noted = "events_noted",
        /// It is no trigger, and its attributes are known now.
        Attributes = "events_attributes",
        /// Its content is stored.
        Stored = "events_stored",
        /// It is remembered, and an ask for its content waits.
        Parked = "events_parked",
        /// It was given up; a dead letter says why.
        DeadLettered = "events_dead_lettered",
        /// It goes back to the stream and will be delivered again.
        Returned = "events_returned",
    }
}

fates! {
    /// What became of one ask when it was taken up.
    AskFate {
        /// Its content is stored.
        Stored = "asks_stored",
        /// There is content for the user's newest event already.
        Answered = "asks_skipped_answered",
        /// The user got content too short a time before.
        Cooldown = "asks_skipped_cooldown",
        /// The prompt says nothing, or the campaign asks for nothing any more.
        Incomplete = "asks_skipped_incomplete",
        /// An item that the event leads to is in no catalog.
        NoItem = "asks_skipped_no_item",
        /// The campaign has spent its budget of the day.
        OverBudget = "asks_skipped_over_budget",
        /// Nothing is remembered of the user, who was deleted or whose content has ended.
        Deleted = "asks_skipped_deleted",
        /// The user did since what ends the ask.
        Unless = "asks_skipped_unless",
        /// Another ask for the same waits.
        Superseded = "asks_skipped_superseded",
        /// It waits again.
        ParkedAgain = "asks_parked_again",
        /// It was given up; a dead letter says why.
        DeadLettered = "asks_dead_lettered",
        /// It goes back to its queue, and will be delivered again.
        Returned = "asks_returned",
    }
}

impl AskFate {
    /// Whether the ask is over: it does not wait any more.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::ParkedAgain | Self::Returned)
    }
}

/// Every counter, in the order of the programs.
pub fn all() -> impl Iterator<Item = Counter> {
    let named = [OF_INGEST, OF_THE_DOOR, OF_THE_PROCESSOR, OF_THE_API, OF_ALL];
    let named = named.into_iter().flatten().copied();
    let fates = Fate::ALL.into_iter().map(Fate::counter);
    named.chain(fates).chain(AskFate::ALL.into_iter().map(AskFate::counter))
}

/// The table of docs/metrics.md, which is written from here.
pub fn markdown() -> String {
    let mut table = "| counter | of | counts |\n| --- | --- | --- |\n".to_owned();
    for Counter { name, program, means } in all() {
        let means = means.trim().replace("[`", "`").replace("`]", "`");
        table.push_str(&format!("| `{name}` | {program} | {means} |\n"));
    }
    table
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
    fn the_document_lists_every_counter_and_no_name_counts_two_things() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let document = std::fs::read_to_string(path).expect("is there");

        assert!(document.contains(&markdown()), "run `make tables`");
        let names: Vec<&str> = all().map(|counter| counter.name).collect();
        let different: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), different.len());
        assert!(names.contains(&CONTENTS_STORED) && names.contains(&Fate::Returned.metric()));
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
