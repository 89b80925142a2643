//! Forgets users: by their request, or because they were merged into others.
//!
//! The tombstone is written first. Whatever is created afterwards checks it in the same
//! transaction; whatever was there before is found and removed, or gets another revision
//! where all of it is newer, under the condition that nobody changed it since. An instance
//! that still holds what it read before finds its revision gone.

use std::collections::HashSet;
use std::sync::Arc;

use contract::metrics::{self, Fate};
use contract::wanted::DELETIONS;
use futures::stream::{self, StreamExt as _};
use program::causes;
use quota::clock::Clock;

use crate::attributes::Profile;
use crate::batch::{Batch, Fates};
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::eligibility::survives;
use crate::handler::Report;
use crate::store::{
    Cause, ContentTable, Key, OfUser, ProfileWrite, TOMBSTONE_SECS, TableError, Write, WriteResult,
};

/// Deletions at a time.
const CONCURRENT_DELETIONS: usize = 16;

/// Times that a user's items are looked at; they change only while somebody writes them.
const MAX_ROUNDS: usize = 5;

/// Forgets users.
#[derive(Debug)]
pub(crate) struct Deletions {
    pub(crate) table: Arc<dyn ContentTable>,
    pub(crate) clock: Clock,
}

impl Deletions {
    /// Applies a batch's deletions; a user whose deletion fails goes back with all of
    /// their events.
    pub(crate) async fn apply(
        &self,
        batch: &Batch,
        fates: &mut Fates,
        deadline: Deadline,
        report: &mut Report,
    ) {
        let mut deletions = Vec::new();
        for (user, each) in batch.users.iter().enumerate() {
            let is_deletion =
                |place: &&usize| DELETIONS.contains(&batch.events[**place].event_type.as_str());
            let places: Vec<usize> = each.events.iter().filter(is_deletion).copied().collect();
            let times = places.iter().map(|&place| batch.events[place].event.time);
            if let Some(deleted_at) = times.max() {
                deletions.push((user, each.id.clone(), places, deleted_at));
            }
        }
        let mut deletions = stream::iter(deletions)
            .map(async |(user, user_id, places, deleted_at)| {
                let deletion = self.delete_user(&user_id, deleted_at, deadline);
                let deleted = deadline.before_the_answer(deletion).await;
                (user, places, deleted.unwrap_or_else(|| Err(not_deleted(OUT_OF_TIME))))
            })
            .buffer_unordered(CONCURRENT_DELETIONS);
        while let Some((user, places, deleted)) = deletions.next().await {
            match deleted {
                Ok(()) => {
                    report.counts.add(metrics::USERS_DELETED, 1);
                    places.into_iter().for_each(|place| fates.decide(place, Fate::Deletion));
                }
                Err(error) => {
                    report.returned_for = Some(causes::told(&error));
                    fates.return_user(batch, user);
                }
            }
        }
    }

    async fn delete_user(
        &self,
        user_id: &str,
        deleted_at: i64,
        deadline: Deadline,
    ) -> Result<(), TableError> {
        if deadline.is_over() {
            return Err(not_deleted(OUT_OF_TIME));
        }
        let expires_at = self.clock.now_secs() + TOMBSTONE_SECS;
        self.table.entomb(user_id, deleted_at, expires_at).await?;
        for _ in 0..MAX_ROUNDS {
            if deadline.is_over() {
                return Err(not_deleted(OUT_OF_TIME));
            }
            let OfUser { items, profile, asked, unknown } = self.table.of_user(user_id).await?;
            let mut is_done = self.forget_attributes(user_id, &profile, deleted_at).await?;
            let mut surviving = HashSet::new();
            for (key, state) in items {
                let seen = state.revision.unwrap_or_default();
                let written = if survives(&state, deleted_at) {
                    // Somebody may be about to add what is older, having read it before
                    // the tombstone stood.
                    let revision = Write::revision_after(Some(seen), self.clock.now_ms());
                    let touched = self.table.touch(&key, seen, revision).await?;
                    surviving.insert(key);
                    touched
                } else {
                    self.table.remove(&key, seen).await?
                };
                is_done &= written == WriteResult::Done;
            }
            // What was asked is written together with its content, and never after that was
            // removed; but it may be of content that another has replaced.
            let is_over =
                |(key, oldest): &(Key, i64)| *oldest <= deleted_at || !surviving.contains(key);
            for (key, _) in asked.into_iter().filter(is_over) {
                self.table.remove_asked(&key).await?;
            }
            for sort_key in unknown {
                self.table.remove_unknown(user_id, &sort_key, deleted_at).await?;
            }
            if is_done {
                return Ok(());
            }
        }
        Err(not_deleted("its items kept changing"))
    }
}

impl Deletions {
    /// Removes the attributes that a user had when they were deleted; those that were told
    /// later stay, under another revision, so that nobody adds older ones.
    async fn forget_attributes(
        &self,
        user_id: &str,
        profile: &Profile,
        deleted_at: i64,
    ) -> Result<bool, TableError> {
        let Some(seen) = profile.revision else { return Ok(true) };
        let known = profile.after(deleted_at);
        let written = match known.is_empty() {
            true => self.table.remove_profile(user_id, seen).await?,
            false => {
                let revision = Write::revision_after(Some(seen), self.clock.now_ms());
                let expires_at = self.clock.now_secs() + TOMBSTONE_SECS;
                let write = ProfileWrite { revision, known, expires_at };
                self.table.write_profile(user_id, Some(seen), &write).await?
            }
        };
        Ok(written == WriteResult::Done)
    }
}

fn not_deleted(why: &'static str) -> TableError {
    TableError::passing("user was not deleted", Cause::Other(why))
}
