//! Runs a program and says what it took.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use tokio::time::Instant;

/// How often the process is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// Clock ticks of a second in `/proc`, on every Linux of today.
const TICKS: f64 = 100.0;

/// What a process took.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_mb: f64,
}

/// Runs it to its end, which must be a good one; returns what it printed.
pub(crate) fn watch(mut command: Command) -> (Usage, String) {
    let start = Instant::now();
    let spawned =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.expect("starts");
    let mut stdout = child.stdout.take().expect("is piped");
    let mut stderr = child.stderr.take().expect("is piped");
    let printed = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let complained = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let folder = format!("/proc/{}", child.id());
    let mut usage = Usage::default();
    // A process that has ended shows its times until it is waited for, but not its memory.
    while !has_ended(&folder, &mut usage) {
        sleep(INTERVAL);
    }
    usage.seconds = start.elapsed().as_secs_f64();
    let status = child.wait().expect("has ended");
    let text = printed.join().expect("does not panic").expect("is UTF-8");
    let complaints = complained.join().expect("does not panic").expect("is UTF-8");
    assert!(status.success(), "{status}: {complaints}\n{text}");
    (usage, text)
}

fn has_ended(folder: &str, usage: &mut Usage) -> bool {
    let status = fs::read_to_string(format!("{folder}/status")).expect("Linux has it");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kb = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    usage.peak_rss_mb = peak_kb.map_or(usage.peak_rss_mb, |kb| kb * 1_024.0 / 1e6);
    let stat = fs::read_to_string(format!("{folder}/stat")).expect("Linux has it");
    // What follows the name, which is in brackets: state, and eleven fields on both times.
    let (_, rest) = stat.rsplit_once(") ").expect("has a name");
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |place: usize| fields[place].parse::<f64>().expect("is a number");
    usage.cpu_seconds = (ticks(11) + ticks(12)) / TICKS;
    fields[0] == "Z"
}
