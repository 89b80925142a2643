//! The files that are being filled, one for each event type.

use std::fs;
use std::path::Path;

use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;

use super::damage::damage;
use super::{GenerateError, Generated, Plan};
use crate::catalogue::Catalogue;
use crate::encode::Shape;
use crate::layout;
use crate::writer::{Container, Packer, container_header};

/// Currents writes a file after this many events, or ...
const MAX_FILE_EVENTS: u64 = 15_000;

/// ... after this many seconds, whichever comes first.
const MAX_FILE_SECS: i64 = 300;

/// All files of a run.
pub(super) struct Files<'a> {
    folder: &'a Path,
    lanes: Vec<Lane>,
    packer: Packer,
    duplicates: f64,
    damaged: f64,
    pub(super) generated: Generated,
}

/// The files of one event type.
struct Lane {
    event_type: String,
    shape: Shape,
    header: Vec<u8>,
    open: Option<Open>,
    /// Events written before the open file, as in the names of Kafka's segments.
    offset: u64,
    /// The latest event, and the one being made.
    last: Vec<u8>,
    next: Vec<u8>,
}

struct Open {
    opened_at: i64,
    events: u64,
    container: Container,
}

impl<'a> Files<'a> {
    /// No files yet, for these types.
    pub(super) fn new<'t>(
        folder: &'a Path,
        catalogue: &Catalogue,
        types: impl Iterator<Item = &'t str>,
        plan: &Plan,
    ) -> Self {
        let lane = |event_type: &str| {
            let schema = catalogue.schema(event_type)?;
            Some(Lane {
                event_type: event_type.to_owned(),
                shape: Shape::new(schema),
                header: container_header(schema, plan.compression),
                open: None,
                offset: 0,
                last: Vec::new(),
                next: Vec::new(),
            })
        };
        Self {
            folder,
            lanes: types.filter_map(lane).collect(),
            packer: Packer::new(plan.compression),
            duplicates: plan.course.duplicates,
            damaged: plan.course.damaged,
            generated: Generated::default(),
        }
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
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        if lane.is_due(now) {
            self.close(index, rng)?;
        }
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        lane.next.clear();
        lane.shape.write(user_id, time, rng, &mut lane.next);
        if rng.random_bool(self.duplicates) && !lane.last.is_empty() {
            lane.push(now, &mut self.packer, |lane| &lane.last)?;
            self.generated.duplicates += 1;
            self.generated.events += 1;
        }
        lane.push(now, &mut self.packer, |lane| &lane.next)?;
        self.generated.events += 1;
        std::mem::swap(&mut lane.last, &mut lane.next);
        Ok(())
    }

    /// Closes what is open, in the order of the types.
    pub(super) fn finish(
        mut self,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Generated, GenerateError> {
        for index in 0..self.lanes.len() {
            self.close(index, rng)?;
        }
        Ok(self.generated)
    }

    fn close(&mut self, index: usize, rng: &mut Xoshiro256PlusPlus) -> Result<(), GenerateError> {
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        let Some(open) = lane.open.take() else { return Ok(()) };
        let event_type = &lane.event_type;
        let mut bytes = open
            .container
            .finish(&mut self.packer)
            .map_err(|source| GenerateError::Encode { event_type: event_type.clone(), source })?;
        if rng.random_bool(self.damaged) {
            damage(&mut bytes, lane.header.len(), rng);
            self.generated.damaged_files += 1;
        }
        let path = self.folder.join(layout::key(event_type, open.opened_at, lane.offset));
        lane.offset += open.events;
        let failed = |source| GenerateError::Write { path: path.clone(), source };
        fs::create_dir_all(path.parent().unwrap_or(self.folder)).map_err(failed)?;
        fs::write(&path, &bytes).map_err(failed)?;
        self.generated.bytes += bytes.len() as u64;
        self.generated.files.push(path);
        Ok(())
    }
}

impl Lane {
    fn is_due(&self, now: i64) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.events >= MAX_FILE_EVENTS || now - open.opened_at >= MAX_FILE_SECS
        })
    }

    fn push(
        &mut self,
        now: i64,
        packer: &mut Packer,
        event: impl Fn(&Self) -> &Vec<u8>,
    ) -> Result<(), GenerateError> {
        let mut open = self.open.take().unwrap_or_else(|| Open {
            opened_at: now,
            events: 0,
            container: Container::new(&self.header),
        });
        let pushed = open.container.push(event(self), packer);
        open.events += 1;
        self.open = Some(open);
        pushed
            .map_err(|source| GenerateError::Encode { event_type: self.event_type.clone(), source })
    }
}
