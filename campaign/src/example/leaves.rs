//! Writes texts and numbers, by the schema and by what was learnt.

use serde_json::Value;

use super::dice::Dice;
use super::lessons::Measure;
use super::place::Place;
use super::text::Wanted;
use super::writer::Writer;
use super::{Limit, form, numbers};
use crate::safe_text;

/// Writes the number of a place.
pub(super) fn number(writer: &Writer<'_>, schema: &Value, place: &Place) -> Result<Value, Limit> {
    let mut schema = schema.clone();
    let learnt = writer.lessons.of(&place.pointer, Measure::Size);
    for (keyword, bound) in [("minimum", learnt.least), ("maximum", learnt.most)] {
        if let Some(bound) = bound.filter(|_| schema.get(keyword).is_none()) {
            schema[keyword] = bound.into();
        }
    }
    let mut wishes = writer.story.numbers.clone();
    let nth = writer.numbers.get();
    writer.numbers.set(nth + 1);
    let turn = nth % wishes.len().max(1);
    wishes.rotate_left(turn);
    let chance = Dice::new(&[writer.seed, &place.pointer]).throw();
    numbers::number(&schema, &wishes, chance, writer.variant.get())
        .ok_or_else(|| place.limit("find a number within the bounds"))
}

/// Writes the text of a place.
pub(super) fn text(writer: &Writer<'_>, schema: &Value, place: &Place) -> Result<Value, Limit> {
    let (least, most) = writer.lessons.bounds(&place.pointer, Measure::Chars, schema);
    let all = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
    let said = |keyword: &'static str| all.clone().filter_map(move |part| part[keyword].as_str());
    let wanted = Wanted {
        story: writer.story,
        name: &place.name,
        item: place.item,
        nth: writer.texts.get(),
        variant: writer.variant.get(),
        least,
        most,
        patterns: said("pattern").collect(),
        formats: said("format").collect(),
    };
    let is_plain =
        ["pattern", "format", "not", "allOf"].iter().all(|rule| schema.get(*rule).is_none());
    let validator = if is_plain { None } else { form::validator(writer.root, schema) };
    let fits = |text: &str| {
        // What counts is what is read, as for every answer.
        let text = safe_text::decoded(Value::from(text));
        let read = text.as_str().unwrap_or_default();
        let length = read.chars().count();
        !safe_text::shows_nothing(read)
            && length >= least
            && most.is_none_or(|most| length <= most)
            && validator.as_ref().is_none_or(|validator| validator.is_valid(&text))
    };
    writer.texts.set(writer.texts.get() + 1);
    let mut dice = Dice::new(&[writer.seed, &place.pointer, &writer.variant.get().to_string()]);
    let text = wanted.text(&mut dice, &fits);
    text.map(Value::String).ok_or_else(|| place.limit(wanted.description()))
}
