//! A mixed load under faults, and the reconciliation of what the system says it did.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use currents::input::Input;
use futures::future::join_all;
use loadtest::arguments::{Arguments, Command};
use loadtest::replay::scan::Scan;
use loadtest::soak::schedule::Schedule;
use loadtest::soak::{self, SoakError};
use local::{aws, front};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::report::{by_schema, report};
use crate::rig::{loadtest, sample, stderr, stdout};
use crate::stub::{Behaviour, Stub};

const EVENTS: u64 = 3_000;

/// Sample files, and one that is damaged from its beginning.
fn files() -> TempDir {
    let folder = sample(EVENTS, 200);
    std::fs::write(folder.path().join("damaged.avro"), b"Obj\x01nothing").expect("is written");
    folder
}

fn behaviour(files: &Path) -> Behaviour {
    let input = Input::find(&[files.to_owned()]).expect("holds files");
    Behaviour {
        files: input.files.len() as u64,
        damaged: 1,
        events: EVENTS,
        takes_files: true,
        has_faults: true,
        wrong: None,
    }
}

fn environment(url: &str) -> [(&str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL_S3", url),
        ("AWS_REGION", aws::REGION),
        ("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY),
        ("LOADTEST_CREDENTIALS", front::CREDENTIALS),
    ]
}

/// A soak of a second with the program.
async fn soak(stub: &Stub, files: &Path, more: &[&str]) -> Output {
    let files = files.to_str().expect("is UTF-8");
    let mut arguments = vec!["soak", files, "--url", &stub.url, "--rate", "3000"];
    arguments.extend(["--patience-secs", "2"]);
    arguments.extend(more);
    loadtest(&environment(&stub.url), &arguments).await
}

/// A soak within this process, that `stop` ends.
async fn soak_until(
    stub: &Stub,
    files: &Path,
    secs: u64,
    stop: impl Future<Output = ()>,
) -> Result<soak::result::SoakResult, SoakError> {
    use clap::Parser as _;
    let files = files.to_str().expect("is UTF-8");
    let rate = (EVENTS / secs).to_string();
    let arguments = ["loadtest", "soak", files, "--url", &stub.url, "--rate", &rate];
    let arguments = Arguments::parse_from(arguments);
    let Command::Soak(arguments) = &arguments.command else { panic!("is a soak") };
    let input = Input::find(&arguments.files).expect("holds files").files;
    let bar = indicatif::ProgressBar::hidden();
    let scan = Scan::read(&input, &arguments.trigger, 100, 1, &bar).expect("is read");
    let schedule = Schedule::new(1, soak::length(&scan, arguments.rate).expect("is short"));
    let s3 = stub_bucket(&stub.url);
    let plan = soak::Plan { tick: Duration::from_millis(50), ..arguments.plan() };
    soak::run(&plan, &scan, &schedule, &s3, stop).await
}

fn stub_bucket(url: &str) -> aws_sdk_s3::Client {
    let credentials =
        aws_sdk_s3::config::Credentials::new(aws::ACCESS_KEY, aws::SECRET_KEY, None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new(aws::REGION))
        .credentials_provider(credentials)
        .endpoint_url(url)
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

fn json_file(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_in_which_every_event_is_accounted_for_ends_well_and_its_page_shows_the_faults() {
    let (files, folder) = (files(), tempfile::tempdir().expect("temporary folder"));
    let stub = Stub::start(behaviour(files.path())).await;
    let file = json_file(&folder, "a.json");
    let label = "night <script>alert(1)</script>";
    let more = ["--json", file.to_str().expect("is UTF-8"), "--label", label];

    let output = soak(&stub, files.path(), &more).await;

    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}{}", stderr(&output));
    assert!(printed.contains("every event is accounted for"), "{printed}");
    assert!(printed.contains("faults, in seconds since the start"), "{printed}");
    let result = &by_schema(&file)["result"];
    assert_eq!(result["upload"]["events"], EVENTS);
    assert_eq!((&result["struck"]["kill"], &result["generations"]), (&json!(1), &json!(5)));
    assert_eq!(result["look_ups"]["counts"]["unexpected"], 0);
    assert!(result["look_ups"]["counts"]["miss"].as_u64().expect("is counted") > 0);
    // Off at first, then each fault is on and off.
    let switched = stub.switched();
    assert_eq!(switched.iter().filter(|faults| **faults != json!({})).count(), 7);
    assert!(switched.chunks(2).all(|pair| pair[0] == json!({})), "{switched:?}");
    assert_eq!(switched.last(), Some(&json!({})));

    let page = report(&[&file, &file], &folder.path().join("report.html")).await;
    for period in result["periods"].as_array().expect("are periods") {
        let name = period["fault"].as_str().expect("has a name");
        assert!(page.contains(&format!("<title>{name}")), "{name} is not on the page");
    }
    assert_eq!(page.matches("<svg").count(), 7);
    assert_eq!(page.matches("class=\"band a\"").count(), 49);
    assert_eq!(page.matches("class=\"band b\"").count(), 49);
    assert!(page.contains("night &lt;script&gt;") && !page.contains("<script"), "{page}");
    assert!(page.contains("Reconciliation of A") && page.contains("A to B"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_does_not_add_up_is_named_and_ends_with_1() {
    let wrong: [(&str, Value, &str); 11] = [
        ("/counts/objects_read", json!(0), "objects read, damaged, ignored or gone"),
        ("/counts/objects_damaged", json!(0), "objects damaged"),
        ("/objects/uploaded", json!(0), "objects that arrived"),
        ("/counts/events_read", json!(EVENTS - 1), "events read from objects"),
        ("/events_done", json!(EVENTS - 1), "events on the stream that are done"),
        ("/records/done", json!(6), "stream records that are done"),
        ("/counts/events_received", json!(EVENTS + 1), "events received with exactly one fate"),
        ("/counts/events_stored", json!(4), "events done with a fate that lasts"),
        ("/lost", json!(1), "lost"),
        ("/counts/dead_letters", json!(2), "dead letters"),
        ("/quota/used_last_minute", json!(1_001), "moments above the quota"),
    ];
    let files = files();
    let soaks = wrong.map(|(path, value, line)| {
        let files = files.path().to_owned();
        async move {
            let wrong = Some((path, value));
            let stub = Stub::start(Behaviour { wrong, ..behaviour(&files) }).await;
            let output = soak(&stub, &files, &["--look-ups-per-second", "0"]).await;
            let printed = stdout(&output);
            assert_eq!(output.status.code(), Some(1), "{path}: {printed}{}", stderr(&output));
            assert!(printed.contains(&format!("FAIL  {line}")), "{path}: {printed}");
        }
    });

    join_all(soaks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_off_after_an_upload_that_failed_and_after_a_person_stopped_the_soak() {
    let files = files();
    let refusing = Behaviour { takes_files: false, ..behaviour(files.path()) };
    let refusing = Stub::start(refusing).await;
    let stopped = Stub::start(behaviour(files.path())).await;

    let failed = soak_until(&refusing, files.path(), 2, std::future::pending()).await;
    // Ten seconds, of which the first fault is on when the person stops it.
    let ended = soak_until(&stopped, files.path(), 10, stopped.a_fault_is_on()).await;

    assert!(matches!(failed, Err(SoakError::NoUpload { .. })), "{failed:?}");
    assert_eq!(refusing.switched().last(), Some(&json!({})));
    assert!(matches!(ended, Err(SoakError::Stopped)), "{ended:?}");
    let switched = stopped.switched();
    assert_ne!(switched[switched.len() - 2], json!({}));
    assert_eq!(switched.last(), Some(&json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_measured_where_faults_cannot_be_switched() {
    let files = files();
    let stub = Behaviour { has_faults: false, ..behaviour(files.path()) };
    let stub = Stub::start(stub).await;

    let output = soak(&stub, files.path(), &[]).await;

    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("--faults"), "{}", stderr(&output));
    let to_aws =
        [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let arguments = ["soak", files.path().to_str().expect("is UTF-8"), "--url", &stub.url];
    let output = loadtest(&to_aws, &arguments).await;
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("for `local` only"), "{}", stderr(&output));
}
