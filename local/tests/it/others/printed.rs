//! The lines that the program prints for a person, in a shell with curl.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::rig::campaigns;

/// Serves, does as every printed line says, and returns what came.
fn what_printed_lines_get(arguments: &[&str]) -> Vec<(String, serde_json::Value)> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .args([
            "--port",
            "0",
            "--batch-window-ms",
            "100",
            "--events",
            "400",
            "--users",
            "40",
            "--campaigns",
        ])
        .arg(campaigns())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("program starts");
    let output = child.stdout.take().expect("is piped");
    let lines = BufReader::new(output).lines().map(|line| line.expect("is text"));
    let lines: Vec<String> = lines.take_while(|line| !line.contains("Serving")).collect();
    let printed = lines.iter().filter(|line| line.trim().starts_with("curl "));
    let answers = printed.map(|line| {
        let ran = Command::new("sh").args(["-c", line]).output().expect("shell runs");
        (line.clone(), serde_json::from_slice(&ran.stdout).expect("the answer is JSON"))
    });
    let answers = answers.collect();
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signalled.expect("kill runs").success());
    child.wait().expect("program ends");
    answers
}

#[test]
fn the_lines_it_prints_look_a_user_up_as_they_are() {
    for (arguments, credentials) in [(&[][..], true), (&["--no-credentials"], false)] {
        let answers = what_printed_lines_get(arguments);
        let [(first, item), (_, plain)] = &answers[..] else { panic!("two lines: {answers:?}") };

        assert_eq!(first.contains("-u "), credentials, "{first}");
        let heading = &item["Item"]["data"]["M"]["heading"]["S"];
        assert!(heading.as_str().is_some_and(|text| !text.is_empty()), "{item}");
        assert_eq!(&plain["data"]["heading"], heading);
        assert!(item["Item"]["source"].is_null(), "{item}");
    }
}
