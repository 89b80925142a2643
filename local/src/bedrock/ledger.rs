//! The account's books: what was charged in the last sixty seconds, and what they held
//! at most.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Window of the quota.
const WINDOW: Duration = Duration::from_secs(60);

/// Charges of the last sixty seconds.
#[derive(Debug)]
pub(super) struct Ledger {
    tokens_per_minute: u64,
    books: Mutex<Books>,
}

/// Names a charge until it leaves the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u64);

/// What the account's quota was used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaUse {
    /// Calls that were admitted.
    pub admitted: u64,
    /// Calls that were refused for reasons of quota.
    pub refused: u64,
    /// What the calls took that ended, in tokens.
    pub settled: u64,
    /// The most that any sixty seconds held, in tokens.
    pub fullest: u64,
}

#[derive(Debug, Default)]
struct Books {
    /// Charges, oldest first; bounded, because every one holds at least one token
    /// of the quota.
    charges: VecDeque<Charge>,
    charged: u64,
    next: u64,
    used: QuotaUse,
}

#[derive(Debug)]
struct Charge {
    number: u64,
    at: Instant,
    tokens: u64,
}

impl Ledger {
    pub(super) fn new(tokens_per_minute: u64) -> Self {
        Self { tokens_per_minute, books: Mutex::default() }
    }

    /// Charges `tokens` now, or refuses.
    pub(super) fn reserve(&self, tokens: u64, now: Instant) -> Option<Entry> {
        let mut books = self.books();
        books.pass(now);
        if books.charged + tokens > self.tokens_per_minute {
            books.used.refused += 1;
            return None;
        }
        let number = books.next;
        books.next += 1;
        books.used.admitted += 1;
        books.charges.push_back(Charge { number, at: now, tokens });
        books.charge(tokens);
        Some(Entry(number))
    }

    /// Corrects a charge to what was used; one that has left the window stays as it was.
    pub(super) fn settle(&self, Entry(number): Entry, used: u64, now: Instant) {
        let mut books = self.books();
        books.pass(now);
        books.used.settled += used;
        let Some(first) = books.charges.front().map(|charge| charge.number) else { return };
        let place = number.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(charge) = place.and_then(|place| books.charges.get_mut(place)) {
            let reserved = std::mem::replace(&mut charge.tokens, used);
            books.charged -= reserved;
            books.charge(used);
        }
    }

    /// What the last sixty seconds hold.
    pub(super) fn charged(&self, now: Instant) -> u64 {
        let mut books = self.books();
        books.pass(now);
        books.charged
    }

    /// What the quota was used for so far.
    pub(super) fn used(&self) -> QuotaUse {
        self.books().used
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while it holds this lock, so the sums are whole.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn charge(&mut self, tokens: u64) {
        self.charged += tokens;
        self.used.fullest = self.used.fullest.max(self.charged);
    }

    /// Charges leave the window.
    fn pass(&mut self, now: Instant) {
        while self.charges.front().is_some_and(|charge| now - charge.at >= WINDOW) {
            if let Some(charge) = self.charges.pop_front() {
                self.charged -= charge.tokens;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_is_charged_its_allowance_and_settled_to_its_use() {
        let ledger = Ledger::new(1_000);
        let now = Instant::now();

        let first = ledger.reserve(900, now).expect("fits");
        assert_eq!(ledger.reserve(200, now), None);

        ledger.settle(first, 300, now);
        assert!(ledger.reserve(700, now).is_some());
        assert_eq!(ledger.reserve(1, now + WINDOW - Duration::from_millis(1)), None);
        assert!(ledger.reserve(1_000, now + WINDOW).is_some());
        let used = QuotaUse { admitted: 3, refused: 2, settled: 300, fullest: 1_000 };
        assert_eq!(ledger.used(), used);
    }
}
