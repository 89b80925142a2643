//! Somebody asks why a user gets what they get.

use std::fs;
use std::path::Path;

use crate::commands::{copy_campaign, ops, stderr, stdout, text};

fn told(lines: &str, arguments: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events.jsonl");
    fs::write(&events, lines).expect("is written");
    let campaigns = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
    let common = ["--events", text(&events), "--campaigns", text(&campaigns)];
    ops(&[&["campaigns"][..], arguments, &common].concat())
}

fn watched(id: &str, time: i64, name: &str) -> String {
    let properties = r#"{"show":"Harbour Lights","season":2,"episode":7}"#;
    format!(
        "{{\"event_type\":\"users.behaviors.CustomEvent\",\"user_id\":\"u\",\"id\":\"{id}\",\
         \"time\":{time},\"name\":\"{name}\",\"properties\":{properties}}}\n"
    )
}

#[test]
fn every_event_is_told_with_what_the_condition_saw() {
    let lines =
        watched("a", 1_764_000_000, "paused") + &watched("b", 1_764_000_100, "episode_watched");

    let said = stdout(&told(&lines, &["why", "u"]));

    let saw = "event.name is the text \"paused\", compared with \"episode_watched\"";
    assert!(said.contains(saw), "{said}");
    assert!(said.contains("-> content, written for b"), "{said}");
}

#[test]
fn a_deletion_leaves_nothing_and_what_follows_is_a_new_users() {
    let deletion = "{\"event_type\":\"users.UserDeleteRequest\",\"user_id\":\"u\",\"id\":\"d\",\"time\":1764000100}\n";
    let before = watched("a", 1_764_000_000, "episode_watched") + deletion;
    let after = before.clone() + &watched("c", 1_764_000_200, "episode_watched");

    let deleted = stdout(&told(&before, &["why", "u"]));
    let again = stdout(&told(&after, &["preview", "--campaign", "new-episode", "--prompt-only"]));

    assert!(deleted.contains("deletes the user"), "{deleted}");
    assert!(deleted.contains("-> no content"), "{deleted}");
    assert!(again.contains(" c (users.behaviors.CustomEvent): 1 of at most 10"), "{again}");
}

#[test]
fn a_user_who_is_not_there_is_named_beside_those_who_are() {
    let said = stderr(&told(&watched("a", 1, "episode_watched"), &["why", "U"]));

    assert!(said.contains("no event of user U") && said.contains("did you mean u?"), "{said}");
}

/// What is said of events of a campaign that asks two hours after a cart, if nobody buys.
fn told_of_carts(settings: &str, lines: &str) -> String {
    of_carts(&["why", "u"], settings, lines)
}

/// What a command says of them.
fn of_carts(command: &[&str], settings: &str, lines: &str) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaigns = folder.path().join("campaigns");
    let own = campaigns.join("cart");
    fs::create_dir_all(&own).expect("is made");
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns/new-episode");
    for name in ["answer.schema.json", "fallback.json", "prompt.liquid", "system.liquid"] {
        fs::copy(sample.join(name), own.join(name)).expect("is copied");
    }
    let toml = fs::read_to_string(sample.join("campaign.toml")).expect("is there");
    let (above, below) = settings.split_once('|').expect("has both");
    let toml = toml.replacen("cooldown_hours = 0", above, 1);
    let toml = toml.replacen("[trigger]\n", &format!("[trigger]\n{below}"), 1);
    fs::write(own.join("campaign.toml"), toml).expect("is written");
    let events = folder.path().join("events.jsonl");
    fs::write(&events, lines).expect("is written");
    let common = ["--events", text(&events), "--campaigns", text(&campaigns)];
    stdout(&ops(&[&["campaigns"], command, &common].concat()))
}

#[test]
fn an_event_whose_item_or_attribute_is_not_there_gets_no_content() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (campaigns, catalogs) = (folder.path().join("campaigns"), folder.path().join("catalogs"));
    [&campaigns, &catalogs].into_iter().for_each(|new| fs::create_dir(new).expect("is made"));
    let campaign = campaigns.join("new-episode");
    copy_campaign(&campaign);
    fs::write(catalogs.join("shows.csv"), "id,title\nSignal-9,Signal\n").expect("is written");
    let prompt = "{% catalog_items shows {{ events.last.properties.show }} %}{{ items[0].title }} for {{${first_name}}}";
    fs::write(campaign.join("prompt.liquid"), prompt).expect("is written");
    let path = campaign.join("campaign.toml");
    let settings = fs::read_to_string(&path).expect("is text");
    let settings = settings
        .replace("cooldown_hours = 0", "cooldown_hours = 24\nattributes = [\"first_name\"]");
    fs::write(&path, settings).expect("is written");
    let events = folder.path().join("events.jsonl");
    let there =
        |id: &str, time| watched(id, time, "episode_watched").replace("Harbour Lights", "Signal-9");
    let missing =
        |id: &str, time| watched(id, time, "episode_watched").replace("Harbour Lights", "Gone");
    let told = |lines: String, attributes: &str| {
        fs::write(&events, lines).expect("is written");
        let folders = ["--events", text(&events), "--campaigns", text(&campaigns)];
        let attributes = ["--user-attributes", attributes];
        stdout(&ops(&[&["campaigns", "why", "u"], &folders[..], &attributes].concat()))
    };
    let ada = r#"{"first_name":"Ada"}"#;
    let at = 1_764_000_000;

    let none = told(missing("a", at), ada);
    let some = told(there("a", at), ada);
    let nameless = told(there("a", at), "{}");
    // What got no content begins no cooldown.
    let next = told(missing("a", at) + &there("b", at + 60), ada);

    assert!(
        none.contains("is remembered and not asked for: there is no item shows \"Gone\""),
        "{none}"
    );
    assert!(none.contains("-> no content"), "{none}");
    assert!(some.contains("-> content, written for a"), "{some}");
    assert!(nameless.contains("what it needs is not there: ${first_name}"), "{nameless}");
    assert!(nameless.contains("-> no content"), "{nameless}");
    assert!(next.contains("-> content, written for b"), "{next}");
}

fn purchase(id: &str, time: i64) -> String {
    format!(
        "{{\"event_type\":\"users.behaviors.Purchase\",\"user_id\":\"u\",\"id\":\"{id}\",\"time\":{time},\"price\":20.5}}\n"
    )
}

const UNLESS: &str = "cooldown_hours = 0|after = \"2h\"\n\
    unless = 'event.type == \"users.behaviors.Purchase\" && event.price > 10.0'\n";

#[test]
fn a_purchase_before_its_time_ends_what_waits_and_one_after_it_does_not() {
    let cart = watched("a", 1_764_000_000, "episode_watched");

    let bought = told_of_carts(UNLESS, &(cart.clone() + &purchase("p", 1_764_007_199)));
    let late = told_of_carts(UNLESS, &(cart + &purchase("p", 1_764_007_201)));

    assert!(
        bought.contains("  asks 2h after the newest such event, unless event.type =="),
        "{bought}"
    );
    assert!(
        bought.contains("a (users.behaviors.CustomEvent): asks for nothing, as p ends it"),
        "{bought}"
    );
    assert!(bought.contains("p (users.behaviors.Purchase): ends what waits (unless)"), "{bought}");
    assert!(bought.contains("-> no content"), "{bought}");
    assert!(
        late.contains("a (users.behaviors.CustomEvent): asks for content at 2025-11-24T18:00:00Z"),
        "{late}"
    );
    assert!(late.contains("-> content, written for a"), "{late}");
}

#[test]
fn a_preview_shows_what_is_asked_later_and_when() {
    let cart = watched("a", 1_764_000_000, "episode_watched");
    let preview = ["preview", "--campaign", "cart", "--prompt-only"];

    let told = of_carts(&preview, UNLESS, &cart);

    assert!(told.contains("it asks at 2025-11-24T18:00:00Z, from what is remembered"), "{told}");
    assert!(told.contains("--- prompt") && told.contains("Harbour Lights"), "{told}");
}

#[test]
fn a_newer_event_takes_the_place_of_one_that_waits() {
    let carts = watched("a", 1_764_000_000, "episode_watched")
        + &watched("b", 1_764_007_100, "episode_watched");

    let told = told_of_carts(UNLESS, &carts);

    assert!(told.contains("waits until b takes its place"), "{told}");
    assert!(
        told.contains("b (users.behaviors.CustomEvent): asks for content at 2025-11-24T19:58:20Z"),
        "{told}"
    );
    assert!(told.contains("-> content, written for b"), "{told}");
}

#[test]
fn an_event_that_does_not_end_what_waits_is_told_with_what_was_seen() {
    let events = watched("a", 1_764_000_000, "episode_watched")
        + &purchase("p", 1_764_000_001).replace("20.5", "5.5");

    let told = told_of_carts(UNLESS, &events);

    assert!(told.contains("does not meet unless:"), "{told}");
    assert!(told.contains("event.price is the number 5.5, compared with 10"), "{told}");
    assert!(told.contains("-> content, written for a"), "{told}");
}

#[test]
fn retracted_content_is_none_until_there_is_a_newer_event() {
    let settings = "retract_when = 'event.type == \"users.behaviors.Purchase\"'\n|";
    let bought = watched("a", 1_764_000_000, "episode_watched") + &purchase("p", 1_764_000_100);
    let again = bought.clone() + &watched("b", 1_764_000_200, "episode_watched");

    let bought = told_of_carts(settings, &bought);
    let again = told_of_carts(settings, &again);

    assert!(bought.contains("takes older content out of service on event.type =="), "{bought}");
    assert!(bought.contains("gets content, until p retracts it"), "{bought}");
    assert!(bought.contains("-> no content"), "{bought}");
    assert!(again.contains("-> content, written for b"), "{again}");
}

#[test]
fn the_newest_event_of_a_cooldown_waits_for_its_end_if_the_campaign_says_so() {
    let events = watched("a", 1_764_000_000, "episode_watched")
        + &watched("b", 1_764_000_100, "episode_watched")
        + &watched("c", 1_764_000_200, "episode_watched");

    let first = told_of_carts("cooldown_hours = 1|", &events);
    let newest = told_of_carts("cooldown_hours = 1\nreplace = \"newest\"|", &events);

    assert!(first.contains("-> content, written for a"), "{first}");
    assert!(
        newest.contains("b (users.behaviors.CustomEvent): waits until c takes its place"),
        "{newest}"
    );
    assert!(
        newest
            .contains("c (users.behaviors.CustomEvent): asks for content at 2025-11-24T17:00:00Z"),
        "{newest}"
    );
    assert!(newest.contains("-> content, written for c"), "{newest}");
}
