//! Instances that work off a load through the account, in virtual time.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::estimate::Tokens;
use crate::jitter::Jitter;
use crate::limiter::{Call, Instance, Limiter};
use crate::settings::ModelQuota;
use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::memory::Memory;

/// When the load begins, in UNIX milliseconds.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// Input of a usual call.
pub const INPUT_TOKENS: u64 = 600;

/// Output allowance of a usual call.
pub const MAX_TOKENS: u32 = 300;

/// What an output token counts.
pub const BURNDOWN: u32 = 5;

/// Mean of what a usual call is settled to.
pub const MEAN_SETTLED: f64 = 1_350.0;

/// What calls take.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Their kind.
    pub kind: &'static str,
    pub input_tokens: u64,
    /// What we take the input for before the service counted it.
    pub estimated_input_tokens: u64,
    /// Fewest and most tokens of an answer; the mean is halfway.
    pub output_tokens: (u64, u64),
    /// Output allowance.
    pub max_tokens: u32,
    /// How long a call takes, beside 8 ms for each token of the answer.
    pub took: Duration,
}

impl Size {
    /// 1,350 tokens on average, 2,100 at most; 1.7 seconds.
    pub const USUAL: Self = Self {
        kind: "kind",
        input_tokens: INPUT_TOKENS,
        estimated_input_tokens: 800,
        output_tokens: (40, 260),
        max_tokens: MAX_TOKENS,
        took: Duration::from_millis(500),
    };

    /// 300 tokens each, and no more; 0.7 seconds.
    pub const EVEN: Self = Self {
        kind: "even",
        input_tokens: 200,
        estimated_input_tokens: 200,
        output_tokens: (20, 20),
        max_tokens: 20,
        took: Duration::from_millis(500),
    };

    /// 300 tokens on average, 450 at most.
    pub const SHORT: Self =
        Self { kind: "short", output_tokens: (10, 30), max_tokens: 50, ..Self::EVEN };

    /// 600 tokens on average, 950 at most.
    pub const LONG: Self =
        Self { kind: "long", output_tokens: (40, 120), max_tokens: 150, ..Self::EVEN };

    /// As long, in ten seconds.
    pub const SLOW: Self = Self { kind: "slow", took: Duration::from_millis(9_400), ..Self::LONG };

    /// 450 tokens on average, and an allowance for 1,700.
    pub const LOOSE: Self =
        Self { kind: "loose", output_tokens: (20, 80), max_tokens: 300, ..Self::EVEN };

    /// 1,250 tokens on average, 2,000 at most.
    pub const LARGE: Self = Self {
        kind: "large",
        input_tokens: 500,
        estimated_input_tokens: 500,
        output_tokens: (40, 260),
        max_tokens: 300,
        ..Self::EVEN
    };

    /// Mean of what a call is settled to.
    pub fn mean_settled(&self) -> f64 {
        let (fewest, most) = self.output_tokens;
        self.input_tokens as f64 + (fewest + most) as f64 / 2.0 * f64::from(BURNDOWN)
    }
}

/// Longest wait of a call within one invocation.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long the stream takes to deliver again what was given back.
const REDELIVERY: Duration = Duration::from_secs(1);

/// How work arrives, as multiples of what the quota allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Half more than the quota, evenly.
    Steady,
    /// As much, all of thirty seconds at once.
    Bursty,
    /// As much, half of it at one instance.
    Skewed,
    /// Three times the quota for half a minute, nothing for half a minute.
    OnOff,
}

impl Load {
    pub const ALL: [Self; 4] = [Self::Steady, Self::Bursty, Self::Skewed, Self::OnOff];

    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Bursty => "bursty",
            Self::Skewed => "skewed",
            Self::OnOff => "on-off",
        }
    }

    /// How much more arrives in a second, as a part of what the quota allows in it.
    fn in_second(self, second: u64) -> f64 {
        match self {
            Self::Steady | Self::Skewed => 1.5,
            Self::Bursty => 45.0 * f64::from(u8::from(second.is_multiple_of(30))),
            Self::OnOff => 3.0 * f64::from(u8::from(second % 60 < 30)),
        }
    }

    fn part_of(self, instance: usize, instances: usize) -> f64 {
        let even = 1.0 / instances as f64;
        match self {
            Self::Skewed if instances == 1 => 1.0,
            Self::Skewed if instance == 0 => 0.5,
            Self::Skewed => 0.5 / (instances - 1) as f64,
            _ => even,
        }
    }
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub quota: f64,
    pub instances: usize,
    /// Calls of an instance at a time.
    pub concurrency: usize,
    pub load: Load,
    /// What calls take: each is like one of these, by chance.
    pub sizes: &'static [Size],
    /// Part of the quota that another application takes.
    pub others: f64,
    pub secs: u64,
    pub seed: u64,
}

impl Run {
    /// Mean of what a call is settled to.
    fn mean_settled(&self) -> f64 {
        self.sizes.iter().map(Size::mean_settled).sum::<f64>() / self.sizes.len() as f64
    }
}

/// A call of an instance.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub size: Size,
    pub output_tokens: u64,
    pub took: Duration,
}

/// How an instance makes its calls.
#[async_trait]
pub trait Caller: Send + Sync {
    /// Makes one call through the account; says when it was admitted, or that it goes back
    /// to the stream.
    async fn call(&self, request: Request) -> Option<Instant>;
}

/// What a run waited for.
#[derive(Debug, Default)]
pub struct Waits(Mutex<Vec<f64>>);

impl Waits {
    /// The wait that a part of the calls stays below, in seconds.
    pub fn quantile(&self, part: f64) -> f64 {
        let mut waits = self.0.lock().expect("whole");
        waits.sort_by(f64::total_cmp);
        let place = ((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1));
        waits.get(place).copied().unwrap_or_default()
    }
}

/// The clock of a run.
pub fn clock() -> Clock {
    Clock::Tokio { started: Instant::now(), epoch_ms: EPOCH_MS }
}

/// Runs the load with the callers, one for each instance.
pub async fn work(
    run: &Run,
    account: &Arc<Account>,
    callers: Vec<Arc<dyn Caller>>,
    clock: Clock,
) -> Waits {
    let waits = Arc::new(Waits::default());
    let mut tasks = tokio::task::JoinSet::new();
    let mut backlogs = Vec::new();
    for (instance, caller) in callers.into_iter().enumerate() {
        let backlog = Arc::new(Semaphore::new(0));
        backlogs.push(Arc::clone(&backlog));
        for worker in 0..run.concurrency {
            let (caller, backlog) = (Arc::clone(&caller), Arc::clone(&backlog));
            let waits = Arc::clone(&waits);
            let seed = run.seed ^ ((instance as u64) << 32) ^ worker as u64;
            let mut chance = StdRng::seed_from_u64(seed);
            let sizes = run.sizes;
            tasks.spawn(async move {
                loop {
                    backlog.acquire().await.expect("is open").forget();
                    let request = Request::any(sizes, &mut chance);
                    let began = Instant::now();
                    match caller.call(request).await {
                        Some(admitted) => {
                            let wait = admitted.duration_since(began).as_secs_f64();
                            waits.0.lock().expect("whole").push(wait);
                        }
                        None => {
                            sleep(REDELIVERY.mul_f64(chance.random_range(0.5..1.5))).await;
                            backlog.add_permits(1);
                        }
                    }
                }
            });
        }
    }
    if run.others > 0.0 {
        tasks.spawn(neighbour(*run, Arc::clone(account), clock));
    }
    let mut chance = StdRng::seed_from_u64(run.seed);
    for second in 0..run.secs {
        let arrives = run.load.in_second(second) * run.quota / 60.0 / run.mean_settled();
        for (instance, backlog) in backlogs.iter().enumerate() {
            let own = arrives * run.load.part_of(instance, run.instances);
            let whole = own.floor() as usize + usize::from(chance.random_bool(own.fract()));
            backlog.add_permits(whole);
        }
        sleep(Duration::from_secs(1)).await;
    }
    tasks.shutdown().await;
    Arc::into_inner(waits).expect("all tasks ended")
}

/// Another application: calls like ours that do not wait and are not repeated.
async fn neighbour(run: Run, account: Arc<Account>, clock: Clock) {
    let mut chance = StdRng::seed_from_u64(run.seed ^ 0xA11);
    let per_second = run.others * run.quota / 60.0 / run.mean_settled();
    loop {
        let gap = -chance.random_range(f64::EPSILON..1.0_f64).ln() / per_second;
        sleep(Duration::from_secs_f64(gap)).await;
        let request = Request::any(run.sizes, &mut chance);
        if let Some(call) = account.start(request.reserved(), clock.now_us(), false) {
            let account = Arc::clone(&account);
            tokio::spawn(async move {
                sleep(request.took).await;
                account.end(call, request.settled());
            });
        }
    }
}

impl Request {
    /// Like one of some sizes.
    pub fn any(sizes: &[Size], chance: &mut StdRng) -> Self {
        let size = sizes[if sizes.len() > 1 { chance.random_range(0..sizes.len()) } else { 0 }];
        let (fewest, most) = size.output_tokens;
        let sum: f64 = (0..3).map(|_| chance.random_range(0.0..1.0)).sum();
        Self::sized(size, (fewest as f64 + sum / 3.0 * (most - fewest) as f64) as u64)
    }

    /// A usual one, with an answer of so many tokens.
    pub fn of(output_tokens: u64) -> Self {
        Self::sized(Size::USUAL, output_tokens)
    }

    fn sized(size: Size, output_tokens: u64) -> Self {
        Self { size, output_tokens, took: size.took + Duration::from_millis(output_tokens * 8) }
    }

    pub fn reserved(&self) -> f64 {
        (self.size.input_tokens + u64::from(self.size.max_tokens)) as f64
    }

    pub fn settled(&self) -> f64 {
        (self.size.input_tokens + self.output_tokens * u64::from(BURNDOWN)) as f64
    }
}

/// Our own way: the limiter.
pub struct Limited {
    pub limiter: Limiter,
    pub account: Arc<Account>,
    pub clock: Clock,
}

impl Limited {
    pub fn of(
        run: &Run,
        account: &Arc<Account>,
        lanes: &Arc<Memory>,
        clock: Clock,
    ) -> Vec<Arc<Self>> {
        let instances = u32::try_from(run.instances).expect("is small");
        let quota = ModelQuota {
            output_burndown: NonZeroU32::new(BURNDOWN).expect("not zero"),
            ..ModelQuota::of_tokens(run.quota as u64)
        };
        let of = |seed: usize| {
            let table: Arc<Memory> = Arc::clone(lanes);
            let instance = Instance {
                table,
                instances: NonZeroU32::new(instances).expect("not zero"),
                clock,
                jitter: Arc::new(Jitter::seeded(run.seed + seed as u64)),
            };
            let limiter = Limiter::new("model", quota, instance);
            Arc::new(Self { limiter, account: Arc::clone(account), clock })
        };
        (0..run.instances).map(of).collect()
    }
}

#[async_trait]
impl Caller for Limited {
    async fn call(&self, request: Request) -> Option<Instant> {
        let since = Instant::now();
        // As the processor does: a few attempts, then back to the stream.
        for _ in 0..4 {
            let call = Call {
                kind: request.size.kind,
                priority: 0,
                input_tokens: request.size.estimated_input_tokens,
                max_tokens: request.size.max_tokens,
                since,
            };
            let reservation = self.limiter.reserve(&call, since + PATIENCE).await.ok()?;
            match self.account.start(request.reserved(), self.clock.now_us(), true) {
                Some(call) => {
                    let admitted = Instant::now();
                    sleep(request.took).await;
                    self.account.end(call, request.settled());
                    let (input, output) = (request.size.input_tokens, request.output_tokens);
                    reservation.settle(Tokens { input, output });
                    return Some(admitted);
                }
                None => self.limiter.throttled(reservation, None).await,
            }
        }
        None
    }
}
