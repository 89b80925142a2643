//! Questions that come together in one invocation, and the jobs that they become.
//!
//! Each question waits here until nobody else comes. Then it has its job, or goes on by itself
//! where there are too few for one. Whoever is cut off before has submitted nothing; its asks come
//! again and find the leases of a job that never was, which end by themselves.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use campaign::CompiledCampaign;
use contract::ask::NO_JOB;
use contract::digest;
use contract::metrics::{self, Counts};
use futures::FutureExt as _;
use program::causes;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, watch};

use super::files::{InputLine, Job, JobQuestion, record_id};
use super::{JobError, JobService, LEAST_QUESTIONS, Submission};
use crate::answers::{Answers, Conclusion, Joined, Question, in_a_job};
use crate::coordination::{Entry, Failures};
use crate::model::bedrock::OnPaper;

/// Most questions that gather at a time: what is held of them in memory is bounded besides.
pub(crate) const MOST_QUESTIONS: usize = 10_000;

/// Bytes of requests at which no more questions gather: they are all in memory when they are
/// written, with what their answers are held against.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// How long asks that came too late for a job wait for the next, in milliseconds: as long as until
/// the next look.
const NEXT_LOOK_MS: u64 = 300_000;

/// Questions that take their leases at a time.
const JOINING: usize = 64;

/// Questions that are asked together: of one model, and within the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Together {
    model_id: String,
    within_hours: u32,
}

/// The questions of one invocation.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// A name that no other has.
    name: String,
    groups: Mutex<BTreeMap<Together, Group>>,
    joining: Semaphore,
    /// What their requests take.
    bytes: AtomicUsize,
    /// What each group became, once nobody else comes.
    became: watch::Sender<Option<Became>>,
}

type Became = Arc<BTreeMap<Together, String>>;

#[derive(Debug, Default)]
struct Group {
    questions: Vec<Gathered>,
    /// Until when its job is waited for, in UNIX milliseconds.
    until_ms: u64,
}

/// A question that has the lease, and its campaign.
#[derive(Debug)]
struct Gathered {
    campaign: Arc<CompiledCampaign>,
    question: JobQuestion,
    failed_before: Failures,
}

impl Gathering {
    /// Begins one, whose jobs have this name.
    pub(crate) fn new(name: String) -> Self {
        let (groups, joining) = (Mutex::default(), Semaphore::new(JOINING));
        let bytes = AtomicUsize::default();
        Self { name, groups, joining, bytes, became: watch::Sender::new(None) }
    }

    /// How many questions have come.
    pub(crate) fn questions(&self) -> usize {
        self.groups().values().map(|group| group.questions.len()).sum()
    }

    /// Whether they are as large as may be.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= MOST_BYTES
    }

    /// A question comes; tells what becomes of it when all have.
    pub(crate) async fn join(
        &self,
        answers: &Answers,
        campaign: &Arc<CompiledCampaign>,
        question: &Question,
        known: Option<Entry>,
    ) -> Conclusion {
        let Some(gathers) = answers.gathers(campaign) else { return answers.alone() };
        let model_id = campaign.campaign.config.model_id.clone();
        let together = Together { model_id, within_hours: gathers.within_hours };
        let (job, until_ms) = (self.id(&together), gathers.ends_by_ms);
        let joined = {
            // It is never closed.
            let _permit = self.joining.acquire().await;
            answers.join(campaign, question, known, (&job, until_ms)).await
        };
        let (failed_before, charge) = match joined {
            Joined::Asked { failed_before, charge } => (failed_before, charge),
            Joined::Over(conclusion) => return conclusion,
        };
        let mut became = self.became.subscribe();
        let gathered = Gathered {
            campaign: Arc::clone(campaign),
            question: JobQuestion {
                hash: question.hash.clone(),
                campaign: campaign.campaign.name.clone(),
                told: (*question.told).clone(),
                charge,
                failed_calls: failed_before.calls,
            },
            failed_before,
        };
        if let Some(late) = self.add(&together, gathered, until_ms) {
            self.let_go(answers, &job, late).await;
            return answers.gathers_again(NEXT_LOOK_MS);
        }
        match became.wait_for(Option::is_some).await.ok().and_then(|became| became.clone()) {
            Some(became) => match became.get(&together) {
                Some(job) if job != NO_JOB => in_a_job(job.clone(), until_ms),
                _ => answers.alone(),
            },
            None => answers.alone(),
        }
    }

    /// Adds a question, unless nobody else may come: then it comes back.
    fn add(&self, together: &Together, gathered: Gathered, until_ms: u64) -> Option<Gathered> {
        let mut groups = self.groups();
        if self.became.borrow().is_some() {
            return Some(gathered);
        }
        let request = gathered.question.told.prompt.len() + gathered.campaign.system.len();
        let request = request + gathered.campaign.schema_bytes;
        self.bytes.fetch_add(2 * request, Ordering::Relaxed);
        let group = groups.entry(together.clone()).or_default();
        group.until_ms = group.until_ms.max(until_ms);
        group.questions.push(gathered);
        None
    }

    /// Nobody else comes: makes jobs of what did.
    pub(crate) async fn close(
        &self,
        answers: &Answers,
        service: &dyn JobService,
        counts: &mut Counts,
    ) {
        let groups = std::mem::take(&mut *self.groups());
        let mut became = BTreeMap::new();
        for (together, group) in groups {
            let job = self.id(&together);
            let is_submitted = group.questions.len() >= LEAST_QUESTIONS
                && self.submit(&together, &group, service, counts).await;
            if is_submitted {
                became.insert(together, job);
                continue;
            }
            for gathered in group.questions {
                self.let_go(answers, &job, gathered).await;
            }
            // Who met their leases meanwhile waits no longer.
            answers.job_ended(&job).await;
            became.insert(together, NO_JOB.to_owned());
        }
        self.became.send_replace(Some(Arc::new(became)));
    }

    /// Writes the files of a job and submits it; `false` if it is certain that it is none.
    async fn submit(
        &self,
        together: &Together,
        group: &Group,
        service: &dyn JobService,
        counts: &mut Counts,
    ) -> bool {
        let job = Job {
            id: self.id(together),
            model_id: together.model_id.clone(),
            until_ms: group.until_ms,
            questions: group.questions.len(),
            name: None,
        };
        // A panic over one question harms no other job.
        let writing = AssertUnwindSafe(written(&job, group, service)).catch_unwind().await;
        let submitted = match writing {
            Ok(Ok(())) => submit(&job, service).await,
            Ok(Err(error)) => Err(error.for_good()),
            Err(_) => Err(JobError::not_built("questions were not written")),
        };
        match submitted {
            Ok(name) => {
                counts.add(metrics::JOBS_SUBMITTED, 1);
                counts.add(metrics::QUESTIONS_IN_JOBS, job.questions as u64);
                tracing::info!(job = job.id, name, questions = job.questions, "job is submitted");
                true
            }
            Err(error) if error.is_refused => {
                counts.add(metrics::JOBS_REFUSED, 1);
                let told = causes::told(&error);
                tracing::warn!(job = job.id, model = job.model_id, error = told, "job is refused");
                let files = [job.itself(), job.input(), job.asked()];
                if let Err(error) = service.remove(&files).await {
                    tracing::debug!(error = causes::told(&error), "files end by themselves");
                }
                false
            }
            // It may be under way: whoever follows finds its files, and submits it once more.
            Err(error) => {
                tracing::warn!(job = job.id, error = causes::told(&error), "job may be under way");
                counts.add(metrics::QUESTIONS_IN_JOBS, job.questions as u64);
                true
            }
        }
    }

    /// A question goes on by itself.
    async fn let_go(&self, answers: &Answers, job: &str, gathered: Gathered) {
        let Gathered { campaign, question, failed_before } = gathered;
        if let Some(charge) = &question.charge {
            answers.give_back(&campaign, charge).await;
        }
        answers.leave(&question.hash, job, &failed_before).await;
    }

    /// The id of a group's job, of letters and digits, as the service wants it.
    fn id(&self, together: &Together) -> String {
        let Together { model_id, within_hours } = together;
        let of_group = digest::hex(format!("{model_id}\n{within_hours}"));
        format!("{}-{}", &self.name[..self.name.len().min(20)], &of_group[..8])
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<Together, Group>> {
        // Nothing panics while it holds this lock.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the files of a job, that which makes it one last.
async fn written(job: &Job, group: &Group, service: &dyn JobService) -> Result<(), JobError> {
    let paper = OnPaper::default();
    let (mut input, mut asked) = (Vec::new(), Vec::new());
    for (place, Gathered { campaign, question, .. }) in group.questions.iter().enumerate() {
        let request = paper.request(campaign, &question.told.prompt).await;
        let request = request.ok().and_then(|request| RawValue::from_string(request).ok());
        let request = request.ok_or_else(|| JobError::not_built("questions were not written"))?;
        let line = InputLine { record_id: record_id(place), model_input: &request };
        add_line(&mut input, &line)?;
        add_line(&mut asked, question)?;
    }
    service.put(&job.input(), input).await?;
    service.put(&job.asked(), asked).await?;
    service.put(&job.itself(), job.encode()?).await
}

/// Submits a job whose files are written, and notes what the service calls it.
pub(super) async fn submit(job: &Job, service: &dyn JobService) -> Result<String, JobError> {
    let (input, output) = (job.input(), job.output());
    let submission =
        Submission { id: &job.id, model_id: &job.model_id, input: &input, output: &output };
    let name = service.submit(&submission).await?;
    let job = Job { name: Some(name.clone()), ..job.clone() };
    // It is under way, whether that can be noted or not: then it is submitted once more, which
    // submits nothing.
    let noted = service.put(&job.itself(), job.encode()?).await;
    noted.map_err(JobError::passing)?;
    Ok(name)
}

fn add_line(lines: &mut Vec<u8>, line: &impl serde::Serialize) -> Result<(), JobError> {
    let written = serde_json::to_writer(&mut *lines, line);
    written.map_err(|_| JobError::not_built("questions were not written"))?;
    lines.push(b'\n');
    Ok(())
}

impl Job {
    fn encode(&self) -> Result<Vec<u8>, JobError> {
        serde_json::to_vec(self).map_err(|_| JobError::not_built("job was not written"))
    }
}
