//! What cannot be answered at once waits, here as on AWS, and everything adds up.

use std::path::Path;

use contract::ask::Reason;
use contract::local::{Faults as Plan, Kind};
use contract::metrics::{self, AskFate};
use local::aws;
use local::bedrock::Behaviour;
use local::bedrock::scenario::{Rule, Scenario};
use local::faults::Faults;
use local::front;
use local::pipeline::{Model, Options, Pipeline};
use quota::{ModelQuota, ModelQuotas};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{Rig, behaviour, options, watched};

/// Users who get content each.
const USERS: usize = 60;

/// Tokens a minute of which events of a batch get some of their content, and asks the rest.
const TOKENS_PER_MINUTE: u64 = 400_000;

/// One event of each of so many users, whose prompts all differ.
fn files() -> TempDir {
    let files = tempfile::tempdir().expect("temporary folder");
    let shows =
        (0..USERS).map(|n| json!({ "show": format!("Show {n}"), "season": 1, "episode": 2 }));
    watched(files.path(), &shows.collect::<Vec<Value>>());
    files
}

/// Options with a quota that is the service's, too.
fn with_quota(quota: ModelQuota) -> Options {
    let mut behaviour = behaviour();
    behaviour.tokens_per_minute = quota.tokens_per_minute.get();
    let (quotas, bedrock) = (ModelQuotas::same(quota), Model::StandIn(behaviour));
    Options { quotas, bedrock, ..options() }
}

async fn start(folder: &Path, options: Options) -> Pipeline {
    let listener = front::bind(0).await.expect("a port is free");
    Pipeline::start(folder, options, listener).await.expect("starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_quota_does_not_let_through_at_once_is_answered_later_even_if_workers_die() {
    let faults = Faults::default();
    let quota = ModelQuota::of_tokens(TOKENS_PER_MINUTE);
    let aws = aws::Options { faults: Some(faults.clone()), ..options().aws };
    let rig = Rig::start(Options { aws, ..with_quota(quota) }).await;
    faults.set(Plan { kill_every: 3, ..Plan::default() }).expect("is valid");

    rig.process(files().path()).await;

    assert!(faults.struck(Kind::Kill) > 0);
    assert_eq!(rig.lost(), 0);
    assert_eq!(rig.pipeline.parked.waits().asks, 0);
    assert!(rig.count(metrics::ASKS_RECEIVED) > 0, "{:?}", rig.counts());
    for n in 0..USERS {
        let query = format!("user_id={}&format=plain", crate::rig::watcher(n));
        let (_, answer) = rig.look_up(&query).await;
        assert!(answer["source"].is_null(), "{n}: {answer} {:?}", rig.counts());
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_where_the_day_is_used_up_and_another_run_goes_on() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let kept = || aws::Options { kept: true, ..options().aws };
    let used_up = Behaviour { scenarios: vec![Rule::from(Scenario::DailyQuota)], ..behaviour() };
    let refused = Options { aws: kept(), bedrock: Model::StandIn(used_up), ..options() };
    let pipeline = start(folder.path(), refused).await;
    let rig = Rig { pipeline, folder };

    rig.process(files().path()).await;

    let waits = rig.pipeline.parked.waits();
    assert_eq!((rig.lost(), waits.asks), (0, USERS as u64), "{:?}", rig.counts());
    assert!(waits.groups.iter().all(|group| group.reason == Reason::DayQuota), "{waits:?}");
    let Rig { pipeline, folder } = rig;
    pipeline.stop().await;

    let pipeline = start(folder.path(), Options { aws: kept(), ..options() }).await;
    let rig = Rig { pipeline, folder };
    rig.pipeline.drain().await;

    assert_eq!(rig.pipeline.parked.waits().asks, 0);
    assert_eq!(
        (rig.lost(), rig.count(AskFate::Stored.metric())),
        (0, USERS as u64),
        "{:?}",
        rig.counts()
    );
    rig.pipeline.stop().await;
}
