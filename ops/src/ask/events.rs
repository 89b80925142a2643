//! What users did, from files: all that means something to a campaign.
//!
//! Guarantees: of each user no more is kept than the campaign would remember, whatever the size
//! of the files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use campaign::{CompiledCampaign, Past, wanted_fields};
use contract::event_id;
use contract::user_record::Event;
use contract::wanted::DELETIONS;
use processor::eligibility::{Candidate, Role};

use crate::preview::events;

/// Reads what users did.
pub(super) fn read(
    path: &Path,
    campaign: &Arc<CompiledCampaign>,
) -> anyhow::Result<BTreeMap<String, Vec<Candidate>>> {
    let mut fresh: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    let most = campaign.campaign.config.history;
    let wanted = wanted_fields(std::slice::from_ref(campaign));
    let mut deleted: BTreeMap<String, i64> = BTreeMap::new();
    let mut read = 0_u64;
    events::each(path, wanted, &mut |record, _| {
        for event in record.events {
            read += 1;
            if DELETIONS.contains(&record.event_type.as_str()) {
                let at = deleted.entry(record.user_id.clone()).or_insert(event.time);
                *at = event.time.max(*at);
                continue;
            }
            if let Some(candidate) = candidate(campaign, &record.event_type, event) {
                keep(fresh.entry(record.user_id.clone()).or_default(), candidate, most);
            }
        }
        ControlFlow::Continue(())
    })?;
    // Nothing of what was before comes back, whether or not the deletion was processed here.
    for (user_id, at) in deleted {
        if let Some(kept) = fresh.get_mut(&user_id) {
            kept.retain(|each| each.event.time > at);
        }
    }
    fresh.retain(|_, kept| kept.iter().any(|each| each.role.triggers));
    ensure!(
        !fresh.is_empty(),
        "none of the {read} events in {} triggers the campaign, on {}",
        path.display(),
        campaign.campaign.config.trigger
    );
    Ok(fresh)
}

/// An event, as the processor would look at it; none if it means nothing to the campaign.
fn candidate(campaign: &CompiledCampaign, event_type: &str, mut event: Event) -> Option<Candidate> {
    event.id = event_id::kept(&event.id).into_owned();
    // What cannot be evaluated counts as not met.
    let role = Role {
        triggers: campaign.is_triggered_by(event_type, &event).unwrap_or(false),
        ends: campaign.ends(event_type, &event).unwrap_or(false),
        retracts: campaign.retracts(event_type, &event).unwrap_or(false),
    };
    if role.is_none() {
        return None;
    }
    let (event, _) = Past::of(event_type, &event, &campaign.campaign.config.fields);
    let is_complete = !role.triggers || campaign.lacks(&event).is_empty();
    is_complete.then_some(Candidate { event, role, redriven_at_ms: None })
}

/// Keeps the newest `most` events that trigger, and the newest that ends or retracts.
fn keep(kept: &mut Vec<Candidate>, candidate: Candidate, most: usize) {
    let is_alike = |other: &Candidate| other.role == candidate.role;
    let most = if candidate.role.triggers { most } else { 1 };
    if candidate.role.triggers && kept.iter().any(|other| other.event.id == candidate.event.id) {
        return;
    }
    if kept.iter().filter(|other| is_alike(other)).count() < most {
        return kept.push(candidate);
    }
    let oldest = kept.iter_mut().filter(|other| other.role == candidate.role);
    if let Some(oldest) = oldest.min_by(|a, b| a.event.order().cmp(&b.event.order()))
        && oldest.event.order() < candidate.event.order()
    {
        *oldest = candidate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(time: i64, role: Role) -> Candidate {
        let (id, event_type) = (format!("e{time}"), "t".to_owned());
        let event = Past { id, time, event_type, fields: serde_json::Map::new() };
        Candidate { event, role, redriven_at_ms: None }
    }

    #[test]
    fn of_a_user_the_newest_events_are_kept_and_the_newest_that_ends_what_waits() {
        let ends = Role { ends: true, ..Role::default() };
        let mut kept = Vec::new();
        for time in [5, 1, 9, 9, 3, 7] {
            keep(&mut kept, candidate(time, Role::TRIGGER), 2);
            keep(&mut kept, candidate(time + 1, ends), 2);
        }

        let mut times: Vec<(bool, i64)> =
            kept.iter().map(|each| (each.role.ends, each.event.time)).collect();
        times.sort_unstable();
        assert_eq!(times, [(false, 7), (false, 9), (true, 10)]);
    }
}
