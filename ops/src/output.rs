//! What a command says: lines for a person on standard output, or, with `--json`, one document
//! for a program there and the lines on standard error.
//!
//! A command has one answer. One that gives none of its own answers with its lines.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

static OUTPUT: Mutex<Output> =
    Mutex::new(Output { is_json: false, lines: Vec::new(), answer: None });

struct Output {
    is_json: bool,
    /// What was said to a person, for a command without an answer of its own.
    lines: Vec<String>,
    answer: Option<Map<String, Value>>,
}

/// Begins a command.
pub(crate) fn begin(is_json: bool) {
    with(|output| *output = Output { is_json, lines: Vec::new(), answer: None });
}

/// Says a line to a person; a reader that has gone away is no reason to stop.
pub(crate) fn say(line: impl Display) {
    let is_json = with(|output| {
        if output.is_json {
            output.lines.push(line.to_string());
        }
        output.is_json
    });
    let _ = match is_json {
        true => writeln!(std::io::stderr(), "{line}"),
        false => writeln!(std::io::stdout(), "{line}"),
    };
}

/// Answers a program, with the fields of an object; what else was answered before stays.
pub(crate) fn answer(value: Value) {
    let Value::Object(fields) = value else { return };
    with(|output| output.answer.get_or_insert_default().extend(fields));
}

/// Ends a command that came to this.
pub(crate) fn end(ended: anyhow::Result<ExitCode>) -> ExitCode {
    let code = ended.unwrap_or_else(|error| {
        let told = format!("{error:#}");
        // A person reads this: the causes, without a backtrace.
        let _ = writeln!(std::io::stderr(), "error: {told}");
        answer(json!({ "error": told }));
        ExitCode::FAILURE
    });
    let Some(document) = with(|output| output.is_json.then(|| document(output))) else {
        return code;
    };
    match writeln!(std::io::stdout(), "{document:#}").and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: writing the answer: {error}");
            ExitCode::FAILURE
        }
        _ => code,
    }
}

fn document(output: &mut Output) -> Value {
    let lines = std::mem::take(&mut output.lines);
    output.answer.take().map_or_else(|| json!({ "lines": lines }), Value::Object)
}

fn with<T>(look: impl FnOnce(&mut Output) -> T) -> T {
    look(&mut OUTPUT.lock().unwrap_or_else(PoisonError::into_inner))
}
