//! Campaigns whose calls the service refuses, said once in each invocation, or where it halts
//! them.
//!
//! Every event of such a campaign meets the same refusal; a line for each would bury the
//! log, and none would leave it to a person to find out why nothing is written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::ModelError;

/// What the service refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// What was not said yet, by campaign; of several the latest stands.
    unsaid: BTreeMap<String, Noticed>,
    /// What campaigns were denied their model with; said where it halts them.
    denied: BTreeMap<String, Noticed>,
}

/// A refusal as an operator reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Noticed {
    code: String,
    /// The service's words, unless they may quote the request.
    message: String,
    remedy: &'static str,
}

impl Refusals {
    /// Notes what was refused; other failures are none.
    pub(crate) fn note(&self, campaign: &str, error: &ModelError) {
        let mut noted = self.noted();
        let (noticed, of_kind) = match error {
            ModelError::NotAllowed(refusal) => {
                let noticed = Noticed {
                    code: refusal.code.clone(),
                    message: refusal.message.clone(),
                    remedy: refusal.remedy.unwrap_or("see the runbook"),
                };
                (noticed, &mut noted.denied)
            }
            ModelError::NotServed(code) => {
                let (message, remedy) = (String::new(), "see the runbook");
                (Noticed { code: code.clone(), message, remedy }, &mut noted.denied)
            }
            ModelError::Refused(refusal) => {
                let noticed = Noticed {
                    code: refusal.code.clone(),
                    message: "every such request would be refused".to_owned(),
                    remedy: refusal.remedy.unwrap_or("see the dead letters"),
                };
                (noticed, &mut noted.unsaid)
            }
            _ => return,
        };
        of_kind.insert(campaign.to_owned(), noticed);
    }

    /// Logs that a campaign is halted, and for what.
    pub(crate) fn say_halted(&self, campaign: &str) {
        let denied = self.noted().denied.remove(campaign);
        let Noticed { code, message, remedy } = denied.unwrap_or_default();
        tracing::warn!(campaign, code, message, remedy, "campaign is halted for some minutes");
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

    #[test]
    fn what_halts_a_campaign_is_said_where_it_is_halted() {
        let refusals = Refusals::default();

        refusals.note("offer", &ModelError::NotAllowed(Refusal::default()));

        assert!(refusals.noted().unsaid.is_empty());
        refusals.say_halted("offer");
        assert!(refusals.noted().denied.is_empty());
    }
}
