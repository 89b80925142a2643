//! What a month uses: a counted run, as often as the load has it, and what no run has.

use bill::DAYS;
use bill::deployed::REQUESTS_OF_A_NOTIFICATION;
use contract::units::{Counted, Function, Units};

use super::load::Load;
use super::standing as s;

/// What happens in a month.
#[derive(Debug)]
pub(super) struct Month {
    pub(super) units: Units,
    pub(super) triggering: f64,
}

impl Month {
    pub(super) fn of(load: &Load, counted: &Counted) -> Self {
        let events = load.events * DAYS;
        let triggering = events * load.triggering;
        let generations = (load.prompts * DAYS).min(triggering);
        let often = events / counted.events;
        let mut units = counted.of_events.clone() * often;
        // What contents take grows with the events that ask for them.
        let share = load.triggering / (counted.triggering / counted.events);
        units.write_units *= share;
        units.read_units *= share;
        for function in [Function::Processor, Function::AsksWorker] {
            if let Some(used) = units.functions.get_mut(&function) {
                used.billed_ms *= share.max(1.0);
            }
        }
        units += small_files(events, units.objects_put);
        // Those of the run go, and those of the load come.
        let more = generations - counted.generations * often;
        units.write_units = (units.write_units + more * s::WRITES_PER_GENERATION).max(0.0);
        units.functions.entry(Function::Processor).or_default().billed_ms +=
            generations * s::MS_PER_GENERATION;
        units.input_tokens = generations * load.input_tokens;
        units.output_tokens = generations * load.output_tokens;
        units += workers();
        if counted.look_ups > 0.0 {
            units += counted.of_look_ups.clone() * (load.look_ups * DAYS / counted.look_ups);
        }
        units.queue_requests += s::QUEUE_POLLS;
        Self { units, triggering }
    }
}

/// What files take that come though they hold nearly nothing: a file is full or five minutes old,
/// and none is empty.
fn small_files(events: f64, counted: f64) -> Units {
    let more = ((s::LEAST_FILES_A_DAY * DAYS).min(events) - counted).max(0.0);
    let batches = more * s::BATCHES_PER_FILE.min(events / more.max(1.0));
    let mut units = Units {
        objects_put: more,
        objects_fetched: more,
        queue_requests: more * REQUESTS_OF_A_NOTIFICATION,
        // Each is a record of its own, or there would be more events.
        stream_kib: batches,
        write_units: batches * s::WRITES_PER_BATCH,
        log_bytes: (more + batches) * s::LOG_BYTES_PER_INVOCATION,
        ..Units::default()
    };
    for (function, invocations, ms) in [
        (Function::Ingest, more, s::INGEST_MS_PER_FILE),
        (Function::Processor, batches, s::PROCESSOR_MS_PER_BATCH),
    ] {
        let used = units.functions.entry(function).or_default();
        used.invocations = invocations;
        used.billed_ms = invocations * ms;
    }
    units
}

/// What workers of asks take that find nothing.
fn workers() -> Units {
    let mut units = Units {
        queue_requests: s::STARTS_OF_WORKERS * s::QUEUE_REQUESTS_PER_START,
        log_bytes: s::STARTS_OF_WORKERS * s::LOG_BYTES_PER_INVOCATION,
        ..Units::default()
    };
    let used = units.functions.entry(Function::AsksWorker).or_default();
    used.invocations = s::STARTS_OF_WORKERS;
    used.billed_ms = s::STARTS_OF_WORKERS * s::MS_PER_START;
    units
}
