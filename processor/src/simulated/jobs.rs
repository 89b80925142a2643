//! Jobs in memory: files, and jobs that end when a test says so.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use program::aws::CallError;
use serde_json::{Value, json};

use crate::jobs::{JobError, JobService, JobState, Lines, Submission};

/// All files and jobs.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    jobs: BTreeMap<String, Submitted>,
    refuses: bool,
    loses_replies: bool,
    keeps_no_names: bool,
    stopped: u64,
}

#[derive(Debug)]
struct Submitted {
    input: String,
    output: String,
    state: JobState,
}

impl Jobs {
    /// Ids of the jobs that were submitted.
    pub fn submitted(&self) -> Vec<String> {
        self.state().jobs.keys().cloned().collect()
    }

    /// What a job asks, a record a line.
    pub fn records(&self, id: &str) -> Vec<Value> {
        let state = self.state();
        let input = state.jobs.get(id).and_then(|job| state.files.get(&job.input));
        let lines = input.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let lines = lines.unwrap_or_default();
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Ends a job: each record is answered with the line that `answer` makes of it, if it makes one,
    /// the last first, as the service promises no order.
    pub fn end(&self, id: &str, trouble: Option<&str>, answer: impl Fn(&Value) -> Option<String>) {
        let lines: Vec<String> = self.records(id).iter().rev().filter_map(answer).collect();
        let mut state = self.state();
        let Some(job) = state.jobs.get_mut(id) else { return };
        job.state = JobState::Ended { trouble: trouble.map(str::to_owned) };
        let folder = format!("{}1a2b3c/", job.output);
        let summary = json!({ "totalRecordCount": lines.len() }).to_string();
        let answers = lines.join("\n") + "\n";
        state.files.insert(format!("{folder}input.jsonl.out"), answers.into_bytes());
        state.files.insert(format!("{folder}manifest.json.out"), summary.into_bytes());
    }

    /// Refuses jobs from now on, or takes them again.
    pub fn refuse(&self, refuses: bool) {
        self.state().refuses = refuses;
    }

    /// Takes jobs from now on and lets nobody know, or lets them know again.
    pub fn lose_replies(&self, loses_replies: bool) {
        self.state().loses_replies = loses_replies;
    }

    /// Lets nobody note that a job is under way from now on, or lets them again.
    pub fn keep_no_names(&self, keeps_no_names: bool) {
        self.state().keeps_no_names = keeps_no_names;
    }

    /// Forgets a job, as if it had never been.
    pub fn forget(&self, id: &str) {
        self.state().jobs.remove(id);
    }

    /// How often a job was stopped.
    pub fn stopped(&self) -> u64 {
        self.state().stopped
    }

    /// Names of the files that are there.
    pub fn files(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl JobService for Jobs {
    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), JobError> {
        let mut state = self.state();
        if state.keeps_no_names
            && name.ends_with("job.json")
            && bytes.windows(7).any(|part| part == b"\"name\":")
        {
            let cause = CallError::Refused("SlowDown".to_owned());
            return Err(JobError { attempted: "file was not written", is_refused: true, cause });
        }
        state.files.insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn open(&self, name: &str) -> Result<Option<Lines>, JobError> {
        let file = self.state().files.get(name).cloned();
        Ok(file.map(|bytes| Box::new(Cursor::new(bytes)) as Lines))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, JobError> {
        let state = self.state();
        let names = state.files.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }

    async fn remove(&self, names: &[String]) -> Result<(), JobError> {
        let mut state = self.state();
        names.iter().for_each(|name| drop(state.files.remove(name)));
        Ok(())
    }

    async fn submit(&self, submission: &Submission<'_>) -> Result<String, JobError> {
        let mut state = self.state();
        let attempted = "job was not submitted";
        if state.refuses {
            let cause = CallError::Refused("ValidationException".to_owned());
            return Err(JobError { attempted, is_refused: true, cause });
        }
        let (input, output) = (submission.input.to_owned(), submission.output.to_owned());
        let job = Submitted { input, output, state: JobState::Running };
        state.jobs.entry(submission.id.to_owned()).or_insert(job);
        if state.loses_replies {
            return Err(JobError { attempted, is_refused: false, cause: CallError::TimedOut });
        }
        Ok(submission.id.to_owned())
    }

    async fn find(&self, id: &str) -> Result<Option<String>, JobError> {
        Ok(self.state().jobs.contains_key(id).then(|| id.to_owned()))
    }

    async fn state(&self, name: &str) -> Result<JobState, JobError> {
        let state = self.state();
        let job = state.jobs.get(name).map(|job| job.state.clone());
        job.ok_or_else(|| JobError {
            attempted: "job was not looked at",
            is_refused: true,
            cause: CallError::Refused("ResourceNotFoundException".to_owned()),
        })
    }

    async fn stop(&self, name: &str) -> Result<(), JobError> {
        let mut state = self.state();
        state.stopped += 1;
        if let Some(job) = state.jobs.get_mut(name) {
            job.state = JobState::Stopping;
        }
        Ok(())
    }
}
