//! Finds the unit that ends the function: by memory, by time, or by an abort.
//!
//! Whoever is ended says nothing. So each invocation notes by its batch's first record that it
//! begins, and that it ends; one that finds an earlier beginning there, which never ended, goes
//! through the batch with care: one unit at a time, each noted before and after, and none asks
//! the model, so that all of them have their turn. A unit that began so three times and never ended is
//! given up.

use std::sync::Arc;

use campaign::CompiledCampaign;
use contract::metrics::{Counts, Fate};
use program::causes;

use crate::batch::{Batch, Fates, User};
use crate::coordination::Coordination;
use crate::dead_letters::NO_LETTER;
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::decide::UnitInput;
use crate::failure::KILLS;
use crate::handler::{Report, Unevaluated, turn};
use crate::stages::{Stages, Tools};
use crate::store::{DAY_SECS, Key};

/// What a unit did that is given up.
pub(crate) const DETAIL: &str = "whoever worked on it did not live to say what became of it";

/// A batch that may hold such a unit.
#[derive(Debug)]
pub(crate) struct Suspects<'b> {
    pub(crate) tools: &'b Tools,
    /// In the order of their names.
    pub(crate) campaigns: &'b [Arc<CompiledCampaign>],
    pub(crate) batch: &'b Arc<Batch>,
}

/// Attempts to note an end, each with the SDK's own.
const MAX_NOTES: usize = 3;

/// How often a unit begins by itself and does not end before it is given up: three times, because
/// two of them may be other invocations that are not over, or that ended for a reason of their own.
pub(crate) const MOST_BEGINNINGS: u32 = 3;

/// Notes that something begins; tells how often it began before and never ended. Where that
/// cannot be noted it counts as its first time.
pub(crate) async fn begun_before(tools: &Tools, name: &str) -> u32 {
    let reader = &tools.writer.reader;
    let expires_at = reader.clock.now_secs() + DAY_SECS;
    let begun = reader.coordination.begin(name, expires_at).await;
    begun.unwrap_or_else(|error| {
        tracing::debug!(error = causes::told(&error), "beginning was not noted");
        0
    })
}

/// Notes that something ended: several times if need be, for what is not noted counts against it.
pub(crate) async fn ended(coordination: &dyn Coordination, name: &str) {
    for _ in 0..MAX_NOTES {
        let Err(error) = coordination.end(name).await else { return };
        tracing::debug!(error = causes::told(&error), "end was not noted");
    }
}

impl Suspects<'_> {
    /// Notes that work on the batch begins; tells whether no earlier delivery of its first
    /// record was cut off.
    pub(crate) async fn has_ended_nobody(&self) -> bool {
        self.batch.events.is_empty() || begun_before(self.tools, &self.name()).await == 0
    }

    /// Notes that work on the batch ended.
    pub(crate) async fn ended(&self) {
        ended(&*self.tools.writer.reader.coordination, &self.name()).await;
    }

    fn name(&self) -> String {
        format!("batch#{}", self.batch.first_record)
    }

    /// Brings each unit of the batch to its end by itself.
    pub(crate) async fn go_through(
        &self,
        fates: &mut Fates,
        (report, unevaluated): (&mut Report, &mut Unevaluated),
        deadline: Deadline,
    ) {
        tracing::warn!("a delivery never ended: units have their turns one by one");
        for (number, user) in self.batch.users.iter().enumerate() {
            for campaign in self.campaigns {
                if fates.is_returned(number) {
                    continue;
                }
                if deadline.is_over() {
                    fates.return_user(self.batch, number);
                    report.returned_for = Some(OUT_OF_TIME.to_owned());
                    continue;
                }
                let unit = (campaign, number, user);
                self.go_on(unit, fates, (&mut *report, &mut *unevaluated), deadline).await;
            }
        }
        if report.returned_for.is_none() {
            // Otherwise it goes on with care where it comes again.
            self.ended().await;
        }
    }

    async fn go_on(
        &self,
        (campaign, number, user): (&Arc<CompiledCampaign>, usize, &User),
        fates: &mut Fates,
        (report, unevaluated): (&mut Report, &mut Unevaluated),
        deadline: Deadline,
    ) {
        let key = Key { user_id: user.id.clone(), campaign: campaign.campaign.name.clone() };
        let input = UnitInput { key, places: Ok(user.events.clone()) };
        let name = input.name(self.batch, KILLS);
        if begun_before(self.tools, &name).await >= MOST_BEGINNINGS {
            let letter = input.letter(self.batch, (KILLS, DETAIL));
            let letters = &self.tools.writer.letters;
            let mut counts = Counts::default();
            let is_buried = letters.bury_once(&name, &letter, &mut counts).await;
            report.counts.merge(&counts.of(&campaign.campaign.name));
            if is_buried {
                let events = user.events.iter();
                events.for_each(|place| fates.decide(*place, Fate::DeadLettered));
            } else {
                fates.return_user(self.batch, number);
                report.returned_for = Some(NO_LETTER.to_owned());
            }
            return;
        }
        let counted = (&mut report.counts, unevaluated);
        let unit = turn(number, campaign, (self.batch, user), fates, counted);
        if let Some(unit) = unit {
            let (tools, batch) = (self.tools.clone(), Arc::clone(self.batch));
            let stages = Stages::of_suspect(tools, batch, unit, deadline);
            let answering = stages.run(|done| report.take(done, fates)).await;
            report.counts.merge(&answering);
        }
        ended(&*self.tools.writer.reader.coordination, &name).await;
    }
}
