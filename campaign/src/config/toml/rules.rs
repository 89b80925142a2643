//! What is demanded of answers: `[[checks]]`, `forbidden`, `links` and `grounded`.

#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeSet;

use ::toml::Spanned;

use super::table::Table;
use crate::config::{CheckSettings, Lined, RuleSettings};
use crate::{is_name, rules};

/// Most checks of a campaign: each is looked at for each answer.
const MAX_CHECKS: usize = 20;

/// Longest sentence that a model is told of a check, in characters.
const MAX_SAY_CHARS: usize = 300;

/// Most forbidden words: what is longer is no list that a person looks after.
const MAX_FORBIDDEN: usize = 500;

/// Longest forbidden words, in characters.
const MAX_FORBIDDEN_CHARS: usize = 100;

/// Most beginnings of links, and most grounded texts.
const MAX_ENTRIES: usize = 50;

impl Table<'_, '_> {
    /// What is demanded of answers, as far as it can be read.
    pub(super) fn rules(&mut self) -> RuleSettings {
        let forbidden = self.entries("forbidden", MAX_FORBIDDEN);
        let links = self.entries("links", MAX_ENTRIES);
        let grounded = self.entries("grounded", MAX_ENTRIES);
        for word in &forbidden {
            if let Some(wrong) = wrong_word(&word.text) {
                self.fault(Some(word.line), format!("forbidden: {wrong}"));
            }
        }
        for link in &links {
            if let Err(wrong) = rules::links::beginning(&link.text) {
                self.fault(Some(link.line), format!("links: {wrong}"));
            }
        }
        RuleSettings { checks: self.checks(), forbidden, links, grounded }
    }

    /// A list of texts, each with its line.
    fn entries(&mut self, name: &'static str, most: usize) -> Vec<Lined> {
        let said: Option<(usize, Vec<Spanned<String>>)> = self.optional(name);
        let Some((line, said)) = said else { return Vec::new() };
        if said.len() > most {
            self.fault(Some(line), format!("{name} takes {most} texts at most"));
        }
        let said = self.with_lines(said).into_iter();
        said.map(|(line, text)| Lined { text, line }).collect()
    }

    fn checks(&mut self) -> Vec<CheckSettings> {
        let mut checks = Vec::new();
        let mut names = BTreeSet::new();
        self.each_table("checks", |number, mut table| {
            let line = table.line;
            if number > MAX_CHECKS {
                let reason = format!("[[checks]] stands more than {MAX_CHECKS} times: join some");
                return if number == MAX_CHECKS + 1 { table.fault(line, reason) };
            }
            let name: Option<(usize, String)> = table.optional("name");
            if let Some((line, name)) = &name {
                if !is_name(name) || rules::OWN_NAMES.contains(&name.as_str()) {
                    let reason = format!(
                        "checks: \"{name}\" is no name of a check: write lower-case letters, digits and hyphens, other than {}",
                        rules::OWN_NAMES.join(", ")
                    );
                    table.fault(Some(*line), reason);
                } else if !names.insert(name.clone()) {
                    table.fault(Some(*line), format!("checks: two are called \"{name}\""));
                }
            }
            if !table.has("when") {
                table.missing("when", ": write what an answer must fulfil");
            }
            let when = table.condition("when");
            let say: Option<(usize, String)> = table.required("say");
            if let Some((line, say)) = &say
                && (say.trim().is_empty() || say.chars().count() > MAX_SAY_CHARS)
            {
                let reason = format!(
                    "say is what the model is told whose answer does not fulfil it: write 1 to {MAX_SAY_CHARS} characters"
                );
                table.fault(Some(*line), reason);
            }
            table.finish();
            if let (Some(when), Some((_, say))) = (when, say) {
                let name = name.map_or_else(|| format!("check-{number}"), |(_, name)| name);
                checks.push(CheckSettings { name, when, say });
            }
        });
        checks
    }
}

/// What is wrong with an entry of `forbidden`.
fn wrong_word(text: &str) -> Option<String> {
    if text.chars().count() > MAX_FORBIDDEN_CHARS {
        return Some(format!("an entry has {MAX_FORBIDDEN_CHARS} characters at most"));
    }
    if rules::words::folded(text).is_empty() {
        return Some(format!("\"{text}\" holds no letter and no digit: write a word"));
    }
    text.contains('*').then(|| {
        format!("\"{text}\" is no word: there are no patterns, so write each form of the word")
    })
}
