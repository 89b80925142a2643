//! `POST /local/render`: a message over the api's answer for a user, as Braze renders it.
//!
//! A message is a program, and Liquid limits neither its loops nor its texts. So each is
//! rendered in a process of its own, by the very code that `preview` uses, with limits that
//! no message can go around: of time, of memory, and of what it writes.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use api::handler::Call;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contract::metrics::Counts;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Page, answer, error};
use crate::front::CREDENTIALS;
use campaign::message::{AnswersAtHand, ApiAnswer, Calls, Message, Recipient};

/// Longest message: Braze's own editors take e-mails of about 100 KB.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1_024;

/// Longest request: a message whose every byte is escaped, and the user beside it.
pub const MAX_REQUEST_BYTES: usize = 6 * MAX_MESSAGE_BYTES + 4_096;

/// Longest text that a message may come to: mail programs cut far shorter ones.
const MAX_RENDERED_BYTES: u64 = 1_024 * 1_024;

/// Longest text of a process: every byte of the message escaped, and what is said of it.
const MAX_OUTPUT_BYTES: u64 = 6 * MAX_RENDERED_BYTES + 64 * 1_024;

/// Longest complaint that is passed on.
const MAX_COMPLAINT_BYTES: u64 = 4_096;

/// Processor time of one message, in seconds; a usual one takes a thousandth.
const MAX_CPU_SECS: u64 = 2;

/// Longest wait for one message, on a machine that is busy.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Address space of one message, a part of which is reserved without use.
const MAX_ADDRESS_BYTES: u64 = 1_024 * 1_024 * 1_024;

/// What the allocator of the program reserves at a time: by itself it takes all that a
/// message may have at once, and then cannot grow.
const RESERVE: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "64MiB");

/// Messages that are rendered at a time; others wait.
const MAX_AT_A_TIME: usize = 2;

/// Renders messages, each in a process of its own.
#[derive(Debug)]
pub struct Renderer {
    program: PathBuf,
    permits: Semaphore,
}

/// Why there is no rendered message; the text is shown to its author.
#[derive(Debug, thiserror::Error)]
enum NotRendered {
    #[error("{0}")]
    Wrong(String),
    #[error("the message takes too long, or too much memory: look for a loop without an end")]
    TooMuch,
    #[error("the message comes to more than {MAX_RENDERED_BYTES} bytes")]
    TooLong,
    #[error("the message could not be rendered: {0}")]
    Failed(#[from] io::Error),
}

/// What a process is given that renders.
#[derive(Serialize, Deserialize)]
struct Input {
    to: Recipient,
    message: Message,
    /// What the api says, by campaign.
    answers: BTreeMap<String, ApiAnswer>,
}

/// What is asked for.
struct Wanted {
    user_id: String,
    campaign: String,
    message: String,
}

/// Answers with the rendered message, or with what is wrong with it.
pub(super) async fn render(State(page): State<Arc<Page>>, body: Bytes) -> Response {
    let Some(wanted) = Wanted::parse(&body) else {
        let message = "send {\"user_id\", \"campaign\", \"message\"} as texts";
        return error(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    if wanted.message.len() > MAX_MESSAGE_BYTES {
        let message = format!("the message is longer than {MAX_MESSAGE_BYTES} bytes");
        return error(StatusCode::PAYLOAD_TOO_LARGE, "too_long", &message);
    }
    let looked_up = match page.looked_up(&wanted.user_id, &wanted.campaign).await {
        Ok(looked_up) => looked_up,
        Err((status, refusal)) => {
            return axum::response::IntoResponse::into_response((status, Json(refusal)));
        }
    };
    match page.renderer.render(&page.input(&wanted, looked_up).await).await {
        Ok(rendered) => answer(&rendered),
        // The call is right; what it asks about is not.
        Err(complaint) => answer(&json!({ "complaint": complaint.to_string() })),
    }
}

impl Page {
    /// What a process needs that renders: the message with the content blocks of its campaign,
    /// and what the api says of every campaign, of its own already.
    async fn input(&self, wanted: &Wanted, looked_up: ApiAnswer) -> Input {
        let mut answers = BTreeMap::from([(wanted.campaign.clone(), looked_up)]);
        let names = self.campaigns.iter().map(|each| &each.campaign.name);
        for name in names.filter(|name| **name != wanted.campaign) {
            if let Ok(answer) = self.looked_up(&wanted.user_id, name).await {
                answers.insert(name.clone(), answer);
            }
        }
        let of_campaign = Message::read(&self.campaigns_dir.join(&wanted.campaign));
        let message = Message { text: wanted.message.clone(), ..of_campaign.unwrap_or_default() };
        Input { to: Recipient::new(&wanted.user_id), message, answers }
    }

    /// What the api answers Braze for this user in both formats, or with which status it
    /// refuses.
    pub(super) async fn looked_up(
        &self,
        user_id: &str,
        campaign: &str,
    ) -> Result<ApiAnswer, (StatusCode, Value)> {
        let of_user = [("user_id", user_id), ("campaign", campaign)];
        let dynamodb = self.look_up(&of_user).await?;
        let plain = self.look_up(&[&of_user[..], &[("format", "plain")]].concat()).await?;
        Ok(ApiAnswer { dynamodb, plain })
    }

    async fn look_up(&self, query: &[(&str, &str)]) -> Result<Value, (StatusCode, Value)> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mut headers = HeaderMap::new();
        let basic = format!("Basic {}", BASE64_STANDARD.encode(CREDENTIALS));
        if let Ok(basic) = HeaderValue::try_from(basic) {
            headers.insert(header::AUTHORIZATION, basic);
        }
        let call = Call {
            method: &Method::GET,
            path: "/",
            query: &query,
            headers: &headers,
            has_body: false,
        };
        // Not Braze's call: it is not counted among them.
        let found = self.api.answer(&call, &mut Counts::default()).await;
        let body = serde_json::from_str(found.body()).unwrap_or_default();
        if found.status().is_success() { Ok(body) } else { Err((found.status(), body)) }
    }
}

impl Wanted {
    fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| body.get(name)?.as_str().map(str::to_owned);
        Some(Self {
            user_id: text("user_id")?,
            campaign: text("campaign")?,
            message: text("message")?,
        })
    }
}

impl Renderer {
    /// Renders by `program`, which is this one.
    pub fn new(program: PathBuf) -> Self {
        Self { program, permits: Semaphore::new(MAX_AT_A_TIME) }
    }

    async fn render(&self, input: &Input) -> Result<Value, NotRendered> {
        let _permit = self.permits.acquire().await.map_err(|_| NotRendered::TooMuch)?;
        let input = json!(input).to_string();
        let told = timeout(MAX_WAIT, told(self.start()?, &input));
        let (rendered, complaint, status) = told.await.map_err(|_| NotRendered::TooMuch)??;
        match status.code() {
            Some(0) => {
                serde_json::from_str(&rendered).map_err(|error| io::Error::from(error).into())
            }
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
    let Input { to, message, answers } = serde_json::from_str(&input)?;
    let calls: Rc<dyn Calls> = Rc::new(AnswersAtHand(answers));
    match message.render(&to, &calls) {
        Ok(shown) => {
            let subject = shown.subject.as_ref().map(|subject| subject.text.trim());
            let (rendered, notes) = (&shown.body.text, shown.notes());
            let output = json!({ "subject": subject, "rendered": rendered, "notes": notes });
            io::stdout().write_all(output.to_string().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Systems that know no such limit are left with the limit of time.
fn limit(resource: Resource, most: u64) {
    let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
}
