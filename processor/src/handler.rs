//! One invocation: a Kinesis batch in, the sequence numbers to deliver again out.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::BehaviorVersion;
use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::KinesisEventResponse;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use contract::campaign::InvalidCampaigns;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts, Fate};
use contract::user_record::Event;
use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::answer;
use crate::batch::Batch;
use crate::campaign::{BadCampaign, Compiled};
use crate::dead_letters::DeadLetters;
use crate::eligibility::{self, Stored};
use crate::model::{self, Action, Answer, Bedrock, ModelError};
use crate::prompt::BadTemplate;
use crate::quota::{Limiter, NotAdmitted};
use crate::settings::Settings;
use crate::store::{self, Content, Key, Store, Written};

/// Event types that remove a user: a request to forget, and a merge into another.
const DELETIONS: [&str; 2] = ["users.UserDeleteRequest", "users.UserOrphan"];

/// Time kept back before the invocation's deadline to store and to answer.
const DEADLINE_MARGIN: Duration = Duration::from_secs(3);

/// Attempts at one generation within an invocation; more are Kinesis' business.
const MAX_ATTEMPTS: u32 = 4;

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

/// One generation to make: a user, a campaign, and the event that asks for it.
struct Unit<'a> {
    campaign: &'a Compiled,
    key: Key,
    trigger: usize,
    /// The rendered prompt; fails only on a filter that some value upsets, because
    /// every template was rendered once when it was compiled.
    prompt: Result<String, BadTemplate>,
}

/// What a unit came to.
struct Outcome {
    trigger: usize,
    fate: Fate,
    counts: Counts,
    freshness: Option<Duration>,
}

impl Processor {
    /// Builds the clients and compiles the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, StartError> {
        let campaigns = compile(contract::campaign::load(&settings.campaigns_dir)?)?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
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

    async fn delete_user(&self, user_id: &str, deleted_at: i64) -> Result<(), store::StoreError> {
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

    /// Makes one generation, from the quota to the table.
    async fn work(&self, unit: &Unit<'_>, batch: &Batch, deadline: Instant) -> Outcome {
        let mut counts = Counts::default();
        let received = &batch.events[unit.trigger];
        let generated = match &unit.prompt {
            Ok(prompt) => {
                let answer = self.generate(unit.campaign, prompt, deadline, &mut counts).await;
                answer.map(|answer| (prompt, answer))
            }
            Err(error) => {
                let detail = error.to_string();
                Err(Failure::GiveUp { reason: "prompt_does_not_render", detail })
            }
        };
        let fate = match generated {
            Ok((prompt, answer)) => {
                self.store_answer(unit, batch, prompt, answer, &mut counts).await
            }
            Err(Failure::GiveBack(reason)) => {
                tracing::debug!(reason, "unit goes back");
                Fate::Returned
            }
            Err(Failure::GiveUp { reason, detail }) => {
                self.bury(unit, batch, reason, detail, &mut counts).await
            }
        };
        let freshness = (fate == Fate::Stored)
            .then(|| since(UNIX_EPOCH + Duration::from_millis(received.uploaded_at_ms)));
        Outcome { trigger: unit.trigger, fate, counts, freshness }
    }

    async fn generate(
        &self,
        campaign: &Compiled,
        prompt: &str,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<Answer, Failure> {
        let input_tokens = model::estimated_input_tokens(campaign, prompt);
        let worst_case = self.limiter.worst_case(input_tokens, campaign.campaign.config.max_tokens);
        for _ in 0..MAX_ATTEMPTS {
            let reservation = self.limiter.reserve(worst_case, deadline).await?;
            let call = self.model.generate(campaign, prompt);
            let Ok(answered) = timeout_at(deadline, call).await else {
                return Err(Failure::GiveBack("out of time".to_owned()));
            };
            let settle = |usage: model::Usage| {
                reservation
                    .settle(self.limiter.settlement(usage.input_tokens, usage.output_tokens));
            };
            match answered {
                Ok(answer) => {
                    self.limiter.admitted();
                    settle(answer.usage);
                    count_usage(counts, answer.usage);
                    return Ok(answer);
                }
                Err(ModelError::Throttled) => {
                    counts.add(metrics::THROTTLES, 1);
                    self.limiter.throttled();
                    // A call that was refused is not charged.
                    settle(model::Usage::default());
                }
                Err(ModelError::Stopped { stop_reason, usage }) => {
                    settle(usage);
                    count_usage(counts, usage);
                    let detail = format!("model stopped with \"{stop_reason}\"");
                    return Err(Failure::GiveUp { reason: "unusable_answer", detail });
                }
                Err(error) => match error.action() {
                    Action::Retry => tracing::debug!(%error, "model call failed"),
                    Action::GiveBack => return Err(Failure::GiveBack(error.to_string())),
                    Action::GiveUp => {
                        let detail = error.to_string();
                        return Err(Failure::GiveUp { reason: "refused_request", detail });
                    }
                },
            }
        }
        Err(Failure::GiveBack(format!("no answer in {MAX_ATTEMPTS} attempts")))
    }

    async fn store_answer(
        &self,
        unit: &Unit<'_>,
        batch: &Batch,
        prompt: &str,
        answer: Answer,
        counts: &mut Counts,
    ) -> Fate {
        let data = match answer::accept(&answer.text, &unit.campaign.validator) {
            Ok(data) => data,
            Err(error) => {
                return self.bury(unit, batch, "bad_answer", error.to_string(), counts).await;
            }
        };
        let event = &batch.events[unit.trigger].event;
        let config = &unit.campaign.campaign.config;
        let now = unix_secs();
        let content = Content {
            data,
            event_id: event.id.clone(),
            event_time: event.time,
            model_id: config.model_id.clone(),
            prompt_hash: unit.campaign.prompt_hash(prompt),
            input_tokens: answer.usage.input_tokens,
            output_tokens: answer.usage.output_tokens,
            generated_at: now,
            expires_at: now + i64::from(config.ttl_days) * store::DAY_SECS,
        };
        match self.store.put(&unit.key, content).await {
            Ok(Written::Stored) => {
                counts.add(metrics::CONTENTS_STORED, 1);
                Fate::Stored
            }
            Ok(Written::Superseded) => Fate::Stale,
            Err(error) => {
                tracing::warn!(%error, "content goes back");
                Fate::Returned
            }
        }
    }

    async fn bury(
        &self,
        unit: &Unit<'_>,
        batch: &Batch,
        reason: &str,
        detail: String,
        counts: &mut Counts,
    ) -> Fate {
        let input = Input::Unit {
            campaign: unit.key.campaign.clone(),
            user_id: unit.key.user_id.clone(),
            event_id: batch.events[unit.trigger].event.id.clone(),
            sequence_numbers: vec![batch.sequence_number(unit.trigger).to_owned()],
        };
        if self.give_up(&DeadLetter::new(reason, detail, input), counts).await {
            Fate::DeadLettered
        } else {
            Fate::Returned
        }
    }

    /// Queues a dead letter; `false` means that its input must go back instead.
    async fn give_up(&self, letter: &DeadLetter, counts: &mut Counts) -> bool {
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

/// Why a generation came to nothing.
enum Failure {
    GiveBack(String),
    GiveUp { reason: &'static str, detail: String },
}

impl From<NotAdmitted> for Failure {
    fn from(error: NotAdmitted) -> Self {
        match error {
            NotAdmitted::OutOfTime => Self::GiveBack(error.to_string()),
            NotAdmitted::NeverFits { .. } => {
                Self::GiveUp { reason: "never_fits_quota", detail: error.to_string() }
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

fn count_usage(counts: &mut Counts, usage: model::Usage) {
    counts.add(metrics::GENERATIONS, 1);
    counts.add(metrics::INPUT_TOKENS, usage.input_tokens);
    counts.add(metrics::OUTPUT_TOKENS, usage.output_tokens);
}

fn unix_secs() -> i64 {
    i64::try_from(since(UNIX_EPOCH).as_secs()).unwrap_or(i64::MAX)
}

fn since(then: SystemTime) -> Duration {
    SystemTime::now().duration_since(then).unwrap_or_default()
}
