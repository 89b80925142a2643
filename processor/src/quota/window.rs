//! The ledger: what was charged in each of the last sixty-one seconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::WINDOW_SECS;

/// Tokens charged, by second.
///
/// A charge in second `n` may lie anywhere in it, so it counts until second
/// `n + 61` begins: then every window of sixty seconds that held it has ended.
#[derive(Debug)]
pub(super) struct Window {
    quota: u64,
    charged: u64,
    /// Seconds with their charges, oldest first; at most sixty-one.
    seconds: VecDeque<(u64, u64)>,
    started_at: Instant,
}

impl Window {
    pub(super) fn new(quota: u64) -> Self {
        Self { quota, charged: 0, seconds: VecDeque::new(), started_at: Instant::now() }
    }

    /// Charges now, or says when the call would fit if nothing is given back.
    pub(super) fn charge(&mut self, wanted: u64, now: Instant) -> Result<u64, Instant> {
        let second = now.saturating_duration_since(self.started_at).as_secs();
        self.forget_before(second.saturating_sub(WINDOW_SECS));
        if self.charged + wanted > self.quota {
            return Err(self.fits_at(wanted));
        }
        match self.seconds.back_mut() {
            Some((last, tokens)) if *last == second => *tokens += wanted,
            _ => self.seconds.push_back((second, wanted)),
        }
        self.charged += wanted;
        Ok(second)
    }

    fn fits_at(&self, wanted: u64) -> Instant {
        let mut left = self.charged;
        let freeing = self.seconds.iter().find(|(_, tokens)| {
            left = left.saturating_sub(*tokens);
            left + wanted <= self.quota
        });
        let second = freeing.map_or(0, |(second, _)| *second);
        self.started_at + Duration::from_secs(second + WINDOW_SECS + 1)
    }

    fn forget_before(&mut self, oldest: u64) {
        while self.seconds.front().is_some_and(|(second, _)| *second < oldest) {
            if let Some((_, tokens)) = self.seconds.pop_front() {
                self.charged -= tokens;
            }
        }
    }

    pub(super) fn correct(&mut self, second: u64, reserved: u64, used: u64) {
        let charge = self.seconds.iter_mut().find(|(charged_in, _)| *charged_in == second);
        // A second that is no longer remembered has no window left to fill.
        if let Some((_, tokens)) = charge {
            *tokens = *tokens - reserved + used;
            self.charged = self.charged - reserved + used;
        }
    }
}
