//! What waits on the queues of asks, and whether a run is to wait for it.
//!
//! A run waits for an ask whose time comes soon, and for one whose model answers. It does not
//! wait for another day, for somebody to allow a model, or for what a campaign asks hours
//! after an event: these asks are accounted for where they are, and another run goes on with
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use campaign::CompiledCampaign;
use contract::ask::Reason;
use contract::local::WaitingAsks;
use processor::handler::Processor;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::aws::{Queues, Waits};
use crate::totals::Totals;

/// From when on a time is so far off that a run does not wait for it: longer than the minute
/// in which a quota comes back, shorter than a halt.
const FAR: Duration = Duration::from_secs(90);

/// What waits.
#[derive(Debug)]
pub struct Parked {
    queues: Queues,
    processor: Arc<Processor>,
    totals: Arc<Totals>,
    /// Each campaign's model.
    models: BTreeMap<String, String>,
}

impl Parked {
    /// Looks at these queues.
    pub fn new(
        queues: Queues,
        processor: Arc<Processor>,
        totals: Arc<Totals>,
        campaigns: &[Arc<CompiledCampaign>],
    ) -> Self {
        let models = campaigns.iter().map(|each| {
            let campaign = &each.campaign;
            (campaign.name.clone(), campaign.config.model_id.clone())
        });
        Self { queues, processor, totals, models: models.collect() }
    }

    /// Who waits now.
    pub fn waits(&self) -> Waits {
        self.queues.waits()
    }

    /// Whether nobody works on asks, and all that wait wait for a time that is far off.
    pub fn is_at_rest(&self) -> bool {
        if self.totals.asks_at_work.load(Ordering::SeqCst) {
            return false;
        }
        let waits = self.waits();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let closed_until_ms = |campaign: &str| {
            let model_id = self.models.get(campaign)?;
            self.processor.closed_until_ms(model_id)
        };
        waits.in_flight == 0
            && waits.groups.iter().all(|group| is_far(group, closed_until_ms(&group.campaign), now))
    }

    /// What is waited for, a sentence for each campaign and reason.
    pub fn sentences(&self) -> Vec<String> {
        self.waits().groups.iter().map(sentence).collect()
    }
}

/// Whether none of these asks is to be waited for.
fn is_far(group: &WaitingAsks, closed_until_ms: Option<u64>, now: Duration) -> bool {
    let far = now + FAR;
    let is_closed = closed_until_ms.is_some_and(|ms| Duration::from_millis(ms) > far);
    if group.reason == Reason::DayQuota {
        // It is taken up as soon as the model answers again, whatever day that is.
        return is_closed;
    }
    let is_soon = group.due > 0 || group.next_due_secs.is_some_and(|secs| secs <= far.as_secs());
    is_closed || !is_soon
}

/// What asks of a campaign wait for, and until when.
pub(crate) fn sentence(group: &WaitingAsks) -> String {
    let asks = match group.asks {
        1 => "1 ask waits".to_owned(),
        n => format!("{n} asks wait"),
    };
    let until = group.next_due_secs.filter(|_| group.due == 0).and_then(moment);
    let until = until.map_or(String::new(), |at| format!(", the next until {at}"));
    format!("{asks} for {} (campaign {}){until}", group.waits_for, group.campaign)
}

/// A time in words, in UTC as the days of quotas are.
fn moment(unix_secs: u64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(unix_secs).ok()?).ok()?;
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.format(format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_760_000_000);

    fn group(reason: Reason, due: u64, next_in_secs: Option<u64>) -> WaitingAsks {
        WaitingAsks {
            campaign: "offer".to_owned(),
            reason,
            waits_for: reason.words().to_owned(),
            asks: due + u64::from(next_in_secs.is_some()),
            due,
            next_due_secs: next_in_secs.map(|secs| NOW.as_secs() + secs),
        }
    }

    #[test]
    fn what_is_due_or_soon_is_waited_for_and_what_is_far_off_is_not() {
        let far = |due, next| is_far(&group(Reason::Due, due, next), None, NOW);

        assert!(!far(1, None));
        assert!(!far(1, Some(7_200)));
        assert!(!far(0, Some(90)));
        assert!(far(0, Some(91)));
    }

    #[test]
    fn what_is_due_is_not_waited_for_while_its_model_is_closed_for_long() {
        let until = |secs| Some((NOW.as_secs() + secs) * 1_000);
        let due = group(Reason::Quota, 5, None);

        assert!(is_far(&due, until(3_600), NOW));
        assert!(!is_far(&due, until(60), NOW));
        let next_day = group(Reason::DayQuota, 0, Some(7_200));
        assert!(is_far(&next_day, until(3_600), NOW));
        assert!(!is_far(&next_day, None, NOW), "a new run asks whether the day is over");
    }

    #[test]
    fn a_sentence_says_who_waits_for_what_and_until_when() {
        let later = group(Reason::DayQuota, 0, Some(60));
        let now = group(Reason::Quota, 2, None);

        assert_eq!(
            sentence(&later),
            "1 ask waits for the model's quota of the next day (campaign offer), the next until \
             2025-10-09 08:54 UTC"
        );
        assert_eq!(sentence(&now), "2 asks wait for the model's quota (campaign offer)");
    }
}
