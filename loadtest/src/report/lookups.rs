//! What look-ups came to, drawn.

use std::fmt::Write as _;

use super::Named;
use super::chart::{Axis, Chart, Scale, Series, quantile_axis, rarity};
use super::escape::Escaped;
use super::table::{Good, Row, number, table};
use crate::lookups::result::{LookupsResult, Step};

/// The part of the page.
pub(super) fn section(runs: &[Named<'_, LookupsResult>]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut html = String::from("<h2>Look-ups</h2>\n");
    html.push_str(&table(&names, &figures(runs)));
    html.push_str(&rates(runs).html());
    html.push_str(&distribution(runs).html());
    for run in runs {
        html.push_str(&steps(run));
    }
    html
}

/// The step that stands for a run: the highest that was kept, or else the first.
fn best(result: &LookupsResult) -> Option<&Step> {
    let kept = result.steps.iter().filter(|step| step.kept);
    kept.max_by(|a, b| a.rate.total_cmp(&b.rate)).or(result.steps.first())
}

fn figures(runs: &[Named<'_, LookupsResult>]) -> Vec<Row> {
    let of = |name, unit, good, value: &dyn Fn(&LookupsResult) -> Option<f64>| Row {
        name,
        unit,
        good,
        values: runs.iter().map(|run| value(run.result)).collect(),
    };
    let best_ms = |name, value: fn(&Step) -> f64| {
        of(name, " ms", Good::Low, &move |result| best(result).map(value))
    };
    let all = |result: &LookupsResult, value: fn(&Step) -> u64| {
        Some(result.steps.iter().map(value).sum::<u64>() as f64)
    };
    vec![
        of("bound of p99", " ms", Good::Neither, &|result| Some(result.bound_ms)),
        of("highest rate within it", "/s", Good::High, &|result| result.highest_rate),
        best_ms("p50 at that rate", |step| step.latency.p50_ms),
        best_ms("p99 at that rate", |step| step.latency.p99_ms),
        best_ms("p99.9 at that rate", |step| step.latency.p999_ms),
        best_ms("p99 of the delay in sending", |step| step.sending_delay.p99_ms),
        of("look-ups", "", Good::Neither, &|result| all(result, |step| step.latency.count)),
        of("without an answer", "", Good::Low, &|result| all(result, |step| step.counts.failed())),
        of("answered unexpectedly", "", Good::Low, &|result| {
            all(result, |step| step.counts.unexpected)
        }),
    ]
}

fn ms_axis() -> Axis {
    Axis { label: "latency in ms", scale: Scale::Logarithmic, marks: Vec::new() }
}

fn rates(runs: &[Named<'_, LookupsResult>]) -> Chart {
    let mut series = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let line = |what: &str, is_second, value: fn(&Step) -> f64| {
            let mut points: Vec<_> =
                run.result.steps.iter().map(|step| (step.rate, value(step))).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Series { name: format!("{what} {}", run.letter), run: number, is_second, points }
        };
        series.push(line("p99", false, |step| step.latency.p99_ms));
        series.push(line("p50", true, |step| step.latency.p50_ms));
    }
    Chart {
        title: "Latency by rate",
        x: Axis { label: "look-ups a second", scale: Scale::Logarithmic, marks: Vec::new() },
        y: ms_axis(),
        series,
        bound: runs.first().map(|run| run.result.bound_ms),
        bands: Vec::new(),
    }
}

fn distribution(runs: &[Named<'_, LookupsResult>]) -> Chart {
    let series = runs.iter().enumerate().filter_map(|(number, run)| {
        let step = best(run.result)?;
        let inner = step.latency.distribution.iter().filter(|(quantile, _)| *quantile < 1.0);
        let points = inner.map(|(quantile, ms)| (rarity(*quantile), *ms)).collect();
        Some(Series { name: run.letter.to_owned(), run: number, is_second: false, points })
    });
    Chart {
        title: "Latencies at the highest rate within the bound",
        x: quantile_axis(),
        y: ms_axis(),
        series: series.collect(),
        bound: runs.first().map(|run| run.result.bound_ms),
        bands: Vec::new(),
    }
}

/// Every rate that was tried.
fn steps(run: &Named<'_, LookupsResult>) -> String {
    let mut html = format!(
        "<h3>{}</h3>\n<p>{} with {} look-ups under way at most, {}.</p>\n\
         <table><thead><tr><th scope=\"col\">rate</th><th scope=\"col\">answered</th>\
         <th scope=\"col\">p50</th><th scope=\"col\">p99</th><th scope=\"col\">p99.9</th>\
         <th scope=\"col\">content</th><th scope=\"col\">fallback</th>\
         <th scope=\"col\">refused</th><th scope=\"col\">no answer</th>\
         <th scope=\"col\">kept</th></tr></thead><tbody>\n",
        Escaped(&run.name),
        Escaped(&run.result.url),
        run.result.in_flight,
        if run.result.reuses_connections {
            "over connections that are used again"
        } else {
            "each over a connection of its own"
        }
    );
    for step in &run.result.steps {
        let (latency, counts) = (&step.latency, &step.counts);
        let _ = writeln!(
            html,
            "<tr><td>{}/s</td><td>{}/s</td><td>{} ms</td><td>{} ms</td><td>{} ms</td>\
             <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            number(step.rate),
            number(step.answered_per_second),
            number(latency.p50_ms),
            number(latency.p99_ms),
            number(latency.p999_ms),
            counts.hit,
            counts.miss,
            counts.unauthorised,
            counts.failed(),
            if step.kept { "yes" } else { "no" }
        );
    }
    html.push_str("</tbody></table>\n");
    html
}
