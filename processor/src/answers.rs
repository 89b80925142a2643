//! One answer for each distinct prompt, whatever the number of users, instances and
//! deliveries.
//!
//! Whoever takes the lease on a prompt asks the model; the others wait for what comes
//! of it. An answer stands for the campaign's `cache_hours`; a prompt that was given up
//! is not tried again for an hour, unless a person asks for it.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use contract::campaign::{Budget, Price};
use contract::metrics::Counts;
use futures::future::{Either, select};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout_at};

use crate::campaign::Compiled;
use crate::coordination::{BudgetOfDay, Entry, Lease, Leased, Spent};
use crate::deadline::Deadline;
use crate::failure::Verdict;
use crate::handler::Processor;
use crate::model::{self, Usage};
use crate::store::DAY_SECS;

/// First wait for somebody else's answer; doubled each time.
const FIRST_POLL: Duration = Duration::from_millis(100);

/// Longest wait between two looks at somebody else's answer.
const MAX_POLL: Duration = Duration::from_secs(1);

/// How long a lease is, in milliseconds: so long does a crash keep others from asking.
const LEASE_MS: u64 = 30_000;

/// How often a lease is extended while the model is asked; two extensions may fail.
const EXTEND_EVERY: Duration = Duration::from_secs(10);

/// How long a prompt that was given up is not tried again, in seconds.
const GIVEN_UP_SECS: i64 = 3_600;

/// What a campaign asks about a user.
#[derive(Debug)]
pub(crate) struct Question {
    /// The rendered prompt.
    pub(crate) prompt: String,
    /// Identifies everything that decides the answer.
    pub(crate) hash: String,
    /// It is asked although it was given up before this, in UNIX milliseconds; 0 for
    /// never.
    pub(crate) retry_given_up_before_ms: u64,
}

/// What came of a question.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Content.
    Content {
        data: Map<String, Value>,
        usage: Usage,
        /// It stood there already: nobody was asked for it now.
        is_cached: bool,
    },
    /// The campaign's budget of the day does not allow it.
    OverBudget,
    /// Another attempt would end the same way.
    GivenUp { reason: String, detail: String, attempts: u32 },
    /// It could not be answered now.
    GiveBack(String),
}

impl Processor {
    /// Answers a question, of which `known` was known a moment ago.
    pub(crate) async fn answer(
        &self,
        campaign: &Compiled,
        question: &Question,
        mut known: Option<Entry>,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Answered {
        let owner = self.jitter.name();
        let mut wait = FIRST_POLL;
        loop {
            match known.take() {
                Some(Entry::Answered { data, usage }) => {
                    return Answered::Content { data, usage, is_cached: true };
                }
                Some(Entry::GivenUp { reason, detail, attempts, at_ms })
                    if at_ms >= question.retry_given_up_before_ms =>
                {
                    return Answered::GivenUp { reason, detail, attempts };
                }
                Some(Entry::Leased { until_ms }) if until_ms > self.clock.now_ms() => {
                    let wait_now = self.jitter.spread(wait);
                    if Instant::now() + wait_now >= deadline.work_until {
                        return Answered::GiveBack("somebody else asks the same".to_owned());
                    }
                    sleep(wait_now).await;
                    wait = (wait * 2).min(MAX_POLL);
                    let hashes = std::slice::from_ref(&question.hash);
                    match self.coordination.answers(hashes, self.clock.now_secs()).await {
                        Ok(mut answers) => known = answers.remove(&question.hash),
                        Err(error) => return Answered::GiveBack(error.to_string()),
                    }
                }
                _ => {
                    // Only who asks holds a permit: others wait for an answer without one.
                    let permit = timeout_at(deadline.work_until, self.generations.acquire()).await;
                    let Ok(Ok(_permit)) = permit else {
                        return Answered::GiveBack("others ask until the time is over".to_owned());
                    };
                    let lease = self.lease(question, &owner, deadline);
                    match self.coordination.lease(&question.hash, &lease).await {
                        Ok(Leased::Ours) => {
                            return self.ask(campaign, question, &owner, deadline, counts).await;
                        }
                        Ok(Leased::Taken(entry)) => known = Some(entry),
                        Err(error) => return Answered::GiveBack(error.to_string()),
                    }
                }
            }
        }
    }

    /// A lease from now on, which ends with the invocation at the latest.
    fn lease(&self, question: &Question, owner: &str, deadline: Deadline) -> Lease {
        let now_ms = self.clock.now_ms();
        Lease {
            owner: owner.to_owned(),
            now_ms,
            until_ms: (now_ms + LEASE_MS).min(deadline.lease_until_ms),
            retry_given_up_before_ms: question.retry_given_up_before_ms,
        }
    }

    /// Extends a lease for as long as it is polled.
    async fn hold(&self, question: &Question, owner: &str, deadline: Deadline) -> Infallible {
        loop {
            sleep(EXTEND_EVERY).await;
            let lease = self.lease(question, owner, deadline);
            match self.coordination.lease(&question.hash, &lease).await {
                Ok(Leased::Ours) => {}
                // The call is paid for already; of two answers the first stands.
                Ok(Leased::Taken(_)) => tracing::debug!("lease was taken over"),
                Err(error) => tracing::debug!(%error, "lease was not extended"),
            }
        }
    }

    /// Asks the model, which is the caller's turn.
    async fn ask(
        &self,
        campaign: &Compiled,
        question: &Question,
        owner: &str,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Answered {
        let allowance = Allowance::of(campaign, &question.prompt, self.clock.now_secs());
        if let Some(allowance) = &allowance {
            let refused = match self.coordination.spend(&allowance.budget, allowance.most).await {
                Ok(Spent::Granted) => None,
                Ok(Spent::Refused) => Some(Answered::OverBudget),
                Err(error) => Some(Answered::GiveBack(error.to_string())),
            };
            if let Some(refused) = refused {
                self.release(&question.hash, owner).await;
                return refused;
            }
        }
        let mut calls = model::Calls::default();
        let generated = {
            let asking =
                self.usable_answer(campaign, &question.prompt, deadline, &mut calls, counts);
            let holding = self.hold(question, owner, deadline);
            match select(pin!(asking), pin!(holding)).await {
                Either::Left((generated, _)) => generated,
                Either::Right((never, _)) => match never {},
            }
        };
        if let Some(allowance) = &allowance {
            self.settle_budget(allowance, calls).await;
        }
        let now = self.clock.now_secs();
        match generated {
            Ok(data) => {
                let usage = calls.spent;
                let entry = Entry::Answered { data: data.clone(), usage };
                let hours = i64::from(campaign.campaign.config.cache_hours);
                self.keep(&question.hash, &entry, now + hours * 3_600).await;
                Answered::Content { data, usage, is_cached: false }
            }
            Err(failure) => match failure.verdict {
                Verdict::DeadLetter(reason) => {
                    let (reason, detail) = (reason.to_owned(), failure.detail);
                    let attempts = calls.attempts;
                    let at_ms = self.clock.now_ms();
                    let entry = Entry::GivenUp {
                        reason: reason.clone(),
                        detail: detail.clone(),
                        attempts,
                        at_ms,
                    };
                    self.keep(&question.hash, &entry, now + GIVEN_UP_SECS).await;
                    Answered::GivenUp { reason, detail, attempts }
                }
                Verdict::RetryNow | Verdict::GiveBack => {
                    self.release(&question.hash, owner).await;
                    Answered::GiveBack(failure.detail)
                }
            },
        }
    }

    /// Keeps what came of a question; where that fails, the lease ends by itself.
    async fn keep(&self, hash: &str, entry: &Entry, expires_at: i64) {
        if let Err(error) = self.coordination.finish(hash, entry, expires_at).await {
            tracing::warn!(%error, "answer is not shared");
        }
    }

    async fn release(&self, hash: &str, owner: &str) {
        if let Err(error) = self.coordination.release(hash, owner).await {
            tracing::debug!(%error, "lease ends by itself");
        }
    }

    /// Gives back what a budget was charged too much; where that fails it stays charged.
    /// A call whose outcome is not known counts with its worst case.
    async fn settle_budget(&self, allowance: &Allowance, calls: model::Calls) {
        let known = allowance.unit.amount(calls.spent.input_tokens, calls.spent.output_tokens);
        let used = known + allowance.most * u64::from(calls.unknown);
        let by = i64::try_from(used).unwrap_or(i64::MAX)
            - i64::try_from(allowance.most).unwrap_or(i64::MAX);
        if let Err(error) = self.coordination.correct(&allowance.budget, by).await {
            tracing::warn!(%error, "budget stays charged with the worst case");
        }
    }
}

/// What one question may take of its campaign's budget.
struct Allowance {
    budget: BudgetOfDay,
    unit: Unit,
    /// What is charged before the model is asked: the worst case of one call.
    most: u64,
}

/// What a budget counts.
#[derive(Clone, Copy)]
enum Unit {
    Tokens,
    /// Millionths of a dollar, at this price.
    MicroUsd(Price),
}

impl Unit {
    fn amount(self, input_tokens: u64, output_tokens: u64) -> u64 {
        match self {
            Self::Tokens => input_tokens + output_tokens,
            // Rounded up: a thousand small calls are not free.
            Self::MicroUsd(price) => {
                (price.usd(input_tokens, output_tokens) * 1e6).ceil().max(0.0) as u64
            }
        }
    }
}

impl Allowance {
    fn of(campaign: &Compiled, prompt: &str, now: i64) -> Option<Self> {
        let config = &campaign.campaign.config;
        let (unit, limit) = match (config.budget?, config.price) {
            (Budget::Tokens(limit), _) => (Unit::Tokens, limit),
            (Budget::Usd(limit), Some(price)) => {
                (Unit::MicroUsd(price), (limit * 1e6).max(0.0) as u64)
            }
            (Budget::Usd(_), None) => return None,
        };
        let input_tokens = model::estimated_input_tokens(campaign, prompt, None);
        let most = unit.amount(input_tokens, u64::from(config.max_tokens));
        let campaign = campaign.campaign.name.clone();
        let budget = BudgetOfDay { campaign, day: now.div_euclid(DAY_SECS), limit };
        Some(Self { budget, unit, most })
    }
}
