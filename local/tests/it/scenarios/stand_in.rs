//! The stand-in itself, called as the SDK calls it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum as _;
use local::bedrock::scenario::{Rule, Scenario};
use local::bedrock::{Behaviour, StandIn};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{FORMS, Form, doing};
use crate::rig::posted;

const MODEL: &str = "us.some.model-v1:0";

fn request(form: Form) -> Value {
    let properties = json!({ "heading": { "type": "string" } });
    let schema = json!({ "type": "object", "required": ["heading"], "properties": properties });
    let mut request = json!({
        "messages": [{ "role": "user", "content": [{ "text": "Write of \"Harbour Lights\"." }] }],
        "system": [{ "text": "You write." }, { "cachePoint": { "type": "default" } }],
        "inferenceConfig": { "maxTokens": 400, "temperature": 0.5 },
    });
    match form {
        Form::JsonSchema => {
            let mut schema = schema;
            schema["additionalProperties"] = false.into();
            request["outputConfig"] = json!({ "textFormat": {
                "type": "json_schema",
                "structure": { "jsonSchema": { "name": "n", "schema": schema.to_string() } },
            } });
        }
        Form::Tool => {
            request["toolConfig"] = json!({
                "tools": [{ "toolSpec": { "name": "write", "inputSchema": { "json": schema } } }],
                "toolChoice": { "tool": { "name": "write" } },
            });
        }
    }
    request
}

struct Running {
    stand_in: StandIn,
    stop: CancellationToken,
}

impl Running {
    async fn start(behaviour: Behaviour) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let stand_in = StandIn::start(behaviour, &tasks, &stop).await.expect("starts");
        Self { stand_in, stop }
    }

    /// Status, headers and body of the answer to a request, or that there was none.
    async fn call(&self, model_id: &str, request: &Value) -> String {
        let model_id = model_id.replace(':', "%3A").replace('+', "%2B").replace('=', "%3D");
        let url = format!("http://{}/model/{model_id}/converse", self.stand_in.address);
        let Ok(sent) = reqwest::Client::new().post(url).json(request).send().await else {
            return "nothing".to_owned();
        };
        let head = format!("{} {:?}", sent.status(), sent.headers());
        match sent.text().await {
            Ok(body) => format!("{head} {body}"),
            Err(_) => format!("{head} broken"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What one call cannot show: it is of many at a time, or of jobs.
const OF_OTHERS: [Scenario; 2] = [Scenario::TooManyConnections, Scenario::JobExpires];

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_changes_what_comes_by_setting_and_by_model_id() {
    let plain = Running::start(doing(Vec::new())).await;
    for scenario in Scenario::value_variants() {
        let name = scenario.to_possible_value().expect("has a name").get_name().to_owned();
        let by_setting = Running::start(doing(vec![Rule::from(*scenario)])).await;
        let mut has_changed = [false, false];
        for form in FORMS {
            let request = request(form);
            let without_date = |said: String| -> String {
                said.split("\"date\"").next().unwrap_or_default().to_owned()
                    + said.rsplit("GMT\"").next().unwrap_or_default()
            };
            let well = without_date(plain.call(MODEL, &request).await);
            assert!(well.starts_with("200"), "{well}");
            let set = without_date(by_setting.call(MODEL, &request).await);
            let named = without_date(plain.call(&format!("{MODEL}+{name}"), &request).await);
            has_changed[0] |= set != well;
            has_changed[1] |= named != well;
        }
        let is_of_a_call = !OF_OTHERS.contains(scenario);
        assert_eq!(has_changed, [is_of_a_call, is_of_a_call], "{name}");
    }
    let unknown = plain.call(&format!("{MODEL}+none"), &request(Form::Tool)).await;
    assert!(unknown.contains("The provided model identifier is invalid."), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_comes_as_the_service_sends_it() {
    let running = Running::start(doing(Vec::new())).await;
    for (name, status, header) in [
        ("model-error", "424", "ModelErrorException:http"),
        ("internal-error", "500", "InternalServerException:http"),
        ("model-timeout", "408", "ModelTimeoutException:http"),
        ("unavailable", "503", "ServiceUnavailableException:http"),
        ("overloaded", "529", "\"retry-after\": \"1\""),
        ("throttle-bursts", "429", "ThrottlingException:http"),
        ("use-case-missing", "404", "ResourceNotFoundException:http"),
        ("explicit-deny", "403", "AccessDeniedException:http"),
        ("proxy403", "403", "text/html"),
    ] {
        let said = running.call(&format!("{MODEL}+{name}"), &request(Form::Tool)).await;

        assert!(said.starts_with(status), "{name}: {said}");
        assert!(said.contains(header), "{name}: {said}");
        let has_code = said.contains("x-amzn-errortype");
        assert_eq!(has_code, name != "proxy403", "{name}: {said}");
    }
    assert_eq!(running.stand_in.billed().calls, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_billed() {
    let slow =
        Behaviour { slow: Duration::from_secs(60), ..doing(vec![Rule::from(Scenario::Slow)]) };
    let running = Running::start(slow).await;

    let request = request(Form::Tool);
    let call = running.call(MODEL, &request);
    let waited = tokio::time::timeout(Duration::from_millis(200), call).await;

    assert!(waited.is_err(), "it is slow");
    while running.stand_in.billed().calls == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(running.stand_in.billed().tokens > 50);
    assert!(running.stand_in.quota_use().settled > 50, "the quota is charged too");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_connections_that_there_are_find_no_room() {
    let behaviour = Behaviour {
        latency: Duration::from_millis(200),
        ..doing(vec![Rule::from(Scenario::TooManyConnections)])
    };
    let running = Running::start(behaviour).await;

    let request = request(Form::Tool);
    let calls = (0..10).map(|_| running.call(MODEL, &request));
    let said = futures::future::join_all(calls).await;

    let refused = said.iter().filter(|said| said.contains("Too many connections")).count();
    assert_eq!((refused, said.len() - refused), (6, 4));
}

#[test]
fn the_stand_in_alone_does_what_it_is_told() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .env_remove("CAMPAIGNS")
        .args(["bedrock", "--port", "0", "--scenario", "html-page:first=Harbour,slow=x"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("is text");
    let endpoint = line.trim().strip_prefix("AWS_ENDPOINT_URL_BEDROCK_RUNTIME=");

    let url = format!("{}/model/some.model/converse", endpoint.expect("names the variable"));
    let answer = posted(&url, &request(Form::Tool));
    child.kill().expect("is ended");
    child.wait().expect("ends");

    assert!(answer.contains("<h1>Error</h1>"), "{answer}");
    let unknown = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["bedrock", "--scenario", "none"])
        .output()
        .expect("program runs");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no scenario \"none\""));
}
