//! One answer for each distinct prompt, whatever the number of users, instances and
//! deliveries.
//!
//! Whoever takes the lease on a prompt asks the model; the others wait for what comes
//! of it. An answer stands for the campaign's `cache_hours`; a prompt that was given up
//! is not tried again for an hour, unless a person asks for it. What cannot be answered
//! within moments is not waited for: [`Conclusion::NotNow`] says why, and until when.
//!
//! - `generation` — one usable answer: the quota, the call, its repeats, one correction.
//! - `budget` — what a campaign's day may cost.
//! - `joining` — a question that is to be asked in a job, with others.
//! - `lookout` — looks for the answers of others.
//! - `notices` — what instances tell each other: halted campaigns, asks that wait.
//! - `health`, `latency`, `refusals`, `rules` — what this instance has seen of the model.

mod budget;
mod generation;
mod health;
mod joining;
mod latency;
mod lookout;
mod notices;
mod permits;
mod refusals;
mod rules;
mod waits;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use campaign::answer::BadAnswer;
use campaign::{CompiledCampaign, Examined, OverBudget, Told};
use contract::ask::{Class, Reason};
use contract::metrics::{self, Counts};
use futures::future::{Either, select};
use program::causes;
use quota::Quotas;
use quota::clock::Clock;
use quota::jitter::Jitter;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout_at};

use crate::coordination::{BudgetOfDay, Coordination, Entry, Failures, Lease, LeaseReply};
use crate::deadline::Deadline;
use crate::failure::Verdict;
use crate::jobs::schedule::Schedule;
use crate::model::{Calls, TextModel, Usage};
use crate::store::DAY_SECS;
use budget::Allowance;
use generation::{Failure, Generation};
use health::Health;
use latency::Latency;
use lookout::Lookout;
use notices::Notices;
use permits::Permits;
use refusals::Refusals;
use rules::RuleNotes;
use waits::Waits;

pub(crate) use budget::used_in_a_job;
pub use generation::MAX_FAILED_CALLS;
pub(crate) use generation::{count_answer, count_refused};
pub(crate) use joining::{Charge, Joined, ended};

/// Waits between two looks at somebody else's answer.
const POLLS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times();

/// How long a lease is, in milliseconds: so long does a crash keep others from asking.
const LEASE_MS: u64 = 30_000;

/// How often a lease is extended while the model is asked; two extensions may fail.
const EXTEND_EVERY: Duration = Duration::from_secs(10);

/// How long a prompt that was given up is not tried again, in seconds.
const GIVEN_UP_SECS: i64 = 3_600;

/// How long a question of an event may wait for its turn, or for somebody else's answer:
/// its batch holds its shard meanwhile.
const PATIENCE_OF_EVENTS: Duration = Duration::from_secs(10);

/// How long a question of an ask may: lanes are promised for less where only asks wait.
const PATIENCE_OF_ASKS: Duration = Duration::from_secs(20);

/// How long events do not try for a turn after one of them got none, in milliseconds.
const NO_TURN_MS: u64 = 5_000;

/// How long an ask of a paused campaign waits until it is looked at again: as long as SQS hides
/// a message, because each look costs three requests.
const PAUSE_MS: u64 = 900_000;

/// How long a campaign is halted that the account was denied the model for.
pub(crate) const HALT_MS: u64 = 300_000;

/// How long a model is left alone that answers nobody.
const OUTAGE_MS: u64 = 30_000;

/// Whose question it is, and so how long it may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// An event's, which overtakes no ask.
    Event,
    /// An event's of a batch that is gone through one unit at a time: it asks nobody, so that
    /// the next unit has its turn soon.
    Suspect,
    /// An ask's, whose turn has come.
    Ask,
    /// A person's, who waits.
    Person,
}

/// What a campaign asks about a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The rendered prompt, and what its answer is held against.
    pub told: Arc<Told>,
    /// Identifies everything that decides the answer.
    pub hash: String,
    /// It is asked although it was given up before this, in UNIX milliseconds; 0 for
    /// never.
    pub retry_given_up_before_ms: u64,
}

/// When questions that come now gather for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gathers {
    /// When they have, in UNIX milliseconds.
    pub(crate) at_ms: u64,
    /// Until when a job that begins now is waited for, in UNIX milliseconds.
    pub(crate) ends_by_ms: u64,
    /// Within how many hours their content is to be there.
    pub(crate) within_hours: u32,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// Content.
    Content {
        /// The content.
        data: Map<String, Value>,
        /// What its generation took.
        usage: Usage,
        /// It stood there already: nobody was asked for it now.
        is_cached: bool,
    },
    /// There is nothing to ask: the prompt says nothing, or lacks what it prints.
    Blank,
    /// There is nothing to ask: an item that the event leads to is in no catalog.
    NoItem,
    /// The campaign's budget of the day does not allow it, and it is not to wait for the next.
    OverBudget,
    /// It is to be asked again later.
    NotNow {
        /// Why not now.
        reason: Reason,
        /// Before when it is of no use, in UNIX milliseconds.
        not_before_ms: u64,
        /// The same in words.
        detail: String,
        /// The job that asks it, if one is known that does, or [`NO_JOB`](contract::ask::NO_JOB).
        job: String,
    },
    /// Another attempt would end the same way.
    GivenUp {
        /// Short name of the reason.
        reason: String,
        /// What was wrong.
        detail: String,
        /// Calls that were made.
        attempts: u32,
    },
    /// What the instances agree on is out of reach.
    GiveBack(String),
}

/// What came of a question, shared by all who ask it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SharedAnswer {
    /// Hash of the question; empty where nobody was asked.
    pub(crate) hash: Arc<str>,
    pub(crate) conclusion: Arc<Conclusion>,
}

impl SharedAnswer {
    pub(crate) fn new(question: &Question, conclusion: Conclusion) -> Self {
        Self { hash: question.hash.as_str().into(), conclusion: Arc::new(conclusion) }
    }

    pub(crate) fn without_asking(conclusion: Conclusion) -> Self {
        Self { hash: "".into(), conclusion: Arc::new(conclusion) }
    }
}

/// Answers questions, each at most once at a time over all instances.
#[derive(Debug)]
pub struct Answers {
    model: Arc<dyn TextModel>,
    quotas: Quotas,
    coordination: Arc<dyn Coordination>,
    permits: Permits,
    clock: Clock,
    jitter: Jitter,
    latency: Latency,
    refusals: Refusals,
    rules: RuleNotes,
    health: Health,
    lookout: Lookout,
    notices: Notices,
    waits: Waits,
    /// The hours of jobs, where questions can be asked in some.
    jobs: Option<Schedule>,
}

impl Answers {
    /// Asks `model` within `quotas`, of each model at most so many `questions` at a time.
    pub fn new(
        model: Arc<dyn TextModel>,
        quotas: Quotas,
        coordination: Arc<dyn Coordination>,
        questions: usize,
        (clock, jitter): (Clock, Jitter),
    ) -> Self {
        Self {
            model,
            quotas,
            coordination,
            permits: Permits::new(questions),
            clock,
            jitter,
            latency: Latency::default(),
            refusals: Refusals::default(),
            rules: RuleNotes::default(),
            health: Health::default(),
            lookout: Lookout::default(),
            notices: Notices::default(),
            waits: Waits::default(),
            jobs: None,
        }
    }

    /// The same, where questions can be asked in jobs as well.
    #[must_use]
    pub(crate) fn with_jobs(self, jobs: Option<Schedule>) -> Self {
        Self { jobs, ..self }
    }

    /// A name that nobody else has.
    pub(crate) fn name(&self) -> String {
        self.jitter.name()
    }

    /// Whether questions can be asked in jobs.
    pub(crate) fn has_jobs(&self) -> bool {
        self.jobs.is_some()
    }

    /// When a campaign's questions that come now have gathered for a job, and until when that is
    /// waited for if it begins now, in UNIX milliseconds; nothing if they are asked at once.
    pub(crate) fn gathers(&self, campaign: &CompiledCampaign) -> Option<Gathers> {
        let (hours, now_ms) = (campaign.campaign.config.batch_within_hours?, self.clock.now_ms());
        let jobs = self.jobs?;
        Some(Gathers {
            at_ms: jobs.gathers_at_ms(now_ms, hours),
            ends_by_ms: jobs.ends_by_ms(now_ms, hours),
            within_hours: hours,
        })
    }

    /// Calls of the quota's table since this was asked last.
    pub(crate) fn count_table_calls(&self) -> u64 {
        self.quotas.count_table_calls()
    }

    /// What questions wait for just now, with how many there are of each.
    pub(crate) fn waits(&self) -> std::collections::BTreeMap<String, usize> {
        self.waits.now()
    }

    /// Logs what the service refused, and which rules answers broke, since this was called last.
    pub(crate) fn say_refusals(&self) {
        self.refusals.say();
        self.rules.say();
    }

    /// Answers a question, of which `known` was known a moment ago.
    pub async fn answer(
        &self,
        campaign: &CompiledCampaign,
        (question, asker): (&Question, Asker),
        mut known: Option<Entry>,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Conclusion {
        let owner = self.jitter.name();
        let until = asker.until(deadline);
        let mut waits = POLLS.build();
        loop {
            match known.take() {
                Some(Entry::Answered { data, usage }) => {
                    return Conclusion::Content { data, usage, is_cached: true };
                }
                Some(Entry::GivenUp { reason, detail, attempts, at_ms })
                    if at_ms >= question.retry_given_up_before_ms =>
                {
                    return Conclusion::GivenUp { reason, detail, attempts };
                }
                Some(Entry::Leased { until_ms, job: Some(job) })
                    if until_ms > self.clock.now_ms() && asker != Asker::Person =>
                {
                    return in_a_job(job, until_ms);
                }
                Some(Entry::Leased { until_ms, .. }) if until_ms > self.clock.now_ms() => {
                    let wait = self.jitter.spread(waits.next().unwrap_or(Duration::MAX));
                    if !until.allows(wait) {
                        let detail = "somebody else asks the same".to_owned();
                        return self.not_now(Reason::Lease, Some(until_ms), detail);
                    }
                    let waiting = self.waits.begin(|| {
                        let campaign = &campaign.campaign.name;
                        format!("the answer to the same prompt (campaign {campaign})")
                    });
                    sleep(wait).await;
                    drop(waiting);
                    let looked =
                        self.lookout.look(&self.coordination, &self.clock, &question.hash).await;
                    match looked {
                        Ok(entry) => known = entry,
                        Err(unread) => return Conclusion::GiveBack(unread),
                    }
                }
                _ => {
                    // Only who asks holds a permit: others wait for an answer without one.
                    let permits = self.permits.of(&campaign.campaign.config.model_id);
                    // Later than that no answer would come in time, and there is to be time to park.
                    let start_by = deadline.start_by(self.latency.p99());
                    let permit = timeout_at(start_by, permits.acquire()).await.ok();
                    let Some(Ok(_permit)) = permit else {
                        let detail = "others ask until the time is over".to_owned();
                        return self.not_now(Reason::Quota, None, detail);
                    };
                    // Much can have become known meanwhile.
                    if let Some(obstacle) = self.obstacle(campaign, asker).await {
                        return obstacle;
                    }
                    let until = asker.until(deadline);
                    let lease = self.lease(question, &owner, deadline);
                    match self.coordination.lease(&question.hash, &lease).await {
                        Ok(LeaseReply::Ours(failed_before)) => {
                            let turn = Turn { owner: &owner, failed_before, until };
                            let asked = self.ask(campaign, question, turn, deadline, counts).await;
                            self.note_no_turn(campaign, asker, &asked);
                            return asked;
                        }
                        Ok(LeaseReply::Taken(entry)) => known = Some(entry),
                        Err(error) => return Conclusion::GiveBack(causes::told(&error)),
                    }
                }
            }
        }
    }

    /// An event that got no turn in time speaks for those of its class that come after it: they
    /// wait for none.
    fn note_no_turn(&self, campaign: &CompiledCampaign, asker: Asker, asked: &Conclusion) {
        if asker == Asker::Event
            && matches!(asked, Conclusion::NotNow { reason: Reason::Quota, .. })
        {
            let config = &campaign.campaign.config;
            let name = notices::waiting(&config.model_id, Class::of(config.priority));
            let now_ms = self.clock.now_ms();
            self.notices.keep(&name, now_ms + NO_TURN_MS, now_ms);
        }
    }

    /// Why it is of no use to ask now, as far as that is known without asking.
    async fn obstacle(&self, campaign: &CompiledCampaign, asker: Asker) -> Option<Conclusion> {
        if asker == Asker::Person {
            return None;
        }
        let config = &campaign.campaign.config;
        let (now_ms, model_id) = (self.clock.now_ms(), config.model_id.as_str());
        let class = Class::of(config.priority);
        let names = notices::Names::of(&campaign.campaign.name, model_id, class);
        let noticed = self.notices.read(&*self.coordination, names, now_ms).await;
        if let Some(until_ms) = noticed.halted_until_ms {
            let detail = "the campaign is halted".to_owned();
            return Some(self.not_now(Reason::Halted, Some(until_ms), detail));
        }
        if let (Asker::Event | Asker::Suspect, Some(gathers)) = (asker, self.gathers(campaign)) {
            let detail = "it is asked in a job".to_owned();
            return Some(self.not_now(Reason::Job, Some(gathers.at_ms), detail));
        }
        if self.day_over_until_ms(model_id).is_some() {
            let detail = "quota of the day is used up".to_owned();
            return Some(self.not_now(Reason::DayQuota, None, detail));
        }
        if let Some(until_ms) = self.health.out_until_ms(model_id, now_ms) {
            let detail = "the model answers nobody".to_owned();
            return Some(self.not_now(Reason::Outage, Some(until_ms), detail));
        }
        if asker == Asker::Suspect {
            let detail = "its batch is gone through with care".to_owned();
            return Some(self.not_now(Reason::Quota, None, detail));
        }
        if asker == Asker::Event && noticed.others_wait {
            let detail = "asks that came before wait for the quota".to_owned();
            return Some(self.not_now(Reason::Quota, None, detail));
        }
        None
    }

    /// What a question of a paused campaign comes to: it waits, and is looked at now and then.
    pub(crate) fn paused(&self) -> Conclusion {
        let until_ms = self.clock.now_ms() + PAUSE_MS;
        self.not_now(Reason::Paused, Some(until_ms), "the campaign is paused".to_owned())
    }

    /// It is of no use to ask before `not_before_ms` (UNIX milliseconds), where that is known.
    fn not_now(&self, reason: Reason, not_before_ms: Option<u64>, detail: String) -> Conclusion {
        let now_ms = self.clock.now_ms();
        let not_before_ms = match (reason, not_before_ms) {
            (Reason::DayQuota | Reason::Budget, _) => next_day_ms(now_ms),
            (_, Some(until_ms)) => until_ms,
            (Reason::Outage, None) => now_ms + OUTAGE_MS,
            (_, None) => now_ms,
        };
        Conclusion::NotNow { reason, not_before_ms, detail, job: String::new() }
    }

    /// Gives notice to all instances that asks of a class wait for a model's quota: what comes
    /// now is served after them.
    pub(crate) async fn announce_waiting(&self, model_id: &str, class: Class, until_ms: u64) {
        let name = notices::waiting(model_id, class);
        let given = self.coordination.give_notice(&name, self.clock.now_ms(), until_ms).await;
        if let Err(error) = given {
            tracing::debug!(error = causes::told(&error), "events may overtake asks");
        }
    }

    /// Until when asks may be taken up that are to be answered before a deadline.
    pub(crate) fn take_until(&self, deadline: Deadline) -> Instant {
        deadline.start_by(PATIENCE_OF_ASKS + self.latency.p99())
    }

    /// Until when a model is not to be asked at all, in UNIX milliseconds, as far as this
    /// instance knows.
    pub fn closed_until_ms(&self, model_id: &str) -> Option<u64> {
        let day_over = self.day_over_until_ms(model_id);
        day_over.or_else(|| self.health.out_until_ms(model_id, self.clock.now_ms()))
    }

    /// Until when a model's quota of the day is taken to be used up, in UNIX milliseconds.
    fn day_over_until_ms(&self, model_id: &str) -> Option<u64> {
        self.quotas.of(model_id).ok()?.closed_until_ms()
    }

    /// Halts a campaign that the account was denied the model for.
    async fn halt(&self, campaign: &CompiledCampaign, counts: &mut Counts) -> u64 {
        let name = &campaign.campaign.name;
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms + HALT_MS;
        let notice = notices::halt(name);
        let given = self.coordination.give_notice(&notice, now_ms, until_ms).await;
        let is_news = self.notices.keep(&notice, until_ms, now_ms);
        // Of many that are denied at once one says so, whether the others hear of it or not.
        if *given.as_ref().unwrap_or(&is_news) && is_news {
            counts.add(metrics::CAMPAIGNS_HALTED, 1);
            self.refusals.say_halted(name);
        }
        until_ms
    }

    /// A lease from now on, which ends with the invocation at the latest.
    fn lease(&self, question: &Question, owner: &str, deadline: Deadline) -> Lease {
        let now_ms = self.clock.now_ms();
        Lease {
            owner: owner.to_owned(),
            now_ms,
            until_ms: (now_ms + LEASE_MS).min(deadline.over_at_ms),
            retry_given_up_before_ms: question.retry_given_up_before_ms,
        }
    }

    /// Extends a lease for as long as it is polled.
    async fn hold(&self, question: &Question, owner: &str, deadline: Deadline) -> Infallible {
        loop {
            sleep(EXTEND_EVERY).await;
            let lease = self.lease(question, owner, deadline);
            match self.coordination.extend(&question.hash, &lease).await {
                Ok(true) => {}
                // The call is paid for already; of two answers the first stands.
                Ok(false) => tracing::debug!("lease was taken over"),
                Err(error) => {
                    tracing::debug!(error = causes::told(&error), "lease was not extended")
                }
            }
        }
    }

    /// Asks the model, which is the caller's turn.
    async fn ask(
        &self,
        campaign: &CompiledCampaign,
        question: &Question,
        turn: Turn<'_>,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Conclusion {
        let mut generation = Generation {
            answers: self,
            campaign,
            told: &question.told,
            deadline,
            until: turn.until,
            allowance: Allowance::of(campaign, &question.told.prompt, self.clock.now_secs()),
            failed_before: turn.failed_before.clone(),
            calls: Calls::default(),
            last_failure: None,
        };
        let generated = {
            let asking = generation.usable_answer(counts);
            let holding = self.hold(question, turn.owner, deadline);
            match select(pin!(asking), pin!(holding)).await {
                Either::Left((generated, _)) => generated,
                Either::Right((never, _)) => match never {},
            }
        };
        let Generation { allowance, calls, last_failure, .. } = generation;
        let last_failure = last_failure.unwrap_or_else(|| turn.failed_before.last.clone());
        if let Some(allowance) = &allowance {
            self.settle_budget(allowance, &calls).await;
        }
        let (verdict, detail) = match generated {
            Ok(data) => return self.keep_answer(campaign, question, data, calls.spent).await,
            Err(Failure::OverBudget) => {
                self.release(&question.hash, &turn, &calls, last_failure).await;
                return self.over_budget(campaign);
            }
            Err(Failure::Failed { verdict, detail, .. }) => (verdict, detail),
        };
        if let Verdict::DeadLetter(reason) = verdict {
            let attempts = calls.attempts.saturating_add(turn.failed_before.calls);
            return self.keep_given_up(question, reason, detail, attempts).await;
        }
        let mut unblamed = calls;
        if !self.health.answers(&campaign.campaign.config.model_id) {
            // Where nobody is answered, the prompt is not to blame for calls that failed.
            unblamed.failed = unblamed.timed_out;
        }
        self.release(&question.hash, &turn, &unblamed, last_failure).await;
        match verdict {
            Verdict::Park(Reason::Halted) => {
                let until_ms = self.halt(campaign, counts).await;
                self.not_now(Reason::Halted, Some(until_ms), detail)
            }
            Verdict::Park(reason) => self.not_now(reason, None, detail),
            Verdict::RetryNow => self.not_now(Reason::Outage, None, detail),
            Verdict::GiveBack | Verdict::DeadLetter(_) => Conclusion::GiveBack(detail),
        }
    }

    async fn keep_answer(
        &self,
        campaign: &CompiledCampaign,
        question: &Question,
        data: Map<String, Value>,
        usage: Usage,
    ) -> Conclusion {
        let entry = Entry::Answered { data: data.clone(), usage };
        let hours = i64::from(campaign.campaign.config.cache_hours);
        self.keep(&question.hash, &entry, self.clock.now_secs() + hours * 3_600).await;
        Conclusion::Content { data, usage, is_cached: false }
    }

    async fn keep_given_up(
        &self,
        question: &Question,
        reason: &str,
        detail: String,
        attempts: u32,
    ) -> Conclusion {
        let (reason, at_ms) = (reason.to_owned(), self.clock.now_ms());
        let entry =
            Entry::GivenUp { reason: reason.clone(), detail: detail.clone(), attempts, at_ms };
        self.keep(&question.hash, &entry, self.clock.now_secs() + GIVEN_UP_SECS).await;
        Conclusion::GivenUp { reason, detail, attempts }
    }

    /// Keeps what came of a question; where that fails, the lease ends by itself.
    async fn keep(&self, hash: &str, entry: &Entry, expires_at: i64) {
        if let Err(error) = self.coordination.finish(hash, entry, expires_at).await {
            tracing::warn!(error = causes::told(&error), "answer is not shared");
        }
    }

    /// Gives a turn back that came to nothing, with the calls that it took.
    async fn release(&self, hash: &str, turn: &Turn<'_>, calls: &Calls, last: String) {
        // What was answered and could not be used was paid for as well.
        let failed =
            Failures { calls: turn.failed_before.calls + calls.failed + calls.answered, last };
        self.give_back_lease(hash, turn.owner, &failed).await;
    }

    /// Gives a lease back, with what came to nothing so far.
    async fn give_back_lease(&self, hash: &str, owner: &str, failed: &Failures) {
        let until = self.clock.now_secs() + GIVEN_UP_SECS;
        if let Err(error) = self.coordination.release(hash, owner, failed, until).await {
            tracing::debug!(error = causes::told(&error), "lease ends by itself");
        }
    }

    /// What a question comes to that its campaign's budget of the day does not pay for.
    fn over_budget(&self, campaign: &CompiledCampaign) -> Conclusion {
        match campaign.campaign.config.over_budget {
            OverBudget::Skip => Conclusion::OverBudget,
            OverBudget::Wait => {
                let detail = "the campaign's budget of the day is spent".to_owned();
                self.not_now(Reason::Budget, None, detail)
            }
        }
    }

    /// Checks an answer, and notes which rules of its campaign it breaks.
    pub(crate) fn examined(
        &self,
        campaign: &CompiledCampaign,
        (answer, told): (&str, &Told),
        counts: &mut Counts,
    ) -> Result<Map<String, Value>, BadAnswer> {
        let Examined { content, unapplied } = campaign.examine(answer, told);
        let name = &campaign.campaign.name;
        self.rules.unapplied(name, unapplied.iter().map(String::as_str));
        if let Err(error) = &content {
            let refused = match error {
                BadAnswer::NotJson(_) | BadAnswer::NotObject => metrics::ANSWERS_UNREADABLE,
                BadAnswer::Mismatch(_) => metrics::ANSWERS_AGAINST_SCHEMA,
                BadAnswer::AgainstRules(_) => metrics::ANSWERS_AGAINST_RULES,
            };
            count_refused(refused, counts);
            self.rules.broken(name, error.rules());
        }
        content
    }

    /// Gives back what a budget was charged too much; where that fails it stays charged.
    async fn settle_budget(&self, allowance: &Allowance, calls: &Calls) {
        self.correct_budget(&allowance.budget, allowance.difference(calls)).await;
    }

    /// Corrects what a budget was charged; where that fails it stays charged.
    async fn correct_budget(&self, budget: &BudgetOfDay, by: i64) {
        if by != 0
            && let Err(error) = self.coordination.correct(budget, by).await
        {
            tracing::warn!(
                error = causes::told(&error),
                "budget stays charged with the worst case"
            );
        }
    }
}

/// A turn to ask for a prompt.
#[derive(Debug)]
struct Turn<'a> {
    /// Who has it.
    owner: &'a str,
    /// What came to nothing in earlier turns.
    failed_before: Failures,
    /// Until when it may wait for the quota.
    until: Deadline,
}

impl Asker {
    /// Until when it may wait from now on; a person does as long as there is time.
    fn until(self, deadline: Deadline) -> Deadline {
        match self {
            Self::Event | Self::Suspect => deadline.within(PATIENCE_OF_EVENTS),
            Self::Ask => deadline.within(PATIENCE_OF_ASKS),
            Self::Person => deadline,
        }
    }
}

/// What a question comes to that a job asks: who asked waits for the job.
pub(crate) fn in_a_job(job: String, until_ms: u64) -> Conclusion {
    let (reason, detail) = (Reason::Job, "a job asks it".to_owned());
    Conclusion::NotNow { reason, not_before_ms: until_ms, detail, job }
}

/// When the next day begins (UTC), in UNIX milliseconds.
fn next_day_ms(now_ms: u64) -> u64 {
    const DAY_MS: u64 = DAY_SECS.unsigned_abs() * 1_000;
    (now_ms / DAY_MS + 1) * DAY_MS
}
