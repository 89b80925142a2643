//! The schema in a container's header, as far as reading its records needs it.
//!
//! Java's container reader, which Braze writes for, does not hold a schema against the
//! specification, and neither does this one: defaults, aliases, orders, logical types and
//! the rules for names say nothing about how records are written. Types may be named before
//! they are defined, and defined twice: a name means the definition before it, if there is
//! one, else the one after it.
//!
//! Leaves out schemas that are no JSON because something is missing in them: it could be
//! the mark of a personal field.
//!
//! Above 400 lines with its tests, which show beside the code what is taken and what is not.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::read::json;
use crate::read::layout::{Field, FieldName, Node, NodeId};
use crate::read::lenient::{self, Soundness};

/// Deepest JSON that is read where it is not quite JSON; the JSON library has a limit of its
/// own near it.
const MAX_DEPTH: usize = 100;

/// Most fields of a schema, those of nested records included; Currents' own have 70 at most.
pub const MAX_FIELDS: usize = 4_096;

/// How Braze marks a field as personal.
const PERSONAL_MARK: &str = "[PII]";

/// Why a schema cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSchema {
    /// It is not JSON.
    #[error("schema is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// Where a type should be is none.
    #[error("schema has no type where one should be")]
    NoType,
    /// It names a type that it does not define.
    #[error("schema does not define the type \"{0}\"")]
    UnknownType(String),
    /// A type lacks what its values cannot be read without.
    #[error("schema has {0}")]
    Incomplete(&'static str),
    /// It has more fields than [`MAX_FIELDS`].
    #[error("schema has more than {MAX_FIELDS} fields")]
    TooManyFields,
}

/// A schema of records.
#[derive(Debug)]
pub(crate) struct RecordSchema {
    /// Name of the records, with its namespace.
    pub(crate) full_name: String,
    /// Their fields, and those that the schema marks as personal.
    pub(crate) fields: Vec<(RootField, Field)>,
    pub(crate) nodes: Vec<Node>,
}

/// What is said of a field of the records themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootField {
    pub(crate) name: String,
    pub(crate) is_personal: bool,
}

/// Reads the JSON of a schema.
pub(crate) fn parse(text: &[u8]) -> Result<Value, InvalidSchema> {
    let error = match serde_json::from_slice(text) {
        Ok(schema) => return Ok(schema),
        Err(error) => error,
    };
    // Such as a default of NaN, which Python writes, or half of an emoji in a doc.
    let mut mended = Vec::new();
    match lenient::write(&String::from_utf8_lossy(text), MAX_DEPTH, &mut mended) {
        Some(Soundness::Sound | Soundness::Mended) => {
            serde_json::from_slice(&mended).map_err(InvalidSchema::NotJson)
        }
        Some(Soundness::Broken) | None => Err(InvalidSchema::NotJson(error)),
    }
}

/// Reads a schema of records; `None` for one of anything else.
pub(crate) fn records(schema: &Value) -> Result<Option<RecordSchema>, InvalidSchema> {
    let Some(record) = record_in(schema) else { return Ok(None) };
    let mut types = Types::default();
    let root = types.record(record, "")?;
    types.resolve()?;
    // A record that holds itself needs its fields in both places.
    let Some(Node::Record(fields)) = types.nodes.get(root) else { return Ok(None) };
    let fields = root_fields(record).into_iter().zip(fields.iter().cloned()).collect();
    let full_name = name(record, "").0.unwrap_or_default();
    Ok(Some(RecordSchema { full_name, fields, nodes: types.nodes }))
}

/// The record that a schema is, perhaps as the type of a type.
fn record_in(schema: &Value) -> Option<&Map<String, Value>> {
    let mut map = schema.as_object()?;
    loop {
        match map.get("type")? {
            Value::Object(inner) => map = inner,
            // An error is a record that somebody returns.
            Value::String(kind) if matches!(kind.as_str(), "record" | "error") => return Some(map),
            _ => return None,
        }
    }
}

fn root_fields(record: &Map<String, Value>) -> Vec<RootField> {
    let fields = record.get("fields").and_then(Value::as_array).into_iter().flatten();
    let mut fields: Vec<RootField> = fields
        .map(|field| RootField {
            name: field["name"].as_str().unwrap_or_default().to_owned(),
            is_personal: is_personal(&field["doc"]),
        })
        .collect();
    // Of two fields with one name the values cannot be told apart later.
    let personal: HashSet<String> =
        fields.iter().filter(|field| field.is_personal).map(|field| field.name.clone()).collect();
    for field in &mut fields {
        field.is_personal |= personal.contains(&field.name);
    }
    fields
}

fn is_personal(doc: &Value) -> bool {
    match doc {
        Value::String(doc) => doc.trim_start().starts_with(PERSONAL_MARK),
        Value::Null => false,
        // No text, and yet something is said.
        other => other.to_string().contains(PERSONAL_MARK),
    }
}

/// The full name of a type, if it has one, and the namespace of what it holds.
fn name(map: &Map<String, Value>, space: &str) -> (Option<String>, String) {
    let text = |key| map.get(key).and_then(Value::as_str);
    let Some(name) = text("name") else { return (None, space.to_owned()) };
    if let Some((space, _)) = name.rsplit_once('.') {
        return (Some(name.to_owned()), space.to_owned());
    }
    let space = text("namespace").unwrap_or(space);
    (Some(full_name(name, space)), space.to_owned())
}

fn full_name(name: &str, space: &str) -> String {
    if space.is_empty() || name.contains('.') { name.to_owned() } else { format!("{space}.{name}") }
}

/// The types of a schema, as they are met.
#[derive(Default)]
struct Types {
    nodes: Vec<Node>,
    named: HashMap<String, NodeId>,
    /// Nodes that stand for types that were not defined yet, with the names that can mean
    /// one, the likelier first.
    pending: HashMap<NodeId, [String; 2]>,
    fields: usize,
}

impl Types {
    fn node(&mut self, schema: &Value, space: &str) -> Result<NodeId, InvalidSchema> {
        match schema {
            Value::String(name) => Ok(self.type_named(name, space)),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.node(branch, space));
                let branches = branches.collect::<Result<_, _>>()?;
                Ok(self.add(Node::Union(branches)))
            }
            Value::Object(map) => match map.get("type") {
                Some(Value::String(kind)) => self.complex(kind, map, space),
                Some(inner) => self.node(inner, space),
                None => Err(InvalidSchema::NoType),
            },
            _ => Err(InvalidSchema::NoType),
        }
    }

    fn complex(
        &mut self,
        kind: &str,
        map: &Map<String, Value>,
        space: &str,
    ) -> Result<NodeId, InvalidSchema> {
        let node = match kind {
            "record" | "error" => return self.record(map, space),
            "enum" => Node::Enum(symbols(map)?),
            "fixed" => Node::Fixed(size(map)?),
            "array" => {
                let items = map.get("items").ok_or(InvalidSchema::NoType)?;
                Node::Array(self.node(items, space)?)
            }
            "map" => {
                let values = map.get("values").ok_or(InvalidSchema::NoType)?;
                Node::Map(self.node(values, space)?)
            }
            name => return Ok(self.type_named(name, space)),
        };
        let is_named = matches!(node, Node::Enum(_) | Node::Fixed(_));
        let id = self.add(node);
        if is_named {
            self.define(map, space, id);
        }
        Ok(id)
    }

    fn record(&mut self, map: &Map<String, Value>, space: &str) -> Result<NodeId, InvalidSchema> {
        let Some(Value::Array(fields)) = map.get("fields") else {
            return Err(InvalidSchema::Incomplete("a record without fields"));
        };
        self.fields += fields.len();
        if self.fields > MAX_FIELDS {
            return Err(InvalidSchema::TooManyFields);
        }
        // Known before its fields are, because they may refer to it.
        let id = self.add(Node::Null);
        let space = self.define(map, space, id);
        let mut planned = Vec::with_capacity(fields.len());
        for field in fields {
            let Value::String(name) = &field["name"] else {
                return Err(InvalidSchema::Incomplete("a field without a name"));
            };
            let node = self.node(&field["type"], &space)?;
            planned.push(Field { name: FieldName::new(name), node });
        }
        self.nodes[id] = Node::Record(planned);
        Ok(id)
    }

    /// Finds the type that a name means.
    fn type_named(&mut self, name: &str, space: &str) -> NodeId {
        if let Some(primitive) = primitive(name) {
            return self.add(primitive);
        }
        let names = [full_name(name, space), name.to_owned()];
        if let Some(&id) = names.iter().find_map(|name| self.named.get(name)) {
            return id;
        }
        let id = self.add(Node::Null);
        self.pending.insert(id, names);
        id
    }

    /// Puts the types that were defined later in the places where they were named.
    fn resolve(&mut self) -> Result<(), InvalidSchema> {
        let mut meant = HashMap::new();
        for (id, names) in &self.pending {
            let found = names.iter().find_map(|name| self.named.get(name));
            let [_, name] = names;
            meant.insert(*id, *found.ok_or_else(|| unknown(name))?);
        }
        let replace = |id: &mut NodeId| *id = meant.get(id).copied().unwrap_or(*id);
        for node in &mut self.nodes {
            match node {
                Node::Array(item) | Node::Map(item) => replace(item),
                Node::Union(branches) => branches.iter_mut().for_each(replace),
                Node::Record(fields) => fields.iter_mut().for_each(|f| replace(&mut f.node)),
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Notes the name of a type and returns the namespace of what it holds.
    fn define(&mut self, map: &Map<String, Value>, space: &str, id: NodeId) -> String {
        let (name, space) = name(map, space);
        if let Some(name) = name {
            self.named.insert(name, id);
        }
        space
    }
}

fn unknown(name: &str) -> InvalidSchema {
    // The name goes into a dead letter, so a hostile one is cut.
    InvalidSchema::UnknownType(name.chars().take(64).collect())
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::Text,
        _ => return None,
    })
}

/// The symbols of an enum as JSON strings.
fn symbols(map: &Map<String, Value>) -> Result<Vec<Vec<u8>>, InvalidSchema> {
    let Some(Value::Array(symbols)) = map.get("symbols") else {
        return Err(InvalidSchema::Incomplete("an enum without symbols"));
    };
    let quoted = |symbol: &Value| match symbol {
        Value::String(symbol) => json::quoted(symbol),
        other => json::quoted(&other.to_string()),
    };
    Ok(symbols.iter().map(quoted).collect())
}

fn size(map: &Map<String, Value>) -> Result<usize, InvalidSchema> {
    let size = map.get("size").and_then(Value::as_u64);
    let size = size.and_then(|size| usize::try_from(size).ok());
    size.ok_or(InvalidSchema::Incomplete("a fixed type without a size"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn read(schema: &str) -> RecordSchema {
        let schema = parse(schema.as_bytes()).expect("is JSON");
        records(&schema).expect("can be read").expect("is a record")
    }

    fn field<'s>(schema: &'s RecordSchema, name: &str) -> &'s Node {
        let place = schema.fields.iter().position(|(field, _)| field.name == name);
        &schema.nodes[schema.fields[place.expect("is there")].1.node]
    }

    #[test]
    fn names_may_be_anything_and_lead_to_their_types() {
        let schema = json!({
            "type": "record", "name": "Inner", "namespace": "com.example.Outer$", "fields": [
                { "name": "n-me", "type": "string" },
                { "name": "2nd field", "type":
                    { "type": "enum", "name": "E.é", "symbols": ["a b", "c", "c", 7] } },
                { "name": "by full name", "type": "E.é" },
                { "name": "itself", "type": ["null", "Inner", "com.example.Outer$.Inner"] },
                { "name": "same", "type": { "type": "fixed", "name": "F", "size": 2 } },
                { "name": "same", "type": "F" },
                { "name": "elsewhere", "type": { "type": "record", "name": "x.R", "fields": [
                    { "name": "short", "type": { "type": "fixed", "name": "F", "size": 3 } },
                    { "name": "nearest", "type": "F" },
                ] } },
                { "name": "far", "type": "x.F" },
            ],
        });

        let schema = read(&schema.to_string());

        assert_eq!(schema.full_name, "com.example.Outer$.Inner");
        let symbols = ["\"a b\"", "\"c\"", "\"c\"", "\"7\""].map(|s| s.as_bytes().to_vec());
        for name in ["2nd field", "by full name"] {
            assert!(matches!(field(&schema, name), Node::Enum(found) if *found == symbols));
        }
        assert!(matches!(field(&schema, "itself"), Node::Union(ids) if ids[1..] == [0, 0]));
        assert!(matches!(field(&schema, "same"), Node::Fixed(2)));
        assert!(matches!(field(&schema, "far"), Node::Fixed(3)));
    }

    #[test]
    fn what_no_reader_needs_is_not_looked_at() {
        let schema = r#"{ "type": "record", "name": "R", "aliases": ["a-b", 7], "fields": [
            { "name": "a", "type": "int", "default": "none", "aliases": "x", "order": 3 },
            { "name": "b", "type": "double", "default": NaN, "doc": "cut \ud83d" },
            { "name": "c", "type": ["string", "null"], "default": 1e999, "doc": 5 },
            { "name": "d", "type": { "type": "bytes", "logicalType": "decimal", "scale": -1 } },
            { "name": "e", "type": { "type": "string", "avro.java.string": "String" } },
            { "name": "f", "type": { "type": { "type": "array", "items": "long", "default": 1 } } },
            { "name": "g", "type": { "type": "enum", "name": "E", "symbols": ["a"], "default": "z" } },
            { "name": "h", "type": ["null", "null", ["int", "R"]] },
            { "name": "i", "type": { "type": "int", "logicalType": ["x"] } }, // the last
        ], "namespace": 3, "doc": [] } end"#.replace("}, // the last\n        ]", "} // the last\n        ]");

        let schema = read(&format!("\u{feff}{schema}"));

        assert_eq!((schema.full_name.as_str(), schema.fields.len()), ("R", 9));
        assert!(matches!(field(&schema, "f"), Node::Array(_)));
    }

    #[test]
    fn a_type_can_be_named_before_it_is_defined_and_defined_twice() {
        let fixed = |size| json!({ "type": "fixed", "name": "F", "size": size });
        let schema = json!({ "type": "record", "name": "n.R", "fields": [
            { "name": "before", "type": { "type": "array", "items": "Later" } },
            { "name": "one", "type": fixed(1) },
            { "name": "ones", "type": { "type": "map", "values": "F" } },
            { "name": "two", "type": fixed(2) },
            { "name": "twos", "type": { "type": "map", "values": "F" } },
            { "name": "later", "type": { "type": "fixed", "name": "Later", "size": 9 } },
        ] });

        let schema = read(&schema.to_string());

        for (name, size) in [("before", 9), ("ones", 1), ("twos", 2)] {
            let (Node::Array(inner) | Node::Map(inner)) = field(&schema, name) else {
                panic!("{name} holds others");
            };
            assert!(matches!(schema.nodes[*inner], Node::Fixed(found) if found == size), "{name}");
        }
    }

    #[test]
    fn a_field_is_personal_however_its_schema_says_so() {
        let field = |name: &str, doc: Value| json!({ "name": name, "type": "int", "doc": doc });
        let schema = json!({ "type": "record", "name": "R", "fields": [
            field("a", json!(" [PII] x")), field("b", json!(["[PII] x"])), field("c", json!("x [PII]")),
            field("d", json!(null)), field("e", json!("[PII]")), field("e", json!("open")),
        ] });

        let schema = read(&schema.to_string());

        let personal: Vec<&str> = schema
            .fields
            .iter()
            .filter(|(field, _)| field.is_personal)
            .map(|(field, _)| field.name.as_str())
            .collect();
        assert_eq!(personal, ["a", "b", "e", "e"]);
    }

    #[test]
    fn what_cannot_be_read_without_is_missed() {
        let record = |field: &str| format!(r#"{{"type":"record","name":"R","fields":[{field}]}}"#);
        let of_type = |kind: &str| record(&format!(r#"{{"name":"a","type":{kind}}}"#));
        for schema in [
            r#"{"type":"record","name":"R"}"#.to_owned(),
            record(r#"{"name":"a"}"#),
            record(r#"{"type":"int"}"#),
            record("7"),
            of_type("null"),
            of_type("\"Nowhere\""),
            of_type(r#"{"type":"enum","name":"E"}"#),
            of_type(r#"{"type":"fixed","name":"F","size":-1}"#),
            of_type(r#"{"type":"array"}"#),
            of_type(r#"{"type":"map","values":null}"#),
            of_type(&format!("{}\"int\"{}", "[".repeat(200), "]".repeat(200))),
        ] {
            let json = parse(schema.as_bytes()).expect("is JSON");
            assert!(records(&json).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_schema_in_which_something_is_missing_is_refused() {
        let whole =
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","doc":"[PII] b"}]}"#;
        assert!(parse(whole.as_bytes()).is_ok());
        for end in 1..whole.len() {
            assert!(parse(&whole.as_bytes()[..end]).is_err(), "{}", &whole[..end]);
        }
        for broken in [whole.replace(":\"[PII] b\"", ":[PII] b"), whole.replace("\"doc\"", "doc")] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn records_are_told_from_anything_else() {
        for schema in [json!("string"), json!(["null"]), json!({ "type": "R" }), json!(7)] {
            assert!(records(&schema).expect("is no fault").is_none(), "{schema}");
        }
        for kind in ["record", "error"] {
            let schema = json!({ "type": { "type": kind, "fields": [] } });
            assert!(records(&schema).expect("can be read").is_some(), "{schema}");
        }
    }
}
