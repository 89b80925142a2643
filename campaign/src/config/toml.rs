//! Reads `campaign.toml`.
//!
//! Every setting is taken by itself, so that one that is wrong does not hide the next.

mod attributes;
mod language;
mod number;
mod passages;
mod places;
mod rules;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod trigger;
mod value;

use std::collections::BTreeSet;

use ::toml::Spanned;
use ::toml::de::DeTable;

use super::{
    Budget, Config, Guardrail, Named, OverBudget, Price, Replace, StructuredOutput, model_id, paths,
};
use crate::folder::Found;
use crate::lines::line_at;
use table::{Faults, Table};

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
pub(crate) const MAX_TIMEOUT_SECS: u32 = 240;

/// Reads the settings as far as they are right, what else they name, and everything that is
/// wrong with them.
pub(crate) fn read(text: &str) -> (Option<Config>, Named, Vec<Found>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let fields = table.get_ref().get("fields").map(|fields| fields.span());
    let fields = fields.map(|span| line_at(text, span.start)..=line_at(text, span.end));
    let mut faults = Faults::default();
    let mut named = Named::default();
    let config = Table::root(text, table.into_inner(), &mut faults).config(&mut named);
    let broken = syntax::faults(text, errors);
    let mut faults = faults.all(broken.is_empty());
    // What is read of a line that is no TOML is a guess.
    faults.retain(|(line, _)| line.is_none() || broken.iter().all(|(told, _)| told != line));
    let is_broken = |line: usize| broken.iter().any(|(told, _)| *told == Some(line));
    named.rules.checks.retain(|check| !is_broken(check.when.line));
    for each in [&mut named.when, &mut named.unless, &mut named.retract_when] {
        *each = each.take().filter(|condition| !is_broken(condition.line));
    }
    named.fields = named.fields.filter(|_| !fields.is_some_and(|mut lines| lines.any(is_broken)));
    faults.extend(broken);
    faults.sort_by_key(|(line, _)| line.unwrap_or(usize::MAX));
    // What is wrong may have been replaced by a default on the way.
    (config.filter(|_| faults.is_empty()), named, faults)
}

/// Contents of a user in an hour where nothing is said: one a minute, which no person needs, and
/// which ends who sends made-up events.
const HOURLY_LIMIT: u32 = 60;

/// Longest that content may wait for a job: Bedrock ends one after a day, and before it asks
/// gather and after it what it left is asked.
const MAX_BATCH_HOURS: u32 = 48;

/// The largest that is told from none.
const MAX_HOURLY_LIMIT: u32 = 3_600;

impl Table<'_, '_> {
    fn config(mut self, named: &mut Named) -> Option<Config> {
        let model_id = self.model_id();
        let structured_output = self.optional("structured_output").unwrap_or_default().1;
        named.structured_output = structured_output;
        let max_tokens = self.required("max_tokens");
        let max_tokens = self.within("max_tokens", max_tokens, 1..=MAX_TOKENS);
        let temperature = self.optional("temperature");
        let temperature = self.temperature(temperature);
        let ttl_days = self.required("ttl_days");
        let ttl_days = self.within("ttl_days", ttl_days, 1..=MAX_DAYS);
        let history = self.optional("history").or(Some((0, 10)));
        let history = self.within("history", history, 1..=MAX_HISTORY);
        let cooldown_hours = self.optional("cooldown_hours").or(Some((0, 0)));
        let most = ttl_days.unwrap_or(MAX_DAYS).min(MAX_DAYS) * 24;
        let cooldown_hours = self.within("cooldown_hours", cooldown_hours, 0..=most);
        let replace = self.replace(cooldown_hours);
        let hourly_limit = self.optional("hourly_limit").or(Some((0, HOURLY_LIMIT)));
        let hourly_limit = self.within("hourly_limit", hourly_limit, 0..=MAX_HOURLY_LIMIT);
        named.retract_when = self.condition("retract_when");
        let retract_when = named.retract_when.clone();
        let cache_hours = self.optional("cache_hours").or(Some((0, 24)));
        let cache_hours = self.within("cache_hours", cache_hours, 1..=MAX_DAYS * 24);
        let priority = self.optional("priority").map_or(0, |(_, priority)| priority);
        let cache_system = self.optional("cache_system").is_some_and(|(_, cache)| cache);
        let timeout_secs = self.optional("timeout_seconds");
        let timeout_secs = self.within("timeout_seconds", timeout_secs, 1..=MAX_TIMEOUT_SECS);
        named.fields = self.fields();
        let fields = named.paths();
        let required = self.required_fields(fields.as_ref());
        let attributes = self.attributes();
        named.attributes = attributes.clone();
        let rules = self.rules();
        named.rules = rules.clone();
        let fields_from = self.passages();
        named.fields_from.clone_from(&fields_from);
        named.fallback_language = self.fallback_language();
        let fallback_language = named.fallback_language.clone().map(|(_, of)| of);
        let on_missing_item = self.optional("on_missing_item").unwrap_or_default().1;
        let keep_prompts_days = self.optional("keep_prompts_days").or(Some((0, 0)));
        let most = ttl_days.unwrap_or(MAX_DAYS);
        let keep_prompts_days = self.within("keep_prompts_days", keep_prompts_days, 0..=most);
        let trigger = self.trigger(named, ttl_days);
        let has_price = self.has("price");
        let price = self.price();
        let (budget, over_budget) = self.budget((has_price, price), max_tokens);
        let guardrail = self.guardrail();
        let batch_within_hours = self.batch(structured_output, guardrail.is_some(), cache_system);
        self.finish();
        Some(Config {
            model_id: model_id?,
            structured_output,
            max_tokens: max_tokens?,
            temperature,
            ttl_days: ttl_days?,
            history: history?,
            cooldown_hours: cooldown_hours?,
            replace,
            hourly_limit: hourly_limit?,
            retract_when,
            cache_hours: cache_hours?,
            priority,
            cache_system,
            timeout_secs,
            fields: fields?,
            required,
            attributes,
            rules,
            fields_from,
            fallback_language,
            on_missing_item,
            keep_prompts_days: keep_prompts_days?,
            trigger: trigger?,
            budget,
            over_budget,
            price,
            guardrail,
            batch_within_hours,
        })
    }

    fn replace(&mut self, cooldown_hours: Option<u32>) -> Replace {
        let said: Option<(usize, Replace)> = self.optional("replace");
        if let (Some((line, _)), Some(0)) = (said, cooldown_hours) {
            let reason = "replace says which event of a cooldown gets content, and there is none: add cooldown_hours, or remove replace";
            self.fault(Some(line), reason);
        }
        said.unwrap_or_default().1
    }

    fn temperature(&mut self, temperature: Option<(usize, f32)>) -> Option<f32> {
        match temperature {
            Some((line, percent)) if percent > 2.0 && percent <= 100.0 => {
                let share = percent / 100.0;
                self.fault(Some(line), format!("temperature must be 0 to 1: write {share}"));
                Some(share)
            }
            temperature => self.within("temperature", temperature, 0.0..=1.0),
        }
    }

    fn model_id(&mut self) -> Option<String> {
        let (line, id): (_, String) = self.required("model_id")?;
        if let Some(wrong) = model_id::wrong(&id) {
            self.fault(Some(line), format!("model_id {wrong}"));
        }
        Some(id)
    }

    /// The fields that the prompt may see, each with its line.
    fn fields(&mut self) -> Option<Vec<(usize, String)>> {
        let (_, fields): (_, Vec<Spanned<String>>) = self.required("fields")?;
        let mut meant = Vec::with_capacity(fields.len());
        let mut are_known = true;
        for (line, path) in self.with_lines(fields) {
            match paths::wrong(&path) {
                None => meant.push((line, path)),
                // What follows is told of the paths that were meant.
                Some(wrong) => {
                    self.fault(Some(line), format!("fields: {}", wrong.reason));
                    are_known &= !wrong.meant.is_empty();
                    meant.extend(wrong.meant.into_iter().map(|path| (line, path)));
                }
            }
        }
        are_known.then_some(meant)
    }

    fn required_fields(&mut self, fields: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
        let (_, required): (_, Vec<Spanned<String>>) = self.optional("required")?;
        let required = self.with_lines(required);
        for (line, path) in &required {
            if let Some(wrong) = paths::wrong(path) {
                self.fault(Some(*line), format!("required: {}", wrong.reason));
            } else if let Some(fields) = fields
                && !fields.iter().any(|field| paths::holds(field, path))
            {
                let meant = dialect::did_you_mean(path, fields.iter().map(String::as_str));
                let remedy = if meant.is_empty() { ": add it there" } else { &meant };
                let reason = format!("required: \"{path}\" is not among fields{remedy}");
                self.fault(Some(*line), reason);
            }
        }
        Some(required.into_iter().map(|(_, path)| path).collect())
    }

    /// The attributes that the prompt may see; what is wrong with their names is told.
    fn attributes(&mut self) -> BTreeSet<String> {
        let said: Option<(usize, Vec<Spanned<String>>)> = self.optional("attributes");
        let Some((_, said)) = said else { return BTreeSet::new() };
        let said = self.with_lines(said);
        for (line, name) in &said {
            if let Some(wrong) = attributes::wrong(name) {
                self.fault(Some(*line), format!("attributes: {wrong}"));
            }
        }
        said.into_iter().map(|(_, name)| name).collect()
    }

    fn price(&mut self) -> Option<Price> {
        if !self.has("price") {
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

    fn budget(
        &mut self,
        (has_price, price): (bool, Option<Price>),
        max_tokens: Option<u32>,
    ) -> (Option<Budget>, OverBudget) {
        let over_budget = OverBudget::default();
        if !self.has("budget") {
            return (None, over_budget);
        }
        let Some(mut table) = self.table("budget") else { return (None, over_budget) };
        let over_budget = table.optional("over_budget").map_or(over_budget, |(_, over)| over);
        let tokens = table.optional::<u64>("tokens_per_day");
        let usd = table.optional::<f64>("usd_per_day");
        let line = table.line;
        table.finish();
        // A call is charged its whole allowance when it starts.
        let of_one_call = u64::from(max_tokens.unwrap_or_default());
        let budget = match (tokens, usd) {
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
                let usd = self.within("usd_per_day", Some((line, usd)), 0.0..=1e9).unwrap_or(usd);
                match price {
                    // What is wrong with the price is told there.
                    None if has_price => {}
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
        };
        (budget, over_budget)
    }

    fn guardrail(&mut self) -> Option<Guardrail> {
        if !self.has("guardrail") {
            return None;
        }
        let mut table = self.table("guardrail")?;
        let id: Option<(usize, String)> = table.required("id");
        if let Some((line, id)) = &id
            && let Some(wrong) = model_id::wrong(id)
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

    /// Within how many hours content is to be there that is asked for in a job, which cannot do
    /// all that a call can.
    fn batch(
        &mut self,
        structured_output: StructuredOutput,
        has_guardrail: bool,
        cache_system: bool,
    ) -> Option<u32> {
        if !self.has("batch") {
            return None;
        }
        let mut table = self.table("batch")?;
        let within_hours = table.required("within_hours");
        let within_hours = table.within("within_hours", within_hours, 1..=MAX_BATCH_HOURS);
        let line = table.line;
        table.finish();
        let refused = [
            (structured_output == StructuredOutput::Tool, "structured_output = \"tool\""),
            (has_guardrail, "a [guardrail]"),
            (cache_system, "cache_system"),
        ];
        for (_, what) in refused.into_iter().filter(|(is_set, _)| *is_set) {
            let reason = format!(
                "[batch] goes without {what}, which batch inference has not: remove one of them"
            );
            self.fault(line, reason);
        }
        within_hours
    }
}
