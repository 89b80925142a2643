//! What Braze knows of a user: attributes, as the user's latest events tell them.
//!
//! Of each attribute the newest value wins, by the time of its event and then by its id, so
//! that it does not matter in which order events arrive, nor how often. That a user has an
//! attribute no longer is remembered as well, or an older value would come back.
//!
//! Kept are the attributes that some campaign lists; what campaigns listed formerly goes when
//! there is no room for it beside them. All of it is removed 400 days after it last changed,
//! which is as long as a deletion refuses what is older.

mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use campaign::CompiledCampaign;
use contract::attributes::{Attributes, MAX_KEPT, PROFILE_UPDATE, of_event};
use contract::metrics::Fate;
use contract::user_record::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use stage::Updates;

/// Largest value that is kept, in bytes of JSON; of a larger one it is kept that there is none.
const MAX_VALUE_BYTES: usize = 4 * 1_024;

/// One attribute, as an event told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Its value; null if the user has it no longer.
    pub value: Value,
    /// When the event happened, in UNIX seconds.
    pub time: i64,
    /// Id of the event.
    pub event_id: String,
}

/// What the table holds of a user's attributes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Revision of the item, if there is one.
    pub revision: Option<u64>,
    /// The attributes by their names.
    pub known: BTreeMap<String, Known>,
    /// When the user was deleted, in UNIX seconds, if they were.
    pub deleted_at: Option<i64>,
}

impl Known {
    fn order(&self) -> (i64, &str) {
        (self.time, &self.event_id)
    }
}

/// Of what is known of a user, what a campaign's prompt may show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// The attributes by their names.
    pub attributes: Attributes,
    /// Time of the event that told the oldest of them, in UNIX seconds.
    pub oldest: Option<i64>,
}

impl Profile {
    /// The attributes that the user has.
    pub fn attributes(&self) -> Attributes {
        let there = self.known.iter().filter(|(_, known)| !known.value.is_null());
        there.map(|(name, known)| (name.clone(), known.value.clone())).collect()
    }

    /// Of the attributes that a campaign lists, those that the user has.
    pub fn shown<'l>(&self, listed: impl IntoIterator<Item = &'l String>) -> Shown {
        let mut shown = Shown::default();
        for name in listed {
            if let Some(known) = self.known.get(name).filter(|known| !known.value.is_null()) {
                shown.attributes.insert(name.clone(), known.value.clone());
                shown.oldest = Some(shown.oldest.map_or(known.time, |at| at.min(known.time)));
            }
        }
        shown
    }

    /// Time of the oldest event that it tells something of, in UNIX seconds.
    pub fn oldest_event_time(&self) -> i64 {
        self.known.values().map(|known| known.time).min().unwrap_or(i64::MAX)
    }

    /// What is left of it of what happened after a deletion.
    pub fn after(&self, deleted_at: i64) -> BTreeMap<String, Known> {
        let newer = self.known.iter().filter(|(_, known)| known.time > deleted_at);
        newer.map(|(name, known)| (name.clone(), known.clone())).collect()
    }
}

/// The attributes that some campaign lists, or that tell the language of its fallback content.
pub fn wanted(campaigns: &[Arc<CompiledCampaign>]) -> BTreeSet<String> {
    let kept = campaigns.iter().flat_map(|each| each.campaign.config.kept_attributes());
    kept.map(str::to_owned).collect()
}

/// What a user's events make of their attributes, if they change any, and what becomes of each
/// event: of those that carry nothing that is wanted, nothing.
pub fn merged(
    profile: &Profile,
    events: &[(&str, &Event)],
    wanted: &BTreeSet<String>,
) -> (Option<BTreeMap<String, Known>>, Vec<Option<Fate>>) {
    let mut known = profile.known.clone();
    let fates: Vec<Option<Fate>> = events
        .iter()
        .map(|(event_type, event)| {
            let told = told(event_type, event, wanted);
            if told.is_empty() {
                return None;
            }
            if profile.deleted_at.is_some_and(|deleted_at| event.time <= deleted_at) {
                return Some(Fate::Deleted);
            }
            Some(apply(&mut known, told, event))
        })
        .collect();
    let is_changed = known != profile.known;
    if known.len() > MAX_KEPT {
        known.retain(|name, _| wanted.contains(name));
    }
    (is_changed.then_some(known), fates)
}

/// What an event tells of the attributes that are wanted.
fn told(event_type: &str, event: &Event, wanted: &BTreeSet<String>) -> Attributes {
    if event_type != PROFILE_UPDATE || wanted.is_empty() {
        return Attributes::new();
    }
    let mut told = of_event(&event.fields);
    told.retain(|name, _| wanted.contains(name));
    told
}

/// Takes what an event tells, where nothing newer is known.
fn apply(known: &mut BTreeMap<String, Known>, told: Attributes, event: &Event) -> Fate {
    let (mut is_news, mut is_repeat) = (false, true);
    for (name, value) in told {
        let is_too_large = value.to_string().len() > MAX_VALUE_BYTES;
        let value = if is_too_large { Value::Null } else { value };
        let new = Known { value, time: event.time, event_id: event.id.clone() };
        let before = known.get(&name);
        is_repeat &= before.is_some_and(|before| before.order() == new.order());
        if before.is_none_or(|before| before.order() < new.order()) {
            known.insert(name, new);
            is_news = true;
        }
    }
    match (is_news, is_repeat) {
        (true, _) => Fate::Attributes,
        (false, true) => Fate::Duplicate,
        (false, false) => Fate::Stale,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(id: &str, time: i64, fields: &Value) -> Event {
        Event { id: id.to_owned(), time, fields: fields.as_object().cloned().unwrap_or_default() }
    }

    fn listed() -> BTreeSet<String> {
        ["first_name", "custom_attribute.genre"].map(str::to_owned).into()
    }

    fn after(profile: &mut Profile, event: &Event) -> Option<Fate> {
        let (known, fates) = merged(profile, &[(PROFILE_UPDATE, event)], &listed());
        profile.known = known.unwrap_or_else(|| profile.known.clone());
        fates[0]
    }

    #[test]
    fn the_newest_value_of_each_attribute_wins_and_others_are_not_kept() {
        let mut profile = Profile::default();
        let ada = json!({ "first_name": "Ada", "last_name": "L", "custom_attributes": { "genre": "noir", "pin": 7 } });
        assert_eq!(after(&mut profile, &event("b", 5, &ada)), Some(Fate::Attributes));
        assert_eq!(after(&mut profile, &event("b", 5, &ada)), Some(Fate::Duplicate));
        let older = event("a", 4, &json!({ "first_name": "Ida" }));
        assert_eq!(after(&mut profile, &older), Some(Fate::Stale));
        let partly = json!({ "first_name": null });
        assert_eq!(after(&mut profile, &event("c", 6, &partly)), Some(Fate::Attributes));

        assert_eq!(json!(profile.attributes()), json!({ "custom_attribute.genre": "noir" }));
        assert_eq!(
            after(&mut profile, &event("d", 5, &json!({ "first_name": "X" }))),
            Some(Fate::Stale)
        );
        assert_eq!(after(&mut profile, &event("e", 9, &json!({ "last_name": "X" }))), None);
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_replaces_what_was_there() {
        let mut profile = Profile::default();
        after(&mut profile, &event("a", 1, &json!({ "first_name": "Ada" })));
        after(&mut profile, &event("b", 2, &json!({ "first_name": "A".repeat(5_000) })));

        assert_eq!(profile.attributes(), Attributes::new());
    }

    #[test]
    fn what_campaigns_listed_formerly_makes_room_for_what_they_list_now() {
        let former = |n: usize| {
            let known = Known { value: json!(n), time: 1, event_id: "a".to_owned() };
            (format!("custom_attribute.a{n}"), known)
        };
        let mut profile =
            Profile { known: (1..MAX_KEPT).map(former).collect(), ..Profile::default() };
        let ada = json!({ "first_name": "Ada" });

        after(&mut profile, &event("b", 2, &ada));
        assert_eq!(profile.known.len(), MAX_KEPT);
        after(&mut profile, &event("c", 3, &json!({ "custom_attributes": { "genre": "noir" } })));

        let kept: Vec<&String> = profile.known.keys().collect();
        assert_eq!(kept, ["custom_attribute.genre", "first_name"]);
    }

    #[test]
    fn a_prompt_is_shown_what_its_campaign_lists_and_how_old_that_is() {
        let mut profile = Profile::default();
        after(&mut profile, &event("a", 3, &json!({ "first_name": "Ada" })));
        after(&mut profile, &event("b", 5, &json!({ "custom_attributes": { "genre": "noir" } })));
        let shown = |names: &[&str]| {
            let listed: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let Shown { attributes, oldest } = profile.shown(&listed);
            (attributes.into_keys().collect::<Vec<_>>().join(" "), oldest)
        };

        assert_eq!(shown(&["first_name", "custom_attribute.genre"]).1, Some(3));
        assert_eq!(
            shown(&["custom_attribute.genre"]),
            ("custom_attribute.genre".to_owned(), Some(5))
        );
        assert_eq!(shown(&["country"]), (String::new(), None));
    }

    #[test]
    fn what_happened_before_a_deletion_is_not_taken() {
        let mut profile = Profile { deleted_at: Some(5), ..Profile::default() };
        let ada = json!({ "first_name": "Ada" });

        assert_eq!(after(&mut profile, &event("a", 5, &ada)), Some(Fate::Deleted));
        assert_eq!(profile.known, BTreeMap::new());
        assert_eq!(after(&mut profile, &event("b", 6, &ada)), Some(Fate::Attributes));
    }

    proptest! {
        #[test]
        fn neither_order_nor_repeats_nor_batches_decide_what_is_known(
            events in prop::collection::vec((0..4_i64, 0..3_usize, prop::option::of(0..3_u8), 0..2_usize), 1..12),
            cut in 0..12_usize,
            order in any::<u64>(),
        ) {
            let events: Vec<Event> = events.iter().enumerate().map(|(n, (time, _, value, name))| {
                let name = ["first_name", "genre"][*name];
                let fields = match name {
                    "genre" => json!({ "custom_attributes": { "genre": value } }),
                    _ => json!({ "first_name": value }),
                };
                event(&format!("e{n}"), *time, &fields)
            }).collect();
            let all = |events: &[Event], profile: &mut Profile| {
                let events: Vec<_> = events.iter().map(|event| (PROFILE_UPDATE, event)).collect();
                if let (Some(known), _) = merged(profile, &events, &listed()) {
                    profile.known = known;
                }
            };
            let mut at_once = Profile::default();
            all(&events, &mut at_once);

            let mut shuffled = events.clone();
            shuffled.extend(events.iter().take(cut).cloned());
            shuffled.sort_by_key(|event| {
                use std::hash::{DefaultHasher, Hash as _, Hasher as _};
                let mut hasher = DefaultHasher::new();
                (order, &event.id).hash(&mut hasher);
                hasher.finish()
            });
            let mut apart = Profile::default();
            let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
            all(first, &mut apart);
            all(second, &mut apart);

            prop_assert_eq!(at_once.known, apart.known);
        }
    }
}
