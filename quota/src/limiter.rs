//! The quota of a model, as one instance uses it: whoever wants to call reserves here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::clock::Clock;
use crate::jitter::Jitter;
use crate::lane::{self, micros};
use crate::line::{Place, Turn, Waiting};
use crate::pacer::Pacer;
use crate::reservation::Reservation;
use crate::scheduler::Scheduler;
use crate::settings::{ModelQuota, ModelQuotas};
use crate::table::QuotaTable;

/// Shortest wait for more calls, where any is worth while.
const COLLECT: Duration = Duration::from_millis(5);

/// Calls that need not wait for more: a slice for so many costs little each.
const ENOUGH_CALLS: usize = 32;

/// How long before the last call of a slice the next slice is taken.
const AHEAD: Duration = Duration::from_millis(100);

/// How often those look that wait for the first calls of their kind.
const TRIED_POLL: Duration = Duration::from_millis(50);

/// How long after the last call of a slice an instance was idle: others may have been as
/// well, and come back in the same moment.
const IDLE: Duration = Duration::from_secs(1);

/// The quotas of all models.
#[derive(Debug)]
pub struct Quotas {
    limiters: HashMap<String, Limiter>,
}

/// What the limiters of one instance have in common.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Keeps the lanes.
    pub table: Arc<dyn QuotaTable>,
    /// Most instances that run at a time; each one's share while the table is out of reach.
    pub instances: NonZeroU32,
    /// The time of day.
    pub clock: Clock,
    /// Chance.
    pub jitter: Arc<Jitter>,
}

/// A model has no quota.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no quota for the model {0}: name it in MODEL_QUOTAS, or \"*\" for every other model")]
pub struct NoQuota(pub String);

/// Tokens and requests of one model, as this instance uses them.
#[derive(Debug)]
pub struct Limiter {
    pub(crate) scheduler: Scheduler,
    /// Held by the call that takes slices for all that wait.
    leader: tokio::sync::Mutex<()>,
    pacer: Pacer,
}

/// A call that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Calls of a higher one go first.
    pub priority: i32,
    /// Estimated input.
    pub input_tokens: u64,
    /// Output allowance.
    pub max_tokens: u32,
    /// When it was first to be made.
    pub since: Instant,
}

/// Why a call may not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The call can never fit, however long it waits.
    #[error("a call of up to {wanted} tokens does not fit in {tokens_per_minute} tokens a minute")]
    NeverFits {
        /// Tokens asked for.
        wanted: u64,
        /// The quota.
        tokens_per_minute: NonZeroU64,
    },
    /// The quota is used up until after the deadline.
    #[error("quota is used up until after the deadline")]
    OutOfTime,
    /// The day's quota is used up.
    #[error("quota of the day is used up until 00:00 UTC")]
    DayUsedUp,
}

impl Quotas {
    /// Makes a limiter for each of the models, with nothing known of any.
    pub fn new<'a>(
        quotas: &ModelQuotas,
        models: impl IntoIterator<Item = &'a str>,
        instance: &Instance,
    ) -> Result<Self, NoQuota> {
        let limiters = models.into_iter().map(|model_id| {
            let quota = quotas.of(model_id).ok_or_else(|| NoQuota(model_id.to_owned()))?;
            Ok((model_id.to_owned(), Limiter::new(model_id, quota, instance.clone())))
        });
        Ok(Self { limiters: limiters.collect::<Result<_, _>>()? })
    }

    /// The limiter of a model.
    pub fn of(&self, model_id: &str) -> Result<&Limiter, NoQuota> {
        self.limiters.get(model_id).ok_or_else(|| NoQuota(model_id.to_owned()))
    }

    /// Calls of the table since this was asked last.
    pub fn count_table_calls(&self) -> u64 {
        self.limiters
            .values()
            .map(|limiter| limiter.scheduler.table_calls.swap(0, Ordering::Relaxed))
            .sum()
    }
}

impl Limiter {
    /// Starts with nothing known.
    pub fn new(model_id: &str, quota: ModelQuota, instance: Instance) -> Self {
        let instances = instance.instances;
        let scheduler = Scheduler::new(model_id, quota, instance);
        let pacer = Pacer::new(instances, scheduler.lanes);
        Self { scheduler, leader: tokio::sync::Mutex::default(), pacer }
    }

    /// Waits until a call may start, and charges it.
    pub async fn reserve(
        &self,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<Reservation<'_>, NotAdmitted> {
        let (now, now_us) = (Instant::now(), self.scheduler.now_us());
        let deadline_us = now_us + micros(deadline.saturating_duration_since(now));
        let came_us = now_us.saturating_sub(micros(now.saturating_duration_since(call.since)));
        // The service takes no more when a call starts; it may settle to more.
        let wanted = call.input_tokens + u64::from(call.max_tokens);
        let tokens_per_minute = self.scheduler.quota.tokens_per_minute;
        if wanted > tokens_per_minute.get() {
            return Err(NotAdmitted::NeverFits { wanted, tokens_per_minute });
        }
        let turn = self.turn(call, came_us, deadline_us);
        let turn = timeout_at(deadline, turn).await.unwrap_or(Err(NotAdmitted::OutOfTime))?;
        Ok(Reservation::new(&self.scheduler, call, turn))
    }

    /// Waits for the call's turn. One of the calls that wait takes slices for all.
    async fn turn(
        &self,
        call: &Call<'_>,
        came_us: u64,
        deadline_us: u64,
    ) -> Result<Turn, NotAdmitted> {
        let scheduler = &self.scheduler;
        loop {
            if self.closed_until_ms().is_some() {
                return Err(NotAdmitted::DayUsedUp);
            }
            let (waiting, told) =
                Waiting::new(call.kind, call.input_tokens, call.max_tokens, deadline_us);
            let place = scheduler.state().line.add(came_us, call.priority, waiting);
            let in_line = InLine { scheduler, place };
            scheduler.changed.notify_one();
            let turn = tokio::select! {
                // In order, so that a run can be repeated.
                biased;
                turn = told => turn.unwrap_or(Err(NotAdmitted::OutOfTime))?,
                never = self.lead() => match never {},
            };
            drop(in_line);
            scheduler.sleep_until(turn.earliest_us).await;
            let (paused_until_us, closed_until_us) = {
                let state = scheduler.state();
                (state.paused_until_us, state.closed_until_us)
            };
            let now_us = scheduler.now_us();
            if now_us < closed_until_us {
                scheduler.pass(&turn);
                return Err(NotAdmitted::DayUsedUp);
            }
            let is_early = now_us < turn.earliest_us.max(paused_until_us);
            if !is_early && lane::may_start(turn.begins_us, now_us) {
                return Ok(turn);
            }
            // Its time has passed: it takes its place in the line again.
            scheduler.pass(&turn);
            scheduler.sleep_until(paused_until_us).await;
        }
    }

    /// Takes slices as long as calls wait, once nobody else does.
    async fn lead(&self) -> Infallible {
        let scheduler = &self.scheduler;
        let _leader = self.leader.lock().await;
        loop {
            let (booked_until_us, paused_until_us) = {
                let state = scheduler.state();
                (state.booked_until_us, state.paused_until_us)
            };
            if scheduler.is_counted() {
                scheduler.sleep_until(paused_until_us).await;
                scheduler.wait_for_room().await;
                self.pacer.wait().await;
                scheduler.count_calls().await;
                continue;
            }
            scheduler
                .sleep_until(booked_until_us.saturating_sub(micros(AHEAD)).max(paused_until_us))
                .await;
            while scheduler.are_all_tried() {
                sleep(TRIED_POLL).await;
            }
            self.collect().await;
            if booked_until_us + micros(IDLE) < scheduler.now_us()
                && let Some(spread) = Pacer::spread(scheduler.instance.instances, scheduler.lanes)
            {
                sleep(scheduler.instance.jitter.part_of(spread)).await;
            }
            self.pacer.wait().await;
            scheduler.take_slice().await;
        }
    }

    /// Lets calls gather that take a slice together: as long as half of the time that the
    /// lanes are promised ahead, which nobody could start in anyway.
    async fn collect(&self) {
        let scheduler = &self.scheduler;
        let began_us = scheduler.now_us();
        scheduler.state().choose_lane(scheduler.lanes, &scheduler.instance.jitter);
        loop {
            let (until_us, waiting) = {
                let state = scheduler.state();
                let ahead_us = state.ahead_us(began_us);
                (began_us + ahead_us / 2, state.line.len())
            };
            let left_us = until_us.saturating_sub(scheduler.now_us());
            if left_us == 0 || waiting >= ENOUGH_CALLS {
                // Those of the same moment come along.
                return tokio::task::yield_now().await;
            }
            sleep(Duration::from_micros(left_us.div_ceil(8)).max(COLLECT)).await;
        }
    }

    /// The service refused a call for reasons of quota: nothing was charged, all calls
    /// pause, at least for `retry_after`, and all instances hear of it.
    pub async fn throttled(&self, reservation: Reservation<'_>, retry_after: Option<Duration>) {
        let lane = reservation.forget();
        let now_us = self.scheduler.now_us();
        let slower = self.scheduler.state().throttled(lane, now_us, retry_after);
        if let (Some(number), Some(pace)) = (lane, slower) {
            self.scheduler.slow_down(number, now_us, pace).await;
        }
    }

    /// The service said that the day's quota is used up: nothing is asked for a while.
    pub fn day_used_up(&self) {
        let now_us = self.scheduler.now_us();
        self.scheduler.state().close(now_us);
    }

    /// Until when nothing is asked because the day's quota is used up, in UNIX milliseconds, as
    /// far as this instance knows.
    pub fn closed_until_ms(&self) -> Option<u64> {
        let closed_until_us = self.scheduler.state().closed_until_us;
        (closed_until_us > self.scheduler.now_us()).then_some(closed_until_us / 1_000)
    }

    /// Calls of the table so far, or since [`Quotas::count_table_calls`].
    pub fn table_calls(&self) -> u64 {
        self.scheduler.table_calls.load(Ordering::Relaxed)
    }
}

/// Takes a call out of the line when it is dropped.
struct InLine<'a> {
    scheduler: &'a Scheduler,
    place: Place,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.scheduler.state().line.leave(self.place);
    }
}
