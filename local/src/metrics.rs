//! `GET /local/metrics`: the figures of the run as they are now, as JSON.
//!
//! Counters come as the programs count them; what waits, and whether anything does, is worked
//! out here. A quota is known where the stand-in keeps its books; AWS tells nobody its own.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bill::prices::Prices;
use bill::{Bill, Front};
use contract::local::{self, Asks, Backlog, Objects, Quota, Records, Times};
use contract::metrics::{self, Counts};
use contract::units::Counted;
use tokio::time::Instant;

use crate::aws::Waits;
use crate::bedrock::StandIn;
use crate::faults::Faults;
use crate::parked::Parked;
use crate::standstill::Standstill;
use crate::summary::Summary;
use crate::totals::{Totals, get};

/// Where the figures come from.
#[derive(Debug, Clone)]
pub struct Metrics {
    totals: Arc<Totals>,
    stand_in: Option<StandIn>,
    faults: Option<Faults>,
    standstill: Option<Arc<Standstill>>,
    parked: Option<Arc<Parked>>,
    started: Instant,
}

impl Metrics {
    /// The figures of a run that starts now.
    pub fn new(
        totals: Arc<Totals>,
        stand_in: Option<StandIn>,
        faults: Option<Faults>,
        waiting: Option<(Arc<Standstill>, Arc<Parked>)>,
    ) -> Self {
        let (standstill, parked) = waiting.unzip();
        Self { totals, stand_in, faults, standstill, parked, started: Instant::now() }
    }

    /// The figures as they are now.
    pub fn now(&self) -> local::Metrics {
        let totals = &self.totals;
        let uptime = self.started.elapsed();
        // What is done is read before what is to be done, so that nothing seems done too early.
        let (objects_done, records_done) =
            (get(&totals.notifications_done), get(&totals.records_done));
        let events_done = get(&totals.events_done);
        let counts = totals.counts();
        let notified = get(&totals.notified);
        let objects = notified.saturating_sub(objects_done);
        let records = counts.get(metrics::STREAM_RECORDS).saturating_sub(records_done);
        let is_at_rest = self.parked.as_ref().is_none_or(|parked| parked.is_at_rest());
        let drained = objects + records == 0 && is_at_rest;
        let waits = self.parked.as_ref().map(|parked| parked.waits()).unwrap_or_default();
        let lost = if drained { self.lost(&waits, uptime) } else { 0 };
        local::Metrics {
            uptime_ms: ms(uptime),
            objects: Objects { uploaded: get(&totals.uploaded), notified, done: objects_done },
            records: Records { taken: get(&totals.records_taken), done: records_done },
            events_done,
            counts: counts.by_name(),
            by_campaign: by_campaign(&counts),
            times_ms: times(&counts),
            lost,
            drained,
            backlog: Backlog { objects, records, asks: waits.asks },
            usd: usd(&totals.billing.counted(&counts)),
            asks: self.asks(waits),
            waiting: self.standstill.as_ref().map(|each| each.sentences()).unwrap_or_default(),
            freshness_ms: counts
                .all()
                .times
                .get(metrics::FRESHNESS)
                .map(Times::from)
                .unwrap_or_default(),
            quota: self.stand_in.as_ref().map(quota),
            stand_in: self.stand_in.as_ref().map(calls),
            faults: self.faults.as_ref().map(Faults::figures).unwrap_or_default(),
        }
    }

    fn lost(&self, waits: &Waits, uptime: Duration) -> u64 {
        Summary::new(&self.totals, waits.clone(), uptime, "").lost()
    }

    fn asks(&self, waits: Waits) -> Asks {
        Asks {
            sent: waits.sent.saturating_sub(get(&self.totals.asks_sent_before)),
            removed: get(&self.totals.asks_removed),
            unheard: get(&self.totals.asks_unheard),
            in_flight: waits.in_flight,
            waiting: waits.groups,
        }
    }
}

fn by_campaign(counts: &Counts) -> BTreeMap<String, BTreeMap<String, u64>> {
    let campaigns = counts.campaigns().iter();
    campaigns.map(|(campaign, figures)| (campaign.clone(), figures.by_name())).collect()
}

fn times(counts: &Counts) -> BTreeMap<String, Times> {
    let times = counts.all().times.iter();
    times.map(|(name, times)| ((*name).to_owned(), Times::from(times))).collect()
}

fn usd(counted: &Counted) -> BTreeMap<String, f64> {
    static PRICES: LazyLock<Option<Prices>> = LazyLock::new(|| Prices::read(None).ok());
    let Some(prices) = &*PRICES else { return BTreeMap::new() };
    let bill = Bill::of(&counted.units(), Front::Rest, prices);
    bill.lines().into_iter().map(|(name, usd)| (name.to_owned(), usd)).collect()
}

fn quota(stand_in: &StandIn) -> Quota {
    Quota {
        tokens_per_minute: stand_in.tokens_per_minute(),
        used_last_minute: stand_in.used_last_minute(),
    }
}

fn calls(stand_in: &StandIn) -> local::StandIn {
    local::StandIn {
        calls: stand_in.calls(),
        answers: stand_in.answers(),
        throttled: stand_in.quota_use().refused,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totals::add;

    #[tokio::test]
    async fn what_is_on_the_stream_and_not_done_waits() {
        let totals = Arc::new(Totals::default());
        let mut counts = Counts::default();
        counts.add(metrics::STREAM_RECORDS, 3);
        totals.add(&counts);
        add(&totals.notified, 2);
        add(&totals.notifications_done, 1);
        add(&totals.records_done, 1);

        let now = Metrics::new(totals, None, None, None).now();

        assert_eq!(now.backlog, Backlog { objects: 1, records: 2, asks: 0 });
        assert_eq!((now.drained, now.quota), (false, None));
        assert_eq!(now.counts["stream_records"], 3);
    }
}
