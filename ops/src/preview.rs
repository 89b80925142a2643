//! Shows a prompt author what a campaign would do: the prompt, its price, the answer, and
//! the e-mail.
//!
//! Decides, renders, asks and checks with the very code that production uses. It stores
//! nothing, and shares neither quota nor answers with anybody.

mod choice;
pub(crate) mod events;
mod shown;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use campaign::message::{Preview as Rendered, Recipient};
use campaign::{Brief, CompiledCampaign, Grounds, Lack, Past, Rendering, wanted_fields};
use contract::attributes::Attributes;
use contract::metrics::Counts;
use processor::answers::{Answers, Asker, Conclusion, Question};
use processor::coordination::Unshared;
use processor::deadline::Deadline;
use processor::handler::models;
use processor::model::{self, TextModel, estimated_input_tokens};
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::{Instance, ModelQuota, ModelQuotas, Quotas};
use serde_json::{Map, Value};

use crate::arguments::{Bedrock, Preview};
use crate::campaigns::named;
use crate::grounds::{self, Known};
use crate::message::{self, Written};
use crate::output::say;
use choice::Choice;
pub(crate) use choice::{asking, similar_user};
use shown::{Example, ShowingModel};

/// How long a preview may take: as long as an invocation of the processor.
const PATIENCE: Duration = Duration::from_secs(300);

/// Events of a campaign's own folder.
const EVENTS: &str = "events.jsonl";

/// A quota that one call never fills.
const TOKENS_PER_MINUTE: u64 = 1_000_000_000;

/// Shows what a campaign would do for a user.
pub async fn preview(arguments: &Preview) -> anyhow::Result<ExitCode> {
    let attributes = attributes(arguments.user_attributes.as_deref())?;
    let campaigns = campaign::load(&arguments.campaigns)?;
    let campaign = named(&campaigns, &arguments.campaign)?;
    let folder = arguments.campaigns.join(&arguments.campaign);
    let file = arguments.events.clone().unwrap_or_else(|| folder.join(EVENTS));
    let wanted = wanted_fields(std::slice::from_ref(campaign));
    if arguments.events.is_none() && !file.exists() {
        bail!("say --events FILE_OR_FOLDER, or put events into {}", file.display());
    }
    let records = events::read(&file, wanted)?;
    let Choice { users, shown } = choice::choose(campaign, (&file, &records), arguments)?;
    let catalogs = grounds::catalogs_dir(arguments.catalogs.as_deref(), &arguments.campaigns);
    let catalogs = grounds::catalogs(catalogs.as_deref(), [campaign].into_iter())?;
    let known = Known::of(campaign, &records, &attributes, catalogs);
    grounds::unlisted(&attributes, &campaigns, &arguments.campaigns).iter().for_each(say);
    let show = Show { arguments, campaign, campaigns: &campaigns, attributes };
    let mut prompts: BTreeMap<String, String> = BTreeMap::new();
    let mut all_answered = true;
    let mut without_content: BTreeMap<Option<String>, Speaker> = BTreeMap::new();
    for (n, (user_id, seen)) in shown.iter().enumerate() {
        if n > 0 {
            section(&format!("user {} of {}", n + 1, shown.len()));
        }
        let Some((trigger, history)) = choice::asking(seen) else {
            bail!(choice::nothing_asks(campaign, user_id, seen));
        };
        choice::tell(campaign, users, (user_id, seen), (trigger, history));
        let ground = known.ground(campaign, user_id, history)?;
        let grounds =
            Grounds { events: history, attributes: &ground.attributes, items: &ground.items };
        let speaker =
            Speaker { attributes: ground.attributes.clone(), newest: history.last().cloned() };
        let tag = campaign.campaign.fallback_tag(speaker.language(campaign).as_deref());
        let tag = tag.map(str::to_owned);
        without_content.entry(tag).or_insert_with(|| speaker.clone());
        let rendered = campaign.prompt.preview(&grounds)?;
        if let Some(other) = prompts.get(&rendered.text) {
            say(format_args!("the same prompt as of user {other}, and the same answer"));
            continue;
        }
        prompts.insert(rendered.text.clone(), user_id.clone());
        if n == 0 {
            section("system");
            say(campaign.system.trim_end());
        }
        ground.show(campaign, section);
        all_answered &= show.user((user_id, &speaker), &rendered, ground.rendering).await?;
    }
    if !arguments.prompt_only {
        let unknown = Recipient::new(choice::UNKNOWN_USER);
        for (tag, speaker) in &without_content {
            let of = tag.as_ref().map_or(String::new(), |tag| format!(" of fallback.{tag}.json"));
            let heading =
                format!("message, for a user without content, who gets the fallback content{of}");
            let language_of = |campaign: &CompiledCampaign| speaker.language(campaign);
            message::show((&folder, &heading), &campaigns, (&unknown, &language_of), None)?;
        }
    }
    Ok(if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What tells the language in which a user gets fallback content.
#[derive(Clone)]
struct Speaker {
    attributes: Attributes,
    newest: Option<Past>,
}

impl Speaker {
    fn language(&self, campaign: &CompiledCampaign) -> Option<String> {
        campaign.language_of(&self.attributes, self.newest.as_ref())
    }
}

/// What is shown of each user.
struct Show<'a> {
    arguments: &'a Preview,
    campaign: &'a Arc<CompiledCampaign>,
    campaigns: &'a [Arc<CompiledCampaign>],
    attributes: Map<String, Value>,
}

impl Show<'_> {
    /// Shows a user's prompt, the answer, and the message; `false` if nothing can be used.
    async fn user(
        &self,
        (user_id, speaker): (&str, &Speaker),
        rendered: &Rendered,
        rendering: Rendering,
    ) -> anyhow::Result<bool> {
        let Self { arguments, campaign, campaigns, attributes } = self;
        show_prompt(campaign, &rendered.text);
        campaign::message::notes(rendered).iter().for_each(say);
        if arguments.prompt_only {
            return Ok(true);
        }
        let brief = match rendering {
            Rendering::Asks(brief) => *brief,
            Rendering::Lacks(Lack::Blank) | Rendering::Wants(_) => {
                bail!("the prompt says nothing, and is never sent")
            }
            lacking @ Rendering::Lacks(_) => {
                let why = grounds::lack(&lacking).unwrap_or_default();
                say(format_args!("\nnothing is asked: {why}"));
                return Ok(false);
            }
        };
        section(&format!("answer, by {}", writer(&arguments.bedrock)));
        let passed = brief.passed.clone();
        let answered = ask(campaign, brief, &arguments.bedrock).await?;
        let Some(content) = answered else { return Ok(false) };
        let content = campaign.content(content, &passed);
        section("content, as it is stored");
        say(pretty(&Value::Object(content.clone())));
        let to = Recipient { user_id: user_id.to_owned(), attributes: attributes.clone() };
        let written = Written { campaign: &arguments.campaign, content: &content };
        let folder = arguments.campaigns.join(&arguments.campaign);
        let heading = "message, as Braze renders it with this content";
        let language_of = |campaign: &CompiledCampaign| speaker.language(campaign);
        message::show((&folder, heading), campaigns, (&to, &language_of), Some(written))?;
        Ok(true)
    }
}

/// What is said of the user that only Braze knows.
pub(crate) fn attributes(said: Option<&str>) -> anyhow::Result<Map<String, Value>> {
    let Some(said) = said else { return Ok(Map::new()) };
    let text = if said.trim_start().starts_with('{') {
        said.to_owned()
    } else {
        let failed = || format!("--user-attributes: cannot read {said}, which is no JSON object");
        fs::read_to_string(said).with_context(failed)?
    };
    serde_json::from_str(&text).context("--user-attributes is not a JSON object")
}

/// Who writes the text, for a person.
fn writer(bedrock: &Bedrock) -> String {
    match bedrock {
        Bedrock::Example => "the stand-in (no model: made-up text that fits the schema)".to_owned(),
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
    brief: Brief,
    bedrock: &Bedrock,
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
    let (model, price) = (model(bedrock).await?, campaign.campaign.config.price);
    let is_estimate = *bedrock == Bedrock::Example;
    let (told, hash) = (Arc::new(brief.told), brief.hash);
    let model = Arc::new(ShowingModel { model, price, is_estimate, told: Arc::clone(&told) });
    let coordination = Arc::new(Unshared);
    let answers = Answers::new(model, quotas, coordination, 1, (clock, Jitter::default()));
    let question = Question { told, hash, retry_given_up_before_ms: 0 };
    let deadline = Deadline::new(&clock, SystemTime::now() + PATIENCE);
    match answers
        .answer(campaign, (&question, Asker::Person), None, deadline, &mut Counts::default())
        .await
    {
        Conclusion::Content { data, .. } => Ok(Some(data)),
        Conclusion::GivenUp { reason, detail, .. } => {
            match bedrock {
                Bedrock::Example => say(detail),
                _ => {
                    say(format_args!("cannot be used ({reason}): {detail}"));
                    say("in production: a dead letter; the fallback content stays");
                }
            }
            Ok(None)
        }
        Conclusion::NotNow { detail: reason, .. } | Conclusion::GiveBack(reason) => {
            bail!("the model gave no answer: {reason}")
        }
        Conclusion::Blank | Conclusion::NoItem | Conclusion::OverBudget => {
            bail!("nothing was asked")
        }
    }
}

fn show_prompt(campaign: &CompiledCampaign, prompt: &str) {
    let config = &campaign.campaign.config;
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
