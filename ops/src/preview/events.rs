//! The events that a person names: Currents files, one event a line as JSON, or folders of
//! both.
//!
//! Guarantees: what cannot be read is told and the rest goes on; what is read goes out at once,
//! and [`read`] keeps no more than a preview can look at.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use contract::user_record::{Event, UserRecord, VERSION, is_user_id};
use contract::wanted::Wanted;
use currents::input::Input;
use currents::lines::{Fault, Faults, Lines, Opened};
use currents::read::container::{DEFAULT_MAX_BLOCK_BYTES, Position};
use currents::read::{Envelope, Origin, Reader, Source, Taker};

/// Most bytes of events, as JSON: those of a hundred thousand, about.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Containers at which it is looked whether Braze can have written them; a folder holds many
/// of the same kind.
const MAX_DOUBTED: usize = 100;

/// Reads all events of a file or a folder; `wanted` may pass.
pub(crate) fn read(path: &Path, wanted: Wanted) -> anyhow::Result<Vec<UserRecord>> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    let stopped_at = each(path, wanted, &mut |record, size| {
        bytes += size;
        records.push(record);
        if bytes > MAX_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(path) = stopped_at {
        eprintln!(
            "{}: more than {MAX_BYTES} bytes of events, and a preview looks at no more: what \
             follows is left out",
            path.display()
        );
    }
    Ok(records)
}

/// Hands out every event of a file or a folder, each in a record of its own with its size in
/// bytes; tells in which file it was stopped, if it was.
pub(crate) fn each(
    path: &Path,
    wanted: Wanted,
    take: &mut dyn FnMut(UserRecord, usize) -> ControlFlow<()>,
) -> anyhow::Result<Option<PathBuf>> {
    let input = Input::find_with_lines(&[path.to_owned()])?;
    for (path, reason) in &input.refused {
        eprintln!("{}: {reason}", path.display());
    }
    let mut faults = Faults::new(|fault| eprintln!("{fault}"));
    let reader = Reader { wanted, max_block_bytes: DEFAULT_MAX_BLOCK_BYTES };
    let mut taken = Taken::now(take);
    let mut stopped_at = None;
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
        if taken.is_stopped {
            stopped_at = Some(path.clone());
            break;
        }
    }
    let faults = faults.finish() + input.refused.len() as u64;
    if taken.without_user > 0 {
        eprintln!("{} events name no user and are left out", taken.without_user);
    }
    if !taken.any && faults > 0 {
        bail!("{} holds no event that can be read", path.display());
    }
    Ok(stopped_at)
}

/// Takes events on their way.
struct Taken<'t> {
    event_type: String,
    uploaded_at_ms: u64,
    json: Vec<u8>,
    without_user: u64,
    any: bool,
    is_stopped: bool,
    take: &'t mut dyn FnMut(UserRecord, usize) -> ControlFlow<()>,
}

impl<'t> Taken<'t> {
    /// None yet, as if all files came now.
    fn now(take: &'t mut dyn FnMut(UserRecord, usize) -> ControlFlow<()>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            event_type: String::new(),
            uploaded_at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            json: Vec::new(),
            without_user: 0,
            any: false,
            is_stopped: false,
            take,
        }
    }

    fn hand_out(&mut self, record: UserRecord, size: usize) {
        self.any = true;
        self.is_stopped = (self.take)(record, size).is_break();
    }

    fn read_lines(&mut self, mut lines: Lines, wanted: &Wanted, faults: &mut Faults<'_>) {
        while let Some(line) = lines.next_event() {
            match line {
                Ok(line) => {
                    let size = line.text.len();
                    self.hand_out(line.user_record(wanted, self.uploaded_at_ms), size);
                }
                Err(fault) => faults.add(&fault),
            }
            if self.is_stopped {
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

/// Takes every event that has a user.
impl Taker for Taken<'_> {
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
            let record = UserRecord {
                v: VERSION,
                user_id: taken.user_id.to_owned(),
                event_type: self.event_type.clone(),
                uploaded_at_ms: self.uploaded_at_ms,
                redriven_at_ms: None,
                origin: String::new(),
                events: vec![event],
            };
            self.hand_out(record, self.json.len());
        }
        if self.is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn end(&mut self, _: Position) {}
}
