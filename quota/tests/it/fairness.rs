//! Whose turn it is: nobody waits longer than for those before, be a call large or small.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use quota::Tokens;
use quota::jitter::Jitter;
use quota::lane::{Ask, LATE, WINDOW};
use quota::table::{LaneName, QuotaTable as _};
use quota::{Call, Instance, Limiter, ModelQuota};
use tokio::time::{Instant, sleep};

use quota::simulated::load;
use quota::simulated::memory::Memory as Lanes;

const QUOTA: u64 = 6_000_000;

/// The largest call, which is kept free of the quota. Of larger ones fewer than sixteen
/// would fit, and all calls would be worth as much as they.
const LARGEST: u64 = 300_000;

/// How much earlier a call of the next higher priority counts as having come.
const HEAD_START_SECS: f64 = 10.0;

/// Longest slice of several calls.
const MAX_SLICE_SECS: f64 = 5.0;

/// How long before its last call starts a slice is followed by the next.
const AHEAD_SECS: f64 = 0.1;

/// Longest wait of a call.
const PATIENCE: Duration = Duration::from_secs(600);

/// A call that is to be made.
#[derive(Debug, Clone, Copy)]
struct Comes {
    at: Duration,
    tokens: u64,
    priority: i32,
}

/// A call that was made; times in seconds.
#[derive(Debug, Clone, Copy)]
struct Started {
    came: f64,
    counts_from: f64,
    at: f64,
    worth: f64,
}

impl Started {
    fn is_ahead_of(&self, other: &Self) -> bool {
        // Of the same moment either may be the first.
        self.counts_from < other.counts_from + 1e-6
    }

    /// Until when time may have been promised when the call came: the last call of a slice,
    /// and the slice after it.
    fn promised_until(&self) -> f64 {
        self.came + AHEAD_SECS + worth_secs(LARGEST) + MAX_SLICE_SECS
    }
}

/// The time that tokens are worth.
fn worth_secs(tokens: u64) -> f64 {
    (WINDOW + LATE).as_secs_f64() * tokens as f64 / (QUOTA - LARGEST) as f64
}

/// Makes the calls on a lane that was not idle before; each is of a kind of its own,
/// so that it is worth its tokens.
async fn make(calls: &[Comes]) -> Vec<Started> {
    let lanes = Arc::new(Lanes::default());
    let clock = load::clock();
    let ask = Ask {
        now_us: clock.now_us(),
        length_us: 1,
        latest_us: u64::MAX,
        day: 0,
        tokens: 0,
        tokens_per_day: None,
        // What passed before counts for nothing.
        resumes_us: Some(clock.now_us()),
    };
    let name = LaneName { model_id: "model".to_owned(), number: 0 };
    lanes.take(&name, &ask, &[], None).await.expect("answers");
    let table: Arc<Lanes> = Arc::clone(&lanes);
    let jitter = Arc::new(Jitter::seeded(1));
    let instance = Instance { table, instances: NonZeroU32::MIN, clock, jitter };
    let limiter = Limiter::new("model", ModelQuota::of_tokens(QUOTA), instance);

    let began = Instant::now();
    let largest = Comes { at: Duration::ZERO, tokens: LARGEST, priority: 0 };
    let all = std::iter::once(&largest).chain(calls).enumerate();
    let started = all.map(async |(number, comes)| {
        sleep(comes.at).await;
        let kind = number.to_string();
        let call = Call {
            kind: &kind,
            priority: comes.priority,
            input_tokens: comes.tokens,
            max_tokens: 0,
            since: Instant::now(),
        };
        let came = began.elapsed().as_secs_f64();
        let reservation = limiter.reserve(&call, began + PATIENCE).await.expect("in time");
        let at = began.elapsed().as_secs_f64();
        reservation.settle(Tokens { input: comes.tokens, output: 0 });
        let counts_from = came - f64::from(comes.priority) * HEAD_START_SECS;
        Started { came, counts_from, at, worth: worth_secs(comes.tokens) }
    });
    join_all(started).await
}

fn made(calls: &[Comes]) -> Vec<Started> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("starts");
    runtime.block_on(make(calls))
}

/// Whether all waited for those ahead of them, and for what was promised when they came.
fn check(started: &[Started]) -> Result<(), TestCaseError> {
    for own in started {
        let mut ahead_secs = 0.0;
        for other in started.iter().filter(|other| other.at > own.came) {
            if other.is_ahead_of(own) {
                ahead_secs += other.worth;
            } else if other.at < own.at {
                prop_assert!(other.at <= own.promised_until(), "{other:?} overtakes {own:?}");
            }
        }
        let latest = own.promised_until() + ahead_secs;
        prop_assert!(own.at <= latest, "{own:?} starts after {latest}");
    }
    Ok(())
}

prop_compose! {
    fn call()(at_ms in 0_u64..20_000, tokens in 1_000_u64..60_000, size in 0..8, priority in -1..=1) -> Comes {
        let tokens = if size == 0 { tokens * 5 } else { tokens };
        Comes { at: Duration::from_millis(at_ms), tokens, priority }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A higher priority counts as its head start, and no more.
    #[test]
    fn a_call_waits_for_those_ahead_of_it_and_what_was_promised_when_it_came(
        calls in prop::collection::vec(call(), 1..120)
    ) {
        check(&made(&calls))?;
    }
}

#[test]
fn a_large_call_does_not_starve_among_small_ones() {
    let small = |at| Comes { at, tokens: 20_000, priority: 0 };
    let large_at = Duration::from_millis(10_010);
    // Twice the quota for a minute.
    let mut calls: Vec<_> = (0..600).map(|n| small(Duration::from_millis(100) * n)).collect();
    calls.insert(0, Comes { at: large_at, tokens: LARGEST, priority: 0 });

    let started = made(&calls);

    check(&started).expect("fair");
    let large = started[1];
    let later = started.iter().filter(|call| call.came > large.came && call.at > large.at);
    assert!(later.count() > 400, "{large:?} goes before nearly all that came later");
}

#[test]
fn a_low_priority_does_not_starve_among_high_ones() {
    let high = |at| Comes { at, tokens: 20_000, priority: 1 };
    let mut calls: Vec<_> = (0..600).map(|n| high(Duration::from_millis(100) * n)).collect();
    calls.insert(0, Comes { at: Duration::from_millis(5), tokens: 20_000, priority: 0 });

    let started = made(&calls);

    check(&started).expect("fair");
    let low = started[1];
    let sooner = started.iter().filter(|call| call.came > low.came + HEAD_START_SECS);
    assert!(sooner.clone().count() > 400, "{}", sooner.count());
    assert!(sooner.clone().all(|call| call.at > low.at), "{low:?}");
}
