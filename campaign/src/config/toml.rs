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

use super::{Budget, Config, Expression, Guardrail, Price, Trigger};
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

/// Reads the settings as far as they are right, and everything that is wrong with them.
pub(crate) fn read(text: &str) -> (Option<Config>, Vec<Found>) {
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let line = error.span().map(|span| line_at(text, span.start));
            return (None, vec![(line, format!("is not TOML: {}", error.message()))]);
        }
    };
    let mut faults = Vec::new();
    let config = Table::new(text, table, None, &mut faults).config();
    faults.sort_by_key(|(line, _)| line.unwrap_or(usize::MAX));
    // What is wrong may have been replaced by a default on the way.
    (config.filter(|_| faults.is_empty()), faults)
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

    fn config(mut self) -> Option<Config> {
        let model_id = self.required("model_id");
        let structured_output = self.optional("structured_output").unwrap_or_default().1;
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
        let fields: Option<BTreeSet<String>> = self.required("fields").map(|(_, fields)| fields);
        let required = self.required_fields(fields.as_ref());
        let trigger = self.trigger();
        let price = self.price();
        let budget = self.budget(price.is_some());
        let guardrail = self.guardrail();
        self.finish();
        Some(Config {
            model_id: model_id?.1,
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

    fn trigger(&mut self) -> Option<Trigger> {
        let mut table = self.table("trigger")?;
        let event_types: Option<(usize, BTreeSet<String>)> = table.required("event_types");
        if let Some((line, types)) = &event_types
            && types.is_empty()
        {
            table.fault(Some(*line), "event_types must name at least one event type");
        }
        let when = table.optional::<Spanned<String>>("when").map(|(_, text)| {
            // A text of several lines begins behind its quotes.
            let line = line_at(table.text, text.span().start);
            Expression { text: text.into_inner(), line }
        });
        table.finish();
        Some(Trigger { event_types: event_types?.1, when })
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

    fn budget(&mut self, has_price: bool) -> Option<Budget> {
        if !self.settings.contains_key("budget") {
            return None;
        }
        let mut table = self.table("budget")?;
        let tokens = table.optional::<u64>("tokens_per_day");
        let usd = table.optional::<f64>("usd_per_day");
        let line = table.line;
        table.finish();
        match (tokens, usd) {
            (Some((_, tokens)), None) => Some(Budget::Tokens(tokens)),
            (None, Some((_, usd))) if !has_price => {
                self.fault(line, "a budget in dollars needs a [price]");
                Some(Budget::Usd(usd))
            }
            (None, Some((line, usd))) => {
                let usd = self.within("usd_per_day", Some((line, usd)), 0.0..=1e9);
                usd.map(Budget::Usd)
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
        let id = table.required("id");
        let version = table.required("version");
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
                self.fault(None, format!("{name} is missing: add a table [{name}]"));
                None
            }
        }
    }

    fn required<T: Deserialize<'t>>(&mut self, name: &str) -> Option<(usize, T)> {
        if !self.settings.contains_key(name) {
            self.fault(self.line, format!("{name} is missing"));
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
            self.fault(Some(line), format!("unknown setting \"{name}\": remove or rename it"));
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}
