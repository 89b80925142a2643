//! What to do with each field of a container's records, worked out once per container.
//!
//! A schema becomes a table of nodes that refer to each other by number, so that
//! recursive types need no care. Fields carry their JSON name ready to be copied and
//! their [`Role`]; what is not to pass is known before the first record is read.

use std::collections::{BTreeSet, HashMap};

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, Name, RecordSchema, UuidSchema};

use crate::header_schema::Names;
use crate::json;

/// What every record name of Currents starts with.
const RECORD_NAME_PREFIX: &str = "dataexport.S3.inner.";

/// How Braze marks a field as personal.
const PERSONAL_MARK: &str = "[PII]";

/// Most fields of a schema, those of nested records included; Currents' own have 70 at most.
pub const MAX_FIELDS: usize = 4_096;

/// Longest event type, in bytes; Currents' longest has 60.
pub const MAX_EVENT_TYPE_BYTES: usize = 256;

/// A schema that cannot be read as events.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The schema does not describe records.
    #[error("container does not hold records")]
    NotRecords,
    /// It has more fields than [`MAX_FIELDS`].
    #[error("schema has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// The name of its event type is longer than [`MAX_EVENT_TYPE_BYTES`].
    #[error("event type is longer than {MAX_EVENT_TYPE_BYTES} bytes")]
    LongEventType,
    /// It names a type that it does not define.
    #[error("schema refers to a type that it does not define")]
    UnknownType,
}

/// The work of reading one container's records.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) event_type: String,
    pub(crate) fields: Vec<(Role, Field)>,
    pub(crate) nodes: Vec<Node>,
}

/// Number of a node in [`Plan::nodes`].
pub(crate) type NodeId = usize;

/// How a value is written in Avro.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    /// The symbols as JSON strings.
    Enum(Vec<Vec<u8>>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<Field>),
}

/// A field of a record.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: FieldName,
    pub(crate) node: NodeId,
}

/// A field's name as a JSON string, with a colon.
#[derive(Debug, Clone)]
pub(crate) struct FieldName {
    /// The first bytes, filled up with zeros.
    start: [u8; FieldName::START],
    /// The name, if it is longer than `start`.
    long: Vec<u8>,
    length: usize,
}

impl FieldName {
    const START: usize = 32;

    fn new(name: &str) -> Self {
        let mut quoted = quoted(name);
        quoted.push(b':');
        let length = quoted.len();
        let mut start = [0; Self::START];
        let short = length.min(Self::START);
        start[..short].copy_from_slice(&quoted[..short]);
        let long = if length > Self::START { quoted } else { Vec::new() };
        Self { start, long, length }
    }

    /// Appends the name.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.long.is_empty() {
            // A copy of known length is two instructions; one of any length is a call.
            out.extend_from_slice(&self.start);
            out.truncate(out.len() - (Self::START - self.length));
        } else {
            out.extend_from_slice(&self.long);
        }
    }
}

/// What a field of an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    UserId,
    EventId,
    Time,
    /// Holds JSON in a string.
    Properties,
    /// Personal, and no campaign asks for it.
    Hidden,
    /// Passes as it is.
    Passed,
}

impl Plan {
    /// Plans the reading of records of `schema`; `wanted` are the personal fields that
    /// may pass, `key` is the object's, which stands in for a name that tells no type.
    pub(crate) fn new(
        schema: &Schema,
        names: &Names,
        wanted: &BTreeSet<String>,
        key: &str,
    ) -> Result<Self, Unusable> {
        let Schema::Record(record) = schema else { return Err(Unusable::NotRecords) };
        let event_type = event_type(&names.original(&record.name.fullname(None)), key);
        if event_type.len() > MAX_EVENT_TYPE_BYTES {
            return Err(Unusable::LongEventType);
        }
        let mut planner = Planner { names, nodes: Vec::new(), named: HashMap::new(), fields: 0 };
        let root = planner.node(schema)?;
        let Some(Node::Record(fields)) = planner.nodes.get_mut(root) else {
            return Err(Unusable::NotRecords);
        };
        // A record that holds itself needs its fields in both places.
        let fields = fields.iter().cloned();
        let roles = record.fields.iter().map(|field| {
            let is_personal =
                field.doc.as_deref().is_some_and(|doc| doc.trim_start().starts_with(PERSONAL_MARK));
            match names.original(&field.name).as_str() {
                "user_id" => Role::UserId,
                "id" => Role::EventId,
                "time" => Role::Time,
                name if is_personal && !wanted.contains(name) => Role::Hidden,
                "properties" => Role::Properties,
                _ => Role::Passed,
            }
        });
        let fields = roles.zip(fields).collect();
        Ok(Self { event_type, fields, nodes: planner.nodes })
    }
}

struct Planner<'n> {
    names: &'n Names,
    nodes: Vec<Node>,
    named: HashMap<Name, NodeId>,
    fields: usize,
}

impl Planner<'_> {
    fn node(&mut self, schema: &Schema) -> Result<NodeId, Unusable> {
        let node = match schema {
            Schema::Null => Node::Null,
            Schema::Boolean => Node::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Node::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Node::Long,
            Schema::Float => Node::Float,
            Schema::Double => Node::Double,
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Node::Bytes,
            Schema::String | Schema::Uuid(UuidSchema::String) => Node::Text,
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                return Ok(self.add_named(&fixed.name, Node::Fixed(fixed.size)));
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => Node::Bytes,
                InnerDecimalSchema::Fixed(fixed) => {
                    return Ok(self.add_named(&fixed.name, Node::Fixed(fixed.size)));
                }
            },
            Schema::Enum(symbols) => {
                let symbol = |symbol: &String| quoted(&self.names.original(symbol));
                let quoted = symbols.symbols.iter().map(symbol).collect();
                return Ok(self.add_named(&symbols.name, Node::Enum(quoted)));
            }
            Schema::Array(array) => Node::Array(self.node(&array.items)?),
            Schema::Map(map) => Node::Map(self.node(&map.types)?),
            Schema::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.node(branch));
                Node::Union(branches.collect::<Result<_, _>>()?)
            }
            Schema::Record(record) => return self.record(record),
            Schema::Ref { name } => {
                return self.named.get(name).copied().ok_or(Unusable::UnknownType);
            }
        };
        Ok(self.add(node))
    }

    fn record(&mut self, record: &RecordSchema) -> Result<NodeId, Unusable> {
        self.fields += record.fields.len();
        if self.fields > MAX_FIELDS {
            return Err(Unusable::TooManyFields);
        }
        // Known before its fields are, because they may refer to it.
        let id = self.add_named(&record.name, Node::Null);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let name = FieldName::new(&self.names.original(&field.name));
            fields.push(Field { name, node: self.node(&field.schema)? });
        }
        self.nodes[id] = Node::Record(fields);
        Ok(id)
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn add_named(&mut self, name: &Name, node: Node) -> NodeId {
        let id = self.add(node);
        self.named.insert(name.clone(), id);
        id
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    json::write_text(text.as_bytes(), &mut quoted);
    quoted
}

fn event_type(full_name: &str, key: &str) -> String {
    let from_key = || key.split('/').find_map(|part| part.strip_prefix("event_type="));
    let from_name = full_name.strip_prefix(RECORD_NAME_PREFIX);
    from_name.or_else(from_key).unwrap_or(full_name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_name_tells_the_event_type_and_the_key_stands_in_for_it() {
        let key = "a/event_type=users.X/date=2026-01-01-00/f.avro";

        assert_eq!(event_type("dataexport.S3.inner.users.behaviors.Y", key), "users.behaviors.Y");
        assert_eq!(event_type("Y", key), "users.X");
        assert_eq!(event_type("some.Y", "f.avro"), "some.Y");
    }
}
