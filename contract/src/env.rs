//! Reads settings from the environment, once, at cold start.
//!
//! A program asks for values through [`Env`], never through `std::env`, so that
//! tests pass a map and all faults are reported together instead of one per
//! deployment.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

/// Looks variables up and remembers every fault.
pub struct Env<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<Fault>,
    asked: Vec<&'static str>,
}

/// Every fault found while reading the settings.
#[derive(Debug, thiserror::Error)]
#[error("invalid settings: {}", join(.0))]
pub struct InvalidSettings(pub Vec<Fault>);

/// One variable that is missing or does not parse.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The variable is required and not set.
    Missing(&'static str),
    /// The variable is set to something its type does not accept.
    Malformed {
        /// Name of the variable.
        name: &'static str,
        /// The text that did not parse.
        value: String,
        /// Why not.
        reason: String,
    },
}

impl<'a> Env<'a> {
    /// Starts reading through `lookup`, normally `|name| std::env::var(name).ok()`.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, faults: Vec::new(), asked: Vec::new() }
    }

    /// Reads a variable that has no safe default.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let Some(value) = self.look_up(name) else {
            self.faults.push(Fault::Missing(name));
            return None;
        };
        self.parse(name, value)
    }

    /// Reads a variable, falling back to `default` when it is not set.
    pub fn optional<T: FromStr<Err: Display>>(
        &mut self,
        name: &'static str,
        default: T,
    ) -> Option<T> {
        match self.look_up(name) {
            Some(value) => self.parse(name, value),
            None => Some(default),
        }
    }

    /// The names asked for so far, sorted; every program's test compares them with
    /// [`golden_names`].
    pub fn asked(&self) -> Vec<&'static str> {
        let mut asked = self.asked.clone();
        asked.sort_unstable();
        asked
    }

    /// Builds the settings, or returns every fault at once.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, InvalidSettings> {
        match settings {
            Some(settings) if self.faults.is_empty() => Ok(settings),
            _ => Err(InvalidSettings(self.faults)),
        }
    }

    fn look_up(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        (self.lookup)(name)
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, name: &'static str, value: String) -> Option<T> {
        match value.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.faults.push(Fault::Malformed { name, value, reason: error.to_string() });
                None
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "{name} is not set"),
            Self::Malformed { name, value, reason } => {
                write!(f, "{name} cannot be \"{value}\": {reason}")
            }
        }
    }
}

/// The settings of `program` as `contract/golden/environment.json` lists them; the
/// infrastructure's test reads the same file.
pub fn golden_names(program: &str) -> Vec<String> {
    let programs: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../golden/environment.json")).unwrap_or_default();
    programs.get(program).cloned().unwrap_or_default()
}

fn join(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    faults.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_at_once_and_every_name_is_remembered() {
        let lookup = |name: &str| (name == "PORT").then(|| "many".to_owned());
        let mut env = Env::new(&lookup);

        let table: Option<String> = env.required("TABLE");
        let port: Option<u16> = env.optional("PORT", 80);

        assert_eq!(env.asked(), ["PORT", "TABLE"]);
        let error = env.finish(table.zip(port)).expect_err("neither is valid");
        assert_eq!(
            error.to_string(),
            "invalid settings: TABLE is not set; PORT cannot be \"many\": invalid digit found in string"
        );
    }
}
