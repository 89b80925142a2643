//! How a run went on in the system, drawn over time.

use super::chart::{Axis, Band, Chart, Scale, Series};
use crate::soak::schedule::Period;
use crate::system::{Sample, System};

/// A run, as it is shown.
pub(super) struct SystemView<'a> {
    pub(super) letter: &'static str,
    pub(super) system: &'a System,
    /// When which fault was on.
    pub(super) periods: &'a [Period],
}

/// A line over time: its name, and its value at a moment, given the one before.
type Line = (&'static str, fn(&Sample, &Sample) -> Option<f64>);

/// What a counter gained in a second between two moments.
fn a_second(before: &Sample, now: &Sample, counter: fn(&Sample) -> u64) -> Option<f64> {
    let secs = now.secs - before.secs;
    (secs > 0.0).then(|| counter(now).saturating_sub(counter(before)) as f64 / secs)
}

/// The system's figures over time.
pub(super) fn charts(runs: &[SystemView<'_>]) -> Vec<Chart> {
    let linear = |title, label, lines: &[Line]| over_time(runs, title, label, Scale::Linear, lines);
    let log =
        |title, label, lines: &[Line]| over_time(runs, title, label, Scale::Logarithmic, lines);
    vec![
        linear(
            "Throughput",
            "events/s",
            &[
                ("done", |before, now| a_second(before, now, |s| s.events_done)),
                ("uploaded", |before, now| a_second(before, now, |s| s.events_uploaded)),
            ],
        ),
        linear(
            "Backlog",
            "objects, stream records",
            &[
                ("records", |_, now| Some(now.backlog_records as f64)),
                ("objects", |_, now| Some(now.backlog_objects as f64)),
            ],
        ),
        linear(
            "Freshness of all contents so far: from upload to readable",
            "s",
            &[
                ("p99", |_, now| Some(now.freshness_p99_ms as f64 / 1e3)),
                ("p50", |_, now| Some(now.freshness_p50_ms as f64 / 1e3)),
            ],
        ),
        quota(runs),
        linear(
            "Throttles: the model's service says no",
            "throttles/s",
            &[("", |before, now| a_second(before, now, |s| s.throttles))],
        ),
        log(
            "Generations against events, since the start",
            "number",
            &[
                ("events", |_, now| (now.events_done > 0).then_some(now.events_done as f64)),
                ("generations", |_, now| (now.generations > 0).then_some(now.generations as f64)),
            ],
        ),
    ]
}

/// Look-ups over time.
pub(super) fn look_ups(runs: &[SystemView<'_>]) -> Chart {
    let p99: [Line; 1] = [("", |_, now| (now.look_ups > 0).then_some(now.look_ups_p99_ms))];
    over_time(runs, "Look-ups: p99 of each moment", "ms", Scale::Logarithmic, &p99)
}

/// The quota's use; the limit is a line across where all runs have the same.
fn quota(runs: &[SystemView<'_>]) -> Chart {
    let used: [Line; 1] = [("", |_, now| now.quota_used.map(|used| used as f64))];
    let title = "Quota: tokens of the minute before";
    let mut chart = over_time(runs, title, "tokens", Scale::Linear, &used);
    let limit = |run: &SystemView<'_>| run.system.quota.map(|quota| quota.tokens_per_minute);
    let first = runs.first().and_then(limit);
    if runs.iter().all(|run| limit(run) == first) {
        chart.bound = first.map(|limit| limit as f64);
        return chart;
    }
    for (number, run) in runs.iter().enumerate() {
        let (Some(limit), end) =
            (limit(run), run.system.samples.last().map_or(0.0, |last| last.secs))
        else {
            continue;
        };
        chart.series.push(Series {
            name: format!("limit {}", run.letter),
            run: number,
            is_second: true,
            points: vec![(0.0, limit as f64), (end, limit as f64)],
        });
    }
    chart
}

fn over_time(
    runs: &[SystemView<'_>],
    title: &'static str,
    label: &'static str,
    scale: Scale,
    lines: &[Line],
) -> Chart {
    let (mut series, mut bands) = (Vec::new(), Vec::new());
    for (number, run) in runs.iter().enumerate() {
        let samples = &run.system.samples;
        for (n, (what, value)) in lines.iter().enumerate() {
            let mut before = Sample::default();
            let mut points = Vec::new();
            for now in samples {
                points.extend(value(&before, now).map(|value| (now.secs, value)));
                before = *now;
            }
            let name = format!("{what} {}", run.letter).trim().to_owned();
            series.push(Series { name, run: number, is_second: n > 0, points });
        }
        bands.extend(run.periods.iter().map(|period| Band {
            name: period.to_string(),
            run: number,
            from: period.from_secs,
            to: period.to_secs,
        }));
    }
    let axis = |label, scale| Axis { label, scale, marks: Vec::new() };
    let (x, y) = (axis("seconds", Scale::Linear), axis(label, scale));
    Chart { title, x, y, series, bound: None, bands }
}
