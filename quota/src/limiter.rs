//! The quota of a model, as one instance uses it: whoever wants to call reserves here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::clock::Clock;
use crate::jitter::Jitter;
use crate::lane::{self, micros};
use crate::line::{Place, Turn, Waiting};
use crate::pacer::Pacer;
use crate::rate;
use crate::reservation::Reservation;
use crate::settings::{ModelQuota, ModelQuotas};
use crate::slices::TABLE_TIMEOUT;
use crate::state::State;
use crate::table::{LaneName, QuotaTable};

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

/// How long a call is held back that cannot start in time, before it is told so: whoever
/// tries again at once would only cost reads.
pub(crate) const FUTILE_WAIT: Duration = Duration::from_secs(5);

/// Longest sleep until a time of day, before the clock is looked at again.
const CLOCK_POLL: Duration = Duration::from_secs(1);

/// How long nothing is asked after the service said that the day's quota is used up.
const DAY_PAUSE: Duration = Duration::from_secs(300);

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
    model_id: String,
    pub(crate) quota: ModelQuota,
    pub(crate) lanes: u32,
    pub(crate) instance: Instance,
    state: Mutex<State>,
    /// Held by the call that takes slices for all that wait.
    leader: tokio::sync::Mutex<()>,
    pacer: Pacer,
    pub(crate) slices: AtomicU64,
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
    #[error("quota of the day is used up")]
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
        self.limiters.values().map(|limiter| limiter.slices.swap(0, Ordering::Relaxed)).sum()
    }
}

impl Limiter {
    /// Starts with nothing known.
    pub fn new(model_id: &str, quota: ModelQuota, instance: Instance) -> Self {
        let lanes = rate::lanes(&quota);
        let pacer = Pacer::new(instance.instances, lanes);
        Self {
            model_id: model_id.to_owned(),
            lanes,
            quota,
            instance,
            state: Mutex::default(),
            leader: tokio::sync::Mutex::default(),
            pacer,
            slices: AtomicU64::default(),
        }
    }

    /// Waits until a call may start, and charges it.
    pub async fn reserve(
        &self,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<Reservation<'_>, NotAdmitted> {
        let (now, now_us) = (Instant::now(), self.now_us());
        let deadline_us = now_us + micros(deadline.saturating_duration_since(now));
        let came_us = now_us.saturating_sub(micros(now.saturating_duration_since(call.since)));
        // The service takes no more when a call starts; it may settle to more.
        let wanted = call.input_tokens + u64::from(call.max_tokens);
        let tokens_per_minute = self.quota.tokens_per_minute;
        if wanted > tokens_per_minute.get() {
            return Err(NotAdmitted::NeverFits { wanted, tokens_per_minute });
        }
        let turn = self.turn(call, came_us, deadline_us);
        let turn = timeout_at(deadline, turn).await.unwrap_or(Err(NotAdmitted::OutOfTime))?;
        Ok(Reservation::new(self, call, turn, self.now_us()))
    }

    /// Waits for the call's turn. One of the calls that wait takes slices for all.
    async fn turn(
        &self,
        call: &Call<'_>,
        came_us: u64,
        deadline_us: u64,
    ) -> Result<Turn, NotAdmitted> {
        loop {
            let closed_until_us = self.state().closed_until_us;
            if closed_until_us > self.now_us() {
                sleep(FUTILE_WAIT).await;
                return Err(NotAdmitted::DayUsedUp);
            }
            let (waiting, told) =
                Waiting::new(call.kind, call.input_tokens, call.max_tokens, deadline_us);
            let place = self.state().line.add(came_us, call.priority, waiting);
            let in_line = InLine { limiter: self, place };
            let turn = tokio::select! {
                // In order, so that a run can be repeated.
                biased;
                turn = told => turn.unwrap_or(Err(NotAdmitted::OutOfTime))?,
                never = self.lead() => match never {},
            };
            drop(in_line);
            self.sleep_until(turn.earliest_us).await;
            let (paused_until_us, closed_until_us) = {
                let state = self.state();
                (state.paused_until_us, state.closed_until_us)
            };
            let now_us = self.now_us();
            if now_us < closed_until_us {
                return Err(NotAdmitted::DayUsedUp);
            }
            let is_early = now_us < turn.earliest_us.max(paused_until_us);
            if !is_early && lane::may_start(turn.begins_us, now_us) {
                return Ok(turn);
            }
            // Its time has passed: it takes its place in the line again.
            self.sleep_until(paused_until_us).await;
        }
    }

    /// Takes slices as long as calls wait, once nobody else does.
    async fn lead(&self) -> Infallible {
        let _leader = self.leader.lock().await;
        loop {
            let (booked_until_us, paused_until_us) = {
                let state = self.state();
                (state.booked_until_us, state.paused_until_us)
            };
            self.sleep_until(booked_until_us.saturating_sub(micros(AHEAD)).max(paused_until_us))
                .await;
            while self.state().are_all_tried(self.now_us()) {
                sleep(TRIED_POLL).await;
            }
            self.collect().await;
            if booked_until_us + micros(IDLE) < self.now_us()
                && let Some(spread) = Pacer::spread(self.instance.instances, self.lanes)
            {
                sleep(self.instance.jitter.part_of(spread)).await;
            }
            self.pacer.wait().await;
            self.take_slice().await;
        }
    }

    /// Lets calls gather that take a slice together: as long as half of the time that the
    /// lanes are promised ahead, which nobody could start in anyway.
    async fn collect(&self) {
        let began_us = self.now_us();
        self.state().choose_lane(self.lanes, &self.instance.jitter);
        loop {
            let (until_us, waiting) = {
                let state = self.state();
                let ahead_us = state.ahead_us(began_us);
                (began_us + ahead_us / 2, state.line.len())
            };
            let left_us = until_us.saturating_sub(self.now_us());
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
        let now_us = self.now_us();
        let slower = self.state().throttled(lane, now_us, retry_after);
        if let (Some(number), Some(pace)) = (lane, slower) {
            self.slices.fetch_add(1, Ordering::Relaxed);
            let name = self.lane(number);
            let slowed = self.instance.table.slow_down(&name, now_us, pace);
            let slowed = timeout(TABLE_TIMEOUT, slowed).await;
            if !matches!(slowed, Ok(Ok(()))) {
                tracing::debug!(?slowed, "other instances do not hear of a throttle");
            }
        }
    }

    /// The service said that the day's quota is used up: nothing is asked for a while.
    pub fn day_used_up(&self) {
        let mut state = self.state();
        state.closed_until_us = self.now_us() + micros(DAY_PAUSE);
        for place in state.line.places() {
            state.line.tell(place, Err(NotAdmitted::DayUsedUp));
        }
    }

    /// Calls of the table so far, or since [`Quotas::count_table_calls`].
    pub fn table_calls(&self) -> u64 {
        self.slices.load(Ordering::Relaxed)
    }

    pub(crate) fn lane(&self, number: u32) -> LaneName {
        LaneName { model_id: self.model_id.clone(), number }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.instance.clock.now_us()
    }

    /// Sleeps until the clock shows a time, even if the clock is set meanwhile.
    pub(crate) async fn sleep_until(&self, then_us: u64) {
        loop {
            let left = Duration::from_micros(then_us.saturating_sub(self.now_us()));
            if left.is_zero() {
                return;
            }
            sleep(left.min(CLOCK_POLL)).await;
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this lock, so what it guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a call out of the line when it is dropped.
struct InLine<'a> {
    limiter: &'a Limiter,
    place: Place,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.limiter.state().line.leave(self.place);
    }
}
