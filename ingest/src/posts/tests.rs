//! What bodies tell, and what is wrong with others.

use contract::attributes::{PROFILE_UPDATE, WEBHOOK};
use contract::wanted::Wanted;
use serde_json::{Value, json};

use super::body::Body;
use super::message::{Told, Wrong};

/// Now, in UNIX milliseconds.
const NOW_MS: u64 = 1_790_000_000_000;

fn wanted() -> Wanted {
    Wanted {
        fields: ["email_address".to_owned()].into(),
        attributes: ["first_name", "city", "custom_attribute.genre"].map(str::to_owned).into(),
        ..Wanted::default()
    }
}

fn told(body: &Value) -> Vec<Result<Vec<Told>, Wrong>> {
    let body = Body::parse(body.to_string().as_bytes()).expect("is a body");
    let campaigns = ["offer".to_owned()];
    body.entries.into_iter().map(|entry| entry.told(&wanted(), &campaigns, NOW_MS)).collect()
}

fn one(body: &Value) -> Vec<Told> {
    told(body).remove(0).expect("is right")
}

fn reason(body: &Value) -> String {
    told(body).remove(0).expect_err("is wrong").reason
}

fn fields(told: &Told) -> Value {
    Value::Object(told.event.fields.clone())
}

#[test]
fn what_the_connector_sends_has_the_fields_that_files_have() {
    let event = |event_type: &str, properties: Value| {
        json!({ "events": [{
            "event_type": event_type, "id": "e1", "time": 1_789_999_000,
            "user": { "user_id": "u1", "external_user_id": "secret", "device_id": "d", "timezone": "Europe/Vienna" },
            "properties": properties,
        }] })
    };
    let custom = event(
        "users.behaviors.CustomEvent",
        json!({ "name": "watched", "app_id": null, "custom_properties": { "show": "A" } }),
    );
    let [custom] = one(&custom).try_into().expect("is one");
    assert_eq!(
        (custom.event_type.as_str(), custom.user_id.as_str()),
        ("users.behaviors.CustomEvent", "u1")
    );
    assert_eq!((custom.event.id.as_str(), custom.event.time), ("e1", 1_789_999_000));
    assert_eq!(
        fields(&custom),
        json!({ "name": "watched", "properties": { "show": "A" }, "timezone": "Europe/Vienna", "device_id": "d" })
    );

    let bought = event(
        "users.behaviors.Purchase",
        json!({ "product_id": "p", "purchase_properties": { "size": 3 } }),
    );
    assert_eq!(fields(&one(&bought)[0])["properties"], json!({ "size": 3 }));

    let opened =
        event("users.messages.email.Open", json!({ "email_address": "a@b", "link_url": "x" }));
    assert_eq!(fields(&one(&opened)[0])["email_address"], "a@b");

    let unknown = json!({ "email": "a@b", "email_address": "a@b", "new_field": 1, "custom_properties": "{'a': 1,}" });
    for event_type in ["own.Type", "users.messages.fax.Send"] {
        let told = one(&event(event_type, unknown.clone()));
        let told = fields(&told[0]);
        assert_eq!(told["properties"], json!({ "a": 1 }));
        assert!(told.get("email").is_none() && told.get("new_field").is_none(), "{told}");
    }
    assert!(fields(&one(&event("own.Type", unknown))[0]).get("external_user_id").is_none());
}

#[test]
fn of_a_profile_only_what_is_listed_passes_whoever_sends_it() {
    let by_connector = json!({ "events": [{
        "event_type": PROFILE_UPDATE, "id": "p", "time": 1_789_999_000, "user": { "user_id": "u" },
        "properties": { "first_name": "Ada", "last_name": "L", "home_city": "Wien", "custom_attributes": "{\"genre\":\"noir\",\"pin\":1}" },
    }] });
    let by_webhook = json!({ "user_id": "u", "attributes": {
        "first_name": "Ada", "last_name": "L", "city": "Wien", "genre": "noir", "pin": 1,
    } });
    let expected = json!({ "first_name": "Ada", "home_city": "Wien", "custom_attributes": { "genre": "noir" } });

    assert_eq!(fields(&one(&by_connector)[0]), expected);
    assert_eq!(fields(&one(&by_webhook)[0]), expected);
    let printed_nothing =
        json!({ "user_id": "u", "attributes": { "first_name": "", "custom_attribute.genre": [] } });
    assert_eq!(
        fields(&one(&printed_nothing)[0]),
        json!({ "first_name": null, "custom_attributes": { "genre": [] } })
    );
}

#[test]
fn a_webhook_may_ask_for_content_and_a_repeat_has_the_same_id() {
    let message = json!({ "user_id": "u", "attributes": { "genre": "noir" }, "campaign": "offer", "properties": { "id": "7" } });

    let [update, wish] = one(&message).try_into().expect("are two");
    assert_eq!((update.event_type.as_str(), wish.event_type.as_str()), (PROFILE_UPDATE, WEBHOOK));
    assert_eq!(fields(&wish), json!({ "campaign": "offer", "properties": { "id": "7" } }));
    assert_eq!(wish.event.time, 1_790_000_000);
    assert_eq!(one(&message)[1].event.id, wish.event.id);
    let other = json!({ "user_id": "v", "campaign": "offer" });
    assert_ne!(one(&other)[0].event.id, wish.event.id);
    let named =
        json!({ "user_id": "u", "campaign": "offer", "id": "send-1", "time": "1789999999" });
    assert_eq!(
        (one(&named)[0].event.id.as_str(), one(&named)[0].event.time),
        ("send-1", 1_789_999_999)
    );
}

#[test]
fn what_is_wrong_with_one_event_is_told_and_the_others_are_taken() {
    let right = json!({ "event_type": "users.behaviors.app.SessionStart", "id": "a", "time": 1, "user": {} });
    let body = json!({ "events": [right, 7, { "id": "b" }, { "event_type": "t", "id": "b", "time": 1_789_999_000_000_i64 }] });

    let told = told(&body);

    assert_eq!(told[0].as_ref().expect("is right")[0].user_id, "", "who names nobody is left out");
    let reasons: Vec<&str> =
        told[1..].iter().map(|told| told.as_ref().expect_err("is wrong").reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["is no object", "has no event_type", "time counts milliseconds: send UNIX seconds"]
    );
    for (message, expected) in [
        (json!({ "attributes": {} }), "has no user_id"),
        (json!({ "user_id": "u" }), "neither attributes nor campaign"),
        (json!({ "user_id": "u", "attributes": "x" }), "attributes must be an object, or a text"),
        (json!({ "user_id": "u", "campaign": "secret value" }), "campaign is none of offer"),
        (json!({ "user_id": "u", "attributes": {}, "properties": {} }), "names none"),
        (json!({ "user_id": "u", "atributes": {} }), "there is user_id, attributes"),
        (json!({ "user_id": "u".repeat(129), "attributes": {} }), "user_id is too long"),
    ] {
        let said = reason(&message);
        assert!(said.contains(expected), "{message}: {said}");
        assert!(!said.contains("secret value"), "no value is quoted");
    }
}

#[test]
fn an_empty_body_is_a_check_of_the_credentials() {
    for body in ["", " \n", "{}", r#"{"events":[]}"#, r#"{"messages":[]}"#] {
        assert!(Body::parse(body.as_bytes()).expect("is a body").entries.is_empty(), "{body}");
    }
    for body in ["[]", "7", "{", r#"{"events":{}}"#, "\u{feff}{}"] {
        assert!(Body::parse(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_body_of_two_forms_is_refused_as_one_of_them_would_be_lost() {
    for body in [
        r#"{"events":[],"messages":[{"user_id":"u","campaign":"offer"}]}"#,
        r#"{"events":[],"user_id":"u","campaign":"offer"}"#,
        r#"{"messages":[],"user_id":"u"}"#,
    ] {
        let reason = Body::parse(body.as_bytes()).expect_err("is no body");
        assert!(reason.contains("one of events, messages, user_id"), "{reason}");
    }
    // Fields that Currents may add one day are none of ours.
    let more = br#"{"events":[{}],"version":4}"#;
    assert_eq!(Body::parse(more).expect("is a body").entries.len(), 1);
}

#[test]
fn messages_without_an_id_are_one_only_if_they_are_equal_in_their_time_too() {
    let id = |time: i64| {
        let wish = json!({ "user_id": "u", "campaign": "offer", "time": time });
        one(&wish).remove(0).event.id
    };

    assert_eq!(id(1_789_990_000), id(1_789_990_000));
    assert_ne!(id(1_789_990_000), id(1_789_997_200));
}

#[test]
fn a_campaign_that_nobody_has_does_not_cost_the_attributes_beside_it() {
    for campaign in [json!("renamed"), json!(7)] {
        let both =
            json!({ "user_id": "u", "attributes": { "first_name": "Ada" }, "campaign": campaign });

        let Wrong { reason, rest } = told(&both).remove(0).expect_err("is wrong");

        assert!(reason.starts_with("campaign "), "{reason}");
        let [update] = rest.try_into().expect("is one");
        assert_eq!(update.event_type, PROFILE_UPDATE);
        assert_eq!(fields(&update), json!({ "first_name": "Ada" }));
    }
    let none = json!({ "user_id": "u", "attributes": { "first_name": "Ada" }, "campaign": "" });
    assert_eq!(one(&none).len(), 1);
}

#[test]
fn an_event_in_the_shape_of_the_files_is_refused_with_the_right_one() {
    let flat = json!({ "events": [{
        "event_type": "users.behaviors.CustomEvent", "id": "e1", "time": 1_789_999_000,
        "user_id": "u1", "name": "watched",
    }] });

    assert!(reason(&flat).starts_with("user_id stands in user"), "{}", reason(&flat));
}
