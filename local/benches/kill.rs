//! Kills a run that keeps its state (`--data`) again and again in the middle of its work, starts
//! it anew, and looks at the end whether anything was lost, doubled, or paid for in vain.
//!
//! ```text
//! files of one more part -> local --data DIR -> SIGKILL at a random moment, so many times
//! all files              -> local --data DIR --exit-when-done, undisturbed
//! all files              -> local --data OTHER --exit-when-done, undisturbed: what is right
//! ```
//!
//! Lost is what the undisturbed run remembers of a user and the other does not; doubled, what is
//! remembered twice. A call is paid for in vain if the same prompt is answered twice: that is the
//! price of an answer that was on its way when the process died, and of no other. So each answer
//! that was asked for again must have come within the last moments of a run that was killed.
//!
//! `make kill`; TIMES=n and SEED=s say how often, and which moments.

#![expect(clippy::expect_used, reason = "a check that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use contract::content;
use contract::dead_letter::DeadLetter;
use contract::digest;
use contract::local::DEAD_LETTERS_FILE;
use currents::generate::{Course, Plan, generate};
use currents::write::Compression;
use local::aws::{EmbeddedAws, Options, Pace, TABLE};
use local::bedrock::{Behaviour, StandIn};
use processor::store::plain_item;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Kills, unless somebody says how many.
const TIMES: usize = 200;

/// Events of each part, and the users that all parts have in common.
const EVENTS: u64 = 1_500;
const USERS: u64 = 3_000;

/// Parts; each is given to several runs in turn.
const PARTS: usize = 20;

/// When a run is killed, in milliseconds after its start.
const MOMENTS: std::ops::Range<u64> = 200..8_000;

/// The last moments of a run: an answer that came before them is stored.
const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// How long an answer is on its way at most: it can come when who asked has died.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Reason of the letter of a unit that is taken for the cause of deaths.
const SUSPECT: &str = "kills_the_function";

/// How long an undisturbed run may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Content and history of all users: by user and campaign, whether there is content, and the ids of
/// the events that are remembered.
type Stored = BTreeMap<(String, String), (bool, Vec<String>)>;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let times = arguments.next().map_or(TIMES, |n| usize::try_from(n).unwrap_or(TIMES));
    let seed = arguments.next().unwrap_or(1);
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let is_right = runtime.block_on(check(times, seed));
    std::process::exit(i32::from(!is_right));
}

async fn check(times: usize, seed: u64) -> bool {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parts: Vec<PathBuf> = (0..PARTS).map(|n| part(folder.path(), n, seed)).collect();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let model = Model::start(&tasks, &stop).await;
    let killed = folder.path().join("killed");
    let mut random = StdRng::seed_from_u64(seed);
    let mut deaths = Vec::new();
    for n in 0..times {
        let mut run = model.run(&killed, &parts[n * PARTS / times.max(1)..][..1]);
        tokio::time::sleep(Duration::from_millis(random.random_range(MOMENTS))).await;
        // One that has finished dies while it serves.
        run.kill().expect("is killed");
        deaths.push(Instant::now());
        run.wait().expect("has ended");
        if (n + 1) % 20 == 0 {
            println!("killed {} times, {} answers", n + 1, model.answers().len());
        }
    }
    let is_drained = model.finish(&killed, &parts).await;
    let answers = model.answers();
    let undisturbed = Model::start(&tasks, &stop).await;
    let other = folder.path().join("undisturbed");
    let is_right = undisturbed.finish(&other, &parts).await;
    let (found, expected) = (stored(&killed).await, stored(&other).await);
    let letters = letters(&killed);
    stop.cancel();
    let faults = [
        report("runs that ended as they should", usize::from(!is_drained) + usize::from(!is_right)),
        report("of a user lost", missing(&expected, &found)),
        report("of a user doubled or made up", missing(&found, &expected) + doubled(&found)),
        report("dead letters for another reason", letters),
        report("answers paid for in vain", in_vain(&answers, &deaths)),
    ];
    faults.iter().all(|n| *n == 0) && !expected.is_empty()
}

/// Dead letters, those left out of units that were by themselves when the process died three
/// times: they are taken for its cause, and kept.
fn letters(folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join(DEAD_LETTERS_FILE)).unwrap_or_default();
    let letters = text.lines().map(serde_json::from_str::<DeadLetter>);
    let reasons: Vec<String> =
        letters.map(|letter| letter.map_or(String::new(), |letter| letter.reason)).collect();
    let suspects = reasons.iter().filter(|reason| *reason == SUSPECT).count();
    println!("{suspects:>6} dead letters of units that were taken for the cause");
    reasons.len() - suspects
}

fn report(what: &str, faults: usize) -> usize {
    println!("{faults:>6} {what}");
    faults
}

/// Files of one part.
fn part(folder: &Path, n: usize, seed: u64) -> PathBuf {
    let part = folder.join(format!("part-{n}"));
    let seed = seed * 1_000 + n as u64;
    let (compression, course) = (Compression::default(), Course::default());
    let plan = Plan { events: EVENTS, users: USERS, seed, compression, course };
    generate(&plan, &part, |_| true).expect("is made");
    part
}

/// Entries that `other` lacks, or has otherwise.
fn missing(of: &Stored, other: &Stored) -> usize {
    of.iter().filter(|(key, value)| other.get(*key) != Some(*value)).count()
}

/// Entries in which an event is remembered twice.
fn doubled(stored: &Stored) -> usize {
    let is_doubled = |ids: &Vec<String>| ids.iter().collect::<BTreeSet<_>>().len() < ids.len();
    stored.values().filter(|(_, ids)| is_doubled(ids)).count()
}

/// Answers that were asked for again though they had come before the last moments of a run.
fn in_vain(answers: &[(String, Instant)], deaths: &[Instant]) -> usize {
    let mut latest: HashMap<&str, Instant> = HashMap::new();
    let (mut again, mut in_vain) = (0, 0);
    for (prompt, at) in answers {
        if let Some(before) = latest.insert(prompt, *at) {
            again += 1;
            let was_lost = deaths.iter().any(|death| {
                *death + ON_ITS_WAY >= before
                    && *death <= *at
                    && death.duration_since(before) <= LAST_MOMENTS
            });
            in_vain += usize::from(!was_lost);
        }
    }
    println!("{:>6} answers, {again} of them again after a death", answers.len());
    in_vain
}

/// What the table holds of all users, once nobody uses the folder.
async fn stored(folder: &Path) -> Stored {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let options =
        Options { shards: 1, enforce_limits: false, kept: true, faults: None, pace: Pace::Fast };
    let started = EmbeddedAws::start(folder, &options, &tasks, &stop).await;
    let (aws, _notifications) = started.expect("starts");
    let mut all = Stored::new();
    let mut pages = aws.dynamodb.scan().table_name(TABLE).into_paginator().send();
    while let Some(page) = pages.next().await {
        for item in page.expect("is read").items() {
            let item = plain_item(item.clone());
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
            let campaign = text(content::ITEM).unwrap_or_default();
            let history = text(content::HISTORY).unwrap_or_default();
            let history: Value = serde_json::from_str(&history).unwrap_or_default();
            let ids = history.as_array().into_iter().flatten();
            let ids = ids.filter_map(|event| Some(event["id"].as_str()?.to_owned())).collect();
            let has_content = item.contains_key(content::DATA);
            all.insert((text(content::USER_ID).unwrap_or_default(), campaign), (has_content, ids));
        }
    }
    stop.cancel();
    all
}

/// A model that outlives the runs, and remembers what it answered.
struct Model {
    address: std::net::SocketAddr,
    answered: Arc<Answered>,
}

#[derive(Debug)]
struct Answered {
    stand_in: std::net::SocketAddr,
    client: reqwest::Client,
    answers: Mutex<Vec<(String, Instant)>>,
}

impl Model {
    async fn start(tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let behaviour = Behaviour {
            tokens_per_minute: 1_000_000_000,
            latency: Duration::from_millis(150),
            ..Behaviour::default()
        };
        let stand_in = StandIn::start(behaviour, tasks, stop).await.expect("starts").address;
        let (client, answers) = (reqwest::Client::new(), Mutex::default());
        let answered = Arc::new(Answered { stand_in, client, answers });
        let router = Router::new().fallback(converse).with_state(Arc::clone(&answered));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("has an address");
        tasks.spawn(async move { axum::serve(listener, router).await });
        Self { address, answered }
    }

    fn answers(&self) -> Vec<(String, Instant)> {
        self.answered.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn command(&self, data: &Path, parts: &[PathBuf]) -> Command {
        let campaigns = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let mut run = Command::new(env!("CARGO_BIN_EXE_local"));
        run.args(["--port", "0", "--bedrock", "aws", "--tokens-per-minute", "1000000000"])
            .args(["--batch-window-ms", "50", "--campaigns"])
            .arg(campaigns)
            .arg("--data")
            .arg(data)
            .args(parts)
            .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", format!("http://{}", self.address))
            .env("AWS_REGION", local::aws::REGION)
            .env("AWS_ACCESS_KEY_ID", local::aws::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", local::aws::SECRET_KEY)
            .stdout(Stdio::null());
        run
    }

    fn run(&self, data: &Path, parts: &[PathBuf]) -> Child {
        self.command(data, parts).stderr(Stdio::null()).spawn().expect("starts")
    }

    /// Lets a run work to its end; tells whether it ended well.
    async fn finish(&self, data: &Path, parts: &[PathBuf]) -> bool {
        let mut command = self.command(data, parts);
        command.arg("--exit-when-done");
        let run = tokio::process::Command::from(command).kill_on_drop(true).status();
        let ended = tokio::time::timeout(PATIENCE, run).await;
        ended.is_ok_and(|ended| ended.expect("is run").success())
    }
}

/// Answers also who is gone by then: that is charged as well.
async fn converse(State(model): State<Arc<Answered>>, uri: Uri, body: Bytes) -> impl IntoResponse {
    tokio::spawn(answer(model, uri, body)).await.expect("does not panic")
}

/// Asks the stand-in, and remembers what it answered.
async fn answer(model: Arc<Answered>, uri: Uri, body: Bytes) -> impl IntoResponse {
    let prompt = digest::hex(&body);
    let url = format!("http://{}{}", model.stand_in, uri.path());
    let json = (header::CONTENT_TYPE, "application/json");
    let asked = model.client.post(url).header(json.0.clone(), json.1).body(body).send().await;
    let Ok(answer) = asked else {
        return (StatusCode::BAD_GATEWAY, [(json.0, json.1)], Bytes::new());
    };
    let status = answer.status();
    let answer = answer.bytes().await.unwrap_or_default();
    if status.is_success() {
        let mut answers = model.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push((prompt, Instant::now()));
    }
    (status, [(json.0, json.1)], answer)
}
