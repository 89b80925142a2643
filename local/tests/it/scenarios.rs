//! What Bedrock and models have been seen to do, one after the other, against the real
//! processor: what it costs, what becomes of the events, and what the operator hears.

mod failing;
mod odd;
mod refused;
mod stand_in;
mod unreadable;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;
use contract::ask::Reason;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, AskFate, Fate};
use local::aws::{COORDINATION_TABLE, read_dead_letters};
use local::bedrock::Behaviour;
use local::bedrock::scenario::{Rule, Scenario};
use local::event_source::Mapping;
use local::pipeline::{Model, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{Rig, behaviour, changed_campaign, options, watched, watcher};

/// Shows beside those that a scenario strikes.
const OTHERS: usize = 20;

/// How the model is held to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    JsonSchema,
    Tool,
}

const FORMS: [Form; 2] = [Form::JsonSchema, Form::Tool];

/// A campaign with a budget, so that what was charged can be seen, and with more settings.
fn campaign(form: Form, settings: &str) -> TempDir {
    let budget = format!("{settings}\n\n[budget]\ntokens_per_day = 10_000_000\n\n[trigger]");
    changed_campaign(|text| {
        let text = text.replace("\n[trigger]", &budget);
        match form {
            Form::JsonSchema => text,
            Form::Tool => text.replace("\"json-schema\"", "\"tool\""),
        }
    })
}

/// The name of the show that a scenario strikes.
fn show_of(scenario: Scenario) -> String {
    format!("The {}.", scenario.to_possible_value().expect("has a name").get_name())
}

/// Rules that strike one show each, named after the scenario.
fn struck(scenarios: &[Scenario]) -> Vec<Rule> {
    let rule = |scenario| Rule { text: show_of(scenario), ..Rule::from(scenario) };
    scenarios.iter().map(|scenario| rule(*scenario)).collect()
}

/// A run over one show for each scenario, and others.
struct Run {
    rig: Rig,
    scenarios: Vec<Scenario>,
    letters: BTreeMap<String, DeadLetter>,
    users: u64,
    _campaigns: TempDir,
}

impl Run {
    async fn over(scenarios: &[Scenario], campaigns: TempDir, bedrock: Behaviour) -> Self {
        let campaigns_dir: PathBuf = campaigns.path().to_owned();
        let bedrock = Model::StandIn(bedrock);
        // Far more than the processor needs, so that a test of what never ends ends.
        let mapping = Mapping { maximum_retry_attempts: Some(12), ..Mapping::prompt() };
        let rig = Rig::start(Options { campaigns_dir, bedrock, mapping, ..options() }).await;
        let struck = scenarios.iter().map(|scenario| show_of(*scenario));
        let shows = struck.chain((0..OTHERS).map(|n| format!("Other {n}.")));
        let properties: Vec<Value> =
            shows.map(|show| json!({ "show": show, "season": 1, "episode": 2 })).collect();
        let files = tempfile::tempdir().expect("temporary folder");
        watched(files.path(), &properties);
        rig.process(files.path()).await;
        let letters = read_dead_letters(rig.folder.path(), 0, 1_000).expect("can be read");
        let letters = letters.into_iter().map(|letter| (user_of(&letter), letter)).collect();
        let (users, scenarios) = (properties.len() as u64, scenarios.to_vec());
        Self { rig, scenarios, letters, users, _campaigns: campaigns }
    }

    /// Every event has one lasting fate, or its ask has one or waits, and nothing was paid for
    /// outside of the budget.
    async fn reconcile(&self) {
        assert_eq!(self.rig.lost(), 0);
        let of_events = [Fate::Stored, Fate::DeadLettered].map(Fate::metric);
        let of_asks = [AskFate::Stored, AskFate::DeadLettered].map(AskFate::metric);
        let done = [of_events, of_asks].concat().into_iter();
        let done: u64 = done.map(|name| self.rig.count(name)).sum();
        let waiting = self.rig.pipeline.parked.waits().asks;
        assert_eq!(done + waiting, self.users, "{:?}", self.letters);
        assert_eq!(self.rig.count(metrics::DEAD_LETTERS), self.letters.len() as u64);
        let (spent, billed) = (self.spent().await, self.stand_in().billed());
        assert!(spent >= billed.tokens, "charged {spent}, billed {billed:?}");
    }

    fn stand_in(&self) -> &local::bedrock::StandIn {
        self.rig.pipeline.stand_in.as_ref().expect("a stand-in is used")
    }

    /// What the budget of the day was charged, in tokens.
    async fn spent(&self) -> u64 {
        let scan = self.rig.pipeline.aws.dynamodb.scan().table_name(COORDINATION_TABLE);
        let items = scan.send().await.expect("is read").items.unwrap_or_default();
        let spent = items.iter().filter_map(|item| item.get("spent")?.as_n().ok());
        spent.map(|spent| spent.parse::<u64>().expect("is a number")).sum()
    }

    /// The content about the show that a scenario strikes, as it is served.
    async fn content(&self, scenario: Scenario) -> Option<Value> {
        let place = self.scenarios.iter().position(|each| *each == scenario).expect("is in it");
        self.content_of(place).await
    }

    async fn content_of(&self, user: usize) -> Option<Value> {
        let query = format!("user_id={}&format=plain", watcher(user));
        let (_, mut answer) = self.rig.look_up(&query).await;
        answer["source"].is_null().then(|| answer["data"].take())
    }

    /// The letter about the show that a scenario strikes.
    fn letter(&self, scenario: Scenario) -> Option<&DeadLetter> {
        let place = self.scenarios.iter().position(|each| *each == scenario).expect("is in it");
        self.letters.get(&watcher(place))
    }

    /// All others have their content.
    async fn others_are_served(&self) {
        let first = self.scenarios.len();
        for n in first..first + OTHERS {
            assert!(self.content_of(n).await.is_some(), "{n}: {:?}", self.letters);
        }
    }

    /// How many asks wait, all of them for this reason.
    fn waiting(&self, reason: Reason) -> u64 {
        let waits = self.rig.pipeline.parked.waits();
        assert!(waits.groups.iter().all(|group| group.reason == reason), "{waits:?}");
        waits.asks
    }

    async fn stop(self) {
        self.rig.pipeline.stop().await;
    }
}

fn user_of(letter: &DeadLetter) -> String {
    match &letter.input {
        Input::Unit { user_id, .. } => user_id.clone(),
        Input::Ask { ask, .. } => ask.user_id.clone(),
        // What the event source gave up names no user.
        _ => letter.reason.clone(),
    }
}

/// A stand-in that does this.
fn doing(scenarios: Vec<Rule>) -> Behaviour {
    Behaviour { scenarios, slow: Duration::from_secs(2), ..behaviour() }
}
