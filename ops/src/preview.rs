//! Shows a prompt author what a campaign would do: the prompt, its price, the answer, and
//! the e-mail.
//!
//! Decides, renders, asks and checks with the very code that production uses. It stores
//! nothing, and shares neither quota nor answers with anybody.

mod events;
mod message;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use campaign::{CompiledCampaign, Past, safe_text, wanted_fields};
use contract::metrics::Counts;
use contract::user_record::UserRecord;
use processor::answers::{Answers, Conclusion, Question};
use processor::coordination::Unshared;
use processor::deadline::Deadline;
use processor::eligibility::{Action, Candidate, Rules, State, decide};
use processor::handler::models;
use processor::model::{self, TextModel, estimated_input_tokens};
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::{Instance, ModelQuota, ModelQuotas, Quotas};
use serde_json::{Map, Value};

use crate::arguments::{Bedrock, Preview};
use crate::say;
use shown::{Example, ShowingModel};

/// How long a preview may take: as long as an invocation of the processor.
const PATIENCE: Duration = Duration::from_secs(300);

/// A quota that one call never fills.
const TOKENS_PER_MINUTE: u64 = 1_000_000_000;

/// Shows what a campaign would do for a user.
pub async fn preview(arguments: &Preview) -> anyhow::Result<ExitCode> {
    let campaigns = campaign::load(&arguments.campaigns)?;
    let names = campaigns.iter().map(|each| each.campaign.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    let campaign = campaigns
        .iter()
        .find(|each| each.campaign.name == arguments.campaign)
        .with_context(|| format!("no campaign \"{}\": there is {names}", arguments.campaign))?;
    let wanted = wanted_fields(std::slice::from_ref(campaign));
    let events = events::read(&arguments.events, wanted)?;
    let (user_id, candidates) = choose(campaign, &events, arguments)?;
    let rules = Rules::of(&campaign.campaign.config);
    let decision = decide(&candidates, &State::default(), rules);
    let Action::Generate { trigger, history } = decision.action else {
        bail!("none of the user's events asks for content");
    };
    let rendered = campaign.prompt.preview(&history)?;
    let prompt = rendered.text.clone();
    show_prompt(campaign, &user_id, &candidates[trigger].event, history.len(), &prompt);
    campaign::message::notes(&rendered).iter().for_each(say);
    if arguments.prompt_only {
        return Ok(ExitCode::SUCCESS);
    }
    if safe_text::shows_nothing(&prompt) {
        bail!("the prompt says nothing, and is never sent");
    }

    section(&format!("answer, by {}", writer(&arguments.bedrock)));
    let Some(content) = ask(campaign, prompt, model(&arguments.bedrock).await?).await? else {
        return Ok(ExitCode::FAILURE);
    };
    section("content, as it is stored");
    say(pretty(&Value::Object(content.clone())));
    message::show(arguments, &campaigns, &user_id, &content)?;
    Ok(ExitCode::SUCCESS)
}

/// Who writes the text, for a person.
fn writer(bedrock: &Bedrock) -> String {
    match bedrock {
        Bedrock::Example => "nobody (no model: made-up text)".to_owned(),
        Bedrock::Aws => "Amazon Bedrock".to_owned(),
        Bedrock::At(url) => format!("the stand-in at {url}"),
    }
}

async fn model(bedrock: &Bedrock) -> anyhow::Result<Arc<dyn TextModel>> {
    let config = match bedrock {
        Bedrock::Example => return Ok(Arc::new(Example)),
        Bedrock::Aws => program::aws::account(program::aws::environment()).await?,
        Bedrock::At(url) => program::aws::at(url).await,
    };
    Ok(Arc::new(model::Bedrock::new(&config)))
}

/// Asks as production does, showing every call; `None` if no content comes of it.
async fn ask(
    campaign: &Arc<CompiledCampaign>,
    prompt: String,
    model: Arc<dyn TextModel>,
) -> anyhow::Result<Option<Map<String, Value>>> {
    let clock = Clock::System;
    let instance = Instance {
        table: Arc::new(quota::unshared::UnsharedTable::default()),
        instances: NonZeroU32::MIN,
        clock,
        jitter: Arc::default(),
    };
    let quotas = ModelQuotas::same(ModelQuota::of_tokens(TOKENS_PER_MINUTE));
    let quotas = Quotas::new(&quotas, models(std::slice::from_ref(campaign)), &instance)?;
    let model = Arc::new(ShowingModel { model, price: campaign.campaign.config.price });
    let coordination = Arc::new(Unshared);
    let answers = Answers::new(model, quotas, coordination, 1, (clock, Jitter::default()));
    let hash = campaign.prompt_hash(&prompt);
    let question = Question { prompt, hash, retry_given_up_before_ms: 0 };
    let deadline = Deadline::new(&clock, SystemTime::now() + PATIENCE);
    match answers.answer(campaign, &question, None, deadline, &mut Counts::default()).await {
        Conclusion::Content { data, .. } => Ok(Some(data)),
        Conclusion::GivenUp { reason, detail, .. } => {
            say(format_args!("cannot be used ({reason}): {detail}"));
            say("in production: a dead letter; the fallback content stays");
            Ok(None)
        }
        Conclusion::GiveBack(reason) => bail!("the model gave no answer: {reason}"),
        Conclusion::Blank | Conclusion::OverBudget => bail!("nothing was asked"),
    }
}

fn show_prompt(
    campaign: &CompiledCampaign,
    user_id: &str,
    trigger: &Past,
    events: usize,
    prompt: &str,
) {
    let config = &campaign.campaign.config;
    say(format_args!(
        "user {user_id}, event {} ({}) of second {}, {events} of at most {} events remembered",
        trigger.id, trigger.event_type, trigger.time, config.history
    ));
    section("system");
    say(campaign.system.trim_end());
    section("prompt");
    say(prompt.trim_end());
    section("size");
    let input_tokens = estimated_input_tokens(campaign, prompt, None);
    say(format_args!(
        "about {input_tokens} input tokens (with the schema), at most {} output tokens",
        config.max_tokens
    ));
    say(match config.price {
        Some(price) => {
            let usd = price.usd(input_tokens, u64::from(config.max_tokens));
            format!("at most ${usd:.6} for one, ${:.2} for a million different prompts", usd * 1e6)
        }
        None => "price unknown: add a [price] to campaign.toml".to_owned(),
    });
}

pub(crate) fn section(name: &str) {
    say(format_args!("\n--- {name}"));
}

pub(crate) fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The events of a user that trigger the campaign, oldest first.
fn choose(
    campaign: &Arc<CompiledCampaign>,
    events: &[UserRecord],
    arguments: &Preview,
) -> anyhow::Result<(String, Vec<Candidate>)> {
    let allowed = &campaign.campaign.config.fields;
    let mut by_user: BTreeMap<&str, Vec<Candidate>> = BTreeMap::new();
    let mut types: BTreeSet<&str> = BTreeSet::new();
    let mut skipped = 0;
    for record in events {
        types.insert(&record.event_type);
        for event in &record.events {
            let is_triggered = campaign.is_triggered_by(&record.event_type, event);
            let is_triggered = is_triggered.unwrap_or_else(|error| {
                say(format_args!("event {} does not trigger: {error}", event.id));
                false
            });
            if is_triggered {
                let (event, cut) = Past::of(&record.event_type, event, allowed);
                if cut > 0 {
                    say(format_args!(
                        "event {}: {cut} fields are too large to be remembered whole",
                        event.id
                    ));
                }
                let lacks = campaign.lacks(&event);
                if !lacks.is_empty() {
                    say(format_args!(
                        "event {} is skipped: it lacks {}",
                        event.id,
                        lacks.join(", ")
                    ));
                    skipped += 1;
                    continue;
                }
                let of_user = by_user.entry(&record.user_id).or_default();
                of_user.push(Candidate { event, redriven_at_ms: None });
            }
        }
    }
    let newest = |candidates: &[Candidate]| candidates.iter().map(|each| each.event.time).max();
    let chosen = match &arguments.user {
        Some(user_id) => by_user.remove_entry(user_id.as_str()),
        None => by_user.into_iter().max_by_key(|(_, candidates)| newest(candidates)),
    };
    let Some((user_id, mut candidates)) = chosen else {
        if skipped > 0 {
            bail!(
                "every event that triggers the campaign lacks what the prompt needs ({}): say \
                 required in campaign.toml, or give the prompt a default",
                Vec::from_iter(campaign.required.iter().map(String::as_str)).join(", ")
            );
        }
        let config = &campaign.campaign.config.trigger;
        let wanted: Vec<&str> = config.event_types.iter().map(String::as_str).collect();
        let found: Vec<&str> = types.into_iter().collect();
        let whose = arguments.user.as_ref().map_or(String::new(), |id| format!(" of user {id}"));
        bail!(
            "no event{whose} in {} triggers the campaign: it wants {}{}; the file holds {}",
            arguments.events.display(),
            wanted.join(", "),
            config.when.as_ref().map_or(String::new(), |when| format!(" with {}", when.text)),
            if found.is_empty() { "nothing".to_owned() } else { found.join(", ") }
        );
    };
    candidates.sort_by(|a, b| a.event.order().cmp(&b.event.order()));
    Ok((user_id.to_owned(), candidates))
}
