//! Whether a model answers at all, as this instance sees it: a prompt that fails beside
//! others that are answered is to blame itself, and one that fails like all others is not.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer shows that a model answers.
const SHOWS_FOR: Duration = Duration::from_secs(60);

/// What this instance saw of each model.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<HashMap<String, Seen>>);

/// What was seen of a model.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// When it answered last.
    answered: Option<Instant>,
    /// Until when it is left alone, in UNIX milliseconds.
    out_until_ms: u64,
}

impl Health {
    /// A model answered, usable or not.
    pub(crate) fn answered(&self, model_id: &str) {
        self.note(model_id, Seen { answered: Some(Instant::now()), out_until_ms: 0 });
    }

    /// A model answered nobody, and is left alone until a time (UNIX milliseconds).
    pub(crate) fn is_out(&self, model_id: &str, until_ms: u64) {
        self.note(model_id, Seen { answered: None, out_until_ms: until_ms });
    }

    /// Tells whether a model answered somebody lately.
    pub(crate) fn answers(&self, model_id: &str) -> bool {
        let answered = self.of(model_id).answered;
        answered.is_some_and(|at| at.elapsed() < SHOWS_FOR)
    }

    /// Until when a model is left alone, in UNIX milliseconds, if it is.
    pub(crate) fn out_until_ms(&self, model_id: &str, now_ms: u64) -> Option<u64> {
        Some(self.of(model_id).out_until_ms).filter(|until_ms| *until_ms > now_ms)
    }

    fn of(&self, model_id: &str) -> Seen {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(model_id).copied().unwrap_or_default()
    }

    fn note(&self, model_id: &str, now: Seen) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(model_id) {
            Some(before) => *before = now,
            None => drop(seen.insert(model_id.to_owned(), now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_shows_for_a_minute_that_its_model_answers() {
        let health = Health::default();
        assert!(!health.answers("m"));

        health.answered("m");
        tokio::time::advance(SHOWS_FOR - Duration::from_millis(1)).await;
        assert!(health.answers("m"));
        assert!(!health.answers("other"));

        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!health.answers("m"));
    }

    #[tokio::test]
    async fn a_model_that_answers_nobody_is_left_alone_until_it_answers_or_for_a_while() {
        let health = Health::default();

        health.is_out("m", 50);
        assert_eq!(health.out_until_ms("m", 49), Some(50));
        assert_eq!(health.out_until_ms("m", 50), None);
        assert_eq!(health.out_until_ms("other", 0), None);

        health.answered("m");
        assert_eq!(health.out_until_ms("m", 49), None);
    }
}
