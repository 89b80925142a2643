//! What a rendering takes, beside the liquid crate as it comes; written to
//! `target/bench/liquid.json`.
//!
//! The template is the sample campaign's prompt over one event. Both render over values that
//! are made beforehand, in turns on one core.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::disallowed_types, reason = "what is measured is real time")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dialect::{Limits, Object, Scene, Template, Value, json};
use serde_json::json;

const PROMPT: &str = include_str!("../../campaign/tests/campaigns/new-episode/prompt.liquid");

/// Renderings of a turn, and turns of each; the fastest counts.
const RENDERINGS: u32 = 20_000;
const TURNS: usize = 15;

fn main() {
    let event = json!({
        "time": 1_764_000_000, "type": "users.behaviors.CustomEvent",
        "properties": { "show": "Harbour Lights", "season": 2, "episode": 7, "language": "de" },
    });
    let given = match json::value(&json!({ "events": [event] })) {
        Value::Object(given) => given,
        _ => Object::new(),
    };
    let ours = Template::parse(PROMPT).expect("is right");
    let parser = liquid::ParserBuilder::with_stdlib().build().expect("is built");
    let theirs = parser.parse(PROMPT).expect("is right");
    let scene = Scene {
        given: &given,
        now: None,
        limits: Limits::PROMPT,
        calls: None,
        catalogs: None,
        known_groups: &[],
        inert: None,
    };
    let by_us = || ours.render(&scene).expect("renders");
    let by_them = || theirs.render(&given).expect("renders");
    assert_eq!(by_us(), by_them(), "both render the same");

    let (mut us, mut them) = (f64::MAX, f64::MAX);
    for _ in 0..TURNS {
        us = us.min(micros(by_us));
        them = them.min(micros(by_them));
    }
    let report = json!({ "micros": us, "micros_liquid_crate": them, "ratio": us / them });
    println!("{report:#}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&path).expect("is created");
    fs::write(path.join("liquid.json"), report.to_string()).expect("is written");
}

fn micros(render: impl Fn() -> String) -> f64 {
    let start = Instant::now();
    for _ in 0..RENDERINGS {
        black_box(render());
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(RENDERINGS)
}
