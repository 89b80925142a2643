//! The quota across instances, in virtual time: never exceeded, used up, shared fairly.

mod faults;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::prelude::*;
use quota::Tokens;
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::lane::Ask;
use quota::table::{LaneName, QuotaTable as _, Reply};
use quota::{Call, Instance, Limiter, ModelQuota, NotAdmitted};
use tokio::time::{Instant, sleep};

use quota::simulated::account::{Account, Shape, WINDOW_US};
use quota::simulated::load::{self, Caller, EPOCH_MS, Limited, Load, Run, Size, Waits};
use quota::simulated::memory::Memory as Lanes;

/// Calls of usual sizes.
const USUAL: &[Size] = &[Size::USUAL];

const LONG: Duration = Duration::from_secs(600);

fn run_of(instances: usize, load: Load, seed: u64) -> Run {
    Run {
        quota: 4_000_000.0,
        instances,
        concurrency: 96,
        load,
        sizes: USUAL,
        others: 0.0,
        secs: 180,
        seed,
    }
}

fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("starts").block_on(run)
}

fn limiter(lanes: &Arc<Lanes>, quota: ModelQuota, instances: u32, clock: Clock) -> Limiter {
    let table: Arc<Lanes> = Arc::clone(lanes);
    let instances = NonZeroU32::new(instances).expect("not zero");
    let jitter = Arc::new(Jitter::seeded(1));
    Limiter::new("model", quota, Instance { table, instances, clock, jitter })
}

fn call(input_tokens: u64) -> Call<'static> {
    let since = Instant::now();
    Call { kind: "one", priority: 0, input_tokens, max_tokens: 0, since }
}

/// Works a load off with the instances' limiters.
async fn worked(run: &Run, shape: Shape, lanes: &Arc<Lanes>) -> (Arc<Account>, Waits) {
    let account = Arc::new(Account::new(shape, run.quota));
    let clock = load::clock();
    let callers = Limited::of(run, &account, lanes, clock);
    let callers = callers.into_iter().map(|caller| caller as Arc<dyn Caller>).collect();
    let waits = load::work(run, &account, callers, clock).await;
    (account, waits)
}

/// Makes calls of some size one after the other, and says when they started, in seconds.
async fn starts(limiter: &Limiter, tokens: u64, calls: usize) -> Vec<u64> {
    let began = Instant::now();
    let mut starts = Vec::new();
    for _ in 0..calls {
        let reservation = limiter.reserve(&call(tokens), began + LONG).await;
        let reservation = reservation.unwrap_or_else(|error| panic!("{error} after {starts:?}"));
        starts.push(began.elapsed().as_secs());
        reservation.settle(Tokens { input: tokens, output: 0 });
    }
    starts
}

#[test]
fn any_number_of_instances_uses_the_quota_up_and_none_of_the_windows_exceeds_it() {
    for (instances, load) in [(1, Load::Steady), (8, Load::OnOff), (64, Load::Bursty)] {
        in_virtual_time(async {
            let run = Run { concurrency: 160 / instances.min(5), ..run_of(instances, load, 7) };
            let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
            let (account, waits) = worked(&run, Shape::Sliding, &lanes).await;

            let from = EPOCH_MS * 1_000 + WINDOW_US;
            let used = account.utilisation(from, from + 2 * WINDOW_US);
            let name = format!("{instances} instances, {} load", load.name());
            assert_eq!(account.windows_over().0, 0, "{name}");
            assert_eq!(account.asked(), (account.admitted() as u64, 0), "{name}");
            assert!(used > 0.95, "{name}: {used}");
            assert!(waits.quantile(1.0) < 240.0, "{name}: nobody waits longer than asked");
            assert!(lanes.busiest_second() < 500, "{name}: {}", lanes.busiest_second());
        });
    }
}

#[test]
fn a_lanes_item_is_updated_no_more_often_than_it_takes_however_small_the_slices() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let clock = load::clock();
        // So much quota that nobody waits for it, and every call takes a slice of its own.
        let quota = ModelQuota::of_tokens(40_000_000);
        let one_after_the_other = (0..300).map(|_| {
            let limiter = limiter(&lanes, quota, 300, clock);
            async move {
                let ends = Instant::now() + Duration::from_secs(10);
                while Instant::now() < ends {
                    let reservation = limiter.reserve(&call(10), ends + LONG).await;
                    sleep(Duration::from_millis(20)).await;
                    reservation.expect("fits").settle(Tokens { input: 10, output: 0 });
                }
            }
        });
        futures::future::join_all(one_after_the_other).await;

        // Its 300, and at the beginning a second's more.
        let busiest = lanes.busiest_second();
        assert!((200..=600).contains(&busiest), "{busiest}");
    });
}

#[test]
fn servers_that_count_otherwise_refuse_nothing() {
    for shape in [Shape::Fixed, Shape::Bucket(1.0), Shape::Bucket(0.8)] {
        in_virtual_time(async {
            let run = Run { concurrency: 32, ..run_of(8, Load::Steady, 3) };
            let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
            let (account, _) = worked(&run, shape, &lanes).await;

            assert!(account.asked().0 > 1_000, "{shape:?}");
            assert_eq!(account.asked().1, 0, "{shape:?}");
            assert_eq!(account.windows_over().0, 0, "{shape:?}");
        });
    }
}

#[test]
fn another_application_on_the_quota_is_made_room_for() {
    in_virtual_time(async {
        let run = Run { others: 0.3, concurrency: 32, secs: 300, ..run_of(8, Load::Steady, 5) };
        let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
        let (account, _) = worked(&run, Shape::Sliding, &lanes).await;

        let (asked, refused) = account.asked();
        assert!(refused > 0, "nothing tells us of the other but a throttle");
        assert!(refused * 50 < asked, "{refused} of {asked}");
        assert_eq!(account.windows_over().0, 0);
        // Both together can: the service admits by what is reserved, which is less.
        assert!(account.windows_over_with_others().1 < 1.05);
    });
}

#[test]
fn large_calls_are_counted_one_by_one() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let limiter = limiter(&lanes, ModelQuota::of_tokens(10_000), 1, load::clock());

        // Three fit in a minute, and every one that ends a minute makes room for the next.
        let starts = starts(&limiter, 3_000, 12).await;
        for window in starts.windows(4) {
            assert!(window[3] - window[0] >= 60, "{starts:?}");
        }
        assert!(starts[11] < 240, "{starts:?}");
    });
}

/// Starts calls as fast as the limiter lets them, of sizes by the second; says the most
/// requests and tokens that any sixty seconds held.
async fn fullest(quota: ModelQuota, secs: u64, output_at: fn(u64) -> u64) -> (usize, u64) {
    let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
    let limiter = Arc::new(limiter(&lanes, quota, 1, load::clock()));
    let burndown = u64::from(quota.output_burndown.get());
    let began = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let limiter = Arc::clone(&limiter);
        workers.spawn(async move {
            let mut started = Vec::new();
            while began.elapsed() < Duration::from_secs(secs) {
                let call = Call { max_tokens: 1_000, ..call(100) };
                let Ok(reservation) = limiter.reserve(&call, Instant::now() + LONG).await else {
                    continue;
                };
                let at = began.elapsed();
                let output_tokens = output_at(at.as_secs());
                sleep(Duration::from_secs(1)).await;
                reservation.settle(Tokens { input: 100, output: output_tokens });
                started.push((at, 100 + burndown * output_tokens));
            }
            started
        });
    }
    let mut started: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    started.sort();
    let windows = started.iter().enumerate().map(|(first, (from, _))| {
        let inside = started[first..].iter().take_while(|(at, _)| *at < *from + WINDOW);
        inside.fold((0, 0), |(calls, tokens), (_, more)| (calls + 1, tokens + more))
    });
    windows.fold((0, 0), |most, window| (most.0.max(window.0), most.1.max(window.1)))
}

/// The quota's window.
const WINDOW: Duration = Duration::from_secs(60);

#[test]
fn no_window_holds_more_requests_than_the_quota_whatever_they_take() {
    for (requests, shorter_at) in [(30, 150), (600, 150), (60, 1_000)] {
        in_virtual_time(async {
            let quota = ModelQuota {
                requests_per_minute: NonZeroU32::new(requests),
                ..ModelQuota::of_tokens(10_000_000)
            };
            let shrink =
                if shorter_at < 400 { |at| if at < 150 { 900 } else { 50 } } else { |_| 500 };
            let (calls, _) = fullest(quota, 400, shrink).await;
            assert!(calls <= requests as usize, "{calls} of {requests}");
            assert!(calls * 10 >= requests as usize * 9, "{calls} of {requests}");
        });
    }
}

#[test]
fn answers_that_become_longer_exceed_the_quota_by_what_was_promised_only() {
    in_virtual_time(async {
        let longer = |at| if at < 150 { 100 } else { 300 };
        let output_burndown = NonZeroU32::new(5).expect("not zero");
        let quota = ModelQuota { output_burndown, ..ModelQuota::of_tokens(1_000_000) };
        let (_, tokens) = fullest(quota, 500, longer).await;
        assert!(tokens < 1_040_000, "{tokens}");
    });
}

#[test]
fn a_day_that_the_service_closed_is_closed_for_those_that_wait_as_well() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let (quota, clock) = (ModelQuota::of_tokens(10_000), load::clock());
        let [another, limiter] = [0, 1].map(|_| limiter(&lanes, quota, 2, clock));
        starts(&another, 3_000, 3).await;
        let calls = [call(3_000), call(3_000)];
        let waits = calls.each_ref().map(|call| limiter.reserve(call, Instant::now() + LONG));
        let [one, other] = waits;
        let began = Instant::now();
        let other = async { (other.await.err(), began.elapsed()) };
        let told = async {
            sleep(Duration::from_secs(5)).await;
            limiter.day_used_up();
        };

        let (one, other, ()) = tokio::join!(one, other, told);

        // The first has its turn, after the other instance's; the second waits in the line.
        assert_eq!(one.err(), Some(NotAdmitted::DayUsedUp));
        assert_eq!(other, (Some(NotAdmitted::DayUsedUp), Duration::from_secs(5)));
    });
}

#[test]
fn what_was_not_used_stays_of_the_day() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let quota = ModelQuota {
            tokens_per_day: Some(10_000.try_into().expect("not zero")),
            ..ModelQuota::of_tokens(1_000_000)
        };
        let limiter = limiter(&lanes, quota, 1, load::clock());

        for _ in 0..30 {
            let refused = limiter.reserve(&call(1_000), Instant::now() + LONG).await;
            refused.expect("nothing was used").release();
        }
        let used = starts(&limiter, 1_000, 9).await;
        assert_eq!(used.len(), 9);
    });
}

#[test]
fn a_call_that_can_never_fit_is_told_so_and_one_that_cannot_start_in_time_too() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let limiter = limiter(&lanes, ModelQuota::of_tokens(1_000), 1, load::clock());
        let soon = Instant::now() + Duration::from_secs(20);

        let never = limiter.reserve(&call(1_001), soon).await.err();
        assert!(matches!(never, Some(NotAdmitted::NeverFits { wanted: 1_001, .. })), "{never:?}");

        let first = limiter.reserve(&call(1_000), soon).await.expect("fits");
        let late = limiter.reserve(&call(1_000), soon).await.err();
        assert_eq!(late, Some(NotAdmitted::OutOfTime));
        assert!(Instant::now() < soon, "it does not wait in vain");
        first.release();
    });
}

#[test]
fn the_day_ends_when_its_tokens_do() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let quota = ModelQuota {
            tokens_per_day: Some(2_500.try_into().expect("not zero")),
            ..ModelQuota::of_tokens(1_000_000)
        };
        let limiter = limiter(&lanes, quota, 1, load::clock());

        starts(&limiter, 1_000, 2).await;
        let third = limiter.reserve(&call(1_000), Instant::now() + LONG).await.err();
        assert!(third.is_some());
        let fourth = limiter.reserve(&call(1_000), Instant::now() + LONG).await.err();
        assert_eq!(fourth, Some(NotAdmitted::DayUsedUp));
    });
}

#[test]
fn a_higher_priority_goes_first_and_a_large_call_is_not_overtaken() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let limiter = limiter(&lanes, ModelQuota::of_tokens(100_000), 1, load::clock());
        starts(&limiter, 50_000, 2).await;
        let began = Instant::now();
        let served = async |kind: &'static str, priority, input_tokens| {
            let call = Call { kind, priority, input_tokens, max_tokens: 0, since: began };
            let reservation = limiter.reserve(&call, began + LONG).await.expect("fits");
            reservation.release();
            (began.elapsed(), kind)
        };

        let (large, small, urgent) = tokio::join!(
            served("large", 0, 40_000),
            served("small", 0, 1_000),
            served("urgent", 1, 1_000),
        );

        assert!(urgent < large && large < small, "{urgent:?} {large:?} {small:?}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the instances, their load and their chances, from the first call on.
    #[test]
    fn no_window_of_any_schedule_exceeds_the_quota(
        instances in 1_usize..24, load in 0_usize..4, seed in 0_u64..1_000,
    ) {
        let most = in_virtual_time(async {
            let run = Run { secs: 150, ..run_of(instances, Load::ALL[load], seed) };
            let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(seed % 40)));
            let (account, _) = worked(&run, Shape::Sliding, &lanes).await;
            account.windows_over().1
        });
        prop_assert!(most <= 1.0, "the fullest window held {most} of the quota");
    }
}
