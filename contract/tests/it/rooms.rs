//! Which room knows of which: the direct dependencies between the rooms, and what none of
//! them may reach in any way.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// A room, the rooms that it builds on, and what must not be among all its dependencies.
type Room = (&'static str, &'static [&'static str], &'static [&'static str]);

const EMULATORS: [&str; 4] = ["dynoxide-rs", "ferrokinesis", "s3s", "local"];

const ROOMS: [Room; 15] = [
    ("contract", &[], &["aws-", "tokio", "toml", "hyper"]),
    ("program", &["contract"], &["aws-sdk-dynamodb", "aws-sdk-s3"]),
    ("dialect", &["contract"], &["aws-", "tokio", "hyper", "campaign"]),
    ("campaign", &["contract", "dialect"], &["aws-", "tokio", "hyper"]),
    (
        "catalog",
        &["contract", "program"],
        &["campaign", "currents", "aws-sdk-s3", "lambda_runtime", "dynoxide-rs"],
    ),
    ("currents", &["contract"], &["aws-", "tokio", "hyper"]),
    ("quota", &["contract", "program"], &["aws-sdk-bedrockruntime", "campaign", "dynoxide-rs"]),
    ("registry", &["contract", "program"], &["campaign", "lambda_runtime", "dynoxide-rs"]),
    (
        "ingest",
        &["campaign", "catalog", "contract", "currents", "program", "registry"],
        &["aws-sdk-bedrockruntime", "apache-avro", "quota"],
    ),
    (
        "processor",
        &["campaign", "catalog", "contract", "program", "quota", "registry"],
        &["axum", "lambda_http", "currents", "aws-sdk-kinesis"],
    ),
    (
        "api",
        &["campaign", "contract", "program", "registry"],
        &["aws-sdk-kinesis", "currents", "quota"],
    ),
    ("bill", &["contract"], &["aws-", "tokio", "hyper"]),
    (
        "ops",
        &[
            "api",
            "bill",
            "campaign",
            "catalog",
            "contract",
            "currents",
            "ingest",
            "processor",
            "program",
            "quota",
            "registry",
        ],
        &EMULATORS,
    ),
    ("loadtest", &["bill", "contract", "currents", "ops", "program"], &EMULATORS),
    (
        "local",
        &[
            "api",
            "bill",
            "campaign",
            "catalog",
            "contract",
            "currents",
            "ingest",
            "processor",
            "program",
            "quota",
            "registry",
        ],
        &["loadtest", "ops"],
    ),
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is text")
}

/// The rooms with the rooms that they build on.
fn built_on() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("is JSON");
    let packages = metadata["packages"].as_array().expect("is a list");
    let name = |value: &Value| value["name"].as_str().expect("is text").to_owned();
    let rooms: BTreeSet<String> = packages.iter().map(name).collect();
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().expect("is a list").iter();
        let needed = all.filter(|dependency| dependency["kind"].is_null()).map(name);
        (name(package), needed.filter(|name| rooms.contains(name)).collect())
    };
    packages.iter().map(of).collect()
}

#[test]
fn every_room_builds_on_the_rooms_that_it_may_know() {
    let expected: BTreeMap<String, BTreeSet<String>> = ROOMS
        .iter()
        .map(|(room, on, _)| ((*room).to_owned(), on.iter().map(|on| (*on).to_owned()).collect()))
        .collect();

    assert_eq!(built_on(), expected);
}

#[test]
fn no_room_reaches_what_it_must_know_nothing_of() {
    for (room, _, banned) in ROOMS {
        let tree = cargo(&[
            "tree",
            "--package",
            room,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "--format",
            "{p}",
        ]);
        let reached: BTreeSet<&str> =
            tree.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
        assert!(reached.len() > 2, "{room} reaches {reached:?}");
        for banned in banned {
            let is_banned = |name: &&&str| {
                if banned.ends_with('-') { name.starts_with(banned) } else { *name == banned }
            };
            let found: Vec<_> = reached.iter().filter(is_banned).collect();
            assert!(found.is_empty(), "{room} reaches {found:?}");
        }
    }
}
