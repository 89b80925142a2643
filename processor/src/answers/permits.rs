//! How many questions are asked at a time, of each model by itself: a slow one keeps nobody
//! from asking another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Permits to ask.
#[derive(Debug)]
pub(crate) struct Permits {
    of_each: usize,
    by_model: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Permits {
    /// So many for each model.
    pub(crate) fn new(of_each: usize) -> Self {
        Self { of_each, by_model: Mutex::default() }
    }

    /// Those of a model.
    pub(crate) fn of(&self, model_id: &str) -> Arc<Semaphore> {
        let mut by_model = self.by_model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = by_model.get(model_id) {
            return Arc::clone(permits);
        }
        let permits = Arc::new(Semaphore::new(self.of_each));
        by_model.insert(model_id.to_owned(), Arc::clone(&permits));
        permits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_permits_of_its_own() {
        let permits = Permits::new(1);
        let slow = permits.of("slow");
        let _held = slow.try_acquire().expect("is free");

        assert!(permits.of("slow").try_acquire().is_err());
        assert!(permits.of("other").try_acquire().is_ok());
    }
}
