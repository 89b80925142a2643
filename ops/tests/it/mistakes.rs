//! What authors mistype in templates, and what `campaigns check` says of it.

use std::fs;

use crate::commands::{copy_campaign, ops, stderr, text};

/// File, template, line and words of what is said.
const MISTAKES: [(&str, &str, usize, &str); 26] = [
    ("prompt", "{{ events.last.properties.shwo }}", 1, "has no shwo: did you mean show?"),
    ("prompt", "\n{{ event.last.properties.show }}", 2, "there is no event: did you mean events?"),
    (
        "prompt",
        "{{ events.last.properties.card_number }}",
        1,
        "add the field to fields in campaign.toml",
    ),
    (
        "prompt",
        "{{ events.last.properties.show | upcas }}",
        1,
        "unknown filter upcas: did you mean upcase?",
    ),
    (
        "prompt",
        "{{ events.last.properties.show | lstrip }}",
        1,
        "which Braze does not have: use strip",
    ),
    (
        "prompt",
        "{{ events.last.properties.show | replace }}",
        1,
        "the filter replace takes 1 to 2 arguments, and has 0",
    ),
    (
        "prompt",
        "{{ events.last.properties.show | | upcase }}",
        1,
        "has a | without a filter behind it",
    ),
    ("prompt", "{% if true %}\na\n{% if true %}b{% endif %}", 1, "{% if %} has no {% endif %}"),
    (
        "prompt",
        "{% for e in events %}\n{% if true %}\n{% endfor %}",
        3,
        "stands where {% endif %} must end line 2",
    ),
    ("prompt", "{% endif %}", 1, "{% endif %} ends nothing"),
    (
        "prompt",
        "{% if true %}a{% else if false %}b{% endif %}",
        1,
        "else takes no condition: write elsif",
    ),
    (
        "prompt",
        "{% if true %}a{% elseif false %}b{% endif %}",
        1,
        "unknown tag elseif: did you mean elsif?",
    ),
    ("prompt", "a\n{% if events.size = 1 %}b{% endif %}", 2, "write == to compare"),
    ("prompt", "{% if events.size == 1 && true %}b{% endif %}", 1, "write and"),
    ("prompt", "{% if (events.size == 1) or true %}b{% endif %}", 1, "there are no parentheses"),
    (
        "prompt",
        "{% if events | size > 1 %}b{% endif %}",
        1,
        "a condition has no filters: assign the value first",
    ),
    ("prompt", "{% assign x = 1 + 2 %}", 1, "use the filters plus, times, divided_by"),
    ("prompt", "{% assign x 1 %}", 1, "assign is written {% assign name = value %}"),
    ("prompt", "{{ \"abc }}", 1, "a text without a closing \""),
    ("prompt", "{{ “abc” }}", 1, "a curly quote “: write a straight one"),
    ("prompt", "\n{{ events.last.properties.show ", 2, "{{ has no }} that closes it"),
    ("prompt", "{% for e of events %}{% endfor %}", 1, "for is written {% for item in list %}"),
    ("prompt", "{{ events.last.properties }}", 1, "prints a whole object: name one of"),
    ("prompt", "Hi {{ ${first_name} }}", 1, "add the attribute to attributes in campaign.toml"),
    ("system", "Hi {{ events.last.properties.show }}", 1, "instructions see no event"),
    (
        "message",
        "\n{% connected_content https://a/ :svae r %}",
        2,
        "no option :svae: did you mean :save?",
    ),
];

#[test]
fn what_authors_mistype_is_told_with_its_line_in_words_that_help() {
    for (file, template, line, words) in MISTAKES {
        let folder = tempfile::tempdir().expect("temporary folder");
        let campaign = folder.path().join("offer");
        copy_campaign(&campaign);
        fs::write(campaign.join(format!("{file}.liquid")), template).expect("is written");

        let output = ops(&["campaigns", "check", "--campaigns", text(folder.path())]);

        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{template}: {said}");
        let place = format!("{file}.liquid:{line}: ");
        let told = said.lines().any(|told| told.contains(&place) && told.contains(words));
        assert!(told, "{template}: {place}{words}\n{said}");
    }
}

#[test]
fn all_mistakes_of_a_template_are_told_at_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("offer");
    copy_campaign(&campaign);
    let template = "{% if %}\n{{ a | nosuch }}\n{{ 'b }}\n{% endfro %}";
    fs::write(campaign.join("prompt.liquid"), template).expect("is written");

    let said = stderr(&ops(&["campaigns", "check", "--campaigns", text(folder.path())]));

    for line in 1..=4 {
        assert!(said.contains(&format!("prompt.liquid:{line}: ")), "{line}: {said}");
    }
}
