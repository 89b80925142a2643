//! What holds of the campaigns: which version, what is paused, and what may be served.
//!
//! One small item, read by every instance and replaced as a whole. Each change counts its
//! [`Head::revision`] up by one, and is written only over the revision that it was made from.
//!
//! Guarantees: what another version wrote beside what this one knows stays where it is when the
//! head is changed. A pause or a recall of a kind that this one does not know hides what it may
//! be about, for somebody had a reason for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::Version;

/// Publications that are remembered, the newest of them.
pub const MAX_PUBLICATIONS: usize = 200;

/// Recalls that are remembered. One is forgotten when nothing that it hides can be there any more.
pub const MAX_RECALLS: usize = 200;

/// Prompts that recalls name, all together: the head is read by every instance, and a thousand
/// hashes are 64 KiB.
pub const MAX_PROMPTS: usize = 1_000;

/// Longest life of content, in seconds (`ttl_days` is at most 365): so long a recall counts.
pub const LONGEST_LIFE_SECS: i64 = 366 * 24 * 3_600;

/// What another version wrote that this one does not know, by its names.
pub type Unknown = BTreeMap<String, Value>;

/// What holds of the campaigns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Changes so far.
    pub revision: u64,
    /// What was published, the newest last.
    pub publications: Vec<Publication>,
    /// Campaigns for which nothing is generated.
    pub paused: BTreeMap<String, Pause>,
    /// Content that is not served any more.
    pub recalls: Vec<Recall>,
    /// Of another version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A version that was published, or put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// Counts publications from 1 on; content carries it.
    pub number: u64,
    /// Which files.
    pub version: Version,
    /// When, in UNIX seconds.
    pub at: i64,
    /// Of another version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A campaign for which nothing is generated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when, in UNIX seconds.
    pub since: i64,
    /// What is served meanwhile.
    pub serves: Serves,
    /// Of another version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What a paused campaign serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    /// What is written already.
    Content,
    /// Fallback content only.
    Fallback,
    /// What another version knows; this one serves fallback content only.
    #[serde(untagged)]
    Unknown(Value),
}

/// Content of a campaign that is not served any more. What is written later is, but for an earlier
/// publication's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Which campaign.
    pub campaign: String,
    /// When it was recalled, in UNIX seconds.
    pub at: i64,
    /// Which of its contents.
    pub of: Recalled,
    /// Of another version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Which contents of a campaign are recalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recalled {
    /// All.
    All,
    /// Those of an earlier publication than the one of this number.
    Below(u64),
    /// Those of these prompts, by their hashes.
    Prompts(BTreeSet<String>),
    /// Those that were written from the first time on and before the second, in UNIX seconds.
    Written(i64, i64),
    /// Those that another version knows of; for this one all that it may be.
    #[serde(untagged)]
    Unknown(Value),
}

/// What is known of a content, as far as it decides whether it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance<'c> {
    /// Number of the publication that it was written under; 0 before the first.
    pub publication: u64,
    /// Hash of its prompt.
    pub prompt_hash: &'c str,
    /// When it was written, in UNIX seconds.
    pub generated_at: i64,
}

/// A change that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// It holds already.
    #[error("that holds already: there is nothing to change")]
    Holds,
    /// It serves fallback content, which somebody had a reason for.
    #[error(
        "it is paused and serves fallback content; to serve what is written again, resume it first"
    )]
    ServesFallback,
    /// What has that number is not published.
    #[error("nothing of that number is published: recall below one that is")]
    NotPublished,
    /// There are too many recalls.
    #[error(
        "more than {MAX_RECALLS} recalls, or {MAX_PROMPTS} prompts of them, would count: recall \
         by time or publication, or all content of the campaign"
    )]
    TooManyRecalls,
}

impl Head {
    /// What was published last.
    pub fn current(&self) -> Option<&Publication> {
        self.publications.last()
    }

    /// Tells whether a campaign is paused.
    pub fn is_paused(&self, campaign: &str) -> bool {
        self.paused.contains_key(campaign)
    }

    /// Tells whether a campaign's content is served.
    pub fn serves(&self, campaign: &str, content: Provenance<'_>) -> bool {
        let is_hidden =
            self.paused.get(campaign).is_some_and(|pause| pause.serves != Serves::Content);
        !is_hidden && !self.recalls.iter().any(|recall| recall.is_of(campaign, content))
    }

    /// The same with another version as the one that holds.
    pub fn published(&self, version: &Version, at: i64) -> Result<Self, NoChange> {
        if self.current().is_some_and(|current| current.version == *version) {
            return Err(NoChange::Holds);
        }
        let mut next = self.next();
        let number = self.current().map_or(0, |current| current.number) + 1;
        next.publications.push(Publication {
            number,
            version: version.clone(),
            at,
            unknown: Unknown::new(),
        });
        let old = next.publications.len().saturating_sub(MAX_PUBLICATIONS);
        next.publications.drain(..old);
        Ok(next)
    }

    /// The same with a campaign paused.
    pub fn paused(&self, campaign: &str, serves: Serves, at: i64) -> Result<Self, NoChange> {
        let before = self.paused.get(campaign);
        if serves == Serves::Content && before.is_some_and(|pause| pause.serves != serves) {
            return Err(NoChange::ServesFallback);
        }
        let since = before.map_or(at, |pause| pause.since);
        let unknown = before.map(|pause| pause.unknown.clone()).unwrap_or_default();
        let pause = Pause { since, serves, unknown };
        if self.paused.get(campaign) == Some(&pause) {
            return Err(NoChange::Holds);
        }
        let mut next = self.next();
        next.paused.insert(campaign.to_owned(), pause);
        Ok(next)
    }

    /// The same with a campaign that goes on.
    pub fn resumed(&self, campaign: &str) -> Result<Self, NoChange> {
        let mut next = self.next();
        next.paused.remove(campaign).map(|_| next).ok_or(NoChange::Holds)
    }

    /// The same with more content that is not served, which no later publication may be among;
    /// recalls that hide nothing any more are forgotten, and those that this one covers.
    pub fn recalled(&self, recall: Recall) -> Result<Self, NoChange> {
        let current = self.current().map_or(0, |current| current.number);
        if matches!(recall.of, Recalled::Below(number) if number > current) {
            return Err(NoChange::NotPublished);
        }
        let mut next = self.next();
        let covers = |old: &Recall| {
            old.campaign == recall.campaign && (recall.of == Recalled::All || old.of == recall.of)
        };
        next.recalls.retain(|old| old.at + LONGEST_LIFE_SECS > recall.at && !covers(old));
        if next.recalls.len() >= MAX_RECALLS {
            return Err(NoChange::TooManyRecalls);
        }
        next.recalls.push(recall);
        let prompts = next.recalls.iter().map(|recall| match &recall.of {
            Recalled::Prompts(hashes) => hashes.len(),
            _ => 0,
        });
        if prompts.sum::<usize>() > MAX_PROMPTS {
            return Err(NoChange::TooManyRecalls);
        }
        Ok(next)
    }

    fn next(&self) -> Self {
        Self { revision: self.revision + 1, ..self.clone() }
    }
}

impl Recall {
    /// Tells whether it is about a content.
    pub fn is_of(&self, campaign: &str, content: Provenance<'_>) -> bool {
        // What is written in the second of the recall may be from before it.
        let is_from_before = content.generated_at <= self.at;
        self.campaign == campaign
            && match &self.of {
                // An instance that has not followed yet writes under the old number.
                Recalled::Below(number) => content.publication < *number,
                _ if !is_from_before => false,
                Recalled::All | Recalled::Unknown(_) => true,
                Recalled::Prompts(hashes) => hashes.contains(content.prompt_hash),
                Recalled::Written(from, to) => (*from..*to).contains(&content.generated_at),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;

    fn version(text: &str) -> Version {
        let json = serde_json::json!({ "a/prompt.liquid": text }).to_string();
        Files::from_json(json.as_bytes()).expect("are files").version()
    }

    fn recall(at: i64, of: Recalled) -> Recall {
        Recall { campaign: "offer".to_owned(), at, of, unknown: Unknown::new() }
    }

    /// So many publications.
    fn published(number: u64) -> Head {
        (0..number).fold(Head::default(), |head, n| {
            head.published(&version(&n.to_string()), 0).expect("is new")
        })
    }

    fn content(publication: u64, prompt_hash: &str, generated_at: i64) -> Provenance<'_> {
        Provenance { publication, prompt_hash, generated_at }
    }

    const TODAY: &str = include_str!("../../contract/golden/campaigns-head.json");
    const NEXT: &str = include_str!("../../contract/golden/next/campaigns-head.json");

    fn json(text: &str) -> Value {
        serde_json::from_str(text).expect("is JSON")
    }

    #[test]
    fn the_head_is_that_of_the_golden_file() {
        let head: Head = serde_json::from_str(TODAY).expect("is a head");

        assert_eq!(serde_json::to_value(&head).expect("is JSON"), json(TODAY));
        assert!(matches!(head.recalls[3].of, Recalled::Written(..)));
        assert_eq!(head.paused["recap"].serves, Serves::Fallback);
    }

    #[test]
    fn what_another_version_wrote_stays_where_it_is_when_the_head_is_changed() {
        let head: Head = serde_json::from_str(NEXT).expect("is a head");
        assert_eq!(serde_json::to_value(&head).expect("is JSON"), json(NEXT));

        let next = head.paused("offer", Serves::Fallback, 9).expect("is new");
        let next = next.recalled(recall(1_760_000_400, Recalled::All)).expect("is possible");
        let next = next.published(&version("3"), 9).expect("is new");

        let mut written = serde_json::to_value(&next).expect("is JSON");
        let mut expected = json(NEXT);
        assert_eq!(written["paused"]["offer"]["next_field"], json("[3]"));
        assert_eq!(written["next_field"], expected["next_field"]);
        for list in ["publications", "recalls"] {
            let length = expected[list].as_array().map_or(0, Vec::len);
            let kept = written[list].as_array_mut().expect("is a list").drain(..length).collect();
            assert_eq!(Value::Array(kept), expected[list].take(), "{list}");
        }
    }

    #[test]
    fn a_pause_or_recall_of_another_version_hides_what_it_may_be_about() {
        let mut head: Head = serde_json::from_str(NEXT).expect("is a head");
        let before = content(2, "h", 1_760_000_300);

        assert!(head.is_paused("next_campaign"));
        assert!(!head.serves("next_campaign", content(2, "h", 1_760_000_301)), "it is paused");
        head.paused.remove("next_campaign");
        assert!(!head.serves("next_campaign", before), "it is recalled");
        assert!(head.serves("next_campaign", content(2, "h", 1_760_000_301)), "is written later");
        assert!(head.serves("offer", before));
    }

    #[test]
    fn publications_are_counted_and_the_newest_holds() {
        let one = Head::default().published(&version("1"), 10).expect("is new");
        let two = one.published(&version("2"), 20).expect("is new");
        let back = two.published(&version("1"), 30).expect("is another");

        assert_eq!(Head::default().current(), None);
        assert_eq!(two.published(&version("2"), 40), Err(NoChange::Holds));
        let current = back.current().expect("is there");
        assert_eq!((current.number, &current.version, back.revision), (3, &version("1"), 3));
    }

    #[test]
    fn publications_are_remembered_up_to_a_number() {
        let mut head = Head::default();
        for n in 0..MAX_PUBLICATIONS + 5 {
            head = head.published(&version(&n.to_string()), 0).expect("is new");
        }

        assert_eq!(head.publications.len(), MAX_PUBLICATIONS);
        assert_eq!(head.publications[0].number, 6);
    }

    #[test]
    fn a_recall_hides_what_it_names_and_nothing_that_is_written_later() {
        let of = |of| {
            let recall = recall(100, of);
            published(3).recalled(recall).expect("is possible")
        };

        let below = of(Recalled::Below(3));
        assert!(!below.serves("offer", content(2, "h", 100)));
        assert!(below.serves("offer", content(3, "h", 100)));
        assert!(!below.serves("offer", content(2, "h", 101)), "its writer had not followed");
        assert!(below.serves("other", content(2, "h", 100)));
        let prompt = of(Recalled::Prompts(["h".to_owned()].into()));
        assert!(
            !prompt.serves("offer", content(9, "h", 1))
                && prompt.serves("offer", content(9, "i", 1))
        );
        let written = of(Recalled::Written(10, 20));
        let served = [9, 10, 19, 20].map(|at| written.serves("offer", content(0, "h", at)));
        assert_eq!(served, [true, false, false, true]);
        assert!(!of(Recalled::All).serves("offer", content(9, "h", 100)));
    }

    #[test]
    fn a_paused_campaign_serves_what_it_was_told_to() {
        let paused = |serves| Head::default().paused("offer", serves, 5).expect("is new");

        assert!(paused(Serves::Content).serves("offer", content(0, "h", 1)));
        assert!(!paused(Serves::Fallback).serves("offer", content(0, "h", 1)));
        let paused = paused(Serves::Content);
        assert!(paused.is_paused("offer") && !paused.is_paused("other"));
        assert_eq!(paused.paused("offer", Serves::Content, 9), Err(NoChange::Holds));
        let other = paused.paused("offer", Serves::Fallback, 9).expect("serves another");
        assert_eq!(other.paused["offer"].since, 5);
        let resumed = other.resumed("offer").expect("was paused");
        assert_eq!((resumed.is_paused("offer"), resumed.revision), (false, 3));
        assert_eq!(resumed.resumed("offer"), Err(NoChange::Holds));
    }

    #[test]
    fn recalls_are_forgotten_when_they_hide_nothing_and_are_never_too_many() {
        let mut head = published(1_000);
        for n in 0..MAX_RECALLS as u64 {
            head = head.recalled(recall(1, Recalled::Below(n))).expect("has room");
        }

        assert_eq!(head.recalled(recall(2, Recalled::Below(1_001))), Err(NoChange::NotPublished));
        assert_eq!(head.recalled(recall(2, Recalled::Below(900))), Err(NoChange::TooManyRecalls));
        assert_eq!(
            head.recalled(recall(2, Recalled::Below(7))).expect("again").recalls.len(),
            MAX_RECALLS
        );
        assert_eq!(head.recalled(recall(2, Recalled::All)).expect("covers").recalls.len(), 1);
        let prompts = |n: usize| Recalled::Prompts((0..n).map(|n| n.to_string()).collect());
        assert!(Head::default().recalled(recall(1, prompts(MAX_PROMPTS))).is_ok());
        let many = Head::default().recalled(recall(1, prompts(MAX_PROMPTS + 1)));
        assert_eq!(many, Err(NoChange::TooManyRecalls));
        let later = head.recalled(recall(2 + LONGEST_LIFE_SECS, Recalled::Below(900)));
        assert_eq!(later.expect("has room").recalls.len(), 1);
    }
}
