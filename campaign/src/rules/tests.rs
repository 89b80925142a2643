//! Rules of a whole campaign: what an answer breaks, what the model hears of it, and what is
//! wrong with a rule.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use crate::answer::BadAnswer;
use crate::compiled::tests::{compiled, draft, faults_of};
use crate::folder::Draft;
use crate::{CompiledCampaign, Grounds, Items, Past, Rendering, Told, config};

/// The sample with these settings above its first table, and these tables.
pub(crate) fn with(above: &str, tables: &str) -> Draft {
    let mut draft = draft();
    let file = draft.folder.join("campaign.toml");
    let text = std::fs::read_to_string(file).expect("is there");
    let text = text.replacen("[trigger]", &format!("{above}\n[trigger]"), 1) + tables;
    let (config, named, faults) = config::read(&text);
    assert_eq!(faults, [], "{text}");
    (draft.config, draft.named) = (config, named);
    draft
}

fn told(show: &str) -> Told {
    let fields = json!({ "properties": { "show": show, "season": 2, "episode": 7 } });
    let serde_json::Value::Object(fields) = fields else { panic!("is an object") };
    let serde_json::Value::Object(item) = json!({ "title": "The Wake", "price": 19.5 }) else {
        panic!("is an object")
    };
    let (id, event_type) = ("e".to_owned(), "t".to_owned());
    Told {
        prompt: format!("show {show}, season 2, episode 7"),
        event: Some(Past { id, time: 7, event_type, fields }),
        attributes: [("first_name".to_owned(), json!("Ada"))].into(),
        items: vec![Some(Arc::new(item))],
    }
}

fn answer(heading: &str) -> String {
    let details = json!({ "cta": "Watch", "intro": "It goes on.", "episodeDetails": "More." });
    json!({ "emailTitle": "New", "heading": heading, "details": details }).to_string()
}

fn check(when: &str) -> CompiledCampaign {
    let tables =
        format!("\n[[checks]]\nname = \"named\"\nwhen = '''{when}'''\nsay = \"name the show\"\n");
    compiled(with("attributes = [\"first_name\"]", &tables))
}

/// What becomes of a check: `met`, `broken` or `unapplied`.
fn fate(when: &str, heading: &str, told: &Told) -> &'static str {
    let examined = check(when).examine(&answer(heading), told);
    match (&examined.content, examined.unapplied.as_slice()) {
        (Ok(_), []) => "met",
        (Ok(_), [name]) if name == "named" => "unapplied",
        (Err(BadAnswer::AgainstRules(_)), []) => "broken",
        other => panic!("{when}: {other:?}"),
    }
}

#[test]
fn a_check_looks_at_the_answer_and_at_what_the_model_was_told() {
    let told = told("Signal 9");
    for (when, heading, expected) in [
        ("answer.heading.contains(event.properties.show)", "More of Signal 9", "met"),
        ("answer.heading.contains(event.properties.show)", "More", "broken"),
        ("answer.heading.contains(items[0].title)", "See The Wake", "met"),
        ("items.exists(i, answer.heading.contains(i.title))", "More", "broken"),
        ("!answer.heading.contains(attributes.first_name)", "Hi Ada", "broken"),
        ("size(answer.heading) < 10 && size(answer.details.intro) < 100", "Short", "met"),
        ("event.time < 8 && event.type == \"t\" || answer.heading == \"\"", "a", "met"),
        // What is missing beside the answer, or does not fit, is nothing that it could mend.
        ("answer.heading.contains(event.properties.language)", "More", "unapplied"),
        ("answer.heading.contains(items[1].title)", "More", "unapplied"),
        ("answer.heading.contains(items[0].subtitle)", "More", "unapplied"),
        ("items.all(i, answer.heading.contains(i.subtitle))", "More", "unapplied"),
        ("answer.heading.contains(items[0].price)", "More", "unapplied"),
        (
            "!has(event.properties.language) || answer.heading == event.properties.language",
            "a",
            "met",
        ),
    ] {
        assert_eq!(fate(when, heading, &told), expected, "{when}");
    }
}

#[test]
fn a_place_of_an_item_that_is_in_no_catalog_is_nobody_elses() {
    let mut told = told("Signal 9");
    told.items.insert(0, None);
    for (when, heading, expected) in [
        ("answer.heading.contains(items[1].title)", "See The Wake", "met"),
        ("answer.heading.contains(items[1].title)", "More", "broken"),
        ("answer.heading.contains(items[0].title)", "See The Wake", "unapplied"),
        ("!has(items[0].title) || answer.heading == items[0].title", "More", "unapplied"),
        // What goes over the items goes over those that are there.
        ("items.exists(i, answer.heading.contains(i.title))", "See The Wake", "met"),
        ("items.all(i, answer.heading.contains(i.title))", "More", "broken"),
        ("size(items) == 1 && answer.heading != \"\"", "More", "met"),
    ] {
        assert_eq!(fate(when, heading, &told), expected, "{when}");
    }
}

#[test]
fn what_a_check_looks_at_of_the_answer_must_be_there() {
    let mut draft =
        with("", "\n[[checks]]\nwhen = 'size(answer.note) > 1'\nsay = \"add a note\"\n");
    let schema = draft.answer_schema.as_mut().expect("is there");
    schema["properties"]["note"] = json!({ "type": "string", "maxLength": 9 });

    let error = compiled(draft).accept(&answer("a"), &told("b")).expect_err("has none");

    assert_eq!(error.to_string(), "answer breaks rules of its campaign: check-1");
    assert_eq!(error.complaint(), "add a note");
}

#[test]
fn a_name_in_quotes_is_met_as_the_prompt_shows_it_too() {
    let when = "answer.heading.contains(event.properties.show)";
    let told = told("The \"Real\" <One>");

    assert_eq!(fate(when, "More of The \"Real\" <One>", &told), "met");
    assert_eq!(fate(when, "More of The ”Real” ‹One›", &told), "met");
    assert_eq!(fate(when, "More of The Real One", &told), "broken");
}

#[test]
fn the_model_hears_what_it_broke_and_a_log_hears_its_name_and_place() {
    let above = "forbidden = [\"cheap\"]\ngrounded = [\"details.episodeDetails\", \"heading\"]";
    let tables = "\n[[checks]]\nname = \"named\"\nwhen = 'answer.heading.contains(event.properties.show)'\nsay = \"name the show\"\n";
    let campaign = compiled(with(above, tables));

    let error = campaign.accept(&answer("Cheap at evil.com, says Zorro"), &told("Signal 9"));

    let error = error.expect_err("breaks all");
    assert_eq!(
        error.to_string(),
        "answer breaks rules of its campaign: named, forbidden at \"/heading\", links at \"/heading\", grounded at \"/heading\""
    );
    assert_eq!(
        error.complaint(),
        "name the show; do not write \"cheap\"; write no link, no web address and no mail address, such as \"evil.com\"; say only what you were told at \"/heading\": you were told nothing of \"Zorro\""
    );
    assert_eq!(error.rules(), ["forbidden", "grounded", "links", "named"]);
    assert!(campaign.accept(&answer("More of Signal 9"), &told("Signal 9")).is_ok());
}

#[test]
fn no_text_of_an_answer_holds_a_link_unless_the_campaign_allows_it() {
    let both = answer("See https://shop.example.com/sale &#119;&#119;&#119;&#46;evil.example");

    let none = compiled(draft()).accept(&both, &told("a"));
    let links = compiled(with("links = [\"https://shop.example.com/\"]", ""));
    let only = links.accept(&both, &told("a"));

    assert_eq!(none.expect_err("has links").rules(), ["links"]);
    assert_eq!(only.expect_err("has another").rules(), ["links"]);
    assert!(links.accept(&answer("At https://shop.example.com/sale."), &told("a")).is_ok());
}

#[test]
fn what_checks_look_at_is_part_of_the_hash_and_nothing_else_is() {
    let campaign = check(
        "answer.heading.contains(event.properties.show) || items.exists(i, i.title == answer.heading)",
    );
    let hash = |change: fn(&mut Told)| {
        let mut told = told("Signal 9");
        change(&mut told);
        campaign.hash_of(&told)
    };
    let same = hash(|_| {});

    assert_eq!(same, hash(|_| {}));
    // Nothing looks at them.
    assert_eq!(same, hash(|told| told.attributes.clear()));
    assert_eq!(same, hash(|told| told.event.as_mut().expect("is there").time = 8));
    // A field that is looked at, and a root that is as a whole.
    let another_show = hash(|told| {
        let event = told.event.as_mut().expect("is there");
        event.fields["properties"]["show"] = "Another".into();
    });
    assert_ne!(same, another_show);
    assert_ne!(same, hash(|told| told.items.clear()));

    let without = compiled(draft());
    let no_event = Told { event: None, ..told("a") };
    assert_eq!(without.hash_of(&told("a")), without.hash_of(&no_event));
    assert_eq!(without.hash_of(&told("a")), without.prompt_hash(&told("a").prompt));
}

#[test]
fn what_is_wrong_with_a_rule_is_told_with_its_line_and_what_was_meant() {
    let wrong = |above: &str, tables: &str| faults_of(with(above, tables)).join("\n");
    for (when, expected) in [
        (
            "answer.headng == event.id",
            "answer.headng: \"headng\" is no property in answer.schema.json: did you mean heading?",
        ),
        (
            "answer.details.itro == \"\"",
            "\"itro\" is no property in answer.schema.json: did you mean intro?",
        ),
        ("answer.heading[0] == \"\"", "answer.heading[0] looks into what is no list"),
        (
            "answer.heading == event.properties.shw",
            "\"properties.shw\" is not among fields: did you mean properties.show?",
        ),
        ("answer.heading == event.user_id", "\"user_id\" is not among fields"),
        (
            "answer.heading == attributes.first_name",
            "\"first_name\" is not among attributes: add it there",
        ),
        ("answer.heading == items.title", "items.title: items is a list: write items[0].title"),
        ("anwser.heading == \"\"", "unknown name \"anwser\": did you mean answer?"),
        (
            "heading == \"\"",
            "unknown name \"heading\": begin with one of answer, event, attributes, items, such as answer.heading",
        ),
        (
            "answer.heading.matches(\"a\")",
            "unknown function \"matches\": there are no regular expressions",
        ),
        ("event.properties.season > 1", "looks at no part of the answer"),
        ("size(answer.heading)", "size() alone is neither true nor false"),
        ("answer.heading = \"\"", "= compares nothing: write =="),
    ] {
        let told = wrong("", &format!("\n[[checks]]\nwhen = '{when}'\nsay = \"a\"\n"));
        assert!(told.contains(expected), "{when}: {told}");
        assert!(told.contains("campaign.toml:30: checks: when"), "{told}");
    }
    let told = wrong("grounded = [\"details.intr\"]", "");
    let expected = "campaign.toml:20: grounded: \"details.intr\" is not in answer.schema.json: did you mean intro?";
    assert!(told.ends_with(expected), "{told}");
}

/// What is wrong with a check of an answer with all kinds of values.
fn misfit(when: &str) -> String {
    let mut draft = with("", &format!("\n[[checks]]\nwhen = '''{when}'''\nsay = \"a\"\n"));
    let schema = draft.answer_schema.as_mut().expect("is there");
    for (name, of) in [
        ("price", json!({ "type": "number" })),
        ("isNew", json!({ "type": "boolean" })),
        ("maybe", json!({ "type": ["string", "null"], "maxLength": 9 })),
        (
            "either",
            json!({ "anyOf": [{ "type": "string", "maxLength": 9 }, { "type": "boolean" }] }),
        ),
        ("level", json!({ "enum": ["low", "high"] })),
        (
            "tags",
            json!({ "type": "array", "maxItems": 2, "items": { "type": "string", "maxLength": 9 } }),
        ),
    ] {
        schema["properties"][name] = of;
    }
    let told = faults_of(draft);
    told.iter().filter_map(|told| told.split_once("checks: when: ")).map(|(_, why)| why).collect()
}

#[test]
fn a_check_that_can_never_be_true_or_false_is_refused_where_the_schema_decides_it() {
    for (when, expected) in [
        (
            "answer.heading",
            "answer.heading is a text and never true or false: compare it with something",
        ),
        ("answer.details", "answer.details is an object and never true or false"),
        ("answer.price != 0.0 && answer.tags", "answer.tags is a list and never true or false"),
        ("answer.maybe || answer.isNew", "answer.maybe is null or a text and never true"),
        ("answer.isNew ? answer.price : true", "answer.price is a number and never true"),
        ("answer.isNew || event.time", "event.time is a number and never true"),
        (
            "answer.emailTitle > 5",
            "answer.emailTitle is a text and 5 is a number, which have no order (size(...) is",
        ),
        (
            "answer.price == \"7\"",
            "answer.price is a number and \"7\" is a text, which are never equal",
        ),
        (
            "answer.tags[0] == 7",
            "answer.tags[0] is a text and 7 is a number, which are never equal",
        ),
        (
            "answer.tags > answer.tags",
            "answer.tags is a list and answer.tags is a list, which have no order",
        ),
        ("answer.level == 3", "answer.level is a text and 3 is a number"),
        ("size(answer.heading) == \"7\"", "size() is a number and \"7\" is a text"),
        (
            "\"a\" in answer.heading",
            "answer.heading is a text, and nothing is in it: write answer.heading.contains(\"a\")",
        ),
        (
            "answer.price.contains(\"7\")",
            "answer.price is a number, of which there is no contains()",
        ),
        ("size(answer.price) > 1", "answer.price is a number, of which there is no size()"),
        ("answer.heading.startsWith(7)", "7 is a number, and startsWith() of a text takes a text"),
        (
            "!(answer.heading.contains(answer.price))",
            "answer.price is a number, and contains() of a",
        ),
    ] {
        let told = misfit(when);
        assert!(told.starts_with(expected), "{when}: {told}");
    }
    for when in [
        "answer.isNew && answer.either",
        "answer.price > 5 && answer.price < 7.5",
        "answer.maybe == null || answer.maybe == \"a\"",
        "answer.heading != null",
        "has(answer.price) && answer.details.cta < \"b\"",
        "\"a\" in answer.tags && answer.tags.contains(\"b\") && answer.heading.contains(string(answer.price))",
        "answer.heading in [\"a\", event.properties.show] && size(answer.tags) < 3",
        "answer.tags.all(each, size(each) < 7 && each != \"\")",
        "answer.heading == event.properties.show || answer.price > event.properties.season",
        "(answer.isNew ? answer.price : 7) > 3 && answer.level == \"low\"",
        "answer.either == true || answer.either == \"a\" || event.type == \"t\"",
        "answer.price + 1.0 > 2.0 && answer.heading + \"a\" != \"b\"",
        "type(answer.price) == double",
    ] {
        assert_eq!(misfit(when), "", "{when}");
    }
}

#[test]
fn what_is_taken_over_is_no_part_of_an_answer_and_is_passed_on_by_the_brief() {
    let fields = "\n[fields_from]\nemailTitle = \"event.properties.show\"\n";
    let campaign = compiled(with("", fields));
    let past = told("Tom & Jerry's").event.expect("is there");
    let rendered = |past: &Past| {
        let (attributes, items) = (Default::default(), Items::default());
        let events = [past.clone()];
        let grounds = Grounds { events: &events, attributes: &attributes, items: &items };
        campaign.brief(&grounds).expect("renders")
    };

    let Rendering::Asks(brief) = rendered(&past) else { panic!("asks") };
    let data = campaign.accept(&answer("a"), &brief.told).expect("needs no title");
    assert!(!data.contains_key("emailTitle"));
    assert!(campaign.asked_schema()["properties"]["emailTitle"].is_null());
    assert!(!campaign.travelling_schema.to_string().contains("emailTitle"));
    assert_eq!(campaign.content(data, &brief.passed)["emailTitle"], "Tom & Jerry's");

    let mut long = past.clone();
    long.fields["properties"]["show"] = "x".repeat(121).into();
    let lacks = crate::Lack::Parts(vec!["event.properties.show".to_owned()]);
    assert_eq!(rendered(&long), Rendering::Lacks(lacks));

    let looks = "\n[[checks]]\nwhen = 'answer.emailTitle == \"\"'\nsay = \"a\"\n";
    let told = faults_of(with("", &(fields.to_owned() + looks))).join("\n");
    let expected =
        "answer.emailTitle is taken over and no part of the answer: write event.properties.show";
    assert!(told.contains(expected), "{told}");
}

proptest! {
    #[test]
    fn any_text_is_looked_at_without_harm(text in "(\\PC|[.:/@\"“„']|https://|www\\.|\\.com|[0-9]){0,40}", prompt in "\\PC{0,40}") {
        let above = "forbidden = [\"cheap\"]\nlinks = [\"https://a.example/\"]\ngrounded = [\"heading\"]";
        let campaign = RULED.get_or_init(|| compiled(with(above, "")));

        let first = campaign.accept(&answer(&text), &Told::prompt(prompt.as_str()));

        // What a text says is always grounded in itself, and only links and words are left.
        let own = campaign.accept(&answer(&text), &Told::prompt(text.as_str()));
        if let Err(error @ BadAnswer::AgainstRules(_)) = &own {
            prop_assert!(!error.rules().contains(&"grounded"), "{}", error.complaint());
        }
        prop_assert!(first.is_err() || own.is_ok());
    }

    #[test]
    fn a_number_that_is_in_no_prompt_is_in_no_grounded_text(told in 1000_u32..9_999_999, said in 1000_u32..9_999_999) {
        let campaign = GROUNDED.get_or_init(|| compiled(with("grounded = [\"heading\"]", "")));
        let grouped = |sign: &str| {
            let digits = said.to_string();
            let groups = digits.as_bytes().rchunks(3).rev();
            let groups = groups.map(|group| String::from_utf8_lossy(group).into_owned());
            groups.collect::<Vec<_>>().join(sign)
        };
        for written in [said.to_string(), grouped(","), grouped("."), grouped("\u{202f}"), grouped("'")] {
            let text = answer(&format!("it is {written} now"));
            let told_of = |number: u32| {
                campaign.accept(&text, &Told::prompt(format!("count {number}"))).is_ok()
            };
            prop_assert!(told_of(said));
            prop_assert_eq!(told_of(told), told == said, "{}", written);
        }
    }
}

/// Campaigns that are compiled once for many texts.
static RULED: std::sync::OnceLock<CompiledCampaign> = std::sync::OnceLock::new();
static GROUNDED: std::sync::OnceLock<CompiledCampaign> = std::sync::OnceLock::new();
