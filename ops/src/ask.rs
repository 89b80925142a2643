//! Asks for content by hand: to fill a new campaign for users whose events came before it, to
//! write content anew after a change, to have it ready before a send.
//!
//! ```text
//! users | all | events -> look (state, the processor's decision) -> survey -> yes? -> send
//! ```
//!
//! Guarantees: whoever would get nothing is not asked for; an ask that is sent twice is answered
//! once, so a run that ends early is simply begun again. An ask needs what is remembered of a
//! user; where events are named it takes that from files, and writes it first as the processor
//! does.
//!
//! - `users`, `events` — whom somebody names.
//! - `look` — what a user's ask would come to, by the processor's own rules.
//! - `survey` — what all of them come to, and cost.
//! - `send` — puts asks on their queues, no faster than is said.
//! - `folder` — the same for a folder that a run of `local` kept.

mod events;
mod folder;
mod look;
mod send;
mod survey;
mod users;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use campaign::CompiledCampaign;
use contract::ask::Ask;
use processor::asks;
use processor::coordination::{Coordination, SharedTable};
use processor::eligibility::Candidate;
use processor::store::{ContentTable as _, DynamoDb, Key};
use registry::head::Head;
use tokio::time::{Duration, Instant, sleep_until};

use crate::arguments::{Ask as Arguments, NO_QUEUES, Sending, Since};
use crate::campaigns::named;
use crate::consent::Consent;
use crate::now_ms;
use crate::output::{answer, say};
use crate::progress::Progress;
use crate::published::{held_campaigns, registry_at};
use look::Look;
use send::{Sender, Wanted};
use survey::Survey;

/// Users who are looked up at once: as many as the processor does of a batch.
const LOOKED_UP: usize = 200;

/// Shortest time from one page of the table to the next: of a table with much in it, a page is a
/// megabyte, and somebody else needs it meanwhile.
const PAGE_INTERVAL: Duration = Duration::from_millis(100);

/// Whom content is asked for.
pub(crate) enum Whom {
    /// These.
    Named(Vec<String>),
    /// Everybody of whom something is remembered.
    Everybody,
    /// Those who did something, with what they did.
    Events(BTreeMap<String, Vec<Candidate>>),
}

/// Where a deployment is reached.
#[derive(Debug)]
pub struct Account {
    /// Has the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Has the queues.
    pub sqs: aws_sdk_sqs::Client,
}

/// What is asked for.
pub(crate) struct Order<'o> {
    /// For which campaign.
    pub(crate) campaign: &'o Arc<CompiledCampaign>,
    /// Whether content that is there is written anew.
    pub(crate) regenerate: bool,
    /// Since when users must have done something.
    pub(crate) seen_since: Option<Since>,
    /// How asks are sent.
    pub(crate) sending: &'o Sending,
    /// The content table.
    pub(crate) table: String,
    /// The coordination table, which has the answers that are kept.
    pub(crate) coordination_table: Option<String>,
    /// Whether it is wanted.
    pub(crate) consent: Consent,
}

/// Asks for content.
pub async fn ask(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let is_everybody = arguments.all || arguments.seen_since.is_some();
    if arguments.users.is_none() && arguments.events.is_none() && !is_everybody {
        bail!("say of whom: --users FILE, --all, --seen-since TIME or --events FILES");
    }
    if let Some(folder) = &arguments.data {
        let campaigns = campaign::load(&arguments.campaigns)?;
        let campaign = named(&campaigns, &arguments.campaign)?;
        return folder::set_aside(folder, (arguments, whom(arguments, campaign)?), now_ms());
    }
    table(arguments)?;
    arguments.sending.urls(arguments.consent)?;
    let config = program::aws::account(program::aws::environment()).await?;
    let (campaigns, head) = held(arguments, &config).await?;
    let campaign = named(&campaigns, &arguments.campaign)?;
    tell_pause(&head, &arguments.campaign);
    let (dynamodb, sqs) =
        (aws_sdk_dynamodb::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    ask_in(&Account { dynamodb, sqs }, arguments, campaign).await
}

/// The campaigns that hold for the deployment.
async fn held(
    arguments: &Arguments,
    config: &SdkConfig,
) -> anyhow::Result<(Vec<Arc<CompiledCampaign>>, Head)> {
    let place = arguments.campaigns_bucket.clone().zip(arguments.coordination_table.clone());
    match place.filter(|(bucket, table)| !bucket.is_empty() && !table.is_empty()) {
        Some((bucket, table)) => {
            held_campaigns(&registry_at(config, table, bucket), &arguments.campaigns).await
        }
        None => Ok((campaign::load(&arguments.campaigns)?, Head::default())),
    }
}

/// Says so where asks will wait.
pub(crate) fn tell_pause(head: &Head, campaign: &str) {
    if head.is_paused(campaign) {
        say(format_args!("{campaign} is paused: asks wait until it is resumed."));
    }
}

/// Asks for content in a deployment.
pub async fn ask_in(
    account: &Account,
    arguments: &Arguments,
    campaign: &Arc<CompiledCampaign>,
) -> anyhow::Result<ExitCode> {
    let order = Order {
        campaign,
        regenerate: arguments.regenerate,
        seen_since: arguments.seen_since,
        sending: &arguments.sending,
        table: table(arguments)?,
        coordination_table: arguments.coordination_table.clone(),
        consent: arguments.consent,
    };
    carry_out(account, &order, whom(arguments, campaign)?).await
}

/// Looks at all who are meant, says what it comes to, and asks for their content if that is wanted.
pub(crate) async fn carry_out(
    account: &Account,
    order: &Order<'_>,
    whom: Whom,
) -> anyhow::Result<ExitCode> {
    let Order { campaign, sending, consent, .. } = order;
    let queues = sending.urls(*consent)?;
    let table = DynamoDb::new(account.dynamodb.clone(), order.table.clone());
    let look = Look::new(campaign, order.regenerate, order.seen_since, now_ms());
    let cache = order.coordination_table.clone().map(|table| {
        Arc::new(SharedTable::new(account.dynamodb.clone(), table)) as Arc<dyn Coordination>
    });
    let config = &campaign.campaign.config;
    let of_campaign = Ask::by_hand(String::new(), campaign.campaign.name.clone(), now_ms());
    let (queue, _) = asks::place(&of_campaign, config, 0);
    if queues.as_ref().is_some_and(|queues| queues.url(&queue).is_none()) {
        bail!("--queues has none of the model {}: deploy the campaign first", config.model_id);
    }
    let mut survey = Survey::new(campaign, sending.quotas()?.as_ref(), cache);
    let wanted = survey_all(&table, &look, whom, &mut survey).await?;
    say(&survey);
    let told = |sent: u64| {
        let mut all = survey.to_json();
        all["sent"] = sent.into();
        answer(all);
    };
    told(0);
    if wanted.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(ended) = consent.ends(&format!("Send {} asks? [{}]", wanted.len(), order.table))? {
        return Ok(ended);
    }
    let queues = queues.context(NO_QUEUES)?;
    let queue = asks::Sqs::new(account.sqs.clone(), queues);
    let sender = Sender::new(&table, &queue, &look, sending.rate);
    let sent = tokio::select! {
        sent = sender.send(wanted) => sent,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped")),
    };
    let n = sender.sent();
    told(n);
    sent.with_context(|| {
        format!("{n} asks were sent; begin again: who has content by then is left out")
    })?;
    say(format_args!("Sent {n} asks. The processor's worker takes them up within a minute."));
    Ok(ExitCode::SUCCESS)
}

fn table(arguments: &Arguments) -> anyhow::Result<String> {
    let table = arguments.table.clone().filter(|name| !name.is_empty());
    table.context("--table is missing: name the content table, or a folder (--data)")
}

fn whom(arguments: &Arguments, campaign: &Arc<CompiledCampaign>) -> anyhow::Result<Whom> {
    if let Some(file) = &arguments.users {
        return Ok(Whom::Named(users::read(file)?));
    }
    match &arguments.events {
        Some(events) => Ok(Whom::Events(events::read(events, campaign)?)),
        None => Ok(Whom::Everybody),
    }
}

/// Looks at everybody, and returns those who are to be asked for.
async fn survey_all(
    table: &DynamoDb,
    look: &Look<'_>,
    whom: Whom,
    survey: &mut Survey,
) -> anyhow::Result<Vec<Wanted>> {
    let mut progress = Progress::default();
    let mut wanted = Vec::new();
    let (users, mut fresh) = match whom {
        Whom::Everybody => {
            let mut from = None;
            loop {
                let next = Instant::now() + PAGE_INTERVAL;
                let page = table.page(look.name(), from).await.context("reading the table")?;
                for (key, state) in page.items {
                    let seen = look.at(&key.user_id, &[], &state);
                    survey.take(&seen);
                    wanted.extend(seen.ask().map(|ask| Wanted { ask, fresh: Vec::new() }));
                }
                survey.settle().await;
                progress.tell("looked at", survey.looked_at());
                from = page.next;
                if from.is_none() {
                    return Ok(wanted);
                }
                sleep_until(next).await;
            }
        }
        Whom::Named(users) => (users, BTreeMap::new()),
        Whom::Events(fresh) => (fresh.keys().cloned().collect(), fresh),
    };
    for users in users.chunks(LOOKED_UP) {
        let key = |user: &String| Key { user_id: user.clone(), campaign: look.name().to_owned() };
        let keys: Vec<Key> = users.iter().map(key).collect();
        let mut states = table.load(&keys).await.context("reading the table")?;
        for key in keys {
            let state = states.remove(&key).unwrap_or_default();
            let fresh = fresh.remove(&key.user_id).unwrap_or_default();
            let seen = look.at(&key.user_id, &fresh, &state);
            survey.take(&seen);
            wanted.extend(seen.ask().map(|ask| Wanted { ask, fresh }));
        }
        survey.settle().await;
        progress.tell("looked at", survey.looked_at());
    }
    Ok(wanted)
}
