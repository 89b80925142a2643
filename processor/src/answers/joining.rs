//! A question that joins others in a job: who asks it there, and what its campaign's budget lets it
//! take.
//!
//! Guarantees: a question is in one job at a time, and in none while somebody asks it; what it may
//! cost is spent of the budget before it is put into the job.

use campaign::CompiledCampaign;
use contract::ask::Reason;
use program::causes;
use serde::{Deserialize, Serialize};

use super::budget::{self, Allowance};
use super::{Answers, Conclusion, MAX_FAILED_CALLS, Question, in_a_job};
use crate::coordination::{
    BudgetOfDay, Entry, Failures, Lease, LeaseReply, Spending, owner_of_job,
};
use crate::store::TableError;

/// How long it is known that a job has ended, in milliseconds: longer than any ask waits for one.
const TOLD_FOR_MS: u64 = 48 * 3_600_000;

/// The name of the notice that a job has ended.
pub(crate) fn ended(job: &str) -> String {
    format!("job-ended#{job}")
}

/// What becomes of a question that is to join a job.
#[derive(Debug)]
pub(crate) enum Joined {
    /// It joins none.
    Over(Conclusion),
    /// The job asks it.
    Asked {
        /// What came to nothing for it before.
        failed_before: Failures,
        /// What was spent of its campaign's budget for it, if that has one.
        charge: Option<Charge>,
    },
}

/// What was spent of a budget in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    /// Days since 1970-01-01 (UTC).
    pub(crate) day: i64,
    /// How much, in what the budget counts.
    pub(crate) amount: u64,
}

impl Answers {
    /// Lets a question join a job that is to end by `until_ms` (UNIX milliseconds).
    pub(crate) async fn join(
        &self,
        campaign: &CompiledCampaign,
        question: &Question,
        known: Option<Entry>,
        (job, until_ms): (&str, u64),
    ) -> Joined {
        if let Some(over) = self.known_to_be(question, known) {
            return Joined::Over(over);
        }
        let lease = Lease {
            owner: owner_of_job(job),
            now_ms: self.clock.now_ms(),
            until_ms,
            retry_given_up_before_ms: question.retry_given_up_before_ms,
        };
        let failed_before = match self.coordination.lease(&question.hash, &lease).await {
            Ok(LeaseReply::Ours(failed_before)) => failed_before,
            Ok(LeaseReply::Taken(entry)) => {
                let over = self.known_to_be(question, Some(entry));
                return Joined::Over(over.unwrap_or_else(|| self.alone()));
            }
            Err(error) => return Joined::Over(Conclusion::GiveBack(causes::told(&error))),
        };
        // What failed so often by itself is given up by the same rule there.
        if failed_before.calls >= MAX_FAILED_CALLS {
            self.leave(&question.hash, job, &failed_before).await;
            return Joined::Over(self.alone());
        }
        match self.charge(campaign, question).await {
            Ok(charge) => Joined::Asked { failed_before, charge },
            Err(over) => {
                self.leave(&question.hash, job, &failed_before).await;
                Joined::Over(over)
            }
        }
    }

    /// A question leaves a job without an answer.
    pub(crate) async fn leave(&self, hash: &str, job: &str, failed: &Failures) {
        self.give_back_lease(hash, &owner_of_job(job), failed).await;
    }

    /// Gives back what was spent of a budget for a question that no job asks.
    pub(crate) async fn give_back(&self, campaign: &CompiledCampaign, charge: &Charge) {
        let by = -i64::try_from(charge.amount).unwrap_or(i64::MAX);
        self.correct(campaign, charge.day, by).await;
    }

    /// Corrects what was spent of a campaign's budget of a day.
    pub(crate) async fn correct(&self, campaign: &CompiledCampaign, day: i64, by: i64) {
        if let Some(budget) = budget::of_day(campaign, day) {
            self.correct_budget(&budget, by).await;
        }
    }

    /// Tells everybody who waits for a job that it has ended, or never was.
    pub(crate) async fn job_ended(&self, job: &str) {
        if let Err(error) = self.tell_ended(job).await {
            tracing::debug!(error = causes::told(&error), "asks wait until the job was to end");
        }
    }

    /// The same, for whoever does it again where it fails.
    pub(crate) async fn tell_ended(&self, job: &str) -> Result<(), TableError> {
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms + TOLD_FOR_MS;
        self.coordination.give_notice(&ended(job), now_ms, until_ms).await.map(drop)
    }

    /// What a question comes to that came too late for a job: its ask gathers again, so long from
    /// now.
    pub(crate) fn gathers_again(&self, in_ms: u64) -> Conclusion {
        let until_ms = self.clock.now_ms() + in_ms;
        self.not_now(Reason::Job, Some(until_ms), "it came too late for a job".to_owned())
    }

    /// What a question comes to that no job takes: it is asked by itself.
    pub(crate) fn alone(&self) -> Conclusion {
        in_a_job(contract::ask::NO_JOB.to_owned(), self.clock.now_ms())
    }

    /// What a question comes to about which this is known, if that decides it.
    fn known_to_be(&self, question: &Question, known: Option<Entry>) -> Option<Conclusion> {
        match known? {
            Entry::Answered { data, usage } => {
                Some(Conclusion::Content { data, usage, is_cached: true })
            }
            Entry::GivenUp { reason, detail, attempts, at_ms } => {
                let stands = at_ms >= question.retry_given_up_before_ms;
                stands.then_some(Conclusion::GivenUp { reason, detail, attempts })
            }
            Entry::Leased { until_ms, .. } if until_ms <= self.clock.now_ms() => None,
            // Somebody asks it, or a job: whoever asks it by itself is told.
            Entry::Leased { .. } => Some(self.alone()),
        }
    }

    async fn charge(
        &self,
        campaign: &CompiledCampaign,
        question: &Question,
    ) -> Result<Option<Charge>, Conclusion> {
        let now = self.clock.now_secs();
        let Some(allowance) = Allowance::in_a_job(campaign, &question.told.prompt, now) else {
            return Ok(None);
        };
        let BudgetOfDay { day, .. } = allowance.budget;
        let name = self.jitter.name();
        match self.coordination.spend(&allowance.budget, allowance.most, &name).await {
            Ok(Spending::Granted) => Ok(Some(Charge { day, amount: allowance.most })),
            Ok(Spending::Refused) => Err(self.over_budget(campaign)),
            Err(error) => Err(Conclusion::GiveBack(causes::told(&error))),
        }
    }
}
