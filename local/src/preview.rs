//! Shows a prompt author what a campaign would do: the prompt, its price, the answer, and
//! the e-mail.
//!
//! Decides, renders and checks with the very code that production uses, and asks once more
//! where production does; a call that fails is not repeated. It stores nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use api::answer::Answer;
use api::content::{Content, Data};
use api::query::Format;
use contract::campaign::{Price, wanted_fields};
use contract::user_record::{Event, UserRecord, unpack};
use ingest::container::{DEFAULT_MAX_BLOCK_BYTES, Position};
use ingest::decode::{Decoder, Origin, Receiver, Source};
use ingest::grouping::{Group, MAX_GROUP_BYTES};
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use processor::campaign::Compiled;
use processor::eligibility::{Action, Candidate, State, decide};
use processor::history::Past;
use processor::model::{
    Bedrock, Correction, ModelError, TextModel as _, Usage, estimated_input_tokens,
};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::arguments::{self, Preview};
use crate::aws;
use crate::bedrock::{Behaviour, StandIn};
use crate::message;
use crate::pipeline::account_config;
use crate::run::{say, writer};

/// First bytes of every Avro object container file.
const AVRO_MAGIC: &[u8] = b"Obj\x01";

/// Shows what a campaign would do for a user.
pub async fn preview(arguments: &Preview) -> anyhow::Result<ExitCode> {
    let campaigns = processor::campaign::load(&arguments.campaigns)?;
    let names = campaigns.iter().map(|each| each.campaign.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    let campaign = campaigns
        .iter()
        .find(|each| each.campaign.name == arguments.campaign)
        .with_context(|| format!("no campaign \"{}\": there is {names}", arguments.campaign))?;
    let wanted = wanted_fields(std::slice::from_ref(&campaign.campaign));
    let events = read_events(&arguments.events, wanted)?;
    let (user_id, candidates) = choose(campaign, &events, arguments)?;
    let decision = decide(&candidates, &State::default(), campaign.rules());
    let Action::Generate { trigger, history } = decision.action else {
        bail!("none of the user's events asks for content");
    };
    let prompt = campaign.prompt.render(&history)?;
    show_prompt(campaign, &user_id, &candidates[trigger].event, history.len(), &prompt);
    if arguments.prompt_only {
        return Ok(ExitCode::SUCCESS);
    }

    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let config = match arguments.bedrock {
        arguments::Bedrock::StandIn => {
            aws::config_for(StandIn::start(Behaviour::default(), &tasks, &stop).await?.address)
        }
        arguments::Bedrock::Aws => account_config().await?,
    };
    section(&format!("answer, by {}", writer(arguments.bedrock)));
    let asked = ask(&Bedrock::new(&config), campaign, &prompt).await;
    stop.cancel();
    let Some(content) = asked? else { return Ok(ExitCode::FAILURE) };
    section("content, as it is stored");
    say(pretty(&Value::Object(content.clone())));
    show_message(arguments, &user_id, &content)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the campaign's message, as Braze renders it with this content.
fn show_message(
    arguments: &Preview,
    user_id: &str,
    content: &Map<String, Value>,
) -> anyhow::Result<()> {
    let path = message::path(&arguments.campaigns, &arguments.campaign);
    let Ok(text) = fs::read_to_string(&path) else {
        say(format_args!("\nno message to show: there is no {}", path.display()));
        return Ok(());
    };
    section(&format!("message, {} as Braze renders it", path.display()));
    let content = Content { data: Data::Json(content), is_fallback: false };
    let contents = vec![(arguments.campaign.as_str(), content)];
    let answer = Answer { user_id, contents, by_campaign: false, format: Format::DynamoDb };
    let answer = serde_json::to_value(answer).context("writing the answer")?;
    say(message::render(&text, &answer)?.trim_end());
    Ok(())
}

fn show_prompt(campaign: &Compiled, user_id: &str, trigger: &Past, events: usize, prompt: &str) {
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

/// Asks, and once more if the answer cannot be used; `None` if it stays so.
async fn ask(
    model: &Bedrock,
    campaign: &Compiled,
    prompt: &str,
) -> anyhow::Result<Option<Map<String, Value>>> {
    let mut correction: Option<Correction> = None;
    loop {
        let price = campaign.campaign.config.price;
        let next = match model.generate(campaign, prompt, correction.as_ref()).await {
            Ok(answer) => {
                show_answer(&answer.text, answer.usage, price);
                match campaign.accept(&answer.text) {
                    Ok(content) => return Ok(Some(content)),
                    Err(error) => Correction { answer: Some(answer), complaint: error.to_string() },
                }
            }
            Err(ModelError::Stopped { stop, usage }) => {
                show_answer(&format!("(none: {stop})"), usage, price);
                let Some(complaint) = stop.complaint() else {
                    say("in production: a dead letter; the fallback content stays");
                    return Ok(None);
                };
                Correction { answer: None, complaint: complaint.to_owned() }
            }
            Err(error) => return Err(error).context("the model gave no answer"),
        };
        say(format_args!("cannot be used: {}", next.complaint));
        if correction.is_some() {
            say("in production: a dead letter; the fallback content stays");
            return Ok(None);
        }
        say("asked once more:");
        correction = Some(next);
    }
}

fn show_answer(text: &str, usage: Usage, price: Option<Price>) {
    say(serde_json::from_str(text).map_or_else(|_| text.to_owned(), |answer| pretty(&answer)));
    let usd = price.map_or(String::new(), |price| {
        format!(", ${:.6}", price.usd(usage.priced_input_tokens(), usage.output_tokens))
    });
    let cached = match (usage.cache_write_tokens, usage.cache_read_tokens) {
        (0, 0) => String::new(),
        (written, read) => format!(" ({written} of them written into the cache, {read} more read)"),
    };
    say(format_args!(
        "{} input tokens{cached}, {} output tokens{usd}",
        usage.input_tokens, usage.output_tokens
    ));
}

fn section(name: &str) {
    say(format_args!("\n--- {name}"));
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The events of a user that trigger the campaign, oldest first.
fn choose(
    campaign: &Arc<Compiled>,
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

fn read_events(path: &Path, wanted: BTreeSet<String>) -> anyhow::Result<Vec<UserRecord>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.starts_with(AVRO_MAGIC) {
        return read_container(path, &bytes, wanted);
    }
    let text = String::from_utf8(bytes).ok();
    let text =
        text.with_context(|| format!("{} is neither an Avro file nor JSON lines", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| {
            let place = || format!("{}:{}", path.display(), n + 1);
            read_line(line).with_context(place)
        })
        .collect()
}

/// One event as JSON: the fields of Currents, and its type as `event_type`.
fn read_line(line: &str) -> anyhow::Result<UserRecord> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(line).context("is not an event as a JSON object")?;
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(anyhow::anyhow!("the event needs a text \"{name}\"")),
    };
    let (event_type, user_id, id) = (text("event_type")?, text("user_id")?, text("id")?);
    // Currents has them as a text, which ingest parses.
    if let Some(Value::String(text)) = fields.get("properties") {
        let properties = ingest::embedded(text);
        fields.insert("properties".to_owned(), properties);
    }
    let time = fields.remove("time").and_then(|time| time.as_i64());
    let time = time.context("the event needs a \"time\" in UNIX seconds")?;
    let event = Event { id, time, fields };
    let v = contract::user_record::VERSION;
    let uploaded_at_ms = 0;
    Ok(UserRecord {
        v,
        user_id,
        event_type,
        uploaded_at_ms,
        redriven_at_ms: None,
        events: vec![event],
    })
}

fn read_container(
    path: &Path,
    bytes: &[u8],
    wanted: BTreeSet<String>,
) -> anyhow::Result<Vec<UserRecord>> {
    struct All(Vec<UserRecord>);
    impl Receiver for All {
        fn take(&mut self, group: Group, _: Position) -> ControlFlow<()> {
            let records = group.records.into_iter().flat_map(|record| unpack(record.data.into()));
            self.0.extend(records.filter_map(|(_, record)| record.ok()));
            ControlFlow::Continue(())
        }
    }
    let decoder = Decoder {
        wanted,
        max_block_bytes: DEFAULT_MAX_BLOCK_BYTES,
        max_group_bytes: MAX_GROUP_BYTES,
        buckets: DEFAULT_STREAM_BUCKETS,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uploaded_at_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let origin = Origin { key: path.display().to_string(), uploaded_at_ms };
    let mut all = All(Vec::new());
    let decoded = decoder.decode(Source::Whole(bytes), &origin, &mut all);
    decoded.with_context(|| format!("reading {}", path.display()))?;
    Ok(all.0)
}
