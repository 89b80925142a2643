//! One line for what invocations measured, in CloudWatch's embedded metric format: CloudWatch
//! makes metrics of it, by program and, of what is measured for each campaign, by campaign.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Guarantees: a line holds names, numbers and what the program says of itself, and nothing of a
//! user; counters that are zero cost nothing; the sums of all lines are what was measured, but
//! for the last interval of an instance that gathers over several invocations.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use contract::metrics::{self, CAMPAIGN, Counts, Distribution, Figures, PROGRAM};
use metrique_writer_core::format::Format as _;
use metrique_writer_core::unit::{NegativeScale, PositiveScale};
use metrique_writer_core::value::MetricFlags;
use metrique_writer_core::{Entry, EntryWriter, Observation, Unit, Value, ValueWriter};
use metrique_writer_format_emf::Emf;
use tokio::time::Instant;

use crate::build::BUILD;

/// Most different values of one metric in a line (CloudWatch's limit).
const MAX_VALUES: usize = 100;

/// What the line says that it is.
const DONE: &str = "invocation done";

/// Gathers what invocations measure, and writes it.
pub struct Meter {
    program: &'static str,
    every: Duration,
    state: Mutex<State>,
}

struct State {
    by_program: Emf,
    by_campaign: Emf,
    gathered: Counts,
    written: Option<Instant>,
}

/// What a line says beside its metrics and its build, by name.
pub type Remarks = Vec<(&'static str, String)>;

impl Meter {
    /// Writes for `program` after each invocation, to metrics of `namespace`.
    pub fn new(program: &'static str, namespace: &str) -> Self {
        let of = |dimension: &str| {
            Emf::all_validations(namespace.to_owned(), vec![vec![dimension.to_owned()]])
        };
        let (by_program, by_campaign) = (of(PROGRAM), of(CAMPAIGN));
        let state = State { by_program, by_campaign, gathered: Counts::default(), written: None };
        Self { program, every: Duration::ZERO, state: Mutex::new(state) }
    }

    /// Writes at the end of the first invocation, and then of the first that ends so long after the
    /// last line: many short invocations share one.
    #[must_use]
    pub fn gathering(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Adds what an invocation measured, and writes if it is time.
    pub fn done(&self, counts: &Counts, remarks: impl FnOnce() -> Remarks) {
        let lines = self.lines(counts, remarks, SystemTime::now());
        if !lines.is_empty() {
            // Nobody reads where this cannot be written.
            let _ = io::stdout().lock().write_all(&lines);
        }
    }

    /// Adds what an invocation measured, and tells how many bytes it would write.
    pub fn size(&self, counts: &Counts) -> usize {
        self.lines(counts, Vec::new, SystemTime::now()).len()
    }

    /// The lines that are due.
    fn lines(&self, counts: &Counts, remarks: impl FnOnce() -> Remarks, at: SystemTime) -> Vec<u8> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gathered.merge(counts);
        if state.written.is_some_and(|written| written.elapsed() < self.every) {
            return Vec::new();
        }
        state.written = Some(Instant::now());
        let gathered = std::mem::take(&mut state.gathered);
        let mut lines = Vec::new();
        let all = (PROGRAM, self.program, gathered.all());
        write(&mut state.by_program, all, &remarks(), at, &mut lines);
        for (campaign, figures) in gathered.campaigns() {
            let own = (CAMPAIGN, campaign.as_str(), figures);
            write(&mut state.by_campaign, own, &[], at, &mut lines);
        }
        lines
    }
}

/// Writes one line, or more where one cannot hold all values.
fn write(
    emf: &mut Emf,
    (dimension, of, figures): (&'static str, &str, &Figures),
    remarks: &[(&'static str, String)],
    at: SystemTime,
    lines: &mut Vec<u8>,
) {
    let mut rest: Vec<Line<'_>> = Vec::new();
    let mut first = Line { at, dimension, of, sums: &[], times: Vec::new(), remarks };
    let sums: Vec<(&'static str, u64)> =
        figures.sums.iter().filter(|(_, n)| **n > 0).map(|(name, n)| (*name, *n)).collect();
    first.sums = &sums;
    for (name, distribution) in &figures.times {
        for (n, values) in chunks(distribution).into_iter().enumerate() {
            if n == 0 {
                first.times.push((name, values));
            } else {
                let times = vec![(*name, values)];
                rest.push(Line { at, dimension, of, sums: &[], times, remarks: &[] });
            }
        }
    }
    for line in std::iter::once(&first).chain(&rest) {
        if let Err(error) = emf.format(line, lines) {
            tracing::error!(%error, "metrics cannot be written");
        }
    }
}

fn chunks(distribution: &Distribution) -> Vec<Vec<(u64, u64)>> {
    let values: Vec<(u64, u64)> = distribution.values().collect();
    values.chunks(MAX_VALUES).map(<[_]>::to_vec).collect()
}

/// One line.
struct Line<'l> {
    at: SystemTime,
    dimension: &'static str,
    of: &'l str,
    sums: &'l [(&'static str, u64)],
    times: Vec<(&'static str, Vec<(u64, u64)>)>,
    remarks: &'l [(&'static str, String)],
}

/// A counter.
struct Sum(&'static str, u64);

/// Values in milliseconds, each with how often it was measured.
struct Times<'t>(&'t [(u64, u64)]);

impl Entry for Line<'_> {
    fn write<'a>(&'a self, writer: &mut impl EntryWriter<'a>) {
        writer.timestamp(self.at);
        writer.value(self.dimension, self.of);
        // As other lines have it, so that who looks for a level finds it.
        writer.value("level", "INFO");
        writer.value("message", DONE);
        writer.value("build", BUILD);
        for (name, said) in self.remarks {
            writer.value(*name, said.as_str());
        }
        for (name, n) in self.sums {
            writer.value(*name, &Sum(name, *n));
        }
        for (name, values) in &self.times {
            writer.value(*name, &Times(values));
        }
    }
}

impl Value for Sum {
    fn write(&self, writer: impl ValueWriter) {
        let n = Observation::Unsigned(self.1);
        writer.metric([n], unit(self.0), [], MetricFlags::empty());
    }
}

impl Value for Times<'_> {
    fn write(&self, writer: impl ValueWriter) {
        let observed = self.0.iter().map(|(value, times)| Observation::Repeated {
            total: *value as f64 * *times as f64,
            occurrences: *times,
        });
        let ms = Unit::Second(NegativeScale::Milli);
        writer.metric(observed, ms, [], MetricFlags::empty());
    }
}

/// CloudWatch's word for a unit; it has none for tokens and money.
fn unit(name: &str) -> Unit {
    match metrics::unit_of(name) {
        metrics::Unit::Count | metrics::Unit::Tokens => Unit::Count,
        metrics::Unit::Bytes => Unit::Byte(PositiveScale::One),
        metrics::Unit::MicroUsd => Unit::None,
        metrics::Unit::Milliseconds => Unit::Second(NegativeScale::Milli),
    }
}

#[cfg(test)]
mod tests {
    use contract::metrics::{
        ASK_AGE, CONTENTS_STORED, FRESHNESS, GENERATIONS, STREAM_BYTES, THROTTLES,
    };
    use serde_json::{Value as Json, json};

    use super::*;

    fn read(lines: &[u8]) -> Vec<Json> {
        let lines = std::str::from_utf8(lines).expect("is text").lines();
        lines.map(|line| serde_json::from_str(line).expect("is JSON")).collect()
    }

    fn counts() -> Counts {
        let mut counts = Counts::default();
        counts.add(GENERATIONS, 3);
        counts.add(STREAM_BYTES, 7);
        counts.add(THROTTLES, 0);
        for ms in [12, 12, 900] {
            counts.took(FRESHNESS, Duration::from_millis(ms));
        }
        counts.of("new-episode")
    }

    #[tokio::test]
    async fn a_line_is_of_the_program_and_one_of_each_campaign_as_cloudwatch_reads_them() {
        let meter = Meter::new("processor", "BrazeContent-dev");
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
        let remarks = || vec![("publication", "3".to_owned())];

        let lines = read(&meter.lines(&counts(), remarks, at));

        let [program, campaign] = &lines[..] else { panic!("{lines:?}") };
        let directive = &program["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(program["_aws"]["Timestamp"], 1_790_000_000_123_u64);
        assert_eq!(directive["Namespace"], "BrazeContent-dev");
        assert_eq!(directive["Dimensions"], json!([["program"]]));
        let metrics = directive["Metrics"].as_array().expect("is a list");
        let named: Vec<(&str, &str)> = metrics
            .iter()
            .map(|each| {
                (each["Name"].as_str().unwrap_or(""), each["Unit"].as_str().unwrap_or("None"))
            })
            .collect();
        let expected =
            [("generations", "Count"), ("stream_bytes", "Bytes"), ("freshness_ms", "Milliseconds")];
        assert_eq!(named, expected);
        assert_eq!(program["program"], "processor");
        assert_eq!(program["message"], "invocation done");
        assert_eq!((&program["level"], &program["publication"]), (&json!("INFO"), &json!("3")));
        assert_eq!((&program["generations"], &program["stream_bytes"]), (&json!(3), &json!(7)));
        // 900 is told to within a sixteenth.
        let freshness = json!({ "Values": [12.0, 928.0], "Counts": [2, 1] });
        assert_eq!(
            program["freshness_ms"].to_string().replace(".0", ""),
            freshness.to_string().replace(".0", "")
        );

        assert_eq!(campaign["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["campaign"]]));
        assert_eq!(campaign["campaign"], "new-episode");
        assert_eq!(campaign["generations"], 3);
        assert_eq!(campaign.get("stream_bytes"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn short_invocations_share_a_line_and_nothing_is_counted_twice_or_lost() {
        let meter = Meter::new("api", "n").gathering(Duration::from_secs(10));
        let mut total = 0;
        let mut written = 0;
        for _ in 0..100 {
            for line in read(&meter.lines(&counts(), Vec::new, SystemTime::UNIX_EPOCH)) {
                if line["program"] == "api" {
                    total += line["generations"].as_u64().unwrap_or_default();
                    written += 1;
                }
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let rest = meter.lines(&Counts::default(), Vec::new, SystemTime::UNIX_EPOCH);
        total += read(&rest)[0]["generations"].as_u64().unwrap_or_default();

        assert_eq!((written, total), (10, 300));
    }

    #[tokio::test]
    async fn more_values_than_a_line_may_hold_are_several_lines() {
        let mut counts = Counts::default();
        for exponent in 0..40 {
            for part in 0..8 {
                let ms = (1_u64 << exponent) + part * (1 << exponent) / 8;
                counts.took(ASK_AGE, Duration::from_millis(ms));
            }
        }
        counts.add(CONTENTS_STORED, 1);
        let meter = Meter::new("processor", "n");

        let lines = read(&meter.lines(&counts, Vec::new, SystemTime::UNIX_EPOCH));

        let values = |line: &Json| line["ask_age_ms"]["Values"].as_array().map_or(0, Vec::len);
        let times = |line: &Json| -> u64 {
            let counts = line["ask_age_ms"]["Counts"].as_array().expect("is a list");
            counts.iter().filter_map(Json::as_u64).sum()
        };
        assert!(lines.len() > 1 && lines.iter().all(|line| values(line) <= 100), "{lines:?}");
        assert_eq!(lines.iter().map(times).sum::<u64>(), 320);
        let stored = lines.iter().filter(|line| line.get("contents_stored").is_some());
        assert_eq!(stored.count(), 1);
    }
}
