//! Attributes: what Braze knows of a user, beside what they do.
//!
//! They have the names that Braze's Liquid has for them: `first_name` for `${first_name}`, and
//! `custom_attribute.genre` for `{{custom_attribute.${genre}}}`. They come in events of two
//! types: Currents' own [`PROFILE_UPDATE`], and [`WEBHOOK`], which a message of a Braze webhook
//! becomes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Event type of Currents that carries attributes.
pub const PROFILE_UPDATE: &str = "users.profile.Update";

/// Event type of a message that a Braze webhook sent to this system.
pub const WEBHOOK: &str = "braze.webhook";

/// Field of a [`WEBHOOK`] that names the campaign whose content it asks for.
pub const CAMPAIGN: &str = "campaign";

/// Field that holds the custom attributes: an object, or one as a text.
pub const CUSTOM_ATTRIBUTES: &str = "custom_attributes";

/// What stands before the name of a custom attribute.
pub const CUSTOM_PREFIX: &str = "custom_attribute.";

/// Braze's own attributes: the name in Liquid, and the field of [`PROFILE_UPDATE`].
pub const STANDARD: [(&str, &str); 10] = [
    ("first_name", "first_name"),
    ("last_name", "last_name"),
    ("email_address", "email_address"),
    ("phone_number", "phone_number"),
    ("date_of_birth", "dob"),
    ("gender", "gender"),
    ("city", "home_city"),
    ("country", "country"),
    ("language", "language"),
    ("time_zone", "timezone"),
];

/// Most attributes that all campaigns together may list: with the largest value that is kept of
/// each, and its name and event, a user's fit into one item of DynamoDB (400 KB).
pub const MAX_KEPT: usize = 60;

/// Attributes by their names.
pub type Attributes = BTreeMap<String, Value>;

/// The attributes that an event's fields carry; `null` says that a user has it no longer.
pub fn of_event(fields: &Map<String, Value>) -> Attributes {
    let standard = STANDARD.iter().filter_map(|(name, field)| {
        let value = fields.get(*field)?;
        Some(((*name).to_owned(), value.clone()))
    });
    let mut attributes: Attributes = standard.collect();
    let parsed;
    let custom = match fields.get(CUSTOM_ATTRIBUTES) {
        Some(Value::Object(custom)) => Some(custom),
        Some(Value::String(text)) => {
            parsed = serde_json::from_str::<Map<String, Value>>(text).ok();
            parsed.as_ref()
        }
        _ => None,
    };
    for (name, value) in custom.into_iter().flatten() {
        attributes.insert(format!("{CUSTOM_PREFIX}{name}"), value.clone());
    }
    attributes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(fields: Value) -> String {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let all = of_event(&fields).into_iter().map(|(name, value)| format!("{name}={value} "));
        all.collect()
    }

    #[test]
    fn attributes_have_the_names_of_brazes_liquid() {
        let fields = json!({ "dob": "1990-01-02", "timezone": null, "archived": false,
            "custom_attributes": { "genre": "noir" } });

        assert_eq!(
            names(fields),
            r#"custom_attribute.genre="noir" date_of_birth="1990-01-02" time_zone=null "#
        );
    }

    #[test]
    fn custom_attributes_may_be_a_text_of_json() {
        let text = json!({ "custom_attributes": "{\"genre\":[\"noir\"]}" });

        assert_eq!(names(text), r#"custom_attribute.genre=["noir"] "#);
        assert_eq!(names(json!({ "custom_attributes": "{broken" })), "");
    }
}
