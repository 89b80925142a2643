//! What calls are charged, and what they are settled to: the lane's time says it.
//!
//! Every call is of a kind of its own, so that it is charged its worst case; then its
//! time is in proportion to its tokens, and what a limiter took of the lane can be counted
//! in tokens.

mod counted;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use quota::Tokens;
use quota::jitter::Jitter;
use quota::{Call, Instance, Limiter, ModelQuota};
use tokio::time::{Instant, sleep, timeout};

use counted::{Counted, LATENCY};
use quota::simulated::load;

const QUOTA: u64 = 6_000_000;

/// The largest call, which is kept free of the quota.
const LARGEST: u64 = 60_000;

/// Longest wait of a call.
const PATIENCE: Duration = Duration::from_secs(50);

/// Calls that pay what is still owed in the end.
const LAST_CALLS: usize = 12;

/// Rounding of the limiter's times, in tokens.
const ROUNDING: f64 = 100.0;

/// How a call ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// With some part of what it was charged.
    Settled(f64),
    Released,
    Dropped,
    /// Nobody waits for it any more after some milliseconds.
    Abandoned(u64),
}

/// What calls were charged, and took more or less; in tokens.
#[derive(Debug, Clone, Copy, Default)]
struct Ledger {
    charged: f64,
    more: f64,
    less: f64,
}

/// A limiter and its lane.
struct Books {
    limiter: Limiter,
    table: Arc<Counted>,
}

impl Books {
    fn open() -> Self {
        let table = Arc::new(Counted::new(QUOTA - LARGEST));
        let instance = Instance {
            table: Arc::<Counted>::clone(&table),
            instances: NonZeroU32::MIN,
            clock: load::clock(),
            jitter: Arc::new(Jitter::seeded(1)),
        };
        let limiter = Limiter::new("model", ModelQuota::of_tokens(QUOTA), instance);
        Self { limiter, table }
    }

    async fn call(&self, kind: &str, input_tokens: u64, end: End) -> Ledger {
        let since = Instant::now();
        let call = Call { kind, priority: 0, input_tokens, max_tokens: 0, since };
        let reserve = self.limiter.reserve(&call, since + PATIENCE);
        let patience =
            if let End::Abandoned(ms) = end { Duration::from_millis(ms) } else { PATIENCE };
        let Ok(reservation) = timeout(patience, reserve).await else { return Ledger::default() };
        let reservation = reservation.expect("fits");
        let charged = input_tokens as f64;
        let ledger = Ledger { charged, ..Ledger::default() };
        match end {
            End::Settled(part) => {
                let input_tokens = (charged * part) as u64;
                reservation.settle(Tokens { input: input_tokens, output: 0 });
                let more = input_tokens as f64 - charged;
                Ledger { more: more.max(0.0), less: (-more).max(0.0), ..ledger }
            }
            End::Released | End::Abandoned(_) => {
                reservation.release();
                ledger
            }
            End::Dropped => ledger,
        }
    }

    /// Makes the calls of each group at once, and some at the end that pay what is owed.
    async fn enter(&self, groups: &[Vec<(u64, End)>]) -> Ledger {
        let mut ledger = self.call("first", LARGEST, End::Settled(1.0)).await;
        for (number, group) in groups.iter().enumerate() {
            let calls = group.iter().enumerate().map(|(place, (tokens, end))| async move {
                self.call(&format!("{number} {place}"), *tokens, *end).await
            });
            for entry in join_all(calls).await {
                ledger = ledger.and(entry);
            }
        }
        for last in 0..LAST_CALLS {
            ledger =
                ledger.and(self.call(&format!("last {last}"), LARGEST, End::Settled(1.0)).await);
        }
        ledger
    }

    /// What was taken of the lane, in tokens.
    fn taken(&self) -> f64 {
        self.table.kept().taken
    }
}

impl Ledger {
    fn and(self, other: Self) -> Self {
        Self {
            charged: self.charged + other.charged,
            more: self.more + other.more,
            less: self.less + other.less,
        }
    }
}

fn entered(groups: &[Vec<(u64, End)>]) -> (Ledger, Books) {
    in_virtual_time(async {
        let books = Books::open();
        let ledger = books.enter(groups).await;
        // What is on its way back arrives.
        sleep(LATENCY).await;
        (ledger, books)
    })
}

fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("starts").block_on(run)
}

fn groups(end: impl Strategy<Value = End>) -> impl Strategy<Value = Vec<Vec<(u64, End)>>> {
    let group = prop::collection::vec((1_000_u64..20_000, end), 1..7);
    prop::collection::vec(group, 1..6)
}

fn any_end() -> impl Strategy<Value = End> {
    let settled = (0.0..1.5).prop_map(End::Settled);
    prop_oneof![6 => settled, 1 => Just(End::Released), 1 => Just(End::Dropped)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever calls took more than they were charged is taken of the lane, to the token.
    #[test]
    fn what_calls_take_more_is_paid(groups in groups((1.0..1.5).prop_map(End::Settled))) {
        let (ledger, books) = entered(&groups);
        let (taken, owed) = (books.taken(), ledger.charged + ledger.more);
        prop_assert!((taken - owed).abs() < ROUNDING, "{taken} {ledger:?}");
    }

    /// What calls took less is credited at most, and a twentieth of a slice.
    #[test]
    fn calls_are_never_charged_less_than_they_are_settled_to(groups in groups(any_end())) {
        let (ledger, books) = entered(&groups);
        let (taken, owed) = (books.taken(), ledger.charged + ledger.more);
        prop_assert!(taken > owed - ledger.less - ROUNDING, "{taken} {ledger:?}");
        prop_assert!(taken < owed + ROUNDING, "{taken} {ledger:?}");
    }

    /// Nor where calls are given up while their slice is being taken.
    #[test]
    fn time_that_is_given_back_takes_no_debt_with_it(
        groups in groups(prop_oneof![
            2 => (1.0..1.5).prop_map(End::Settled),
            1 => (0_u64..60).prop_map(End::Abandoned),
        ])
    ) {
        let (ledger, books) = entered(&groups);
        let (taken, owed) = (books.taken(), ledger.charged + ledger.more);
        prop_assert!(taken > owed - ROUNDING, "{taken} {ledger:?}");
    }
}

#[test]
fn a_call_that_is_cut_off_is_charged_its_worst_case_and_one_that_is_refused_what_it_was() {
    for (end, owed) in [(End::Dropped, 2_500.0), (End::Released, 0.0), (End::Settled(0.5), 0.0)] {
        in_virtual_time(async {
            let books = Books::open();
            books.call("first", LARGEST, End::Settled(1.0)).await;
            for _ in 0..2 {
                books.call("learnt", 10_000, End::Settled(0.5)).await;
            }
            books.call("learnt", 10_000, end).await;
            let before = books.taken();
            books.call("next", LARGEST, End::Settled(1.0)).await;
            let taken = books.taken() - before;
            let expected = LARGEST as f64 + owed;
            assert!((taken - expected).abs() < ROUNDING, "{end:?}: {taken}");
        });
    }
}

#[test]
fn time_that_a_call_gave_up_goes_back_though_the_call_that_asked_starts() {
    in_virtual_time(async {
        let books = Books::open();
        books.call("first", LARGEST, End::Settled(1.0)).await;
        let before = books.taken();
        let ends = [("asks", End::Settled(1.0)), ("gone", End::Abandoned(10))];
        join_all(ends.map(|(name, end)| books.call(name, 20_000, end))).await;
        sleep(LATENCY).await;
        let taken = books.taken() - before;
        assert!((taken - 20_000.0).abs() < ROUNDING, "{taken}");
    });
}
