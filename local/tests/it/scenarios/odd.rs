//! Answers with a good status that are not what was asked for.

use local::bedrock::scenario::{Rule, Scenario};

use super::{FORMS, Form, Run, campaign, doing, struck};

/// Answers that hold the content all the same.
const READABLE: [Scenario; 11] = [
    Scenario::Fenced,
    Scenario::ReasoningFirst,
    Scenario::TextAndTool,
    Scenario::TwoTools,
    Scenario::CacheUsage,
    Scenario::UsageMissing,
    Scenario::Entities,
    Scenario::Markup,
    Scenario::TurnedTexts,
    Scenario::ControlCharacters,
    Scenario::Liquid,
];

/// Answers that hold none, and the reasons for which they may be given up.
const USELESS: [(Scenario, &[&str]); 10] = [
    (Scenario::MaxTokens, &["answer_too_long"]),
    (Scenario::InputText, &["bad_answer"]),
    (Scenario::InputArray, &["bad_answer"]),
    (Scenario::InputNull, &["bad_answer"]),
    (Scenario::InputEmpty, &["bad_answer"]),
    (Scenario::ContentEmpty, &["bad_answer"]),
    (Scenario::MessageNull, &["bad_answer", "answer_unreadable"]),
    (Scenario::BlankTexts, &["bad_answer"]),
    (Scenario::LongTexts, &["bad_answer"]),
    (Scenario::SurrogateTexts, &["bad_answer", "answer_unreadable"]),
];

/// The same of texts that are no tool's input.
const USELESS_TEXTS: [(Scenario, &[&str]); 2] =
    [(Scenario::Prose, &["bad_answer"]), (Scenario::TextEmpty, &["bad_answer"])];

fn useless(form: Form) -> Vec<(Scenario, &'static [&'static str])> {
    let texts = if form == Form::JsonSchema { &USELESS_TEXTS[..] } else { &[] };
    USELESS.iter().chain(texts).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_in_an_odd_shape_is_content_and_safe() {
    for form in FORMS {
        let run = Run::over(&READABLE, campaign(form, ""), doing(struck(&READABLE))).await;

        run.reconcile().await;
        assert!(run.letters.is_empty(), "{form:?}: {:?}", run.letters);
        for scenario in READABLE {
            assert!(run.content(scenario).await.is_some(), "{form:?} {scenario:?}");
            assert_eq!(run.stand_in().struck(scenario), 1, "{form:?} {scenario:?}");
        }
        let texts = async |scenario| {
            let content = run.content(scenario).await.expect("is served");
            let text = |name: &str| content[name].as_str().expect("is text").to_owned();
            (text("emailTitle"), text("heading"))
        };
        let (subject, heading) = texts(Scenario::Entities).await;
        assert_eq!(subject, "[stand-in] Tom & Jerry '26");
        assert_eq!(heading, "[stand-in] Tom &amp; Jerry &#39;26");
        let (subject, heading) = texts(Scenario::Markup).await;
        assert_eq!(subject, "[stand-in] <b>Tom</b> & \"Jerry\"");
        assert_eq!(heading, "[stand-in] &lt;b&gt;Tom&lt;/b&gt; &amp; &quot;Jerry&quot;");
        let (subject, heading) = texts(Scenario::Liquid).await;
        for delimiter in ["{{", "}}", "{%", "%}"] {
            assert!(!subject.contains(delimiter) && !heading.contains(delimiter), "{subject}");
        }
        let (subject, heading) = texts(Scenario::TurnedTexts).await;
        assert_eq!(
            (subject.as_str(), heading.as_str()),
            ("[stand-in] drawkcab", "[stand-in] drawkcab")
        );
        let (subject, heading) = texts(Scenario::ControlCharacters).await;
        assert_eq!((subject.as_str(), heading.as_str()), ("[stand-in] a b c", "[stand-in] a b c"));
        run.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_input_is_charged_at_its_price() {
    let run = Run::over(&[], campaign(Form::JsonSchema, ""), {
        doing(vec![Rule::from(Scenario::CacheUsage)])
    })
    .await;

    run.reconcile().await;
    let billed = run.stand_in().billed();
    // Of each call 1,000 tokens were written at one and a quarter, and 4,000 read at a tenth.
    assert_eq!(run.spent().await, billed.tokens + billed.calls * (1_250 + 400));
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_content_is_corrected_by_a_request_that_every_model_takes() {
    for form in FORMS {
        let scenarios: Vec<Scenario> =
            useless(form).into_iter().map(|(scenario, _)| scenario).collect();
        let rules = struck(&scenarios).into_iter().map(|rule| Rule { first: true, ..rule });
        let run = Run::over(&scenarios, campaign(form, ""), doing(rules.collect())).await;

        run.reconcile().await;
        assert!(run.letters.is_empty(), "{form:?}: {:?}", run.letters);
        for scenario in scenarios {
            assert!(run.content(scenario).await.is_some(), "{form:?} {scenario:?}");
            assert_eq!(run.stand_in().struck(scenario), 1, "{form:?} {scenario:?}");
        }
        run.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stays_without_content_is_given_up_after_two_calls() {
    for form in FORMS {
        let useless = useless(form);
        let scenarios: Vec<Scenario> = useless.iter().map(|(scenario, _)| *scenario).collect();
        let run = Run::over(&scenarios, campaign(form, ""), doing(struck(&scenarios))).await;

        run.reconcile().await;
        run.others_are_served().await;
        for (scenario, reasons) in useless {
            let letter =
                run.letter(scenario).unwrap_or_else(|| panic!("{form:?} {scenario:?} is content"));
            let told = format!("{form:?} {scenario:?} {} {}", letter.reason, letter.detail);
            assert!(reasons.contains(&letter.reason.as_str()), "{told}");
            assert_eq!(run.stand_in().struck(scenario), 2, "{told}");
        }
        run.stop().await;
    }
}
