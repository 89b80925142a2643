//! What instances tell each other, as this one heard it last: which campaigns are halted, and
//! of which models asks wait for the quota.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contract::ask::Class;
use program::causes;

use crate::coordination::Coordination;

/// How long a notice that was read, or none, is taken to be as it was, in milliseconds.
const STANDS_FOR_MS: u64 = 5_000;

/// Notices, by their names.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<HashMap<String, Heard>>);

/// What was heard of a notice.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// Until when it stands, in UNIX milliseconds; 0 if none was given.
    until_ms: u64,
    /// When that was read, in UNIX milliseconds.
    at_ms: u64,
}

/// The notices that concern a question.
pub(crate) struct Names {
    halt: String,
    /// That asks wait, of its own class and of those that are served before.
    waiting: Vec<String>,
}

/// What is noticed of a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Noticed {
    /// Until when its campaign is halted, if it is.
    pub(crate) halted_until_ms: Option<u64>,
    /// Whether asks wait that are to be served before it.
    pub(crate) others_wait: bool,
}

/// The name of the notice that a campaign is halted.
pub(crate) fn halt(campaign: &str) -> String {
    format!("halt#{campaign}")
}

/// The name of the notice that asks of a class wait for a model's quota.
pub(crate) fn waiting(model_id: &str, class: Class) -> String {
    format!("waiting#{model_id}#{}", class.name())
}

impl Names {
    pub(crate) fn of(campaign: &str, model_id: &str, class: Class) -> Self {
        let before = Class::ALL.into_iter().filter(|other| *other <= class);
        let waiting = before.map(|before| waiting(model_id, before)).collect();
        Self { halt: halt(campaign), waiting }
    }
}

impl Notices {
    /// What is noticed, read anew where it was not for a while. What cannot be read counts as
    /// not given: whoever asks in spite of it is told.
    pub(crate) async fn read(
        &self,
        coordination: &dyn Coordination,
        names: Names,
        now_ms: u64,
    ) -> Noticed {
        let Names { halt, waiting } = names;
        let mut all = waiting.clone();
        all.push(halt.clone());
        let stale: Vec<String> = {
            let heard = self.heard();
            let is_stale = |name: &&String| {
                heard.get(*name).is_none_or(|heard| heard.at_ms + STANDS_FOR_MS <= now_ms)
            };
            all.iter().filter(is_stale).cloned().collect()
        };
        if !stale.is_empty() {
            let read = coordination.notices(&stale).await;
            let read = read.unwrap_or_else(|error| {
                tracing::debug!(error = causes::told(&error), "notices were not read");
                HashMap::new()
            });
            let mut heard = self.heard();
            for name in stale {
                let until_ms = read.get(&name).copied().unwrap_or_default();
                heard.insert(name, Heard { until_ms, at_ms: now_ms });
            }
        }
        let heard = self.heard();
        let until = |name: &String| {
            let until_ms = heard.get(name).map(|heard| heard.until_ms);
            until_ms.filter(|until_ms| *until_ms > now_ms)
        };
        Noticed {
            halted_until_ms: until(&halt),
            others_wait: waiting.iter().any(|name| until(name).is_some()),
        }
    }

    /// Keeps a notice that this instance gave; tells whether it is news to it.
    pub(crate) fn keep(&self, name: &str, until_ms: u64, now_ms: u64) -> bool {
        let before = self.heard().insert(name.to_owned(), Heard { until_ms, at_ms: now_ms });
        before.is_none_or(|before| before.until_ms <= now_ms)
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<String, Heard>> {
        // Nothing panics while it holds this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "simulated"))]
mod tests {
    use super::*;
    use crate::simulated::memory::Memory;

    #[tokio::test]
    async fn a_notice_is_read_once_in_a_while_and_ends_by_itself() {
        let (notices, table) = (Notices::default(), Memory::default());
        let names = || Names::of("offer", "m", Class::Normal);
        table.give_notice("waiting#m#high", 0, 9_000).await.expect("is given");
        table.give_notice("waiting#m#low", 0, 90_000).await.expect("is given");

        assert!(notices.read(&table, names(), 1_000).await.others_wait);
        table.give_notice("halt#offer", 0, 60_000).await.expect("is given");
        let calls = table.tables().calls;
        assert_eq!(notices.read(&table, names(), 5_999).await.halted_until_ms, None);
        assert_eq!(table.tables().calls, calls, "what was read stands for a while");

        let later = notices.read(&table, names(), 6_000).await;
        assert_eq!(later, Noticed { halted_until_ms: Some(60_000), others_wait: true });
        let end = notices.read(&table, names(), 60_000).await;
        assert_eq!(end, Noticed::default(), "what is lower waits for what is higher only");
    }

    #[test]
    fn who_halts_a_campaign_that_is_halted_tells_no_news() {
        let notices = Notices::default();

        assert!(notices.keep("halt#offer", 10, 0));
        assert!(!notices.keep("halt#offer", 12, 2));
        assert!(notices.keep("halt#offer", 30, 12));
    }
}
