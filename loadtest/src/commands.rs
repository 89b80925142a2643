//! Does what the command line says.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::arguments::{Arguments, Command, Generate, Lookups, Output, Replay, Report, Soak};
use crate::bucket::{Bucket, Place};
use crate::lookups::{self, users::Users};
use crate::measured::{Measurement, Run};
use crate::progress;
use crate::replay::cost::Estimate;
use crate::replay::scan::Scan;
use crate::replay::{self, CANDIDATES_EACH};
use crate::report;
use crate::soak::{self, schedule::Schedule};
use crate::trigger::Trigger;
use bill::prices::Prices;
use currents::generate;
use currents::input::Input;

/// Exit code where nothing could be measured; 1 is for what was measured and is not well.
pub const NOT_MEASURED: u8 = 2;

/// Does what the command line says.
pub async fn command(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Generate(arguments) => generate_files(arguments).await,
        Command::Lookups(arguments) => look_up(arguments).await,
        Command::Replay(arguments) => replay_files(arguments).await,
        Command::Soak(arguments) => soak_system(arguments).await,
        Command::Report(arguments) => draw(arguments),
    }
}

async fn generate_files(arguments: &Generate) -> anyhow::Result<ExitCode> {
    let bar = progress::bar("generating", arguments.events, "events");
    let clock = Clock::start();
    let count = {
        let bar = bar.clone();
        move |made| {
            bar.set_position(made);
            true
        }
    };
    let generated = match &arguments.out {
        Place::Path(folder) => generate::generate(&arguments.plan(), folder, count)
            .with_context(|| format!("generating into {}", folder.display()))?,
        Place::Bucket(location) => {
            let bucket = Bucket::connect(arguments.endpoint_url.as_deref()).await?;
            anyhow::ensure!(
                arguments.yes || !bucket.is_aws(),
                "{location} would be on AWS, where files cost a little, and more if the system \
                 takes them for Currents': say --yes, or set AWS_ENDPOINT_URL_S3"
            );
            bucket.generate(arguments.plan(), location, count).await?
        }
    };
    let secs = clock.instant.elapsed().as_secs_f64();
    bar.finish_and_clear();
    say(format_args!(
        "{} events in {} files, {} bytes, {:.0} events/s\n\
         {} repeats, {} late events, {} deletions, {} damaged files, {} of another version",
        generated.events,
        generated.keys.len(),
        generated.bytes,
        generated.events as f64 / secs.max(1e-9),
        generated.duplicates,
        generated.late,
        generated.deletes,
        generated.damaged_files,
        generated.other_versions
    ));
    if let Place::Path(folder) = &arguments.out {
        tell_of_others(folder, generated.keys.len())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says that a folder holds more than what was made: they would be replayed together.
fn tell_of_others(folder: &Path, made: usize) -> anyhow::Result<()> {
    let found = Input::find(&[folder.to_owned()])?;
    let others = (found.files.len() + found.refused.len()).saturating_sub(made);
    if others > 0 {
        eprintln!(
            "note: {} holds {others} other .avro files, which were there before and would be \
             replayed as well",
            folder.display()
        );
    }
    Ok(())
}

async fn look_up(arguments: &Lookups) -> anyhow::Result<ExitCode> {
    check(&arguments.output)?;
    let users = match &arguments.users {
        Some(path) => Users::read(path)?,
        None => Users::default(),
    };
    let clock = Clock::start();
    let result = lookups::run(&arguments.plan(), &Arc::new(users)).await?;
    finish(&arguments.output, &clock, Run::Lookups(result))
}

async fn replay_files(arguments: &Replay) -> anyhow::Result<ExitCode> {
    check(&arguments.output)?;
    let candidates = arguments.sample().saturating_mul(CANDIDATES_EACH);
    let bucket = Bucket::connect(arguments.endpoint_url.as_deref()).await?;
    let (input, _fetched) = find(&arguments.files, &bucket).await?;
    let scan = scan(&input, &arguments.trigger, candidates, arguments.seed)?;
    if bucket.is_aws() {
        let prices = Prices::read(None)?;
        eprintln!("{}", Estimate::of(&scan, arguments.usd_per_generation, prices));
        anyhow::ensure!(
            arguments.yes,
            "this would go to AWS: say --yes to do it at this cost, or set AWS_ENDPOINT_URL_S3"
        );
    }
    let clock = Clock::start();
    let plan = arguments.plan(bucket.endpoint.clone());
    let result = replay::run(&plan, &scan, &bucket.s3).await?;
    finish(&arguments.output, &clock, Run::Replay(Box::new(result)))
}

/// Finds the files that a person names. Those of buckets are copied into a folder that is
/// there as long as it is held.
async fn find(places: &[Place], bucket: &Bucket) -> anyhow::Result<(Input, TempDir)> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut input = Input::default();
    for (number, place) in places.iter().enumerate() {
        match place {
            Place::Path(path) => input.add(path, number)?,
            Place::Bucket(location) => {
                bucket.fetch(location, folder.path(), (&mut input, number)).await?;
            }
        }
    }
    Ok((input, folder))
}

/// Reads the files; those that cannot be Avro are named and passed over.
fn scan(input: &Input, trigger: &Trigger, candidates: usize, seed: u64) -> anyhow::Result<Scan> {
    for (path, reason) in &input.refused {
        eprintln!("{}: {reason}", path.display());
    }
    anyhow::ensure!(!input.files.is_empty(), "none of the files is an Avro file");
    let bar = progress::bar("reading", input.files.len() as u64, "files");
    let scan = Scan::read(&input.files, trigger, candidates, seed, &bar)?;
    bar.finish_and_clear();
    Ok(scan)
}

async fn soak_system(arguments: &Soak) -> anyhow::Result<ExitCode> {
    check(&arguments.output)?;
    let input = Input::find(&arguments.files)?;
    let scan = scan(&input, &arguments.trigger, soak::USERS, arguments.seed)?;
    let plan = arguments.plan();
    let length = soak::length(&scan, plan.rate)?;
    let bucket = Bucket::connect(arguments.endpoint_url.as_deref()).await?;
    anyhow::ensure!(
        !bucket.is_aws(),
        "a soak is for `local` only: set AWS_ENDPOINT_URL_S3 to its bucket"
    );
    let schedule = Schedule::new(plan.seed, length);
    say(format_args!("{} events in {:.0} s\n{schedule}", scan.events(), length.as_secs_f64()));
    let clock = Clock::start();
    let result = soak::run(&plan, &scan, &schedule, &bucket.s3, stopped()).await?;
    finish(&arguments.output, &clock, Run::Soak(Box::new(result)))
}

/// Ends when a person, or the machine, wants the program to stop.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if interrupt.await.is_err() {
        // Nothing can be heard; the soak goes on to its own end.
        std::future::pending::<()>().await;
    }
}

fn draw(arguments: &Report) -> anyhow::Result<ExitCode> {
    let runs: Vec<Measurement> =
        arguments.files.iter().map(|path| Measurement::read(path)).collect::<Result<_, _>>()?;
    let out = &arguments.out;
    fs::write(out, report::page(&runs))
        .with_context(|| format!("cannot write {}", out.display()))?;
    say(format_args!("written to {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

/// When a run began, for people and for measuring.
struct Clock {
    date: OffsetDateTime,
    instant: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { date: OffsetDateTime::now_utc(), instant: Instant::now() }
    }
}

/// Finds out before a long run whether its result can be written.
fn check(output: &Output) -> anyhow::Result<()> {
    let Some(path) = &output.json else { return Ok(()) };
    let failed = || format!("cannot write {}", path.display());
    let was_there = path.exists();
    fs::OpenOptions::new().append(true).create(true).open(path).with_context(failed)?;
    if !was_there {
        fs::remove_file(path).with_context(failed)?;
    }
    Ok(())
}

/// Prints and writes what was measured.
fn finish(output: &Output, clock: &Clock, run: Run) -> anyhow::Result<ExitCode> {
    let took = clock.instant.elapsed().as_secs_f64();
    let measured = Measurement::new(output.label.clone(), clock.date, took, run);
    say(&measured);
    if let Some(path) = &output.json {
        measured.write(path)?;
    }
    Ok(if measured.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a line; a reader that has gone away is no reason to stop.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
