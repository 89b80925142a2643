//! Questions at half the price: what can wait is asked in jobs of Bedrock's batch inference.
//!
//! ```text
//! asks (queue "jobs") --> gathering --+--> a job: files in the bucket, submitted --> following
//!                                     |                                                 | ends
//!                 too few: asks go on |     answers in the coordination table <---------+
//!                 by themselves <-----+             ^
//!                                                   | asks that wait for the job find them,
//!                                                   | or go on by themselves
//! ```
//!
//! A job asks questions, and no user's: whoever is to get an answer decides anew when the job has
//! ended, from what is stored then. So a newer event, a deletion or a pause needs no care here, and
//! whatever is lost on the way costs the lower price and nothing else: asks wait no longer than
//! until a job was to end.
//!
//! A job is known by the files in its folder, the last of which is `job.json`; they are removed when
//! it has ended. They hold prompts, which can hold what events tell of users.
//!
//! - [`schedule`] — when asks gather, and how long a job has.
//! - `gathering` — questions that come together in one invocation.
//! - `following` — what became of jobs.
//! - `files` — what is in the folder of a job.
//! - [`bedrock`] — the port on Bedrock and S3.

pub mod bedrock;
mod files;
pub(crate) mod following;
pub(crate) mod gathering;
pub mod schedule;

use std::fmt::Debug;

use async_trait::async_trait;
use program::aws::CallError;
use tokio::io::AsyncBufRead;

pub use bedrock::Bedrock;

/// Fewest questions of a job, as Bedrock takes it by default.
/// <https://docs.aws.amazon.com/general/latest/gr/bedrock.html>
pub const LEAST_QUESTIONS: usize = 100;

/// What is in a file, line by line.
pub type Lines = Box<dyn AsyncBufRead + Send + Unpin>;

/// Asks for jobs, and keeps their files.
#[async_trait]
pub trait JobService: Debug + Send + Sync {
    /// Writes a file.
    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), JobError>;

    /// Opens a file, if it is there.
    async fn open(&self, name: &str) -> Result<Option<Lines>, JobError>;

    /// Names of the files whose name begins so.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, JobError>;

    /// Removes files.
    async fn remove(&self, names: &[String]) -> Result<(), JobError>;

    /// Submits a job, and gives the name that the service has for it. A job that was submitted
    /// before is not submitted again.
    async fn submit(&self, submission: &Submission<'_>) -> Result<String, JobError>;

    /// The name that the service has for a job that was submitted, by its id here.
    async fn find(&self, id: &str) -> Result<Option<String>, JobError>;

    /// How a job stands, by the name that the service has for it.
    async fn state(&self, name: &str) -> Result<JobState, JobError>;

    /// Ends a job; what it answered so far is kept, and paid for.
    async fn stop(&self, name: &str) -> Result<(), JobError>;
}

/// A job that is to be.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// Its id here.
    pub id: &'a str,
    /// Model or inference profile that answers.
    pub model_id: &'a str,
    /// Name of the file with its questions.
    pub input: &'a str,
    /// With what the names of the files with its answers begin.
    pub output: &'a str,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It is under way.
    Running,
    /// It was stopped, and is about to end.
    Stopping,
    /// It has ended, well or not; what it answered can be read.
    Ended {
        /// Why it did not answer all, as the service says it; it quotes no prompt.
        trouble: Option<String>,
    },
}

/// Something about a job was not done.
#[derive(Debug, thiserror::Error)]
#[error("{attempted}")]
pub struct JobError {
    /// What was not done.
    pub attempted: &'static str,
    /// Whether the service said no for good: the same would be refused again.
    pub is_refused: bool,
    /// Why.
    #[source]
    pub cause: CallError,
}

impl JobError {
    /// The same, where it is not known what became of it: it is tried again.
    pub(crate) fn passing(self) -> Self {
        Self { is_refused: false, ..self }
    }

    /// The same, where nothing can have come of it.
    pub(crate) fn for_good(self) -> Self {
        Self { is_refused: true, ..self }
    }

    /// What is to be sent cannot be written: nor can it be the next time.
    pub(crate) fn not_built(attempted: &'static str) -> Self {
        Self { attempted, is_refused: true, cause: CallError::NotBuilt }
    }
}
