//! Campaigns whose calls the service refuses, said once in each invocation.
//!
//! Every event of such a campaign meets the same refusal; a line for each would bury the
//! log, and none would leave it to a person to find out why nothing is written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::ModelError;

/// How long a campaign that was denied its model for good is not tried with waits in
/// between: its other prompts would wait for the same answer.
const FINAL_FOR: Duration = Duration::from_secs(60);

/// What the service refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// What was not said yet, by campaign; of several the latest stands.
    unsaid: BTreeMap<String, Noticed>,
    /// Campaigns that were denied their model for good, and when.
    denied: BTreeMap<String, Instant>,
}

/// A refusal as an operator reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Noticed {
    code: String,
    /// The service's words, unless they may quote the request.
    message: String,
    remedy: &'static str,
}

impl Refusals {
    /// Notes what was refused; other failures are none.
    pub(crate) fn note(&self, campaign: &str, error: &ModelError) {
        let noticed = match error {
            ModelError::NotAllowed(refusal) => Noticed {
                code: refusal.code.clone(),
                message: refusal.message.clone(),
                remedy: refusal.remedy.unwrap_or("see the runbook"),
            },
            ModelError::Refused(refusal) => Noticed {
                code: refusal.code.clone(),
                message: "every such request would be refused".to_owned(),
                remedy: refusal.remedy.unwrap_or("see the dead letters"),
            },
            ModelError::NotServed(code) => {
                Noticed { code: code.clone(), message: String::new(), remedy: "see the runbook" }
            }
            _ => return,
        };
        self.noted().unsaid.insert(campaign.to_owned(), noticed);
    }

    /// Notes that a campaign was denied its model in every attempt.
    pub(crate) fn make_final(&self, campaign: &str) {
        self.noted().denied.insert(campaign.to_owned(), Instant::now());
    }

    /// Tells whether a campaign was denied its model for good a moment ago.
    pub(crate) fn is_final(&self, campaign: &str) -> bool {
        self.noted().denied.get(campaign).is_some_and(|at| at.elapsed() < FINAL_FOR)
    }

    /// Logs what was noted, a line for each campaign.
    pub(crate) fn say(&self) {
        let unsaid = std::mem::take(&mut self.noted().unsaid);
        for (campaign, Noticed { code, message, remedy }) in unsaid {
            tracing::warn!(campaign, code, message, remedy, "model refuses the campaign's calls");
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nothing panics while it holds this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Refusal;

    #[test]
    fn a_refusal_is_said_once_however_often_it_comes() {
        let refusals = Refusals::default();
        let refusal = Refusal {
            code: "ValidationException".to_owned(),
            message: "quotes the prompt".to_owned(),
            remedy: None,
        };
        for _ in 0..3 {
            refusals.note("offer", &ModelError::Refused(refusal.clone()));
        }
        refusals.note("offer", &ModelError::DailyQuota);

        let unsaid = refusals.noted().unsaid.clone();

        assert_eq!(unsaid.len(), 1);
        assert_eq!(unsaid["offer"].code, "ValidationException");
        assert!(!unsaid["offer"].message.contains("quotes"), "a request can be quoted");
        refusals.say();
        assert!(refusals.noted().unsaid.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_denial_is_final_for_a_minute() {
        let refusals = Refusals::default();
        assert!(!refusals.is_final("offer"));

        refusals.make_final("offer");

        assert!(refusals.is_final("offer"));
        tokio::time::advance(FINAL_FOR).await;
        assert!(!refusals.is_final("offer"));
    }
}
