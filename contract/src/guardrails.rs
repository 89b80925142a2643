//! The guardrails that a deployment may ask, as the setting `GUARDRAILS` has them: a JSON list of
//! ids or ARNs.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Deserialize;

/// Ids or ARNs of guardrails, as campaigns name them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Guardrails(pub BTreeSet<String>);

impl FromStr for Guardrails {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guardrails_are_a_list_of_texts() {
        let two = Guardrails(["a".to_owned(), "b".to_owned()].into());

        assert_eq!(r#"["b", "a", "b"]"#.parse::<Guardrails>().expect("is a list"), two);
        assert_eq!("[]".parse::<Guardrails>().expect("is a list"), Guardrails::default());
        for wrong in ["a", "{}", "[1]", ""] {
            assert!(wrong.parse::<Guardrails>().is_err(), "{wrong}");
        }
    }
}
