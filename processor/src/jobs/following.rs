//! What became of jobs: takes in the answers of those that have ended, and stops those whose time
//! is over.
//!
//! Guarantees: an answer is checked as that of a call is before anybody gets it; what a job cost is
//! counted once; whatever is interrupted is done again from the files, which are removed last.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use campaign::CompiledCampaign;
use contract::metrics::{self, Counts};
use contract::units::PRICE_OF_JOBS;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use program::aws::CallError;
use program::causes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};

use super::files::{ANSWERS, FOLDER, JOB, Job, JobQuestion, OutputLine, place_of};
use super::gathering::submit;
use super::{JobError, JobService, JobState, Lines};
use crate::answers::{Answers, count_answer, count_refused, used_in_a_job};
use crate::coordination::{Coordination, Entry, Failures};
use crate::deadline::Deadline;
use crate::model::bedrock::OnPaper;
use crate::model::{ModelError, Usage};
use crate::stages::Tools;
use crate::store::TableError;

/// Longest line of a file: a question with everything that it may show, and its answer.
const MAX_LINE_BYTES: u64 = 4 * 1_024 * 1_024;

/// Answers that are kept at a time.
const KEEPING: usize = 64;

/// How long answers of a job stand at least beyond the time until which it is waited for, in
/// seconds: as long as the content of any campaign may still wait then.
const LEAST_SECS: i64 = 12 * 3_600;

/// How long it is known that a job was counted, in milliseconds: longer than its files can stay.
const COUNTED_FOR_MS: u64 = 14 * 24 * 3_600_000;

/// Looks after the jobs that are under way.
#[derive(Debug)]
pub(crate) struct Following<'f> {
    pub(crate) service: &'f dyn JobService,
    pub(crate) tools: &'f Tools,
    pub(crate) campaigns: HashMap<&'f str, &'f Arc<CompiledCampaign>>,
}

/// What came of the questions of a job.
#[derive(Default)]
struct Harvest {
    counts: Counts,
    /// What was used of budgets less what was spent in advance, by campaign and day.
    corrections: BTreeMap<(String, i64), i64>,
}

impl Following<'_> {
    /// Looks after all jobs, as long as there is time.
    pub(crate) async fn look(&self, deadline: Deadline, counts: &mut Counts) {
        let names = match self.service.list(FOLDER).await {
            Ok(names) => names,
            Err(error) => return tracing::warn!(error = causes::told(&error), "jobs wait"),
        };
        for name in names.iter().filter(|name| name.ends_with(JOB)) {
            if deadline.is_over() {
                return;
            }
            // A panic over one answer harms no other job; it stays until its files end.
            let looking = AssertUnwindSafe(self.look_at(name, counts)).catch_unwind();
            match deadline.before_the_answer(looking).await {
                Some(Ok(Err(error))) => {
                    tracing::warn!(file = name, error = causes::told(&error), "job waits");
                }
                Some(Err(_)) => tracing::error!(file = name, "job was not looked at: panicked"),
                Some(Ok(Ok(()))) | None => {}
            }
        }
    }

    async fn look_at(&self, file: &str, counts: &mut Counts) -> Result<(), JobError> {
        let Some(job) = self.job(file).await? else { return Ok(()) };
        let is_late = self.clock_ms() >= job.until_ms;
        let Some(name) = &job.name else { return self.submit_again(&job, is_late, counts).await };
        let state = match self.service.state(name).await {
            Ok(state) => state,
            // Nobody knows it any more, and nobody waits for it.
            Err(error) if error.is_refused && is_late => {
                let told = causes::told(&error);
                tracing::warn!(job = job.id, error = told, "job is not heard of again");
                JobState::Ended { trouble: None }
            }
            Err(error) => return Err(error),
        };
        match state {
            JobState::Running if is_late => {
                self.service.stop(name).await?;
                counts.add(metrics::JOBS_LATE, 1);
                tracing::warn!(job = job.id, "job is stopped: its time is over");
                Ok(())
            }
            JobState::Running | JobState::Stopping => Ok(()),
            JobState::Ended { trouble } => {
                if let Some(trouble) = trouble {
                    tracing::warn!(job = job.id, trouble, "job did not answer all");
                }
                self.take_in(&job, counts).await
            }
        }
    }

    /// A job of which it is not known whether it was submitted; one whose time is over is not.
    async fn submit_again(
        &self,
        job: &Job,
        is_late: bool,
        counts: &mut Counts,
    ) -> Result<(), JobError> {
        if is_late {
            if let Some(name) = self.service.find(&job.id).await? {
                self.service.stop(&name).await?;
            }
            return self.take_in(job, counts).await;
        }
        match submit(job, self.service).await {
            Ok(_) => {
                counts.add(metrics::JOBS_SUBMITTED, 1);
                Ok(())
            }
            Err(error) if error.is_refused => {
                counts.add(metrics::JOBS_REFUSED, 1);
                self.take_in(job, counts).await
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in what a job answered, lets go of the rest, and forgets the job.
    async fn take_in(&self, job: &Job, counts: &mut Counts) -> Result<(), JobError> {
        let mut questions = self.questions(job).await?;
        let mut harvest = Harvest::default();
        for name in self.service.list(&job.output()).await? {
            if name.ends_with(ANSWERS)
                && let Some(lines) = self.service.open(&name).await?
            {
                self.take_answers(job, lines, &mut questions, &mut harvest).await?;
            }
        }
        let left = questions.iter().flatten();
        stream::iter(left)
            .for_each_concurrent(KEEPING, async |question| {
                let failed = Failures { calls: question.failed_calls, last: String::new() };
                self.answers().leave(&question.hash, &job.id, &failed).await;
            })
            .await;
        for question in questions.iter().flatten() {
            harvest.leave();
            harvest.settle(question, 0);
        }
        self.count_once(job, harvest, counts).await.map_err(|error| not_told(&error))?;
        self.answers().tell_ended(&job.id).await.map_err(|error| not_told(&error))?;
        // What says that it is a job goes last: what is interrupted begins again.
        let mut files = self.service.list(&job.file("")).await?;
        files.retain(|name| *name != job.itself());
        self.service.remove(&files).await?;
        self.service.remove(&[job.itself()]).await
    }

    /// Counts what a job came to, unless that was done before it was interrupted.
    async fn count_once(
        &self,
        job: &Job,
        harvest: Harvest,
        counts: &mut Counts,
    ) -> Result<(), TableError> {
        let now_ms = self.clock_ms();
        let (counted, until_ms) = (format!("job-counted#{}", job.id), now_ms + COUNTED_FOR_MS);
        if !self.coordination().give_notice(&counted, now_ms, until_ms).await? {
            return Ok(());
        }
        counts.merge(&harvest.counts);
        counts.add(metrics::JOBS_ENDED, 1);
        for ((campaign, day), by) in harvest.corrections {
            if let Some(campaign) = self.campaigns.get(campaign.as_str()) {
                self.answers().correct(campaign, day, by).await;
            }
        }
        Ok(())
    }

    /// Keeps the answers in a file, and takes their questions off those that are open.
    async fn take_answers(
        &self,
        job: &Job,
        mut lines: Lines,
        questions: &mut [Option<JobQuestion>],
        harvest: &mut Harvest,
    ) -> Result<(), JobError> {
        let paper = OnPaper::default();
        let mut keeping = Vec::with_capacity(KEEPING);
        while let Some(line) = next_line(&mut lines).await? {
            let Ok(output) = serde_json::from_slice::<OutputLine<'_>>(&line) else {
                tracing::warn!(job = job.id, bytes = line.len(), "a line is no answer");
                continue;
            };
            let place = place_of(&output.record_id).and_then(|place| questions.get_mut(place));
            let Some(question) = place.and_then(Option::take) else { continue };
            keeping.push(self.outcome(&paper, question, &output, harvest).await);
            if keeping.len() >= KEEPING {
                self.keep(job, std::mem::take(&mut keeping)).await?;
            }
        }
        self.keep(job, keeping).await
    }

    /// What an answer comes to: content, or why it is none.
    async fn outcome(
        &self,
        paper: &OnPaper,
        question: JobQuestion,
        output: &OutputLine<'_>,
        harvest: &mut Harvest,
    ) -> (JobQuestion, Result<Entry, Failures>) {
        let failed = |calls: u32, last: String| {
            Err(Failures { calls: question.failed_calls.saturating_add(calls), last })
        };
        let Some(reply) = output.model_output else {
            let code = output.error.as_ref().map(|error| error.code.to_string());
            harvest.leave();
            harvest.settle(&question, 0);
            let last = format!("a job answered {}", code.unwrap_or_else(|| "nothing".to_owned()));
            let failed = failed(1, last);
            return (question, failed);
        };
        let Some(campaign) = self.campaigns.get(question.campaign.as_str()) else {
            harvest.leave();
            let failed = failed(0, String::new());
            return (question, failed);
        };
        let mut counts = Counts::default();
        let read = paper.answer(campaign, &question.told.prompt, reply.get()).await;
        let usage = match &read {
            Ok(answer) => answer.usage,
            Err(ModelError::Stopped { usage, .. }) => {
                count_refused(metrics::ANSWERS_STOPPED, &mut counts);
                *usage
            }
            Err(_) => Usage::default(),
        };
        count_answer(campaign, usage, PRICE_OF_JOBS, &mut counts);
        counts.add(metrics::INPUT_TOKENS_OF_JOBS, usage.input_tokens);
        counts.add(metrics::OUTPUT_TOKENS_OF_JOBS, usage.output_tokens);
        harvest.settle(&question, used_in_a_job(campaign, usage));
        let content = read.map_err(|error| error.to_string()).and_then(|answer| {
            // Another version of the campaign asks something else, and gets no answer of this one.
            if campaign.hash_of(&question.told) != question.hash {
                return Err("the campaign has changed".to_owned());
            }
            let answered = (answer.text.as_str(), &question.told);
            let examined = self.answers().examined(campaign, answered, &mut counts);
            examined.map_err(|error| error.to_string())
        });
        harvest.counts.merge(&counts.of(&campaign.campaign.name));
        match content {
            Ok(data) => (question, Ok(Entry::Answered { data, usage })),
            Err(last) => {
                harvest.leave();
                let failed = failed(1, last);
                (question, failed)
            }
        }
    }

    /// Lets everybody have what answers came to.
    async fn keep(
        &self,
        job: &Job,
        outcomes: Vec<(JobQuestion, Result<Entry, Failures>)>,
    ) -> Result<(), JobError> {
        let now = self.tools.writer.reader.clock.now_secs();
        let keeping = outcomes.iter().map(async |(question, outcome)| match outcome {
            Ok(entry) => {
                let campaign = self.campaigns.get(question.campaign.as_str());
                let hours = campaign.map_or(0, |each| each.campaign.config.cache_hours);
                let until = i64::try_from(job.until_ms / 1_000).unwrap_or(i64::MAX);
                let secs = (i64::from(hours) * 3_600).max(until - now + LEAST_SECS);
                let kept = self.coordination().finish(&question.hash, entry, now + secs).await;
                kept.map_err(|error| JobError {
                    attempted: "answer was not kept",
                    is_refused: false,
                    cause: CallError::Refused(causes::told(&error)),
                })
            }
            Err(failed) => {
                self.answers().leave(&question.hash, &job.id, failed).await;
                Ok(())
            }
        });
        // What is paid for is kept: where the table is out of reach, the job is looked at again.
        futures::future::join_all(keeping).await.into_iter().collect()
    }

    async fn job(&self, file: &str) -> Result<Option<Job>, JobError> {
        let Some(mut lines) = self.service.open(file).await? else { return Ok(None) };
        let Some(line) = next_line(&mut lines).await? else { return Ok(None) };
        let job = serde_json::from_slice::<Job>(&line).ok();
        // Its names are taken from what it says: another one's files are not touched.
        Ok(job.filter(|job| job.itself() == file))
    }

    /// The questions of a job, by their places.
    async fn questions(&self, job: &Job) -> Result<Vec<Option<JobQuestion>>, JobError> {
        let Some(mut lines) = self.service.open(&job.asked()).await? else {
            return Ok(Vec::new());
        };
        let mut questions = Vec::new();
        while let Some(line) = next_line(&mut lines).await? {
            questions.push(serde_json::from_slice(&line).ok());
        }
        Ok(questions)
    }

    fn answers(&self) -> &Answers {
        &self.tools.answers
    }

    fn coordination(&self) -> &dyn Coordination {
        &*self.tools.writer.reader.coordination
    }

    fn clock_ms(&self) -> u64 {
        self.tools.writer.reader.clock.now_ms()
    }
}

impl Harvest {
    /// A question has no usable answer.
    fn leave(&mut self) {
        self.counts.add(metrics::QUESTIONS_LEFT_BY_JOBS, 1);
    }

    /// A question took so much of its campaign's budget.
    fn settle(&mut self, question: &JobQuestion, used: u64) {
        let Some(charge) = &question.charge else { return };
        let of = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let key = (question.campaign.clone(), charge.day);
        *self.corrections.entry(key).or_default() += of(used) - of(charge.amount);
    }
}

/// The next line, without its end; an empty one is passed over. One that is too long is cut, and
/// then is no line of any file here.
async fn next_line(lines: &mut Lines) -> Result<Option<Vec<u8>>, JobError> {
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut *lines).take(MAX_LINE_BYTES);
        let read = limited.read_until(b'\n', &mut line).await.map_err(not_read)?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if read as u64 == MAX_LINE_BYTES {
            pass_over(lines).await?;
        }
        if !line.is_empty() {
            return Ok(Some(line));
        }
    }
}

/// Reads on to the end of a line that is too long, so that those behind it keep their places.
async fn pass_over(lines: &mut Lines) -> Result<(), JobError> {
    loop {
        let held = lines.fill_buf().await.map_err(not_read)?;
        let end = held.iter().position(|byte| *byte == b'\n');
        let (passed, is_over) = (end.map_or(held.len(), |at| at + 1), end.is_some());
        let is_end = held.is_empty();
        lines.consume(passed);
        if is_over || is_end {
            return Ok(());
        }
    }
}

fn not_told(error: &TableError) -> JobError {
    JobError {
        attempted: "the end of a job was not noted",
        is_refused: false,
        cause: CallError::Refused(causes::told(error)),
    }
}

fn not_read(_: std::io::Error) -> JobError {
    let (attempted, cause) = ("file was not read", CallError::Unreadable);
    JobError { attempted, is_refused: false, cause }
}
