//! When a campaign asks, what ends it, and what is wrong with how that is said.

use std::time::Duration;

use crate::config::toml::read;
use crate::config::{Config, OverBudget, Replace};

const TOP: &str = "model_id = \"us.anthropic.claude\"\n\
    max_tokens = 400\n\
    ttl_days = 7\n\
    fields = [\"properties.products\"]\n";

const TRIGGER: &str = "[trigger]\n\
    event_types = [\"users.behaviors.CustomEvent\"]\n\
    when = 'event.name == \"cart_updated\"'\n";

const PURCHASE: &str = "'event.type == \"users.behaviors.Purchase\"'";

/// The settings of a file with these lines above the first table, and below.
fn with(above: &str, below: &str) -> (Option<Config>, String) {
    let (config, _, faults) = read(&format!("{TOP}{above}{TRIGGER}{below}"));
    let line = |line: Option<usize>| line.map_or("-".to_owned(), |line| line.to_string());
    let told = faults.iter().map(|(at, reason)| format!("{}: {reason}\n", line(*at)));
    (config, told.collect())
}

fn faults(above: &str, below: &str) -> String {
    let (config, faults) = with(above, below);
    assert_eq!(config.is_some(), faults.is_empty(), "{faults}");
    faults
}

#[test]
fn a_cart_campaign_says_when_it_asks_and_what_ends_it() {
    let above = format!("cooldown_hours = 24\nreplace = \"newest\"\nretract_when = {PURCHASE}\n");
    let below = format!(
        "after = \"2h\"\nunless = {PURCHASE}\n[budget]\ntokens_per_day = 9000\nover_budget = \"wait\"\n"
    );

    let (config, faults) = with(&above, &below);

    let config = config.expect(&faults);
    assert_eq!(config.trigger.after, Some(Duration::from_secs(7_200)));
    let unless = config.trigger.unless.expect("is there");
    assert_eq!((unless.line, unless.text.as_str()), (12, PURCHASE.trim_matches('\'')));
    assert_eq!(config.retract_when.expect("is there").line, 7);
    assert_eq!((config.replace, config.over_budget), (Replace::Newest, OverBudget::Wait));
}

#[test]
fn a_campaign_that_says_nothing_of_it_asks_at_once_and_skips() {
    let config = with("", "").0.expect("is right");

    assert_eq!((config.trigger.after, config.trigger.unless), (None, None));
    assert_eq!(config.retract_when, None);
    assert_eq!((config.replace, config.over_budget), (Replace::First, OverBudget::Skip));
}

#[test]
fn a_wait_that_cannot_be_is_said_with_the_one_that_could() {
    let kind = "8: after must be a whole number and its unit in quotes, \"30m\", \"2h\" or \"3d\"";
    for (after, expected) in [
        ("\"2 hours\"", format!("{kind}: write \"2h\"\n")),
        ("\"1h30m\"", format!("{kind}: write \"90m\"\n")),
        ("\"soon\"", format!("{kind}, and not \"soon\"\n")),
        ("2", format!("{kind}, and not 2\n")),
        ("02:00:00", format!("{kind}, and not the time 02:00:00\n")),
        ("[\"2h\"]", format!("{kind}, and not a list\n")),
        ("2h", "8: a text stands in quotes: write after = \"2h\"\n".to_owned()),
        ("\"0m\"", "8: after must be 1m to 7d; to ask at once, remove it\n".to_owned()),
        (
            "\"8d\"",
            "8: after must be 1m to 7d, for which content is served (ttl_days)\n".to_owned(),
        ),
        ("\"7d\"", String::new()),
        ("\"1m\"", String::new()),
    ] {
        assert_eq!(faults("", &format!("after = {after}\n")), expected, "{after}");
    }
    let long = TOP.replacen("ttl_days = 7", "ttl_days = 30", 1);
    let (_, _, faults) = read(&format!("{long}{TRIGGER}after = \"15d\"\n"));
    assert_eq!(faults, [(Some(8), "after must be 1m to 14d".to_owned())]);
}

#[test]
fn what_does_nothing_by_itself_is_a_fault() {
    for (above, below, expected) in [
        (
            "",
            format!("unless = {PURCHASE}\n"),
            "8: unless ends what waits, and nothing waits: add after, such as after = \"2h\", or remove unless\n",
        ),
        (
            "replace = \"newest\"\n",
            String::new(),
            "5: replace says which event of a cooldown gets content, and there is none: add cooldown_hours, or remove replace\n",
        ),
        (
            "cooldown_hours = 0\nreplace = \"first\"\n",
            String::new(),
            "6: replace says which event of a cooldown gets content, and there is none: add cooldown_hours, or remove replace\n",
        ),
        (
            "",
            "[budget]\nover_budget = \"wait\"\n".to_owned(),
            "8: a budget is tokens_per_day or usd_per_day, one of them\n",
        ),
        (
            "",
            "after = \"2h\"\nunless = ''\n".to_owned(),
            "9: unless is empty: write a condition, or remove it\n",
        ),
        (
            "retract_when = ' '\n",
            String::new(),
            "5: retract_when is empty: write a condition, or remove it\n",
        ),
    ] {
        assert_eq!(faults(above, &below), expected);
    }
    // A wait that is wrong is one all the same.
    let both = faults("", &format!("after = 2\nunless = {PURCHASE}\n"));
    assert_eq!(both.lines().count(), 1, "{both}");
}

#[test]
fn such_settings_are_told_where_they_belong_and_how_they_are_spelt() {
    for (above, below, expected) in [
        (
            String::new(),
            format!("retract_when = {PURCHASE}\n"),
            "8: retract_when stands in [trigger]: it belongs above the first [table]\n",
        ),
        ("after = \"2h\"\n".to_owned(), String::new(), "5: after belongs into [trigger]\n"),
        (
            "over_budget = \"wait\"\n".to_owned(),
            String::new(),
            "5: over_budget belongs into [budget]\n",
        ),
        (
            String::new(),
            "delay = \"2h\"\n".to_owned(),
            "8: unknown setting \"delay\": did you mean after?\n",
        ),
        (
            "retract = 'a'\n".to_owned(),
            String::new(),
            "5: unknown setting \"retract\": did you mean retract_when?\n",
        ),
        (
            String::new(),
            format!("after = \"2h\"\nexcept = {PURCHASE}\n"),
            "9: unknown setting \"except\": did you mean unless?\n",
        ),
        (
            "cooldown_hours = 1\nreplace = \"latest\"\n".to_owned(),
            String::new(),
            "6: replace must be \"first\" or \"newest\", and not \"latest\"\n",
        ),
        (
            String::new(),
            "[budget]\ntokens_per_day = 9000\nover_budget = true\n".to_owned(),
            "10: over_budget must be \"skip\" or \"wait\", and not true\n",
        ),
    ] {
        assert_eq!(faults(&above, &below), expected);
    }
}
