//! Starts the calls of a small quota one by one: an instance's part of the [`tally`](crate::tally).
//!
//! Nothing is promised ahead, because nobody knows when a call will end. An instance whose calls
//! wait comes when there is room by what it saw last, looks every [`LOOK`] whether calls of
//! others ended meanwhile, and tells at once which of its own did.

use std::sync::Arc;
use std::time::Duration;

use program::causes;
use tokio::time::{sleep, timeout};

use crate::NotAdmitted;
use crate::estimate::Price;
use crate::lane::{DAY_US, micros};
use crate::line::{Place, Turn, Waiting};
use crate::scheduler::{FUTILE_WAIT, Scheduler, TABLE_TIMEOUT};
use crate::settings::ModelQuota;
use crate::table::{LaneItem, Reply};
use crate::tally::{Counted, Entering, is_small};

/// The lane of a small quota: it has one.
pub(crate) const LANE: u32 = 0;

/// Calls that are entered with one update at most.
const MAX_CALLS: usize = 32;

/// Ended calls that the table was not told yet, at most; a minute later they are of no use.
const MAX_ENDED: usize = 64;

/// How often the table is asked while calls wait for room.
const LOOK: Duration = Duration::from_secs(5);

/// In what time instances come for the same room that have just started a call: all at once they
/// would only be in each other's way. Whoever started none for `n` seconds comes `n + 1` times as
/// soon, so nobody is left out.
const CROWD: Duration = Duration::from_millis(200);

/// Calls that are to be entered, and the places that they have in the line.
struct Attempt {
    entering: Entering,
    places: Vec<Place>,
}

impl Scheduler {
    /// Whether calls are counted one by one: the quota is small, and the table answers.
    pub(crate) fn is_counted(&self) -> bool {
        is_small(&self.quota) && self.state().fallback.is_none()
    }

    /// Waits until it is time to ask the table, for room or whether there is any.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            let (room_us, looks_us) = (self.room_us(), self.looks_us());
            if room_us.min(looks_us) <= self.now_us() {
                return;
            }
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = self.sleep_until(room_us.min(looks_us)) => {
                    return sleep(self.instance.jitter.part_of(self.crowd())).await;
                }
            }
        }
    }

    /// Starts the calls that have room, first served first, and tells those that cannot start
    /// in time so, after a while: whoever tries again at once only asks the table again.
    pub(crate) async fn count_calls(&self) {
        self.enter_calls().await;
        if self.hopeless().is_empty() {
            return;
        }
        tokio::select! {
            biased;
            () = self.changed.notified() => return,
            () = sleep(self.instance.jitter.spread(FUTILE_WAIT)) => {}
        }
        self.enter_calls().await;
        for place in self.hopeless() {
            self.state().line.tell(place, Err(NotAdmitted::OutOfTime));
        }
    }

    /// A call does not start in its turn.
    pub(crate) fn pass(&self, turn: &Turn) {
        if let Some(number) = turn.number {
            self.ended(number, 0);
        }
    }

    /// A call ended, and took some tokens: whoever waits hears of it, here and elsewhere.
    pub(crate) fn ended(&self, number: u64, tokens: u64) {
        let is_awaited = {
            let mut state = self.state();
            if state.ended.len() == MAX_ENDED {
                state.ended.remove(0);
            }
            state.ended.push(Counted { number, tokens });
            state.line.len() > 0
        };
        if is_awaited { self.changed.notify_one() } else { self.tell_ended() }
    }

    /// Tells the table of the calls that ended, in a task of its own. Should the update be
    /// late, or fail, they count with their worst case.
    fn tell_ended(&self) {
        let Attempt { entering, .. } = self.attempt(0);
        let seen = {
            let mut state = self.state();
            state.ended.clear();
            let seen = state.views.item_of_today(LANE, entering.now_us).cloned();
            // Whoever comes next here knows it at once, and is told what else changed.
            if let Some(tally) = state.views.tally_mut(LANE) {
                for call in &entering.ended {
                    tally.settle(call);
                }
            }
            seen
        };
        let (name, table) = (self.lane(LANE), Arc::clone(&self.instance.table));
        tokio::spawn(async move {
            let told = timeout(TABLE_TIMEOUT, table.enter(&name, &entering, seen.as_ref())).await;
            if !matches!(told, Ok(Ok(_))) {
                tracing::debug!(?told, "what calls took was not told");
            }
        });
    }

    async fn enter_calls(&self) {
        let attempt = self.attempt(MAX_CALLS);
        let now_us = attempt.entering.now_us;
        // What was seen long ago may hide room, so the table tells what there is.
        let hides_room = self.looks_us() <= now_us && self.room_us() > now_us;
        let seen = self.state().views.item_of_today(LANE, now_us).cloned();
        let seen = seen.filter(|_| !hides_room);
        let name = self.lane(LANE);
        let entered = self.instance.table.enter(&name, &attempt.entering, seen.as_ref());
        match timeout(TABLE_TIMEOUT, entered).await {
            Ok(Ok(Reply::Slice(item) | Reply::Busy(item))) => self.entered(item, &attempt),
            Ok(Ok(Reply::DayUsedUp)) => self.state().close(now_us),
            Ok(Err(error)) => self.failed(&causes::told(&error), now_us).await,
            Err(_) => self.failed("no answer", now_us).await,
        }
    }

    /// In what time this instance comes for room.
    fn crowd(&self) -> Duration {
        if self.instance.instances.get() == 1 {
            return Duration::ZERO;
        }
        let idle_secs = self.now_us().saturating_sub(self.state().started_us) as f64 / 1e6;
        CROWD.mul_f64(1.0 / (1.0 + idle_secs))
    }

    /// The table answered: the calls that it has start.
    fn entered(&self, item: LaneItem, attempt: &Attempt) {
        let Attempt { entering, places } = attempt;
        let mut state = self.state();
        state.ended.retain(|ended| !entering.ended.contains(ended));
        for (place, call) in places.iter().zip(&entering.calls) {
            if !item.tally.holds(call.number) {
                continue;
            }
            let turn = Turn {
                lane: Some(LANE),
                number: Some(call.number),
                earliest_us: entering.now_us,
                begins_us: entering.now_us,
                price: Price::worst(call.tokens as f64),
            };
            if state.line.tell(*place, Ok(turn)) {
                state.started_us = entering.now_us;
            } else {
                state.ended.push(Counted { number: call.number, tokens: 0 });
            }
        }
        state.saw(LANE, item, entering.now_us);
    }

    /// The first of the calls that wait, to be entered now.
    fn attempt(&self, most: usize) -> Attempt {
        let now_us = self.now_us();
        let state = self.state();
        let waiting = state.line.iter().filter(|(_, waiting)| waiting.deadline_us > now_us);
        let (places, calls) = waiting
            .take(most)
            .map(|(place, waiting)| {
                let (number, tokens) = (self.instance.jitter.number(), holds(waiting, &self.quota));
                (place, Counted { number, tokens })
            })
            .unzip();
        let (day, quota, ended) = (now_us / DAY_US, self.quota, state.ended.clone());
        Attempt { entering: Entering { now_us, day, quota, ended, calls }, places }
    }

    /// When the first of the calls has room at the latest, as far as is known; now, where there
    /// is something to tell.
    fn room_us(&self) -> u64 {
        let Attempt { entering, .. } = self.attempt(1);
        let state = self.state();
        match state.views.item(LANE) {
            Some(item) if entering.ended.is_empty() => item.tally.room_us(&item.lane, &entering),
            _ => entering.now_us,
        }
    }

    /// When the table is asked in any case.
    fn looks_us(&self) -> u64 {
        self.state().views.latest_us() + micros(LOOK)
    }

    /// The calls that cannot start in time, whatever those take that have not ended.
    fn hopeless(&self) -> Vec<Place> {
        let room_us = self.room_us();
        let state = self.state();
        let late = state.line.iter().filter(|(_, waiting)| waiting.deadline_us < room_us);
        late.map(|(place, _)| place).collect()
    }
}

/// What a call holds of the quota until it ends: the most that it can be settled to. One that
/// may come to more than the quota holds all of it.
fn holds(waiting: &Waiting, quota: &ModelQuota) -> u64 {
    let output = u64::from(waiting.max_tokens) * u64::from(quota.output_burndown.get());
    (waiting.input_tokens + output).min(quota.tokens_per_minute.get())
}
