//! The first hour of somebody new: README's commands from the top, then campaigns and events
//! of their own.
//!
//! Commands are typed as they are documented. In the place of cargo stands a script that runs
//! the programs that are built already, on a free port; nothing else is put on.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::campaigns;

const CARGO: &str = r#"#!/bin/sh
# cargo run ... --bin NAME -- ARGUMENTS
while [ $# -gt 0 ] && [ "$1" != -- ]; do [ "$1" = --bin ] && name=$2; shift; done
shift
[ "$name" = local ] && set -- --port 0 --batch-window-ms 100 "$@"
exec "$PROGRAMS/$name" "$@"
"#;

/// README's commands that take an account, hours, or a port that may be taken; other tests
/// have their parts.
const NOT_TYPED: [&str; 9] = [
    "make test",
    "make bootstrap",
    "make deploy",
    "make generate",
    "make replay",
    "make report",
    "make run ARGS=\"--s3-port",
    "make run ARGS=\"--bedrock aws",
    "make lambdas",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A shell in the project's folder.
struct Shell {
    bin: TempDir,
    campaigns: PathBuf,
}

impl Shell {
    fn new(campaigns: &Path) -> Self {
        let bin = tempfile::tempdir().expect("temporary folder");
        let cargo = bin.path().join("cargo");
        fs::write(&cargo, CARGO).expect("is written");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("is executable");
        Self { bin, campaigns: campaigns.to_owned() }
    }

    fn command(&self, line: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_local")).parent().expect("is in a folder");
        assert!(programs.join("ops").exists(), "build all programs: cargo build --workspace");
        let path = std::env::join_paths(
            std::iter::once(self.bin.path().to_owned())
                .chain(std::env::split_paths(&std::env::var_os("PATH").expect("is set"))),
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(root())
            .env("PATH", path.expect("is a path"))
            .env("PROGRAMS", programs)
            .env("CAMPAIGNS", &self.campaigns)
            .env_remove("MAKEFLAGS");
        command
    }

    fn types(&self, line: &str) -> Output {
        self.command(line).output().expect("the shell runs")
    }

    /// What a command prints that ends well.
    fn prints(&self, line: &str) -> String {
        let output = self.types(line);
        assert!(output.status.success(), "{line}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Starts what serves until Ctrl-C, and waits until it does.
    fn serves(&self, line: &str) -> Serving {
        let mut command = self.command(line);
        let mut child =
            command.process_group(0).stdout(Stdio::piped()).spawn().expect("the shell runs");
        let output = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut said = String::new();
        for line in output.map(|line| line.expect("is text")) {
            said.push_str(&line);
            said.push('\n');
            if line.contains("Serving until Ctrl-C") {
                return Serving { child, said };
            }
        }
        let ended = child.wait();
        panic!("{line} never served, {ended:?}: {said}");
    }
}

/// A run that serves, until it is dropped.
struct Serving {
    child: Child,
    said: String,
}

impl Serving {
    /// The printed look-ups, as they are.
    fn look_ups(&self) -> Vec<&str> {
        let lines = self.said.lines().map(str::trim);
        lines.filter(|line| line.starts_with("curl ")).collect()
    }

    /// `http://127.0.0.1:PORT`.
    fn address(&self) -> &str {
        let after = self.said.split("Watch it at ").nth(1).expect("tells its address");
        after.split("/\n").next().expect("ends")
    }

    /// What a look-up gets.
    fn gets(&self, line: &str) -> Value {
        let ran = Command::new("sh").args(["-c", line]).output().expect("the shell runs");
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{line}: no JSON"))
    }

    /// The message of a campaign's folder for a user, as the page shows it.
    async fn renders(&self, user_id: &str, campaign: &Path) -> Value {
        let message = fs::read_to_string(campaign.join("message.liquid")).expect("is there");
        let name = campaign.file_name().and_then(|name| name.to_str()).expect("has a name");
        let wanted = json!({ "user_id": user_id, "campaign": name, "message": message });
        let posted = reqwest::Client::new()
            .post(format!("{}/local/render", self.address()))
            .header("origin", self.address())
            .json(&wanted);
        posted.send().await.expect("answers").json().await.expect("is JSON")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-INT", "--", &group]).status();
        let _ = self.child.wait();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The commands of README that begin so, in their order.
fn of_readme(program: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("is there");
    let lines = readme.lines().filter_map(|line| line.trim_start().strip_prefix(program));
    let commands = lines.map(|rest| {
        let line = format!("{program}{rest}");
        // What stands behind the command is no part of it.
        line.split(" #").next().unwrap_or(&line).trim_end().to_owned()
    });
    commands.collect()
}

#[test]
fn readmes_commands_do_what_they_say_from_the_top() {
    let shell = Shell::new(&campaigns());
    let events = root().join("examples/shop/events.jsonl");
    let mut typed = 0;
    for line in of_readme("make ") {
        if NOT_TYPED.iter().any(|not| line.starts_with(not)) {
            continue;
        }
        typed += 1;
        let line = line
            .replace("FILE_OR_FOLDER...", &events.display().to_string())
            .replace("FILE_OR_FOLDER", &events.display().to_string())
            .replace("CAMPAIGNS=DIR", "CAMPAIGNS=examples/shop/campaigns")
            .replace(" USER ", " 7a10c4e2b85f0d9136e0a003 ");
        if !line.starts_with("make run") {
            let said = shell.prints(&line);
            assert!(said.contains("new-episode") || said.contains("--- prompt"), "{said}");
            continue;
        }
        let line =
            if line == "make run" { "make run ARGS='--events 400 --users 40'" } else { &line };
        let serving = shell.serves(line);
        assert!(serving.said.contains("lost                      0"), "{}", serving.said);
        let own = line.contains("CAMPAIGNS=");
        for look_up in of_readme("curl ").iter().filter(|line| !(own && line.contains("campaign=")))
        {
            let here = look_up.replace("http://127.0.0.1:8080", serving.address());
            let found = serving.gets(&here);
            assert!(found.get("Item").or(found.get("data")).is_some(), "{here}: {found}");
        }
    }
    assert!(typed >= 4, "README has commands to type");
}

/// Ten mistakes in a campaign: file, what is written, what is written in its place, and what
/// is said of it.
const MISTAKES: [(&str, &str, &str, &str); 11] = [
    ("campaign.toml", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "", "model_id is empty"),
    ("campaign.toml", "ttl_days = 7", "ttl_days = 700", "ttl_days must be 1 to 365"),
    (
        "campaign.toml",
        "\"properties.total\", \"properties.c",
        "\"properties..total\", \"properties.c",
        "\"properties..total\" is no path of names and dots: write properties.total",
    ),
    (
        "campaign.toml",
        "users.behaviors.CustomEvent",
        "users.behaviors.CustomEvnt",
        "did you mean users.behaviors.CustomEvent?",
    ),
    (
        "campaign.toml",
        "event.properties.total >= 20",
        "event.properties.total + 20",
        "is neither true nor false",
    ),
    (
        "campaign.toml",
        "usd_per_million_input_tokens = 1.10",
        "usd_per_million_input_tokens = -1.10",
        "must be 0 to 1000000",
    ),
    ("prompt.liquid", "limit: 10 -%}", "limit: 10 -}", "prompt.liquid:6: "),
    ("system.liquid", "You write", "\u{feff}You write", "begins with a byte order mark"),
    ("answer.schema.json", ", \"maxLength\": 60", "", "a text needs a maxLength"),
    (
        "fallback.json",
        "[\"Everything you picked is where you left it, ready when you are.\"]",
        "[]",
        "has 0 items, wants 1 or more",
    ),
    ("message.liquid", "{% endfor -%}", "", "{% for %} has no {% endfor %}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_reminds_of_carts_with_a_campaign_and_events_of_its_own() {
    let folder = root().join("examples/shop/campaigns");
    let shell = Shell::new(&folder);
    let events = "examples/shop/events.jsonl";

    let wrong = tempfile::tempdir().expect("temporary folder");
    let copy = wrong.path().join("abandoned-cart");
    fs::create_dir(&copy).expect("is created");
    for file in fs::read_dir(folder.join("abandoned-cart")).expect("is there") {
        let file = file.expect("can be read");
        let mut text = fs::read_to_string(file.path()).expect("is text");
        for (name, right, wrong, _) in MISTAKES.iter().filter(|each| file.file_name() == each.0) {
            assert!(text.contains(right), "{name} has no {right}");
            text = text.replacen(right, wrong, 1);
        }
        fs::write(copy.join(file.file_name()), text).expect("is written");
    }
    let line = format!("make ops CAMPAIGNS={} ARGS='campaigns check'", wrong.path().display());
    let checked = shell.types(&line);
    let said = stderr(&checked);
    assert!(!checked.status.success(), "{said}");
    for (file, _, _, told) in MISTAKES {
        assert!(said.contains(told), "{file}: {told} is not said: {said}");
    }

    assert!(shell.prints("make ops ARGS='campaigns check'").contains("abandoned-cart: ok"));
    let preview =
        format!("make ops ARGS='campaigns preview --campaign abandoned-cart --events {events}'");
    let shown = shell.prints(&preview);
    assert!(shown.contains("subject line: [stand-in]"), "{shown}");
    assert!(shown.contains("<h1>Still thinking it over?</h1>"), "{shown}");
    let why = format!("make ops ARGS='campaigns why 7a10c4e2b85f0d9136e0a003 --events {events}'");
    let told = shell.prints(&why);
    let compared = "event.properties.total is the text \"249,00\", compared with 20";
    assert!(told.contains(compared), "{told}");

    let serving = shell.serves("make run ARGS='examples/shop'");
    assert!(
        serving.said.contains("conditions failed         1 (abandoned-cart 1)"),
        "{}",
        serving.said
    );
    let [item, _] = serving.look_ups()[..] else { panic!("{}", serving.said) };
    let found = serving.gets(item);
    assert!(found["Item"]["source"].is_null(), "{found}");
    let of_pans = serving.renders("7a10c4e2b85f0d9136e0a002", &folder.join("abandoned-cart")).await;
    let text = of_pans["rendered"].as_str().unwrap_or_default();
    assert!(text.contains("Cast iron pan") || text.contains("Oak chopping board"), "{of_pans}");
    let subject = of_pans["subject"].as_str().unwrap_or_default();
    assert!(subject.starts_with("[stand-in]"), "{of_pans}");
    let of_lamps =
        serving.renders("7a10c4e2b85f0d9136e0a005", &folder.join("abandoned-cart")).await;
    assert_ne!(of_pans["subject"], of_lamps["subject"], "two users' texts differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_writes_to_customers_in_german_and_arabic() {
    let folder = root().join("examples/bank/campaigns");
    let shell = Shell::new(&folder);

    let checked = shell.prints("make ops ARGS='campaigns check'");
    assert!(
        checked.contains("card-abroad: ok") && checked.contains("savings-goal: ok"),
        "{checked}"
    );
    let preview = "make ops ARGS=\"campaigns preview --campaign savings-goal --user 5be0d17f93a246c8e1f0b002 \
                   --events examples/bank/events.jsonl --user-attributes '{\\\"language\\\": \\\"ar\\\"}'\"";
    let shown = shell.prints(preview);
    assert!(shown.contains("Write in Arabic") && shown.contains("رحلة إلى البحر"), "{shown}");

    let serving = shell.serves("make run ARGS='examples/bank'");
    let [item, _] = serving.look_ups()[..] else { panic!("{}", serving.said) };
    assert!(item.contains("&campaign="), "{item}");
    assert!(serving.gets(item)["Item"]["data"]["M"]["title"]["S"].is_string());
    let savings = folder.join("savings-goal");
    let german = serving.renders("5be0d17f93a246c8e1f0b003", &savings).await.to_string();
    assert!(german.contains("Führerschein für Jörg"), "{german}");
    let arabic = serving.renders("5be0d17f93a246c8e1f0b002", &savings).await.to_string();
    assert!(arabic.contains("رحلة إلى البحر"), "{arabic}");
    // Nobody's journey is known: the message stops itself.
    let nobody = serving.renders("5be0d17f93a246c8e1f0b003", &folder.join("card-abroad")).await;
    assert!(nobody.to_string().contains("nothing is known of this customer's journey"), "{nobody}");
}
