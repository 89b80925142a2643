//! What a whole run writes into its log, at the level at which the programs write most.
//!
//! Every value that is about a person, or that the model read or wrote, begins with a mark or is
//! looked up, and none of it may stand in the log: users who get content, answers of every odd
//! kind, events that are no events, look-ups and posts that are wrong.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clap::ValueEnum as _;
use local::bedrock::scenario::Scenario;
use serde_json::{Value, json};

use crate::rig::campaigns;

/// Stands in every value of users and events.
const MARK: &str = "zqmark";

/// What the programs write, of their own crates; the others write what they send and get.
const LEVELS: &str = "warn,api=trace,campaign=trace,catalog=trace,contract=trace,currents=trace,\
    dialect=trace,ingest=trace,local=trace,processor=trace,program=trace,quota=trace,\
    registry=trace";

/// Answers that hold content in an odd way, answers that hold none, and failures.
const SCENARIOS: [Scenario; 22] = [
    Scenario::LoneSurrogate,
    Scenario::HtmlPage,
    Scenario::BodyCut,
    Scenario::ErrorBody,
    Scenario::WrongTypes,
    Scenario::ModelError,
    Scenario::GrammarTimeout,
    Scenario::Proxy400,
    Scenario::MaxTokens,
    Scenario::InputText,
    Scenario::InputEmpty,
    Scenario::Fenced,
    Scenario::Prose,
    Scenario::ReasoningFirst,
    Scenario::ContentEmpty,
    Scenario::MessageNull,
    Scenario::BlankTexts,
    Scenario::Markup,
    Scenario::SurrogateTexts,
    Scenario::ControlCharacters,
    Scenario::Liquid,
    Scenario::LongTexts,
];

fn name(scenario: Scenario) -> String {
    scenario.to_possible_value().expect("has a name").get_name().to_owned()
}

fn user(n: usize) -> String {
    format!("{MARK}-user-{n}")
}

/// One user for each scenario, one whom none strikes, and lines that are no events.
fn events(folder: &Path) {
    let shows = SCENARIOS.map(|each| format!("{MARK} {}.", name(each)));
    let shows = shows.into_iter().chain([format!("{MARK} Harbour.")]);
    let event = |(n, show): (usize, String)| {
        let properties = json!({ "show": show, "season": 2, "episode": 7, "card": MARK });
        json!({
            "event_type": "users.behaviors.CustomEvent", "user_id": user(n), "id": format!("e{n}"),
            "external_user_id": format!("{MARK}-external"), "email": format!("{MARK}@example.com"),
            "time": 1_764_000_000, "name": "episode_watched", "properties": properties,
        })
    };
    let mut lines: Vec<String> =
        shows.enumerate().map(event).map(|event| event.to_string()).collect();
    lines.push(format!("{{\"user_id\": \"{MARK}\", \"time\": "));
    lines.push(json!({ "user_id": MARK, "event_type": MARK, "time": MARK }).to_string());
    std::fs::write(folder.join("events.jsonl"), lines.join("\n")).expect("is written");
}

/// A run that goes on until it is ended, which says where it is.
struct Served {
    child: Child,
    address: String,
}

fn serve(folder: &Path, log: &Path) -> Served {
    let scenarios = SCENARIOS.map(|each| format!("{0}={MARK} {0}.", name(each)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .env("RUST_LOG", LEVELS)
        .args(["--port", "0", "--batch-window-ms", "100", "--slow-ms", "10"])
        .args(["--scenario", &scenarios.join(","), "--campaigns"])
        .arg(campaigns())
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(log).expect("is created"))
        .spawn()
        .expect("program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
    let first = lines
        .find_map(|line| line.expect("is text").split_once("http://").map(|(_, at)| at.to_owned()));
    let address = first.expect("says where it is").trim_end_matches(['/', ' ']).to_owned();
    // Or it would wait for somebody who reads.
    std::thread::spawn(move || lines.for_each(drop));
    Served { child, address }
}

/// Texts of an answer, as long as that none stands in a log by chance.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.chars().count() > 12 => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_writes_nothing_of_a_user_a_prompt_or_an_answer_into_its_log() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let log = tempfile::NamedTempFile::new().expect("temporary file");
    events(folder.path());
    let mut run = serve(folder.path(), log.path());
    let http = reqwest::Client::new();
    let url = |path: &str| format!("http://{}{path}", run.address);
    let look_up = async |user: &str, password: &str| {
        let asked = http.get(url(&format!("/?campaign=new-episode&format=plain&user_id={user}")));
        asked.basic_auth("braze", Some(password)).send().await.expect("answers")
    };

    let last = user(SCENARIOS.len());
    let content = loop {
        let answer = look_up(&last, "local").await.text().await.expect("is text");
        if answer.contains(MARK) {
            break answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    let metrics = async || {
        let metrics = http.get(url("/local/metrics")).send().await.expect("answers");
        metrics.json::<Value>().await.expect("is JSON")
    };
    // Every odd answer was seen, and led to what it leads to.
    let received = SCENARIOS.len() as u64 + 1;
    loop {
        let now = metrics().await;
        let events = now["counts"]["events_received"].as_u64().unwrap_or_default();
        if events >= received && now["backlog"]["records"] == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    for wrong in ["", &format!("{MARK}%20%3Cscript%3E"), &format!("{MARK}{}", "x".repeat(300))] {
        look_up(wrong, "local").await;
        look_up(wrong, MARK).await;
    }
    let bodies = [
        format!("{{\"events\": [{{\"user\": \"{MARK}\""),
        json!({ "events": [{ "event_type": MARK, "id": MARK, "time": MARK, "user": { "user_id": MARK } }] }).to_string(),
        json!({ "user_id": MARK, "attributes": { MARK: MARK }, "campaign": MARK }).to_string(),
    ];
    for body in bodies {
        for token in ["local", MARK] {
            let post = http.post(url("/events")).bearer_auth(token).body(body.clone());
            post.send().await.expect("answers");
        }
    }
    let counts = metrics().await["counts"].clone();
    run.child.kill().expect("is running");
    run.child.wait().expect("ends");

    let mut written = String::new();
    let mut file = std::fs::File::open(log.path()).expect("is there");
    file.read_to_string(&mut written).expect("is text");
    assert!(written.contains("invocation done"), "the log is of this level: {written}");
    assert!(counts["dead_letters"].as_u64() > Some(3), "odd answers are given up: {counts}");
    assert!(counts["answers_refused"].as_u64() > Some(3), "answers are refused: {counts}");
    assert!(counts["credentials_refused"].as_u64() > Some(1), "{counts}");
    let mut secrets = vec![MARK.to_owned(), "The viewer has just watched".to_owned()];
    texts(&serde_json::from_str(&content).expect("is JSON"), &mut secrets);
    assert!(secrets.len() > 4, "{content}");
    for secret in secrets {
        let line = written.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{secret} stands in the log: {line:?}");
    }
}
