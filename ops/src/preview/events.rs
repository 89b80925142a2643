//! The events that a person names: Currents files, one event a line as JSON, or folders of
//! both.
//!
//! Guarantees: what cannot be read is told and the rest goes on, and no more is kept than a
//! preview can look at.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use contract::user_record::{Event, UserRecord, VERSION, is_user_id};
use currents::input::Input;
use currents::lines::{Fault, Faults, Lines, Opened};
use currents::read::container::{DEFAULT_MAX_BLOCK_BYTES, Position};
use currents::read::{Envelope, Origin, Reader, Source, Taker};

/// Most bytes of events, as JSON: those of a hundred thousand, about.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Containers at which it is looked whether Braze can have written them; a folder holds many
/// of the same kind.
const MAX_DOUBTED: usize = 100;

/// Reads all events of a file or a folder; `wanted` are the personal fields that may pass.
pub(crate) fn read(path: &Path, wanted: BTreeSet<String>) -> anyhow::Result<Vec<UserRecord>> {
    let input = Input::find_with_lines(&[path.to_owned()])?;
    for (path, reason) in &input.refused {
        eprintln!("{}: {reason}", path.display());
    }
    let mut faults = Faults::new(|fault| eprintln!("{fault}"));
    let reader = Reader { wanted, max_block_bytes: DEFAULT_MAX_BLOCK_BYTES };
    let mut taken = Taken::now();
    for file in input.files.iter().take(MAX_DOUBTED) {
        for doubt in currents::read::doubts(&file.path, taken.uploaded_at_ms) {
            eprintln!("note: {}: {doubt}", file.path.display());
        }
    }
    let containers = input.files.iter().map(|file| &file.path);
    for path in containers.chain(&input.lines) {
        match Opened::open(path) {
            Ok(Opened::Avro(bytes)) => taken.read_container(bytes, path, &reader, &mut faults),
            Ok(Opened::Lines(lines)) => taken.read_lines(*lines, &reader.wanted, &mut faults),
            Err(fault) => faults.add(&fault),
        }
        if taken.is_full() {
            eprintln!(
                "{}: more than {MAX_BYTES} bytes of events, and a preview looks at no more: what \
                 follows is left out",
                path.display()
            );
            break;
        }
    }
    let faults = faults.finish() + input.refused.len() as u64;
    if taken.without_user > 0 {
        eprintln!("{} events name no user and are left out", taken.without_user);
    }
    if taken.records.is_empty() && faults > 0 {
        bail!("{} holds no event that can be read", path.display());
    }
    Ok(taken.records)
}

/// The events so far.
struct Taken {
    event_type: String,
    uploaded_at_ms: u64,
    json: Vec<u8>,
    bytes: usize,
    without_user: u64,
    records: Vec<UserRecord>,
}

impl Taken {
    /// None yet, as if all files came now.
    fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            event_type: String::new(),
            uploaded_at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            json: Vec::new(),
            bytes: 0,
            without_user: 0,
            records: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES
    }

    fn read_lines(&mut self, mut lines: Lines, wanted: &BTreeSet<String>, faults: &mut Faults<'_>) {
        while let Some(line) = lines.next_event() {
            match line {
                Ok(line) => {
                    self.bytes += line.text.len();
                    self.records.push(line.user_record(wanted, self.uploaded_at_ms));
                }
                Err(fault) => faults.add(&fault),
            }
            if self.is_full() {
                return;
            }
        }
    }

    fn read_container(
        &mut self,
        bytes: impl Read,
        path: &Path,
        reader: &Reader,
        faults: &mut Faults<'_>,
    ) {
        let uploaded_at_ms = self.uploaded_at_ms;
        let origin = Origin { key: path.display().to_string(), uploaded_at_ms };
        if let Err(error) = reader.read(Source::Whole(bytes), &origin, self) {
            let what = format!("{:#}", anyhow::Error::from(error));
            faults.add(&Fault::of_file(path, what));
        }
    }
}

/// Keeps every event that has a user.
impl Taker for Taken {
    fn begin(&mut self, event_type: &str) {
        event_type.clone_into(&mut self.event_type);
    }

    fn json(&mut self) -> &mut Vec<u8> {
        self.json.clear();
        &mut self.json
    }

    fn take(&mut self, taken: Envelope<'_>, _: Position) -> ControlFlow<()> {
        self.without_user += u64::from(!is_user_id(taken.user_id));
        let event = serde_json::from_slice::<Event>(&self.json[taken.start..]);
        if let (true, None, Ok(event)) = (is_user_id(taken.user_id), taken.too_large, event) {
            self.bytes += self.json.len();
            self.records.push(UserRecord {
                v: VERSION,
                user_id: taken.user_id.to_owned(),
                event_type: self.event_type.clone(),
                uploaded_at_ms: self.uploaded_at_ms,
                redriven_at_ms: None,
                events: vec![event],
            });
        }
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn end(&mut self, _: Position) {}
}
