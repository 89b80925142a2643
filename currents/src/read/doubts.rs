//! What is doubtful about a container that somebody else than Braze wrote: it can be read, and
//! yet its events come to nothing, or to something else than was meant.

use contract::wanted::Wanted;
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

use crate::read::container::{DEFAULT_MAX_BLOCK_BYTES, Header, Position};
use crate::read::layout::{Layout, Node, NodeId, Role};
use crate::read::{Envelope, MAX_AHEAD_SECS, Origin, Reader, Source, Taker};

/// Events whose times are looked at.
const EVENTS: usize = 100;

/// What is doubtful about a container that comes at this time; nothing if it cannot be read,
/// which whoever reads it says.
pub fn doubts(path: &Path, now_ms: u64) -> Vec<&'static str> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let key = path.to_string_lossy();
    let Ok(header) = Header::read(BufReader::new(file), &Wanted::default(), &key) else {
        return Vec::new();
    };
    let layout = &header.layout;
    let mut doubts = Vec::new();
    match field(layout, Role::UserId) {
        None => doubts.push("no field is called \"user_id\": its events are left out"),
        Some(node) if !can_be(layout, node, |node| matches!(node, Node::Text)) => {
            doubts.push("\"user_id\" is no string: its events are left out");
        }
        Some(_) => {}
    }
    match field(layout, Role::Time) {
        None => doubts.push("no field is called \"time\": the time of the upload stands in"),
        Some(node) if !can_be(layout, node, |node| matches!(node, Node::Int | Node::Long)) => {
            doubts.push(
                "\"time\" is neither int nor long, and UNIX seconds are wanted: the time of the \
                 upload stands in",
            );
        }
        Some(_) if are_ahead(path, now_ms) => doubts.push(
            "\"time\" lies ahead, as milliseconds and microseconds do, and UNIX seconds are \
             wanted: an hour after the upload stands in",
        ),
        Some(_) => {}
    }
    doubts
}

fn field(layout: &Layout, wanted: Role) -> Option<NodeId> {
    layout.fields.iter().find(|(role, _)| *role == wanted).map(|(_, field)| field.node)
}

fn can_be(layout: &Layout, id: NodeId, is_wanted: fn(&Node) -> bool) -> bool {
    match &layout.nodes[id] {
        Node::Union(branches) => branches.iter().any(|&branch| is_wanted(&layout.nodes[branch])),
        node => is_wanted(node),
    }
}

/// Tells whether the first events of a container all lie too far ahead.
fn are_ahead(path: &Path, now_ms: u64) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let reader = Reader { wanted: Wanted::default(), max_block_bytes: DEFAULT_MAX_BLOCK_BYTES };
    let origin = Origin { key: String::new(), uploaded_at_ms: now_ms };
    let mut times = Times::default();
    // Damage is told by whoever reads the file.
    let _ = reader.read(Source::Whole(BufReader::new(file)), &origin, &mut times);
    let latest = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX).saturating_add(MAX_AHEAD_SECS);
    !times.times.is_empty() && times.times.iter().all(|&time| time == latest)
}

/// Takes the times of the first events.
#[derive(Default)]
struct Times {
    json: Vec<u8>,
    times: Vec<i64>,
}

impl Taker for Times {
    fn begin(&mut self, _: &str) {}

    fn json(&mut self) -> &mut Vec<u8> {
        self.json.clear();
        &mut self.json
    }

    fn take(&mut self, event: Envelope<'_>, _: Position) -> ControlFlow<()> {
        self.times.push(event.time);
        if self.times.len() < EVENTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn end(&mut self, _: Position) {}
}

#[cfg(test)]
mod tests {
    use apache_avro::Schema;
    use apache_avro::types::Value;
    use serde_json::json;

    use super::*;
    use crate::write::{Compression, container};

    const NOW_MS: u64 = 1_764_000_000_000;

    fn of(fields: &[(&str, serde_json::Value, Value)]) -> Vec<&'static str> {
        let schema: Vec<_> =
            fields.iter().map(|(name, kind, _)| json!({ "name": name, "type": kind })).collect();
        let schema = json!({ "type": "record", "name": "a.B", "fields": schema });
        let schema = Schema::parse(&schema).expect("is a schema");
        let event = fields.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone()));
        let event = Value::Record(event.collect());
        let bytes = container(&schema, Compression::Null, [event.clone(), event]);
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), bytes.expect("is written")).expect("is written");
        doubts(file.path(), NOW_MS)
    }

    #[test]
    fn a_container_as_currents_writes_it_raises_no_doubt() {
        let user = Value::Union(1, Box::new(Value::String("u".to_owned())));
        let of_currents = of(&[
            ("user_id", json!(["null", "string"]), user),
            ("time", json!("int"), Value::Int(1_763_999_000)),
        ]);

        assert_eq!(of_currents, [""; 0]);
    }

    #[test]
    fn what_would_come_to_nothing_or_to_another_time_is_told() {
        let user = ("user_id", json!("string"), Value::String("u".to_owned()));
        let time = ("time", json!("long"), Value::Long(1_763_999_000));
        let in_ms = ("time", json!("long"), Value::Long(1_763_999_000_000));
        let in_words = ("time", json!("string"), Value::String("now".to_owned()));
        let number = ("user_id", json!("long"), Value::Long(7));
        let other = ("userId", json!("string"), Value::String("u".to_owned()));
        for (fields, expected) in [
            ([other, time.clone()], "no field is called \"user_id\""),
            ([number, time.clone()], "\"user_id\" is no string"),
            ([user.clone(), in_ms], "\"time\" lies ahead"),
            ([user.clone(), in_words], "\"time\" is neither int nor long"),
        ] {
            let told = of(&fields);
            assert!(told.len() == 1 && told[0].contains(expected), "{expected}: {told:?}");
        }
        assert!(of(&[user])[0].contains("no field is called \"time\""));
    }

    #[test]
    fn what_is_no_container_raises_no_doubt() {
        assert!(doubts(Path::new("nowhere"), NOW_MS).is_empty());
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        assert!(doubts(file.path(), NOW_MS).is_empty());
    }
}
