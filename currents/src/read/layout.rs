//! What to do with each field of a container's records, worked out once per container.
//!
//! A schema became a table of nodes that refer to each other by number, so that
//! recursive types need no care. Fields carry their JSON name ready to be copied and
//! their [`Role`]; what is not to pass is known before the first record is read.

use contract::attributes::{CUSTOM_ATTRIBUTES, PROFILE_UPDATE};
use contract::wanted::Wanted;

use crate::read::header_schema::RecordSchema;
use crate::read::json;

/// What every record name of Currents starts with.
const RECORD_NAME_PREFIX: &str = "dataexport.S3.inner.";

/// Longest event type, in bytes; Currents' longest has 60.
pub const MAX_EVENT_TYPE_BYTES: usize = 256;

/// A schema that cannot be read as events.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The schema does not describe records.
    #[error("container does not hold records")]
    NotRecords,
    /// The name of its event type is longer than [`MAX_EVENT_TYPE_BYTES`].
    #[error("event type is longer than {MAX_EVENT_TYPE_BYTES} bytes")]
    LongEventType,
}

/// The work of reading one container's records.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) event_type: String,
    pub(crate) fields: Vec<(Role, Field)>,
    pub(crate) nodes: Vec<Node>,
}

/// Number of a node in [`Layout::nodes`].
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

    pub(crate) fn new(name: &str) -> Self {
        let mut quoted = json::quoted(name);
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
    /// Holds a user's custom attributes as JSON in a string, of which some pass.
    CustomAttributes,
}

impl Layout {
    /// Lays out how records are read of `schema`; `wanted` may pass, `key` is the object's, which stands in for a name that tells no type.
    pub(crate) fn new(schema: RecordSchema, wanted: &Wanted, key: &str) -> Result<Self, Unusable> {
        let event_type = event_type(&schema.full_name, key);
        if event_type.len() > MAX_EVENT_TYPE_BYTES {
            return Err(Unusable::LongEventType);
        }
        let fields = schema.fields.into_iter().map(|(said, field)| {
            let role = match said.name.as_str() {
                "user_id" => Role::UserId,
                "id" => Role::EventId,
                "time" => Role::Time,
                name if !wanted.passes(&event_type, name, said.is_personal) => Role::Hidden,
                CUSTOM_ATTRIBUTES if event_type == PROFILE_UPDATE => Role::CustomAttributes,
                "properties" => Role::Properties,
                _ => Role::Passed,
            };
            (role, field)
        });
        let fields = fields.collect();
        Ok(Self { event_type, fields, nodes: schema.nodes })
    }
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
