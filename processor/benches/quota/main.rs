//! How much of the quota any number of instances uses together, and how often a minute
//! exceeds it; written to `target/bench/quota.json`.
//!
//! Time is virtual. The account counts as AWS describes it (`account`), the load asks for
//! half more than the quota (`load`), and the limiter is the processor's own over a table
//! in memory that takes 8 ms for a call.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

mod account;
#[path = "../../tests/it/world/lanes.rs"]
mod lanes;
mod load;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use account::{Account, Shape, WINDOW_US};
use lanes::Lanes;
use load::{Caller, EPOCH_MS, Limited, Load, Run};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Tokens per minute of the account.
const QUOTA: f64 = 4_000_000.0;

/// Length of a run in virtual seconds; the first minute is not counted.
const SECS: u64 = 660;

/// When the table goes away in the run that loses it, in seconds.
const DOWN: std::ops::Range<u64> = 180..300;

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
    if let Some((instances, load)) = asked_for() {
        measure(PLAIN, instances, load);
        return;
    }
    let mut rows = Vec::new();
    for instances in [1, 8, 64, 512] {
        for load in Load::ALL {
            rows.push(measure(PLAIN, instances, load));
        }
    }
    let scenes = [
        Scene { name: "minutes of the clock", shape: Shape::Fixed, ..PLAIN },
        Scene { name: "token bucket of the quota", shape: Shape::Bucket(1.0), ..PLAIN },
        Scene { name: "bursts to 1.8 times", shape: Shape::Bucket(0.8), ..PLAIN },
        Scene { name: "others take 30%", others: 0.3, ..PLAIN },
        Scene { name: "table out of reach for 2 minutes", loses_table: true, ..PLAIN },
        Scene { name: "16 times the quota", quota: 16.0 * QUOTA, ..PLAIN },
    ];
    for scene in scenes {
        rows.push(measure(scene, 64, Load::Steady));
    }
    let report = json!({
        "tokens_per_minute": QUOTA,
        "simulated_secs_after_the_first_minute": SECS - 60,
        "assumes": "AWS does not document how it windows the minute: windows are judged as \
            sliding ones, whatever the server counts",
        "rows": rows,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&path).expect("is created");
    fs::write(path.join("quota.json"), report.to_string()).expect("is written");
}

/// One run instead of all: its instances and the name of its load.
fn asked_for() -> Option<(usize, Load)> {
    let mut arguments = std::env::args().skip(1);
    let instances = arguments.next()?.parse().ok()?;
    let name = arguments.next()?;
    Some((instances, Load::ALL.into_iter().find(|load| load.name() == name)?))
}

fn measure(scene: Scene, instances: usize, load: Load) -> Value {
    // Enough for the demand to exceed the quota.
    let concurrency = match (instances, load) {
        (1, _) => 160,
        (_, Load::Skewed) => 256,
        _ => 32,
    } * if scene.quota > QUOTA { 4 } else { 1 };
    let Scene { shape, others, quota, .. } = scene;
    let run = Run { quota, instances, concurrency, load, others, secs: SECS, seed: 1 };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("starts");
    let row = runtime.block_on(async {
        let account = Arc::new(Account::new(shape, quota));
        let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
        let clock = load::clock();
        let limited = Limited::of(&run, &account, &lanes, clock);
        let callers = limited.iter().map(|caller| Arc::clone(caller) as Arc<dyn Caller>);
        if scene.loses_table {
            let lanes = Arc::clone(&lanes);
            tokio::spawn(async move {
                sleep(Duration::from_secs(DOWN.start)).await;
                lanes.set_down(true);
                sleep(Duration::from_secs(DOWN.end - DOWN.start)).await;
                lanes.set_down(false);
            });
        }
        let waits = load::work(&run, &account, callers.collect(), clock).await;
        let calls: u64 = limited.iter().map(|caller| caller.limiter.table_calls()).sum();
        let (asked, refused) = account.asked();
        let (over, most) = account.windows_over();
        let from = EPOCH_MS * 1_000 + WINDOW_US;
        if std::env::args().len() > 2 {
            for m in 1..11 {
                print!(
                    "{:.3} ",
                    account.utilisation(from + (m - 1) * 60_000_000, from + m * 60_000_000)
                );
            }
            println!();
        }
        json!({
            "scene": scene.name,
            "instances": instances,
            "load": load.name(),
            "utilisation": account.utilisation(from, from + (SECS - 60) * 1_000_000),
            "over_quota_windows": over,
            "fullest_window": most,
            "throttled_ratio": refused as f64 / asked as f64,
            "p99_wait_secs": waits.quantile(0.99),
            "lease_calls_per_generation": calls as f64 / account.admitted() as f64,
            "busiest_second_of_an_item": lanes.busiest_second(),
        })
    });
    let n = |name: &str| row[name].as_f64().unwrap_or_default();
    println!(
        "{:>4} {:<7} {:<33} used {:.4}  over {:>5} (fullest {:.3})  throttled {:.4}  \
         p99 wait {:>5.1} s  leases {:.3}  item {:>3}/s",
        instances,
        load.name(),
        scene.name,
        n("utilisation"),
        n("over_quota_windows"),
        n("fullest_window"),
        n("throttled_ratio"),
        n("p99_wait_secs"),
        n("lease_calls_per_generation"),
        n("busiest_second_of_an_item"),
    );
    row
}
