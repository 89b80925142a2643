//! What becomes of answers that break a rule of their campaign.

use contract::metrics::{self, Fate};

use crate::world::{World, campaigns_in, event, user_record};

#[tokio::test(start_paused = true)]
async fn an_answer_against_a_rule_is_corrected_once_and_then_given_up_unquoted() {
    let world = World::of(campaigns_in("tests/ruled"));
    let record = |user: &str, show: &str| {
        user_record(user, "watched", vec![event("e", 1_000, show)]).encode()
    };

    let report = world.deliver(&[record("u", "a cheap trick"), record("v", "a cheapskate")]).await;

    // The model says what the prompt says, the second time too.
    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 1);
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    assert_eq!(report.counts.get(metrics::CORRECTIONS), 1);
    assert_eq!(report.counts.get(metrics::ANSWERS_AGAINST_RULES), 2);
    let letters = world.letters();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(letter.reason, "answer_against_rules");
    assert_eq!(letter.detail, "answer breaks rules of its campaign: forbidden at \"/heading\"");
}
