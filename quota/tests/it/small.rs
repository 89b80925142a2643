//! Small quotas across instances, in virtual time: used up as far as they can be, never
//! exceeded.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::simulated::account::{Account, Shape, WINDOW_US};
use quota::simulated::ideal;
use quota::simulated::load::{self, Caller, EPOCH_MS, Limited, Load, Run, Size};
use quota::simulated::memory::Memory as Lanes;
use quota::{Call, Instance, Limiter, ModelQuota, NotAdmitted, Tokens};
use tokio::time::{Instant, sleep};

/// Calls that are all alike, whose answers differ, which are slow, and all of it mixed.
const LOADS: [&[Size]; 4] = [
    &[Size::EVEN],
    &[Size::LONG],
    &[Size::LONG, Size::SLOW],
    &[Size::SHORT, Size::LONG, Size::LARGE],
];

/// Simulated seconds of a run; the first minute is not counted.
const SECS: u64 = 660;

const LONG: Duration = Duration::from_secs(600);

fn run_of(quota: u64, instances: usize, sizes: &'static [Size]) -> Run {
    let load = Load::Steady;
    let quota = quota as f64;
    Run { quota, instances, concurrency: 24, load, sizes, others: 0.0, secs: SECS, seed: 7 }
}

fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("starts").block_on(run)
}

/// Works a load off, while `meanwhile` happens to the table.
fn worked(run: &Run, meanwhile: impl AsyncFnOnce(&Lanes)) -> Arc<Account> {
    in_virtual_time(async {
        let account = Arc::new(Account::new(Shape::Sliding, run.quota));
        let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
        let clock = load::clock();
        let callers = Limited::of(run, &account, &lanes, clock);
        let callers = callers.into_iter().map(|caller| caller as Arc<dyn Caller>).collect();
        tokio::join!(load::work(run, &account, callers, clock), meanwhile(&lanes));
        account
    })
}

fn used(account: &Account, minutes: std::ops::Range<u64>) -> f64 {
    let at = |minute| EPOCH_MS * 1_000 + minute * WINDOW_US;
    account.utilisation(at(minutes.start), at(minutes.end))
}

#[test]
fn a_small_quota_is_used_as_far_as_it_can_be_and_none_of_the_windows_exceeds_it() {
    for quota in [4_000, 10_000, 20_000, 50_000] {
        for sizes in LOADS {
            for instances in [1, 2, 18] {
                let run = run_of(quota, instances, sizes);
                let account = worked(&run, async |_| {});

                let kinds: Vec<_> = sizes.iter().map(|size| size.kind).collect();
                let name = format!("{quota} tokens, {instances} instances, {kinds:?}");
                let (used, possible) = (used(&account, 1..11), ideal::part(&run));
                assert_eq!(account.windows_over().0, 0, "{name}");
                assert_eq!(account.asked().1, 0, "{name}: none is refused");
                assert!(used >= 0.9 * possible, "{name}: {used} of {possible}");
            }
        }
    }
}

#[test]
fn calls_that_are_alike_fill_all_but_what_is_no_whole_call() {
    for quota in [1_500, 4_000, 20_000] {
        let run = run_of(quota, 2, &[Size::EVEN]);
        let account = worked(&run, async |_| {});

        let whole_calls = (quota / 300 * 300) as f64 / quota as f64;
        let used = used(&account, 1..11);
        assert!(used > 0.98 * whole_calls && used <= whole_calls, "{quota}: {used}");
    }
}

#[test]
fn without_its_table_a_small_quota_is_not_exceeded_and_is_used_again_afterwards() {
    for instances in [2, 18] {
        let run = run_of(10_000, instances, &[Size::LONG]);
        let account = worked(&run, async |lanes| {
            sleep(Duration::from_secs(120)).await;
            lanes.set_down(true);
            sleep(Duration::from_secs(150)).await;
            lanes.set_down(false);
        });

        assert_eq!(account.windows_over().0, 0, "{}", account.windows_over().1);
        assert_eq!(account.asked().1, 0, "none is refused");
        let again = used(&account, 7..11);
        assert!(again > 0.8, "{instances} instances: {again}");
        // A share of 10,000 / 18 tokens holds no call of up to 950.
        let alone = used(&account, 3..4);
        assert!(if instances == 2 { alone > 0.2 } else { alone < 0.1 }, "{instances}: {alone}");
    }
}

#[test]
fn what_shares_were_used_for_counts_however_short_the_time_without_the_table() {
    for secs in [20, 50, 62, 66, 70, 75, 80, 90, 110] {
        // Each share holds one call, which is made at once.
        let run = run_of(600, 2, &[Size::EVEN]);
        let account = worked(&run, async |lanes| {
            sleep(Duration::from_secs(150)).await;
            lanes.set_down(true);
            sleep(Duration::from_secs(secs)).await;
            lanes.set_down(false);
        });

        assert_eq!(account.windows_over().0, 0, "{secs} s: {}", account.windows_over().1);
        assert_eq!(account.asked().1, 0, "{secs} s: none is refused");
        assert!(used(&account, 8..11) > 0.8, "{secs} s");
    }
}

#[test]
fn another_application_on_a_small_quota_is_made_room_for() {
    let run = Run { others: 0.3, ..run_of(20_000, 2, &[Size::LONG]) };
    let account = worked(&run, async |_| {});

    let (asked, refused) = account.asked();
    assert!(refused > 0, "nothing tells us of the other but a throttle");
    assert!(refused * 10 < asked, "{refused} of {asked}");
    assert_eq!(account.windows_over().0, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the quota, the instances, their load and their chances, from the first call on.
    #[test]
    fn no_window_of_any_schedule_exceeds_a_small_quota(
        quota in 2_000_u64..=50_000,
        instances in 1_usize..24,
        load in 0_usize..4,
        sizes in 0_usize..4,
        seed in 0_u64..1_000,
    ) {
        let load = Load::ALL[load];
        let run = Run { load, seed, secs: 240, ..run_of(quota, instances, LOADS[sizes]) };
        let account = worked(&run, async |_| {});

        let most = account.windows_over().1;
        prop_assert!(most <= 1.0, "the fullest window held {most}");
        prop_assert_eq!(account.asked().1, 0, "none is refused");
    }
}

fn limiter(lanes: &Arc<Lanes>, quota: ModelQuota, clock: Clock) -> Limiter {
    numbered_limiter(1, lanes, quota, clock)
}

/// One of several, which have chances of their own.
fn numbered_limiter(number: u64, lanes: &Arc<Lanes>, quota: ModelQuota, clock: Clock) -> Limiter {
    let (table, instances) = (Arc::<Lanes>::clone(lanes), NonZeroU32::MIN.saturating_add(1));
    let jitter = Arc::new(Jitter::seeded(number));
    Limiter::new("model", quota, Instance { table, instances, clock, jitter })
}

fn call(input_tokens: u64) -> Call<'static> {
    let since = Instant::now();
    Call { kind: "one", priority: 0, input_tokens, max_tokens: 0, since }
}

/// Makes a call that takes a part of what it holds.
async fn make(limiter: &Limiter, tokens: u64, took: u64) {
    let reservation = limiter.reserve(&call(tokens), Instant::now() + LONG).await.expect("fits");
    reservation.settle(Tokens { input: took, output: 0 });
}

#[test]
fn a_higher_priority_goes_first_and_a_large_call_is_not_overtaken() {
    in_virtual_time(async {
        let limiter = limiter(&Arc::default(), ModelQuota::of_tokens(10_000), load::clock());
        make(&limiter, 10_000, 10_000).await;
        let began = Instant::now();
        let served = async |name, priority, input_tokens| {
            let call = Call { priority, ..call(input_tokens) };
            let reservation = limiter.reserve(&call, began + LONG).await.expect("fits");
            let at = began.elapsed();
            sleep(Duration::from_secs(1)).await;
            reservation.settle(Tokens { input: input_tokens, output: 0 });
            (at, name)
        };

        let mut served = join_all([
            served("large", 0, 9_000),
            served("small", 0, 1_500),
            served("urgent", 1, 1_500),
        ])
        .await;
        served.sort();

        let order: Vec<_> = served.iter().map(|(_, name)| *name).collect();
        assert_eq!(order, ["urgent", "large", "small"], "{served:?}");
    });
}

#[test]
fn calls_of_a_minute_are_spread_so_that_nobody_waits_for_the_rest_of_it() {
    in_virtual_time(async {
        let (lanes, clock) = (Arc::default(), load::clock());
        let quota = ModelQuota::of_tokens(10_000);
        let [busy, other] = [1, 2].map(|number| numbered_limiter(number, &lanes, quota, clock));
        let backlog = join_all((0..60).map(async |_| {
            while clock.now_us() < EPOCH_MS * 1_000 + 5 * WINDOW_US {
                make(&busy, 500, 500).await;
            }
        }));
        let arriving = async {
            let mut waits = Vec::new();
            sleep(Duration::from_secs(121)).await;
            for _ in 0..9 {
                let came = Instant::now();
                make(&other, 500, 500).await;
                waits.push(came.elapsed());
                sleep(Duration::from_secs(7)).await;
            }
            waits
        };

        let (_, waits) = tokio::join!(backlog, arriving);

        assert!(waits.iter().all(|wait| *wait < Duration::from_secs(15)), "{waits:?}");
    });
}

#[test]
fn what_a_call_took_less_is_there_for_the_next_at_once_whoever_waits() {
    in_virtual_time(async {
        let (lanes, clock) = (Arc::default(), load::clock());
        let quota = ModelQuota::of_tokens(10_000);
        let [one, other] = [1, 2].map(|number| numbered_limiter(number, &lanes, quota, clock));
        let began = Instant::now();
        for _ in 0..5 {
            make(&one, 9_000, 100).await;
            // What ended is told in a task of its own.
            sleep(Duration::from_millis(1)).await;
            make(&other, 9_000, 100).await;
            sleep(Duration::from_millis(1)).await;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}

#[test]
fn a_call_that_is_cut_off_counts_its_worst_case_and_one_that_was_refused_nothing() {
    in_virtual_time(async {
        let limiter = limiter(&Arc::default(), ModelQuota::of_tokens(10_000), load::clock());
        let reserve = async |tokens| {
            limiter.reserve(&call(tokens), Instant::now() + LONG).await.expect("fits")
        };
        let began = Instant::now();
        reserve(9_000).await.release();
        drop(reserve(9_000).await);
        assert!(began.elapsed() < Duration::from_secs(10), "the first took nothing");

        reserve(2_000).await.release();
        assert!(began.elapsed() >= Duration::from_secs(60), "the second may have taken all");
    });
}

#[test]
fn the_day_counts_what_calls_took() {
    in_virtual_time(async {
        let quota =
            ModelQuota { tokens_per_day: NonZeroU64::new(3_000), ..ModelQuota::of_tokens(2_000) };
        let limiter = limiter(&Arc::default(), quota, load::clock());
        for _ in 0..5 {
            make(&limiter, 1_000, 500).await;
            sleep(Duration::from_secs(61)).await;
        }
        let last = limiter.reserve(&call(1_000), Instant::now() + LONG).await.err();
        assert_eq!(last, Some(NotAdmitted::DayUsedUp), "2,500 of 3,000 are used");
    });
}
