//! How much of the quota any number of instances uses together, how often a minute
//! exceeds it, and how the ways that people use today compare; written to
//! `target/bench/quota.json`.
//!
//! Time is virtual. The account counts as AWS describes it (`account`), the load asks for
//! half more than the quota (`load`), and the limiter is the processor's own over a table
//! in memory that takes 8 ms for a call. The peers call the account through the real SDK
//! client (`baselines`).

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

mod baselines;
mod small;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baselines::Way;
use quota::clock::Clock;
use quota::simulated::account::{Account, Shape, WINDOW_US};
use quota::simulated::load::{self, Caller, EPOCH_MS, Limited, Load, Run, Size};
use quota::simulated::memory::Memory as Lanes;
use serde_json::{Value, json};
use tokio::time::sleep;

/// Tokens per minute of the account.
const QUOTA: f64 = 4_000_000.0;

/// Calls of usual sizes.
const USUAL: &[Size] = &[Size::USUAL];

/// Length of a run in virtual seconds; the first minute is not counted.
const SECS: u64 = 660;

/// When the table goes away in the run that loses it, in seconds.
const DOWN: std::ops::Range<u64> = 180..300;

/// Instances with which the peers are compared.
const COMPARED: usize = 8;

/// What a run is about, besides its load.
#[derive(Debug, Clone, Copy)]
struct Scene {
    name: &'static str,
    shape: Shape,
    others: f64,
    quota: f64,
    loses_table: bool,
}

const PLAIN: Scene = Scene {
    name: "sliding window",
    shape: Shape::Sliding,
    others: 0.0,
    quota: QUOTA,
    loses_table: false,
};

fn main() {
    if std::env::args().any(|argument| argument == "small") {
        small::measure();
        return;
    }
    if let Some((instances, load)) = asked_for() {
        measure(PLAIN, None, instances, load);
        return;
    }
    let mut rows = Vec::new();
    for instances in [1, 8, 64, 512] {
        for load in Load::ALL {
            rows.push(measure(PLAIN, None, instances, load));
        }
    }
    for scene in scenes() {
        rows.push(measure(scene, None, 64, Load::Steady));
    }
    for way in Way::ALL {
        for load in Load::ALL {
            rows.push(measure(PLAIN, Some(way), COMPARED, load));
        }
    }
    let report = json!({
        "tokens_per_minute": QUOTA,
        "simulated_secs_after_the_first_minute": SECS - 60,
        "assumes": "AWS does not document how it windows the minute: windows are judged as \
            sliding ones, whatever the server counts. Calls of 600 tokens of input and 40 to \
            260 of output, allowance 300, burndown 5",
        "rows": rows,
        "small": small::measure(),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&path).expect("is created");
    let text = serde_json::to_string_pretty(&report).expect("is JSON");
    fs::write(path.join("quota.json"), text).expect("is written");
}

fn scenes() -> [Scene; 6] {
    [
        Scene { name: "minutes of the clock", shape: Shape::Fixed, ..PLAIN },
        Scene { name: "token bucket of the quota", shape: Shape::Bucket(1.0), ..PLAIN },
        Scene { name: "bursts to 1.8 times", shape: Shape::Bucket(0.8), ..PLAIN },
        Scene { name: "others take 30%", others: 0.3, ..PLAIN },
        Scene { name: "table out of reach for 2 minutes", loses_table: true, ..PLAIN },
        Scene { name: "16 times the quota", quota: 16.0 * QUOTA, ..PLAIN },
    ]
}

/// One run instead of all: its instances and the name of its load.
fn asked_for() -> Option<(usize, Load)> {
    let mut arguments = std::env::args().skip(1);
    let instances = arguments.next()?.parse().ok()?;
    let name = arguments.next()?;
    Some((instances, Load::ALL.into_iter().find(|load| load.name() == name)?))
}

/// Runs a load our way, or another.
fn measure(scene: Scene, way: Option<Way>, instances: usize, load: Load) -> Value {
    // Enough for the demand to exceed the quota.
    let concurrency = match (instances, load) {
        (1, _) => 160,
        (_, Load::Skewed) => 256,
        _ => 32,
    } * if scene.quota > QUOTA { 4 } else { 1 };
    let Scene { shape, others, quota, .. } = scene;
    let run =
        Run { quota, instances, concurrency, load, sizes: USUAL, others, secs: SECS, seed: 1 };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("starts");
    let row = runtime.block_on(async {
        let account = Arc::new(Account::new(shape, quota));
        let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
        let clock = load::clock();
        let (limited, callers) = callers(&run, way, &account, &lanes, clock);
        if scene.loses_table {
            tokio::spawn(lose_for_a_while(Arc::clone(&lanes)));
        }
        let waits = load::work(&run, &account, callers, clock).await;
        let calls: u64 = limited.iter().map(|caller| caller.limiter.table_calls()).sum();
        let (asked, refused) = account.asked();
        let (over, most) = account.windows_over();
        let from = EPOCH_MS * 1_000 + WINDOW_US;
        json!({
            "way": way.map_or("this project", Way::name),
            "scene": scene.name,
            "instances": instances,
            "load": load.name(),
            "utilisation": account.utilisation(from, from + (SECS - 60) * 1_000_000),
            "over_quota_windows": over,
            "fullest_window": most,
            "fullest_window_with_others": account.windows_over_with_others().1,
            "throttled_ratio": refused as f64 / asked as f64,
            "p99_wait_secs": waits.quantile(0.99),
            "table_calls_per_generation": calls as f64 / account.admitted() as f64,
            "busiest_second_of_an_item": lanes.busiest_second(),
        })
    });
    print(&row);
    row
}

fn callers(
    run: &Run,
    way: Option<Way>,
    account: &Arc<Account>,
    lanes: &Arc<Lanes>,
    clock: Clock,
) -> (Vec<Arc<Limited>>, Vec<Arc<dyn Caller>>) {
    match way {
        Some(way) => (Vec::new(), way.callers(run, account, clock)),
        None => {
            let limited = Limited::of(run, account, lanes, clock);
            let callers = limited.iter().map(|caller| Arc::clone(caller) as Arc<dyn Caller>);
            (limited.clone(), callers.collect())
        }
    }
}

async fn lose_for_a_while(lanes: Arc<Lanes>) {
    sleep(Duration::from_secs(DOWN.start)).await;
    lanes.set_down(true);
    sleep(Duration::from_secs(DOWN.end - DOWN.start)).await;
    lanes.set_down(false);
}

fn print(row: &Value) {
    let n = |name: &str| row[name].as_f64().unwrap_or_default();
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    println!(
        "{:<36} {:>4} {:<7} {:<33} used {:.4}  over {:>5} (fullest {:.3})  throttled {:.4}  \
         p99 wait {:>5.1} s  table {:.3}  item {:>3}/s",
        text("way"),
        n("instances"),
        text("load"),
        text("scene"),
        n("utilisation"),
        n("over_quota_windows"),
        n("fullest_window"),
        n("throttled_ratio"),
        n("p99_wait_secs"),
        n("table_calls_per_generation"),
        n("busiest_second_of_an_item"),
    );
}
