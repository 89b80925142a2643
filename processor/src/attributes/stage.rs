//! Brings a batch's profile updates into the table, before anything is decided from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::attributes::PROFILE_UPDATE;
use contract::metrics::Fate;
use futures::stream::{self, StreamExt as _};
use program::causes;
use quota::clock::Clock;

use super::{Known, Profile, merged};
use crate::batch::{Batch, Fates};
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::handler::Report;
use crate::store::{
    Cause, ContentTable, ProfileWrite, TOMBSTONE_SECS, TableError, Write, WriteResult,
};

/// Users at a time whose attributes are written.
const CONCURRENT_WRITES: usize = 32;

/// Users whose attributes are read at once: five BatchGetItems, and the tombstones.
const USERS_OF_A_READ: usize = 250;

/// Times that a user's attributes are looked at; they change only while somebody writes them.
const MAX_ROUNDS: usize = 5;

/// Brings attributes into the table.
#[derive(Debug)]
pub(crate) struct Updates<'w> {
    pub(crate) table: Arc<dyn ContentTable>,
    pub(crate) clock: Clock,
    /// The attributes that are kept.
    pub(crate) wanted: &'w BTreeSet<String>,
}

/// One user of the batch, with the places of their profile updates.
type Turn = (usize, String, Vec<usize>);

impl Updates<'_> {
    /// Applies a batch's profile updates; a user whose attributes cannot be stored goes back
    /// with all of their events.
    pub(crate) async fn apply(
        &self,
        batch: &Batch,
        fates: &mut Fates,
        deadline: Deadline,
        report: &mut Report,
    ) {
        if self.wanted.is_empty() {
            return;
        }
        let turns: Vec<Turn> = turns(batch, fates);
        for some in turns.chunks(USERS_OF_A_READ) {
            let users: Vec<String> = some.iter().map(|(_, id, _)| id.clone()).collect();
            let read = deadline.before_the_answer(self.table.profiles(&users)).await;
            let mut profiles = match read.unwrap_or_else(|| Err(not_stored(OUT_OF_TIME))) {
                Ok(profiles) => profiles,
                Err(error) => {
                    report.returned_for = Some(causes::told(&error));
                    some.iter().for_each(|(user, ..)| fates.return_user(batch, *user));
                    continue;
                }
            };
            let updates = some.iter().map(|(user, id, places)| {
                let profile = profiles.remove(id).unwrap_or_default();
                async move {
                    let update = self.update(batch, (id, places), profile, deadline);
                    let updated = deadline.before_the_answer(update).await;
                    (*user, places, updated.unwrap_or_else(|| Err(not_stored(OUT_OF_TIME))))
                }
            });
            let updates: Vec<_> = updates.collect();
            let mut updates = stream::iter(updates).buffer_unordered(CONCURRENT_WRITES);
            while let Some((user, places, updated)) = updates.next().await {
                match updated {
                    Ok(decided) => {
                        let decided = places.iter().zip(decided);
                        decided
                            .filter_map(|(place, fate)| Some((*place, fate?)))
                            .for_each(|(place, fate)| fates.decide(place, fate));
                    }
                    Err(error) => {
                        report.returned_for = Some(causes::told(&error));
                        fates.return_user(batch, user);
                    }
                }
            }
        }
    }

    /// Brings one user's profile updates into the table, and tells what becomes of each.
    async fn update(
        &self,
        batch: &Batch,
        (user_id, places): (&str, &[usize]),
        mut profile: Profile,
        deadline: Deadline,
    ) -> Result<Vec<Option<Fate>>, TableError> {
        let events = places.iter().map(|place| &batch.events[*place]);
        let events: Vec<_> =
            events.map(|arrival| (arrival.event_type.as_str(), &arrival.event)).collect();
        for _ in 0..MAX_ROUNDS {
            let (known, fates) = merged(&profile, &events, self.wanted);
            let Some(known) = known else { return Ok(fates) };
            if deadline.is_over() {
                return Err(not_stored(OUT_OF_TIME));
            }
            let write = self.write(known, profile.revision);
            let written = self.table.write_profile(user_id, profile.revision, &write).await?;
            if written == WriteResult::Done {
                return Ok(fates);
            }
            let users = [user_id.to_owned()];
            profile = self.table.profiles(&users).await?.remove(user_id).unwrap_or_default();
        }
        Err(not_stored("its item kept changing"))
    }

    fn write(&self, known: BTreeMap<String, Known>, seen: Option<u64>) -> ProfileWrite {
        ProfileWrite {
            revision: Write::revision_after(seen, self.clock.now_ms()),
            known,
            expires_at: self.clock.now_secs() + TOMBSTONE_SECS,
        }
    }
}

/// The users of a batch that have profile updates, and do not go back.
fn turns(batch: &Batch, fates: &Fates) -> Vec<Turn> {
    let is_update = |place: &&usize| batch.events[**place].event_type == PROFILE_UPDATE;
    let users = batch.users.iter().enumerate().filter(|(user, _)| !fates.is_returned(*user));
    let turns = users.map(|(user, each)| {
        let places: Vec<usize> = each.events.iter().filter(is_update).copied().collect();
        (user, each.id.clone(), places)
    });
    turns.filter(|(_, _, places)| !places.is_empty()).collect()
}

fn not_stored(why: &'static str) -> TableError {
    TableError::passing("attributes were not stored", Cause::Other(why))
}
