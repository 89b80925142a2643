//! Look-ups at a schedule.

use std::sync::Arc;
use std::time::Duration;

use loadtest::client::Target;
use loadtest::credentials::Credentials;
use loadtest::lookups::mix::Mix;
use loadtest::lookups::users::Users;
use loadtest::lookups::{self, LookupsError, Plan, Rates};
use loadtest::measured::{Measurement, Run};
use local::front;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::report::by_schema;
use crate::rig::{Rig, loadtest, sample, stderr, stdout};
use crate::stub::NOTHING;

fn plan(url: &str, rates: Rates) -> Plan {
    Plan {
        target: Target {
            url: url.to_owned(),
            campaign: Some("new-episode".to_owned()),
            credentials: Some(Credentials::given(front::CREDENTIALS).expect("is taken")),
            kept_connections: 64,
        },
        mix: Mix { hit: 6, miss: 3, unauthorised: 1 },
        rates,
        step: Duration::from_secs(1),
        bound: Duration::from_secs(2),
        in_flight: 64,
        seed: 7,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_up_of_the_schedule_is_made_and_answered_as_its_kind_says() {
    let rig = Rig::start().await;
    rig.process(sample(400, 40).path()).await;
    let users = Arc::new(Users::new(rig.users().await));
    assert!(!users.is_empty(), "somebody has content");

    let plan = plan(&rig.url(), Rates::Steps(vec![50.0, 100.0]));
    let result = lookups::run(&plan, &users).await.expect("is measured");

    let made: Vec<u64> = result.steps.iter().map(|step| step.latency.count).collect();
    assert_eq!(made, [50, 100]);
    for step in &result.steps {
        let counts = &step.counts;
        assert_eq!((counts.failed(), counts.unexpected), (0, 0), "{counts:?}");
        assert_eq!(counts.hit + counts.miss + counts.unauthorised, step.latency.count);
        assert!(counts.hit > counts.miss && counts.miss > counts.unauthorised, "{counts:?}");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_content_are_not_taken_for_hits() {
    let rig = Rig::start().await;
    let users = Arc::new(Users::new(["nobody".to_owned()]));
    let mix = Mix { hit: 1, miss: 0, unauthorised: 0 };
    let plan = Plan { mix, ..plan(&rig.url(), Rates::Steps(vec![20.0])) };

    let result = lookups::run(&plan, &users).await.expect("is measured");

    assert_eq!(result.steps[0].counts.unexpected, 20);
    assert_eq!(result.steps[0].counts.miss, 20);
    assert!(!result.is_good());
    rig.pipeline.stop().await;
}

/// Answers one call at a time, each after `pause`.
async fn one_at_a_time(pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("is bound"));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 2_048];
            while socket.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                tokio::time::sleep(pause).await;
                let length = NOTHING.len();
                let answer =
                    format!("HTTP/1.1 404 Not Found\r\ncontent-length: {length}\r\n\r\n{NOTHING}");
                if socket.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_slow_api_is_part_of_the_latency_and_breaks_the_rate() {
    // 50 ms a call is 20 calls a second; at 40 the last ones are due a second before they go.
    let url = one_at_a_time(Duration::from_millis(50)).await;
    let mix = Mix { hit: 0, miss: 1, unauthorised: 0 };
    let bound = Duration::from_millis(500);
    let of = |rates| Plan { mix, bound, in_flight: 1, ..plan(&url, rates) };

    let result = lookups::run(&of(Rates::Steps(vec![40.0])), &Arc::default()).await;

    let step = &result.expect("is measured").steps[0];
    assert!(!step.kept);
    assert!(step.latency.p99_ms > 900.0, "{:?}", step.latency);
    assert!(step.sending_delay.p99_ms > 850.0, "{:?}", step.sending_delay);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_measured_where_nothing_answers_or_nobody_is_known() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", closed.local_addr().expect("is bound"));
    drop(closed);
    let plan = plan(&url, Rates::Steps(vec![10.0]));

    let without_users = lookups::run(&plan, &Arc::default()).await;
    assert!(matches!(without_users, Err(LookupsError::NoUsers)));
    let users = Arc::new(Users::new(["somebody".to_owned()]));
    assert!(matches!(lookups::run(&plan, &users).await, Err(LookupsError::NoAnswer { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_credentials_from_its_environment_and_never_prints_them() {
    let rig = Rig::start().await;
    rig.process(sample(400, 40).path()).await;
    let folder = tempfile::tempdir().expect("temporary folder");
    let (users, json) = (folder.path().join("users.txt"), folder.path().join("result.json"));
    std::fs::write(&users, rig.users().await.join("\n")).expect("is written");
    let url = rig.url();
    let mut arguments = vec!["lookups", "--url", &url, "--rates", "50", "--step-secs", "1"];
    arguments.extend(["--p99-ms", "2000", "--users", users.to_str().expect("is UTF-8")]);
    arguments.extend(["--json", json.to_str().expect("is UTF-8")]);

    let right = loadtest(&[("LOADTEST_CREDENTIALS", front::CREDENTIALS)], &arguments).await;
    by_schema(&json);
    let result = Measurement::read(&json).expect("is a measurement");
    let wrong = loadtest(&[("LOADTEST_CREDENTIALS", "braze:wr0ng")], &arguments).await;
    let no_pair = loadtest(&[("LOADTEST_CREDENTIALS", "wr0ng")], &arguments).await;

    assert_eq!(right.status.code(), Some(0), "{}{}", stdout(&right), stderr(&right));
    assert!(stdout(&right).contains("highest rate"), "{}", stdout(&right));
    let Run::Lookups(lookups) = &result.run else { panic!("is of look-ups") };
    assert_eq!(lookups.steps[0].latency.count, 50);
    assert_eq!(wrong.status.code(), Some(1), "{}{}", stdout(&wrong), stderr(&wrong));
    assert_eq!(no_pair.status.code(), Some(2), "{}{}", stdout(&no_pair), stderr(&no_pair));
    assert!(stderr(&no_pair).contains("USER:PASSWORD"), "{}", stderr(&no_pair));
    let help = loadtest(&[("LOADTEST_CREDENTIALS", "braze:wr0ng")], &["lookups", "--help"]).await;
    let file = std::fs::read_to_string(&json).expect("is there");
    for output in [&right, &wrong, &no_pair, &help] {
        let all = stdout(output) + &stderr(output) + &file;
        assert!(!all.contains("wr0ng") && !all.contains(front::CREDENTIALS), "{all}");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_written_is_found_out_before_the_run() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let json = folder.path().join("nowhere/result.json");
    let json = json.to_str().expect("is UTF-8");

    // Nothing answers at this address, which a run would say.
    let url = "http://127.0.0.1:1";
    let output = loadtest(&[], &["lookups", "--mix", "miss=1", "--url", url, "--json", json]).await;

    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
}
