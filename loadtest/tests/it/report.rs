//! What was measured, drawn; and the schema that its file keeps.

use std::path::{Path, PathBuf};

use local::front;
use serde_json::Value;

use crate::rig::{Rig, loadtest, sample, stderr, stdout};

/// Reads a measurement, and fails where it does not keep the published schema.
pub(crate) fn by_schema(json: &Path) -> Value {
    let measured: Value =
        serde_json::from_slice(&std::fs::read(json).expect("is there")).expect("is JSON");
    let problems: Vec<String> =
        schema().iter_errors(&measured).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    measured
}

fn schema() -> jsonschema::Validator {
    let schema = include_str!("../../../docs/loadtest.schema.json");
    jsonschema::validator_for(&serde_json::from_str(schema).expect("is JSON")).expect("is a schema")
}

/// Measures a few look-ups.
async fn measure(rig: &Rig, label: &str, json: &Path) -> Value {
    let (url, json_path) = (rig.url(), json.to_str().expect("is UTF-8"));
    let mut arguments = vec!["lookups", "--url", &url, "--rates", "20,40", "--step-secs", "1"];
    arguments.extend(["--mix", "miss=9,unauthorised=1", "--p99-ms", "2000"]);
    arguments.extend(["--label", label, "--json", json_path]);
    let output = loadtest(&[("LOADTEST_CREDENTIALS", front::CREDENTIALS)], &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    by_schema(json)
}

pub(crate) async fn report(files: &[&Path], out: &Path) -> String {
    let mut arguments = vec!["report", "--out", out.to_str().expect("is UTF-8")];
    arguments.extend(files.iter().map(|file| file.to_str().expect("is UTF-8")));
    let output = loadtest(&[], &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    std::fs::read_to_string(out).expect("is written")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_stand_beside_each_other_on_a_page_that_needs_nothing_else() {
    let rig = Rig::start().await;
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let a = measure(&rig, "before <script>alert(1)</script>", &file("a.json")).await;
    measure(&rig, "after", &file("b.json")).await;

    let page = report(&[&file("a.json"), &file("b.json")], &file("report.html")).await;

    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("A to B") && page.contains("B: after"), "{page}");
    assert!(page.contains("before &lt;script&gt;"), "{page}");
    let p99 = a["result"]["steps"][1]["latency"]["p99_ms"].as_f64().expect("is a number");
    let shown = format!("{p99:.digits$} ms", digits = if p99 < 10.0 { 2 } else { 1 });
    assert!(page.contains(&shown), "{shown} is not on {page}");
    // Nothing is loaded, and nothing runs.
    let address = rig.url();
    let without_address = page.replace(&address, "");
    for forbidden in ["<script", "src=", "href=", "url(", "@import", "http:", "https:"] {
        assert!(!without_address.contains(forbidden), "{forbidden} in {page}");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_drawn_beside_look_ups() {
    let rig = Rig::start().await;
    let folder = tempfile::tempdir().expect("temporary folder");
    let (a, b) = (folder.path().join("a.json"), folder.path().join("b.json"));
    measure(&rig, "", &a).await;
    let files = sample(1_000, 100);
    let replayed = crate::replay::replay(&rig, files.path(), &["--sample", "20"], &b).await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.printed);
    let usd = &by_schema(&b)["result"]["system"]["usd"];
    assert!(usd["DynamoDB"].as_f64().is_some_and(|usd| usd > 0.0), "{usd}");

    let page = report(&[&a, &b], &folder.path().join("report.html")).await;

    assert_eq!(page.matches("<svg").count(), 11);
    assert!(page.contains("Quota: tokens of the minute before"), "{page}");
    assert!(page.contains("<th scope=\"row\">DynamoDB</th>"), "{page}");
    assert!(page.contains(" $ for a million events"), "{page}");
    assert!(replayed.printed.contains("AWS would charge"), "{}", replayed.printed);
    assert!(page.contains("<h2>Look-ups</h2>") && page.contains("<h2>Replay</h2>"), "{page}");
    assert!(page.contains("<tr><th scope=\"row\">users followed</th><td>20</td></tr>"), "{page}");
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_measurement_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let json = folder.path().join("other.json");
    std::fs::write(&json, "{\"format\": 1}").expect("is written");

    let output = loadtest(&[], &["report", json.to_str().expect("is UTF-8")]).await;

    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("other.json is no measurement"), "{}", stderr(&output));
    let other: Value = serde_json::from_str("{\"format\": 1}").expect("is JSON");
    assert!(!schema().is_valid(&other));
}
