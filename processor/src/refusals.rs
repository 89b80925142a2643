//! Campaigns whose model the account cannot call, said once in each invocation.
//!
//! Every event of such a campaign meets the same refusal; a line for each would bury the
//! log, and none would leave it to a person to find out why nothing is written.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What the service refused since it was last said.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<String, String>>);

impl Refusals {
    /// Notes the service's error code; of several for a campaign the latest stands.
    pub(crate) fn note(&self, campaign: &str, code: String) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(campaign.to_owned(), code);
    }

    /// Takes what was noted: campaigns with their error codes.
    pub(crate) fn take(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_once_however_often_it_comes() {
        let refusals = Refusals::default();
        for _ in 0..3 {
            refusals.note("offer", "AccessDeniedException".to_owned());
        }

        let said: Vec<_> = refusals.take().into_iter().collect();

        assert_eq!(said, [("offer".to_owned(), "AccessDeniedException".to_owned())]);
        assert!(refusals.take().is_empty());
    }
}
