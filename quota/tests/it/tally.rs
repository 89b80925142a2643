//! The tally of a small quota, by chance: whatever instances do, no sixty seconds hold more
//! than the quota, be every call settled to whatever it may come to.
//!
//! Instances enter calls, learn of it or not, repeat updates, start late, end calls or die,
//! beside others that take slices of the same lane, as the version before does. What a call
//! may still come to counts until it ends.

use std::time::Duration;

use proptest::prelude::*;
use quota::ModelQuota;
use quota::lane::{Ask, LATE, Lane, WINDOW, may_start, micros};
use quota::tally::{Counted, Entering, Tally};

const QUOTA: u64 = 4_000;

/// The largest call that a slice is taken for, which those that take slices keep free.
const LARGEST_OF_SLICES: u64 = QUOTA / 8;

/// Entries of an item at most: each has some forty bytes.
const MOST_ENTRIES: usize = 128;

const BEGINS_US: u64 = 1_800_000_000_000_000;

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    /// An instance enters calls of so many tokens; their starts are late by a part.
    Enter { tokens: Vec<u64>, fate: Fate, late: f64 },
    /// The call that was entered so many calls ago ends, and took a part of what it held.
    End { ago: usize, part: f64, is_told: bool },
    /// One that knows no tally takes a slice for a call.
    Slice { tokens: u64, late: f64 },
}

/// What comes of an update.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Answered,
    /// It is applied, and sent again.
    Repeated,
    /// It is applied, and the instance does not hear of it.
    Lost,
}

/// A call that started.
#[derive(Debug, Clone, Copy)]
struct Started {
    at_us: u64,
    /// What it may come to, or came to.
    tokens: u64,
    number: Option<u64>,
}

/// The item, and what the account sees.
struct World {
    now_us: u64,
    /// How far clocks are wrong, either way, another way at each look.
    wrong_us: u64,
    item: Option<(Lane, Tally)>,
    started: Vec<Started>,
    untold: Vec<Counted>,
    numbers: u64,
    entered: usize,
}

impl World {
    fn new(wrong: Duration) -> Self {
        let (started, untold) = (Vec::new(), Vec::new());
        let (now_us, wrong_us) = (BEGINS_US, micros(wrong));
        Self { now_us, wrong_us, item: None, started, untold, numbers: 0, entered: 0 }
    }

    fn happens(&mut self, event: Event, is_ahead: bool) {
        let off = if is_ahead { self.now_us + self.wrong_us } else { self.now_us - self.wrong_us };
        match event {
            Event::Enter { tokens, fate, late } => self.enter(off, &tokens, fate, late),
            Event::End { ago, part, is_told } => self.end(ago, part, is_told),
            Event::Slice { tokens, late } => self.slice(off, tokens, late),
        }
    }

    fn enter(&mut self, clock_us: u64, tokens: &[u64], fate: Fate, late: f64) {
        let numbered = tokens.iter().zip(self.numbers..);
        let calls = numbered.map(|(tokens, number)| Counted { number, tokens: *tokens }).collect();
        self.numbers += tokens.len() as u64;
        let entering = Entering {
            now_us: clock_us,
            day: 0,
            quota: ModelQuota::of_tokens(QUOTA),
            ended: std::mem::take(&mut self.untold),
            calls,
        };
        for _ in 0..if fate == Fate::Repeated { 2 } else { 1 } {
            let before = self.item.as_ref().map(|(lane, tally)| (lane, tally));
            if let Ok(entered) = Tally::enter(before, &entering) {
                self.item = Some(entered);
            }
        }
        let Some((_, tally)) = &self.item else { return };
        let held: Vec<_> = tally.entries.iter().filter_map(|entry| entry.open).collect();
        for call in entering.calls.iter().filter(|call| held.contains(&call.number)) {
            self.entered += 1;
            if fate != Fate::Lost {
                let at_us = self.now_us + (micros(LATE) as f64 * late) as u64;
                let Counted { number, tokens } = *call;
                self.started.push(Started { at_us, tokens, number: Some(number) });
            }
        }
    }

    fn end(&mut self, ago: usize, part: f64, is_told: bool) {
        let mut open = self.started.iter_mut().rev().filter(|call| call.number.is_some());
        if let Some(call) = open.nth(ago)
            && let Some(number) = call.number.take()
        {
            call.tokens = (call.tokens as f64 * part) as u64;
            if is_told {
                self.untold.push(Counted { number, tokens: call.tokens });
            }
        }
    }

    fn slice(&mut self, clock_us: u64, tokens: u64, late: f64) {
        let counts_us = micros(WINDOW + LATE);
        let ask = Ask {
            now_us: clock_us,
            length_us: counts_us * tokens / (QUOTA - LARGEST_OF_SLICES) + 1,
            latest_us: clock_us + micros(WINDOW),
            day: 0,
            tokens,
            tokens_per_day: None,
            resumes_us: None,
        };
        let known = self.item.as_ref();
        let Ok(lane) = Lane::take(known.map(|(lane, _)| lane), &ask) else { return };
        let begins_us = lane.busy_until_us - ask.length_us;
        let earliest_us = lane.earliest_us(begins_us, lane.busy_until_us, 1.0).max(clock_us);
        let at_clock_us = earliest_us + (micros(LATE) as f64 * late) as u64;
        if may_start(begins_us, at_clock_us) {
            let at_us = at_clock_us + self.now_us - clock_us;
            self.started.push(Started { at_us, tokens, number: None });
        }
        let tally = known.map(|(_, tally)| tally.clone()).unwrap_or_default();
        self.item = Some((lane, tally));
    }

    /// The most that calls of any sixty seconds may come to, less what clocks differ.
    fn fullest(&self) -> u64 {
        let window_us = micros(WINDOW) - 2 * self.wrong_us;
        let inside = |from_us: u64| {
            let inside = self
                .started
                .iter()
                .filter(move |call| (from_us..from_us + window_us).contains(&call.at_us));
            inside.map(|call| call.tokens).sum()
        };
        self.started.iter().map(|call| inside(call.at_us)).max().unwrap_or_default()
    }
}

fn event(has_slices: bool) -> impl Strategy<Value = Event> {
    let fate =
        prop_oneof![6 => Just(Fate::Answered), 1 => Just(Fate::Repeated), 1 => Just(Fate::Lost)];
    let enter = (prop::collection::vec(50_u64..1_500, 1..4), fate, 0.0..=1.0)
        .prop_map(|(tokens, fate, late)| Event::Enter { tokens, fate, late });
    let end = (0_usize..6, 0.0..=1.0, prop::bool::weighted(0.9))
        .prop_map(|(ago, part, is_told)| Event::End { ago, part, is_told });
    let slice = (50_u64..=LARGEST_OF_SLICES, 0.0..=1.0)
        .prop_map(|(tokens, late)| Event::Slice { tokens, late });
    prop_oneof![4 => enter, 4 => end, if has_slices { 2 } else { 0 } => slice]
}

/// What happens, how long after what was before, and by a clock that is ahead or behind.
fn events(has_slices: bool) -> impl Strategy<Value = Vec<(u64, bool, Event)>> {
    let pause = prop_oneof![8 => 0_u64..8_000_000, 1 => 20_000_000_u64..90_000_000];
    prop::collection::vec((pause, any::<bool>(), event(has_slices)), 1..120)
}

/// Lets things happen, and looks at the windows after each.
fn check(wrong: Duration, events: Vec<(u64, bool, Event)>) -> Result<World, TestCaseError> {
    let mut world = World::new(wrong);
    for (pause_us, is_ahead, event) in events {
        world.now_us += pause_us;
        world.happens(event, is_ahead);
        let fullest = world.fullest();
        prop_assert!(fullest <= QUOTA, "{fullest} of {:?}", world.started);
        let entries = world.item.as_ref().map_or(0, |(_, tally)| tally.entries.len());
        prop_assert!(entries <= MOST_ENTRIES, "{entries} entries");
    }
    Ok(world)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Nothing is kept free, and nothing exceeds.
    #[test]
    fn no_sixty_seconds_hold_more_than_the_quota_whatever_calls_take(events in events(false)) {
        check(Duration::ZERO, events)?;
    }

    /// During a deployment, and after a rollback.
    #[test]
    fn instances_that_know_no_tally_share_its_quota(events in events(true)) {
        check(Duration::ZERO, events)?;
    }

    /// Clocks that are wrong by two seconds either way take four seconds off the window.
    #[test]
    fn clocks_that_differ_add_what_starts_in_what_they_differ(events in events(true)) {
        check(Duration::from_secs(2), events)?;
    }
}

#[test]
fn a_tally_of_many_small_calls_stays_small_and_counts_them_all() {
    let mut world = World::new(Duration::ZERO);
    for _ in 0..400 {
        world.happens(Event::Enter { tokens: vec![10], fate: Fate::Answered, late: 0.0 }, false);
        world.happens(Event::End { ago: 0, part: 1.0, is_told: true }, false);
        world.now_us += 140_000;
    }

    let (_, tally) = world.item.as_ref().expect("is there");
    let counted: u64 = tally.entries.iter().map(|entry| entry.tokens).sum();
    assert_eq!((world.entered, counted, world.fullest()), (400, QUOTA, QUOTA));
    assert!(tally.entries.len() <= MOST_ENTRIES, "{}", tally.entries.len());

    world.happens(Event::Enter { tokens: vec![10], fate: Fate::Answered, late: 0.0 }, false);
    assert_eq!(world.entered, 400, "there is no room");
}

fn entering(now_us: u64, quota: ModelQuota, tokens: &[u64]) -> Entering {
    let numbered = tokens.iter().zip(now_us..);
    let calls = numbered.map(|(tokens, number)| Counted { number, tokens: *tokens }).collect();
    Entering { now_us, day: 0, quota, ended: Vec::new(), calls }
}

#[test]
fn requests_are_counted_as_well() {
    let requests_per_minute = 3.try_into().ok();
    let quota = ModelQuota { requests_per_minute, ..ModelQuota::of_tokens(QUOTA) };
    let (_, tally) = Tally::enter(None, &entering(BEGINS_US, quota, &[10; 5])).expect("fit");

    assert_eq!(tally.entries.len(), 3);
}

#[test]
fn of_a_lane_that_began_anew_nobody_knows_what_was_used() {
    let quota = ModelQuota::of_tokens(QUOTA);
    let enter = |before: &(Lane, Tally), now_us| {
        Tally::enter(Some((&before.0, &before.1)), &entering(now_us, quota, &[100]))
    };
    let (lane, tally) =
        Tally::enter(None, &entering(BEGINS_US, quota, &[100])).expect("nothing counts");
    let back_us = BEGINS_US + 100_000_000;
    let begins_us = back_us + 16_000_000;
    let ask = Ask {
        now_us: back_us,
        length_us: 0,
        latest_us: u64::MAX,
        day: 0,
        tokens: 0,
        tokens_per_day: None,
        resumes_us: Some(begins_us),
    };
    let anew = (Lane::take(Some(&lane), &ask).expect("is idle"), tally);

    assert!(enter(&anew, begins_us + 1).is_err());
    assert!(enter(&anew, begins_us + micros(WINDOW)).is_err());
    assert!(enter(&anew, begins_us + micros(WINDOW + LATE)).is_ok());
}
