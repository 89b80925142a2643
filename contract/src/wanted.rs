//! What may leave the bucket: fields of events, and attributes of users, that some campaign
//! names.
//!
//! What Braze marks as personal stays behind otherwise. Of [`PROFILE_UPDATE`] nothing but the
//! attributes that are named passes, whatever is personal, and a field of another type of event
//! that has the name of an attribute does not pass for that.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::attributes::{CUSTOM_ATTRIBUTES, CUSTOM_PREFIX, PROFILE_UPDATE, STANDARD};

/// What some campaign names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Personal fields of events, by their top-level names.
    pub fields: BTreeSet<String>,
    /// Attributes, by the names that Braze's Liquid has for them.
    pub attributes: BTreeSet<String>,
}

impl Wanted {
    /// These fields, and no attributes.
    pub fn fields(fields: BTreeSet<String>) -> Self {
        Self { fields, attributes: BTreeSet::new() }
    }

    /// Tells whether a field of an event may pass.
    pub fn passes(&self, event_type: &str, field: &str, is_personal: bool) -> bool {
        if event_type != PROFILE_UPDATE {
            return !is_personal || self.fields.contains(field);
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
        assert!(!Wanted::default().passes(PROFILE_UPDATE, CUSTOM_ATTRIBUTES, false));
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
