//! What the stand-in can do that a service which answers well does not: each as users of
//! Bedrock have reported it, by a name.
//!
//! A [`Rule`] is a name with, if it shall not strike every call, what it strikes:
//!
//! | written | strikes |
//! | --- | --- |
//! | `model-error` | every call |
//! | `model-error:20` | one of twenty prompts, the same ones each time |
//! | `model-error:first` | calls that do not correct an answer |
//! | `model-error=Harbour` | prompts with this text |
//! | `model-error:20:first=Harbour` | what all of these strike |
//!
//! It is given to the stand-in as a setting, or behind a model's id and a `+`, so that one
//! campaign of many can have it: `model_id = "some.model+model-error:20"`.

use std::num::NonZeroU64;
use std::str::FromStr;

use clap::ValueEnum;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::text;

/// Something that Bedrock, a model or what is between does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Scenario {
    /// 200 with half of a surrogate pair as an escape in the answer
    LoneSurrogate,
    /// 200 with a page of HTML
    HtmlPage,
    /// 200 with the first half of the JSON
    BodyCut,
    /// 200, and the connection breaks in the middle of the body
    BodyBroken,
    /// The connection ends without an answer, which is billed
    NoAnswer,
    /// 200 without a body
    BodyEmpty,
    /// 200 with a body that says that something failed
    ErrorBody,
    /// 200 with texts where numbers belong
    WrongTypes,

    /// 424 ModelErrorException
    ModelError,
    /// 500 InternalServerException
    InternalError,
    /// 408 ModelTimeoutException
    ModelTimeout,
    /// 503 ServiceUnavailableException
    Unavailable,
    /// Answers after --slow-ms, which are billed also where nobody waits for them any more
    Slow,

    /// 503 "Too many connections" to calls beyond four at a time
    TooManyConnections,
    /// 503 to two of three calls
    Busy,
    /// 529 with Retry-After to every third call
    Overloaded,
    /// 429 to twenty calls, then twenty answers, and so on
    ThrottleBursts,
    /// 429 because the quota of the day is used up
    DailyQuota,

    /// A job of batch inference expires with half of its records answered
    JobExpires,

    /// 400 to the first three calls: the grammar of the schema is not compiled yet
    GrammarTimeout,
    /// 403 to the first three calls: access to the model is being set up
    AccessPending,

    /// 404: the use-case form was not submitted
    UseCaseMissing,
    /// 403: a policy of the organisation denies the model
    ExplicitDeny,
    /// 403 to requests with a cache point: the account may not cache prompts
    CachingDenied,
    /// 404: the model is not in this region
    ModelNotHere,
    /// 400: the model can be called through an inference profile only
    ProfileOnly,
    /// 403: the credentials have expired
    CredentialsExpired,
    /// 403 with HTML and no code, as of a proxy
    Proxy403,
    /// 400 with HTML and no code
    Proxy400,
    /// 500 with HTML and no code
    Proxy500,

    /// 400 to requests with a temperature
    NoTemperature,
    /// 400 to requests that name the tool to call
    NoToolChoice,
    /// 400 to requests with a tool
    NoTools,
    /// 400 to requests with a cache point
    NoCachePoint,
    /// 400 to requests for structured output
    NoStructuredOutput,

    /// Stops at max_tokens, with half of the JSON
    MaxTokens,
    /// A tool's input is a text that holds JSON
    InputText,
    /// The answer is a JSON array
    InputArray,
    /// The answer is null
    InputNull,
    /// The answer is an empty object
    InputEmpty,
    /// The JSON stands between fences of Markdown
    Fenced,
    /// The JSON stands in a sentence
    Prose,
    /// A block of reasoning comes first
    ReasoningFirst,
    /// A block of text comes before the tool is called
    TextAndTool,
    /// The tool is called twice
    TwoTools,
    /// No block of content at all
    ContentEmpty,
    /// A text without a character
    TextEmpty,
    /// The message is null
    MessageNull,
    /// The usage is missing
    UsageMissing,
    /// The system text was read from the cache, and more was written into it
    CacheUsage,

    /// Texts of characters that show nothing
    BlankTexts,
    /// Texts with entities of HTML
    Entities,
    /// Texts with markup
    Markup,
    /// Texts that turn the direction of what follows
    TurnedTexts,
    /// Texts of structured output with half of a surrogate pair
    SurrogateTexts,
    /// Texts with control characters and line breaks
    ControlCharacters,
    /// Texts with delimiters of Liquid
    Liquid,
    /// Texts of ten thousand characters
    LongTexts,
}

/// A scenario, and which calls it strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub scenario: Scenario,
    /// To one of so many prompts, decided by their hash.
    pub one_of: NonZeroU64,
    /// Only to calls that do not correct an answer.
    pub first: bool,
    /// Only to prompts with this text.
    pub text: String,
}

/// A rule that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    /// There is no such scenario.
    #[error("there is no scenario \"{0}\": --help lists them")]
    Unknown(String),
    /// What stands behind the colon is neither a number nor `first`.
    #[error("a scenario strikes one of 1 or more prompts, or \"first\" calls, not \"{0}\"")]
    Share(String),
}

impl FromStr for Rule {
    type Err = NoRule;

    fn from_str(rule: &str) -> Result<Self, NoRule> {
        let (name, text) = rule.split_once('=').unwrap_or((rule, ""));
        let mut parts = name.split(':');
        let name = parts.next().unwrap_or_default();
        let scenario = Scenario::from_str(name, false);
        let mut rule = Self::from(scenario.map_err(|_| NoRule::Unknown(name.to_owned()))?);
        text.clone_into(&mut rule.text);
        for part in parts {
            match part {
                "first" => rule.first = true,
                share => {
                    rule.one_of = share.parse().map_err(|_| NoRule::Share(share.to_owned()))?;
                }
            }
        }
        Ok(rule)
    }
}

impl From<Scenario> for Rule {
    fn from(scenario: Scenario) -> Self {
        Self { scenario, one_of: NonZeroU64::MIN, first: false, text: String::new() }
    }
}

impl Rule {
    /// The rules behind a model's id.
    pub(super) fn of_model(model_id: &str) -> Result<Vec<Self>, NoRule> {
        model_id.split('+').skip(1).map(str::parse).collect()
    }

    /// Tells whether it strikes a request.
    pub(super) fn strikes(&self, request: &Value) -> bool {
        let prompt = text::prompt_of(request).unwrap_or_default();
        let digest = Sha256::digest(prompt);
        let number = digest.iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte));
        number.is_multiple_of(self.one_of.get())
            && prompt.contains(&self.text)
            && !(self.first && text::is_correction(request))
    }
}

/// Lists all scenarios for `--help`.
pub fn help() -> String {
    let scenarios = Scenario::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let lines = scenarios.map(|scenario| {
        let help = scenario.get_help().map(ToString::to_string).unwrap_or_default();
        format!("  {:<22}{help}\n", scenario.get_name())
    });
    format!(
        "Let the stand-in do what Bedrock has been seen to do.\n\n\
         NAME strikes every call, NAME:N one of N prompts, NAME:first calls that do not correct\n\
         an answer, NAME=TEXT prompts with this text; all can be combined. Behind a model's id and a +, in a\n\
         campaign's model_id, it strikes that campaign's calls. The names:\n\n{}",
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().expect("is a rule")
    }

    #[test]
    fn a_rule_says_what_happens_and_to_whom() {
        let any = Rule::from(Scenario::ModelError);
        let twenty = NonZeroU64::new(20).expect("is not zero");

        assert_eq!(rule("model-error"), any);
        assert_eq!(rule("model-error:first"), Rule { first: true, ..any.clone() });
        assert_eq!(rule("model-error:20"), Rule { one_of: twenty, ..any.clone() });
        assert_eq!(rule("model-error=a b:c"), Rule { text: "a b:c".to_owned(), ..any });
        let all = rule("model-error:20:first=a");
        assert_eq!((all.one_of, all.first, all.text.as_str()), (twenty, true, "a"));
        for wrong in ["", "model", "model-error:0", "model-error:x", "ModelError"] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_model_id_says_what_happens_to_its_calls() {
        let rules = Rule::of_model("us.some.model-v1:0+slow+html-page=x").expect("are rules");

        assert_eq!(rules, [rule("slow"), rule("html-page=x")]);
        assert_eq!(Rule::of_model("us.some.model-v1:0"), Ok(Vec::new()));
        assert!(Rule::of_model("some.model+none").is_err());
    }

    #[test]
    fn a_share_strikes_the_same_prompts_each_time() {
        let rule = rule("model-error:10");
        let struck = || -> Vec<bool> {
            let request =
                |n| json!({ "messages": [{ "content": [{ "text": format!("prompt {n}") }] }] });
            (0..1_000).map(|n| rule.strikes(&request(n))).collect()
        };

        let count = struck().into_iter().filter(|is_struck| *is_struck).count();

        assert!((60..140).contains(&count), "{count}");
        assert_eq!(struck(), struck());
    }

    #[test]
    fn every_scenario_is_listed_with_what_it_does() {
        let help = help();

        for scenario in Scenario::value_variants() {
            let value = scenario.to_possible_value().expect("has a name");
            assert!(value.get_help().is_some(), "{scenario:?}");
            assert!(help.contains(value.get_name()), "{scenario:?}");
        }
    }
}
