//! A campaign made ready for use: template, condition and schema compiled, fallback
//! checked.

mod conditions;
mod demands;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use contract::attributes::{self, Attributes, MAX_KEPT, WEBHOOK};
use contract::user_record::Event;
use contract::wanted::{Unmarked, Wanted};
use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::answer::{self, BadAnswer};
use crate::condition::{Condition, NotEvaluated};
use crate::config::LanguageOf;
use crate::fallback::languages;
use crate::fault::{Fault, InvalidCampaigns};
use crate::folder::{self, Draft};
use crate::grounds::{Brief, Grounds, Lack, Rendering, Told};
use crate::known_catalogs::{ItemUse, KnownCatalogs};
use crate::known_events::KnownEvents;
use crate::passed::Passed;
use crate::past::Past;
use crate::prompt::{NotRendered, Outcome, Prompt, Rendered, Used};
use crate::prompt_hash::Parameters;
use crate::rules::Rules;
use crate::schema::travelling::{self, Irreducible, TravellingSchema};
use crate::warnings::{self, Look};
use crate::{Campaign, OnMissingItem, config, fallback, field, message, prompt, safe_text, schema};

/// The column that every item has.
const ID: &str = "id";

/// A campaign that can be generated for.
#[derive(Debug)]
pub struct CompiledCampaign {
    /// What the folder says.
    pub campaign: Campaign,
    /// What an event of its types must fulfil besides.
    pub condition: Option<Condition>,
    /// Which events end what waits.
    pub unless: Option<Condition>,
    /// Which events take content out of service.
    pub retract_when: Option<Condition>,
    /// The prompt's template.
    pub prompt: Prompt,
    /// The standing instructions, rendered.
    pub system: String,
    /// The content's schema: of the answer, and of what is taken over.
    pub validator: Validator,
    /// The part of the answer's schema that travels with each call.
    pub travelling_schema: Value,
    /// Its size, in bytes.
    pub schema_bytes: usize,
    /// Fields without which an event is not answered.
    pub required: BTreeSet<String>,
    /// What is worth a look, and no fault.
    pub warnings: Vec<Fault>,
    /// What decides an answer besides the prompt, hashed.
    parameters: Parameters,
    /// What is demanded of answers beyond their schema.
    rules: Rules,
    /// What the content takes over.
    passed: Passed,
}

/// What came of checking an answer.
#[derive(Debug)]
pub struct Examined {
    /// What it says, safe for its place, or why it is no content.
    pub content: Result<Map<String, Value>, BadAnswer>,
    /// The checks that did not apply, by their names: what they look at beside the answer is not
    /// there, or their operators do not fit it.
    pub unapplied: Vec<String>,
}

/// Reads and compiles every campaign in `folder`, in the order of their names.
pub fn load(folder: &Path) -> Result<Vec<Arc<CompiledCampaign>>, InvalidCampaigns> {
    let (drafts, mut faults) = folder::drafts(folder);
    let compiled = drafts.into_iter().filter_map(|draft| compile(draft, &mut faults));
    let campaigns: Vec<Arc<CompiledCampaign>> = compiled.map(Arc::new).collect();
    faults.extend(too_many_attributes(folder, campaigns.iter().map(|each| &**each)));
    if faults.is_empty() { Ok(campaigns) } else { Err(InvalidCampaigns(faults)) }
}

/// Does as [`load`] does, and looks besides at what no function needs: the messages, and
/// whether the events and the columns of catalogs that campaigns name are known. What is not
/// known is a fault, or only worth a look where `known` lets it pass.
pub fn check(
    folder: &Path,
    known: &KnownEvents,
    catalogs: &KnownCatalogs,
) -> Result<Vec<Arc<CompiledCampaign>>, InvalidCampaigns> {
    let (drafts, mut faults) = folder::drafts(folder);
    let mut campaigns = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let message = message::faults(&draft.folder);
        let unknown = known.unknown_to(&draft);
        let folder = draft.folder.clone();
        let mut compiled = compile(draft, &mut faults);
        faults.extend(message);
        if let Some(compiled) = &mut compiled {
            let (unknown, not_given) = catalogs.unknown_to(&folder, compiled);
            faults.extend(unknown);
            faults.extend(catalogs.unknown_to_settings(&folder, compiled));
            compiled.warnings.extend(not_given);
            compiled.warnings.extend(catalogs.texts_that_misfit(&folder, compiled));
        }
        if known.must_be {
            faults.extend(unknown);
            campaigns.extend(compiled);
        } else {
            campaigns.extend(compiled.map(|mut compiled| {
                compiled.warnings.extend(unknown);
                compiled
            }));
        }
    }
    faults.extend(too_many_attributes(folder, campaigns.iter()));
    if faults.is_empty() {
        Ok(campaigns.into_iter().map(Arc::new).collect())
    } else {
        Err(InvalidCampaigns(faults))
    }
}

/// Says so if campaigns list more attributes together than are kept of a user.
fn too_many_attributes<'c>(
    folder: &Path,
    campaigns: impl Iterator<Item = &'c CompiledCampaign>,
) -> Option<Fault> {
    let kept = campaigns.flat_map(|each| each.campaign.config.kept_attributes());
    let listed = kept.collect::<BTreeSet<&str>>().len();
    let reason = format!(
        "the campaigns list {listed} attributes together, and no more than {MAX_KEPT} are kept of a user: list fewer"
    );
    (listed > MAX_KEPT).then(|| Fault::new(folder, None, reason))
}

/// Compiles what can be read of a campaign and adds everything that is wrong with it.
fn compile(draft: Draft, faults: &mut Vec<Fault>) -> Option<CompiledCampaign> {
    let folder = draft.folder.clone();
    let mut blame = |file: &str, line: Option<usize>, reason: String| {
        faults.push(Fault::new(&folder.join(file), line, reason));
    };
    let conditions = conditions::compile(&draft.named, &mut blame);
    let fields: Option<BTreeSet<String>> = draft.named.paths();
    let mut blame_all = |file: &str, found: Vec<dialect::Fault>| {
        for fault in found {
            blame(file, Some(fault.line), fault.reason);
        }
    };
    let parts = |name: &str| draft.brand.part(name);
    let prompt = draft.prompt.as_ref().and_then(|text| {
        let compiled = match &fields {
            Some(fields) => {
                Prompt::compile(text, (fields, &draft.named.attributes), &parts).map(Some)
            }
            // Without the fields nothing else of it can be told.
            None => Prompt::faults_of_syntax(text, &parts).map(|()| None),
        };
        compiled.map_err(|found| blame_all("prompt.liquid", found)).ok().flatten()
    });
    let system = draft.system.as_ref().and_then(|text| {
        prompt::instructions(text, &parts).map_err(|found| blame_all("system.liquid", found)).ok()
    });
    let demands = demands::compile(&draft, &mut blame);
    let asked = demands.as_ref().and_then(|(_, passed)| Some(&passed.asked.as_ref()?.0));
    let (validator, reduced) = compile_schema(&draft, asked, &mut blame).unzip();
    let system = system.filter(|rendered| {
        let says = !safe_text::shows_nothing(rendered);
        if !says {
            let reason = "says nothing: write what the model is to do, and never to do";
            blame("system.liquid", None, reason.to_owned());
        }
        says
    });
    let of_fallbacks = demands.as_ref().map(|demands| demands::of_fallbacks(&draft, demands));
    let (broken, odd) = of_fallbacks.unwrap_or_default();
    let demands = demands.filter(|_| broken.is_empty());
    broken.into_iter().for_each(|(file, line, reason)| blame(&file, line, reason));
    let fallbacks = draft.fallback_texts();
    let schema_text = draft.schema_text.clone();
    let campaign = draft.finish()?;
    let (prompt, validator, reduced, system) = (prompt?, validator?, reduced?, system?);
    let (mut conditions, (rules, passed)) = (conditions?, demands?);
    let required = campaign.config.required.clone().unwrap_or_else(|| prompt.printed_bare.clone());
    let condition = conditions.remove(config::WHEN);
    let unless = conditions.remove(config::UNLESS);
    let retract_when = conditions.remove(config::RETRACT_WHEN);
    let looked_at = [
        (config::WHEN, condition.as_ref()),
        (config::UNLESS, unless.as_ref()),
        (config::RETRACT_WHEN, retract_when.as_ref()),
    ];
    let asked = passed.asked.as_ref().map_or(&campaign.answer_schema, |(asked, _)| asked);
    let mut warnings = warnings::of(&Look {
        folder: &folder,
        campaign: &campaign,
        prompt: &prompt,
        conditions: &looked_at,
        asked,
        reduced: &reduced,
        schema: &schema_text,
        fallbacks: &fallbacks,
    });
    let odd = odd.into_iter();
    warnings.extend(odd.map(|(file, line, why)| Fault::new(&folder.join(file), line, why)));
    let schema_bytes = reduced.schema.to_string().len();
    let parameters = Parameters::new(&campaign, asked, &system);
    Some(CompiledCampaign {
        condition,
        unless,
        retract_when,
        prompt,
        system,
        validator,
        travelling_schema: reduced.schema,
        schema_bytes,
        required,
        warnings,
        parameters,
        rules,
        passed,
        campaign,
    })
}

/// Compiles the schema of content, of which the model is asked `asked` where that is not all, and
/// holds fallback content against it.
fn compile_schema(
    draft: &Draft,
    asked: Option<&Value>,
    blame: &mut impl FnMut(&str, Option<usize>, String),
) -> Option<(Validator, TravellingSchema)> {
    let schema = draft.answer_schema.as_ref()?;
    let compiled = schema::compiled(&draft.schema_text, schema);
    let told = |(line, reason)| blame("answer.schema.json", line, reason);
    let validator = compiled.map_err(|found| found.into_iter().for_each(told)).ok();
    let asked = asked.unwrap_or(schema);
    let reduced = match travelling::reduced(asked, draft.named.structured_output) {
        Ok(reduced) => Some(reduced),
        // That was told when the file was read.
        Err(Irreducible::Reference(_)) => None,
        Err(error @ (Irreducible::Recursive | Irreducible::Large)) => {
            blame("answer.schema.json", Some(1), error.to_string());
            None
        }
    };
    if let Some(validator) = &validator
        // What nothing fits is no fault of what does not fit it.
        && schema::contradictions(schema).is_empty()
    {
        for (file, text, content) in draft.fallback_contents() {
            for (line, reason) in fallback::faults((text, content), (schema, validator)) {
                blame(&file, line, reason);
            }
        }
    }
    validator.zip(reduced)
}

/// Tells whether a value is there, and shows something.
fn is_there(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !safe_text::shows_nothing(text),
        Some(Value::Array(values)) => !values.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => true,
    }
}

/// What some campaign asks for: of fields, by their top-level names, those that its prompt may
/// see, and those that its conditions look at; and the attributes that it lists.
pub fn wanted_fields(campaigns: &[Arc<CompiledCampaign>]) -> Wanted {
    let kept = campaigns.iter().flat_map(|each| each.campaign.config.kept_attributes());
    let attributes = kept.map(str::to_owned).collect();
    let fields = campaigns.iter().flat_map(|each| &each.campaign.config.fields);
    let first = |field: &String| field.split('.').next().unwrap_or(field).to_owned();
    let conditions = campaigns.iter().flat_map(|each| each.conditions());
    let fields = fields.map(first).chain(conditions.flat_map(Condition::fields).cloned());
    let fields = fields.collect();
    Wanted { event_types: None, fields, attributes, unmarked: Unmarked::Stay }
}

/// The types of events that mean something to some campaign; `None` if any can.
pub fn wanted_event_types(campaigns: &[Arc<CompiledCampaign>]) -> Option<BTreeSet<String>> {
    let mut types = BTreeSet::new();
    for each in campaigns {
        types.extend(each.campaign.config.trigger.event_types.iter().cloned());
        for ends in [&each.unless, &each.retract_when].into_iter().flatten() {
            types.extend(ends.event_types()?.iter().cloned());
        }
    }
    Some(types)
}

impl CompiledCampaign {
    /// Tells whether an event asks for content.
    pub fn is_triggered_by(&self, event_type: &str, event: &Event) -> Result<bool, NotEvaluated> {
        if event_type == WEBHOOK {
            // Whoever sends it names the campaign, and means it.
            let named = event.fields.get(attributes::CAMPAIGN).and_then(Value::as_str);
            return Ok(named == Some(self.campaign.name.as_str()));
        }
        if !self.campaign.config.trigger.event_types.contains(event_type) {
            return Ok(false);
        }
        self.condition.as_ref().map_or(Ok(true), |condition| condition.holds(event_type, event))
    }

    /// Tells whether an event ends what waits for an event before it. One that triggers the
    /// campaign ends nothing: what waits is from then on what waits for it.
    pub fn ends(&self, event_type: &str, event: &Event) -> Result<bool, NotEvaluated> {
        self.takes_back(self.unless.as_ref(), event_type, event)
    }

    /// Tells whether an event takes content out of service that was written for one before
    /// it. One that triggers the campaign does not: its content takes the other's place.
    pub fn retracts(&self, event_type: &str, event: &Event) -> Result<bool, NotEvaluated> {
        self.takes_back(self.retract_when.as_ref(), event_type, event)
    }

    fn takes_back(
        &self,
        condition: Option<&Condition>,
        event_type: &str,
        event: &Event,
    ) -> Result<bool, NotEvaluated> {
        let Some(condition) = condition else { return Ok(false) };
        let holds = condition.holds(event_type, event)?;
        Ok(holds && !self.is_triggered_by(event_type, event).unwrap_or(false))
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        [&self.condition, &self.unless, &self.retract_when].into_iter().flatten()
    }

    /// The fields that the prompt needs and a remembered event lacks, because they are not
    /// there or show nothing.
    pub fn lacks(&self, past: &Past) -> Vec<&str> {
        let is_there = |path: &str| is_there(field(&past.fields, path));
        self.required.iter().map(String::as_str).filter(|path| !is_there(path)).collect()
    }

    /// Renders the prompt over what is known of a user, with all that follows from it.
    pub fn brief(&self, grounds: &Grounds<'_>) -> Result<Rendering, NotRendered> {
        let rendered = match self.prompt.render(grounds)? {
            Outcome::Wants(items) => return Ok(Rendering::Wants(items)),
            Outcome::Done(rendered) => rendered,
        };
        let skips = self.campaign.config.on_missing_item == OnMissingItem::Skip;
        if let Some(missing) = rendered.missing().next().filter(|_| skips) {
            return Ok(Rendering::Lacks(Lack::Item(missing.clone())));
        }
        let Rendered { text, used } = rendered;
        let lacking = self.lacking(grounds.attributes, &used);
        if !lacking.is_empty() {
            return Ok(Rendering::Lacks(Lack::Parts(lacking)));
        }
        if safe_text::shows_nothing(&text) {
            return Ok(Rendering::Lacks(Lack::Blank));
        }
        let told = self.told(text, grounds, used);
        let passed = match self.passed.values(&told, &self.campaign.answer_schema) {
            Ok(passed) => passed,
            Err(lacking) => return Ok(Rendering::Lacks(Lack::Parts(lacking))),
        };
        let (hash, language) = (self.hash_of(&told), self.language(told.event.as_ref()));
        Ok(Rendering::Asks(Box::new(Brief { told, hash, passed, language })))
    }

    /// The attributes and columns that the prompt prints bare, and that are not there or show
    /// nothing.
    fn lacking(&self, attributes: &Attributes, used: &[Used]) -> Vec<String> {
        let Prompt { bare_attributes, bare_columns, .. } = &self.prompt;
        let names = bare_attributes.iter().filter(|name| !is_there(attributes.get(*name)));
        let mut lacking: Vec<String> = names.map(|name| prompt::as_written(name)).collect();
        let found = used.iter().filter_map(|Used { key, item }| key.as_ref().zip(item.as_ref()));
        for (key, item) in found {
            let of_item = bare_columns.iter().filter(|(catalog, column)| {
                let is_meant = catalog.as_ref().is_none_or(|catalog| *catalog == key.catalog);
                is_meant && column != ID && !is_there(item.get(column))
            });
            lacking.extend(of_item.map(|(_, column)| format!("{column} of {key}")));
        }
        lacking
    }

    fn told(&self, prompt: String, grounds: &Grounds<'_>, used: Vec<Used>) -> Told {
        let listed = &self.campaign.config.attributes;
        let seen = listed.iter().filter_map(|name| grounds.attributes.get_key_value(name));
        Told {
            prompt,
            event: grounds.events.last().cloned(),
            attributes: seen.map(|(name, value)| (name.clone(), value.clone())).collect(),
            items: used.into_iter().map(|used| used.item).collect(),
        }
    }

    /// What `campaign.toml` looks at of the items that the prompt used.
    pub(crate) fn item_uses(&self) -> impl Iterator<Item = ItemUse> {
        self.rules.item_uses().chain(self.passed.item_uses())
    }

    /// What of its checks can never fit where every value of an item is a text, with the line.
    pub(crate) fn misfits_of_texts(&self) -> Vec<(usize, String)> {
        self.rules.misfits_of_texts(&self.campaign.answer_schema)
    }

    /// Checks an answer to what the model was told, and makes it safe.
    pub fn accept(&self, answer: &str, told: &Told) -> Result<Map<String, Value>, BadAnswer> {
        self.examine(answer, told).content
    }

    /// Does as [`CompiledCampaign::accept`] does, and tells which checks did not apply.
    pub fn examine(&self, answer: &str, told: &Told) -> Examined {
        let mut unapplied = Vec::new();
        let content = self.checked(answer, told, &mut unapplied);
        Examined { content, unapplied }
    }

    fn checked(
        &self,
        answer: &str,
        told: &Told,
        unapplied: &mut Vec<String>,
    ) -> Result<Map<String, Value>, BadAnswer> {
        let mut answer = answer::read(answer)?;
        self.passed.take_out(&mut answer);
        let validator = self.passed.asked.as_ref().map_or(&self.validator, |(_, asked)| asked);
        let answer = Value::Object(answer::valid(answer, validator)?);
        let outcome = self.rules.examine(&answer, told);
        unapplied.extend(outcome.unapplied);
        match answer {
            _ if !outcome.broken.is_empty() => Err(BadAnswer::AgainstRules(outcome.broken)),
            Value::Object(answer) => Ok(safe_text::safe(answer, &self.campaign.answer_schema)),
            _ => Err(BadAnswer::NotObject),
        }
    }

    /// The content of a user: what was answered, which may be the same for many, and what is
    /// taken over for this one ([`Brief::passed`]).
    pub fn content(
        &self,
        data: Map<String, Value>,
        passed: &Map<String, Value>,
    ) -> Map<String, Value> {
        self.passed.merge(data, passed)
    }

    /// The part of the schema that the model is asked for: all but what is taken over.
    pub fn asked_schema(&self) -> &Value {
        self.passed.asked.as_ref().map_or(&self.campaign.answer_schema, |(asked, _)| asked)
    }

    /// The language that an event says for fallback content, if the campaign names a field for
    /// it.
    pub fn language(&self, event: Option<&Past>) -> Option<String> {
        let Some(LanguageOf::Event(path)) = &self.campaign.config.fallback_language else {
            return None;
        };
        let language = field(&event?.fields, path)?.as_str()?.trim().replace('_', "-");
        languages::is_tag(&language).then_some(language)
    }

    /// The language in which a user gets fallback content, as far as it is known of them: by the
    /// attribute, or the field of their newest event, that the campaign names.
    pub fn language_of(&self, attributes: &Attributes, newest: Option<&Past>) -> Option<String> {
        match self.campaign.config.fallback_attribute() {
            Some(name) => Some(attributes.get(name)?.as_str()?.replace('_', "-")),
            None => self.language(newest),
        }
    }

    /// Identifies everything that decides an answer: what [`CompiledCampaign::prompt_hash`] does,
    /// and what the campaign's checks look at.
    pub fn hash_of(&self, told: &Told) -> String {
        self.parameters.with(&told.prompt, &self.rules.seen(told))
    }

    /// Identifies a prompt of a campaign whose checks look at the answer alone; others have
    /// [`CompiledCampaign::hash_of`].
    pub fn prompt_hash(&self, prompt: &str) -> String {
        self.hash_of(&Told::prompt(prompt))
    }
}
