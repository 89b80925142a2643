//! Batch inference, as Bedrock describes it: jobs that read a file of records in S3 and write one of
//! answers.
//!
//! A job answers each of its records as a call would be, at no quota of the minute's; a record that
//! a scenario refuses has its error in the place of an answer. The order of the answers is another
//! than that of the records, which the service allows itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::refusal::{Call, Refusal};
use super::scenario::Scenario;
use super::{Shared, validation};

/// Fewest records of a job, as the service has it by default.
const LEAST_RECORDS: usize = 100;

/// How long a job takes, whatever it holds.
const TAKES: Duration = Duration::from_secs(2);

/// What stands before a job's number in its ARN.
const ARN: &str = "arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/";

/// The jobs of the account.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// By their numbers, as the ARN has them.
    all: Mutex<BTreeMap<String, Job>>,
    /// Where files are; without, there are no jobs.
    files: OnceLock<Client>,
}

#[derive(Debug, Clone)]
struct Job {
    request: Value,
    status: &'static str,
    message: Option<String>,
}

impl Jobs {
    /// Files are here.
    pub(super) fn open(&self, files: Client) {
        // Whoever opens it twice means the same files.
        let _ = self.files.set(files);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, number: &str, status: &'static str, message: Option<String>) {
        if let Some(job) = self.all().get_mut(number) {
            job.status = status;
            job.message = message;
        }
    }
}

/// The operations of jobs.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/model-invocation-job", post(create))
        .route("/model-invocation-job/{job}", get(look))
        .route("/model-invocation-job/{job}/stop", post(stop))
        .route("/model-invocation-jobs", get(list))
}

async fn create(State(state): State<Arc<Shared>>, Json(request): Json<Value>) -> Response {
    let Some(files) = state.jobs.files.get().cloned() else {
        return Refusal::invalid("There are no files here, and so no jobs.").into_response();
    };
    for name in ["jobName", "roleArn", "modelId"] {
        if request[name].as_str().is_none_or(str::is_empty) {
            return Refusal::invalid(format!("{name} is missing.")).into_response();
        }
    }
    if request["modelInvocationType"] != "Converse" {
        return Refusal::invalid("Only jobs of type Converse are here.").into_response();
    }
    let (number, is_new) = {
        let mut all = state.jobs.all();
        let same = |name: &str| {
            all.iter().find(|(_, job)| job.request[name] == request[name]).map(|(n, _)| n.clone())
        };
        match (same("clientRequestToken"), same("jobName")) {
            (Some(number), _) => (number, false),
            (None, Some(_)) => return Refusal::conflict("jobName is taken.").into_response(),
            (None, None) => {
                let number = format!("{:012}", all.len() + 1);
                let job = Job { request: request.clone(), status: "InProgress", message: None };
                all.insert(number.clone(), job);
                (number, true)
            }
        }
    };
    if is_new {
        let (state, number) = (Arc::clone(&state), number.clone());
        tokio::spawn(async move {
            sleep(TAKES).await;
            let (status, message) = match state.run(&number, &request, &files).await {
                Ok(status) => (status, None),
                Err(error) => ("Failed", Some(error.to_string())),
            };
            state.jobs.end(&number, status, message);
        });
    }
    Json(json!({ "jobArn": format!("{ARN}{number}") })).into_response()
}

async fn look(State(state): State<Arc<Shared>>, Path(job): Path<String>) -> Response {
    let number = job.rsplit('/').next().unwrap_or_default();
    match state.jobs.all().get(number) {
        Some(job) => Json(told(number, job)).into_response(),
        None => Refusal::absent("There is no such job.").into_response(),
    }
}

async fn stop(State(state): State<Arc<Shared>>, Path(job): Path<String>) -> Response {
    let number = job.rsplit('/').next().unwrap_or_default();
    match state.jobs.all().get_mut(number) {
        Some(job) if job.status == "InProgress" => {
            job.status = "Stopped";
            (StatusCode::OK, Json(json!({}))).into_response()
        }
        Some(_) => Refusal::conflict("The job has ended.").into_response(),
        None => Refusal::absent("There is no such job.").into_response(),
    }
}

async fn list(State(state): State<Arc<Shared>>) -> Json<Value> {
    let all = state.jobs.all();
    let jobs: Vec<Value> = all.iter().map(|(number, job)| told(number, job)).collect();
    Json(json!({ "invocationJobSummaries": jobs }))
}

fn told(number: &str, Job { request, status, message }: &Job) -> Value {
    let mut told = json!({
        "jobArn": format!("{ARN}{number}"),
        "jobName": request["jobName"],
        "modelId": request["modelId"],
        "roleArn": request["roleArn"],
        "status": status,
        "submitTime": "2026-01-01T00:00:00Z",
        "inputDataConfig": request["inputDataConfig"],
        "outputDataConfig": request["outputDataConfig"],
    });
    if let Some(message) = message {
        told["message"] = message.clone().into();
    }
    told
}

impl Shared {
    /// Answers the records of a job; tells how it ends.
    async fn run(&self, number: &str, job: &Value, files: &Client) -> anyhow::Result<&'static str> {
        let model_id = job["modelId"].as_str().unwrap_or_default();
        let (bucket, key) = place(&job["inputDataConfig"]["s3InputDataConfig"])?;
        let input = files.get_object().bucket(bucket).key(key).send().await;
        let input = input.context("the input cannot be read")?.body.collect().await;
        let input = input.context("the input cannot be read")?.into_bytes();
        let records: Vec<Value> = input
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()
            .context("a line of the input is no record")?;
        anyhow::ensure!(
            records.len() >= LEAST_RECORDS,
            "the input has {} records, and {LEAST_RECORDS} are the least",
            records.len(),
        );
        let rules = self.scenarios(model_id, &Value::Null).unwrap_or_default();
        let expires = rules.contains(&Scenario::JobExpires);
        let answered = if expires { records.len() / 2 } else { records.len() };
        let mut output = String::new();
        let mut errors = 0;
        for record in records.iter().rev().take(answered) {
            let mut line = json!({
                "recordId": record["recordId"], "modelInput": record["modelInput"],
            });
            match self.record(model_id, &record["modelInput"]) {
                Ok(reply) => line["modelOutput"] = reply,
                Err(refusal) => {
                    errors += 1;
                    line["error"] = json!({
                        "errorCode": refusal.status().as_u16(),
                        "errorMessage": refusal.message(),
                    });
                }
            }
            output.push_str(&line.to_string());
            output.push('\n');
        }
        let (bucket, folder) = place(&job["outputDataConfig"]["s3OutputDataConfig"])?;
        let name = key.rsplit('/').next().unwrap_or(key);
        let manifest = json!({
            "totalRecordCount": records.len(), "processedRecordCount": answered,
            "successRecordCount": answered - errors, "errorRecordCount": errors,
        });
        for (name, text) in [
            (format!("{name}.out"), output),
            ("manifest.json.out".to_owned(), manifest.to_string()),
        ] {
            let key = format!("{}/{number}/{name}", folder.trim_end_matches('/'));
            let body = ByteStream::from(text.into_bytes());
            let put = files.put_object().bucket(bucket).key(key).body(body);
            put.send().await.context("the output cannot be written")?;
        }
        Ok(if expires { "Expired" } else { "Completed" })
    }

    /// Answers a record.
    fn record(&self, model_id: &str, request: &Value) -> Result<Value, Refusal> {
        if request.get("modelId").is_some() {
            return Err(Refusal::invalid("modelId: Extra inputs are not permitted"));
        }
        validation::check(request).map_err(Refusal::invalid)?;
        let scenarios = self.scenarios(model_id, request)?;
        for scenario in &scenarios {
            let call = Call { request, model_id, before: 0, under_way: 1 };
            if let Some(refusal) = Refusal::of(*scenario, call) {
                return Err(refusal);
            }
        }
        let mut answer = self.schemas.answer(request).map_err(super::unanswered)?;
        let stop_reason = self.behaviour.spoil(request, &mut answer);
        Ok(self.reply((request, &scenarios), &mut answer, stop_reason, |_| Duration::ZERO).0)
    }
}

/// Bucket and key of a place in S3.
fn place(config: &Value) -> anyhow::Result<(&str, &str)> {
    let uri = config["s3Uri"].as_str().unwrap_or_default();
    let place = uri.strip_prefix("s3://").and_then(|place| place.split_once('/'));
    place.with_context(|| format!("{uri} is no place in S3"))
}
