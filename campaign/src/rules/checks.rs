//! The checks that a campaign writes itself: `[[checks]]`.
//!
//! What a check looks at of event, attributes and items may be missing for one user: then it
//! does not apply. An item that is in no catalog has its place among the items all the same, and
//! only what goes over all of them passes it by. What it looks at of the answer must be there. A prompt shows `<`, `>` and `"`
//! of values as look-alikes, which an answer repeats: a check is met by either form.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Broken, Outcome, taken_over};
use crate::condition::{Kind, Kinds, Question, Unanswered};
use crate::config::{CheckSettings, Named};
use crate::grounds::Told;
use crate::known_catalogs::ItemUse;
use crate::prompt::without_delimiters;
use crate::reference::{Reference, Root, Step};
use crate::schema::places;
use crate::sources;

/// The name of the setting where something is wrong with it.
const SETTING: &str = "checks: when";

/// A compiled check.
#[derive(Debug)]
pub(crate) struct Check {
    name: String,
    say: String,
    question: Question,
    roots: BTreeSet<Root>,
    /// Its line in `campaign.toml`.
    line: usize,
}

/// What became of one check.
enum Fate {
    Met,
    Broken,
    Unapplied,
}

impl Check {
    /// Compiles a check, or says what is wrong in which line of `campaign.toml`.
    pub(crate) fn compile(
        check: &CheckSettings,
        named: &Named,
        schema: &Value,
    ) -> Result<Self, Vec<(usize, String)>> {
        let question = Question::compile(SETTING, &check.when)?;
        let mut wrong: Vec<String> = question
            .places()
            .iter()
            .filter_map(|place| wrong_place(place, named, schema))
            .collect();
        if wrong.is_empty() {
            wrong.extend(question.misfits(&|place| kinds(place, schema)));
        }
        let roots = question.roots();
        if !roots.contains(&Root::Answer) {
            let reason = "looks at no part of the answer, so that no other answer would mend it: name one, such as answer.heading";
            wrong.push(reason.to_owned());
        }
        if !wrong.is_empty() {
            let line = check.when.line;
            return Err(wrong.into_iter().map(|why| (line, format!("{SETTING}: {why}"))).collect());
        }
        let (name, say, line) = (check.name.clone(), check.say.clone(), check.when.line);
        Ok(Self { name, say, question, roots, line })
    }

    /// The places that it looks at.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Reference> {
        self.question.places().iter()
    }

    /// The roots that it looks at as a whole.
    pub(crate) fn whole(&self) -> impl Iterator<Item = Root> {
        self.question.whole().iter().copied()
    }

    /// What it looks at of items.
    pub(super) fn item_uses(&self) -> Vec<ItemUse> {
        let of = |written: &str, column: Option<&String>| ItemUse {
            line: self.line,
            written: format!("{SETTING}: {written}"),
            column: column.cloned(),
        };
        let columns = self.question.columns().iter();
        let mut uses: Vec<_> = columns.map(|(written, column)| of(written, Some(column))).collect();
        if uses.is_empty() && self.roots.contains(&Root::Items) {
            uses.push(of(Root::Items.name(), None));
        }
        uses
    }

    /// What of it can never fit where every value of an item is a text.
    pub(super) fn misfits_of_texts(&self, schema: &Value) -> Vec<(usize, String)> {
        let kind_of = |place: &Reference| match place.column() {
            Some(_) if place.steps.len() == 2 => Some([Kind::Text].into()),
            _ => kinds(place, schema),
        };
        let misfits = self.question.misfits(&kind_of).into_iter();
        misfits.map(|why| (self.line, format!("{SETTING}: {why}"))).collect()
    }

    /// Whether it goes over the items without naming the place of one.
    fn goes_over_items(&self) -> bool {
        self.whole().any(|root| root == Root::Items)
            && self.places().all(|place| place.root != Root::Items)
    }

    fn fate(&self, values: &BTreeMap<Root, &Value>) -> Fate {
        let items = values.get(&Root::Items).filter(|_| self.goes_over_items());
        let there = items.map(|items| without_gaps(items));
        let mut values = values.clone();
        values.extend(there.iter().map(|there| (Root::Items, there)));
        let seen = values.iter().filter(|(root, _)| self.roots.contains(root));
        let unanswered = match self.question.is_met(seen.map(|(root, value)| (*root, *value))) {
            Ok(true) => return Fate::Met,
            Ok(false) => return Fate::Broken,
            Err(unanswered) => unanswered,
        };
        let is_missing = |place: &&Reference| {
            values.get(&place.root).is_none_or(|root| place.find(root).is_none())
        };
        let missing: BTreeSet<Root> =
            self.places().filter(is_missing).map(|place| place.root).collect();
        let is_of_answer = |roots: &BTreeSet<Root>| roots.iter().all(|root| *root == Root::Answer);
        if missing.is_empty() {
            // Within a list, of which no place is known.
            let is_mendable = unanswered == Unanswered::Missing && is_of_answer(&self.roots);
            return if is_mendable { Fate::Broken } else { Fate::Unapplied };
        }
        if is_of_answer(&missing) { Fate::Broken } else { Fate::Unapplied }
    }
}

/// Holds an answer against all checks.
pub(super) fn examine(checks: &[Check], answer: &Value, told: &Told, outcome: &mut Outcome) {
    let roots: BTreeSet<Root> = checks.iter().flat_map(|check| &check.roots).copied().collect();
    let told: BTreeMap<Root, Value> = roots
        .into_iter()
        .filter(|root| *root != Root::Answer)
        .map(|root| (root, root.told(told)))
        .collect();
    let mut values: BTreeMap<Root, &Value> =
        told.iter().map(|(root, value)| (*root, value)).collect();
    values.insert(Root::Answer, answer);
    let shown: BTreeMap<Root, Value> = told
        .iter()
        .map(|(root, value)| (*root, as_shown(value)))
        .filter(|(root, shown)| told.get(root) != Some(shown))
        .collect();
    for check in checks {
        let mut fate = check.fate(&values);
        if matches!(fate, Fate::Broken) && !shown.is_empty() {
            let mut values = values.clone();
            values.extend(shown.iter().map(|(root, value)| (*root, value)));
            fate = check.fate(&values);
        }
        let Check { name, say, .. } = check;
        match fate {
            Fate::Met => {}
            Fate::Unapplied => outcome.unapplied.push(name.clone()),
            Fate::Broken => {
                let (rule, place, say) = (name.clone(), String::new(), say.clone());
                outcome.broken.push(Broken { rule, place, say });
            }
        }
    }
}

/// The items that there are.
fn without_gaps(items: &Value) -> Value {
    let items = items.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter(|item| !item.is_null()).cloned().collect()
}

/// A value as a prompt shows it.
fn as_shown(value: &Value) -> Value {
    match value {
        Value::String(text) => without_delimiters(text).into(),
        Value::Array(values) => values.iter().map(as_shown).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), as_shown(value))).collect()
        }
        other => other.clone(),
    }
}

/// What is wrong with a place that a check looks at.
fn wrong_place(place: &Reference, named: &Named, schema: &Value) -> Option<String> {
    match place.root {
        Root::Answer => wrong_part(place, named, schema),
        Root::Event | Root::Attributes | Root::Items => sources::wrong(place, named),
    }
}

fn wrong_part(place: &Reference, named: &Named, schema: &Value) -> Option<String> {
    if let Some(passage) = taken_over(&place.names(), &named.fields_from) {
        let source = &passage.source;
        return Some(format!("{place} is taken over and no part of the answer: write {source}"));
    }
    let mut of = places::Of::root(schema);
    for step in &place.steps {
        let inside = match step {
            Step::Name(name) => of.property(name),
            Step::Place(place) => of.item(*place),
        };
        if inside.is_nothing() {
            let Step::Name(name) = step else {
                return Some(format!("{place} looks into what is no list in answer.schema.json"));
            };
            let remedy = match dialect::did_you_mean(name, of.properties()) {
                meant if meant.is_empty() => ": it has ".to_owned() + &joined(of.properties()),
                meant => meant,
            };
            return Some(format!(
                "{place}: \"{name}\" is no property in answer.schema.json{remedy}"
            ));
        }
        of = inside;
    }
    None
}

/// Of which kinds the value of a place is, where that is known: the schema says it of the answer.
fn kinds(place: &Reference, schema: &Value) -> Kinds {
    let names = place.names();
    match place.root {
        Root::Answer => {
            let of = place.steps.iter().fold(places::Of::root(schema), |of, step| match step {
                Step::Name(name) => of.property(name),
                Step::Place(place) => of.item(*place),
            });
            of.kinds()
        }
        Root::Event => match names.as_slice() {
            ["time"] => Some([Kind::Number].into()),
            ["id" | "type"] => Some([Kind::Text].into()),
            _ => None,
        },
        Root::Items if place.steps.len() == 1 => Some([Kind::Null, Kind::Object].into()),
        Root::Items | Root::Attributes => None,
    }
}

fn joined<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none there".to_owned() } else { names.join(", ") }
}
