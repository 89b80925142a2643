//! A function's log: lines of JSON on its standard output.
//!
//! Guarantees: whatever the level, no line comes from what this project is built on, but for
//! warnings and errors: the SDK of AWS would write requests and replies, which hold users' events.

use std::io;

use tracing::{Level, Subscriber, subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// The level where no other is set.
pub const DEFAULT: Level = Level::INFO;

/// The crates whose lines are of the level that is set.
const OWN: [&str; 11] = [
    "api",
    "campaign",
    "catalog",
    "contract",
    "currents",
    "dialect",
    "ingest",
    "processor",
    "program",
    "quota",
    "registry",
];

/// Begins the log of the process, with lines of `level` and above.
pub fn begin(level: Level) {
    // It is there already in a test that is a process of its own: then it stays.
    let _ = subscriber::set_global_default(writing(level, io::stdout));
}

fn writing<W>(level: Level, writer: W) -> impl Subscriber
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let own = OWN.map(|name| (name, level));
    // Its span is what tells which invocation a line is of.
    let targets = Targets::new().with_targets(own).with_target("lambda_runtime", Level::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_target(false)
        .without_time()
        .with_writer(writer);
    tracing_subscriber::registry().with(targets.with_default(Level::WARN)).with(lines)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        subscriber::with_default(writing(level, move || writer.clone()), work);
        let bytes = kept.0.lock().expect("nobody panicked").clone();
        String::from_utf8(bytes).expect("is text")
    }

    #[test]
    fn a_level_is_of_the_projects_own_crates_and_never_of_what_writes_requests() {
        let log = logged(Level::DEBUG, || {
            tracing::debug!(target: "processor::stages", "own");
            tracing::debug!(target: "aws_smithy_runtime::client", "the request");
            tracing::info!(target: "hyper", "the reply");
            tracing::warn!(target: "aws_config", "a warning");
        });

        assert!(log.contains("own") && log.contains("a warning"), "{log}");
        assert!(!log.contains("request") && !log.contains("reply"), "{log}");
    }

    #[test]
    fn a_line_is_json_with_its_fields_and_the_invocation_that_it_is_of() {
        let log = logged(Level::INFO, || {
            let span =
                tracing::info_span!(target: "lambda_runtime::layers", "invoke", requestId = "r1");
            span.in_scope(
                || tracing::warn!(target: "ingest", reason = "throttled", "records go back"),
            );
            tracing::debug!(target: "ingest", "nothing of this");
        });

        let line: serde_json::Value = serde_json::from_str(&log).expect("is one line of JSON");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["fields"]["message"], "records go back");
        assert_eq!(line["fields"]["reason"], "throttled");
        assert_eq!(line["span"]["requestId"], "r1");
    }
}
