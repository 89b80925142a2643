//! What triggers a campaign, and what ends or takes back what it writes.

#[cfg(test)]
mod tests;

use std::time::Duration;

use ::toml::Spanned;

use super::MAX_DAYS;
use super::table::Table;
use super::value::Wait;
use crate::config::{Expression, Named, Trigger, wait};
use crate::lines::line_at;

/// Seconds of a day.
const DAY_SECS: u64 = 24 * 60 * 60;

impl Table<'_, '_> {
    /// Which events ask for content, and when.
    pub(super) fn trigger(&mut self, named: &mut Named, ttl_days: Option<u32>) -> Option<Trigger> {
        let mut table = self.table("trigger")?;
        let event_types: Option<(usize, Vec<Spanned<String>>)> = table.required("event_types");
        let event_types = event_types.map(|(line, types)| {
            let types = table.with_lines(types);
            if types.is_empty() {
                table.fault(Some(line), "event_types must name at least one event type");
            }
            for (line, name) in &types {
                if name.is_empty() || name.contains(char::is_whitespace) {
                    let right = match name.trim() {
                        "" => "e.g. users.behaviors.CustomEvent",
                        inside if inside.contains(char::is_whitespace) => {
                            "e.g. users.behaviors.CustomEvent"
                        }
                        inside => inside,
                    };
                    let reason = format!("event_types: \"{name}\" is no event type: write {right}");
                    table.fault(Some(*line), reason);
                }
            }
            named.event_types.clone_from(&types);
            types.into_iter().map(|(_, name)| name).collect()
        });
        named.when = table.condition("when");
        let says_after = table.has("after");
        let after = table.after(ttl_days);
        named.unless = table.condition("unless");
        if let Some(unless) = named.unless.as_ref().filter(|_| !says_after) {
            let reason = "unless ends what waits, and nothing waits: add after, such as after = \"2h\", or remove unless";
            table.fault(Some(unless.line), reason);
        }
        table.finish();
        let (when, unless) = (named.when.clone(), named.unless.clone());
        Some(Trigger { event_types: event_types?, when, after, unless })
    }

    /// How long after its newest event content is asked for.
    fn after(&mut self, ttl_days: Option<u32>) -> Option<Duration> {
        let (line, Wait(after)) = self.optional("after")?;
        let days = ttl_days.unwrap_or(MAX_DAYS);
        let life = Duration::from_secs(DAY_SECS * u64::from(days));
        let (most, why) = match life < wait::MAX {
            true => (life, ", for which content is served (ttl_days)"),
            false => (wait::MAX, ""),
        };
        if after < wait::MIN || after > most {
            let (min, most) = (wait::written(wait::MIN), wait::written(most));
            let remedy = if after < wait::MIN { "; to ask at once, remove it" } else { why };
            self.fault(Some(line), format!("after must be {min} to {most}{remedy}"));
        }
        Some(after)
    }

    /// A condition, with the line in which its text begins.
    pub(super) fn condition(&mut self, name: &str) -> Option<Expression> {
        let (_, text) = self.optional::<Spanned<String>>(name)?;
        let written = &self.text[text.span().start..];
        let line = line_at(self.text, text.span().start) + lines_before(written);
        let text = text.into_inner();
        if text.trim().is_empty() {
            let reason = format!("{name} is empty: write a condition, or remove it");
            self.fault(Some(line), reason);
            return None;
        }
        Some(Expression { text, line })
    }
}

/// The line ends between the quotes of a text of several lines and its beginning.
fn lines_before(written: &str) -> usize {
    let inside = ["\"\"\"", "'''"].iter().find_map(|quotes| written.strip_prefix(quotes));
    inside.map_or(0, |inside| usize::from(inside.starts_with('\n') || inside.starts_with("\r\n")))
}
