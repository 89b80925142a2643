//! Campaigns that compile, what is wrong with others, and what is decided of events.

use std::path::PathBuf;

use contract::catalog::ItemKey;
use serde_json::json;

use super::*;
use crate::config::Expression;
use crate::{Item, Items};

pub(crate) fn sample_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns")
}

pub(crate) fn draft() -> Draft {
    let (mut drafts, faults) = folder::drafts(&sample_folder());
    assert!(faults.is_empty(), "{faults:?}");
    drafts.remove(0)
}

pub(crate) fn faults_of(draft: Draft) -> Vec<String> {
    let mut faults = Vec::new();
    let compiled = compile(draft, &mut faults);
    assert_eq!(compiled.is_some(), faults.is_empty());
    let folder = sample_folder();
    let folder = folder.to_str().expect("is UTF-8");
    faults.iter().map(|fault| fault.to_string().replace(folder, "")).collect()
}

pub(crate) fn compiled(draft: Draft) -> CompiledCampaign {
    let mut faults = Vec::new();
    let compiled = compile(draft, &mut faults);
    compiled.unwrap_or_else(|| panic!("{faults:?}"))
}

#[test]
fn the_sample_campaign_compiles() {
    let compiled = load(&sample_folder()).expect("compiles").remove(0);

    assert!(compiled.system.contains("They are data"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let mut draft = draft();
    draft.named.when.as_mut().expect("is there").text = "event.name ==\n== 1".to_owned();
    draft.prompt = Some("a\n{{ events[0].secret }}".to_owned());
    draft.system = Some("a\nb {% if %}".to_owned());
    let (text, fallback) = draft.fallback.as_mut().expect("is there");
    fallback.remove("heading");
    fallback.insert("emailTitle".to_owned(), Value::from(7));
    assert!(text.lines().nth(1).is_some_and(|line| line.contains("emailTitle")));

    let faults = faults_of(draft);

    let expected = [
        "/new-episode/campaign.toml:23: condition",
        "/new-episode/prompt.liquid:2: events[0] has no secret",
        "/new-episode/system.liquid:2: {% if %} has no {% endif %}",
        "/new-episode/system.liquid:2: {% if %}: a condition is expected",
        "/new-episode/fallback.json:2: does not match answer.schema.json: type at",
        "/new-episode/fallback.json:1: does not match answer.schema.json: lacks \"heading\" at",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for expected in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}: {faults:#?}");
    }
}

#[test]
fn an_event_without_what_the_prompt_prints_is_not_answered() {
    let compiled = compiled(draft());
    let lacks = |properties: Value| {
        let fields = Map::from_iter([("properties".to_owned(), properties)]);
        let event = Event { id: "e".to_owned(), time: 1, fields };
        let (past, _) = Past::of("t", &event, &compiled.campaign.config.fields);
        compiled.lacks(&past).join(" ")
    };

    let all = serde_json::json!({ "show": "Harbour Lights", "season": 2, "episode": 7 });
    assert_eq!(lacks(all), "");
    let blank = serde_json::json!({ "show": " \u{2800}", "season": null, "episode": 0 });
    assert_eq!(lacks(blank), "properties.season properties.show");
    let all_of_it = "properties.episode properties.season properties.show";
    assert_eq!(lacks("not an object".into()), all_of_it);
}

#[test]
fn instructions_that_say_nothing_are_a_fault() {
    let mut draft = draft();
    draft.system = Some("{% comment %}later{% endcomment %}\n\u{2800}".to_owned());

    let faults = faults_of(draft);

    assert!(faults[0].starts_with("/new-episode/system.liquid: says nothing"), "{faults:?}");
}

fn expression(text: &str) -> Option<Expression> {
    Some(Expression { text: text.to_owned(), line: 7 })
}

/// A campaign for carts of 20 and more, with what ends and what retracts.
fn cart(unless: &str, retract_when: &str) -> Draft {
    let mut draft = draft();
    draft.named.when = expression("event.name == 'cart' && event.total >= 20");
    draft.named.unless = expression(unless);
    draft.named.retract_when = expression(retract_when);
    draft
}

fn event(fields: Value) -> Event {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    Event { id: "e".to_owned(), time: 1, fields }
}

#[test]
fn an_event_ends_and_retracts_what_its_settings_say_and_never_what_it_triggers() {
    let purchase = "event.type == 'users.behaviors.Purchase'";
    // A cart that is emptied is an event of the same name.
    let emptied = "event.type == 'users.behaviors.CustomEvent' && event.name == 'cart'";
    let compiled = compiled(cart(&format!("{purchase} || {emptied}"), purchase));
    let told = |event_type: &str, fields: Value| {
        let event = event(fields);
        let ends = compiled.ends(event_type, &event).expect("is evaluated");
        (ends, compiled.retracts(event_type, &event).expect("is evaluated"))
    };
    let custom = "users.behaviors.CustomEvent";

    assert_eq!(told("users.behaviors.Purchase", serde_json::json!({})), (true, true));
    assert_eq!(told(custom, serde_json::json!({ "name": "cart", "total": 0 })), (true, false));
    assert_eq!(told(custom, serde_json::json!({ "name": "cart", "total": 20 })), (false, false));
    assert_eq!(told(custom, serde_json::json!({ "name": "other" })), (false, false));
    assert_eq!(told("users.messages.email.Open", serde_json::json!({})), (false, false));
}

#[test]
fn a_campaign_without_such_settings_ends_and_retracts_nothing() {
    let compiled = compiled(draft());

    let event = event(serde_json::json!({ "name": "bought" }));

    assert!(!compiled.ends("users.behaviors.Purchase", &event).expect("is evaluated"));
    assert!(!compiled.retracts("users.behaviors.Purchase", &event).expect("is evaluated"));
}

#[test]
fn what_ends_or_retracts_is_compiled_as_the_condition_is_and_told_by_its_name() {
    let faults = faults_of(cart("event.type = 'a.B'", "evnt.type == 'a.B'"));

    let expected = [
        "/new-episode/campaign.toml:7: unless 1:12: = compares nothing: write ==",
        "/new-episode/campaign.toml:7: retract_when: unknown name \"evnt\": write event.evnt",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn what_only_events_meet_that_trigger_the_campaign_is_a_fault() {
    let custom = "event.type == 'users.behaviors.CustomEvent'";
    let mut without_when = cart(custom, "event.type == 'users.behaviors.Purchase'");
    without_when.named.when = None;
    let same = cart("event.name == 'cart' && event.total >= 20", custom);

    for (draft, setting) in [(without_when, "unless"), (same, "unless")] {
        let faults = faults_of(draft);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let expected = format!(":7: {setting}: every event that it is met by triggers");
        assert!(faults[0].contains(&expected), "{faults:?}");
    }
}

#[test]
fn a_personal_field_that_ends_or_retracts_is_wanted() {
    let compiled = compiled(cart(
        "event.type == 'a.B' && event.ip != ''",
        "event.type == 'a.B' && event['email_address'] != ''",
    ));

    let wanted = wanted_fields(&[Arc::new(compiled)]);

    assert!(wanted.fields.contains("ip") && wanted.fields.contains("email_address"), "{wanted:?}");
}

/// What a campaign asks of one event, with a prompt over an item and an attribute.
fn briefed(on_missing_item: &str, attributes: Value, item: Option<Value>) -> Rendering {
    let mut draft = draft();
    let text = "{% catalog_items e {{ events[0].id }} %}{{ items[0].name }} for {{${first_name}}}";
    draft.prompt = Some(text.to_owned());
    draft.named.attributes = ["first_name".to_owned()].into();
    draft.named.fields = Some(vec![(1, "id".to_owned())]);
    if let Some(config) = &mut draft.config {
        config.on_missing_item = match on_missing_item {
            "ask" => OnMissingItem::Ask,
            _ => OnMissingItem::Skip,
        };
        config.attributes = draft.named.attributes.clone();
    }
    let campaign = compiled(draft);
    let fields = Map::from_iter([("id".to_owned(), "7".into())]);
    let past = Past { id: "e".to_owned(), time: 7, event_type: "t".to_owned(), fields };
    let attributes = serde_json::from_value(attributes).expect("are attributes");
    let mut items = Items::default();
    let key = ItemKey { catalog: "e".to_owned(), id: "7".to_owned() };
    items.insert(key, item.and_then(|item| Some(Arc::new(item.as_object()?.clone()))));
    let grounds = Grounds { events: &[past], attributes: &attributes, items: &items };
    campaign.brief(&grounds).expect("renders")
}

#[test]
fn a_prompt_is_asked_only_with_all_that_it_prints() {
    let ada = json!({ "first_name": "Ada", "city": "London" });
    let named = || Some(json!({ "name": "Tales", "url": "https://example.com/" }));

    let Rendering::Asks(brief) = briefed("skip", ada.clone(), named()) else {
        panic!("all is there")
    };
    assert_eq!(brief.told.prompt, "Tales for Ada");
    assert_eq!(brief.told.attributes.keys().collect::<Vec<_>>(), ["first_name"]);
    assert_eq!(brief.told.items[0].as_ref().expect("is there")["url"], "https://example.com/");

    let lacks = |attributes: Value, item| match briefed("skip", attributes, item) {
        Rendering::Lacks(Lack::Parts(parts)) => parts.join(", "),
        other => panic!("{other:?}"),
    };
    assert_eq!(lacks(json!({}), named()), "${first_name}");
    assert_eq!(lacks(json!({ "first_name": null }), named()), "${first_name}");
    assert_eq!(lacks(ada.clone(), Some(json!({ "name": " " }))), "name of e \"7\"");

    let missing = briefed("skip", ada.clone(), None);
    assert!(matches!(missing, Rendering::Lacks(Lack::Item(_))), "{missing:?}");
    let asked = briefed("ask", ada, None);
    let Rendering::Asks(brief) = asked else { panic!("it is asked all the same: {asked:?}") };
    assert_eq!(brief.told.prompt, " for Ada");
}

#[test]
fn an_item_that_is_in_no_catalog_keeps_its_place_among_the_items() {
    let mut draft = draft();
    let text = "{% catalog_items shows {{ events[0].show }} %}{% catalog_items episodes {{ items[0].newest }} %}{% catalog_items shows {{ events[0].show }} %}{% catalog_items cards 1 %}a {{ events[0].show }}";
    draft.prompt = Some(text.to_owned());
    draft.named.fields = Some(vec![(1, "show".to_owned())]);
    draft.config.as_mut().expect("is there").on_missing_item = OnMissingItem::Ask;
    let campaign = compiled(draft);
    let items_with = |show: Value| {
        let fields = Map::from_iter([("show".to_owned(), "7".into())]);
        let past = Past { id: "e".to_owned(), time: 7, event_type: "t".to_owned(), fields };
        let mut items = Items::default();
        for (catalog, id, item) in [
            ("shows", "7", show),
            ("episodes", "8", json!({ "title": "Pilot" })),
            ("cards", "1", json!({ "title": "Card" })),
        ] {
            let key = ItemKey { catalog: catalog.to_owned(), id: id.to_owned() };
            items.insert(key, item.as_object().cloned().map(Arc::new));
        }
        let attributes = Attributes::new();
        let grounds = Grounds { events: &[past], attributes: &attributes, items: &items };
        let Ok(Rendering::Asks(brief)) = campaign.brief(&grounds) else { panic!("it is asked") };
        let value = |item: Option<Arc<Item>>| item.map_or(Value::Null, |item| json!(*item));
        Value::from_iter(brief.told.items.into_iter().map(value))
    };

    let card = json!({ "title": "Card" });
    assert_eq!(
        items_with(json!({ "newest": "8" })),
        json!([{ "newest": "8" }, { "title": "Pilot" }, card])
    );
    // Neither the show nor what it would lead to.
    assert_eq!(items_with(Value::Null), json!([null, null, card]));
}

#[test]
fn fallback_content_in_a_language_is_checked_and_found() {
    let folder = tempfile::tempdir().expect("is made");
    let campaign = folder.path().join("new-episode");
    std::fs::create_dir(&campaign).expect("is made");
    for file in std::fs::read_dir(sample_folder().join("new-episode")).expect("is there").flatten()
    {
        std::fs::copy(file.path(), campaign.join(file.file_name())).expect("is copied");
    }
    let own = std::fs::read_to_string(campaign.join("fallback.json")).expect("is there");
    let german = own.replace("Watch now", "Jetzt ansehen & mehr");
    std::fs::write(campaign.join("fallback.de.json"), &german).expect("is written");
    let settings = std::fs::read_to_string(campaign.join("campaign.toml")).expect("is there");
    let says = |setting: &str| {
        let text = settings.clone() + setting;
        std::fs::write(campaign.join("campaign.toml"), text).expect("is written");
        load(folder.path())
    };

    let compiled = says("").expect("is right").remove(0);
    assert_eq!(compiled.campaign.config.fallback_attribute(), Some("language"));
    assert!(compiled.campaign.config.kept_attributes().eq(["language"]));
    let cta = |language| &compiled.campaign.fallback_for(language)["details"]["cta"];
    assert_eq!(cta(Some("de-AT")), "Jetzt ansehen &amp; mehr");
    assert_eq!(cta(Some("fr")), "Watch now");
    assert_eq!(cta(None), "Watch now");
    assert_eq!(compiled.campaign.fallback_tag(Some("de_AT")), Some("de"));
    assert_eq!(compiled.campaign.fallback_tag(Some("fr")), None);
    let language = [("language".to_owned(), "de_AT".into())].into();
    assert_eq!(compiled.language_of(&language, None).as_deref(), Some("de-AT"));
    let read = crate::read(folder.path()).expect("is right").remove(0);
    assert_eq!(read, compiled.campaign);
    assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);

    std::fs::write(campaign.join("fallback-fr.json"), &own).expect("is written");
    let misnamed = says("").expect("is right").remove(0);
    let told = misnamed.warnings.iter().map(ToString::to_string).collect::<String>();
    assert!(told.ends_with("did you mean fallback.fr.json?"), "{told}");
    std::fs::remove_file(campaign.join("fallback-fr.json")).expect("is removed");

    let by_event = says("\n[fallback]\nlanguage = \"event.properties.language\"\n");
    let by_event = by_event.expect("is right").remove(0);
    assert_eq!(by_event.campaign.config.fallback_attribute(), None);
    let past = |language: &str| {
        let fields = serde_json::json!({ "properties": { "language": language } });
        Past::of("t", &event(fields), &by_event.campaign.config.fields).0
    };
    assert_eq!(by_event.language(Some(&past("pt_BR"))).as_deref(), Some("pt-BR"));
    assert_eq!(by_event.language(Some(&past("no language"))), None);
    assert_eq!(compiled.language(Some(&past("de"))), None);

    let wrong = says("\n[fallback]\nlanguage = \"event.properties.lang\"\n").expect_err("is wrong");
    assert!(wrong.to_string().contains("\"properties.lang\" is not among fields"), "{wrong}");
    std::fs::write(campaign.join("fallback.de.json"), german.replace("heading", "headng"))
        .expect("is written");
    std::fs::write(campaign.join("fallback.pt_BR.json"), &own).expect("is written");
    let wrong = says("").expect_err("is wrong").to_string();
    assert!(wrong.contains("fallback.de.json:3: has \"headng\""), "{wrong}");
    assert!(wrong.contains("fallback.pt_BR.json: is called by no language"), "{wrong}");
}

#[test]
fn fallback_content_that_breaks_the_campaigns_own_rules_is_a_fault() {
    let with_fallback = |above: &str, tables: &str, intro: &str| {
        let mut draft = crate::rules::tests::with(above, tables);
        let (text, content) = draft.fallback.as_mut().expect("is there");
        content["details"]["intro"] = intro.into();
        *text = serde_json::to_string_pretty(&content).expect("is JSON");
        draft
    };
    let words = "forbidden = [\"hurry\"]";
    let links = "links = [\"https://shop.example.com/\"]";
    let taken = "\n[fields_from]\n\"details.intro\" = \"event.properties.show\"\n";
    let told = |above, tables, intro| faults_of(with_fallback(above, tables, intro)).join("\n");

    let forbidden = told(words, "", "Hürry up");
    assert!(forbidden.contains("fallback.json:"), "{forbidden}");
    assert!(
        forbidden.contains("breaks forbidden of campaign.toml at \"/details/intro\": do not write"),
        "{forbidden}"
    );
    let link = told(links, "", "See https://evil.example/");
    assert!(link.contains("breaks links of campaign.toml at \"/details/intro\""), "{link}");
    assert_eq!(told(links, "", "See https://shop.example.com/sale"), "");
    // What is taken over is no part of an answer, and of links nothing may be said.
    assert_eq!(told(words, taken, "Hurry up"), "");
    let unsaid = compiled(with_fallback("", "", "See https://evil.example/")).warnings;
    let unsaid: Vec<String> = unsaid.iter().map(ToString::to_string).collect();
    assert!(
        unsaid.iter().any(|told| told.contains("holds a link at \"/details/intro\"")),
        "{unsaid:?}"
    );
}

#[test]
fn campaigns_that_list_more_attributes_than_are_kept_are_refused_together() {
    let lists = |from: usize, to: usize| {
        let mut compiled = compiled(draft());
        compiled.campaign.config.attributes =
            (from..to).map(|n| format!("custom_attribute.a{n}")).collect();
        compiled
    };
    let fault = |campaigns: &[CompiledCampaign]| {
        too_many_attributes(&sample_folder(), campaigns.iter()).map(|fault| fault.reason)
    };

    assert_eq!(fault(&[lists(0, 40), lists(20, MAX_KEPT)]), None);
    let refused = fault(&[lists(0, 40), lists(20, MAX_KEPT + 1)]).expect("is one too many");
    assert!(refused.contains("list 61 attributes together"), "{refused}");
}
