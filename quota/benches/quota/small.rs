//! Small quotas, with calls of several sizes: what is used of them, beside what could be.

use std::sync::Arc;
use std::time::Duration;

use quota::simulated::account::{Account, Shape, WINDOW_US};
use quota::simulated::ideal;
use quota::simulated::load::{self, Caller, EPOCH_MS, Limited, Load, Run, Size};
use quota::simulated::memory::Memory as Lanes;
use serde_json::{Value, json};

use crate::SECS;

const QUOTAS: [f64; 4] = [4_000.0, 10_000.0, 20_000.0, 50_000.0];

const INSTANCES: [usize; 3] = [1, 2, 18];

/// Long under way, with an allowance for far more than they take.
const HELD: Size =
    Size { kind: "held", took: std::time::Duration::from_millis(4_600), ..Size::LOOSE };

const LOADS: [&[Size]; 7] = [
    &[Size::EVEN],
    &[Size::SHORT],
    &[Size::LONG],
    &[Size::SLOW],
    &[Size::LOOSE],
    &[HELD],
    &[Size::SHORT, Size::LONG, Size::LARGE],
];

/// Runs each quota with each load.
pub(crate) fn measure() -> Vec<Value> {
    let mut rows = Vec::new();
    for sizes in LOADS {
        for quota in QUOTAS {
            rows.extend(INSTANCES.map(|instances| run(quota, instances, sizes)));
        }
    }
    rows
}

fn run(quota: f64, instances: usize, sizes: &'static [Size]) -> Value {
    let (load, secs) = (Load::Steady, SECS);
    let run = Run { quota, instances, concurrency: 24, load, sizes, others: 0.0, secs, seed: 7 };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("starts");
    let row = runtime.block_on(async {
        let account = Arc::new(Account::new(Shape::Sliding, quota));
        let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
        let clock = load::clock();
        let limited = Limited::of(&run, &account, &lanes, clock);
        let callers = limited.iter().map(|caller| Arc::clone(caller) as Arc<dyn Caller>);
        load::work(&run, &account, callers.collect(), clock).await;
        let from = EPOCH_MS * 1_000 + WINDOW_US;
        let calls: u64 = limited.iter().map(|caller| caller.limiter.table_calls()).sum();
        json!({
            "tokens_per_minute": quota,
            "kinds": sizes.iter().map(|size| size.kind).collect::<Vec<_>>(),
            "instances": instances,
            "utilisation": account.utilisation(from, from + (SECS - 60) * 1_000_000),
            "possible": ideal::part(&run),
            "over_quota_windows": account.windows_over().0,
            "fullest_window": account.windows_over().1,
            "throttled": account.asked().1,
            "table_calls_per_second": calls as f64 / SECS as f64,
        })
    });
    println!("{row}");
    row
}
