//! What a system has to do: as a person says it, checked.
//!
//! A figure that cannot be is refused with what would be right, all of them at once: a bill
//! over a mistyped share looks like any other bill.

use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};

/// Most events, or look-ups, a day: more than that is a slip of the hand.
const MOST_A_DAY: f64 = 1e11;

/// Longest time that content is served, in days: the most that `ttl_days` takes.
const LONGEST_TTL_DAYS: f64 = 365.0;

/// Most input tokens of a generation: more than any model reads.
const MOST_INPUT_TOKENS: f64 = 1e6;

/// Most output tokens of a generation: the most that `max_tokens` takes.
const MOST_OUTPUT_TOKENS: f64 = 64_000.0;

/// All different prompts of the sample: twelve shows, four seasons, ten episodes, four languages.
pub const PROMPTS_OF_THE_SAMPLE: f64 = 12.0 * 4.0 * 10.0 * 4.0;

/// What is said of a load.
#[derive(Debug, Clone, Args)]
pub struct LoadArguments {
    /// Events a day.
    #[arg(long, value_name = "N", default_value = "10000000", value_parser = number, allow_negative_numbers = true)]
    pub events: f64,
    /// Users who have content; without this, a tenth of the events a day.
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    pub users: Option<f64>,
    /// Share of the events that trigger a campaign, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.284", value_parser = number, allow_negative_numbers = true)]
    pub triggering: f64,
    /// Different prompts a day (of `cache_hours`): what a catalogue, and what is said of users,
    /// allow. Without this, the 1920 of the sample campaign, and no more than events that trigger.
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    pub prompts: Option<f64>,
    /// Input tokens of a generation; `campaigns preview` estimates them.
    #[arg(long, value_name = "N", default_value = "600", value_parser = number, allow_negative_numbers = true)]
    pub input_tokens: f64,
    /// Output tokens of a generation.
    #[arg(long, value_name = "N", default_value = "150", value_parser = number, allow_negative_numbers = true)]
    pub output_tokens: f64,
    /// Look-ups a day; Braze makes two or three for each recipient. Without this, a fifth of the
    /// events.
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    pub look_ups: Option<f64>,
    /// What stands in front of the api.
    #[arg(long, value_enum, default_value_t = Front::Rest)]
    pub front: Front,
}

/// What stands in front of the api: the setting `api.front`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Front {
    /// A REST API
    Rest,
    /// An HTTP API
    Http,
    /// An Application Load Balancer
    Alb,
    /// The function's own URL
    Url,
}

impl From<Front> for bill::Front {
    fn from(front: Front) -> Self {
        match front {
            Front::Rest => Self::Rest,
            Front::Http => Self::Http,
            Front::Alb => Self::LoadBalancer,
            Front::Url => Self::Url,
        }
    }
}

impl Front {
    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Rest => "a REST API",
            Self::Http => "an HTTP API",
            Self::Alb => "a load balancer",
            Self::Url => "the function's own URL",
        }
    }
}

/// What a system has to do.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Events a day.
    pub events: f64,
    /// Users who have content.
    pub users: f64,
    /// Share of the events that trigger a campaign.
    pub triggering: f64,
    /// Different prompts a day.
    pub prompts: f64,
    /// Input tokens of a generation.
    pub input_tokens: f64,
    /// Output tokens of a generation.
    pub output_tokens: f64,
    /// Look-ups a day.
    pub look_ups: f64,
    /// What stands in front of the api.
    pub front: Front,
}

/// Why there is no such load: a sentence for each figure that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such load\n{}", .0.join("\n"))]
pub struct ImpossibleLoad(Vec<String>);

impl LoadArguments {
    /// Fills in what was not said, and checks everything.
    pub fn load(&self) -> Result<Load, ImpossibleLoad> {
        let mut faults = self.faults_of_one();
        let triggers = self.events * self.triggering;
        if faults.is_empty() {
            faults.extend(self.users.and_then(|users| fault_of_users(users, triggers)));
            let most = "no more prompts differ than events trigger";
            faults.extend(outside("--prompts", self.prompts, 0.0..=triggers.ceil(), most));
        }
        if !faults.is_empty() {
            return Err(ImpossibleLoad(faults));
        }
        let users = (self.events / 10.0).min(triggers * LONGEST_TTL_DAYS);
        Ok(Load {
            events: self.events,
            users: self.users.unwrap_or(users),
            triggering: self.triggering,
            prompts: self.prompts.unwrap_or(PROMPTS_OF_THE_SAMPLE.min(triggers)),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            look_ups: self.look_ups.unwrap_or(self.events / 5.0),
            front: self.front,
        })
    }

    /// What is wrong with each figure by itself.
    fn faults_of_one(&self) -> Vec<String> {
        let percent = self.triggering / 100.0;
        let share = format!("it is a share: {} % is {percent}", self.triggering);
        let tokens = "it counts the tokens of one generation, not of a day";
        [
            outside(
                "--events",
                Some(self.events),
                1.0..=MOST_A_DAY,
                "it counts the events of a day",
            ),
            outside("--triggering", Some(self.triggering), 0.0..=1.0, &share),
            outside("--input-tokens", Some(self.input_tokens), 1.0..=MOST_INPUT_TOKENS, tokens),
            outside("--output-tokens", Some(self.output_tokens), 1.0..=MOST_OUTPUT_TOKENS, tokens),
            outside(
                "--look-ups",
                self.look_ups,
                0.0..=MOST_A_DAY,
                "it counts the look-ups of a day",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Whoever has content had an event that triggered, while content is served.
fn fault_of_users(users: f64, triggers: f64) -> Option<String> {
    let most = triggers * LONGEST_TTL_DAYS;
    if users > most {
        return Some(format!(
            "--users {users}: at most {most}, as a user gets content by an event that triggers, \
             there are {triggers} of these a day, and content is served for a year at most"
        ));
    }
    let nobody = users < 1.0 && triggers > 0.0;
    nobody.then(|| format!("--users {users}: events trigger, so somebody has content: at least 1"))
}

fn outside(
    name: &str,
    value: Option<f64>,
    range: RangeInclusive<f64>,
    remedy: &str,
) -> Option<String> {
    let value = value.filter(|value| !range.contains(value))?;
    let bound = if value > *range.end() {
        format!("at most {}", range.end())
    } else {
        format!("at least {}", range.start())
    };
    Some(format!("{name} {value}: {bound}; {remedy}"))
}

/// Reads a number that can count something.
fn number(text: &str) -> Result<f64, String> {
    if let Some(Ok(percent)) = text.strip_suffix('%').map(|digits| digits.trim().parse::<f64>()) {
        return Err(format!("a percentage; as a share it is {}", percent / 100.0));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Ok(number) if number < 0.0 => Err("nothing is less than 0".to_owned()),
        _ => Err("no number that counts something: write 10000000, 1e7 or 0.284, without commas \
                  and blanks"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArguments,
    }

    fn load(line: &str) -> Result<Load, String> {
        let line = Line::try_parse_from(std::iter::once("cost").chain(line.split_whitespace()))
            .map_err(|error| error.to_string())?;
        line.load.load().map_err(|error| error.to_string())
    }

    #[track_caller]
    fn assert_refused(line: &str, because: &str) {
        let said = load(line).expect_err("is impossible");
        assert!(said.contains(because), "{line}: {said}");
    }

    #[test]
    fn a_percentage_is_told_as_the_share_that_it_is() {
        assert_refused("--triggering 50", "--triggering 50: at most 1; it is a share: 50 % is 0.5");
        assert_refused("--triggering 28.4%", "a percentage; as a share it is 0.284");
        assert_refused(
            "--events 1000 --prompts 285",
            "--prompts 285: at most 284; no more prompts",
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["NaN", "inf", "1e999", "ten", "10,000,000", "0,284", "1 000"] {
            assert_refused(&format!("--events={}", text.replace(' ', "_")), "no number");
        }
        assert_refused("--events -5", "nothing is less than 0");
        assert_refused("--look-ups -1", "nothing is less than 0");
    }

    #[test]
    fn what_cannot_be_is_refused_all_at_once() {
        let said = load("--events 0 --look-ups 1e12 --output-tokens 1e6 --input-tokens 0")
            .expect_err("is impossible");

        for part in ["--events 0: at least 1", "--look-ups 1000000000000: at most", "--output-"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(said.contains("--input-tokens 0: at least 1"), "{said}");
        assert_refused("--events 1e12", "it counts the events of a day");
    }

    #[test]
    fn nobody_has_content_without_an_event_that_triggered() {
        assert_refused("--events 1000 --users 1000000", "at most 103660");
        assert_refused("--events 1000 --triggering 0 --users 1", "at most 0");
        assert_refused("--events 1000 --users 0", "at least 1");
        assert!(load("--events 1000 --users 100000").is_ok());
        assert!(load("--events 1 --triggering 0").is_ok());
    }

    #[test]
    fn what_was_not_said_follows_from_the_events() {
        let load = load("--events 1000000").expect("is possible");

        assert!((load.users, load.look_ups) == (100_000.0, 200_000.0), "{load:?}");
    }

    #[test]
    fn a_load_has_the_prompts_of_the_sample_and_no_more_than_events_that_trigger() {
        let prompts = |line| load(line).expect("is possible").prompts;

        assert!((prompts("--events 1000") - 284.0).abs() < 1e-9);
        assert!((prompts("--events 1e8") - PROMPTS_OF_THE_SAMPLE).abs() < 1e-9);
        assert!((prompts("--events 1e3 --prompts 5") - 5.0).abs() < 1e-9);
    }
}
