//! What documents give to copy.

use dialect::{ATTRIBUTES, Limits, Scene, Template, json};
use serde_json::{Value, json};

/// The text between a document's marks.
fn copied(document: &str, mark: &str) -> String {
    let (_, rest) = document.split_once(&format!("<!-- {mark} -->")).expect("has the mark");
    let (inside, _) = rest.split_once(&format!("<!-- /{mark} -->")).expect("has its end");
    inside.replace("```liquid", "").replace("```", "")
}

#[test]
fn the_body_of_a_webhook_is_json_whatever_its_user_is_called() {
    let body = copied(include_str!("../../../docs/webhooks.md"), "body");
    let template = Template::parse(&body).expect("is a template");

    for name in [
        "Ada",
        "",
        "O'Hara \"Bob\"",
        "a\\b",
        "line\nbreak\ttab",
        "</script>{{x}}",
        "é 👩\u{200d}🚀",
    ] {
        let own =
            json!({ "braze_id": "5f1a2b3c4d5e6f7a8b9c0d1e", "first_name": name, "language": "de" });
        let custom = json!({ "favourite_genre": name, "favourite_show": name });
        let given = [(ATTRIBUTES, own), ("custom_attribute", custom)];
        let given = given.map(|(group, values)| (group.into(), json::value(&values)));
        let scene = Scene {
            given: &given.into_iter().collect(),
            now: Some(0),
            limits: Limits::MESSAGE,
            calls: None,
            catalogs: None,
            known_groups: &[],
            inert: None,
        };
        let rendered = template.render(&scene).expect("renders");

        let message: Value =
            serde_json::from_str(&rendered).unwrap_or_else(|error| panic!("{error}: {rendered}"));
        assert_eq!(message["attributes"]["first_name"], name);
        assert_eq!(message["properties"]["show"], name);
    }
}
