//! Reads `campaign.toml`.
//!
//! Every setting is taken by itself, so that one that is wrong does not hide the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;

use super::{Budget, Config, Expression, Guardrail, Named, Price, Trigger, names};
use crate::folder::Found;

/// Most events of a user that are remembered: at 8 KiB each they fill half of what an
/// item of DynamoDB takes.
const MAX_HISTORY: usize = 25;

/// Longest life of content and answers: beyond a year, tombstones would end before what
/// they must beat.
const MAX_DAYS: u32 = 365;

/// Most output tokens of an answer; current models write no more.
const MAX_TOKENS: u32 = 64_000;

/// Longest time that a call may be given: an invocation of five minutes has to read, write
/// and answer as well.
pub(super) const MAX_TIMEOUT_SECS: u32 = 240;

/// All settings, of all tables.
const SETTINGS: [&str; 25] = [
    "budget",
    "cache_hours",
    "cache_system",
    "cooldown_hours",
    "event_types",
    "fields",
    "guardrail",
    "history",
    "id",
    "max_tokens",
    "model_id",
    "price",
    "priority",
    "required",
    "structured_output",
    "temperature",
    "timeout_seconds",
    "tokens_per_day",
    "trigger",
    "ttl_days",
    "usd_per_day",
    "usd_per_million_input_tokens",
    "usd_per_million_output_tokens",
    "version",
    "when",
];

/// What is said of a setting that must be there.
const MISSING: &str = " is missing";

/// Reads the settings as far as they are right, what else they name, and everything that is
/// wrong with them.
pub(crate) fn read(text: &str) -> (Option<Config>, Named, Vec<Found>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = Vec::new();
    let mut named = Named::default();
    let config = Table::new(text, table.into_inner(), None, &mut faults).config(&mut named);
    if !errors.is_empty() {
        // What could not be read is not missing.
        faults.retain(|(_, reason)| !reason.contains(MISSING));
    }
    faults.extend(errors.into_iter().map(|error| {
        let line = error.span().map(|span| line_at(text, span.start));
        (line, format!("is not TOML: {}", error.message()))
    }));
    faults.sort_by_key(|(line, _)| line.unwrap_or(usize::MAX));
    // What is wrong may have been replaced by a default on the way.
    (config.filter(|_| faults.is_empty()), named, faults)
}

/// The settings that were not asked for yet.
struct Table<'t, 'f> {
    text: &'t str,
    line: Option<usize>,
    settings: BTreeMap<String, (usize, Spanned<DeValue<'t>>)>,
    faults: &'f mut Vec<Found>,
}

impl<'t, 'f> Table<'t, 'f> {
    fn new(
        text: &'t str,
        table: DeTable<'t>,
        line: Option<usize>,
        faults: &'f mut Vec<Found>,
    ) -> Self {
        let settings = table.into_iter().map(|(key, value)| {
            let line = line_at(text, key.span().start);
            (key.into_inner().into_owned(), (line, value))
        });
        Self { text, line, settings: settings.collect(), faults }
    }

    fn config(mut self, named: &mut Named) -> Option<Config> {
        let model_id = self.model_id();
        let structured_output = self.optional("structured_output").unwrap_or_default().1;
        named.structured_output = structured_output;
        let max_tokens = self.required("max_tokens");
        let max_tokens = self.within("max_tokens", max_tokens, 1..=MAX_TOKENS);
        let temperature = self.optional("temperature");
        let temperature = self.within("temperature", temperature, 0.0..=1.0);
        let ttl_days = self.required("ttl_days");
        let ttl_days = self.within("ttl_days", ttl_days, 1..=MAX_DAYS);
        let history = self.optional("history").or(Some((0, 10)));
        let history = self.within("history", history, 1..=MAX_HISTORY);
        let cooldown_hours = self.optional("cooldown_hours").or(Some((0, 0)));
        let most = ttl_days.unwrap_or(MAX_DAYS).min(MAX_DAYS) * 24;
        let cooldown_hours = self.within("cooldown_hours", cooldown_hours, 0..=most);
        let cache_hours = self.optional("cache_hours").or(Some((0, 24)));
        let cache_hours = self.within("cache_hours", cache_hours, 1..=MAX_DAYS * 24);
        let priority = self.optional("priority").map_or(0, |(_, priority)| priority);
        let cache_system = self.optional("cache_system").is_some_and(|(_, cache)| cache);
        let timeout_secs = self.optional("timeout_seconds");
        let timeout_secs = self.within("timeout_seconds", timeout_secs, 1..=MAX_TIMEOUT_SECS);
        named.fields = self.fields();
        let fields = named.paths();
        let required = self.required_fields(fields.as_ref());
        let trigger = self.trigger(named);
        let price = self.price();
        let budget = self.budget(price, max_tokens);
        let guardrail = self.guardrail();
        self.finish();
        Some(Config {
            model_id: model_id?,
            structured_output,
            max_tokens: max_tokens?,
            temperature,
            ttl_days: ttl_days?,
            history: history?,
            cooldown_hours: cooldown_hours?,
            cache_hours: cache_hours?,
            priority,
            cache_system,
            timeout_secs,
            fields: fields?,
            required,
            trigger: trigger?,
            budget,
            price,
            guardrail,
        })
    }

    fn model_id(&mut self) -> Option<String> {
        let (line, id): (_, String) = self.required("model_id")?;
        if let Some(wrong) = names::wrong_model_id(&id) {
            self.fault(Some(line), format!("model_id {wrong}"));
        }
        Some(id)
    }

    /// The fields that the prompt may see, each with its line.
    fn fields(&mut self) -> Option<Vec<(usize, String)>> {
        let (_, fields): (_, Vec<Spanned<String>>) = self.required("fields")?;
        let fields = self.with_lines(fields);
        for (line, path) in &fields {
            if let Some(wrong) = names::wrong_path(path) {
                self.fault(Some(*line), format!("fields: {wrong}"));
            }
        }
        Some(fields)
    }

    fn with_lines(&self, texts: Vec<Spanned<String>>) -> Vec<(usize, String)> {
        let line = |text: &Spanned<String>| line_at(self.text, text.span().start);
        texts.into_iter().map(|text| (line(&text), text.into_inner())).collect()
    }

    fn required_fields(&mut self, fields: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
        let (line, required): (_, BTreeSet<String>) = self.optional("required")?;
        let is_seen = |path: &str| {
            fields.is_none_or(|fields| {
                fields.iter().any(|field| {
                    path.strip_prefix(field.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                })
            })
        };
        for path in required.iter().filter(|path| !is_seen(path)) {
            let reason = format!("required: \"{path}\" is not among fields: add it there");
            self.fault(Some(line), reason);
        }
        Some(required)
    }

    fn trigger(&mut self, named: &mut Named) -> Option<Trigger> {
        let mut table = self.table("trigger")?;
        let event_types: Option<(usize, Vec<Spanned<String>>)> = table.required("event_types");
        let event_types = event_types.map(|(line, types)| {
            let types = table.with_lines(types);
            if types.is_empty() {
                table.fault(Some(line), "event_types must name at least one event type");
            }
            for (line, name) in &types {
                if name.is_empty() || name.contains(char::is_whitespace) {
                    let reason = format!(
                        "event_types: \"{name}\" is no event type: write e.g. users.behaviors.CustomEvent"
                    );
                    table.fault(Some(*line), reason);
                }
            }
            named.event_types.clone_from(&types);
            types.into_iter().map(|(_, name)| name).collect()
        });
        let when = table.optional::<Spanned<String>>("when").map(|(_, text)| {
            // A text of several lines begins behind its quotes.
            let line = line_at(table.text, text.span().start);
            Expression { text: text.into_inner(), line }
        });
        if let Some(when) = when.as_ref().filter(|when| when.text.trim().is_empty()) {
            table.fault(Some(when.line), "when is empty: write a condition, or remove it");
        }
        table.finish();
        named.when.clone_from(&when);
        Some(Trigger { event_types: event_types?, when })
    }

    fn price(&mut self) -> Option<Price> {
        if !self.settings.contains_key("price") {
            return None;
        }
        let mut table = self.table("price")?;
        let input = table.required("usd_per_million_input_tokens");
        let input = table.within("usd_per_million_input_tokens", input, 0.0..=1e6);
        let output = table.required("usd_per_million_output_tokens");
        let output = table.within("usd_per_million_output_tokens", output, 0.0..=1e6);
        table.finish();
        Some(Price { usd_per_million_input_tokens: input?, usd_per_million_output_tokens: output? })
    }

    fn budget(&mut self, price: Option<Price>, max_tokens: Option<u32>) -> Option<Budget> {
        if !self.settings.contains_key("budget") {
            return None;
        }
        let mut table = self.table("budget")?;
        let tokens = table.optional::<u64>("tokens_per_day");
        let usd = table.optional::<f64>("usd_per_day");
        let line = table.line;
        table.finish();
        // A call is charged its whole allowance when it starts.
        let of_one_call = u64::from(max_tokens.unwrap_or_default());
        match (tokens, usd) {
            (Some((line, tokens)), None) => {
                if tokens <= of_one_call {
                    let reason = format!(
                        "tokens_per_day = {tokens} pays for no call, which is charged its input and max_tokens = {of_one_call}: raise it"
                    );
                    self.fault(Some(line), reason);
                }
                Some(Budget::Tokens(tokens))
            }
            (None, Some((line, usd))) => {
                let usd = self.within("usd_per_day", Some((line, usd)), 0.0..=1e9)?;
                match price {
                    None => self.fault(Some(line), "a budget in dollars needs a [price]"),
                    Some(price) if price.usd(1, 1) == 0.0 => {
                        self.fault(Some(line), "a budget in dollars needs a [price] above 0");
                    }
                    Some(price) if usd <= price.usd(0, of_one_call) => {
                        let reason = format!(
                            "usd_per_day = {usd} pays for no call: max_tokens = {of_one_call} alone cost ${:.6}",
                            price.usd(0, of_one_call)
                        );
                        self.fault(Some(line), reason);
                    }
                    Some(_) => {}
                }
                Some(Budget::Usd(usd))
            }
            _ => {
                self.fault(line, "a budget is tokens_per_day or usd_per_day, one of them");
                None
            }
        }
    }

    fn guardrail(&mut self) -> Option<Guardrail> {
        if !self.settings.contains_key("guardrail") {
            return None;
        }
        let mut table = self.table("guardrail")?;
        let id: Option<(usize, String)> = table.required("id");
        if let Some((line, id)) = &id
            && let Some(wrong) = names::wrong_model_id(id)
        {
            table.fault(Some(*line), format!("guardrail.id {wrong}"));
        }
        let version: Option<(usize, String)> = table.required("version");
        if let Some((line, version)) = &version
            && version != "DRAFT"
            && version.parse::<u32>().is_err()
        {
            table.fault(Some(*line), "guardrail.version must be \"DRAFT\" or a number in quotes");
        }
        table.finish();
        Some(Guardrail { id: id?.1, version: version?.1 })
    }

    fn table(&mut self, name: &str) -> Option<Table<'t, '_>> {
        match self.settings.remove(name) {
            Some((line, value)) => match value.into_inner() {
                DeValue::Table(table) => {
                    Some(Table::new(self.text, table, Some(line), self.faults))
                }
                _ => {
                    self.fault(Some(line), format!("{name} must be a table: [{name}]"));
                    None
                }
            },
            None => {
                self.fault(None, format!("{name}{MISSING}: add a table [{name}]"));
                None
            }
        }
    }

    fn required<T: Deserialize<'t>>(&mut self, name: &str) -> Option<(usize, T)> {
        if !self.settings.contains_key(name) {
            self.fault(self.line, format!("{name}{MISSING}"));
        }
        self.optional(name)
    }

    fn optional<T: Deserialize<'t>>(&mut self, name: &str) -> Option<(usize, T)> {
        let (line, value) = self.settings.remove(name)?;
        match T::deserialize(value.into_deserializer()) {
            Ok(value) => Some((line, value)),
            Err(error) => {
                self.fault(Some(line), format!("{name}: {}", error.message()));
                None
            }
        }
    }

    fn within<T: PartialOrd + Display>(
        &mut self,
        name: &str,
        setting: Option<(usize, T)>,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let (line, value) = setting?;
        if !range.contains(&value) {
            let reason = format!("{name} must be {} to {}", range.start(), range.end());
            self.fault(Some(line), reason);
        }
        Some(value)
    }

    fn fault(&mut self, line: Option<usize>, reason: impl Into<String>) {
        self.faults.push((line, reason.into()));
    }

    fn finish(mut self) {
        for (name, (line, _)) in std::mem::take(&mut self.settings) {
            let meant = dialect::did_you_mean(&name, SETTINGS);
            let remedy = if meant.is_empty() { ": remove or rename it" } else { &meant };
            self.fault(Some(line), format!("unknown setting \"{name}\"{remedy}"));
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}
