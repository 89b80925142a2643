//! What AWS would charge for, counted where it happens: in the clients of the functions, and at
//! the ends of their invocations.
//!
//! What is counted is what the functions do. What the page and this program look up for
//! themselves is not, nor what stands there all month.

mod interceptor;
mod lines;
mod reads;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bill::deployed::{REQUESTS_OF_A_NOTIFICATION, memory_mib};
use contract::metrics::{self, Counts};
use contract::units::{Counted, Function, PRICE_OF_JOBS, Units};

use interceptor::Interceptor;
use lines::{Lines, OF_A_CALL};

/// What a look-up computes: what `docs/measurements.md` has of it, and about as much for Lambda's
/// runtime. The rest is waiting, which takes as long with a part of a processor.
const PROCESSOR_TIME_OF_A_LOOK_UP: Duration = Duration::from_micros(2 * 127);

/// Memory of a function that gets a whole processor.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
const WHOLE_PROCESSOR_MIB: f64 = 1_769.0;

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

    fn add_reads(&self, units: f64) {
        locked(&self.of_look_ups).read_units += units;
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
        let at_whole_price = |all, of_jobs| n(all) - (1.0 - PRICE_OF_JOBS) * n(of_jobs);
        units.input_tokens += at_whole_price(metrics::INPUT_TOKENS, metrics::INPUT_TOKENS_OF_JOBS);
        units.output_tokens +=
            at_whole_price(metrics::OUTPUT_TOKENS, metrics::OUTPUT_TOKENS_OF_JOBS);
    }

    /// Adds a call of the door for what is posted, which counted this.
    pub(crate) fn posted(&self, took: Duration, counts: &Counts) {
        self.invoked(Function::EventsDoor, took, counts);
        self.add(|units| {
            units.calls += 1.0;
            units.log_bytes += OF_A_CALL as f64;
        });
    }

    /// Adds a look-up, which counted this, and its answer.
    pub(crate) fn looked_up(&self, took: Duration, counts: &Counts, answer_bytes: usize) {
        let slower = WHOLE_PROCESSOR_MIB / f64::from(memory_mib(Function::Api)) - 1.0;
        let slowed = PROCESSOR_TIME_OF_A_LOOK_UP.mul_f64(slower.max(0.0));
        self.invoked(Function::Api, took + slowed, counts);
        let mut units = locked(&self.of_look_ups);
        units.calls += 1.0;
        units.answer_bytes += answer_bytes as f64;
        units.log_bytes += OF_A_CALL as f64;
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
