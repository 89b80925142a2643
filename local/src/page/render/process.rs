//! Renders messages in processes of their own, with limits that no message can go around: of
//! time, of memory, and of what it writes.
//!
//! [`Renderer`] starts the processes and reads what they say; [`child`] is their other end.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use campaign::message::{AnswersAtHand, ApiAnswer, Calls, Message, NotShown, Recipient, Shown};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest text that a message may come to: mail programs cut far shorter ones.
const MAX_RENDERED_BYTES: u64 = 1_024 * 1_024;

/// Longest text of a process: every byte of the message escaped, and what is said of it.
const MAX_OUTPUT_BYTES: u64 = 6 * MAX_RENDERED_BYTES + 64 * 1_024;

/// Longest complaint that is passed on.
const MAX_COMPLAINT_BYTES: u64 = 4_096;

/// Longest subject line in a list, in characters: mail programs show half of that.
const MAX_SUBJECT_CHARS: usize = 200;

/// Processor time of one process, in seconds; a usual message takes a thousandth.
const MAX_CPU_SECS: u64 = 2;

/// Longest wait for one process, on a machine that is busy.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Address space of one process, a part of which is reserved without use.
const MAX_ADDRESS_BYTES: u64 = 1_024 * 1_024 * 1_024;

/// What the allocator of the program reserves at a time: by itself it takes all that a
/// message may have at once, and then cannot grow.
const RESERVE: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "64MiB");

/// Processes at a time; others wait.
const MAX_AT_A_TIME: usize = 2;

/// Renders messages, each in a process of its own.
#[derive(Debug)]
pub struct Renderer {
    program: PathBuf,
    permits: Semaphore,
}

/// Why there is no rendered message; the text is shown to its author.
#[derive(Debug, thiserror::Error)]
pub(in crate::page) enum NotRendered {
    #[error("{0}")]
    Wrong(String),
    #[error("the message takes too long, or too much memory: look for a loop without an end")]
    TooMuch,
    #[error("the message comes to more than {MAX_RENDERED_BYTES} bytes")]
    TooLong,
    #[error("the message could not be rendered: {0}")]
    Failed(#[from] io::Error),
}

/// A message for a user.
#[derive(Serialize, Deserialize)]
pub(in crate::page) struct Letter {
    pub(in crate::page) to: Recipient,
    pub(in crate::page) message: Message,
    /// What the api says, by campaign.
    pub(in crate::page) answers: BTreeMap<String, ApiAnswer>,
}

/// Messages of campaigns for many users.
#[derive(Serialize, Deserialize)]
pub(in crate::page) struct Letters {
    /// The messages, by campaign.
    pub(in crate::page) messages: BTreeMap<String, Message>,
    /// Each user, the campaign, and what the api says of it.
    pub(in crate::page) to: Vec<(String, String, ApiAnswer)>,
}

/// What a process is asked for.
#[derive(Serialize, Deserialize)]
enum Task {
    /// A whole message.
    Letter(Letter),
    /// Subject lines.
    Subjects(Letters),
}

impl Renderer {
    /// Renders by `program`, which is this one.
    pub fn new(program: PathBuf) -> Self {
        Self { program, permits: Semaphore::new(MAX_AT_A_TIME) }
    }

    /// `subject`, `rendered` and `notes` of a message, or the reason why it is `aborted`.
    pub(in crate::page) async fn render(&self, letter: Letter) -> Result<Value, NotRendered> {
        let told = self.told(&Task::Letter(letter)).await?;
        serde_json::from_str(&told).map_err(|error| io::Error::from(error).into())
    }

    /// The subject line of each, where there is one; of none where one takes too much.
    pub(in crate::page) async fn subjects(&self, letters: Letters) -> Vec<Option<String>> {
        let users = letters.to.len();
        if users == 0 {
            return Vec::new();
        }
        let told = self.told(&Task::Subjects(letters)).await;
        let subjects: Option<Vec<_>> = told.ok().and_then(|told| serde_json::from_str(&told).ok());
        subjects.filter(|all| all.len() == users).unwrap_or_else(|| vec![None; users])
    }

    /// What a process says to its task.
    async fn told(&self, task: &Task) -> Result<String, NotRendered> {
        let _permit = self.permits.acquire().await.map_err(|_| NotRendered::TooMuch)?;
        let task = json!(task).to_string();
        let told = timeout(MAX_WAIT, told(self.start()?, &task));
        let (rendered, complaint, status) = told.await.map_err(|_| NotRendered::TooMuch)??;
        match status.code() {
            Some(0) => Ok(rendered),
            Some(_) => Err(NotRendered::Wrong(complaint.trim().to_owned())),
            None => Err(NotRendered::TooMuch),
        }
    }

    /// Starts a process that ends with this value.
    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg(COMMAND)
            .env(RESERVE.0, RESERVE.1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// What a process says to its input, of what is wrong with it, and at its end.
async fn told(mut child: Child, input: &str) -> Result<(String, String, ExitStatus), NotRendered> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // One that ended early is judged by what it said.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let rendered = read(stdout, MAX_OUTPUT_BYTES + 1);
    let (_, rendered, complaint) = tokio::join!(write, rendered, read(stderr, MAX_COMPLAINT_BYTES));
    // Whoever writes more than is read would wait for ever.
    let rendered = rendered?;
    if rendered.len() as u64 > MAX_OUTPUT_BYTES {
        return Err(NotRendered::TooLong);
    }
    Ok((rendered, complaint?, child.wait().await?))
}

async fn read(from: Option<impl AsyncRead + Unpin>, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The command of the program that renders one message, which is no command for people.
pub const COMMAND: &str = "render";

/// Renders what standard input asks for, within the limits: the other end of [`Renderer`].
pub fn child() -> anyhow::Result<ExitCode> {
    limit(Resource::Cpu, MAX_CPU_SECS);
    limit(Resource::As, MAX_ADDRESS_BYTES);
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let told = match serde_json::from_str(&input)? {
        Task::Letter(letter) => whole(letter),
        Task::Subjects(letters) => Ok(json!(subjects(letters))),
    };
    match told {
        Ok(told) => {
            io::stdout().write_all(told.to_string().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// A message as Braze renders it. That it is not to be sent is no mistake of its author.
fn whole(letter: Letter) -> Result<Value, NotShown> {
    let calls: Rc<dyn Calls> = Rc::new(AnswersAtHand(letter.answers));
    match letter.message.render(&letter.to, &calls) {
        Ok(shown) => Ok(json!({
            "subject": subject(&shown),
            "rendered": shown.body.text,
            "notes": shown.notes(),
        })),
        Err(error) => match error.abort_reason() {
            Some(reason) => Ok(json!({ "aborted": reason.trim() })),
            None => Err(error),
        },
    }
}

fn subject(shown: &Shown) -> Option<&str> {
    shown.subject.as_ref().map(|subject| subject.text.trim())
}

/// What stands in a list: neither empty nor endless.
fn subjects(Letters { messages, to }: Letters) -> Vec<Option<String>> {
    let subject_of = |(user_id, campaign, answer): (String, String, ApiAnswer)| {
        let message = messages.get(&campaign)?;
        let calls: Rc<dyn Calls> = Rc::new(AnswersAtHand([(campaign, answer)].into()));
        let shown = message.render(&Recipient::new(&user_id), &calls).ok()?;
        let subject = subject(&shown).filter(|subject| !subject.is_empty())?;
        Some(subject.chars().take(MAX_SUBJECT_CHARS).collect())
    };
    to.into_iter().map(subject_of).collect()
}

/// Systems that know no such limit are left with the limit of time.
fn limit(resource: Resource, most: u64) {
    let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
}
