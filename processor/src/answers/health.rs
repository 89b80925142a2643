//! Whether a model answers at all, as this instance sees it: a prompt that fails beside
//! others that are answered is to blame itself, and one that fails like all others is not.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer shows that a model answers.
const SHOWS_FOR: Duration = Duration::from_secs(60);

/// When each model answered last.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<HashMap<String, Instant>>);

impl Health {
    /// A model answered, usable or not.
    pub(crate) fn answered(&self, model_id: &str) {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answered.get_mut(model_id) {
            Some(at) => *at = Instant::now(),
            None => drop(answered.insert(model_id.to_owned(), Instant::now())),
        }
    }

    /// Tells whether a model answered somebody lately.
    pub(crate) fn answers(&self, model_id: &str) -> bool {
        let answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.get(model_id).is_some_and(|at| at.elapsed() < SHOWS_FOR)
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
}
