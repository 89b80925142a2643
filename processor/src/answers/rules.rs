//! Rules of campaigns that answers broke, and checks that did not apply, said once in each
//! invocation with how often: by campaign and rule, and never what an answer says.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was noted since it was said last.
#[derive(Debug, Default)]
pub(crate) struct RuleNotes(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// How many answers broke a rule, by campaign and rule.
    broken: BTreeMap<(String, String), u64>,
    /// To how many answers a check did not apply, by campaign and check.
    unapplied: BTreeMap<(String, String), u64>,
}

impl RuleNotes {
    /// Notes the rules that an answer broke.
    pub(crate) fn broken<'r>(&self, campaign: &str, rules: impl IntoIterator<Item = &'r str>) {
        add(&mut self.noted().broken, campaign, rules);
    }

    /// Notes the checks that did not apply to an answer.
    pub(crate) fn unapplied<'r>(&self, campaign: &str, checks: impl IntoIterator<Item = &'r str>) {
        add(&mut self.noted().unapplied, campaign, checks);
    }

    /// Logs what was noted, a line for each campaign and rule.
    pub(crate) fn say(&self) {
        let Noted { broken, unapplied } = std::mem::take(&mut *self.noted());
        for ((campaign, rule), answers) in broken {
            tracing::info!(campaign, rule, answers, "answers break a rule of their campaign");
        }
        for ((campaign, check), answers) in unapplied {
            tracing::info!(campaign, check, answers, "a check does not apply");
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nothing panics while it holds this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add<'r>(
    counts: &mut BTreeMap<(String, String), u64>,
    campaign: &str,
    names: impl IntoIterator<Item = &'r str>,
) {
    for name in names {
        *counts.entry((campaign.to_owned(), name.to_owned())).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_counted_by_campaign_and_rule_and_said_once() {
        let notes = RuleNotes::default();
        notes.broken("offer", ["links", "check-1"]);
        notes.broken("offer", ["links"]);
        notes.unapplied("cart", ["check-1"]);

        let of = |campaign: &str, rule: &str| (campaign.to_owned(), rule.to_owned());
        let broken = notes.noted().broken.clone();
        assert_eq!(broken, [(of("offer", "check-1"), 1), (of("offer", "links"), 2)].into());
        assert_eq!(notes.noted().unapplied, [(of("cart", "check-1"), 1)].into());

        notes.say();
        assert!(notes.noted().broken.is_empty() && notes.noted().unapplied.is_empty());
    }
}
