//! What could be used of a quota at all: by one caller that is never late, asks no table, and
//! always has a call that waits.
//!
//! It does not know what a call will come to before it ends, and no sixty seconds may hold
//! more than the quota. So a call starts when the most that it may come to fits beside what
//! others took, or may come to. Whole calls do not fill every quota, and the room that a
//! call needs to start is more than it takes.

use std::collections::VecDeque;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::load::{BURNDOWN, Request, Run};

const WINDOW: Duration = Duration::from_secs(60);

/// A call of the last minute.
struct Call {
    at: Duration,
    request: Request,
}

impl Call {
    /// What it took, or may come to.
    fn holds(&self, now: Duration) -> f64 {
        let has_ended = self.at + self.request.took <= now;
        if has_ended { self.request.settled() } else { worst(&self.request) }
    }

    /// When it will count less than now.
    fn next_change(&self, now: Duration) -> Duration {
        let ends = self.at + self.request.took;
        if ends > now { ends } else { self.at + WINDOW }
    }
}

/// The part of the quota that could be used from the second minute on.
pub fn part(run: &Run) -> f64 {
    let mut chance = StdRng::seed_from_u64(run.seed);
    let (mut calls, mut used) = (VecDeque::<Call>::new(), 0.0);
    let mut now = Duration::ZERO;
    let end = Duration::from_secs(run.secs);
    let mut request = Request::any(run.sizes, &mut chance);
    while now < end {
        while calls.front().is_some_and(|call| call.at + WINDOW <= now) {
            calls.pop_front();
        }
        let held: f64 = calls.iter().map(|call| call.holds(now)).sum();
        if held + worst(&request) <= run.quota || calls.is_empty() {
            used += if now >= WINDOW { request.settled() } else { 0.0 };
            calls.push_back(Call { at: now, request });
            request = Request::any(run.sizes, &mut chance);
        } else {
            now = calls.iter().map(|call| call.next_change(now)).min().unwrap_or(end);
        }
    }
    used / (run.quota * (end - WINDOW).as_secs_f64() / WINDOW.as_secs_f64())
}

/// The most that a call may come to, as far as is known when it starts.
fn worst(request: &Request) -> f64 {
    let output_tokens = request.size.max_tokens * BURNDOWN;
    (request.size.estimated_input_tokens + u64::from(output_tokens)) as f64
}
