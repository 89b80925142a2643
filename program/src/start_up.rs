//! How a program says that it cannot go on: as lines of its log, which the runbook names.
//!
//! What ends a process otherwise goes to the log as plain text, which no filter for a level
//! finds.

use std::error::Error;
use std::process::ExitCode;

use crate::causes;

/// Ends a program that could not start, or whose runtime failed, with a line of level ERROR.
pub fn ended(outcome: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = causes::told(error.as_ref()), "does not start");
            ExitCode::FAILURE
        }
    }
}

/// Lets every panic write a line of level ERROR that says where it was. Not its own words:
/// they can quote an event.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

#[cfg(test)]
mod tests {
    use std::fmt::{self, Debug};
    use std::sync::{Arc, Mutex};
    use std::{io, panic};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber, subscriber};

    use super::*;

    /// Keeps every line as `LEVEL field=value ...`.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().expect("nobody panicked").push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            fmt::write(&mut self.0, format_args!(" {field}={value:?}")).expect("is written");
        }
    }

    /// The lines that `work` writes.
    fn logged(work: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        subscriber::with_default(log.clone(), work);
        log.0.lock().expect("nobody panicked").clone()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("reading a file")]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn a_start_that_failed_is_one_error_that_tells_the_causes_too() {
        let error = Unreadable(io::Error::other("disk is gone"));

        let log = logged(|| {
            assert_eq!(ended(Err(error.into())), ExitCode::FAILURE);
        });

        let line = r#"ERROR message=does not start error="reading a file: disk is gone""#;
        assert_eq!(log, [line]);
    }

    #[test]
    fn an_end_without_trouble_says_nothing() {
        assert_eq!(logged(|| assert_eq!(ended(Ok(())), ExitCode::SUCCESS)), [""; 0]);
    }

    #[test]
    fn a_panic_is_one_error_that_says_where_and_never_what() {
        let before = panic::take_hook();
        log_panics();

        let log = logged(|| {
            let _ = panic::catch_unwind(|| panic!("user 5f1a2b3c watched Harbour Lights"));
        });
        panic::set_hook(before);

        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].starts_with("ERROR message=panicked place=\"program"), "{log:?}");
        assert!(!log[0].contains("5f1a2b3c"), "{log:?}");
    }
}
