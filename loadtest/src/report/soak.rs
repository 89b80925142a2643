//! What a soak came to, drawn: over time, with the periods of faults behind.

use std::fmt::Write as _;

use super::Named;
use super::chart::{Axis, Band, Chart, Scale, Series};
use super::escape::Escaped;
use super::table::{Good, Row, table};
use crate::soak::Sample;
use crate::soak::result::SoakResult;

/// The part of the page.
pub(super) fn section(runs: &[Named<'_, SoakResult>]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut html = String::from("<h2>Soak</h2>\n");
    html.push_str(&table(&names, &figures(runs)));
    for run in runs {
        html.push_str(&reconciliation(run));
    }
    for chart in charts(runs) {
        html.push_str(&chart.html());
    }
    html
}

fn figures(runs: &[Named<'_, SoakResult>]) -> Vec<Row> {
    let of = |name, unit, good, value: fn(&SoakResult) -> Option<f64>| Row {
        name,
        unit,
        good,
        values: runs.iter().map(|run| value(run.result)).collect(),
    };
    vec![
        of("events uploaded", "", Good::Neither, |r| Some(r.upload.events as f64)),
        of("events a second, uploaded", "/s", Good::Neither, |r| Some(r.upload.events_per_second)),
        of("done after the last file", " s", Good::Low, |r| Some(r.drain_secs)),
        of("generations", "", Good::Low, |r| Some(r.generations as f64)),
        of("freshness p50", " ms", Good::Low, |r| Some(last_of(r).freshness_p50_ms as f64)),
        of("freshness p99", " ms", Good::Low, |r| Some(last_of(r).freshness_p99_ms as f64)),
        of("quota, most used", " tokens", Good::Neither, |r| Some(r.quota?.highest as f64)),
        of(
            "faults that struck",
            "",
            Good::Neither,
            |r| Some(r.struck.values().sum::<u64>() as f64),
        ),
        of("look-ups", "", Good::Neither, |r| Some(r.look_ups.latency.count as f64)),
        of("look-ups that failed", "", Good::Low, |r| Some(r.look_ups.counts.failed() as f64)),
        of("look-up p99", " ms", Good::Low, |r| Some(r.look_ups.latency.p99_ms)),
        of("lines that do not hold", "", Good::Low, |r| {
            Some(r.lines.iter().filter(|line| !line.holds).count() as f64)
        }),
    ]
}

fn last_of(result: &SoakResult) -> Sample {
    result.samples.last().copied().unwrap_or_default()
}

/// Every line of the reconciliation of a run, and its fates.
fn reconciliation(run: &Named<'_, SoakResult>) -> String {
    let mut rows = String::new();
    for line in &run.result.lines {
        let (class, verdict) =
            if line.holds { ("", "holds") } else { (" class=\"worse\"", "does not hold") };
        let _ = writeln!(
            rows,
            "<tr{class}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{verdict}</td>\
             <td>{}</td></tr>",
            Escaped(&line.name),
            line.found,
            Escaped(line.rule.sign()),
            line.expected,
            Escaped(&line.note)
        );
    }
    let mut fates = String::new();
    for (fate, n) in &run.result.fates {
        let name = fate.replace('_', " ");
        let _ = writeln!(fates, "<tr><th scope=\"row\">{}</th><td>{n}</td></tr>", Escaped(&name));
    }
    format!(
        "<h3>Reconciliation of {name}</h3>\n<table><thead><tr><th scope=\"col\">line</th>\
         <th scope=\"col\">found</th><th scope=\"col\"></th><th scope=\"col\">expected</th>\
         <th scope=\"col\">outcome</th><th scope=\"col\">note</th></tr></thead><tbody>\n{rows}\
         </tbody></table>\n<details><summary>What became of events, every delivery counted\
         </summary>\n<table><tbody>\n{fates}</tbody></table></details>\n",
        name = Escaped(&run.name)
    )
}

/// A line over time: its name, and its value at a moment, given the one before.
type Line = (&'static str, fn(&Sample, &Sample) -> Option<f64>);

/// What a counter gained in a second between two moments.
fn a_second(before: &Sample, now: &Sample, counter: fn(&Sample) -> u64) -> Option<f64> {
    let secs = now.secs - before.secs;
    (secs > 0.0).then(|| counter(now).saturating_sub(counter(before)) as f64 / secs)
}

fn charts(runs: &[Named<'_, SoakResult>]) -> Vec<Chart> {
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
        log(
            "Look-ups: p99 of each moment",
            "ms",
            &[("", |_, now| (now.look_ups > 0).then_some(now.look_ups_p99_ms))],
        ),
    ]
}

/// The quota's use; the limit is a line across where all runs have the same.
fn quota(runs: &[Named<'_, SoakResult>]) -> Chart {
    let used: [Line; 1] = [("", |_, now| now.quota_used.map(|used| used as f64))];
    let title = "Quota: tokens of the minute before";
    let mut chart = over_time(runs, title, "tokens", Scale::Linear, &used);
    let limit = |run: &Named<'_, SoakResult>| run.result.quota.map(|quota| quota.tokens_per_minute);
    let first = runs.first().and_then(limit);
    if runs.iter().all(|run| limit(run) == first) {
        chart.bound = first.map(|limit| limit as f64);
        return chart;
    }
    for (number, run) in runs.iter().enumerate() {
        let (Some(limit), end) = (limit(run), last_of(run.result).secs) else { continue };
        chart.series.push(Series {
            name: format!("limit {}", run.name),
            run: number,
            is_second: true,
            points: vec![(0.0, limit as f64), (end, limit as f64)],
        });
    }
    chart
}

fn over_time(
    runs: &[Named<'_, SoakResult>],
    title: &'static str,
    label: &'static str,
    scale: Scale,
    lines: &[Line],
) -> Chart {
    let (mut series, mut bands) = (Vec::new(), Vec::new());
    for (number, run) in runs.iter().enumerate() {
        let samples = &run.result.samples;
        for (n, (what, value)) in lines.iter().enumerate() {
            let mut before = Sample::default();
            let mut points = Vec::new();
            for now in samples {
                points.extend(value(&before, now).map(|value| (now.secs, value)));
                before = *now;
            }
            let name = format!("{what} {}", run.name).trim().to_owned();
            series.push(Series { name, run: number, is_second: n > 0, points });
        }
        bands.extend(run.result.periods.iter().map(|period| Band {
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
