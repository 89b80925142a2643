//! What questions wait for just now, for a person who watches a run in which nothing moves.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reasons to wait, with how many questions wait for each.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<BTreeMap<String, usize>>);

/// One question that waits, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'w> {
    waits: &'w Waits,
    reason: String,
}

impl Waits {
    /// Begins to wait.
    pub(crate) fn begin(&self, reason: impl FnOnce() -> String) -> Waiting<'_> {
        let reason = reason();
        *self.all().entry(reason.clone()).or_default() += 1;
        Waiting { waits: self, reason }
    }

    /// All of them.
    pub(crate) fn now(&self) -> BTreeMap<String, usize> {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        // Nothing panics while it holds this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.waits.all();
        if let Some(n) = all.get_mut(&self.reason) {
            *n -= 1;
            if *n == 0 {
                all.remove(&self.reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stands_as_long_as_somebody_waits_for_it() {
        let waits = Waits::default();
        let quota = || "the quota".to_owned();

        let (first, second) = (waits.begin(quota), waits.begin(quota));
        drop(first);

        assert_eq!(waits.now(), BTreeMap::from([("the quota".to_owned(), 1)]));
        drop(second);
        assert!(waits.now().is_empty());
    }
}
