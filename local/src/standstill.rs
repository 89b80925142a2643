//! What a run waits for, where nothing moves: said on the terminal and on the page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::metrics::{self, Counts};
use processor::handler::Processor;
use tokio::time::Instant;

use crate::parked::Parked;
use crate::totals::{Totals, get};

/// How long nothing moves before that is said: longer than a batch is gathered
/// and its first calls get their turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most reasons that are told.
const MAX_REASONS: usize = 5;

/// What moves while there is progress: objects, events, generations, records, contents, asks
/// taken and asks gone.
type Progress = [u64; 7];

/// Notices that nothing moves.
#[derive(Debug)]
pub struct Standstill {
    totals: Arc<Totals>,
    processor: Arc<Processor>,
    parked: Arc<Parked>,
    latest: Mutex<(Progress, Instant)>,
}

impl Standstill {
    /// Watches a run that starts now.
    pub fn new(totals: Arc<Totals>, processor: Arc<Processor>, parked: Arc<Parked>) -> Self {
        Self {
            totals,
            processor,
            parked,
            latest: Mutex::new((Progress::default(), Instant::now())),
        }
    }

    /// What is waited for, a sentence each; nothing while something moves.
    pub fn sentences(&self) -> Vec<String> {
        let counts = self.totals.counts();
        if self.is_moving(&counts) {
            return Vec::new();
        }
        let objects =
            get(&self.totals.notified).saturating_sub(get(&self.totals.notifications_done));
        let on_stream = counts.get(metrics::STREAM_RECORDS);
        let records = on_stream.saturating_sub(get(&self.totals.records_done));
        let mut said = sentences(objects, records, self.totals.returned(), self.processor.waits());
        said.extend(self.parked.sentences().into_iter().take(MAX_REASONS));
        said
    }

    /// Tells whether something moved of late.
    fn is_moving(&self, counts: &Counts) -> bool {
        let waits = self.parked.waits();
        let progress = [
            get(&self.totals.notifications_done),
            get(&self.totals.records_done),
            counts.get(metrics::EVENTS_READ),
            counts.get(metrics::GENERATIONS),
            counts.get(metrics::CONTENTS_STORED),
            waits.sent,
            waits.removed,
        ];
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.0 != progress {
            *latest = (progress, Instant::now());
        }
        latest.1.elapsed() < PATIENCE
    }
}

fn sentences(
    objects: u64,
    records: u64,
    returned: BTreeMap<String, usize>,
    waits: BTreeMap<String, usize>,
) -> Vec<String> {
    let mut said = Vec::new();
    if objects > 0 {
        said.push(format!("{} to be read", counted(objects, "file waits", "files wait")));
    }
    if records == 0 {
        return said;
    }
    let reasons = waits.into_iter().map(|(reason, n)| {
        format!("{} for {reason}", counted(n as u64, "prompt waits", "prompts wait"))
    });
    let returned = returned.into_iter().map(|(reason, n)| {
        format!("{} again, as {reason}", counted(n as u64, "record comes", "records come"))
    });
    let mut reasons: Vec<String> = reasons.chain(returned).take(MAX_REASONS).collect();
    if reasons.is_empty() {
        reasons.push("the processor is at work on them".to_owned());
    }
    let records = counted(records, "record waits", "records wait");
    said.push(format!("{records}: {}", reasons.join("; ")));
    said
}

fn counted(n: u64, one: &str, more: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {more}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(reason: &str, n: usize) -> BTreeMap<String, usize> {
        BTreeMap::from([(reason.to_owned(), n)])
    }

    #[test]
    fn records_that_wait_say_for_what() {
        let none = BTreeMap::new;

        let quota = sentences(0, 4, none(), map("the quota of m (campaign offer)", 2));
        let again = sentences(0, 1, map("no credentials", 1), none());

        assert_eq!(quota, ["4 records wait: 2 prompts wait for the quota of m (campaign offer)"]);
        assert_eq!(again, ["1 record waits: 1 record comes again, as no credentials"]);
        assert_eq!(sentences(2, 0, none(), none()), ["2 files wait to be read"]);
    }
}
