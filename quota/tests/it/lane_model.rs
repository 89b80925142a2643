//! Every way in which instances can share a lane, by exhaustive search with `stateright`.
//!
//! The states are those of [`world`]; the rules in them are the limiter's own. The search
//! has no end in time: a state is the last sixty seconds and the promises that are open,
//! and these repeat. Short calls are searched without faults, long ones with all of them:
//! 746 thousand states together.

mod promises;
mod world;

use quota::lane::{LATE, WINDOW, micros};
use stateright::{Checker, HasDiscoveries, Model, Property};

use promises::{SECOND, Setting};
use world::{Step, World};

/// Threads of the search.
const THREADS: usize = 2;

/// What the window of a state may hold.
const BOUND: &str = "less than the bound, and one call";

/// What is searched.
#[derive(Debug, Clone)]
struct Leases {
    instances: usize,
    setting: Setting,
    /// Lane time that a window may hold beside its own length and one call.
    allowed_us: u64,
}

impl Model for Leases {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.instances, &self.setting)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world.steps(&self.setting, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        world.after(step, &self.setting)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(BOUND, |leases: &Self, world: &World| {
                let all_but_one = world.calls_of_the_window().saturating_sub(1);
                all_but_one * leases.setting.call_us < micros(WINDOW) + leases.allowed_us
            }),
            Property::always("no time is promised twice", |_, world: &World| {
                !world.was_promised_twice()
            }),
            Property::always("leases sum to their window at most", |_, world: &World| {
                world.most_leased_us() <= micros(WINDOW)
            }),
        ]
    }
}

/// Clocks that are wrong by `skew_secs` either way, so that two differ by twice as much.
fn leases(instances: usize, step_secs: u64, call_secs: u64, skew_secs: u64) -> Leases {
    let [step_us, call_us, skew_us] = [step_secs, call_secs, skew_secs].map(|secs| secs * SECOND);
    let setting = Setting { step_us, call_us, skew_us, has_faults: false };
    Leases { instances, setting, allowed_us: 2 * skew_us + micros(LATE) }
}

fn with_faults(leases: Leases) -> Leases {
    let setting = Setting { has_faults: true, ..leases.setting };
    Leases { setting, ..leases }
}

fn search(leases: Leases) -> impl Checker<Leases> {
    let checker = leases.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures);
    checker.spawn_bfs().join()
}

/// Searches all states. There must be as many as when they were last looked at: a world
/// in which less can happen is easily within its bound.
fn check(leases: Leases, states: usize) {
    let search = search(leases);
    search.assert_properties();
    assert_eq!(search.unique_state_count(), states, "{:?}", search.model());
}

#[test]
fn however_instances_stall_no_sixty_seconds_hold_more_than_their_length_and_one_call() {
    check(leases(2, 15, 15, 0), 9_620);
    check(leases(3, 12, 12, 0), 140_485);
}

#[test]
fn clocks_that_differ_add_what_they_differ() {
    check(leases(2, 12, 12, 6), 137_818);
    check(leases(2, 4, 16, 2), 245_954);
}

#[test]
fn crashes_and_lost_replies_and_repeats_and_time_given_back_add_nothing() {
    check(with_faults(leases(3, 4, 32, 2)), 212_187);
}

#[test]
fn the_bound_is_reached() {
    for exact in [leases(2, 15, 15, 0), leases(2, 12, 12, 6), with_faults(leases(2, 4, 32, 2))] {
        let allowed_us = exact.allowed_us - micros(LATE);
        search(Leases { allowed_us, ..exact }).assert_any_discovery(BOUND);
    }
}
