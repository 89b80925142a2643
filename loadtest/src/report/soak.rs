//! What a soak came to, drawn: over time, with the periods of faults behind.

use std::fmt::Write as _;

use super::Named;
use super::escape::Escaped;
use super::system::{self, SystemView};
use super::table::{Good, Row, table};
use crate::soak::result::SoakResult;
use crate::system::Sample;

/// The part of the page.
pub(super) fn section(runs: &[Named<'_, SoakResult>]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut html = String::from("<h2>Soak</h2>\n");
    html.push_str(&table(&names, &figures(runs)));
    for run in runs {
        html.push_str(&reconciliation(run));
    }
    let systems: Vec<_> = runs.iter().map(shown).collect();
    for chart in system::charts(&systems).into_iter().chain([system::look_ups(&systems)]) {
        html.push_str(&chart.html());
    }
    html
}

fn shown<'a>(run: &'a Named<'_, SoakResult>) -> SystemView<'a> {
    SystemView { letter: run.letter, system: &run.result.system, periods: &run.result.periods }
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
        of("quota, most used", " tokens", Good::Neither, |r| Some(r.system.quota?.highest as f64)),
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
    result.system.samples.last().copied().unwrap_or_default()
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
