//! Places in what an answer is held against, and in the answer itself: `event.properties.show`,
//! `items[0].url`, `attributes.custom_attribute.genre`, `answer.heading`.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::grounds::{Item, Told};

/// Most steps of a place; what is remembered of an event is no deeper.
const MAX_STEPS: usize = 16;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// What the model answered.
    Answer,
    /// The newest event: its fields that the campaign lists, and its `id`, `time` and `type`.
    Event,
    /// The attributes that the campaign lists.
    Attributes,
    /// The items that the prompt used.
    Items,
}

/// A step from a value to one in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// To what has a name.
    Name(String),
    /// To an element of a list, from 0.
    Place(usize),
}

/// A place below a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where it begins.
    pub root: Root,
    /// The way from there.
    pub steps: Vec<Step>,
}

impl Root {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Answer, Self::Event, Self::Attributes, Self::Items];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Event => "event",
            Self::Attributes => "attributes",
            Self::Items => "items",
        }
    }

    /// The root of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|root| root.name() == name)
    }

    /// What a model was told of it; nothing of the answer, which is no part of that.
    pub(crate) fn told(self, told: &Told) -> Value {
        match self {
            Self::Answer => Value::Null,
            Self::Event => told.event.as_ref().map_or(Value::Null, |event| {
                let mut fields = event.fields.clone();
                fields.insert("id".to_owned(), event.id.as_str().into());
                fields.insert("time".to_owned(), event.time.into());
                fields.insert("type".to_owned(), event.event_type.as_str().into());
                Value::Object(fields)
            }),
            Self::Attributes => {
                let mut all = Map::new();
                for (name, value) in told.attributes.iter().filter(|(_, value)| !value.is_null()) {
                    match name.strip_prefix(contract::attributes::CUSTOM_PREFIX) {
                        None => drop(all.insert(name.clone(), value.clone())),
                        Some(name) => {
                            let custom = all.entry(CUSTOM).or_insert_with(|| Map::new().into());
                            if let Value::Object(custom) = custom {
                                custom.insert(name.to_owned(), value.clone());
                            }
                        }
                    }
                }
                Value::Object(all)
            }
            Self::Items => {
                let value = |item: &Option<Arc<Item>>| match item {
                    Some(item) => Value::Object((**item).clone()),
                    None => Value::Null,
                };
                told.items.iter().map(value).collect()
            }
        }
    }
}

/// The group of custom attributes.
const CUSTOM: &str = "custom_attribute";

impl Reference {
    /// Reads a place, or says what is wrong with it, and what would be right.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let inside = text.trim();
        let inside = inside.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(inside) = inside {
            return Err(format!("\"{text}\" is Liquid: write {}", inside.trim()));
        }
        let wrong = || {
            format!(
                "\"{text}\" is no place: write e.g. \"items[0].url\", \"event.properties.show\" or \"attributes.first_name\""
            )
        };
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let root = Root::named(&text[..end]);
        let mut steps = Vec::new();
        let mut rest = &text[end..];
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                steps.push(Step::Name(behind[..end].to_owned()));
                rest = &behind[end..];
            } else {
                let inside = rest.strip_prefix('[').ok_or_else(wrong)?;
                let (inside, behind) = inside.split_once(']').ok_or_else(wrong)?;
                let name = inside.trim_matches(['"', '\'']);
                steps.push(match inside.parse() {
                    Ok(place) => Step::Place(place),
                    Err(_) if name.len() < inside.len() => Step::Name(name.to_owned()),
                    Err(_) => return Err(wrong()),
                });
                rest = behind;
            }
        }
        let is_blank = |step: &Step| matches!(step, Step::Name(name) if name.trim().is_empty());
        match root {
            Some(root) if !steps.is_empty() && steps.len() <= MAX_STEPS => {
                if steps.iter().any(is_blank) { Err(wrong()) } else { Ok(Self { root, steps }) }
            }
            Some(_) => Err(wrong()),
            None => {
                let known = Root::ALL.into_iter().filter(|root| *root != Root::Answer);
                let meant = dialect::did_you_mean(&text[..end], known.map(Root::name));
                let meant = if meant.is_empty() { String::new() } else { format!("{meant} ") };
                Err(format!("{}{meant}", wrong()).trim_end().to_owned())
            }
        }
    }

    /// The names on the way, up to the first element of a list.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.steps.iter().map_while(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Place(_) => None,
        });
        names.collect()
    }

    /// The name of the attribute that it leads to, as a campaign lists it.
    pub(crate) fn attribute(&self) -> Option<String> {
        match self.names().as_slice() {
            _ if self.root != Root::Attributes => None,
            [group, name, ..] if *group == CUSTOM => Some(format!("{CUSTOM}.{name}")),
            [name, ..] => Some((*name).to_owned()),
            [] => None,
        }
    }

    /// The column of an item that it leads to.
    pub(crate) fn column(&self) -> Option<&str> {
        match self.steps.as_slice() {
            [Step::Place(_), Step::Name(column), ..] if self.root == Root::Items => Some(column),
            _ => None,
        }
    }

    /// What stands there in the value of its root; what is null is not there.
    pub(crate) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        let found = self.steps.iter().try_fold(root, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Place(place) => value.get(place),
        });
        found.filter(|value| !value.is_null())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.name())?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Place(place) => write!(f, "[{place}]"),
            Step::Name(name) if name.contains(['.', '[', ' ']) => write!(f, "[{name:?}]"),
            Step::Name(name) => write!(f, ".{name}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Past;

    fn told() -> Told {
        let fields = json!({ "properties": { "show": "Signal 9", "none": null } });
        let Value::Object(item) = json!({ "id": "e-1", "url": "https://a/" }) else { panic!() };
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let (id, event_type) = ("e".to_owned(), "t".to_owned());
        Told {
            prompt: "p".to_owned(),
            event: Some(Past { id, time: 7, event_type, fields }),
            attributes: [
                ("first_name".to_owned(), json!("Ada")),
                ("custom_attribute.Favourite genre".to_owned(), json!("noir")),
                ("custom_attribute.gone".to_owned(), Value::Null),
            ]
            .into(),
            items: vec![Some(Arc::new(item))],
        }
    }

    #[test]
    fn a_place_is_read_written_and_found() {
        for (text, expected) in [
            ("event.properties.show", Some(json!("Signal 9"))),
            ("event[\"properties\"].show", Some(json!("Signal 9"))),
            ("event.time", Some(json!(7))),
            ("event.properties.none", None),
            ("items[0].url", Some(json!("https://a/"))),
            ("items[1].url", None),
            ("attributes.first_name", Some(json!("Ada"))),
            ("attributes.custom_attribute.Favourite genre", Some(json!("noir"))),
            ("attributes.custom_attribute.gone", None),
        ] {
            let place = Reference::read(text).expect(text);
            let root = place.root.told(&told());
            assert_eq!(place.find(&root).cloned(), expected, "{text}");
            assert_eq!(Reference::read(&place.to_string()).as_ref(), Ok(&place), "{place}");
        }
        let custom = Reference::read("attributes.custom_attribute.genre").expect("is a place");
        assert_eq!(custom.attribute().as_deref(), Some("custom_attribute.genre"));
    }

    #[test]
    fn what_is_no_place_is_told_with_what_would_be_right() {
        for (text, expected) in [
            ("{{ items[0].url }}", "is Liquid: write items[0].url"),
            ("item[0].url", "did you mean items?"),
            ("items", "is no place"),
            ("items[first].url", "is no place"),
            ("items[0", "is no place"),
            ("event..show", "is no place"),
            ("properties.show", "write e.g. \"items[0].url\", \"event.properties.show\""),
        ] {
            let wrong = Reference::read(text).expect_err(text);
            assert!(wrong.contains(expected), "{text}: {wrong}");
        }
    }
}
