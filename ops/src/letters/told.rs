//! What is said of dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use contract::dead_letter::{DeadLetter, Input};
use serde_json::{Value, json};

use super::{Lying, campaign_of};
use crate::outcome::moment;

/// Reason of what cannot be read.
const UNREADABLE: &str = "(cannot be read)";

/// What stands for values about a person.
const HIDDEN: &str = "(--values shows it)";

/// How many letters there are, by reason and campaign.
#[derive(Debug, Default)]
pub(super) struct Summary(BTreeMap<(String, String), Group>);

#[derive(Debug, Default)]
struct Group {
    letters: u64,
    /// Times of the first and the last, in UNIX milliseconds, where they are known.
    span: Option<(u64, u64)>,
    builds: BTreeSet<String>,
    example: String,
}

impl Summary {
    pub(super) fn take(&mut self, lying: &Lying) {
        let reason = lying.letter.as_ref().map_or(UNREADABLE, |letter| letter.reason.as_str());
        let campaign = lying.letter.as_ref().and_then(campaign_of).unwrap_or("-");
        let group = self.0.entry((reason.to_owned(), campaign.to_owned())).or_default();
        group.letters += 1;
        if let Some(at) = lying.at_ms {
            let (first, last) = group.span.unwrap_or((at, at));
            group.span = Some((first.min(at), last.max(at)));
        }
        let build = lying.letter.as_ref().map(|letter| letter.build.clone());
        group.builds.extend(build.filter(|build| !build.is_empty()));
        group.example.clone_from(&lying.id);
    }

    /// The same for a program.
    pub(super) fn to_json(&self) -> Value {
        let groups = self.0.iter().map(|((reason, campaign), group)| {
            let span = group.span.map(|(first, last)| [time(first), time(last)]);
            json!({
                "reason": reason, "campaign": campaign, "letters": group.letters, "given_up": span,
                "builds": group.builds, "example": group.example,
            })
        });
        json!({ "letters": groups.collect::<Vec<_>>() })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: u64 = self.0.values().map(|group| group.letters).sum();
        write!(f, "{all} letters")?;
        for ((reason, campaign), group) in &self.0 {
            write!(f, "\n{:>8}  {reason:<28}  {campaign:<24}", group.letters)?;
            if let Some((first, last)) = group.span {
                write!(f, "  {} to {}", time(first), time(last))?;
            }
            write!(f, "\n          such as {}", group.example)?;
            if !group.builds.is_empty() {
                let builds: Vec<&str> = group.builds.iter().map(String::as_str).collect();
                write!(f, ", of build {}", builds.join(", "))?;
            }
        }
        Ok(())
    }
}

fn time(ms: u64) -> String {
    moment(i64::try_from(ms / 1_000).unwrap_or(i64::MAX))
}

/// One letter, for a person and for a program.
pub(super) fn told(lying: &Lying, with_values: bool) -> (Vec<String>, Value) {
    let Some(letter) = &lying.letter else {
        let body = if with_values { &lying.body } else { HIDDEN };
        return (vec![format!("{UNREADABLE}: {body}")], json!({ "letter": body }));
    };
    let of = |name: &str, value: &str| format!("  {name:<14} {value}");
    let mut lines = vec![letter.reason.clone()];
    let hidden = |value: &str| if with_values { value.to_owned() } else { HIDDEN.to_owned() };
    lines.push(of("detail", &hidden(&letter.detail)));
    if letter.attempts > 0 {
        lines.push(of("calls", &letter.attempts.to_string()));
    }
    lines.extend(letter.first_seen_ms.map(|ms| of("first seen", &time(ms))));
    lines.extend(lying.at_ms.map(|ms| of("given up", &time(ms))));
    if !letter.build.is_empty() {
        lines.push(of("build", &letter.build));
    }
    if letter.publication > 0 {
        lines.push(of("publication", &letter.publication.to_string()));
    }
    lines.extend(input(&letter.input, &hidden).into_iter().map(|(name, value)| of(name, &value)));
    let json = match with_values {
        true => serde_json::from_str(&lying.body).unwrap_or_default(),
        false => without_values(letter),
    };
    (lines, json!({ "letter": json }))
}

fn without_values(letter: &DeadLetter) -> Value {
    let input: BTreeMap<_, _> = input(&letter.input, &|_| HIDDEN.to_owned()).into_iter().collect();
    json!({
        "reason": letter.reason, "attempts": letter.attempts, "build": letter.build,
        "first_seen_ms": letter.first_seen_ms, "publication": letter.publication, "input": input,
    })
}

/// What was given up, and what to do to try it again.
fn input(input: &Input, hidden: &dyn Fn(&str) -> String) -> Vec<(&'static str, String)> {
    let redrive = ("again", "ops redrive".to_owned());
    match input {
        Input::Object { bucket, key, offset_bytes, block, events_delivered, .. } => vec![
            ("object", format!("s3://{bucket}/{key}")),
            ("damaged at", format!("byte {offset_bytes}, block {block}")),
            ("delivered", format!("{events_delivered} events before")),
            (
                "again",
                format!(
                    "ops replay 's3://{bucket}/{key}' --from 2000-01-01T00:00:00Z --to 2100-01-01T00:00:00Z"
                ),
            ),
        ],
        Input::Notification { body } => vec![("notification", hidden(body))],
        Input::Event { user_id, event_id, event_type, size_bytes } => vec![
            ("user", hidden(user_id)),
            ("event", format!("{event_id} ({event_type}), {size_bytes} bytes")),
        ],
        Input::StreamRecord { sequence_number, partition_key, .. } => vec![
            ("record", sequence_number.clone()),
            ("partition key", hidden(partition_key)),
            redrive,
        ],
        Input::Unit { campaign, user_id, event_id, prompt_hash, user_records } => vec![
            ("campaign", campaign.clone()),
            ("user", hidden(user_id)),
            ("event", event_id.clone()),
            ("prompt hash", prompt_hash.clone().unwrap_or_default()),
            ("events", hidden(&serde_json::to_string(user_records).unwrap_or_default())),
            redrive,
        ],
        Input::Ask { ask, event_id, prompt_hash } => vec![
            ("campaign", ask.campaign.clone()),
            ("user", hidden(&ask.user_id)),
            ("event", event_id.clone().unwrap_or_default()),
            ("prompt hash", prompt_hash.clone().unwrap_or_default()),
            ("waited for", ask.reason.words().to_owned()),
            redrive,
        ],
        Input::AskMessage { body } => vec![("message", hidden(body))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(user_id: &str, campaign: &str) -> Lying {
        let input = Input::Unit {
            campaign: campaign.to_owned(),
            user_id: user_id.to_owned(),
            event_id: "e-1".to_owned(),
            prompt_hash: None,
            user_records: Vec::new(),
        };
        let letter = DeadLetter {
            build: "b1".to_owned(),
            ..DeadLetter::new("bad_answer", "for Ada", input)
        };
        Lying::of(format!("m-{user_id}"), Some(1_760_000_000_000), letter.encode())
    }

    #[test]
    fn letters_are_counted_by_reason_and_campaign() {
        let mut summary = Summary::default();
        for lying in [unit("u1", "offer"), unit("u2", "offer"), unit("u3", "recap")] {
            summary.take(&lying);
        }
        summary.take(&Lying::of("x".to_owned(), None, "{".to_owned()));

        let told = summary.to_string();
        assert!(told.starts_with("4 letters\n"), "{told}");
        assert!(told.contains("2  bad_answer                    offer"), "{told}");
        assert!(told.contains("such as m-u2, of build b1"), "{told}");
        assert!(told.contains("1  (cannot be read)"), "{told}");
        let json = summary.to_json();
        assert_eq!(json["letters"].as_array().map(Vec::len), Some(3));
        assert!(!json.to_string().contains("Ada"));
    }

    #[test]
    fn values_are_shown_to_who_asks_for_them() {
        let lying = unit("user-1", "offer");

        let (lines, json) = told(&lying, false);
        let all = lines.join("\n") + &json.to_string();
        assert!(!all.contains("user-1") && !all.contains("Ada"), "{all}");
        assert!(
            all.contains("offer") && all.contains("e-1") && all.contains("ops redrive"),
            "{all}"
        );
        let (lines, json) = told(&lying, true);
        let all = lines.join("\n") + &json.to_string();
        assert!(all.contains("user-1") && all.contains("for Ada"), "{all}");
    }

    #[test]
    fn a_damaged_object_is_told_with_the_command_that_reads_it_again() {
        let input = Input::Object {
            bucket: "b".to_owned(),
            key: "p/event_type=x/f 1.avro".to_owned(),
            version_id: None,
            offset_bytes: 9,
            block: 2,
            events_delivered: 3,
        };
        let letter = DeadLetter::new("damaged_object", "d", input);
        let lying = Lying::of("1".to_owned(), None, letter.encode());

        let (lines, _) = told(&lying, false);

        assert!(
            lines
                .iter()
                .any(|line| line.contains("ops replay 's3://b/p/event_type=x/f 1.avro' --from"))
        );
    }
}
