//! One invocation: a Kinesis batch in, the sequence numbers to deliver again out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::KinesisEventResponse;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use contract::campaign::InvalidCampaigns;
use contract::dead_letter::DeadLetter;
use contract::metrics::{self, Counts, Fate};
use futures::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::answers::Answered;
use crate::batch::{Batch, Poison};
use crate::campaign::{self, Compiled};
use crate::clock::Clock;
use crate::coordination::{Coordination, SharedTable};
use crate::dead_letters::{DeadLetterQueue, Sqs};
use crate::deadline::Deadline;
use crate::eligibility::Candidate;
use crate::group::{self, Group};
use crate::health::Health;
use crate::history::Past;
use crate::jitter::Jitter;
use crate::latency::Latency;
use crate::lookout::Lookout;
use crate::model::{Bedrock, TextModel};
use crate::quota::{self, NoQuota, Quotas};
use crate::refusals::Refusals;
use crate::settings::Settings;
use crate::store::{ContentTable, DAY_SECS, DynamoDb, Key};
use crate::unit::{Outcome, Told, Unit};

/// Longest single attempt at a call of DynamoDB or SQS, which answer in milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest call, the SDK's own retries included; the SDK by itself sets no limit.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Units that are read, decided and written together: so much of a batch is in memory
/// beside the batch itself.
const UNITS_OF_A_WAVE: usize = 500;

/// Writes of the content table at a time.
const CONCURRENT_WRITES: usize = 64;

/// How long input that was given up is known to have its dead letter, in seconds: as long
/// as the longest retention of a stream.
const LETTER_MARK_SECS: i64 = 365 * DAY_SECS;

/// Why something that was given up goes back.
pub(crate) const NO_LETTER: &str = "dead letter was not queued in time";

/// Everything that invocations need, built once per instance.
#[derive(Debug)]
pub struct Processor {
    /// Campaigns, in the order of their names.
    pub campaigns: Vec<Arc<Compiled>>,
    /// The text model.
    pub model: Arc<dyn TextModel>,
    /// The models' quotas.
    pub quotas: Quotas,
    /// The content table.
    pub table: Arc<dyn ContentTable>,
    /// What the instances agree on.
    pub coordination: Arc<dyn Coordination>,
    /// Keeps what could not be processed.
    pub dead_letters: Arc<dyn DeadLetterQueue>,
    /// As many permits as questions may be asked at a time.
    pub generations: Semaphore,
    /// The time of day.
    pub clock: Clock,
    /// Chance.
    pub jitter: Jitter,
    /// How long generations take.
    pub latency: Latency,
    /// What the service refuses the account.
    pub refusals: Refusals,
    /// Which models answer.
    pub health: Health,
    /// Looks for the answers of others.
    pub lookout: Lookout,
}

/// Why a processor cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Some campaigns are not valid.
    #[error(transparent)]
    Campaigns(#[from] InvalidCampaigns),
    /// A campaign's model has no quota.
    #[error(transparent)]
    Quota(#[from] NoQuota),
}

/// The models that campaigns ask.
pub fn models(campaigns: &[Arc<Compiled>]) -> impl Iterator<Item = &str> {
    campaigns.iter().map(|each| each.campaign.config.model_id.as_str())
}

/// What an invocation did.
#[derive(Debug, Default)]
pub struct Report {
    /// The records that Kinesis must deliver again.
    pub response: KinesisEventResponse,
    /// What was counted.
    pub counts: Counts,
    /// From an object's appearance to its content being stored, per content.
    pub freshness: Vec<Duration>,
    /// Why something goes back, of several reasons the last.
    pub returned_for: Option<String>,
}

impl Processor {
    /// Builds the clients and compiles the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, NotReady> {
        let campaigns = campaign::load(&settings.campaigns_dir)?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts.build())
            .load()
            .await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let sqs = aws_sdk_sqs::Client::new(&config);
        let queue_url = settings.dead_letter_queue_url.clone();
        let coordination = SharedTable::new(dynamodb.clone(), settings.coordination_table.clone());
        let lanes =
            quota::dynamodb::Lanes::new(dynamodb.clone(), settings.coordination_table.clone());
        let instance = quota::Instance {
            table: Arc::new(lanes),
            instances: settings.max_instances,
            clock: Clock::System,
            jitter: Arc::default(),
        };
        let quotas = Quotas::new(&settings.model_quotas, models(&campaigns), &instance)?;
        Ok(Self {
            campaigns,
            model: Arc::new(Bedrock::new(&config)),
            quotas,
            table: Arc::new(DynamoDb::new(dynamodb, settings.content_table.clone())),
            coordination: Arc::new(coordination),
            dead_letters: Arc::new(Sqs::new(sqs, queue_url)),
            generations: Semaphore::new(settings.max_concurrent_generations.get() as usize),
            clock: Clock::System,
            jitter: Jitter::default(),
            latency: Latency::default(),
            refusals: Refusals::default(),
            health: Health::default(),
            lookout: Lookout::default(),
        })
    }

    /// Processes a batch; never fails as a whole.
    pub async fn handle(&self, delivery: KinesisEvent, deadline: SystemTime) -> Report {
        let deadline = Deadline::new(&self.clock, deadline);
        let mut report = Report::default();
        let mut batch = Batch::decode(delivery);

        self.delete_users(&mut batch, deadline, &mut report).await;
        let mut triggered = self.triggered(&batch, &mut report.counts);
        while !triggered.is_empty() {
            if deadline.is_over() {
                for place in triggered.iter().flat_map(|each| &each.places) {
                    batch.decide(*place, Fate::Returned);
                }
                report.returned_for = Some("out of time".to_owned());
                break;
            }
            let rest = triggered.split_off(triggered.len().min(UNITS_OF_A_WAVE));
            let units = triggered.into_iter();
            let units =
                units.filter_map(|each| each.unit(self, &mut batch, &mut report.counts)).collect();
            self.work_on(&mut batch, units, deadline, &mut report).await;
            triggered = rest;
        }

        self.bury_poison(&mut batch, deadline, &mut report).await;
        self.refusals.say();
        report.counts.add(metrics::QUOTA_TABLE_CALLS, self.quotas.count_table_calls());
        batch.count(&mut report.counts);
        report.response = batch.response();
        if let Some(reason) = &report.returned_for {
            let records = report.response.batch_item_failures.len();
            tracing::warn!(records, reason, "records go back");
        }
        report
    }

    /// Writes the dead letters of what cannot be decoded, after everything else: a queue
    /// that is ill must not take the time of records that are well. After its first
    /// failure the rest goes back without being tried.
    async fn bury_poison(&self, batch: &mut Batch, deadline: Deadline, report: &mut Report) {
        let mut is_taken = true;
        for place in 0..batch.poison.len() {
            let Poison { name, letter, .. } = &batch.poison[place];
            if is_taken && !deadline.is_over() {
                let buried = self.bury_once(name, letter, &mut report.counts);
                is_taken = timeout_at(deadline.answer_by, buried).await.unwrap_or(false);
            } else {
                is_taken = false;
            }
            if !is_taken {
                batch.return_poison(place);
                report.returned_for = Some(NO_LETTER.to_owned());
            }
        }
    }

    /// Writes the dead letter of what `name` identifies through all deliveries, unless an
    /// earlier one did; `false` means that its input must go back instead.
    pub(crate) async fn bury_once(
        &self,
        name: &str,
        letter: &DeadLetter,
        counts: &mut Counts,
    ) -> bool {
        match self.coordination.is_marked(name).await {
            Ok(true) => return true,
            Ok(false) => {}
            // Twice is better than never.
            Err(error) => tracing::debug!(%error, "dead letter may come twice"),
        }
        if !self.give_up(letter, counts).await {
            return false;
        }
        let expires_at = self.clock.now_secs() + LETTER_MARK_SECS;
        if let Err(error) = self.coordination.mark(name, expires_at).await {
            tracing::debug!(%error, "dead letter may come twice");
        }
        true
    }

    /// Finds the users and campaigns that events of the batch trigger, those of the
    /// highest priority first.
    fn triggered(&self, batch: &Batch, counts: &mut Counts) -> Vec<Triggered> {
        let mut triggered = Vec::new();
        let mut campaigns: Vec<usize> = (0..self.campaigns.len()).collect();
        let priority = |campaign: &usize| self.campaigns[*campaign].campaign.config.priority;
        campaigns.sort_by_key(|campaign| std::cmp::Reverse(priority(campaign)));
        for campaign in campaigns {
            let compiled = &self.campaigns[campaign];
            for (user, each) in batch.users.iter().enumerate() {
                if each.is_returned {
                    continue;
                }
                let mut places = Vec::new();
                for &place in &each.events {
                    let received = &batch.events[place];
                    match compiled.is_triggered_by(&received.event_type, &received.event) {
                        Ok(true) => places.push(place),
                        Ok(false) => {}
                        Err(error) => {
                            tracing::debug!(%error, "event does not trigger");
                            counts.add(metrics::CONDITIONS_FAILED, 1);
                        }
                    }
                }
                if !places.is_empty() {
                    triggered.push(Triggered { campaign, user, places });
                }
            }
        }
        triggered
    }

    /// Reads, decides, asks and writes for some units.
    async fn work_on(
        &self,
        batch: &mut Batch,
        units: Vec<Unit>,
        deadline: Deadline,
        report: &mut Report,
    ) {
        let keys: Vec<Key> = units.iter().map(|unit| unit.key.clone()).collect();
        let states = match timeout_at(deadline.answer_by, self.table.load(&keys)).await {
            Ok(Ok(states)) => states,
            unread => {
                for place in units.iter().flat_map(|unit| &unit.places) {
                    batch.decide(*place, Fate::Returned);
                }
                let error = unread.ok().and_then(Result::err).map(|error| error.to_string());
                report.returned_for = Some(error.unwrap_or_else(|| "out of time".to_owned()));
                return;
            }
        };
        let mut groups = group::collect(units, states, batch);
        // What is not known in time is looked up one by one, if there is any time.
        let _ = timeout_at(deadline.work_until, self.look_up(&mut groups)).await;
        let outcomes = self.conclude_all(batch, groups, deadline).await;
        for (places, outcome) in outcomes {
            for (place, fate) in places.iter().zip(&outcome.fates) {
                batch.decide(*place, *fate);
            }
            report.counts.merge(&outcome.counts);
            report.freshness.extend(outcome.freshness);
            report.returned_for = outcome.returned_for.or(report.returned_for.take());
        }
    }

    /// Reads what is known of all questions at once.
    async fn look_up(&self, groups: &mut [Group]) {
        let questions = groups.iter().filter_map(|group| group.question.as_ref());
        let hashes: Vec<String> = questions.map(|question| question.hash.clone()).collect();
        if hashes.is_empty() {
            return;
        }
        match self.coordination.answers(&hashes, self.clock.now_secs()).await {
            Ok(mut known) => {
                for group in groups {
                    let hash = group.question.as_ref().map(|question| &question.hash);
                    group.known = hash.and_then(|hash| known.remove(hash));
                }
            }
            // The lease will tell what is known.
            Err(error) => tracing::debug!(%error, "cached answers were not read"),
        }
    }

    async fn conclude_all(
        &self,
        batch: &Batch,
        groups: Vec<Group>,
        deadline: Deadline,
    ) -> Vec<(Vec<usize>, Outcome)> {
        let mut outcomes = Vec::new();
        let concluded = stream::iter(groups)
            .map(async |mut group: Group| {
                let mut counts = Counts::default();
                let told = match (&group.question, group.units.first()) {
                    (Some(question), Some((unit, _))) => {
                        let known = group.known.take();
                        let answer =
                            self.answer(&unit.campaign, question, known, deadline, &mut counts);
                        let answered = timeout_at(deadline.answer_by, answer).await;
                        let answered = Arc::new(answered.unwrap_or_else(|_| Answered::late()));
                        Some(Told { hash: question.hash.as_str().into(), answered })
                    }
                    _ => None,
                };
                (group.units, told, counts)
            })
            .buffer_unordered(UNITS_OF_A_WAVE)
            .flat_map(|(units, told, counts)| {
                // What the answer took is counted with the first that it is for.
                let mut counts = Some(counts);
                stream::iter(units.into_iter().map(move |unit| (unit, told.clone(), counts.take())))
            })
            .map(async |((unit, step), told, counts)| {
                let is_first = counts.is_some();
                let concluded = self.conclude(batch, &unit, step, told, is_first, deadline);
                let concluded = timeout_at(deadline.answer_by, concluded).await;
                let mut outcome = concluded.unwrap_or_else(|_| Outcome::late(&unit));
                outcome.counts.merge(&counts.unwrap_or_default());
                (unit.places, outcome)
            })
            .buffer_unordered(CONCURRENT_WRITES);
        let mut concluded = std::pin::pin!(concluded);
        while let Some(outcome) = concluded.next().await {
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn give_up(&self, letter: &DeadLetter, counts: &mut Counts) -> bool {
        match self.dead_letters.send(letter).await {
            Ok(()) => {
                counts.add(metrics::DEAD_LETTERS, 1);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "input goes back");
                false
            }
        }
    }
}

/// A user and a campaign that some of their events trigger.
struct Triggered {
    campaign: usize,
    user: usize,
    places: Vec<usize>,
}

impl Triggered {
    /// What is to be worked on; events that lack what the prompt needs are done with.
    fn unit(self, processor: &Processor, batch: &mut Batch, counts: &mut Counts) -> Option<Unit> {
        let campaign = Arc::clone(&processor.campaigns[self.campaign]);
        let allowed = &campaign.campaign.config.fields;
        let mut candidates = Vec::with_capacity(self.places.len());
        let mut places = Vec::with_capacity(self.places.len());
        for place in self.places {
            let received = &batch.events[place];
            let (event, cut) = Past::of(&received.event_type, &received.event, allowed);
            counts.add(metrics::VALUES_CUT, cut);
            if campaign.lacks(&event).is_empty() {
                candidates.push(Candidate { event, redriven_at_ms: received.redriven_at_ms });
                places.push(place);
            } else {
                batch.decide(place, Fate::Incomplete);
            }
        }
        let key = Key {
            user_id: batch.users[self.user].id.clone(),
            campaign: campaign.campaign.name.clone(),
        };
        (!places.is_empty()).then_some(Unit { campaign, key, candidates, places })
    }
}
