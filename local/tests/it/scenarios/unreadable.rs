//! A good status with something that nobody can read: it was paid for.

use local::bedrock::scenario::{Rule, Scenario};

use super::{FORMS, Run, campaign, doing, struck};

const UNREADABLE: [Scenario; 6] = [
    Scenario::LoneSurrogate,
    Scenario::HtmlPage,
    Scenario::BodyCut,
    Scenario::BodyEmpty,
    Scenario::ErrorBody,
    Scenario::WrongTypes,
];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_charged_asked_for_once_more_and_given_up_with_what_came() {
    for form in FORMS {
        let run = Run::over(&UNREADABLE, campaign(form, ""), doing(struck(&UNREADABLE))).await;

        run.reconcile().await;
        run.others_are_served().await;
        for scenario in UNREADABLE {
            let letter =
                run.letter(scenario).unwrap_or_else(|| panic!("{form:?} {scenario:?} is content"));
            let told = format!("{form:?} {scenario:?} {} {}", letter.reason, letter.detail);
            assert_eq!(letter.reason, "answer_unreadable", "{told}");
            assert_eq!(run.stand_in().struck(scenario), 2, "{told}");
        }
        let page = &run.letter(Scenario::HtmlPage).expect("is given up").detail;
        assert!(page.contains("text/html"), "{page}");
        run.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_once_is_content_after_all() {
    for form in FORMS {
        let rules = struck(&UNREADABLE).into_iter().map(|rule| Rule { first: true, ..rule });
        let run = Run::over(&UNREADABLE, campaign(form, ""), doing(rules.collect())).await;

        run.reconcile().await;
        assert!(run.letters.is_empty(), "{form:?}: {:?}", run.letters);
        for scenario in UNREADABLE {
            assert!(run.content(scenario).await.is_some(), "{form:?} {scenario:?}");
            assert_eq!(run.stand_in().struck(scenario), 1, "{form:?} {scenario:?}");
        }
        run.stop().await;
    }
}
