use super::markup::is_markup;
use crate::compiled::tests::{compiled, draft};
use crate::config::{Expression, LanguageOf, Lined, Replace};
use crate::folder::Draft;

fn warnings_of(change: impl FnOnce(&mut Draft)) -> String {
    let mut draft = draft();
    change(&mut draft);
    let warnings = compiled(draft).warnings;
    warnings.iter().map(|each| format!("{each}\n")).collect()
}

#[test]
fn the_sample_campaign_needs_no_look() {
    assert_eq!(warnings_of(|_| {}), "");
}

#[test]
fn a_keyword_that_no_model_hears_of_is_told() {
    let said = warnings_of(|draft| {
        let schema = draft.answer_schema.as_mut().expect("is there");
        schema["properties"]["heading"]["pattern"] = "^[A-Z]".into();
        schema["properties"]["emailTitle"]["contentMediaType"] = "text/markdown".into();
    });

    assert!(said.contains("pattern at \"/properties/heading\""), "{said}");
    assert!(said.contains("contentMediaType at \"/properties/emailTitle\""), "{said}");
}

#[test]
fn answers_that_no_slow_model_ends_in_time_are_told() {
    let said = warnings_of(|draft| {
        draft.config.as_mut().expect("is there").max_tokens = 10_000;
    });

    assert!(said.contains("530 s, and a call is given 240 s"), "{said}");
}

#[test]
fn settings_that_are_seldom_meant_are_told() {
    let said = warnings_of(|draft| {
        let config = draft.config.as_mut().expect("is there");
        config.model_id = "claude-haiku".to_owned();
        let price = config.price.as_mut().expect("is there");
        price.usd_per_million_output_tokens = 0.005;
        draft.named.when.as_mut().expect("is there").text = "event.properties.first".into();
    });

    assert!(said.contains("names no provider"), "{said}");
    assert!(said.contains("is it the price of a thousand?"), "{said}");
    assert!(said.contains("event.properties.first by itself is met only"), "{said}");
}

#[test]
fn a_prompt_that_tells_the_minute_is_told_with_what_that_costs() {
    let said = warnings_of(|draft| {
        let prompt = draft.prompt.as_mut().expect("is there");
        prompt.push_str("{{ last.time | date: \"%F %R\" }}");
    });

    assert!(said.contains("more exactly than the day"), "{said}");
    assert!(said.contains("up to $"), "{said}");
    let day = warnings_of(|draft| {
        let prompt = draft.prompt.as_mut().expect("is there");
        prompt.push_str("{{ last.time | date: \"%A\" }}");
    });
    assert_eq!(day, "");
}

#[test]
fn markup_in_fallback_content_is_told_with_its_line() {
    let said = warnings_of(|draft| {
        let (text, fallback) = draft.fallback.as_mut().expect("is there");
        *text = text.replace("Watch now", "<b>Watch</b> &amp; go");
        *fallback = serde_json::from_str(text).expect("is JSON");
    });

    assert!(said.contains("fallback.json:5: holds markup"), "{said}");
    for plain in ["Q&A; more", "1 < 2", "a<3", "R&D", "{a}"] {
        assert!(!is_markup(plain), "{plain}");
    }
}

#[test]
fn rules_that_no_model_hears_of_are_told_in_one_sentence_unless_the_prompt_says_them() {
    let with = |prompt: &str| {
        warnings_of(|draft| {
            let schema = draft.answer_schema.as_mut().expect("is there");
            let number = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 12 });
            schema["properties"]["lead"] = number.clone();
            schema["properties"]["tail"] = number;
            schema["properties"]["heading"]["pattern"] = "^[A-Z]".into();
            schema["properties"]["heading"]["x-order"] = 1.into();
            draft.prompt.as_mut().expect("is there").push_str(prompt);
        })
    };

    assert_eq!(with("").lines().collect::<Vec<_>>().len(), 1, "{}", with(""));
    assert!(with("").contains(
        "of pattern at \"/properties/heading\"; maximum and minimum at \"/properties/lead\", \
         \"/properties/tail\": only the answer is checked"
    ));
    let said = with("\nlead: a number from 1 to 12\ntail: from 1\nheading: ^[A-Z]");
    assert!(
        said.contains("pattern at \"/properties/heading\"; maximum at \"/properties/tail\": only"),
        "{said}"
    );
    assert!(!said.contains("minimum"), "{said}");
}

#[test]
fn a_format_that_nobody_checks_is_told_with_its_line() {
    let said = warnings_of(|draft| {
        let schema = draft.answer_schema.as_mut().expect("is there");
        schema["properties"]["heading"]["format"] = "slogan".into();
    });

    assert!(said.contains("the format slogan is not checked"), "{said}");
    assert!(!said.contains("not told"), "{said}");
}

#[test]
fn a_prompt_that_shows_no_event_is_told_and_one_that_says_nothing_is_a_fault() {
    let with = |text: &str| warnings_of(|draft| draft.prompt = Some(text.to_owned()));
    let same = "every user gets the same text";

    assert!(with("Write a nice e-mail.").contains(same));
    assert!(with("{% assign last = events | last %}Write.").contains(same));
    for shows in [
        "{{ events.last.properties.show }}",
        "{% if events.last.properties.season > 1 %}a{% else %}b{% endif %}",
        "{% for e in events %}{% for x in e.properties.show %}a{% endfor %}{% endfor %}",
        "{{ events | map: \"type\" | join: \", \" }}",
        "{{ events.last.time | date: \"%A\" }}",
        "{% assign n = events | size %}{{ n }}",
    ] {
        assert!(!with(shows).contains(same), "{shows}: {}", with(shows));
    }
    for nothing in ["", " \n", "{% comment %}later{% endcomment %}", "{% assign a = 1 %}"] {
        let mut draft = draft();
        draft.prompt = Some(nothing.to_owned());
        let faults = crate::compiled::tests::faults_of(draft);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("/new-episode/prompt.liquid:1: says nothing"), "{faults:?}");
    }
}

#[test]
fn a_field_of_the_condition_that_is_a_slip_of_one_of_the_fields_is_told() {
    let with = |when: &str| {
        warnings_of(|draft| draft.named.when.as_mut().expect("is there").text = when.to_owned())
    };

    let said = with("event.name == 'a' && event.properties.sesaon > 1");
    assert!(
        said.contains(
            "event.properties.sesaon is not among fields: did you mean event.properties.season?"
        ),
        "{said}"
    );
    assert!(said.contains("campaign.toml:22: condition: "), "{said}");
    for right in [
        "event.properties.season > 1",
        "event.properties.seasons_seen > 1",
        "event.properties.genre == 'drama'",
        "has(event.properties.show)",
        "event.name == 'season'",
    ] {
        assert_eq!(with(right), "", "{right}");
    }
    assert!(with("event.properties.season > '1'").contains("write 1 to compare numbers"));
}

#[test]
fn an_answer_that_cannot_be_as_long_as_the_fallback_content_is_told() {
    let with = |max_tokens: u32| {
        warnings_of(|draft| draft.config.as_mut().expect("is there").max_tokens = max_tokens)
    };

    let said = with(40);
    assert!(said.contains("max_tokens = 40 is too few for an answer as long as"), "{said}");
    assert!(said.contains("which is about 6"), "{said}");
    assert_eq!(with(100), "");
}

#[test]
fn a_call_that_gets_the_longest_time_is_told_to_write_less_and_no_other() {
    let with = |max_tokens: u32, secs: Option<u32>| {
        warnings_of(|draft| {
            let config = draft.config.as_mut().expect("is there");
            (config.max_tokens, config.timeout_secs) = (max_tokens, secs);
        })
    };

    assert!(with(10_000, None).contains("lower max_tokens, of which 4200 fit"));
    assert!(with(10_000, Some(240)).contains("lower max_tokens, of which 4200 fit"));
    assert!(with(1_000, Some(20)).contains("lower max_tokens or raise timeout_seconds"));
    assert_eq!(with(4_200, None), "");
}

#[test]
fn a_number_in_a_path_is_told_to_be_a_name() {
    let said = warnings_of(|draft| {
        let config = draft.config.as_mut().expect("is there");
        config.fields.insert("properties.items.0.sku".to_owned());
    });

    assert!(said.contains("looks for a property called 0, and no list has one"), "{said}");
}

#[test]
fn a_price_that_no_model_has_is_told_with_what_was_meant() {
    let with = |model: &str, input: f64, output: f64| {
        warnings_of(|draft| {
            let config = draft.config.as_mut().expect("is there");
            config.model_id = model.to_owned();
            config.price = Some(crate::Price {
                usd_per_million_input_tokens: input,
                usd_per_million_output_tokens: output,
            });
        })
    };
    let (claude, nova) = ("us.anthropic.claude", "us.amazon.nova");

    for (model, input, output, expected) in [
        (claude, 0.001, 0.005, "the price of a thousand? write $5 for a million"),
        (claude, 0.015, 0.075, "the price of a thousand? write $75 for a million"),
        (nova, 0.000_06, 0.000_24, "the price of a thousand? write $0.24 for a million"),
        (claude, 0.000_001, 0.000_005, "the price of one? write $5 for a million"),
        (claude, 100.0, 500.0, "is it in cents? write $5 for a million"),
        (nova, 100.0, 500.0, "is it in cents? write $5 for a million"),
        (claude, 5.0, 1.0, "are the two exchanged?"),
        (claude, 0.0, 5.0, "makes every call free"),
    ] {
        let said = with(model, input, output);
        assert!(said.contains(expected), "{model} {output}: {said}");
    }
    for (model, input, output) in
        [(claude, 1.0, 5.0), (claude, 15.0, 75.0), (nova, 0.035, 0.14), (nova, 0.1, 0.1)]
    {
        assert_eq!(with(model, input, output), "", "{model} {output}");
    }
}

/// A condition as `campaign.toml` says it.
fn says(text: &str) -> Option<Expression> {
    Some(Expression { text: text.to_owned(), line: 3 })
}

/// What is said of a campaign with these conditions.
fn said_of(when: &str, unless: &str, retract_when: &str) -> String {
    warnings_of(|draft| {
        let config = draft.config.as_mut().expect("is there");
        (config.trigger.when, config.trigger.unless) = (says(when), says(unless));
        config.retract_when = says(retract_when);
        draft.named.when = config.trigger.when.clone();
        draft.named.unless = config.trigger.unless.clone();
        draft.named.retract_when = config.retract_when.clone();
    })
}

#[test]
fn what_ends_or_retracts_and_can_be_met_by_any_event_is_told() {
    let purchase = "event.type == 'users.behaviors.Purchase'";
    let when = "event.name == 'episode_watched'";
    assert_eq!(said_of(when, purchase, purchase), "");

    // To exclude one type lets every other in: mails that are sent, pushes that are opened.
    let said = said_of(when, "event.type != 'users.behaviors.CustomEvent'", purchase);
    assert!(said.contains("campaign.toml:3: unless: names no event type"), "{said}");
    let said = said_of(when, purchase, "event.name == 'checkout'");
    assert!(said.contains("campaign.toml:3: retract_when: names no event type"), "{said}");
    let said = said_of(when, purchase, &format!("{purchase} && event.price > '20'"));
    assert!(said.contains("retract_when: event.price > \"20\" compares texts"), "{said}");
}

#[test]
fn a_trigger_whose_condition_is_of_another_event_type_is_told() {
    let purchase = "event.type == 'users.behaviors.Purchase'";

    let uninstall = "event.type == 'users.behaviors.Uninstall'";
    let said = said_of(purchase, uninstall, uninstall);

    assert!(said.contains("is never met, as users.behaviors.Purchase is not among"), "{said}");
}

#[test]
fn events_that_wait_for_months_are_told() {
    let said = warnings_of(|draft| {
        let config = draft.config.as_mut().expect("is there");
        (config.cooldown_hours, config.replace) = (720, Replace::Newest);
    });

    assert!(said.contains("cooldown_hours = 720") && said.contains("from 336 hours on"), "{said}");
}

#[test]
fn a_link_that_the_model_is_asked_for_and_may_not_write_is_told() {
    let asked = |draft: &mut Draft| {
        let schema = draft.answer_schema.as_mut().expect("is there");
        schema["properties"]["heading"]["format"] = "uri".into();
        let (_, fallback) = draft.fallback.as_mut().expect("is there");
        fallback["heading"] = "https://example.com/".into();
    };

    let said = warnings_of(asked);
    assert!(
        said.contains("answer.schema.json:9: the model is asked for a text of the format uri"),
        "{said}"
    );
    assert!(said.contains("take it over by [fields_from]") && said.contains("links = ["), "{said}");

    let allowed = warnings_of(|draft| {
        asked(draft);
        let (text, line) = ("https://example.com/".to_owned(), 1);
        draft.named.rules.links = vec![Lined { text, line }];
        draft.config.as_mut().expect("is there").rules = draft.named.rules.clone();
    });
    assert_eq!(allowed, "");
}

#[test]
fn a_language_that_no_fallback_content_has_is_told() {
    let said = warnings_of(|draft| {
        let language = LanguageOf::Attribute("language".to_owned());
        draft.config.as_mut().expect("is there").fallback_language = Some(language);
    });

    assert!(said.contains("there is fallback.json alone"), "{said}");
}
