//! `GET /metrics`: the figures of the run as they are now, in Prometheus' text format.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use contract::local::Metrics;
use contract::metrics::{Metric, Unit, all};

use super::Page;

/// The format, and its version.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What all names begin with.
const PREFIX: &str = "braze_content";

pub(super) async fn show(State(page): State<Arc<Page>>) -> Response {
    ([(CONTENT_TYPE, FORMAT)], text(&page.metrics.now())).into_response()
}

/// The figures as lines. Every counter is there, those that were never touched with 0; what is
/// counted for each campaign stands under a name of its own, or sums over labels would count
/// twice.
fn text(metrics: &Metrics) -> String {
    let mut lines = Lines::default();
    for metric in all() {
        if metric.unit == Unit::Milliseconds {
            lines.times(&metric, metrics);
        } else {
            lines.counter(&metric, metrics);
        }
    }
    lines.head("waiting", "gauge", "Objects, stream records and asks that wait.");
    let backlog = &metrics.backlog;
    for (kind, n) in
        [("objects", backlog.objects), ("records", backlog.records), ("asks", backlog.asks)]
    {
        lines.value("waiting", &[("kind", kind)], n as f64);
    }
    lines.head("asks_waiting", "gauge", "Asks that wait, by campaign and by what they wait for.");
    for asks in &metrics.asks.waiting {
        let labels = [("campaign", asks.campaign.as_str()), ("for", asks.reason.words())];
        lines.value("asks_waiting", &labels, asks.asks as f64);
    }
    if let Some(quota) = &metrics.quota {
        lines.head("quota_tokens", "gauge", "Tokens a minute: allowed, and used in the last one.");
        for (kind, tokens) in
            [("allowed", quota.tokens_per_minute), ("used", quota.used_last_minute)]
        {
            lines.value("quota_tokens", &[("kind", kind)], tokens as f64);
        }
    }
    lines.head("lost", "gauge", "What went in and came out nowhere: 0, or a fault.");
    lines.value("lost", &[], metrics.lost as f64);
    lines.head("drained", "gauge", "1 while nothing is under way.");
    lines.value("drained", &[], f64::from(u8::from(metrics.drained)));
    lines.0
}

/// Lines of the format.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn counter(&mut self, Metric { name, means, .. }: &Metric, metrics: &Metrics) {
        let total = format!("{name}_total");
        self.head(&total, "counter", means);
        self.value(&total, &[], metrics.count(name) as f64);
        let of = |counts: &BTreeMap<String, u64>| counts.get(*name).copied();
        let campaigns = metrics.by_campaign.iter();
        let campaigns: Vec<(&str, u64)> = campaigns
            .filter_map(|(campaign, counts)| Some((campaign.as_str(), of(counts)?)))
            .collect();
        if campaigns.is_empty() {
            return;
        }
        let total = format!("campaign_{name}_total");
        self.head(&total, "counter", means);
        for (campaign, n) in campaigns {
            self.value(&total, &[("campaign", campaign)], n as f64);
        }
    }

    fn times(&mut self, Metric { name, means, .. }: &Metric, metrics: &Metrics) {
        let times = metrics.times_ms.get(*name).copied().unwrap_or_default();
        let name = format!("{}_seconds", name.trim_end_matches("_ms"));
        self.head(&name, "summary", means);
        for (quantile, ms) in [("0.5", times.p50), ("0.99", times.p99), ("1", times.max)] {
            self.value(&name, &[("quantile", quantile)], ms as f64 / 1_000.0);
        }
        self.value(&format!("{name}_count"), &[], times.count as f64);
    }

    fn head(&mut self, name: &str, kind: &str, means: &str) {
        let means = means.trim().replace('\\', "\\\\");
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {PREFIX}_{name} {means}");
        let _ = writeln!(self.0, "# TYPE {PREFIX}_{name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "{PREFIX}_{name}{labels} {value}");
    }
}

/// A label's text, as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use contract::ask::Reason;
    use contract::local::{Asks, Backlog, Times, WaitingAsks};

    use super::*;

    #[test]
    fn figures_are_lines_of_prometheus_with_every_counter_once() {
        let waiting = WaitingAsks {
            campaign: "a \"b\"".to_owned(),
            reason: Reason::Quota,
            waits_for: String::new(),
            asks: 3,
            due: 1,
            next_due_secs: None,
        };
        let metrics = Metrics {
            counts: [("contents_stored".to_owned(), 7)].into(),
            backlog: Backlog { objects: 2, records: 0, asks: 3 },
            asks: Asks { waiting: vec![waiting], ..Asks::default() },
            by_campaign: [("sale".to_owned(), [("contents_stored".to_owned(), 4)].into())].into(),
            times_ms: [(
                "freshness_ms".to_owned(),
                Times { count: 7, p50: 1_500, p99: 2_000, max: 2_500 },
            )]
            .into(),
            drained: true,
            ..Metrics::default()
        };

        let text = text(&metrics);

        for line in [
            "# HELP braze_content_contents_stored_total Content items written.",
            "# TYPE braze_content_contents_stored_total counter",
            "braze_content_contents_stored_total 7",
            "braze_content_events_returned_total 0",
            "braze_content_campaign_contents_stored_total{campaign=\"sale\"} 4",
            "braze_content_call_seconds_count 0",
            "braze_content_waiting{kind=\"objects\"} 2",
            "braze_content_asks_waiting{campaign=\"a \\\"b\\\"\",for=\"the model's quota\"} 3",
            "braze_content_freshness_seconds{quantile=\"0.5\"} 1.5",
            "braze_content_drained 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# TYPE braze_content_contents_stored_total").count(), 1);
    }
}
