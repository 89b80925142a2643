//! Templates and values that nobody would write, made of those that somebody did.

use dialect::conformance::SNIPPETS;
use dialect::{Limits, Object, Scene, Template, Value, json};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

/// Pieces that upset parsers.
const PIECES: [&str; 40] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{%-",
    "-%}",
    "${",
    "}",
    "|",
    ":",
    ",",
    ".",
    "[",
    "]",
    "(1..9)",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\t",
    "é",
    "日本",
    "👩\u{200d}🚀",
    "\u{202e}",
    "\0",
    "-9223372036854775808",
    "99999999999999999",
    "1e400",
    " raw ",
    " endraw ",
    " comment ",
    " endcomment ",
    " liquid ",
    " if ",
    " endif ",
    " for a in b ",
    " nil",
    "emptyé",
    "%9999d",
    "${日本 x}",
];

/// Values that upset filters.
fn values() -> [serde_json::Value; 14] {
    [
        json!(null),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.0),
        json!(""),
        json!("-9223372036854775808"),
        json!("日本é👩\u{200d}🚀\u{202e}"),
        json!("99999-99-99T99:99:99+99:99"),
        json!("é+:1"),
        json!([[], [[{ "a": [] }]], null]),
        json!({ "a": { "a": null }, "": "" }),
        json!({ "\u{1}time": "x", "y": "\u{1}unknown" }),
    ]
}

fn changed(text: &str, random: &mut StdRng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..=chars.len());
        match random.random_range(0..3) {
            0 => drop(chars.splice(at..at, PIECES[random.random_range(0..PIECES.len())].chars())),
            1 => drop(chars.drain(at..(at + random.random_range(0..5)).min(chars.len()))),
            _ if at < chars.len() => chars[at] = '\'',
            _ => {}
        }
    }
    chars.into_iter().collect()
}

fn tried(text: &str, given: &Object) {
    let Ok(template) = Template::parse(text) else { return };
    let limits = Limits { max_bytes: 64 * 1_024, max_steps: 20_000 };
    for now in [Some(0), Some(i64::MAX), None] {
        let scene = Scene {
            given,
            now,
            limits,
            calls: None,
            catalogs: None,
            known_groups: &[],
            inert: None,
        };
        if let Ok(rendered) = template.render(&scene) {
            assert!(rendered.len() <= limits.max_bytes, "{text}");
        }
        // Whatever they say: that they come to an end is what counts.
        let _ = (template.preview(&scene), template.explore(&scene));
    }
}

#[test]
fn no_template_and_no_value_upsets_the_program() {
    let snippets: Vec<serde_json::Value> = serde_json::from_str(SNIPPETS).expect("is JSON");
    let mut random = StdRng::seed_from_u64(1);
    for round in 0..4 {
        for snippet in &snippets {
            let text = snippet["snippet"].as_str().expect("is text");
            let mut given = match json::value(&snippet["values"]) {
                Value::Object(given) => given,
                _ => Object::new(),
            };
            if round > 0 {
                let values = values();
                for (_, value) in given.iter_mut() {
                    *value = json::value(&values[random.random_range(0..values.len())]);
                }
            }
            tried(&changed(text, &mut random), &given);
        }
    }
}

#[test]
fn every_filter_takes_every_value() {
    let numbers =
        ["", ": -1", ": 0", ": x", ": x, x", ": 'é'", ": -9223372036854775807, 99999999999999999"];
    for value in values() {
        let given = Object::from_iter([("x".into(), json::value(&value))]);
        for filter in dialect::conformance::filter_names() {
            for arguments in numbers {
                tried(&format!("{{{{ x | {filter}{arguments} }}}}"), &given);
            }
        }
    }
}

#[test]
fn what_explodes_comes_to_an_end() {
    let deep_brackets = format!("{{{{ {}a{} }}}}", "a[".repeat(5_000), "]".repeat(5_000));
    let blanks = format!("{{{{ a }}}}{}{{{{- a }}}}", " ".repeat(200_000));
    let unclosed = "{{ a ".repeat(20_000);
    let ifs = "{% if a %}".repeat(20_000);
    let comments = "{% comment %}".repeat(10_000);
    let raws = "{% raw %}".repeat(10_000);
    let strings = "'a".repeat(40_000);
    let ranges =
        "{% for a in (-9223372036854775807..9223372036854775807) limit: 3 %}{{ a }}{% endfor %}"
            .to_owned();
    let last =
        "{% for a in (9223372036854775806..9223372036854775807) %}{{ a }} {% endfor %}".to_owned();
    let sorted = "{% assign a = 'x,' %}{% for n in (1..14) %}{% assign a = a | append: a %}{% endfor %}\
                  {% assign l = a | split: ',' %}{% for n in (1..99) %}{% assign m = l | sort | uniq | concat: l %}{% endfor %}"
        .to_owned();
    let ands = format!("{{% if {} true %}}a{{% endif %}}", "true and ".repeat(20_000));
    let liquids = format!("{{% {} %}}", "liquid ".repeat(20_000));
    let no_tag = "{%}a{%-%}{{}}".to_owned();
    let compared =
        "{% assign l = 'x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x' | split: ',' %}{% for n in (1..9) %}\
                    {% assign l = l | concat: l %}{% endfor %}{% for n in (1..20000) %}\
                    {% if l == l %}{% endif %}{% endfor %}"
            .to_owned();
    let offsets = "{% for n in (1..9) offset: 999999999999999999 %}{% endfor %}".to_owned();
    let given = Object::from_iter([("a".into(), Value::scalar("é"))]);
    let rendered = |text: &str| {
        let limits = Limits::PROMPT;
        let scene = Scene {
            given: &given,
            now: None,
            limits,
            calls: None,
            catalogs: None,
            known_groups: &[],
            inert: None,
        };
        Template::parse(text).map(|template| template.render(&scene))
    };
    assert!(Template::parse(&last).is_err(), "no number has so many digits");
    assert_eq!(rendered("{% for n in (1..2) %}{{ n }} {% endfor %}"), Ok(Ok("1 2 ".to_owned())));
    assert_eq!(rendered(&sorted), Ok(Err(dialect::NotRendered::Steps)));
    assert_eq!(rendered(&compared), Ok(Err(dialect::NotRendered::Steps)));
    for text in [
        ands,
        liquids,
        no_tag,
        offsets,
        compared.clone(),
        deep_brackets,
        blanks,
        unclosed,
        ifs,
        comments,
        raws,
        strings,
        ranges,
        last,
        sorted,
    ] {
        tried(&text, &given);
    }
}

#[test]
fn a_list_of_anything_is_sorted() {
    let mut random = StdRng::seed_from_u64(3);
    for _ in 0..300 {
        let mut any = || match random.random_range(0..7) {
            0 => json!(random.random_range(-99..99)),
            1 => json!(f64::from(random.random_range(-99..99)) / 8.0),
            2 => json!(random.random_range(-99..99).to_string()),
            3 => json!(null),
            4 => json!(random.random_range(0..2) == 0),
            5 => json!([random.random_range(-99..99)]),
            _ => json!({ "a": random.random_range(-99..99) }),
        };
        let list: Vec<serde_json::Value> = (0..60).map(|_| any()).collect();
        let given = Object::from_iter([("l".into(), json::value(&json!(list)))]);
        let template = Template::parse(
            "{{ l | sort | size }}{{ l | sort: 'a' | size }}{{ l | sort_natural | size }}",
        );
        let limits = Limits::PROMPT;
        let scene = Scene {
            given: &given,
            now: None,
            limits,
            calls: None,
            catalogs: None,
            known_groups: &[],
            inert: None,
        };

        let sizes = template.expect("is right").render(&scene).expect("renders");

        // Lists in the list are laid out, and what is nothing is left out of a list.
        let size = sizes[..sizes.len() / 3].parse::<usize>().expect("is a number");
        assert_eq!(sizes, size.to_string().repeat(3));
        assert!((40..=60).contains(&size), "{sizes}");
    }
}
