//! The names of all that is measured, with units, and the sum that the counters must add up to.
//!
//! Every invocation logs its [`Counts`] in one line, from which CloudWatch makes metrics. For
//! `processor`, [`EVENTS_RECEIVED`] equals the sum of all [`Fate`] counters: no event leaves
//! without one.
//!
//! - `counts` — what one invocation measured, or many added up.
//! - `distribution` — how long things took, without keeping each.

mod counts;
mod distribution;

pub use counts::{Counts, Figures};
pub use distribution::Distribution;

/// The dimension that tells programs apart, in CloudWatch.
pub const PROGRAM: &str = "program";

/// The dimension that tells campaigns apart, in CloudWatch.
pub const CAMPAIGN: &str = "campaign";

/// What a metric's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Tokens of a model.
    Tokens,
    /// Millionths of a US dollar.
    MicroUsd,
    /// Milliseconds of which CloudWatch keeps how they are distributed.
    Milliseconds,
}

/// A metric, as people are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// The program that measures it, or `all`.
    pub program: &'static str,
    /// What its numbers are.
    pub unit: Unit,
    /// What it says.
    pub means: &'static str,
}

impl Metric {
    /// Whether it is measured for each campaign as well.
    pub fn is_by_campaign(&self) -> bool {
        BY_CAMPAIGN.contains(&self.name)
    }
}

/// The unit of a metric; things, where none is named.
macro_rules! unit {
    () => {
        Unit::Count
    };
    ($unit:ident) => {
        Unit::$unit
    };
}

/// Names metrics, each with what it says: in the code's own documents, and for people.
macro_rules! metrics {
    ($($list:ident of $program:literal {
        $($(#[doc = $doc:literal])+ $name:ident = $text:literal $(in $unit:ident)?;)+
    })+) => {
        $($($(#[doc = $doc])+ pub const $name: &str = $text;)+)+
        $(const $list: &[Metric] = &[
            $(Metric {
                name: $text,
                program: $program,
                unit: unit!($($unit)?),
                means: concat!($($doc),+),
            }),+
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
            pub const fn counter(self) -> Metric {
                let means = match self {
                    $(Self::$variant => concat!($($doc),+),)+
                };
                Metric { name: self.metric(), program: "processor", unit: Unit::Count, means }
            }
        }
    };
}

metrics! {
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
        /// Notifications that come again, as what they name could not be read now.
        NOTIFICATIONS_RETURNED = "notifications_returned";
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
        /// Events of a type that no campaign hears of, which are not put on the stream.
        EVENTS_UNWANTED = "events_unwanted";
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
        STREAM_BYTES = "stream_bytes" in Bytes;
        /// Entries that Kinesis refused and that were sent again.
        ENTRIES_RESENT = "entries_resent";
    }
    OF_THE_DOOR of "ingest" {
        /// Posts of events and attributes over HTTP.
        POSTS_RECEIVED = "posts_received";
        /// Posts of which something was refused, or all.
        POSTS_REFUSED = "posts_refused";
        /// Events of posts, put on the stream or counted as those of objects are.
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
        /// Answers that could not be used, for one of the four reasons that follow.
        ANSWERS_REFUSED = "answers_refused";
        /// Answers that were no JSON object, or not all of one.
        ANSWERS_UNREADABLE = "answers_unreadable";
        /// Answers that do not fit the campaign's schema.
        ANSWERS_AGAINST_SCHEMA = "answers_against_schema";
        /// Answers that broke a rule of their campaign's own, such as one of its checks.
        ANSWERS_AGAINST_RULES = "answers_against_rules";
        /// Answers that the service cut short or held back, at a limit of tokens or for a guardrail.
        ANSWERS_STOPPED = "answers_stopped";
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
        INPUT_TOKENS = "input_tokens" in Tokens;
        /// Output tokens that the service counted.
        OUTPUT_TOKENS = "output_tokens" in Tokens;
        /// What the calls cost, by the `[price]` of their campaign; nothing where it has none.
        MODEL_COST = "model_micro_usd" in MicroUsd;
        /// Users whose content was deleted.
        USERS_DELETED = "users_deleted";
        /// Messages put on the dead-letter queue.
        DEAD_LETTERS = "dead_letters";

        /// Asks put on a queue for events.
        ASKS_PARKED = "asks_parked";
        /// Asks for events that wait because the model's quota is promised to others; one that goes
        /// back for the same reason is in `asks_returned`.
        PARKED_FOR_QUOTA = "asks_parked_for_quota";
        /// Asks that wait for the model's quota of the next day.
        PARKED_FOR_DAY_QUOTA = "asks_parked_for_day_quota";
        /// Asks that wait for their campaign's budget of the next day.
        PARKED_FOR_BUDGET = "asks_parked_for_budget";
        /// Asks that wait because the account may not call the campaign's model now.
        PARKED_FOR_HALT = "asks_parked_for_halt";
        /// Asks that wait because the model's service does not answer.
        PARKED_FOR_OUTAGE = "asks_parked_for_outage";
        /// Asks that wait for an answer that somebody else asks for.
        PARKED_FOR_LEASE = "asks_parked_for_lease";
        /// Asks that wait for their time: some time after the event, the end of the cooldown, or the
        /// user's next turn by the hourly limit.
        PARKED_FOR_TIME = "asks_parked_for_time";
        /// Asks that wait because their campaign is paused.
        PARKED_FOR_PAUSE = "asks_parked_for_pause";
        /// Asks that wait for a job, which asks for all of them at half the price, or to be in one.
        PARKED_FOR_JOB = "asks_parked_for_job";
        /// Jobs of batch inference that were submitted.
        JOBS_SUBMITTED = "jobs_submitted";
        /// Jobs that the service did not take; what they were to ask is asked at once.
        JOBS_REFUSED = "jobs_refused";
        /// Jobs whose answers were taken in, all or those that there were.
        JOBS_ENDED = "jobs_ended";
        /// Jobs that were stopped because their time was over.
        JOBS_LATE = "jobs_late";
        /// Questions that were put into jobs.
        QUESTIONS_IN_JOBS = "questions_in_jobs";
        /// Those of the input tokens that were a job's, at half the price.
        INPUT_TOKENS_OF_JOBS = "input_tokens_of_jobs" in Tokens;
        /// Those of the output tokens that were a job's, at half the price.
        OUTPUT_TOKENS_OF_JOBS = "output_tokens_of_jobs" in Tokens;
        /// Questions that jobs brought no usable answer for; each is asked by itself.
        QUESTIONS_LEFT_BY_JOBS = "questions_left_by_jobs";
        /// Asks that are over, whatever came of them.
        ASKS_OVER = "asks_over";
        /// Asks taken up, every delivery counted; the sum of all [`AskFate`] counters.
        ASKS_RECEIVED = "asks_received";
        /// Asks that were moved on unasked: their time had not come, or they had waited for it.
        ASKS_MOVED = "asks_moved";
        /// Asks that cannot be decoded; each is a dead letter.
        POISON_ASKS = "poison_asks";
        /// Campaigns that the account was denied the model for, from which on they wait some minutes.
        CAMPAIGNS_HALTED = "campaigns_halted";

        /// From an object's appearance to its content being readable.
        FRESHNESS = "freshness_ms" in Milliseconds;
        /// How long a call of the model took that came to an answer.
        CALL_TIME = "call_ms" in Milliseconds;
        /// How long calls waited for their turn in the quota: so far ahead it is promised.
        QUOTA_WAIT = "quota_wait_ms" in Milliseconds;
        /// How long the end of a unit took: its write of the table, and what goes with it.
        STORE_TIME = "store_ms" in Milliseconds;
        /// How long asks had waited, since their event or since somebody asked, when they were
        /// taken up.
        ASK_AGE = "ask_age_ms" in Milliseconds;
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
        /// Fallback contents that were served: as many as there are of `fallbacks_no_content`,
        /// `fallbacks_unverified`, `contents_withheld` and `lookups_failed` together, unless calls
        /// for content that is not there are an error.
        FALLBACKS_SERVED = "fallbacks_served";
        /// Contents that could not be looked up; each is served as fallback content.
        LOOKUPS_FAILED = "lookups_failed";

        /// Contents that stand in the table and were not served, because they are recalled or their
        /// campaign serves fallback content for now.
        CONTENTS_WITHHELD = "contents_withheld";
        /// Fallback contents that were served because nothing is stored for the user, or not any more.
        FALLBACKS_NO_CONTENT = "fallbacks_no_content";
        /// Fallback contents that were served because credentials could not be compared.
        FALLBACKS_UNVERIFIED = "fallbacks_unverified";
        /// How long a look-up took, without Lambda's and the gateway's own time.
        LOOK_UP_TIME = "look_up_ms" in Milliseconds;
    }
    OF_ALL of "all" {
        /// Published versions of the campaigns that could not be taken over, once for each look.
        CAMPAIGNS_REFUSED = "campaigns_refused";
        /// Looks at what is published that failed, or found a version whose files could not be had.
        CAMPAIGNS_UNREAD = "campaigns_unread";
        /// How long an invocation took that works through a batch.
        BATCH_TIME = "batch_ms" in Milliseconds;
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

    /// What is counted of an ask that was taken up and came to this.
    pub fn counts(self) -> Counts {
        let mut counts = Counts::default();
        counts.add(ASKS_RECEIVED, 1);
        counts.add(self.metric(), 1);
        if self.is_over() {
            counts.add(ASKS_OVER, 1);
        }
        counts
    }
}

/// What is measured for each campaign as well: what it costs, and what comes of it.
const BY_CAMPAIGN: &[&str] = &[
    GENERATIONS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    MODEL_COST,
    ANSWERS_REFUSED,
    CONTENTS_STORED,
    CONDITIONS_FAILED,
    CAMPAIGNS_HALTED,
    DEAD_LETTERS,
    ASKS_PARKED,
    ASKS_OVER,
    ASK_AGE,
    FRESHNESS,
    CONTENTS_SERVED,
    FALLBACKS_SERVED,
];

/// Everything that is measured, in the order of the programs.
pub fn all() -> impl Iterator<Item = Metric> {
    let named = [OF_INGEST, OF_THE_DOOR, OF_THE_PROCESSOR, OF_THE_API, OF_ALL];
    let named = named.into_iter().flatten().copied();
    let fates = Fate::ALL.into_iter().map(Fate::counter);
    named.chain(fates).chain(AskFate::ALL.into_iter().map(AskFate::counter))
}

/// The unit of a metric of this name; things, where there is none.
pub fn unit_of(name: &str) -> Unit {
    all().find(|metric| metric.name == name).map_or(Unit::Count, |metric| metric.unit)
}

/// The table of docs/metrics.md, which is written from here.
pub fn markdown() -> String {
    let mut table =
        "| metric | of | unit | by campaign | says |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for metric in all() {
        let Metric { name, program, unit, means } = metric;
        let means = means.trim().replace("[`", "`").replace("`]", "`");
        let by_campaign = if metric.is_by_campaign() { "yes" } else { "" };
        let unit = unit.words();
        table.push_str(&format!("| `{name}` | {program} | {unit} | {by_campaign} | {means} |\n"));
    }
    table
}

impl Unit {
    /// For people.
    const fn words(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::Tokens => "tokens",
            Self::MicroUsd => "millionths of a dollar",
            Self::Milliseconds => "milliseconds, as a distribution",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn an_event_that_goes_back_outweighs_one_that_is_stored() {
        assert_eq!(Fate::Stored.max(Fate::Returned), Fate::Returned);
        assert_eq!(Fate::NoTrigger.max(Fate::Stored), Fate::Stored);
    }

    #[test]
    fn the_document_lists_every_metric_and_no_name_says_two_things() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let document = std::fs::read_to_string(path).expect("is there");

        assert!(document.contains(&markdown()), "run `make tables`");
        let names: Vec<&str> = all().map(|metric| metric.name).collect();
        let different: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), different.len());
        assert!(BY_CAMPAIGN.iter().all(|name| different.contains(name)));
        assert!(names.contains(&CONTENTS_STORED) && names.contains(&Fate::Returned.metric()));
    }

    #[test]
    fn the_golden_file_names_what_is_measured() {
        let golden: BTreeMap<String, Vec<String>> =
            serde_json::from_str(include_str!("../golden/metrics.json")).expect("is JSON");

        let names: Vec<&str> = all().map(|metric| metric.name).collect();
        assert_eq!(golden["all"], names, "run `make tables`");
        let own = all().filter(Metric::is_by_campaign).map(|metric| metric.name);
        assert_eq!(golden["by_campaign"], own.collect::<Vec<_>>());
    }
}
