//! Calls that fail: for one prompt always, for a while, or because all call at once.

use contract::ask::Reason;
use contract::metrics;
use local::bedrock::scenario::{Rule, Scenario};
use local::pipeline::{Model, Options};
use processor::answers::MAX_FAILED_CALLS;

use super::{Form, OTHERS, Run, campaign, doing, struck};
use crate::rig::{Rig, options};

const FAILING: [(Scenario, &str); 3] = [
    (Scenario::ModelError, "ModelErrorException"),
    (Scenario::InternalError, "InternalServerException"),
    (Scenario::Proxy403, "status 403 with text/html"),
];

/// One prompt for each of these fails always; it is given up with these words, or still waits,
/// longer each time, where the run does not wait for it.
async fn is_given_up_soon(failing: &[(Scenario, &str)]) {
    let scenarios: Vec<Scenario> = failing.iter().map(|(scenario, _)| *scenario).collect();
    let rules = doing(struck(&scenarios));

    let run = Run::over(&scenarios, campaign(Form::JsonSchema, ""), rules).await;

    run.reconcile().await;
    run.others_are_served().await;
    for (scenario, words) in failing {
        let calls = run.stand_in().struck(*scenario);
        // While nobody else is answered, some calls blame no prompt.
        assert!(calls <= 2 * u64::from(MAX_FAILED_CALLS), "{scenario:?}: {calls} calls");
        let Some(letter) = run.letter(*scenario) else {
            assert!(run.waiting(Reason::Outage) > 0, "{scenario:?}");
            continue;
        };
        let told = format!("{scenario:?} {} {}", letter.reason, letter.detail);
        assert!(["model_failed", "answer_unreadable"].contains(&letter.reason.as_str()), "{told}");
        assert!(letter.detail.contains(words), "{told}");
        assert!(!letter.detail.contains("standing instructions"), "{told}");
    }
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_always_fails_costs_a_named_number_of_calls_and_harms_nobody() {
    is_given_up_soon(&FAILING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_whose_answer_always_breaks_off_was_sent_and_is_given_up() {
    is_given_up_soon(&[(Scenario::BodyBroken, ""), (Scenario::NoAnswer, "")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_slower_than_the_limit_is_paid_for_a_few_times_and_given_up_by_its_reason() {
    let slow = [Scenario::Slow];
    let campaign = campaign(Form::JsonSchema, "timeout_seconds = 1");

    let run = Run::over(&slow, campaign, doing(struck(&slow))).await;

    run.reconcile().await;
    run.others_are_served().await;
    let letter = run.letter(Scenario::Slow).expect("is given up");
    assert_eq!(letter.reason, "answer_too_slow", "{}", letter.detail);
    assert!(letter.detail.contains("timeout_seconds"), "{}", letter.detail);
    // What nobody waited for was paid for too.
    let calls = run.stand_in().billed().calls - OTHERS as u64;
    assert!(calls <= 3, "{calls} calls");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_slows_all_calls_down_and_ends_with_everybodys_content() {
    for scenario in [
        Scenario::TooManyConnections,
        Scenario::Busy,
        Scenario::Overloaded,
        Scenario::ThrottleBursts,
    ] {
        let rules = doing(vec![Rule::from(scenario)]);

        let run = Run::over(&[], campaign(Form::JsonSchema, ""), rules).await;

        run.reconcile().await;
        run.others_are_served().await;
        assert!(run.letters.is_empty(), "{scenario:?}: {:?}", run.letters);
        assert!(run.rig.count(metrics::THROTTLES) > 0, "{scenario:?} refused nothing");
        let calls = run.stand_in().calls();
        assert!(calls <= 8 * OTHERS as u64, "{scenario:?}: {calls} calls");
        assert_eq!(run.stand_in().billed().calls, OTHERS as u64, "{scenario:?}");
        run.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_passes_is_tried_again() {
    let rules = doing(vec![Rule::from(Scenario::GrammarTimeout)]);

    let run = Run::over(&[], campaign(Form::JsonSchema, ""), rules).await;

    run.reconcile().await;
    run.others_are_served().await;
    assert!(run.letters.is_empty(), "{:?}", run.letters);
    assert_eq!(run.stand_in().calls(), OTHERS as u64 + 3);
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_is_being_set_up_is_waited_for_without_a_letter() {
    let rules = doing(vec![Rule::from(Scenario::AccessPending)]);

    let run = Run::over(&[], campaign(Form::JsonSchema, ""), rules).await;

    run.reconcile().await;
    assert!(run.letters.is_empty(), "{:?}", run.letters);
    assert!(run.waiting(Reason::Halted) > 0);
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_next_day_or_for_new_credentials_is_parked_and_asks_little() {
    for (scenario, reason) in
        [(Scenario::DailyQuota, Reason::DayQuota), (Scenario::CredentialsExpired, Reason::Halted)]
    {
        let campaigns = campaign(Form::JsonSchema, "");
        let rig = Rig::start(Options {
            campaigns_dir: campaigns.path().to_owned(),
            bedrock: Model::StandIn(doing(vec![Rule::from(scenario)])),
            ..options()
        })
        .await;
        let files = crate::rig::sample(100, 10);

        rig.process(files.path()).await;

        assert_eq!(rig.lost(), 0, "{scenario:?}");
        let letters = local::aws::read_dead_letters(rig.folder.path(), 0, 100).expect("are read");
        assert!(letters.is_empty(), "{scenario:?}: {letters:?}");
        let waits = rig.pipeline.parked.waits();
        assert!(waits.asks > 0, "{scenario:?}");
        assert_eq!(waits.asks, rig.count(metrics::ASKS_PARKED) - rig.counts().asks_over());
        // Whoever sends the ask of a repeat again does not know why the first waits.
        let reasons = [reason, Reason::Quota];
        assert!(waits.groups.iter().all(|group| reasons.contains(&group.reason)), "{waits:?}");
        let stand_in = rig.pipeline.stand_in.as_ref().expect("a stand-in is used");
        assert_eq!(stand_in.billed().calls, 0);
        assert!(stand_in.calls() <= 20, "{scenario:?}: {} calls", stand_in.calls());
        rig.pipeline.stop().await;
    }
}
