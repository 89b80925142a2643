//! One invocation: a Kinesis batch in, the sequence numbers to deliver again out; or asks that
//! wait, as far as the quota lets them be answered.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime};

use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::event::streams::KinesisEventResponse;
use campaign::condition::NotEvaluated;
use campaign::{CompiledCampaign, InvalidCampaigns, Past};
use catalog::cache::{CachedItems, DEFAULT_MAX_BYTES};
use contract::metrics::{self, AskFate, Counts, Fate};
use program::causes;
use program::telemetry::meter::Remarks;
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::{NoQuota, Quotas};
use registry::RegistryError;
use registry::current::{Current, NotLoaded};
use serde::Deserialize;
use tokio::time::Instant;

use crate::answers::Answers;
use crate::asks::{self, AskQueue, Outbox, Worker};
use crate::attributes::Updates;
use crate::batch::{Batch, Fates, User};
use crate::conclude::{Outcome, Writer};
use crate::coordination::{Coordination, Failures, Lease, LeaseReply, SharedTable};
use crate::dead_letters::{DeadLetterQueue, Letters, NO_LETTER, Sqs};
use crate::deadline::{Deadline, OPERATION_TIMEOUT};
use crate::decide::{Fated, Reader, Turn, Wanted};
use crate::deletion::Deletions;
use crate::eligibility::Role;
use crate::held::{Access, Held, Standing};
use crate::jobs::following::Following;
use crate::jobs::gathering::Gathering;
use crate::jobs::schedule::Schedule;
use crate::jobs::{self, JobService};
use crate::model::{Bedrock, TextModel};
use crate::settings::Settings;
use crate::stages::{Done, Stages, Tools};
use crate::store::{ContentTable, DynamoDb, Key};
use crate::suspects::Suspects;

/// Why the rest of a batch goes back.
const REST: &str = "the records before them hold enough for one invocation";

/// What is leased by whoever makes jobs of asks; no prompt has such a hash.
const GATHERS: &str = "gathers";

/// Longest single attempt at a call of DynamoDB or SQS, which answer in milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Turns batches into content.
#[derive(Debug)]
pub struct Processor {
    campaigns: Arc<Current<Held>>,
    tools: Tools,
    asks: Arc<dyn AskQueue>,
    /// Most questions that are asked at a time.
    questions: usize,
    /// Takes of asks so far.
    takes: AtomicUsize,
    /// Asks for jobs, where there may be any.
    jobs: Option<Arc<dyn JobService>>,
}

/// What a processor reaches.
#[derive(Debug)]
pub struct Ports {
    /// The text model.
    pub model: Arc<dyn TextModel>,
    /// The models' quotas.
    pub quotas: Quotas,
    /// The content table.
    pub table: Arc<dyn ContentTable>,
    /// Items of catalogs.
    pub items: CachedItems,
    /// What the instances agree on.
    pub coordination: Arc<dyn Coordination>,
    /// Keeps what could not be processed.
    pub dead_letters: Arc<dyn DeadLetterQueue>,
    /// Keeps what waits.
    pub asks: Arc<dyn AskQueue>,
    /// Asks for jobs, where there may be any.
    pub jobs: Option<Jobs>,
}

/// Who asks for jobs, and their hours.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// Asks for them.
    pub service: Arc<dyn JobService>,
    /// Their hours.
    pub schedule: Schedule,
}

/// What an invocation is for: a batch of the stream, or the asks that wait
/// (`{"source": "asks"}`) or the jobs (`{"source": "jobs"}`), of which whoever keeps the time says
/// that it is time to look.
#[derive(Debug, Deserialize)]
pub struct Invocation {
    /// Says that it is for the asks.
    #[serde(default)]
    pub source: Option<Source>,
    /// The records of a batch.
    #[serde(default, rename = "Records")]
    pub records: Vec<KinesisEventRecord>,
}

/// Where the work of an invocation comes from, if not from the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The queues of asks.
    Asks,
    /// The jobs that are under way, and the asks that have gathered for the next.
    Jobs,
}

/// Why a processor cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Some campaigns are not valid.
    #[error(transparent)]
    Campaigns(#[from] InvalidCampaigns),
    /// The campaigns could not be taken over.
    #[error("campaigns")]
    Held(#[source] NotLoaded),
    /// Which campaigns hold could not be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A campaign's model has no quota.
    #[error(transparent)]
    Quota(#[from] NoQuota),
}

/// The models that campaigns ask.
pub fn models(campaigns: &[Arc<CompiledCampaign>]) -> impl Iterator<Item = &str> {
    campaigns.iter().map(|each| each.campaign.config.model_id.as_str())
}

fn guardrails(campaigns: &[Arc<CompiledCampaign>]) -> impl Iterator<Item = &str> {
    let guardrails = campaigns.iter().filter_map(|each| each.campaign.config.guardrail.as_ref());
    guardrails.map(|guardrail| guardrail.id.as_str())
}

/// What an invocation did.
#[derive(Debug, Default)]
pub struct Report {
    /// The records that Kinesis must deliver again.
    pub response: KinesisEventResponse,
    /// What was counted.
    pub counts: Counts,
    /// Number of the publication of campaigns that it saw.
    pub publication: u64,
    /// Why something goes back, of several reasons the last.
    pub returned_for: Option<String>,
}

/// Events for which a condition could not be evaluated: campaign and place.
pub(crate) type Unevaluated = Vec<(String, usize)>;

impl Processor {
    /// Works for these campaigns; asks at most so many `questions` at a time.
    pub fn new(
        campaigns: Arc<Current<Held>>,
        ports: Ports,
        questions: usize,
        (clock, jitter): (Clock, Jitter),
    ) -> Self {
        let Ports { model, quotas, table, items, coordination, dead_letters, asks, jobs } = ports;
        let marks = Arc::clone(&coordination);
        let reader = Reader { table, items, coordination: Arc::clone(&coordination), clock };
        let letters = Letters { queue: dead_letters, marks, clock, publication: 0 };
        let outbox = Outbox::new(Arc::clone(&asks));
        let writer = Writer { reader, letters, outbox, standing: Arc::default() };
        let answers = Answers::new(model, quotas, coordination, questions, (clock, jitter));
        let schedule = jobs.as_ref().map(|jobs| jobs.schedule);
        let answers = Arc::new(answers.with_jobs(schedule));
        let jobs = jobs.map(|jobs| jobs.service);
        let tools = Tools { answers, writer };
        Self { campaigns, tools, asks, questions, takes: AtomicUsize::new(1), jobs }
    }

    /// Builds the clients and compiles the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, NotReady> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let environment = program::aws::environment().load().await;
        let config = environment.clone().into_builder().timeout_config(timeouts.build()).build();
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
        let registry = settings.registry.open(&config);
        let deployed: BTreeSet<String> = settings.ask_queues.models().map(str::to_owned).collect();
        let own = Held::read(&settings.campaigns_dir)?;
        let models: BTreeSet<String> =
            models(&own.campaigns).map(str::to_owned).chain(deployed).collect();
        let quotas =
            Quotas::new(&settings.model_quotas, models.iter().map(String::as_str), &instance)?;
        let guardrails = guardrails(&own.campaigns).map(str::to_owned);
        let guardrails = settings.guardrails.0.iter().cloned().chain(guardrails).collect();
        let has_jobs = settings.jobs.is_some();
        let access = Access { models: Some(models), guardrails: Some(guardrails), has_jobs };
        let load = Box::new(move |folder: &Path| Held::with_access(folder, &access));
        let follow = settings.registry.follow;
        let campaigns = Current::new(&settings.campaigns_dir, load, registry, follow);
        let campaigns = campaigns.map_err(NotReady::Held)?;
        // What was replaced must not be asked for once more.
        campaigns.begin().await?;
        let catalogs =
            catalog::table::DynamoDb::new(dynamodb.clone(), settings.catalog_table.clone());
        let content = DynamoDb::new(dynamodb, settings.content_table.clone());
        let ports = Ports {
            items: CachedItems::new(Arc::new(catalogs), DEFAULT_MAX_BYTES),
            model: Arc::new(Bedrock::new(&config)),
            quotas,
            table: Arc::new(content.writing(settings.content_form)),
            coordination: Arc::new(coordination),
            dead_letters: Arc::new(Sqs::new(sqs.clone(), queue_url)),
            asks: Arc::new(asks::Sqs::new(sqs, settings.ask_queues.clone())),
            jobs: settings.jobs.as_ref().map(|place| {
                let place = (place.bucket.clone(), place.role_arn.clone());
                let service = Arc::new(jobs::Bedrock::from_config(&environment, place));
                Jobs { service, schedule: Schedule::default() }
            }),
        };
        let questions = settings.max_concurrent_generations.get() as usize;
        Ok(Self::new(Arc::new(campaigns), ports, questions, (Clock::System, Jitter::default())))
    }

    /// What questions wait for just now, with how many there are of each: for a person who
    /// watches. It can quote the service, and is for no log.
    pub fn waits(&self) -> BTreeMap<String, usize> {
        self.tools.answers.waits()
    }

    /// Does what an invocation is for.
    pub async fn invoke(&self, invocation: Invocation, deadline: SystemTime) -> Report {
        let Invocation { source, records } = invocation;
        let began = Instant::now();
        let mut report = match source {
            Some(Source::Asks) => self.work(deadline).await,
            Some(Source::Jobs) => self.work_on_jobs(deadline).await,
            None => {
                let mut batch = KinesisEvent::default();
                batch.records = records;
                self.handle(batch, deadline).await
            }
        };
        report.counts.took(metrics::BATCH_TIME, began.elapsed());
        report
    }

    /// What holds of the campaigns from now on, for one invocation: it sees one version.
    async fn now(&self) -> (Arc<Held>, Tools) {
        let edition = self.campaigns.now().await;
        let mut tools = self.tools.clone();
        tools.writer.standing = Arc::new(Standing::of(&edition));
        tools.writer.letters.publication = edition.publication;
        (Arc::clone(&edition.campaigns), tools)
    }

    /// Processes a batch; never fails as a whole.
    pub async fn handle(&self, delivery: KinesisEvent, deadline: SystemTime) -> Report {
        let (held, tools) = self.now().await;
        let Tools { answers, writer } = &tools;
        let deadline = Deadline::new(&writer.reader.clock, deadline);
        let publication = writer.standing.publication;
        let mut report = Report { publication, ..Report::default() };
        self.campaigns.count(&mut report.counts);
        let batch = Arc::new(Batch::decode(delivery));
        if batch.has_rest() {
            report.returned_for = Some(REST.to_owned());
        }
        let mut fates = Fates::of(&batch);

        let table = Arc::clone(&writer.reader.table);
        let deletions = Deletions { table, clock: writer.reader.clock };
        deletions.apply(&batch, &mut fates, deadline, &mut report).await;
        let (table, wanted) = (Arc::clone(&writer.reader.table), &held.attributes);
        let updates = Updates { table, clock: writer.reader.clock, wanted };
        updates.apply(&batch, &mut fates, deadline, &mut report).await;
        let mut unevaluated = Unevaluated::new();
        let suspect = Suspects { tools: &tools, campaigns: &held.campaigns, batch: &batch };
        if suspect.has_ended_nobody().await {
            let counted = (&mut report.counts, &mut unevaluated);
            let units = units(&held.campaigns, &batch, &mut fates, counted);
            let stages = Stages::of_events(tools.clone(), Arc::clone(&batch), units, deadline);
            let answering = stages.run(|done| report.take(done, &mut fates)).await;
            report.counts.merge(&answering);
            suspect.ended().await;
        } else {
            suspect.go_through(&mut fates, (&mut report, &mut unevaluated), deadline).await;
        }

        self.bury_poison(&batch, &mut fates, deadline, &mut report).await;
        answers.say_refusals();
        report.counts.add(metrics::QUOTA_TABLE_CALLS, answers.count_table_calls());
        fates.count(&batch, &mut report.counts);
        report.response = fates.response(&batch);
        // Those that come again are counted when they come for the last time.
        for (campaign, place) in unevaluated {
            if fates.is_final(&batch, place) {
                let mut failed = Counts::default();
                failed.add(metrics::CONDITIONS_FAILED, 1);
                report.counts.merge(&failed.of(&campaign));
            }
        }
        if let Some(reason) = &report.returned_for {
            let records = report.response.batch_item_failures.len();
            tracing::warn!(records, reason, "records go back");
        }
        report
    }

    /// Takes asks up whose time has come, as long as there are any that can be answered, and
    /// time. Of a model whose quota is used up none is taken.
    pub async fn work(&self, deadline: SystemTime) -> Report {
        let (held, tools) = self.now().await;
        let Tools { answers, writer } = &tools;
        let deadline = Deadline::new(&writer.reader.clock, deadline);
        let measures = (self.questions, &self.takes);
        let worker = Worker::new(&held.campaigns, &tools, &self.asks, measures);
        let mut report = worker.work(deadline).await;
        report.publication = writer.standing.publication;
        self.campaigns.count(&mut report.counts);
        answers.say_refusals();
        let asks = report.counts.get(AskFate::Returned.metric());
        if let Some(reason) = &report.returned_for {
            tracing::warn!(asks, reason, "asks go back");
        }
        report.counts.add(metrics::QUOTA_TABLE_CALLS, answers.count_table_calls());
        report
    }

    /// Takes in what jobs answered, and makes jobs of the asks that have gathered.
    pub async fn work_on_jobs(&self, deadline: SystemTime) -> Report {
        let (held, tools) = self.now().await;
        let writer = &tools.writer;
        let deadline = Deadline::new(&writer.reader.clock, deadline);
        let mut report = Report { publication: writer.standing.publication, ..Report::default() };
        self.campaigns.count(&mut report.counts);
        let Some(service) = self.jobs.as_deref() else { return report };
        let campaigns = held.campaigns.iter().map(|each| (each.campaign.name.as_str(), each));
        let following = Following { service, tools: &tools, campaigns: campaigns.collect() };
        following.look(deadline, &mut report.counts).await;
        tools.answers.say_refusals();
        let name = tools.answers.name();
        if !self.may_gather(&tools, &name, deadline).await {
            return report;
        }
        let mut is_more = true;
        while is_more && !deadline.is_over() {
            let gathering = Arc::new(Gathering::new(tools.answers.name()));
            let measures = (self.questions, &self.takes);
            let worker = Worker::new(&held.campaigns, &tools, &self.asks, measures);
            let (gathered, is_left) = worker.gather(&gathering, service, deadline).await;
            report.merge(gathered);
            is_more = is_left;
        }
        let coordination = &writer.reader.coordination;
        let ended = coordination.release(GATHERS, &name, &Failures::default(), 0).await;
        if let Err(error) = ended {
            tracing::debug!(error = causes::told(&error), "lease ends by itself");
        }
        report
    }

    /// Whether nobody else gathers just now: asks that come together are not to be parted.
    async fn may_gather(&self, tools: &Tools, name: &str, deadline: Deadline) -> bool {
        let lease = Lease {
            owner: name.to_owned(),
            now_ms: tools.writer.reader.clock.now_ms(),
            until_ms: deadline.over_at_ms,
            retry_given_up_before_ms: 0,
        };
        match tools.writer.reader.coordination.lease(GATHERS, &lease).await {
            Ok(LeaseReply::Ours(_)) => true,
            Ok(LeaseReply::Taken(_)) => false,
            Err(error) => {
                tracing::warn!(error = causes::told(&error), "asks gather on");
                false
            }
        }
    }

    /// Until when a model is not asked at all, in UNIX milliseconds, as far as this instance
    /// knows: its asks wait.
    pub fn closed_until_ms(&self, model_id: &str) -> Option<u64> {
        self.tools.answers.closed_until_ms(model_id)
    }

    /// Writes the dead letters of what cannot be decoded, after everything else: a queue
    /// that is ill must not take the time of records that are well. After its first
    /// failure the rest goes back without being tried.
    async fn bury_poison(
        &self,
        batch: &Batch,
        fates: &mut Fates,
        deadline: Deadline,
        report: &mut Report,
    ) {
        let mut is_taken = true;
        for (place, poison) in batch.poison.iter().enumerate() {
            if is_taken && !deadline.is_over() {
                let letters = &self.tools.writer.letters;
                let buried = letters.bury_once(&poison.name, &poison.letter, &mut report.counts);
                is_taken = deadline.before_the_answer(buried).await.unwrap_or(false);
            } else {
                is_taken = false;
            }
            if !is_taken {
                fates.return_poison(batch, place);
                report.returned_for = Some(NO_LETTER.to_owned());
            }
        }
    }
}

impl Report {
    /// What the line about the invocation says beside its counters.
    pub fn remarks(&self) -> Remarks {
        let mut remarks = vec![("publication", self.publication.to_string())];
        remarks.extend(self.returned_for.clone().map(|reason| ("returned_for", reason)));
        remarks
    }

    /// Adds what another did.
    pub(crate) fn merge(&mut self, other: Self) {
        let Self { response, counts, publication: _, returned_for } = other;
        self.response.batch_item_failures.extend(response.batch_item_failures);
        self.counts.merge(&counts);
        self.returned_for = returned_for.or(self.returned_for.take());
    }

    /// Adds what a unit of events came to.
    pub(crate) fn take(&mut self, (places, outcome): Done, fates: &mut Fates) {
        let Outcome { fated, counts, returned_for, .. } = outcome;
        if let Fated::Events(decided) = fated {
            for (place, fate) in places.iter().flatten().zip(decided) {
                fates.decide(*place, fate);
            }
        }
        self.counts.merge(&counts);
        self.returned_for = returned_for.or(self.returned_for.take());
    }
}

/// The users and campaigns that events of the batch trigger, those of the highest
/// priority first; events that lack what the prompt needs are done with.
fn units(
    campaigns: &[Arc<CompiledCampaign>],
    batch: &Batch,
    fates: &mut Fates,
    (counts, unevaluated): (&mut Counts, &mut Unevaluated),
) -> Vec<Turn> {
    let mut campaigns: Vec<&Arc<CompiledCampaign>> = campaigns.iter().collect();
    campaigns.sort_by_key(|each| std::cmp::Reverse(each.campaign.config.priority));
    let mut units = Vec::new();
    for campaign in campaigns {
        for (user, each) in batch.users.iter().enumerate() {
            if fates.is_returned(user) {
                continue;
            }
            let id = units.len();
            units.extend(turn(id, campaign, (batch, each), fates, (counts, unevaluated)));
        }
    }
    units
}

/// A user's turn in a campaign, if any of their events means something to it; those that lack
/// what the prompt needs are done with.
pub(crate) fn turn(
    id: usize,
    campaign: &Arc<CompiledCampaign>,
    (batch, user): (&Batch, &User),
    fates: &mut Fates,
    (counts, unevaluated): (&mut Counts, &mut Unevaluated),
) -> Option<Turn> {
    let mut places = Vec::new();
    for &place in &user.events {
        let role = role(campaign, batch, place, unevaluated);
        if role.triggers && lacks(campaign, batch, place, counts) {
            fates.decide(place, Fate::Incomplete);
        } else if !role.is_none() {
            places.push((place, role));
        }
    }
    if places.is_empty() {
        return None;
    }
    let key = Key { user_id: user.id.clone(), campaign: campaign.campaign.name.clone() };
    Some(Turn { id, campaign: Arc::clone(campaign), key, wanted: Wanted::Events(places) })
}

/// What an event is to a campaign.
fn role(
    campaign: &CompiledCampaign,
    batch: &Batch,
    place: usize,
    unevaluated: &mut Unevaluated,
) -> Role {
    let received = &batch.events[place];
    let (event_type, event) = (&received.event_type, &received.event);
    let mut failed = false;
    let mut holds = |condition: &dyn Fn() -> Result<bool, NotEvaluated>| {
        match catch_unwind(AssertUnwindSafe(condition)) {
            Ok(Ok(holds)) => return holds,
            Ok(Err(error)) => tracing::debug!(%error, "condition counts as not met"),
            Err(_) => tracing::debug!("condition that panics counts as not met"),
        }
        failed = true;
        false
    };
    let role = Role {
        triggers: holds(&|| campaign.is_triggered_by(event_type, event)),
        ends: holds(&|| campaign.ends(event_type, event)),
        retracts: holds(&|| campaign.retracts(event_type, event)),
    };
    if failed {
        unevaluated.push((campaign.campaign.name.clone(), place));
    }
    role
}

/// Whether an event lacks what the campaign's prompt needs.
fn lacks(campaign: &CompiledCampaign, batch: &Batch, place: usize, counts: &mut Counts) -> bool {
    let received = &batch.events[place];
    let allowed = &campaign.campaign.config.fields;
    let (event, cut) = Past::of(&received.event_type, &received.event, allowed);
    counts.add(metrics::VALUES_CUT, cut);
    !campaign.lacks(&event).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_that_starts_a_worker_and_a_batch_of_lambda_are_told_apart() {
        let asks = include_str!("../../contract/golden/asks-event.json");
        let asks: Invocation = serde_json::from_str(asks).expect("is one");
        let jobs = include_str!("../../contract/golden/jobs-event.json");
        let jobs: Invocation = serde_json::from_str(jobs).expect("is one");
        assert_eq!(jobs.source, Some(Source::Jobs));
        // As AWS documents it. <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>
        let batch = r#"{"Records": [{"kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "1",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==", "approximateArrivalTimestamp": 1545084650.987},
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record",
            "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2",
            "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}]}"#;
        let batch: Invocation = serde_json::from_str(batch).expect("is one");

        assert_eq!(asks.source, Some(Source::Asks));
        assert_eq!((batch.source, batch.records.len()), (None, 1));
        assert_eq!(batch.records[0].kinesis.data.0, b"Hello, this is a test.");
        assert!(serde_json::from_str::<Invocation>(r#"{"source": "aws.events"}"#).is_err());
    }
}
