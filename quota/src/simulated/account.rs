//! The account's quota as the service keeps it, in virtual time.
//!
//! A call reserves its input and its output allowance when it starts, and is settled to
//! its input and its output times burndown when it ends. How AWS windows the minute is not
//! documented, so there are several servers; what was admitted is judged by sliding
//! windows in any case.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

/// Microseconds of the quota's window.
pub const WINDOW_US: u64 = 60_000_000;

/// How the server counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// No sixty seconds hold more than the quota.
    Sliding,
    /// No minute of the clock does.
    Fixed,
    /// A bucket of this part of the quota, refilled in a minute by the whole.
    Bucket(f64),
}

/// A call that was admitted.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    pub at_us: u64,
    pub tokens: f64,
    is_ours: bool,
}

/// The books.
#[derive(Debug)]
pub struct Account {
    shape: Shape,
    quota: f64,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    admitted: Vec<Admission>,
    /// First call that a window from now on still holds.
    oldest: usize,
    /// Tokens in the window, or in the bucket.
    held: f64,
    counted_at_us: u64,
    refused: u64,
    asked: u64,
}

impl Account {
    pub fn new(shape: Shape, quota: f64) -> Self {
        let mut books = Books::default();
        if let Shape::Bucket(part) = shape {
            books.held = quota * part;
        }
        Self { shape, quota, books: Mutex::new(books) }
    }

    /// Admits a call, or refuses it.
    pub fn start(&self, reserved: f64, at_us: u64, is_ours: bool) -> Option<usize> {
        let mut books = self.books();
        books.pass(self.shape, self.quota, at_us);
        let fits = match self.shape {
            Shape::Sliding | Shape::Fixed => books.held + reserved <= self.quota,
            Shape::Bucket(_) => books.held >= reserved,
        };
        if is_ours {
            books.asked += 1;
            books.refused += u64::from(!fits);
        }
        if !fits {
            return None;
        }
        books.hold(self.shape, reserved);
        books.admitted.push(Admission { at_us, tokens: reserved, is_ours });
        Some(books.admitted.len() - 1)
    }

    /// Settles a call to what it took.
    pub fn end(&self, call: usize, settled: f64) {
        let mut books = self.books();
        let reserved = std::mem::replace(&mut books.admitted[call].tokens, settled);
        let counts = match self.shape {
            Shape::Sliding => call >= books.oldest,
            Shape::Fixed => {
                books.admitted[call].at_us / WINDOW_US == books.counted_at_us / WINDOW_US
            }
            Shape::Bucket(_) => true,
        };
        if counts {
            books.hold(self.shape, settled - reserved);
        }
    }

    /// What all calls were settled to that started between two times, as a part of what
    /// the quota allows in that time.
    pub fn utilisation(&self, from_us: u64, to_us: u64) -> f64 {
        let books = self.books();
        let tokens: f64 = books
            .admitted
            .iter()
            .filter(|call| (from_us..to_us).contains(&call.at_us))
            .map(|call| call.tokens)
            .sum();
        tokens * WINDOW_US as f64 / (self.quota * (to_us - from_us) as f64)
    }

    /// Sixty seconds, each ending with a call of ours, in which our calls hold more than
    /// the quota, and the most that any held, as a part of the quota.
    pub fn windows_over(&self) -> (u64, f64) {
        self.windows(|call| call.is_ours)
    }

    /// The same, with the calls of the other application.
    pub fn windows_over_with_others(&self) -> (u64, f64) {
        self.windows(|_| true)
    }

    fn windows(&self, counts: impl Fn(&Admission) -> bool) -> (u64, f64) {
        let books = self.books();
        let (mut window, mut sum) = (VecDeque::new(), 0.0);
        let (mut over, mut most) = (0, 0.0_f64);
        // Ending with a call is the same as beginning with one: every window that holds
        // the most does both.
        for call in books.admitted.iter().filter(|call| counts(call)) {
            window.push_back(*call);
            sum += call.tokens;
            while window.front().is_some_and(|first| first.at_us + WINDOW_US <= call.at_us) {
                sum -= window.pop_front().map_or(0.0, |first| first.tokens);
            }
            over += u64::from(sum > self.quota);
            most = most.max(sum / self.quota);
        }
        (over, most)
    }

    /// Calls of ours, and how many of them were refused.
    pub fn asked(&self) -> (u64, u64) {
        let books = self.books();
        (books.asked, books.refused)
    }

    /// Calls of ours that were admitted.
    pub fn admitted(&self) -> usize {
        self.books().admitted.iter().filter(|call| call.is_ours).count()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("whole")
    }
}

impl Books {
    fn hold(&mut self, shape: Shape, tokens: f64) {
        match shape {
            Shape::Sliding | Shape::Fixed => self.held += tokens,
            Shape::Bucket(_) => self.held -= tokens,
        }
    }

    fn pass(&mut self, shape: Shape, quota: f64, now_us: u64) {
        let passed_us = now_us.saturating_sub(self.counted_at_us);
        match shape {
            Shape::Sliding => {
                while let Some(call) = self.admitted.get(self.oldest)
                    && call.at_us + WINDOW_US <= now_us
                {
                    self.held -= call.tokens;
                    self.oldest += 1;
                }
            }
            Shape::Fixed => {
                if now_us / WINDOW_US != self.counted_at_us / WINDOW_US {
                    self.held = 0.0;
                }
            }
            Shape::Bucket(part) => {
                let refill = quota * passed_us as f64 / WINDOW_US as f64;
                self.held = (self.held + refill).min(quota * part);
            }
        }
        self.counted_at_us = now_us;
    }
}
