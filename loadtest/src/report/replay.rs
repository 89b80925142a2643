//! What a replay came to, drawn.

use super::Named;
use super::chart::{Axis, Chart, Scale, Series, quantile_axis, rarity};
use super::system::{self, SystemView};
use super::table::{Good, Row, table};
use crate::replay::result::{Point, ReplayResult};

/// The part of the page.
pub(super) fn section(runs: &[Named<'_, ReplayResult>]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut html = String::from("<h2>Replay</h2>\n");
    html.push_str(&table(&names, &figures(runs)));
    html.push_str(
        &over_time(runs, "Events in the bucket", "events", &[("", |point| point.events)]).html(),
    );
    let lines: [Line; 2] =
        [("waiting", |point| point.waiting), ("readable", |point| point.readable)];
    html.push_str(&over_time(runs, "Followed users: backlog and content", "users", &lines).html());
    html.push_str(&freshness(runs).html());
    let systems: Vec<_> = runs.iter().filter_map(shown).collect();
    if !systems.is_empty() {
        for chart in system::charts(&systems) {
            html.push_str(&chart.html());
        }
    }
    html
}

/// A run whose system told its figures.
fn shown<'a>(run: &'a Named<'_, ReplayResult>) -> Option<SystemView<'a>> {
    let system = run.result.system.as_ref()?;
    Some(SystemView { letter: run.letter, system, periods: &[] })
}

/// A line over time: its name, and its value at a moment.
type Line = (&'static str, fn(&Point) -> u64);

fn figures(runs: &[Named<'_, ReplayResult>]) -> Vec<Row> {
    let of = |name, unit, good, value: fn(&ReplayResult) -> f64| Row {
        name,
        unit,
        good,
        values: runs.iter().map(|run| Some(value(run.result))).collect(),
    };
    let mut rows = vec![
        of("events uploaded", "", Good::Neither, |r| r.upload.events as f64),
        of("events a second", "/s", Good::High, |r| r.upload.events_per_second),
        of("files uploaded", "", Good::Neither, |r| r.upload.files as f64),
        of("files that failed", "", Good::Low, |r| r.upload.failed_files as f64),
        of("files that are damaged", "", Good::Neither, |r| r.input.damaged_files as f64),
        of("p99 of the upload of a file", " ms", Good::Low, |r| r.upload.delay.p99_ms),
        of("users followed", "", Good::Neither, |r| r.followed.sampled as f64),
        of("lost", "", Good::Low, |r| (r.followed.lost + r.followed.not_uploaded) as f64),
        of("written twice", "", Good::Low, |r| r.followed.written_twice as f64),
        of("freshness p50", " ms", Good::Low, |r| r.followed.freshness.p50_ms),
        of("freshness p90", " ms", Good::Low, |r| r.followed.freshness.p90_ms),
        of("freshness p99", " ms", Good::Low, |r| r.followed.freshness.p99_ms),
        of("freshness, at most too long by", " ms", Good::Neither, |r| {
            r.followed.resolution.max_ms
        }),
    ];
    if runs.iter().any(|run| run.result.system.is_some()) {
        rows.extend(bill(runs));
    }
    rows
}

/// What AWS would charge.
fn bill(runs: &[Named<'_, ReplayResult>]) -> impl Iterator<Item = Row> {
    let lines = bill::Bill::default().lines().into_iter();
    lines.map(|(name, _)| Row {
        name,
        unit: " $ for a million events",
        good: Good::Low,
        values: runs.iter().map(|run| usd_of_a_million(run.result, name)).collect(),
    })
}

fn usd_of_a_million(run: &ReplayResult, line: &str) -> Option<f64> {
    let usd = run.system.as_ref()?.usd.get(line)?;
    (run.upload.events > 0).then(|| usd * 1e6 / run.upload.events as f64)
}

fn over_time(
    runs: &[Named<'_, ReplayResult>],
    title: &'static str,
    label: &'static str,
    lines: &[Line],
) -> Chart {
    let mut series = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for (n, (what, value)) in lines.iter().enumerate() {
            let points = &run.result.points;
            series.push(Series {
                name: format!("{what} {}", run.letter).trim().to_owned(),
                run: number,
                is_second: n > 0,
                points: points.iter().map(|point| (point.secs, value(point) as f64)).collect(),
            });
        }
    }
    let axis = |label| Axis { label, scale: Scale::Linear, marks: Vec::new() };
    Chart { title, x: axis("seconds"), y: axis(label), series, bound: None, bands: Vec::new() }
}

fn freshness(runs: &[Named<'_, ReplayResult>]) -> Chart {
    let series = runs.iter().enumerate().map(|(number, run)| {
        let distribution = &run.result.followed.freshness.distribution;
        let inner = distribution.iter().filter(|(quantile, _)| *quantile < 1.0);
        let points = inner.map(|(quantile, ms)| (rarity(*quantile), *ms)).collect();
        Series { name: run.letter.to_owned(), run: number, is_second: false, points }
    });
    Chart {
        title: "Freshness: from when a file is due to readable content",
        x: quantile_axis(),
        y: Axis { label: "ms", scale: Scale::Logarithmic, marks: Vec::new() },
        series: series.collect(),
        bound: None,
        bands: Vec::new(),
    }
}
