//! Clocks that are set, tables that go, and services that say no, in virtual time.

use super::*;

#[test]
fn calls_go_on_as_soon_as_a_clock_that_was_set_back_is_right_again() {
    static RIGHT: OnceLock<Clock> = OnceLock::new();
    static AHEAD_US: AtomicI64 = AtomicI64::new(0);
    in_virtual_time(async {
        let clock = Clock::Skewed { of: RIGHT.get_or_init(load::clock), ahead_us: &AHEAD_US };
        let limiter = limiter(&Arc::default(), ModelQuota::of_tokens(60_000), 1, clock);
        starts(&limiter, 1_000, 90).await;

        let set = async {
            sleep(Duration::from_secs(2)).await;
            AHEAD_US.store(-50_000_000, Ordering::Relaxed);
            sleep(Duration::from_secs(10)).await;
            AHEAD_US.store(0, Ordering::Relaxed);
        };
        let (starts, ()) = tokio::join!(starts(&limiter, 1_000, 20), set);

        let late = starts.iter().find(|start| **start >= 12);
        assert!(
            late.is_some_and(|start| *start <= 16),
            "the clock is right after 12 s: {starts:?}"
        );
    });
}

#[test]
fn without_its_table_an_instance_keeps_to_its_share_and_comes_back() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let clock = load::clock();
        let quota = ModelQuota::of_tokens(64_000);
        let limiter = limiter(&lanes, quota, 4, clock);
        starts(&limiter, 1_000, 5).await;

        lanes.set_down(true);
        let alone = starts(&limiter, 1_000, 20).await;
        let minute = alone.iter().filter(|start| **start >= 20 && **start < 80).count();
        assert!((12..=16).contains(&minute), "a quarter of 64 in a minute: {alone:?}");

        lanes.set_down(false);
        sleep(Duration::from_secs(60)).await;
        let back = starts(&limiter, 1_000, 60).await;
        let minute = back.iter().filter(|start| **start >= 20 && **start < 80).count();
        assert!(minute > 16, "more than its share: {back:?}");
    });
}

#[test]
fn no_window_exceeds_the_quota_while_the_table_goes_and_comes_back() {
    in_virtual_time(async {
        let run = Run { concurrency: 64, secs: 330, ..run_of(16, Load::Steady, 5) };
        let lanes = Arc::new(Lanes::with_latency(Duration::from_millis(8)));
        let table = Arc::clone(&lanes);
        tokio::spawn(async move {
            sleep(Duration::from_secs(120)).await;
            table.set_down(true);
            sleep(Duration::from_secs(100)).await;
            table.set_down(false);
        });
        let (account, _) = worked(&run, Shape::Sliding, &lanes).await;

        assert_eq!(account.windows_over().0, 0, "{}", account.windows_over().1);
        let from = EPOCH_MS * 1_000 + 3 * WINDOW_US;
        let used = account.utilisation(from, from + WINDOW_US / 2);
        assert!(used > 0.8, "shares are used while the table is away: {used}");
    });
}

#[test]
fn a_day_does_not_begin_anew_without_the_table() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let quota = ModelQuota {
            tokens_per_day: Some(5_000.try_into().expect("not zero")),
            ..ModelQuota::of_tokens(1_000_000)
        };
        let limiter = limiter(&lanes, quota, 1, load::clock());
        starts(&limiter, 1_000, 3).await;

        lanes.set_down(true);
        let mut admitted = 0;
        for _ in 0..8 {
            let deadline = Instant::now() + Duration::from_secs(120);
            if let Ok(reservation) = limiter.reserve(&call(1_000), deadline).await {
                admitted += 1;
                reservation.settle(Tokens { input: 1_000, output: 0 });
            }
        }
        assert_eq!(admitted, 2);
    });
}

#[test]
fn a_throttle_slows_all_instances_down() {
    in_virtual_time(async {
        let lanes = Arc::new(Lanes::default());
        let clock = load::clock();
        let quota = ModelQuota::of_tokens(1_000_000);
        let [one, other] = [0, 1].map(|_| limiter(&lanes, quota, 2, clock));
        starts(&one, 1_000, 5).await;
        starts(&other, 1_000, 5).await;

        let refused = one.reserve(&call(1_000), Instant::now() + LONG).await.expect("fits");
        let began = Instant::now();
        one.throttled(refused, Some(Duration::from_secs(9))).await;
        let next = one.reserve(&call(1_000), Instant::now() + LONG).await.expect("fits");
        assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
        next.release();

        let name = LaneName { model_id: "model".to_owned(), number: 0 };
        let ask = Ask {
            now_us: clock.now_us(),
            length_us: 0,
            latest_us: u64::MAX,
            day: 0,
            tokens: 0,
            tokens_per_day: None,
            resumes_us: None,
        };
        let taken = lanes.take(&name, &ask, &[], None).await.expect("answers");
        let Reply::Slice(seen) = taken else { panic!("is free") };
        assert_eq!(seen.lane.pace.part, 0.9);
        assert_eq!(seen.lane.pace.ceiling, 1.0);
    });
}
