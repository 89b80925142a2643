//! What is right and wrong in the settings of rules.

use super::super::tests::said;
use crate::config::toml::read;

/// Settings that a campaign needs, with these above the tables and these as tables.
pub(crate) fn file(above: &str, tables: &str) -> String {
    format!(
        "model_id = \"us.anthropic.claude\"\nmax_tokens = 400\nttl_days = 7\nfields = [\"name\"]\n{above}\n[trigger]\nevent_types = [\"a.B\"]\n{tables}"
    )
}

#[test]
fn rules_are_read_with_their_lines_and_names() {
    let text = file(
        "forbidden = [\"cheap\",\n\"risk-free\"]\nlinks = [\"https://a.example/\"]\ngrounded = [\"intro\"]",
        "[[checks]]\nwhen = 'answer.a == event.name'\nsay = \"name it\"\n[[checks]]\nname = \"short\"\nwhen = 'size(answer.a) < 9'\nsay = \"be short\"\n",
    );

    assert_eq!(said(&text), "");
    let rules = read(&text).0.expect("is right").rules;
    let names: Vec<(&str, usize)> =
        rules.checks.iter().map(|check| (check.name.as_str(), check.when.line)).collect();
    assert_eq!(names, [("check-1", 12), ("short", 16)]);
    let words: Vec<(&str, usize)> =
        rules.forbidden.iter().map(|word| (word.text.as_str(), word.line)).collect();
    assert_eq!(words, [("cheap", 5), ("risk-free", 6)]);
}

#[test]
fn what_is_wrong_with_a_rule_is_told_with_its_line() {
    for (above, tables, expected) in [
        ("", "[[checks]]\nsay = \"a\"\n", "8: when is missing: write what an answer must fulfil\n"),
        ("", "[[checks]]\nwhen = 'answer.a'\n", "8: say is missing\n"),
        ("", "[[checks]]\nwhen = 'answer.a'\nsay = \" \"\n", "10: say is what the model is told"),
        (
            "",
            "[checks]\nwhen = 'answer.a'\nsay = \"a\"\n",
            "8: checks is a list of tables: write [[checks]]",
        ),
        (
            "",
            "[[checks]]\nname = \"links\"\nwhen = 'answer.a'\nsay = \"a\"\n",
            "9: checks: \"links\" is no name of a check",
        ),
        (
            "",
            "[[checks]]\nname = \"a\"\nwhen = 'answer.a'\nsay = \"a\"\n[[checks]]\nname = \"a\"\nwhen = 'answer.a'\nsay = \"a\"\n",
            "13: checks: two are called \"a\"",
        ),
        (
            "",
            "[[checks]]\nwhn = 'answer.a'\nsay = \"a\"\n",
            "9: unknown setting \"whn\": did you mean when?",
        ),
        ("forbidden = \"cheap\"", "", "5: forbidden must be a list of texts: write [\"cheap\"]"),
        ("forbidden = [\"!!\"]", "", "5: forbidden: \"!!\" holds no letter"),
        (
            "forbidden = [\"cheap*\"]",
            "",
            "5: forbidden: \"cheap*\" is no word: there are no patterns",
        ),
        (
            "links = [\"shop.example.com\"]",
            "",
            "5: links: \"shop.example.com\" is no address: write \"https://shop.example.com/\"",
        ),
        (
            "links = [\"http://shop.example.com/\"]",
            "",
            "5: links: \"http://shop.example.com/\" is not https: write \"https://shop.example.com/\"",
        ),
        (
            "links = [\"https://*.example.com/\"]",
            "",
            "5: links: \"https://*.example.com/\" has a pattern",
        ),
        (
            "links = [\"https://a@example.com/\"]",
            "",
            "5: links: \"https://a@example.com/\" has a user",
        ),
        ("links = [\"https://\"]", "", "5: links: \"https://\" is no address"),
    ] {
        let told = said(&file(above, tables));
        assert!(told.starts_with(expected), "{above}{tables}: {told}");
    }
}
