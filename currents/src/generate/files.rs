//! The files that are being filled, one for each event type.

use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;

use super::damage::damage;
use super::{GenerateError, GeneratedFiles, Plan, Sink};
use crate::catalogue::{BadCatalogue, Catalogue, Version};
use crate::write::encode::Shape;
use crate::write::{Container, Packer, container_header, layout};

/// Currents writes a file after this many events, or ...
const MAX_FILE_EVENTS: u64 = 15_000;

/// ... after this many seconds, whichever comes first.
const MAX_FILE_SECS: i64 = 300;

/// All files of a run.
pub(super) struct Files<'a> {
    sink: &'a mut dyn Sink,
    rows: Vec<Row>,
    packer: Packer,
    duplicates: f64,
    damaged: f64,
    other_versions: f64,
    pub(super) generated: GeneratedFiles,
}

/// The files of one event type.
struct Row {
    event_type: String,
    /// By version: the catalogue's, the one before, the one after.
    formats: [Format; 3],
    open: Option<Open>,
    /// Events written before the open file, as in the names of Kafka's segments.
    offset: u64,
    /// The format of the latest file.
    last_format: usize,
    /// The latest event, and the one being made.
    last: Vec<u8>,
    next: Vec<u8>,
}

/// How files of one version of a schema are written.
struct Format {
    version: Version,
    shape: Shape,
    header: Vec<u8>,
}

struct Open {
    opened_at: i64,
    /// Which of the row's formats it has.
    format: usize,
    events: u64,
    container: Container,
}

impl<'a> Files<'a> {
    /// No files yet, for these types.
    pub(super) fn new<'t>(
        sink: &'a mut dyn Sink,
        catalogue: &Catalogue,
        types: impl Iterator<Item = &'t str>,
        plan: &Plan,
    ) -> Result<Self, BadCatalogue> {
        let rows = types.map(|event_type| Row::new(event_type, catalogue, plan));
        Ok(Self {
            sink,
            rows: rows.collect::<Result<_, _>>()?,
            packer: Packer::new(plan.compression),
            duplicates: plan.course.duplicates,
            damaged: plan.course.damaged,
            other_versions: plan.course.other_versions,
            generated: GeneratedFiles::default(),
        })
    }

    /// Writes an event of the type with this index at this moment, and perhaps the one before
    /// it once more.
    pub(super) fn add(
        &mut self,
        index: usize,
        now: i64,
        (user_id, time): (&str, i64),
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(), GenerateError> {
        let Some(row) = self.rows.get_mut(index) else { return Ok(()) };
        if row.is_due(now) {
            self.close(index, rng)?;
        }
        let Some(row) = self.rows.get_mut(index) else { return Ok(()) };
        if row.open.is_none() {
            row.open(now, self.other_versions, rng);
        }
        let Some(open) = &mut row.open else { return Ok(()) };
        row.next.clear();
        row.formats[open.format].shape.write(user_id, time, rng, &mut row.next);
        let mut push = |event: &[u8]| {
            open.events += 1;
            self.generated.events += 1;
            let pushed = open.container.push(event, &mut self.packer);
            let event_type = &row.event_type;
            pushed
                .map_err(|source| GenerateError::Encode { event_type: event_type.clone(), source })
        };
        if rng.random_bool(self.duplicates) && !row.last.is_empty() {
            push(&row.last)?;
            self.generated.duplicates += 1;
        }
        push(&row.next)?;
        std::mem::swap(&mut row.last, &mut row.next);
        Ok(())
    }

    /// Closes what is open, in the order of the types.
    pub(super) fn finish(
        mut self,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<GeneratedFiles, GenerateError> {
        for index in 0..self.rows.len() {
            self.close(index, rng)?;
        }
        Ok(self.generated)
    }

    fn close(&mut self, index: usize, rng: &mut Xoshiro256PlusPlus) -> Result<(), GenerateError> {
        let Some(row) = self.rows.get_mut(index) else { return Ok(()) };
        let Some(open) = row.open.take() else { return Ok(()) };
        let (event_type, format) = (&row.event_type, &row.formats[open.format]);
        let mut bytes = open
            .container
            .finish(&mut self.packer)
            .map_err(|source| GenerateError::Encode { event_type: event_type.clone(), source })?;
        if rng.random_bool(self.damaged) {
            damage(&mut bytes, format.header.len(), rng);
            self.generated.damaged_files += 1;
        }
        let version = format.version;
        let key = layout::key(event_type, open.opened_at, version.number(), row.offset);
        row.offset += open.events;
        self.generated.other_versions += u64::from(version != Version::Current);
        self.generated.bytes += bytes.len() as u64;
        self.sink.put(&key, bytes)?;
        self.generated.keys.push(key);
        Ok(())
    }
}

impl Row {
    fn new(event_type: &str, catalogue: &Catalogue, plan: &Plan) -> Result<Self, BadCatalogue> {
        let format = |version| {
            let schema = catalogue.version(event_type, version)?;
            let header = container_header(&schema, plan.compression);
            Ok(Format { version, shape: Shape::new(&schema), header })
        };
        Ok(Self {
            event_type: event_type.to_owned(),
            formats: [
                format(Version::Current)?,
                format(Version::Earlier)?,
                format(Version::Later)?,
            ],
            open: None,
            offset: 0,
            last_format: 0,
            last: Vec::new(),
            next: Vec::new(),
        })
    }

    fn is_due(&self, now: i64) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.events >= MAX_FILE_EVENTS || now - open.opened_at >= MAX_FILE_SECS
        })
    }

    /// Opens a file; a share of them has another version of the schema.
    fn open(&mut self, now: i64, other_versions: f64, rng: &mut Xoshiro256PlusPlus) {
        let is_other = other_versions > 0.0 && rng.random_bool(other_versions);
        let format = if is_other { rng.random_range(1..self.formats.len()) } else { 0 };
        // An event is repeated as it was encoded.
        if format != self.last_format {
            self.last.clear();
        }
        self.last_format = format;
        let container = Container::new(&self.formats[format].header);
        self.open = Some(Open { opened_at: now, format, events: 0, container });
    }
}
