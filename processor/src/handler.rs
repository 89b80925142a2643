//! One invocation: a Kinesis batch in, the sequence numbers to deliver again out.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::KinesisEventResponse;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use contract::campaign::InvalidCampaigns;
use contract::dead_letter::DeadLetter;
use contract::metrics::{self, Counts, Fate};
use contract::user_record::Event;
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::batch::Batch;
use crate::campaign::{BadCampaign, Compiled};
use crate::dead_letters::DeadLetters;
use crate::eligibility::{self, Stored};
use crate::generation::{Outcome, Unit, unix_secs};
use crate::model::Bedrock;
use crate::quota::Limiter;
use crate::settings::Settings;
use crate::store::{Key, Store, StoreError};

/// Event types that remove a user: a request to forget, and a merge into another.
const DELETIONS: [&str; 2] = ["users.UserDeleteRequest", "users.UserOrphan"];

/// Time kept back before the invocation's deadline: one call that takes its longest,
/// and the answer.
const DEADLINE_MARGIN: Duration = OPERATION_TIMEOUT.saturating_add(Duration::from_secs(2));

/// Longest single attempt at a call of DynamoDB or SQS, which answer in milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest call, the SDK's own retries included; the SDK by itself sets no limit.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Everything an invocation needs, built once per instance.
#[derive(Debug)]
pub struct Processor {
    /// Campaigns, in the order of their names.
    pub campaigns: Vec<Compiled>,
    /// The text model.
    pub model: Bedrock,
    /// Its quota.
    pub limiter: Limiter,
    /// The content table.
    pub store: Store,
    /// Keeps what could not be processed.
    pub dead_letters: DeadLetters,
    /// Most calls of the model at a time.
    pub max_concurrent_generations: usize,
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
}

/// The processor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A campaign's folder cannot be read.
    #[error(transparent)]
    Unreadable(#[from] InvalidCampaigns),
    /// A campaign's files do not fit together.
    #[error(transparent)]
    Unusable(#[from] BadCampaign),
}

impl Processor {
    /// Builds the clients and compiles the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, StartError> {
        let campaigns = compile(contract::campaign::load(&settings.campaigns_dir)?)?;
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
        Ok(Self {
            campaigns,
            model: Bedrock::new(&config),
            limiter: Limiter::new(settings.quota),
            store: Store::new(dynamodb, settings.content_table.clone()),
            dead_letters: DeadLetters::new(sqs, settings.dead_letter_queue_url.clone()),
            max_concurrent_generations: settings.max_concurrent_generations.get() as usize,
        })
    }

    /// Processes a batch; never fails as a whole.
    pub async fn handle(&self, delivery: KinesisEvent, deadline: SystemTime) -> Report {
        let remaining = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + remaining.saturating_sub(DEADLINE_MARGIN);
        let mut report = Report::default();
        let mut batch = Batch::decode(delivery);

        self.bury_poison(&mut batch, &mut report.counts).await;
        self.delete_users(&mut batch, &mut report.counts).await;
        let triggers = self.triggers(&mut batch);
        let units = self.eligible_units(&mut batch, triggers).await;
        let work: Vec<_> = units.iter().map(|unit| self.work(unit, &batch, deadline)).collect();
        let outcomes: Vec<Outcome> =
            stream::iter(work).buffer_unordered(self.max_concurrent_generations).collect().await;
        for outcome in outcomes {
            batch.decide(outcome.trigger, outcome.fate);
            report.counts.merge(&outcome.counts);
            report.freshness.extend(outcome.freshness);
        }

        batch.count(&mut report.counts);
        report.response = batch.response();
        report
    }

    async fn bury_poison(&self, batch: &mut Batch, counts: &mut Counts) {
        for place in 0..batch.poison.len() {
            if !self.give_up(&batch.poison[place].letter, counts).await {
                batch.return_poison(place);
            }
        }
    }

    /// Applies deletions before anything else, so that what comes after sees them.
    async fn delete_users(&self, batch: &mut Batch, counts: &mut Counts) {
        for user in 0..batch.users.len() {
            let is_deletion =
                |place: &usize| DELETIONS.contains(&batch.events[*place].event_type.as_str());
            let places: Vec<usize> =
                batch.users[user].events.iter().copied().filter(is_deletion).collect();
            let Some(deleted_at) = places.iter().map(|&p| batch.events[p].event.time).max() else {
                continue;
            };
            let user_id = batch.users[user].id.clone();
            let fate = match self.delete_user(&user_id, deleted_at).await {
                Ok(()) => Fate::Deletion,
                Err(error) => {
                    tracing::warn!(%error, "user was not deleted");
                    Fate::Returned
                }
            };
            counts.add(metrics::USERS_DELETED, u64::from(fate == Fate::Deletion));
            for place in places {
                batch.decide(place, fate);
            }
        }
    }

    async fn delete_user(&self, user_id: &str, deleted_at: i64) -> Result<(), StoreError> {
        for compiled in &self.campaigns {
            let key = Key { user_id: user_id.to_owned(), campaign: compiled.campaign.name.clone() };
            self.store.delete(&key, deleted_at, unix_secs()).await?;
        }
        Ok(())
    }

    /// Finds each user's newest triggering event per campaign; older ones are coalesced.
    fn triggers<'a>(&'a self, batch: &mut Batch) -> Vec<(&'a Compiled, Key, Vec<usize>)> {
        let mut triggers = Vec::new();
        for compiled in &self.campaigns {
            let trigger = &compiled.campaign.config.trigger;
            for user in 0..batch.users.len() {
                let matches = |place: &usize| {
                    let received = &batch.events[*place];
                    trigger.matches(&received.event_type, &received.event.fields)
                };
                let mut places: Vec<usize> =
                    batch.users[user].events.iter().copied().filter(matches).collect();
                places.sort_by_key(|&place| {
                    let event = &batch.events[place].event;
                    (event.time, event.id.clone())
                });
                let Some((_, older)) = places.split_last() else { continue };
                for &place in older {
                    batch.decide(place, Fate::Coalesced);
                }
                let user_id = batch.users[user].id.clone();
                let key = Key { user_id, campaign: compiled.campaign.name.clone() };
                triggers.push((compiled, key, places));
            }
        }
        triggers
    }

    /// Reads the state of all users at once and keeps what asks for a generation.
    async fn eligible_units<'a>(
        &self,
        batch: &mut Batch,
        triggers: Vec<(&'a Compiled, Key, Vec<usize>)>,
    ) -> Vec<Unit<'a>> {
        let keys: Vec<Key> = triggers.iter().map(|(_, key, _)| key.clone()).collect();
        let stored = match self.store.load(&keys).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(%error, "batch goes back");
                for place in triggers.iter().filter_map(|(_, _, places)| places.last()) {
                    batch.decide(*place, Fate::Returned);
                }
                return Vec::new();
            }
        };
        let units = triggers
            .into_iter()
            .filter_map(|(campaign, key, places)| prepare(batch, campaign, key, &places, &stored));
        units.collect()
    }

    /// Queues a dead letter; `false` means that its input must go back instead.
    pub(crate) async fn give_up(&self, letter: &DeadLetter, counts: &mut Counts) -> bool {
        match self.dead_letters.send(letter).await {
            Ok(()) => {
                counts.add(metrics::DEAD_LETTERS, 1);
                true
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "input goes back");
                false
            }
        }
    }
}

/// Compiles all campaigns.
pub fn compile(campaigns: Vec<contract::campaign::Campaign>) -> Result<Vec<Compiled>, BadCampaign> {
    campaigns.into_iter().map(Compiled::new).collect()
}

/// Decides about one user and campaign, and renders the prompt if it is due.
fn prepare<'a>(
    batch: &mut Batch,
    campaign: &'a Compiled,
    key: Key,
    places: &[usize],
    stored: &HashMap<Key, Stored>,
) -> Option<Unit<'a>> {
    let &trigger = places.last()?;
    let skip = eligibility::reason_to_skip(&batch.events[trigger].event, stored.get(&key));
    if let Some(reason) = skip {
        batch.decide(trigger, reason);
        return None;
    }
    let newest = places.len().saturating_sub(campaign.campaign.config.max_events);
    let events: Vec<&Event> =
        places[newest..].iter().map(|&place| &batch.events[place].event).collect();
    Some(Unit { campaign, key, trigger, prompt: campaign.prompt.render(&events) })
}
