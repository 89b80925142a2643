//! What the page makes of a message, and what it says of one that it cannot show.

use local::pipeline::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{VICTIM, asked};
use crate::rig::{Rig, changed_campaign, options};

/// Renders a message for some user.
async fn rendered(rig: &Rig, message: &str) -> (StatusCode, Value) {
    let body = json!({ "user_id": VICTIM, "campaign": "new-episode", "message": message });
    asked(rig, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_an_end_is_stopped_and_harms_nobody() {
    let rig = Rig::start(options()).await;
    let endless = "{% for a in (1..9000) %}{% for b in (1..9000) %}{% for c in (1..9000) %}\
                   {% endfor %}{% endfor %}{% endfor %}";
    let huge = "{% for a in (1..99999999999) %}{% endfor %}";
    let growing = "{% assign a = 'x' %}".to_owned() + &"{% assign a = a | append: a %}".repeat(60);
    let long = "{% for a in (1..999999) %}0123456789{% endfor %}";
    let deep = "{% if true %}".repeat(9_000);

    for message in [endless, huge, &growing, long, &deep] {
        let (status, answer) = rendered(&rig, message).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let said = answer["complaint"].as_str().expect("is text");
        let reasons = ["too much", "too long", "more than 100 tags"];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{said}");
    }

    let too_long = "x".repeat(200_000);
    assert_eq!(rendered(&rig, &too_long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, answer) = rendered(&rig, "{{ 1 | plus: 1 }}").await;
    assert_eq!((status, &answer["rendered"]), (StatusCode::OK, &json!("2")));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_to_be_sent_says_why_and_is_no_mistake() {
    let rig = Rig::start(options()).await;
    for (message, reason) in [
        ("{% abort_message('no consent') %}", "no consent"),
        ("{% abort_message() %}", ""),
        ("<!-- subject: {% abort_message('no subject') %} -->a", "no subject"),
    ] {
        let (status, answer) = rendered(&rig, message).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({ "aborted": reason })), "{message}");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_braze_knows_can_be_said_within_bounds() {
    let rig = Rig::start(options()).await;
    let with = async |attributes: Value| {
        let message = "{{${first_name}}} {{custom_attribute.${pet}}} {{${city}}} {{${braze_id}}}";
        let body = json!({ "user_id": VICTIM, "campaign": "new-episode", "message": message,
                           "attributes": attributes });
        asked(&rig, &body).await
    };

    let attributes = json!({ "first_name": "Ada", "custom_attribute": { "pet": "cat" },
                             "braze_id": "another" });
    let (status, answer) = with(attributes).await;
    assert_eq!(
        (status, &answer["rendered"]),
        (StatusCode::OK, &json!(format!("Ada cat  {VICTIM}")))
    );
    let notes = answer["notes"].to_string();
    assert!(notes.contains("only Braze knows ${city}"), "{notes}");
    assert!(!notes.contains("first_name") && !notes.contains("pet"), "{notes}");

    assert_eq!(with(json!([1])).await.0, StatusCode::BAD_REQUEST);
    let (status, answer) = with(json!({ "a": "x".repeat(20_000) })).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer["error"]["message"], "the attributes are longer than 16384 bytes");
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_message_names_the_lines_that_its_author_sees() {
    let folder = changed_campaign(|text| text);
    let blocks = folder.path().join("new-episode/content_blocks");
    std::fs::create_dir(&blocks).expect("is created");
    std::fs::write(blocks.join("greeting.liquid"), "a\n\n{{ absent }}").expect("is written");
    std::fs::write(blocks.join("broken.liquid"), "a\n{% bad %}").expect("is written");
    let rig = Rig::start(Options { campaigns_dir: folder.path().to_owned(), ..options() }).await;

    for (message, line) in [
        ("a\r\n\r\n{% bad %}\r\n", 3),
        ("a\r\n\r\n{{ absent }}\r\n", 3),
        ("\n\n\n{% bad %}", 4),
        ("\n\n\n{{ absent }}", 4),
        ("<!-- a\n{{ gone }}\n -->\n{{ absent }}", 4),
        ("<!-- a\r\nb\r\n -->\r\n{% bad %}", 4),
        ("<!--[if mso]>\n{{ absent }}\n<![endif]-->", 2),
        ("<!-- subject: a\nb -->\n{% bad %}", 3),
        (
            "{% connected_content\nhttps://x/?user_id={{${braze_id}}} :basic_auth me\n:save r %}\n{% bad %}",
            4,
        ),
        (
            "{% connected_content\nhttps://x/?user_id={{${braze_id}}} :basic_auth me\n:save r %}\n\n{{ absent }}",
            5,
        ),
        ("{% for a in\n(1..2) %}\n{{ absent }}\n{% endfor %}", 3),
        ("{%- if true -%}\n\n\n{{- absent -}}\n{%- endif -%}", 4),
        ("{% comment %}\n\n{% endcomment %}\n{{ absent }}", 4),
        ("{% raw %}{{\n{% endraw %}\n{% bad %}", 3),
        ("\n{{content_blocks.${greeting}}}\n\n", 2),
        ("\n{{content_blocks.${greeting}}}\n\n{% bad %}", 4),
        ("\n\n{{content_blocks.${broken}}}", 3),
        ("\n\n{{ 'a' | upcse }}", 3),
    ] {
        let (_, answer) = rendered(&rig, message).await;
        let complaints = answer["complaint"].as_str().into_iter().flat_map(str::lines);
        let notes = answer["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let said: Vec<&str> = complaints.chain(notes).collect();
        // Other notes are of what no line is wrong with, or of a call without credentials.
        let mistakes = said.iter().filter(|said| {
            said.contains("line ") && !said.contains(":basic_auth") && !said.contains("credentials")
        });
        let mistakes: Vec<_> = mistakes.collect();
        assert_eq!(mistakes.len(), 1, "{message:?}: {answer}");
        assert!(mistakes[0].contains(&format!("line {line}: ")), "{message:?}: {said:?}");
    }
    rig.pipeline.stop().await;
}
