//! What prompts speak of besides events: attributes, of which the newest must stand of each, and
//! items that appear and vanish while everything goes on.

use std::collections::BTreeMap;

use contract::attributes::PROFILE_UPDATE;
use contract::user_record::Event;
use processor::simulated::memory::Tables;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::reference;
use super::{Run, Seen, Told, user_id};
use crate::world::{SECRET, World};

/// How often an item appears or vanishes, per delivery.
const ITEMS_CHANGE: f64 = 0.3;

/// Attributes by user and name: value, time and event.
type Attributes = BTreeMap<(String, String), (Value, i64, String)>;

/// An update of a user's attributes, with values that no other update has.
pub(super) fn update(n: usize, user: usize, time: i64, rng: &mut StdRng) -> Told {
    let mut value = |kind: &str| match rng.random_range(0..4) {
        0 => Value::Null,
        _ => json!(format!("{kind}{n:03}x")),
    };
    let (name, genre) = (value("Name"), value("Genre"));
    let mut fields = json!({ "email_address": SECRET });
    if rng.random_bool(0.7) {
        fields["first_name"] = name;
    }
    if rng.random_bool(0.7) {
        fields["custom_attributes"] = json!({ "genre": genre, "pin": SECRET });
    }
    let fields = fields.as_object().expect("is an object").clone();
    let event = Event { id: format!("p{n}"), time, fields };
    Told { user, event_type: PROFILE_UPDATE, event }
}

/// By chance an item appears, changes or vanishes.
pub(super) fn change_items(world: &World, rng: &mut StdRng) {
    if !rng.random_bool(ITEMS_CHANGE) {
        return;
    }
    let id = ["a", "b", "c"][rng.random_range(0..3)];
    if rng.random_bool(0.3) {
        world.catalogs.remove("shows", id);
        return;
    }
    let item = json!({ "title": format!("Title {} {id}", rng.random_range(0..3)) });
    world.catalogs.insert("shows", id, item.as_object().expect("is an object").clone());
}

/// The attributes that an update tells, by their names.
fn told(told: &Told) -> impl Iterator<Item = (&'static str, &Value)> {
    let fields = &told.event.fields;
    let genre = fields.get("custom_attributes").and_then(|custom| custom.get("genre"));
    let both = [("first_name", fields.get("first_name")), ("custom_attribute.genre", genre)];
    both.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

impl Run {
    fn updates(&self) -> impl Iterator<Item = &Told> {
        self.story.iter().filter(|told| told.event_type == PROFILE_UPDATE)
    }

    fn is_grounded(&self) -> bool {
        self.campaigns().any(|campaign| campaign.shows_attributes)
    }

    /// Time of the oldest that a campaign may speak of; with a deletion between it and the rest
    /// all of it may have gone.
    pub(super) fn oldest_known(
        &self,
        campaign: &reference::Told,
        user: usize,
        oldest: Option<i64>,
    ) -> Option<i64> {
        let updates = self.updates().filter(|told| campaign.shows_attributes && told.user == user);
        let updates = updates.map(|told| told.event.time).min();
        oldest.map(|oldest| oldest.min(updates.unwrap_or(oldest)))
    }

    /// What is kept of users' attributes.
    pub(super) fn known_attributes(&self) -> Attributes {
        let profiles = self.tables().profiles.into_iter();
        let known = profiles.flat_map(|(user, profile)| {
            profile.known.into_iter().map(move |(name, known)| {
                ((user.clone(), name), (known.value, known.time, known.event_id))
            })
        });
        known.collect()
    }

    /// Of each attribute the newest value stands that no deletion covers, and nothing else.
    pub(super) fn check_attributes(&self) -> Result<(), String> {
        let mut expected = Attributes::new();
        for update in self.updates().filter(|_| self.is_grounded()) {
            let Event { id, time, .. } = &update.event;
            if self.deleted_at(update.user).is_some_and(|at| *time <= at) {
                continue;
            }
            for (name, value) in told(update) {
                let place = (user_id(update.user), name.to_owned());
                let new = (value.clone(), *time, id.clone());
                let is_newer = |(_, at, by): &(Value, i64, String)| (*at, by) < (*time, id);
                if expected.get(&place).is_none_or(is_newer) {
                    expected.insert(place, new);
                }
            }
        }
        let known = self.known_attributes();
        match known == expected {
            true => Ok(()),
            false => Err(format!("keeps attributes {known:?} instead of {expected:?}")),
        }
    }

    /// No content speaks of what was known of another user, or before a deletion.
    pub(super) fn check_grounds(
        &self,
        tables: &Tables,
        user: usize,
        deleted_at: Option<i64>,
    ) -> Result<(), String> {
        let of_user = user_id(user);
        let contents = tables.items.iter().filter(|(key, _)| key.user_id == of_user);
        let contents = contents.filter_map(|(_, item)| item.content.as_ref());
        let texts = contents.map(|(content, _)| format!("{:?}", content.data));
        let asked = tables.asked.iter().filter(|(key, _)| key.user_id == of_user);
        let texts: Vec<String> =
            texts.chain(asked.map(|(_, asked)| format!("{asked:?}"))).collect();
        let is_hidden = |update: &&Told| {
            update.user != user || deleted_at.is_some_and(|at| update.event.time <= at)
        };
        for (_, value) in self.updates().filter(is_hidden).flat_map(told) {
            let Some(value) = value.as_str() else { continue };
            if let Some(text) = texts.iter().find(|text| text.contains(value)) {
                return Err(format!(
                    "{of_user}, deleted at {deleted_at:?}, is told {value}: {text}"
                ));
            }
        }
        Ok(())
    }

    /// Counts what prompts spoke of.
    pub(super) fn see_grounds(&self, seen: &mut Seen) {
        seen.attributes = self.known_attributes().len() as u64;
        let tables = self.tables();
        let contents = tables.items.values().filter_map(|item| item.content.as_ref());
        let texts: Vec<String> =
            contents.map(|(content, _)| format!("{:?}", content.data)).collect();
        let speak = |of: &str| texts.iter().filter(|text| text.contains(of)).count() as u64;
        seen.greeted = speak("Name");
        seen.titled = speak("Title");
    }
}
