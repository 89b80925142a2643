//! Lines, made containers of as Currents writes them: one event type in each.
//!
//! Guarantees: memory is bounded, whatever the number of lines and types; equal lines make
//! equal files with equal names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use contract::digest;

use super::waiting::Waiting;
use super::{Fault, Faults, Line, Opened};
use crate::generate::{Folder, Sink, SinkError};
use crate::input::{InputFile, PREFIX};
use crate::write::{Compression, Packer};

/// Most bytes of lines that wait.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Most event types; those of Currents are 94. A line of one more is a fault.
pub const MAX_TYPES: usize = 1_000;

/// What came of lines.
#[derive(Debug, Default)]
pub struct Written {
    /// The containers.
    pub files: Vec<InputFile>,
    /// Events in them.
    pub events: usize,
}

/// Why lines cannot be made containers of.
#[derive(Debug, thiserror::Error)]
pub enum ContainersError {
    /// A container was not written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The blocks of a container could not be packed.
    #[error("packing events of \"{event_type}\" failed")]
    Pack {
        /// Their type.
        event_type: String,
        /// What the Avro library said.
        #[source]
        source: Box<apache_avro::Error>,
    },
}

/// Makes containers of the lines of these files, in `folder`; `go_on` is asked before each
/// line, and what waits then is not written any more.
pub fn write(
    paths: &[PathBuf],
    folder: &Path,
    faults: &mut Faults<'_>,
    mut go_on: impl FnMut() -> bool,
) -> Result<Written, ContainersError> {
    let mut containers = Containers::new(folder);
    for path in paths {
        let mut lines = match Opened::open(path) {
            Ok(Opened::Lines(lines)) => lines,
            Ok(Opened::Avro(_)) => {
                let what = "is an Avro file that comes through a pipe: name the file itself";
                faults.add(&Fault::of_file(path, what.to_owned()));
                continue;
            }
            Err(fault) => {
                faults.add(&fault);
                continue;
            }
        };
        while let Some(line) = lines.next_event() {
            if !go_on() {
                return Ok(containers.written);
            }
            match line {
                Ok(line) => {
                    if !containers.add(&line)? {
                        let what = format!("has one event type too many: {MAX_TYPES} are the most");
                        faults.add(&lines.fault(what));
                    }
                }
                Err(fault) => faults.add(&fault),
            }
        }
    }
    containers.finish()
}

/// The containers of a run.
struct Containers<'f> {
    folder: &'f Path,
    waiting: BTreeMap<String, Waiting>,
    waiting_bytes: usize,
    packer: Packer,
    written: Written,
}

impl<'f> Containers<'f> {
    fn new(folder: &'f Path) -> Self {
        let packer = Packer::new(Compression::Deflate);
        let (waiting, written) = (BTreeMap::new(), Written::default());
        Self { folder, waiting, waiting_bytes: 0, packer, written }
    }

    /// Takes an event; `false` if there are too many types.
    fn add(&mut self, line: &Line<'_>) -> Result<bool, ContainersError> {
        if !self.waiting.contains_key(&line.event_type) {
            if self.waiting.len() == MAX_TYPES {
                return Ok(false);
            }
            self.waiting.insert(line.event_type.clone(), Waiting::default());
        }
        if let Some(waiting) = self.waiting.get_mut(&line.event_type) {
            waiting.add(line);
            self.waiting_bytes += line.text.len() + 1;
            if waiting.is_full() {
                self.write(&line.event_type)?;
            }
        }
        if self.waiting_bytes >= MAX_WAITING_BYTES {
            let largest = self.waiting.iter().max_by_key(|(_, waiting)| waiting.bytes());
            if let Some(event_type) = largest.map(|(event_type, _)| event_type.clone()) {
                self.write(&event_type)?;
            }
        }
        Ok(true)
    }

    fn finish(mut self) -> Result<Written, ContainersError> {
        let types: Vec<String> = self.waiting.keys().cloned().collect();
        types.iter().try_for_each(|event_type| self.write(event_type))?;
        Ok(self.written)
    }

    /// Writes what waits of a type.
    fn write(&mut self, event_type: &str) -> Result<(), ContainersError> {
        // The type stays, so that types are counted.
        let Some(waiting) = self.waiting.get_mut(event_type).map(std::mem::take) else {
            return Ok(());
        };
        self.waiting_bytes -= waiting.bytes();
        if waiting.events == 0 {
            return Ok(());
        }
        let packed = waiting.container(event_type, &mut self.packer);
        let bytes = packed.map_err(|source| ContainersError::Pack {
            event_type: event_type.to_owned(),
            source,
        })?;
        // Named by what is in it: a repeat of a run puts it in its own place.
        let name = format!("lines/event_type={event_type}/{}.avro", digest::hex(&bytes));
        Folder(self.folder).put(&name, bytes)?;
        let (path, key) = (self.folder.join(&name), format!("{PREFIX}/{name}"));
        self.written.files.push(InputFile { path, key });
        self.written.events += waiting.events;
        Ok(())
    }
}
