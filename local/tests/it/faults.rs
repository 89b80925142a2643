//! Services that refuse, and input that is broken: nothing is lost, and the rest
//! goes on.

use std::process::Command;
use std::time::Duration;

use aws_sdk_kinesis::primitives::Blob;
use contract::dead_letter::Input as Unprocessed;
use contract::local::LOCK_FILE;
use contract::metrics;
use local::aws::{self, STREAM, read_dead_letters};
use local::bedrock::{Behaviour, Unusable};
use local::event_source::Mapping;
use local::pipeline::{Model, Options};

use crate::rig::{
    Rig, behaviour, campaigns, changed_campaign, options, sample, watched, watched_last,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_kinesis_and_bedrock_throttle() {
    // One shard takes a mebibyte a second; the sample has several.
    let rig = Rig::start(Options {
        aws: aws::Options { shards: 1, ..options().aws },
        bedrock: Model::StandIn(Behaviour { throttle_every: 5, ..behaviour() }),
        ..options()
    })
    .await;
    let files = sample(16_000, 1_000);
    let expected = watched_last(files.path());

    rig.process(files.path()).await;

    assert!(rig.count(metrics::ENTRIES_RESENT) > 0, "Kinesis refused nothing");
    assert!(rig.count(metrics::THROTTLES) > 0, "Bedrock refused nothing");
    assert_eq!(rig.lost(), 0);
    assert_eq!(rig.count(metrics::DEAD_LETTERS), 0);
    for user_id in expected.keys() {
        let (_, answer) = rig.look_up(&format!("user_id={user_id}")).await;
        assert!(answer["Item"]["source"].is_null(), "{user_id} has no content");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_event_source_gives_up_is_kept_with_its_records_and_can_be_redriven() {
    // Shorter than the margin of an invocation: nothing is begun, everything goes back.
    let rig = Rig::start(Options {
        aws: aws::Options { kept: true, ..options().aws },
        mapping: Mapping {
            function_timeout: Duration::from_secs(1),
            maximum_retry_attempts: Some(0),
            ..Mapping::prompt()
        },
        ..options()
    })
    .await;
    let files = sample(400, 40);
    rig.process(files.path()).await;
    assert_eq!(rig.count(metrics::CONTENTS_STORED), 0);
    let letters = read_dead_letters(rig.folder.path(), 0, 1_000).expect("can be read");
    assert!(!letters.is_empty());
    assert!(letters.iter().all(|letter| letter.reason == "record_given_up"), "{letters:?}");
    rig.pipeline.stop().await;

    // As a run leaves it.
    std::fs::write(rig.folder.path().join(LOCK_FILE), "").expect("is written");
    ops::redrive::folder::redrive(rig.folder.path(), &ops::letters::Pick::default(), false)
        .expect("is set aside");
    let mut run = Command::new(env!("CARGO_BIN_EXE_local"));
    run.args(["--exit-when-done", "--port", "0", "--batch-window-ms", "100", "--data"])
        .arg(rig.folder.path());
    let redriven = run.arg("--campaigns").arg(campaigns()).output().expect("program runs");

    let said = String::from_utf8_lossy(&redriven.stdout);
    assert!(redriven.status.success(), "{said}{}", String::from_utf8_lossy(&redriven.stderr));
    assert!(!said.contains("contents stored           0"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_and_a_damaged_file_do_not_touch_the_others() {
    let rig = Rig::start(options()).await;
    let files = sample(1_500, 100);
    let expected = watched_last(files.path());
    let damaged = files.path().join("damaged.avro");
    std::fs::write(&damaged, b"Obj\x01 and then nothing that makes sense").expect("is written");
    let record = rig.pipeline.aws.kinesis.put_record().stream_name(STREAM).partition_key("x");
    record.data(Blob::new("not a user record")).send().await.expect("is put");

    rig.process(files.path()).await;

    for user_id in expected.keys() {
        let (_, answer) = rig.look_up(&format!("user_id={user_id}")).await;
        assert!(answer["Item"]["source"].is_null(), "{user_id} has no content");
    }
    assert_eq!(rig.lost(), 0);
    assert_eq!(rig.count(metrics::POISON_RECORDS), 1);
    assert_eq!(rig.count(metrics::OBJECTS_DAMAGED), 1);
    let letters = read_dead_letters(rig.folder.path(), 0, 10).expect("can be read");
    let damaged_key = letters.iter().find_map(|letter| match &letter.input {
        Unprocessed::Object { key, .. } => Some(key.as_str()),
        _ => None,
    });
    assert_eq!(damaged_key, Some("currents-export/0/damaged.avro"));
    let poison = letters.iter().any(|letter| {
        letter.reason == "poison_record" && matches!(letter.input, Unprocessed::StreamRecord { .. })
    });
    assert!(poison, "{letters:?}");
    rig.pipeline.stop().await;
}

/// Writes CustomEvents, one for each user, with a text of so many bytes.
fn large(folder: &std::path::Path, text_bytes: &[usize]) {
    let properties = text_bytes
        .iter()
        .map(|bytes| serde_json::json!({ "show": "S", "season": 1, "episode": 2, "text": "x".repeat(*bytes) }));
    watched(folder, &properties.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_as_large_as_kinesis_takes_get_through() {
    let rig = Rig::start(options()).await;
    let files = tempfile::tempdir().expect("temporary folder");
    large(files.path(), &[60_000; 200]);

    rig.process(files.path()).await;

    assert_eq!(rig.count(metrics::CONTENTS_STORED), 200);
    assert_eq!((rig.lost(), rig.count(metrics::DEAD_LETTERS)), (0, 0));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_too_large_for_the_stream_is_reported_and_the_others_go_on() {
    let rig = Rig::start(options()).await;
    let files = tempfile::tempdir().expect("temporary folder");
    large(files.path(), &[10, 2_000_000, 10]);

    rig.process(files.path()).await;

    assert_eq!(rig.count(metrics::CONTENTS_STORED), 2);
    assert_eq!(rig.count(metrics::EVENTS_TOO_LARGE), 1);
    assert_eq!((rig.lost(), rig.count(metrics::DEAD_LETTERS)), (0, 1));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_before_the_damage_is_delivered() {
    let rig = Rig::start(options()).await;
    let files = sample(1_500, 100);
    let file = currents::input::Input::find(&[files.path().to_owned()]).expect("holds files").files;
    let largest =
        file.iter().max_by_key(|f| std::fs::metadata(&f.path).map(|m| m.len()).unwrap_or(0));
    let whole = std::fs::read(&largest.expect("there is one").path).expect("is read");
    let cut = tempfile::tempdir().expect("temporary folder");
    // Two whole containers' worth of blocks would be needed to cut between blocks, so
    // a second copy of the last block is begun and not finished.
    let mut bytes = whole.clone();
    bytes.extend_from_slice(&whole[whole.len() - 200..whole.len() - 100]);
    std::fs::write(cut.path().join("cut.avro"), bytes).expect("is written");

    rig.process(cut.path()).await;

    let events = rig.count(metrics::EVENTS_READ);
    assert!(events > 0, "the whole blocks are delivered");
    assert_eq!(rig.count(metrics::EVENTS_RECEIVED), events);
    assert_eq!(rig.count(metrics::OBJECTS_DAMAGED), 1);
    assert_eq!(rig.lost(), 0);
    rig.pipeline.stop().await;
}

/// The sample campaign for a model without structured output.
fn tool_campaign() -> tempfile::TempDir {
    changed_campaign(|text| text.replace("\"json-schema\"", "\"tool\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_structured_output_is_asked_through_a_tool() {
    let folder = tool_campaign();
    let rig = Rig::start(Options { campaigns_dir: folder.path().to_owned(), ..options() }).await;
    let files = sample(300, 30);
    let expected = watched_last(files.path());

    rig.process(files.path()).await;

    let (user_id, _) = expected.first_key_value().expect("somebody watched");
    let (_, answer) = rig.look_up(&format!("user_id={user_id}")).await;
    assert!(answer["Item"]["source"].is_null());
    assert_eq!(rig.lost(), 0);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_the_schema_is_asked_for_once_more() {
    let folder = tool_campaign();
    let stops = [None, Some("max_tokens"), Some("malformed_model_output")];
    let cases = [crate::rig::campaigns(), folder.path().to_owned()]
        .into_iter()
        .flat_map(|campaigns_dir| stops.map(|stop_reason| (campaigns_dir.clone(), stop_reason)));
    for (campaigns_dir, stop_reason) in cases {
        let unusable = Behaviour { unusable: Unusable::First, stop_reason, ..behaviour() };
        let bedrock = Model::StandIn(unusable);
        let rig = Rig::start(Options { campaigns_dir, bedrock, ..options() }).await;
        let files = sample(100, 10);

        rig.process(files.path()).await;

        let corrections = rig.count(metrics::CORRECTIONS);
        assert!(corrections > 0, "{stop_reason:?}: every first answer is unusable");
        assert_eq!(rig.count(metrics::GENERATIONS), corrections * 2, "{stop_reason:?}");
        assert_eq!(rig.count(metrics::CONTENTS_STORED), corrections, "{stop_reason:?}");
        assert_eq!((rig.lost(), rig.count(metrics::DEAD_LETTERS)), (0, 0), "{stop_reason:?}");
        rig.pipeline.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stays_unusable_is_given_up_by_its_reason() {
    let cases = [
        (None, "bad_answer", 2),
        (Some("max_tokens"), "answer_too_long", 2),
        (Some("malformed_tool_use"), "answer_malformed", 2),
        (Some("guardrail_intervened"), "guardrail_intervened", 1),
        (Some("content_filtered"), "content_filtered", 1),
        (Some("model_context_window_exceeded"), "prompt_too_long", 1),
        (Some("refusal"), "answer_refused", 1),
    ];
    for (stop_reason, reason, calls) in cases {
        let unusable = Behaviour { unusable: Unusable::All, stop_reason, ..behaviour() };
        let rig = Rig::start(Options { bedrock: Model::StandIn(unusable), ..options() }).await;
        let files = sample(100, 10);

        rig.process(files.path()).await;

        let letters = read_dead_letters(rig.folder.path(), 0, 100).expect("can be read");
        assert!(!letters.is_empty(), "{reason}");
        assert!(letters.iter().all(|letter| letter.reason == reason), "{letters:?}");
        let given_up = letters.len() as u64;
        assert_eq!(rig.count(metrics::GENERATIONS), given_up * calls, "{reason}");
        assert_eq!((rig.lost(), rig.count(metrics::CONTENTS_STORED)), (0, 0), "{reason}");
        rig.pipeline.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardrail_stops_an_answer_in_whichever_way_it_is_asked_for() {
    let guarded = "\n[guardrail]\nid = \"g1\"\nversion = \"1\"\n\n[trigger]";
    let schema = changed_campaign(|text| text.replace("\n[trigger]", guarded));
    let tool = changed_campaign(|text| {
        text.replace("\n[trigger]", guarded).replace("\"json-schema\"", "\"tool\"")
    });
    for (folder, is_asked_by_itself) in [(&schema, false), (&tool, true)] {
        for (forbidden, is_stopped) in [(Some("[stand-in]"), true), (Some("nothing says"), false)] {
            let bedrock = Model::StandIn(Behaviour { forbidden, ..behaviour() });
            let campaigns_dir = folder.path().to_owned();
            let rig = Rig::start(Options { campaigns_dir, bedrock, ..options() }).await;
            let files = sample(100, 10);

            rig.process(files.path()).await;

            let letters = read_dead_letters(rig.folder.path(), 0, 100).expect("can be read");
            let stored = rig.count(metrics::CONTENTS_STORED);
            assert_eq!((letters.is_empty(), stored == 0), (!is_stopped, is_stopped));
            assert!(letters.iter().all(|letter| letter.reason == "guardrail_intervened"));
            let stand_in = rig.pipeline.stand_in.as_ref().expect("a stand-in is used");
            assert_eq!(stand_in.guarded() > 0, is_asked_by_itself);
            assert_eq!(rig.lost(), 0);
            rig.pipeline.stop().await;
        }
    }
}
