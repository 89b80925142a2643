//! What a campaign demands of content beyond its schema, held against its other files.

use serde_json::Value;

use crate::config::LanguageOf;
use crate::folder::Draft;
use crate::lines::line_of;
use crate::passed::Passed;
use crate::reference::{Reference, Root, Step};
use crate::rules::Rules;
use crate::{safe_text, schema, sources};

/// What is said of a line of a file.
type Said = (String, Option<usize>, String);

/// Holds fallback content against what a campaign forbids in answers: what is wrong, and what is
/// worth a look. What is taken over is no part of an answer.
pub(super) fn of_fallbacks(
    draft: &Draft,
    (rules, passed): &(Rules, Passed),
) -> (Vec<Said>, Vec<Said>) {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    for (file, text, content) in draft.fallback_contents() {
        let mut content = safe_text::decoded(Value::Object(content.clone()));
        passed.take_out(&mut content);
        for (place, told) in rules.broken_by_author(&content) {
            let line = line_of(text, &place);
            match told {
                Err(reason) => faults.push((file.clone(), line, reason)),
                Ok(reason) => warnings.push((file.clone(), line, reason)),
            }
        }
    }
    let misnamed = draft.misnamed_fallbacks.iter();
    warnings.extend(misnamed.map(|(file, reason)| (file.clone(), None, reason.clone())));
    (faults, warnings)
}

/// Compiles rules and what is taken over; `None` if something is wrong with them, or if there is
/// no schema to hold them against.
pub(super) fn compile(
    draft: &Draft,
    blame: &mut impl FnMut(&str, Option<usize>, String),
) -> Option<(Rules, Passed)> {
    let mut told = |line: Option<usize>, reason| blame("campaign.toml", line, reason);
    if let Some((line, LanguageOf::Event(path))) = &draft.named.fallback_language {
        let steps = path.split('.').map(|name| Step::Name(name.to_owned())).collect();
        let wrong = sources::wrong(&Reference { root: Root::Event, steps }, &draft.named);
        wrong.into_iter().for_each(|reason| {
            told(Some(*line), format!("fallback.language: {reason}"));
        });
    }
    // What is no schema has no properties to speak of.
    let schema = draft.answer_schema.as_ref().filter(|schema| schema::validator(schema).is_ok())?;
    let rules = Rules::compile(&draft.named, schema);
    let rules = rules.map_err(|found| {
        found.into_iter().for_each(|(line, reason)| told(Some(line), reason));
    });
    let passed = Passed::compile(&draft.named, schema);
    let passed = passed.map_err(|found| {
        found.into_iter().for_each(|(line, reason)| told(line, reason));
    });
    rules.ok().zip(passed.ok())
}
