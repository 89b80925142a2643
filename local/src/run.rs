//! One run: files in, summary out, then serving.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use bill::Told;
use contract::content;
use contract::dead_letter::Input as Unprocessed;
use contract::local::{DEAD_LETTERS_FILE, LOCK_FILE};
use currents::generate::{self, Plan};
use currents::input::{Input, InputFile};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use ingest::trigger::Trigger;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::arguments::{Arguments, Bedrock};
use crate::aws::{
    self, ACCESS_KEY, ARCHIVE, BUCKET, Pace, REGION, SECRET_KEY, TABLE, dead_letters_so_far,
    read_dead_letters,
};
use crate::by_hand;
use crate::front;
use crate::interruption::Interruption;
use crate::own_events;
use crate::pipeline::Pipeline;
use crate::progress;
use crate::redriven::{self, RedriveReport};
use crate::summary::Summary;
use crate::totals::get;

/// Files uploaded at a time.
const CONCURRENT_UPLOADS: usize = 4;

/// Most dead letters that are shown.
const SHOWN_DEAD_LETTERS: usize = 20;

/// Items looked at for the example of a look-up.
const EXAMPLE_ITEMS: i32 = 100;

/// Exit code after Ctrl-C before the work was done, as shells use it.
const INTERRUPTED: u8 = 130;

/// Does what the command line says, until it is done or interrupted.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut interruption = Interruption::watch()?;
    let input = Input::find_with_lines(&arguments.files)?;
    for (path, reason) in &input.refused {
        eprintln!("{}: {reason}", path.display());
    }
    own_events::say_doubts(&input.files);
    anyhow::ensure!(
        arguments.files.is_empty() || !(input.files.is_empty() && input.lines.is_empty()),
        "none of the files holds events"
    );
    let listener = front::bind(arguments.port).await?;
    let bucket = match arguments.s3_port {
        Some(port) => Some(front::bind(port).await.context("opening the bucket (--s3-port)")?),
        None => None,
    };
    if let Some(data) = arguments.data.as_deref().filter(|_| arguments.serve) {
        anyhow::ensure!(aws::holds_state(data), "{} holds no state of a run", data.display());
    }
    let folder = DataFolder::open(arguments.data.as_deref())?;
    let starting = Pipeline::start(&folder.path, arguments.options(), listener);
    let pipeline = tokio::select! {
        started = starting => started?,
        () = interruption.wait() => return Ok(ExitCode::from(INTERRUPTED)),
    };

    say(format_args!("Watch it at http://{}/\n", pipeline.address));
    let sampling = Sampling::default();
    let code = tokio::select! {
        biased;
        code = work(&arguments, input, &folder.path, &pipeline, &sampling) => code,
        () = interruption.wait() => {
            eprintln!("stopped before the work was done");
            if arguments.data.is_some() {
                eprintln!("run again with the same files to finish it");
            }
            sampling.stop().await;
            pipeline.stop().await;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    if code.is_ok() && !arguments.exit_when_done {
        if let Some(listener) = bucket {
            open_bucket(&pipeline, listener)?;
        }
        say("Serving until Ctrl-C.");
        interruption.wait().await;
    }
    pipeline.stop().await;
    code
}

/// Lets other programs put files into the bucket, and says how.
fn open_bucket(pipeline: &Pipeline, listener: TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr().context("reading the bound port")?;
    pipeline.open_bucket(listener)?;
    say(format_args!(
        "The bucket {BUCKET} takes files, and {ARCHIVE} keeps files that are not processed, with\n\n  \
         export AWS_ENDPOINT_URL_S3=http://{address} AWS_REGION={REGION} \
         AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY}\n"
    ));
    Ok(())
}

/// Who wrote the text, for a person.
pub(crate) fn writer(bedrock: Bedrock) -> &'static str {
    match bedrock {
        Bedrock::StandIn => "the stand-in for Bedrock (no model: made-up text)",
        Bedrock::Aws => "Amazon Bedrock",
    }
}

/// Prints a line; a reader that has gone away is no reason to stop.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The folder of the embedded AWS' state; a temporary one goes with this value.
pub(crate) struct DataFolder {
    pub(crate) path: PathBuf,
    /// Held while the folder is in use, so that two runs do not share it.
    _lock: Option<File>,
    _temporary: Option<tempfile::TempDir>,
}

impl DataFolder {
    pub(crate) fn open(kept: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = kept else {
            let temporary = tempfile::tempdir().context("cannot create a temporary folder")?;
            let path = temporary.path().to_owned();
            return Ok(Self { path, _lock: None, _temporary: Some(temporary) });
        };
        let failed = || format!("cannot use {} for the state", folder.display());
        anyhow::ensure!(!folder.is_file(), "{} is a file: name a folder", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
        let mut options = File::options();
        // Not emptied: a file of that name may be somebody else's.
        let options = options.write(true).create(true).truncate(false);
        let lock = options.open(folder.join(LOCK_FILE)).with_context(failed)?;
        lock.try_lock().map_err(|_| {
            anyhow::anyhow!("{} is in use by another run: name another folder", folder.display())
        })?;
        Ok(Self { path: folder.to_owned(), _lock: Some(lock), _temporary: None })
    }
}

async fn work(
    arguments: &Arguments,
    input: Input,
    folder: &Path,
    pipeline: &Pipeline,
    sampling: &Sampling,
) -> anyhow::Result<ExitCode> {
    if arguments.serve {
        show_example(arguments, pipeline).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let (of_lines, bad_lines) = sampling.convert(input.lines, folder.to_owned()).await?;
    let refused = input.refused.len() as u64 + bad_lines;
    anyhow::ensure!(
        arguments.files.is_empty() || !(input.files.is_empty() && of_lines.is_empty()),
        "none of the lines is an event"
    );
    if arguments.data.is_some() {
        finish_earlier_run(pipeline).await;
    }
    let letters = redriven::set_aside(folder)?;
    let by_hand = by_hand::asked(folder)?;
    let is_idle = letters.is_empty() && by_hand.is_empty();
    let files = if arguments.files.is_empty() && is_idle {
        sampling.make(arguments.plan(), folder.join("sample")).await?
    } else {
        [input.files, of_lines].concat()
    };
    let letters_before = dead_letters_so_far(folder);
    let began = Instant::now();
    let kept = if letters.is_empty() { 0 } else { send_again(folder, &letters, pipeline).await? };
    if !by_hand.is_empty() {
        let asks = by_hand::send(folder, &by_hand, pipeline).await?;
        say(format_args!("Sent {asks} asks by hand."));
    }
    tokio::select! {
        done = upload_and_drain(pipeline, &files, arguments.system.pace) => done?,
        () = draw(pipeline, files.len() as u64) => {}
    }
    let writer = writer(arguments.system.bedrock);
    let waits = pipeline.parked.waits();
    let summary = Summary::new(&pipeline.totals, waits, began.elapsed(), writer);
    say(format_args!("\n{summary}"));
    let counts = pipeline.totals.counts();
    let counted = pipeline.totals.billing.counted(&counts);
    if let Some(file) = &arguments.counted {
        let json = serde_json::to_string_pretty(&counted)?;
        fs::write(file, json).with_context(|| format!("writing {}", file.display()))?;
    }
    say(format_args!("What AWS would charge\n{}", Told::of(counted)?));
    report_dead_letters(folder, letters_before, summary.dead_letters(), &files)?;
    if get(&pipeline.totals.uploaded) > 0 && counts.triggering() == 0 {
        say(nothing_triggered(pipeline));
    }
    show_example(arguments, pipeline).await?;
    let is_clean = summary.lost() == 0 && summary.dead_letters() == 0 && refused == 0 && kept == 0;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints how to look a user up, where somebody will be served.
async fn show_example(arguments: &Arguments, pipeline: &Pipeline) -> anyhow::Result<()> {
    let Some((user_id, campaign)) = example_user(pipeline).await? else {
        let above = if arguments.serve { "" } else { ": see above for what became of the events" };
        say(format_args!("No content of these campaigns{above}.\n"));
        return Ok(());
    };
    if arguments.exit_when_done {
        return Ok(());
    }
    say("Look one up, as Braze does:\n");
    let campaign = Some(campaign.as_str()).filter(|_| pipeline.campaigns.len() > 1);
    let open = arguments.no_credentials;
    for line in front::curl_lines(pipeline.address, (&user_id, campaign), open) {
        say(format_args!("  {line}"));
    }
    say("");
    Ok(())
}

/// The types that were read beside those that campaigns look at.
fn nothing_triggered(pipeline: &Pipeline) -> String {
    let read = pipeline.totals.event_types().into_iter();
    let read: Vec<String> = read.map(|(name, n)| format!("  {name}: {n}")).collect();
    let wanted = pipeline.campaigns.iter();
    let wanted = wanted.map(|campaign| format!("  {}: {}", campaign.name, campaign.config.trigger));
    let wanted: Vec<String> = wanted.collect();
    format!(
        "No event triggered a campaign. Events read, by type:\n{}\nWhat campaigns look at:\n{}\n\
         Of one user, make ops ARGS=\"campaigns why USER --events FILE_OR_FOLDER\" tells why.\n",
        read.join("\n"),
        wanted.join("\n")
    )
}

/// Draws what goes on, and says what is waited for.
async fn draw(pipeline: &Pipeline, files: u64) {
    let (totals, standstill) = (Arc::clone(&pipeline.totals), Arc::clone(&pipeline.standstill));
    progress::draw(totals, standstill, files).await;
}

/// Processes what a run that was stopped left on the stream, outside of this run's figures.
async fn finish_earlier_run(pipeline: &Pipeline) {
    tokio::select! {
        () = pipeline.drain() => {}
        () = draw(pipeline, 0) => {}
    }
    let records = get(&pipeline.totals.records_done);
    if records > 0 {
        say(format_args!("Finished {records} stream records of an earlier run."));
    }
    let asks = pipeline.totals.counts().asks_over();
    if asks > 0 {
        say(format_args!("Finished {asks} asks that an earlier run left."));
    }
    pipeline.restart_totals();
}

/// Sends what was set aside again; says how many of them could not be.
async fn send_again(
    folder: &Path,
    letters: &[String],
    pipeline: &Pipeline,
) -> anyhow::Result<usize> {
    let RedriveReport { sent, kept } = redriven::send(folder, letters, pipeline).await?;
    say(format_args!("Sent {sent} of {} dead letters again.", letters.len()));
    if kept > 0 {
        say(format_args!("{kept} stay: what they are about is neither in them nor in the bucket."));
    }
    Ok(kept)
}

/// Making of the sample files, and of containers of lines, on a thread that can be stopped.
#[derive(Debug, Default)]
struct Sampling {
    stopping: Arc<AtomicBool>,
    thread: TaskTracker,
}

impl Sampling {
    async fn make(&self, plan: Plan, folder: PathBuf) -> anyhow::Result<Vec<InputFile>> {
        if folder.exists() {
            fs::remove_dir_all(&folder).context("removing an earlier sample")?;
        }
        let bar = progress::bar("making a sample", plan.events);
        let stopping = Arc::clone(&self.stopping);
        let go_on = move |made| {
            bar.set_position(made);
            !stopping.load(Ordering::Relaxed)
        };
        let into = folder.clone();
        let generate = move || generate::generate(&plan, &into, go_on);
        let generated = self.thread.spawn_blocking(generate).await.context("making the sample")?;
        let generated = generated.context("making the sample")?;
        say(format_args!("Made {} sample files, {} bytes.", generated.keys.len(), generated.bytes));
        Ok(Input::find(&[folder])?.files)
    }

    /// Makes containers of lines; tells how many faults the lines have.
    async fn convert(
        &self,
        lines: Vec<PathBuf>,
        folder: PathBuf,
    ) -> anyhow::Result<(Vec<InputFile>, u64)> {
        if lines.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let (stopping, files) = (Arc::clone(&self.stopping), lines.len());
        let go_on = move || !stopping.load(Ordering::Relaxed);
        let convert = move || own_events::containers(&lines, &folder, go_on);
        let converted = self.thread.spawn_blocking(convert).await.context("reading lines")?;
        let (written, faults) = converted?;
        let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        say(format_args!("Read {} events from {files} of JSON Lines.", written.events));
        Ok((written.files, faults))
    }

    /// Stops, and waits until nothing more is written.
    async fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.thread.close();
        self.thread.wait().await;
    }
}

async fn upload_and_drain(
    pipeline: &Pipeline,
    files: &[InputFile],
    pace: Pace,
) -> anyhow::Result<()> {
    match pace {
        Pace::Fast => {
            stream::iter(files)
                .map(|file| Ok(pipeline.upload(file)))
                .try_buffer_unordered(CONCURRENT_UPLOADS)
                .try_collect::<()>()
                .await?;
        }
        Pace::Aws => {
            for file in files {
                pipeline.upload(file).await?;
                pipeline.drain().await;
            }
        }
    }
    pipeline.drain().await;
    Ok(())
}

/// Shows what this run gave up, with the file's own name where a file is to blame.
pub(crate) fn report_dead_letters(
    folder: &Path,
    from: u64,
    all: u64,
    files: &[InputFile],
) -> anyhow::Result<()> {
    let file_of = |key: &str| {
        let file = files.iter().find(|file| file.key == key);
        file.map_or_else(|| key.to_owned(), |file| file.path.display().to_string())
    };
    let letters = read_dead_letters(folder, from, SHOWN_DEAD_LETTERS)?;
    for letter in &letters {
        let what = match &letter.input {
            Unprocessed::Object { key, .. } => file_of(key),
            Unprocessed::Notification { body } => {
                key_in(body).map_or_else(|| "a notification".to_owned(), |key| file_of(&key))
            }
            Unprocessed::Event { event_id, .. } => format!("event {event_id}"),
            Unprocessed::StreamRecord { sequence_number, .. } => {
                format!("stream record {sequence_number}")
            }
            Unprocessed::Unit { campaign, event_id, .. } => {
                format!("event {event_id} for campaign {campaign}")
            }
            Unprocessed::Ask { ask, event_id, .. } => {
                let campaign = &ask.campaign;
                match event_id {
                    Some(event_id) => format!("ask of event {event_id} for campaign {campaign}"),
                    None => format!("ask for campaign {campaign}"),
                }
            }
            Unprocessed::AskMessage { .. } => "a message on a queue of asks".to_owned(),
        };
        say(format_args!("dead letter: {what}: {}: {}", letter.reason, letter.detail));
    }
    let more = all.saturating_sub(letters.len() as u64);
    if more > 0 {
        say(format_args!("and {more} dead letters more in {DEAD_LETTERS_FILE}, with --data DIR"));
    }
    Ok(())
}

/// The key of the object that a notification speaks of.
fn key_in(notification: &str) -> Option<String> {
    let trigger = Trigger::parse(&serde_json::from_str(notification).ok()?).ok()?;
    match trigger {
        Trigger::Direct(objects) => objects.into_iter().next().map(|object| object.key),
        Trigger::Queue(_) => None,
    }
}

/// Some user who has content, and the campaign that it is of.
async fn example_user(pipeline: &Pipeline) -> anyhow::Result<Option<(String, String)>> {
    let scan = pipeline
        .aws
        .uncounted_dynamodb
        .scan()
        .table_name(TABLE)
        .filter_expression("attribute_exists(#data)")
        .expression_attribute_names("#data", content::DATA)
        .limit(EXAMPLE_ITEMS);
    let items = scan.send().await.context("looking for an example")?.items.unwrap_or_default();
    let of_item = |item: &HashMap<String, AttributeValue>| {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        let campaign = text(content::ITEM)?.strip_prefix(content::ITEM_PREFIX)?.to_owned();
        let is_there = pipeline.campaigns.iter().any(|each| each.name == campaign);
        text(content::USER_ID).zip(Some(campaign).filter(|_| is_there))
    };
    Ok(items.iter().find_map(of_item))
}
