//! What a prompt author and an operator type: check, preview, redrive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use contract::local::{DEAD_LETTERS_FILE, LOCK_FILE, SET_ASIDE_FILE};
use currents::generate::{Course, Plan, generate};
use currents::input::Input;
use currents::write::Compression;
use local::bedrock::{Behaviour, StandIn};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) fn ops(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ops")).args(arguments).output().expect("program runs")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("is UTF-8")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The campaigns of the repository.
fn campaigns() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns")
}

/// A folder of Currents files.
pub(crate) fn sample() -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (compression, course) = (Compression::default(), Course::default());
    let plan = Plan { events: 400, users: 40, seed: 1, compression, course };
    generate(&plan, folder.path(), |_| true).expect("is made");
    folder
}

pub(crate) fn preview(events: &Path, more: &[&str]) -> Output {
    let folder = campaigns();
    let mut arguments =
        vec!["campaigns", "preview", "--campaign", "new-episode", "--campaigns", text(&folder)];
    arguments.extend(["--events", text(events)]);
    arguments.extend(more);
    ops(&arguments)
}

/// A file of custom events.
fn watched(folder: &Path) -> PathBuf {
    let files = Input::find(&[folder.to_owned()]).expect("holds Avro files").files;
    let file = files.into_iter().find(|file| file.key.contains("CustomEvent"));
    file.expect("somebody watched").path
}

pub(crate) fn copy_campaign(to: &Path) {
    fs::create_dir(to).expect("is created");
    for entry in fs::read_dir(campaigns().join("new-episode")).expect("is there") {
        let path = entry.expect("can be read").path();
        fs::copy(&path, to.join(path.file_name().expect("has a name"))).expect("is copied");
    }
}

#[test]
fn campaigns_that_are_right_are_listed() {
    let folder = campaigns();

    let output = ops(&["campaigns", "check", "--campaigns", text(&folder)]);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("new-episode: ok, on users.behaviors.CustomEvent with"));
}

#[test]
fn everything_that_is_wrong_with_campaigns_is_said_at_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("offer");
    copy_campaign(&campaign);
    let change = |name: &str, from: &str, to: &str| {
        let path = campaign.join(name);
        let changed = fs::read_to_string(&path).expect("is text").replace(from, to);
        fs::write(path, changed).expect("is written");
    };
    change("campaign.toml", "event.name ==", "name ==");
    change("prompt.liquid", "last.properties.show", "last.properties.shwo");
    change("fallback.json", "\"Watch now\"", "\"\"");

    let output = ops(&["campaigns", "check", "--campaigns", text(folder.path())]);

    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    for fault in [
        "campaign.toml:22: condition: unknown name \"name\": write event.name",
        "prompt.liquid:3: last.properties has no shwo: did you mean show?",
        "fallback.json:5: does not match answer.schema.json: minLength at \"/details/cta\"",
    ] {
        assert!(said.contains(fault), "{fault}\n{said}");
    }
}

#[test]
fn a_preview_shows_prompt_price_answer_and_message_of_a_currents_file() {
    let files = sample();

    let output = preview(&watched(files.path()), &[]);

    assert!(output.status.success(), "{}", stderr(&output));
    let shown = stdout(&output);
    for part in [
        "--- system",
        "--- prompt",
        "- watched: show",
        "input tokens",
        "at most $",
        "--- content",
        "<h1>[stand-in]",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}

#[test]
fn a_preview_takes_events_as_json_lines_and_a_user() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events.jsonl");
    let line = |user: &str, time: i64, show: &str| {
        serde_json::json!({
            "event_type": "users.behaviors.CustomEvent", "user_id": user, "id": show,
            "time": time, "name": "episode_watched", "properties": { "show": show, "season": 2, "episode": 7 },
        })
        .to_string()
    };
    // As Currents has it: the properties are a text.
    let other = line("b", 3, "Other").replace(
        r#"{"episode":7,"season":2,"show":"Other"}"#,
        r#""{\"episode\":7,\"season\":2,\"show\":\"Other\"}""#,
    );
    assert!(other.contains(r#""{\"episode\""#), "{other}");
    let lines = [line("a", 1, "Old"), line("a", 2, "New"), other];
    fs::write(&events, lines.join("\n")).expect("is written");

    let newest = stdout(&preview(&events, &["--prompt-only"]));
    let of_a = stdout(&preview(&events, &["--prompt-only", "--user", "a"]));
    let of_nobody = preview(&events, &["--user", "c"]);
    fs::write(&events, "{\"event_type\": \"x\"}").expect("is written");
    let broken = preview(&events, &[]);

    assert!(newest.contains("show \"Other\", season 2"), "{newest}");
    assert!(of_a.contains("show \"New\", season 2") && !of_a.contains("--- answer"), "{of_a}");
    assert!(stderr(&of_nobody).contains("no event of user c"), "{}", stderr(&of_nobody));
    assert!(stderr(&broken).contains("events.jsonl:1"), "{}", stderr(&broken));
    assert_eq!(broken.status.code(), Some(1));
}

#[test]
fn a_preview_says_what_it_cannot_evaluate_and_what_it_cannot_show() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("new-episode");
    copy_campaign(&campaign);
    fs::remove_file(campaign.join("message.liquid")).expect("is there");
    let events = folder.path().join("events.jsonl");
    let line = |id: &str, name: serde_json::Value| {
        serde_json::json!({
            "event_type": "users.behaviors.CustomEvent", "user_id": "a", "id": id,
            "time": 1, "name": name, "properties": { "show": "A", "season": 1, "episode": 2 },
        })
        .to_string()
    };
    fs::write(&events, [line("good", "episode_watched".into())].join("\n")).expect("is written");
    let with_folder = ["--campaigns", text(folder.path())];
    let arguments =
        ["campaigns", "preview", "--campaign", "new-episode", "--events", text(&events)];

    let shown = stdout(&ops(&[&arguments[..], &with_folder].concat()));
    assert!(shown.contains("no message to show"), "{shown}");

    let path = campaign.join("campaign.toml");
    let changed = fs::read_to_string(&path).expect("is text");
    let changed = changed.replace("event.name == ", "event.name + 1 == ");
    fs::write(&path, changed).expect("is written");
    let output = ops(&[&arguments[..], &with_folder].concat());
    let said = stderr(&output);
    assert!(said.contains("good (users.behaviors.CustomEvent) condition could not"), "{said}");
    assert!(said.contains("event.name is the text \"episode_watched\""), "{said}");
}

#[test]
fn a_check_that_does_not_apply_is_told_by_a_preview_and_a_misspelt_column_of_it_by_a_check() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (campaigns, catalogs) = (folder.path().join("campaigns"), folder.path().join("catalogs"));
    let campaign = campaigns.join("new-episode");
    [&campaigns, &catalogs].into_iter().for_each(|new| fs::create_dir(new).expect("is made"));
    copy_campaign(&campaign);
    fs::write(catalogs.join("shows.csv"), "id,title,note\nA,Hello,\n").expect("is written");
    let prompt = "{% catalog_items shows {{ events.last.properties.show }} %}{{ items[0].title }}";
    fs::write(campaign.join("prompt.liquid"), prompt).expect("is written");
    let settings = fs::read_to_string(campaign.join("campaign.toml")).expect("is text");
    let events = folder.path().join("events.jsonl");
    let event = r#"{"event_type":"users.behaviors.CustomEvent","user_id":"u1","id":"e1","time":1764000000,"name":"episode_watched","properties":{"show":"A","season":2,"episode":7}}"#;
    fs::write(&events, event).expect("is written");
    let says = |column: &str, command: &[&str]| {
        let check = format!(
            "\n[[checks]]\nname = \"quotes\"\nwhen = 'answer.heading != items[0].{column}'\nsay = \"a\"\n"
        );
        fs::write(campaign.join("campaign.toml"), settings.clone() + &check).expect("is written");
        ops(&[&["campaigns"], command, &["--campaigns", text(&campaigns)]].concat())
    };
    let preview = ["preview", "--campaign", "new-episode", "--events", text(&events)];

    let applied = stdout(&says("title", &preview));
    let empty = stdout(&says("note", &preview));
    let right = says("note", &["check"]);
    let misspelt = says("titel", &["check"]);

    let unapplied = "the check quotes was not applied, as something that it looks at is missing";
    assert!(
        empty.contains(unapplied) && empty.contains("answer.heading != items[0].note"),
        "{empty}"
    );
    assert!(!applied.contains("not applied") && applied.contains("--- content"), "{applied}");
    assert!(right.status.success(), "{}", stderr(&right));
    let said = stderr(&misspelt);
    assert!(said.contains("items[0].titel: the catalog shows has no column titel"), "{said}");
}

/// A preview over a folder of campaigns, for a user with these attributes.
fn preview_in(campaigns: &Path, events: &Path, attributes: &str) -> Output {
    let common = ["campaigns", "preview", "--campaign", "new-episode", "--events", text(events)];
    let more = ["--campaigns", text(campaigns), "--user-attributes", attributes];
    ops(&[&common[..], &more].concat())
}

#[test]
fn a_preview_shows_the_fallback_content_of_the_users_language() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("new-episode");
    copy_campaign(&campaign);
    let own = fs::read_to_string(campaign.join("fallback.json")).expect("is text");
    let german = own.replace("Watch now", "Jetzt ansehen");
    fs::write(campaign.join("fallback.de.json"), german).expect("is written");
    let events = folder.path().join("events.jsonl");
    let event = r#"{"event_type":"users.behaviors.CustomEvent","user_id":"u1","id":"e1","time":1764000000,"name":"episode_watched","properties":{"show":"S","season":2,"episode":7}}"#;
    fs::write(&events, event).expect("is written");
    let fallback = |attributes: &str| {
        let shown = stdout(&preview_in(folder.path(), &events, attributes));
        assert!(!shown.contains("which no campaign lists"), "{shown}");
        let (_, fallback) = shown.split_once("for a user without content").expect("is shown");
        fallback.to_owned()
    };

    let german = fallback("{\"language\":\"de_AT\"}");
    let french = fallback("{\"language\":\"fr\"}");
    let misspelt = stdout(&preview_in(folder.path(), &events, "{\"langage\":\"de\"}"));

    assert!(german.contains("of fallback.de.json") && german.contains("Jetzt ansehen"), "{german}");
    assert!(!german.contains("Watch now"), "{german}");
    let said = "says langage, which no campaign lists and no message shows (listed: language)";
    assert!(misspelt.contains(said), "{misspelt}");
    assert!(french.contains("Watch now") && !french.contains("fallback.de.json"), "{french}");
}

#[test]
fn an_unknown_campaign_is_named_with_those_that_exist() {
    let folder = campaigns();
    let output = ops(&[
        "campaigns",
        "preview",
        "--campaign",
        "x",
        "--events",
        "y",
        "--campaigns",
        text(&folder),
    ]);

    assert!(stderr(&output).contains("no campaign \"x\": there is new-episode"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_by_a_model_that_refuses_says_what_to_change() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("new-episode");
    copy_campaign(&campaign);
    let path = campaign.join("campaign.toml");
    let changed = fs::read_to_string(&path).expect("is text");
    fs::write(&path, changed.replace("-v1:0\"", "-v1:0+no-temperature\"")).expect("is written");
    let events = folder.path().join("events.jsonl");
    let event = r#"{"event_type":"users.behaviors.CustomEvent","user_id":"u1","id":"e1","time":1764000000,"name":"episode_watched","properties":{"show":"S","season":2,"episode":7}}"#;
    fs::write(&events, event).expect("is written");
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let stand_in = StandIn::start(Behaviour::default(), &tasks, &stop).await.expect("starts");
    let address = format!("http://{}", stand_in.address);

    let output = tokio::task::spawn_blocking(move || {
        let arguments = ["campaigns", "preview", "--campaign", "new-episode", "--events"];
        let campaigns = ["--campaigns", text(folder.path()), "--bedrock", &address];
        ops(&[&arguments[..], &[text(&events)], &campaigns].concat())
    });
    let output = output.await.expect("ends");

    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(said.contains("remove temperature"), "{said}{}", stderr(&output));
    assert!(said.contains("a dead letter; the fallback content stays"), "{said}");
    stop.cancel();
}

#[test]
fn letters_of_a_folder_are_set_aside_for_its_next_run_and_none_twice() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let letter = |reason: &str| {
        format!(
            r#"{{"v":1,"reason":"{reason}","detail":"d","input":{{"notification":{{"body":"b"}}}}}}"#
        )
    };
    let of = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let letters = [letter("bad_answer"), letter("not_allowed"), "cut off".to_owned()].join("\n");
    fs::write(folder.path().join(DEAD_LETTERS_FILE), letters + "\n").expect("is written");
    fs::write(folder.path().join(LOCK_FILE), "").expect("is written");
    let data = text(folder.path());

    let none = ops(&["redrive", "--data", data, "--reason", "poison_record"]);
    let one = ops(&["redrive", "--data", data, "--reason", "bad_answer"]);
    let both = ops(&["redrive", "--data", data]);
    let again = ops(&["redrive", "--data", data]);

    assert!(stdout(&none).contains("No dead letters"), "{}", stdout(&none));
    assert!(stdout(&one).starts_with("1 dead letters are sent again by"), "{}", stdout(&one));
    assert!(stdout(&both).starts_with("2 dead letters"), "{}", stdout(&both));
    assert!(stdout(&again).starts_with("2 dead letters"), "{}", stdout(&again));
    let expected = format!("{}\n{}\n", letter("bad_answer"), letter("not_allowed"));
    assert_eq!(of(SET_ASIDE_FILE), expected);
    assert_eq!(of(DEAD_LETTERS_FILE), "cut off\n");

    let narrowed = ops(&["redrive", "--data", data, "--reason", "not_allowed"]);

    assert!(stdout(&narrowed).starts_with("1 dead letters"), "{}", stdout(&narrowed));
    assert_eq!(of(SET_ASIDE_FILE), format!("{}\n", letter("not_allowed")));
    assert_eq!(of(DEAD_LETTERS_FILE), format!("{}\ncut off\n", letter("bad_answer")));
}

#[test]
fn a_folder_of_something_else_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let data = text(folder.path());

    let said = ops(&["redrive", "--data", data]);
    assert!(stderr(&said).contains("is no folder of a run"), "{}", stderr(&said));
    assert_eq!(fs::read_dir(folder.path()).expect("is there").count(), 0);
    fs::write(folder.path().join(LOCK_FILE), "important").expect("is written");
    ops(&["show", "u1", "--data", data]);
    ops(&["redrive", "--data", data]);
    let kept = fs::read_to_string(folder.path().join(LOCK_FILE)).expect("is there");
    assert_eq!(kept, "important");
}

#[test]
fn a_folder_that_is_none_is_refused_with_what_to_name() {
    let output = ops(&["redrive", "--data", "nowhere"]);

    assert!(stderr(&output).contains("an earlier run kept with --data"), "{}", stderr(&output));
}

#[test]
fn with_json_the_answer_is_one_document_and_lines_for_people_go_elsewhere() {
    let folder = campaigns();
    let files = sample();
    let document = |output: &Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).expect("is one document of JSON")
    };

    let checked = ops(&["--json", "campaigns", "check", "--campaigns", text(&folder)]);
    let previewed = preview(&watched(files.path()), &["--prompt-only", "--json"]);
    let cost = ops(&["cost", "--events", "1000000", "--json"]);
    let failed = ops(&["redrive", "--data", "nowhere", "--json"]);

    let of_check = document(&checked);
    assert_eq!(of_check["campaigns"][0]["campaign"], "new-episode");
    assert!(stderr(&checked).contains("new-episode: ok"), "{}", stderr(&checked));
    let lines = document(&previewed)["lines"].to_string();
    assert!(lines.contains("--- prompt"), "{lines}");
    assert!(document(&cost)["usd_a_month"]["total"].as_f64().is_some_and(|usd| usd > 0.0));
    assert!(document(&failed)["error"].to_string().contains("is no folder"));
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn what_is_wrong_with_campaigns_is_told_to_a_program_by_file_and_line() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("offer");
    copy_campaign(&campaign);
    let settings = fs::read_to_string(campaign.join("campaign.toml")).expect("is text");
    let wrong = settings.replace("event.name ==", "name ==");
    fs::write(campaign.join("campaign.toml"), wrong).expect("is written");

    let output = ops(&["campaigns", "check", "--campaigns", text(folder.path()), "--json"]);

    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    let fault = &told["faults"][0];
    assert!(fault["file"].as_str().is_some_and(|file| file.ends_with("offer/campaign.toml")));
    assert_eq!(fault["line"], 22);
    assert!(fault["reason"].to_string().contains("unknown name"), "{fault}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn every_command_that_changes_something_can_only_show_it() {
    for command in [
        &["campaigns", "publish"][..],
        &["campaigns", "put-back"],
        &["campaigns", "pause"],
        &["campaigns", "resume"],
        &["recall"],
        &["catalogs", "put"],
        &["catalogs", "pull"],
        &["ask"],
        &["redrive"],
        &["letters", "discard"],
        &["erase"],
        &["replay"],
    ] {
        let help = stdout(&ops(&[command, &["--help"]].concat()));

        assert!(help.contains("--dry-run") && help.contains("--json"), "{command:?}\n{help}");
    }
}

#[test]
fn a_folder_that_no_run_uses_is_told_with_what_to_start() {
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::write(folder.path().join(LOCK_FILE), "").expect("is written");

    let output = ops(&["show", "u1", "--data", text(folder.path())]);

    let said = stderr(&output);
    assert!(said.contains("no run uses") && said.contains("--serve"), "{said}");
}
