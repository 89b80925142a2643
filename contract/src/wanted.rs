//! What may leave the bucket: types of events that some campaign hears of, fields of events, and
//! attributes of users, that some campaign names; and deletions.
//!
//! What nobody names stays behind: how Braze words its mark of what is personal decides nothing,
//! unless somebody wants all that is not marked ([`Unmarked`]). Of [`PROFILE_UPDATE`] nothing but the
//! attributes that are named passes, whatever is personal, and a field of another type of event
//! that has the name of an attribute does not pass for that.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::attributes::{
    CAMPAIGN, CUSTOM_ATTRIBUTES, CUSTOM_PREFIX, PROFILE_UPDATE, STANDARD, WEBHOOK,
};

/// Event types that remove a user: a request to forget, and a merge into another. They are wanted
/// whatever campaigns say.
pub const DELETIONS: [&str; 2] = ["users.UserDeleteRequest", "users.UserOrphan"];

/// Fields of events that no campaign names and that Braze does not mark as personal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unmarked {
    /// They stay behind.
    Stay,
    /// They pass, for others who read the stream.
    #[default]
    Pass,
}

/// What some campaign names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Types of events that some campaign hears of; every type where that is not known.
    pub event_types: Option<BTreeSet<String>>,
    /// Fields of events, by their top-level names.
    pub fields: BTreeSet<String>,
    /// What becomes of the other fields.
    pub unmarked: Unmarked,
    /// Attributes, by the names that Braze's Liquid has for them.
    pub attributes: BTreeSet<String>,
}

impl FromStr for Unmarked {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stay" => Ok(Self::Stay),
            "pass" => Ok(Self::Pass),
            _ => Err("say stay or pass"),
        }
    }
}

impl Wanted {
    /// These fields, those that are not marked, and no attributes.
    pub fn fields(fields: BTreeSet<String>) -> Self {
        Self { fields, ..Self::default() }
    }

    /// Tells whether events of a type may pass.
    pub fn takes(&self, event_type: &str) -> bool {
        let Some(types) = &self.event_types else { return true };
        self.unmarked == Unmarked::Pass
            || event_type == WEBHOOK
            || DELETIONS.contains(&event_type)
            || (event_type == PROFILE_UPDATE && !self.attributes.is_empty())
            || types.contains(event_type)
    }

    /// Tells whether a field of an event may pass.
    pub fn passes(&self, event_type: &str, field: &str, is_personal: bool) -> bool {
        if event_type == WEBHOOK && field == CAMPAIGN {
            return true;
        }
        if event_type != PROFILE_UPDATE {
            let passes_unmarked = self.unmarked == Unmarked::Pass && !is_personal;
            return passes_unmarked || self.fields.contains(field);
        }
        if field == CUSTOM_ATTRIBUTES {
            return self.custom().next().is_some();
        }
        let standard = STANDARD.iter().find(|(_, known)| *known == field);
        standard.is_some_and(|(name, _)| self.attributes.contains(*name))
    }

    /// Leaves those of a user's custom attributes that are named.
    pub fn keep_custom(&self, custom: &mut Map<String, Value>) {
        custom.retain(|name, _| self.custom().any(|wanted| wanted == name));
    }

    fn custom(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().filter_map(|name| name.strip_prefix(CUSTOM_PREFIX))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_attribute_opens_its_own_field_of_a_profile_and_no_other() {
        let wanted = Wanted {
            fields: ["email_address", "country"].map(str::to_owned).into(),
            attributes: ["first_name", "city", "custom_attribute.genre"].map(str::to_owned).into(),
            unmarked: Unmarked::Pass,
            event_types: None,
        };
        let of_profile = |field| wanted.passes(PROFILE_UPDATE, field, true);
        let of_event = |field| wanted.passes("users.messages.email.Open", field, true);

        assert!(
            of_profile("first_name") && of_profile("home_city") && of_profile(CUSTOM_ATTRIBUTES)
        );
        assert!(!of_profile("email_address") && !of_profile("country") && !of_profile("last_name"));
        assert!(!wanted.passes(PROFILE_UPDATE, "update_source", false));
        assert!(of_event("email_address") && !of_event("first_name") && !of_event("city"));
        assert!(wanted.passes("users.messages.email.Open", "link_url", false));
        let strict = Wanted { unmarked: Unmarked::Stay, ..wanted.clone() };
        assert!(!strict.passes("users.messages.email.Open", "link_url", false));
        assert!(strict.passes("users.messages.email.Open", "email_address", true));
        assert!(strict.passes(WEBHOOK, CAMPAIGN, false) && !strict.passes(WEBHOOK, "name", false));
        assert!(!Wanted::default().passes(PROFILE_UPDATE, CUSTOM_ATTRIBUTES, false));
    }

    #[test]
    fn types_pass_that_a_campaign_hears_of_and_what_deletes_or_tells_what_it_wants_to_know() {
        let types = ["users.behaviors.CustomEvent"].map(str::to_owned).into();
        let unmarked = Unmarked::Stay;
        let wanted = Wanted { event_types: Some(types), unmarked, ..Wanted::default() };
        let attributes = ["first_name".to_owned()].into();
        let knowing = Wanted { attributes, ..wanted.clone() };
        let all = Wanted { unmarked: Unmarked::Pass, ..wanted.clone() };
        let purchase = "users.behaviors.Purchase";

        assert!(wanted.takes("users.behaviors.CustomEvent") && wanted.takes(WEBHOOK));
        assert!(wanted.takes("users.UserDeleteRequest") && wanted.takes("users.UserOrphan"));
        assert!(!wanted.takes(purchase) && !wanted.takes(PROFILE_UPDATE));
        assert!(knowing.takes(PROFILE_UPDATE));
        assert!(all.takes(purchase) && Wanted::default().takes(purchase));
    }

    #[test]
    fn of_custom_attributes_those_stay_that_are_named() {
        let attributes = ["custom_attribute.genre"].map(str::to_owned).into();
        let wanted = Wanted { attributes, ..Wanted::default() };
        let mut custom = json!({ "genre": null, "pin": 1 }).as_object().expect("is one").clone();

        wanted.keep_custom(&mut custom);

        assert_eq!(Value::Object(custom), json!({ "genre": null }));
    }
}
