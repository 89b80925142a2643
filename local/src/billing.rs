//! What AWS would charge for, counted where it happens: in the clients of the functions, and at
//! the ends of their invocations.
//!
//! What is counted is what the functions do. What the page and this program look up for
//! themselves is not, nor what stands there all month.

mod interceptor;
mod lines;
mod told;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::metrics::{self, Counts};
use contract::units::{Counted, Function, Units};

use interceptor::Interceptor;
use lines::Lines;
pub use told::Told;

/// Requests of SQS that a notification takes: EventBridge sends it, and Lambda receives and
/// removes it.
const REQUESTS_OF_A_NOTIFICATION: f64 = 3.0;

/// Read units of a look-up of one campaign: an item of up to four KiB, eventually consistent.
const READ_UNITS_OF_A_LOOK_UP: f64 = 0.5;

/// Counts what AWS would charge for.
#[derive(Debug, Default)]
pub struct Billing {
    of_events: Mutex<Units>,
    of_look_ups: Mutex<Units>,
    lines: Lines,
}

impl Billing {
    /// What was used so far for what the functions counted.
    pub fn counted(&self, counts: &Counts) -> Counted {
        let n = |name| counts.get(name) as f64;
        let (of_events, of_look_ups) = (&self.of_events, &self.of_look_ups);
        Counted {
            events: n(metrics::EVENTS_READ) + n(metrics::EVENTS_POSTED),
            triggering: counts.triggering() as f64,
            contents: n(metrics::CONTENTS_STORED),
            generations: n(metrics::GENERATIONS),
            look_ups: n(metrics::CALLS_RECEIVED),
            of_events: locked(of_events).clone(),
            of_look_ups: locked(of_look_ups).clone(),
        }
    }

    /// Begins again at nothing.
    pub(crate) fn restart(&self) {
        *locked(&self.of_events) = Units::default();
        *locked(&self.of_look_ups) = Units::default();
    }

    /// Adds to what events took.
    pub(crate) fn add(&self, count: impl FnOnce(&mut Units)) {
        count(&mut locked(&self.of_events));
    }

    /// Adds an object that was put into the bucket, and its notification.
    pub(crate) fn put_object(&self, bytes: u64) {
        self.add(|units| {
            units.objects_put += 1.0;
            units.object_bytes += bytes as f64;
            units.queue_requests += REQUESTS_OF_A_NOTIFICATION;
        });
    }

    /// Adds an invocation of a function, which counted this.
    pub(crate) fn invoked(&self, function: Function, took: Duration, counts: &Counts) {
        let log_bytes = self.lines.bytes(function, counts);
        let n = |name| counts.get(name) as f64;
        let mut units = locked(match function {
            Function::Api => &self.of_look_ups,
            _ => &self.of_events,
        });
        // A millisecond that was begun counts in full.
        let billed_ms = took.as_nanos().div_ceil(1_000_000);
        units.invoke(function, u64::try_from(billed_ms).unwrap_or(u64::MAX));
        units.log_bytes += log_bytes as f64;
        units.input_tokens += n(metrics::INPUT_TOKENS);
        units.output_tokens += n(metrics::OUTPUT_TOKENS);
    }

    /// Adds a look-up, which counted this, and its answer.
    pub(crate) fn looked_up(&self, took: Duration, counts: &Counts, answer_bytes: usize) {
        self.invoked(Function::Api, took, counts);
        let read =
            [metrics::CONTENTS_SERVED, metrics::FALLBACKS_NO_CONTENT, metrics::CONTENTS_WITHHELD];
        let read: u64 = read.iter().map(|name| counts.get(name)).sum();
        let mut units = locked(&self.of_look_ups);
        units.calls += 1.0;
        units.answer_bytes += answer_bytes as f64;
        units.read_units += read as f64 * READ_UNITS_OF_A_LOOK_UP;
    }

    /// Counts what a client asks for.
    pub(crate) fn interceptor(self: &Arc<Self>) -> Interceptor {
        Interceptor(Arc::clone(self))
    }
}

fn locked(units: &Mutex<Units>) -> MutexGuard<'_, Units> {
    // Sums are whole after every statement, so a panic elsewhere harms nothing.
    units.lock().unwrap_or_else(PoisonError::into_inner)
}
