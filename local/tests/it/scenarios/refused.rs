//! Requests that the account or the model does not take: the operator hears why.

use std::process::Command;

use contract::ask::Reason;
use contract::metrics;
use futures::future::join_all;
use local::bedrock::scenario::{Rule, Scenario};

use super::{FORMS, Form, OTHERS, Run, campaign as campaign_of, doing};
use crate::rig::{campaigns, changed_campaign};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_account_may_not_call_waits_for_somebody_to_allow_it_and_asks_little() {
    let cases = [
        (Scenario::UseCaseMissing, ""),
        (Scenario::ExplicitDeny, ""),
        (Scenario::CachingDenied, "cache_system = true"),
        (Scenario::ModelNotHere, ""),
    ];

    join_all(cases.map(async |(scenario, settings)| {
        let campaigns = campaign_of(Form::JsonSchema, settings);
        let run = Run::over(&[], campaigns, doing(vec![Rule::from(scenario)])).await;

        run.reconcile().await;
        assert!(run.letters.is_empty(), "{scenario:?}: {:?}", run.letters);
        assert_eq!(run.waiting(Reason::Halted), OTHERS as u64, "{scenario:?}");
        let calls = run.stand_in().calls();
        assert!(calls <= OTHERS as u64, "{scenario:?}: {calls} calls");
        assert_eq!(run.stand_in().billed().calls, 0);
        run.stop().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_does_not_take_is_given_up_at_once_with_the_setting_to_change() {
    let cases = [
        (Scenario::NoTemperature, Form::JsonSchema, "", "remove temperature"),
        (Scenario::NoToolChoice, Form::Tool, "", "structured_output"),
        (Scenario::NoTools, Form::Tool, "", "structured_output"),
        (Scenario::NoCachePoint, Form::JsonSchema, "cache_system = true", "cache_system = false"),
        (Scenario::NoStructuredOutput, Form::JsonSchema, "", "structured_output"),
        (Scenario::ProfileOnly, Form::JsonSchema, "", "inference profile"),
    ];
    for (scenario, form, settings, words) in cases {
        let campaigns = campaign_of(form, settings);
        let run = Run::over(&[], campaigns, doing(vec![Rule::from(scenario)])).await;

        run.reconcile().await;
        assert_eq!(run.letters.len(), OTHERS, "{scenario:?}");
        for letter in run.letters.values() {
            assert_eq!(letter.reason, "refused_request", "{scenario:?} {}", letter.detail);
            assert!(letter.detail.contains(words), "{scenario:?} {}", letter.detail);
        }
        assert_eq!(run.stand_in().calls(), OTHERS as u64, "{scenario:?}");
        assert_eq!(run.stand_in().billed().calls, 0);
        run.stop().await;
    }
}

#[test]
fn a_campaign_whose_every_call_is_refused_is_told_once_an_invocation() {
    let ran = Command::new(env!("CARGO_BIN_EXE_local"))
        .env_remove("RUST_LOG")
        .args([
            "--exit-when-done",
            "--port",
            "0",
            "--batch-window-ms",
            "100",
            "--events",
            "2000",
            "--users",
            "200",
        ])
        .args(["--scenario", "no-temperature", "--campaigns"])
        .arg(campaigns())
        .output()
        .expect("program runs");

    let (said, logged) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let told = logged.lines().filter(|line| line.contains("model refuses the campaign's calls"));
    let given_up = said.matches("refused_request").count();
    assert!(given_up > 10, "{said}{logged}");
    assert!(logged.contains("remove temperature"), "{logged}");
    let told = told.count();
    assert!((1..=16).contains(&told), "{told} lines for {given_up} letters and more:\n{logged}");
}

/// A campaign whose schema says what the service takes nothing of.
fn demanding(form: Form) -> tempfile::TempDir {
    let list = r##""points": { "type": "array", "minItems": 3, "maxItems": 3, "uniqueItems": false,
        "items": { "type": "string", "maxLength": 60, "pattern": "^(?=.).*$" } },
        "rank": { "oneOf": [{ "type": "integer", "minimum": 1, "maximum": 5 }, { "type": "null" }] },
        "when": { "$ref": "#/$defs/day" },
        "emailTitle": {"##;
    let defs = r#""$defs": { "day": { "type": "string", "format": "date", "maxLength": 10 } },
        "type": "object","#;
    let fallback = r#"{ "points": ["a", "b", "c"], "rank": 1, "when": "2026-01-01", "#;
    changed_campaign(|text| {
        let text = match form {
            Form::JsonSchema => text,
            Form::Tool => text.replace("\"json-schema\"", "\"tool\""),
        };
        if text.contains("\"$schema\"") {
            return text.replacen("\"emailTitle\": {", list, 1).replacen(
                "\"type\": \"object\",",
                defs,
                1,
            );
        }
        if text.trim_start().starts_with('{') && text.contains("\"emailTitle\"") {
            return text.replacen('{', fallback, 1);
        }
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_says_more_than_the_service_takes_is_reduced_and_checked_here() {
    for form in FORMS {
        let folder = demanding(form);
        campaign::load(folder.path()).expect("the campaign is one");
        let run = Run::over(&[], folder, doing(Vec::new())).await;

        assert_eq!(run.rig.count(metrics::CONTENTS_STORED), OTHERS as u64, "{:?}", run.letters);
        let content = run.content_of(0).await.expect("is served");
        assert_eq!(content["points"].as_array().map(Vec::len), Some(3), "{content}");
        run.stop().await;
    }
}
