mod limits;
mod schemas;
mod wild;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

fn prompt(show: &str, episode: u32) -> String {
    format!(
        "<events>\n- watched: show \"Old\", season 1, episode 1\n\
         - watched: show \"{show}\", season 2, episode {episode}, language en\n</events>\n\n\
         The viewer has just watched this episode.\n\
         Write: emailTitle (subject line), heading, details.cta (button)."
    )
}

fn sample_schema() -> Value {
    serde_json::from_str(include_str!("../../tests/campaigns/new-episode/answer.schema.json"))
        .expect("is JSON")
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// An object that holds one property.
fn holding(property: Value) -> Value {
    json!({ "type": "object", "additionalProperties": false, "required": ["a"],
            "properties": { "a": property } })
}

fn written(property: Value) -> Result<Value, Limit> {
    answer(&holding(property), &prompt("Harbour Lights", 7)).map(|answer| answer["a"].clone())
}

#[test]
fn every_text_says_what_it_is_and_speaks_of_the_users_last_event_in_its_own_words() {
    let answer = answer(&sample_schema(), &prompt("Harbour Lights", 7)).expect("can be made");

    let texts = texts(&answer);
    assert_eq!(texts.len(), 5);
    for text in &texts {
        assert!(text.starts_with(MARK), "{text}");
        assert!(text.contains("Harbour Lights"), "{text}");
        assert!(!text.contains("Old") && !text.contains("subject line"), "{text}");
        assert!(text.chars().count() <= 160, "{text}");
    }
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 5, "{texts:?}");
    assert!(answer["details"]["cta"].as_str().is_some_and(|cta| cta.chars().count() <= 48));
}

#[test]
fn a_field_for_a_description_holds_what_the_prompt_describes() {
    let described = "A safe washes up with the tide, locked from the inside.";
    let prompt = format!(
        "<events>\n- watched: show \"Lichter\"\n</events>\n<episode>\nsynopsis: {described}\n</episode>"
    );

    let answer = answer(&sample_schema(), &prompt).expect("can be made");

    assert_eq!(answer["details"]["episodeDetails"], format!("[stand-in] {described}"));
    assert!(answer["heading"].as_str().is_some_and(|heading| heading.contains("Lichter")));
}

#[test]
fn the_same_prompt_gets_the_same_answer_and_every_other_user_another() {
    let schema = sample_schema();
    let of = |show: &str, episode| answer(&schema, &prompt(show, episode)).expect("can be made");
    assert_eq!(of("Harbour Lights", 7), of("Harbour Lights", 7));

    let shows =
        ["Harbour Lights", "Über den Dächern", "أضواء الميناء", "👩\u{200d}🚀 Mission", "夜の港"];
    let users = shows.iter().flat_map(|show| (1..40).map(move |episode| (show, episode)));
    let answers: BTreeSet<String> =
        users.map(|(show, episode)| of(show, episode).to_string()).collect();

    assert_eq!(answers.len(), 5 * 39);
}

#[test]
fn words_of_any_script_are_taken_up_and_never_broken() {
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    for show in ["أضواء الميناء البعيد", "夜の港の灯り", "Ü\u{308}bergänge", family, "🇩🇪🇫🇷🇪🇸"]
    {
        for most in [3, 5, 9, 14, 20, 30, 60] {
            let schema = holding(json!({ "type": "string", "maxLength": most }));
            let answer = answer(&schema, &prompt(show, 7)).expect("can be made");
            let text = answer["a"].as_str().expect("is a text");

            assert!(text.starts_with(MARK) || text.starts_with(SHORT_MARK), "{text}");
            let joint = text.trim_end_matches([')', '.']).chars().last();
            assert!(joint != Some('\u{200d}') && joint != Some('🇩'), "{text}");
            assert!(most < 60 || text.contains(show), "{text}");
        }
    }
}

#[test]
fn the_mark_is_as_long_as_there_is_room() {
    let of =
        |most: usize| written(json!({ "type": "string", "maxLength": most })).expect("can be made");
    let starts = |most, mark: &str| of(most).as_str().is_some_and(|text| text.starts_with(mark));

    assert!(starts(16, MARK) && starts(64_000, MARK));
    assert!(starts(15, SHORT_MARK) && starts(3, SHORT_MARK));
    assert!(starts(1, TINY_MARK));
    assert!(of(64_000).as_str().is_some_and(|text| text.chars().count() <= 160));
}

#[test]
fn a_pattern_keeps_its_form_and_takes_up_words_where_it_can() {
    let of = |pattern: &str| {
        let text = written(json!({ "type": "string", "maxLength": 40, "pattern": pattern }));
        text.unwrap_or_else(|limit| panic!("{limit}")).as_str().unwrap_or_default().to_owned()
    };

    assert!(of(r"^[^!?]{5,}$").starts_with(MARK));
    assert!(of(r"^[\w\s:,()-]+$").starts_with("Stand-in"));
    assert!(of(r"[.!?]$").starts_with(MARK));
    assert!(of(r"^Hi .+").starts_with("Hi [stand-in]"));
    assert!(of(r"^[a-z0-9-]+$").starts_with("stand-in-harbour"));
    assert!(of(r"\d{2}%").starts_with(MARK));
    assert_eq!(of(r"^[A-Z]{3}-\d{4}$").len(), 8);
    assert!(of(r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[a-zA-Z0-9]{8}$").len() == 8);
}

#[test]
fn what_no_schema_says_on_its_way_is_learnt_from_a_complaint() {
    let corrected = |property: Value, complaint: &str| {
        let answer = answer_corrected(&holding(property), &prompt("Harbour Lights", 7), complaint);
        answer.expect("can be made")["a"].clone()
    };
    let list = || json!({ "type": "array", "items": { "type": "string" } });
    let items = |complaint| corrected(list(), complaint).as_array().map(Vec::len);
    let chars = |complaint| {
        let text = corrected(json!({ "type": "string" }), complaint);
        text.as_str().map(|text| text.chars().count())
    };

    assert_eq!((items(""), items("wrong: minItems at \"/a\"")), (Some(1), Some(3)));
    assert_eq!(items("wrong: minItems at \"/a\" (has 1 item, wants 2 to 4)"), Some(2));
    assert!((21..=60).contains(&chars("").expect("is a text")));
    assert!(chars("wrong: maxLength at \"/a\"").is_some_and(|chars| chars <= 20));
    assert!(
        chars("maxLength at \"/a\" (has 60, wants at most 33)")
            .is_some_and(|n| (20..=33).contains(&n))
    );
    let number = corrected(json!({ "type": "integer" }), "minimum at \"/a\": wants at least 40");
    assert!(number.as_i64() >= Some(40), "{number}");
}

#[test]
fn a_schema_that_is_read_once_answers_as_one_that_is_read_each_time() {
    let stand_in = StandIn::new(&sample_schema()).expect("is a schema");
    for episode in 0..3 {
        let prompt = prompt("Harbour Lights", episode);
        assert_eq!(stand_in.answer(&prompt), answer(&sample_schema(), &prompt));
        let corrected = stand_in.answer_corrected(&prompt, "maxLength at \"/heading\"");
        let heading = corrected.expect("can be made")["heading"].to_string();
        assert!(heading.contains(MARK) && heading.chars().count() <= 22, "{heading}");
    }
    let error = StandIn::new(&json!({ "type": "text" })).expect_err("is no schema");
    assert!(error.to_string().starts_with("the stand-in cannot read the schema"), "{error}");
}

#[test]
fn numbers_are_the_users_own_in_turn_where_they_fit() {
    let rank = json!({ "type": "integer", "minimum": 2, "maximum": 9 });
    let list = json!({ "type": "array", "items": rank, "minItems": 3, "maxItems": 3 });

    assert_eq!(written(list).expect("can be made"), json!([2, 7, 2]));
}
