//! One run: files in, summary out, then serving.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use contract::content;
use contract::dead_letter::Input as Unprocessed;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use loadtest::generate::{self, Plan};
use tokio::time::Instant;

use crate::arguments::{Arguments, Bedrock};
use crate::aws::{TABLE, read_dead_letters};
use crate::front;
use crate::input::{Input, InputFile};
use crate::pipeline::Pipeline;
use crate::progress;
use crate::summary::Summary;

/// Files uploaded at a time.
const CONCURRENT_UPLOADS: usize = 4;

/// Most dead letters that are shown.
const SHOWN_DEAD_LETTERS: usize = 20;

/// Items looked at for the example of a look-up.
const EXAMPLE_ITEMS: i32 = 100;

/// Exit code after Ctrl-C before the work was done, as shells use it.
const INTERRUPTED: u8 = 130;

/// Does what the command line says, until it is done or Ctrl-C.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let input = Input::find(&arguments.files)?;
    for (path, reason) in &input.refused {
        eprintln!("{}: {reason}", path.display());
    }
    anyhow::ensure!(
        arguments.files.is_empty() || !input.files.is_empty(),
        "none of the files is an Avro file"
    );
    let listener = front::bind(arguments.port).await?;
    let (folder, _temporary) = data_folder(arguments.data.as_deref())?;
    let pipeline = Pipeline::start(&folder, arguments.options(), listener).await?;

    let stopping = Arc::new(AtomicBool::new(false));
    let code = tokio::select! {
        code = work(&arguments, input, &folder, &pipeline, &stopping) => code,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("stopped before the work was done");
            Ok(ExitCode::from(INTERRUPTED))
        }
    };
    stopping.store(true, Ordering::Relaxed);
    pipeline.stop().await;
    code
}

/// The folder of the state, and what removes it at the end if nobody wants to keep it.
fn data_folder(kept: Option<&Path>) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
    match kept {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
            Ok((folder.to_owned(), None))
        }
        None => {
            let temporary = tempfile::tempdir().context("cannot create a temporary folder")?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

async fn work(
    arguments: &Arguments,
    input: Input,
    folder: &Path,
    pipeline: &Pipeline,
    stopping: &Arc<AtomicBool>,
) -> anyhow::Result<ExitCode> {
    let refused = input.refused.len();
    let files = if arguments.files.is_empty() {
        sample(arguments.plan(), folder.join("sample"), stopping).await?
    } else {
        input.files
    };
    let began = Instant::now();
    tokio::select! {
        done = upload_and_drain(pipeline, &files) => done?,
        () = progress::draw(Arc::clone(&pipeline.totals), files.len() as u64) => {}
    }
    let writer = match arguments.bedrock {
        Bedrock::StandIn => "the stand-in for Bedrock (no model: made-up text)",
        Bedrock::Aws => "Amazon Bedrock",
    };
    let summary = Summary::new(&pipeline.totals, began.elapsed(), writer);
    println!("\n{summary}");
    report_dead_letters(folder, &files)?;
    let user_id = example_user(pipeline).await?;
    match &user_id {
        Some(user_id) => {
            println!("Look one up, as Braze does:\n");
            println!("  curl 'http://{}/?user_id={user_id}'\n", pipeline.address);
        }
        None => println!("No content: no event triggered a campaign.\n"),
    }
    if !arguments.exit_when_done {
        println!("Serving until Ctrl-C.");
        tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    }
    let is_clean = summary.lost() == 0 && summary.damaged() == 0 && refused == 0;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the sample files, unless they are there from an earlier run.
async fn sample(
    plan: Plan,
    folder: PathBuf,
    stopping: &Arc<AtomicBool>,
) -> anyhow::Result<Vec<InputFile>> {
    let bar = progress::bar("making a sample", plan.events);
    let stopping = Arc::clone(stopping);
    let go_on = move || {
        bar.inc(1);
        !stopping.load(Ordering::Relaxed)
    };
    let into = folder.clone();
    let generating = tokio::task::spawn_blocking(move || generate::generate(&plan, &into, go_on));
    let generated = generating.await.context("making the sample")?.context("making the sample")?;
    println!("Made {} sample files, {} bytes.", generated.files.len(), generated.bytes);
    Ok(Input::find(&[folder])?.files)
}

async fn upload_and_drain(pipeline: &Pipeline, files: &[InputFile]) -> anyhow::Result<()> {
    stream::iter(files)
        .map(|file| Ok(pipeline.upload(file)))
        .try_buffer_unordered(CONCURRENT_UPLOADS)
        .try_collect::<()>()
        .await?;
    pipeline.drain().await;
    Ok(())
}

/// Shows what was given up, with the file's own name where a file is to blame.
fn report_dead_letters(folder: &Path, files: &[InputFile]) -> anyhow::Result<()> {
    for letter in read_dead_letters(folder, SHOWN_DEAD_LETTERS)? {
        let what = match &letter.input {
            Unprocessed::Object { key, .. } => files
                .iter()
                .find(|file| file.key == *key)
                .map_or_else(|| key.clone(), |file| file.path.display().to_string()),
            Unprocessed::Notification { .. } => "a notification".to_owned(),
            Unprocessed::StreamRecord { sequence_number, .. } => {
                format!("stream record {sequence_number}")
            }
            Unprocessed::Unit { campaign, event_id, .. } => {
                format!("event {event_id} for campaign {campaign}")
            }
        };
        println!("dead letter: {what}: {}: {}", letter.reason, letter.detail);
    }
    Ok(())
}

/// Some user who has content.
async fn example_user(pipeline: &Pipeline) -> anyhow::Result<Option<String>> {
    let scan = pipeline
        .aws
        .dynamodb
        .scan()
        .table_name(TABLE)
        .filter_expression("attribute_exists(#data)")
        .expression_attribute_names("#data", content::DATA)
        .limit(EXAMPLE_ITEMS);
    let items = scan.send().await.context("looking for an example")?.items.unwrap_or_default();
    let user_id = items.first().and_then(|item| item.get(content::USER_ID));
    Ok(user_id.and_then(|id| id.as_s().ok()).cloned())
}
