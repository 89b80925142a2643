//! What is in the folder of a job.
//!
//! | file | holds |
//! | --- | --- |
//! | `jobs/<id>/input.jsonl` | what the service is asked, a line for each question |
//! | `jobs/<id>/questions.jsonl` | what their answers are held against, in the same order |
//! | `jobs/<id>/output/...jsonl.out` | what the service answered, in any order |
//! | `jobs/<id>/job.json` | what job it is: written last, removed last |

use campaign::Told;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::answers::Charge;

/// With what the names of all files begin.
pub(super) const FOLDER: &str = "jobs/";

/// The file that says what job it is.
pub(super) const JOB: &str = "/job.json";

/// With what the names of files with answers end.
pub(super) const ANSWERS: &str = ".jsonl.out";

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its id here.
    pub(crate) id: String,
    /// Model or inference profile that answers.
    pub(crate) model_id: String,
    /// Until when it is waited for, in UNIX milliseconds.
    pub(crate) until_ms: u64,
    /// How many questions it asks.
    pub(crate) questions: usize,
    /// What the service calls it, once it is known that it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// A question of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobQuestion {
    /// Identifies everything that decides the answer.
    pub(crate) hash: String,
    pub(crate) campaign: String,
    /// What the model is told, and its answer is held against.
    pub(crate) told: Told,
    /// What was spent of its campaign's budget for it, if that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) charge: Option<Charge>,
    /// Calls for it that came to nothing before.
    #[serde(default)]
    pub(crate) failed_calls: u32,
}

/// A line of what the service is asked.
#[derive(Debug, Serialize)]
pub(super) struct InputLine<'a> {
    #[serde(rename = "recordId")]
    pub(super) record_id: String,
    #[serde(rename = "modelInput")]
    pub(super) model_input: &'a RawValue,
}

/// A line of what it answered: an answer, or what is wrong.
#[derive(Debug, Deserialize)]
pub(super) struct OutputLine<'a> {
    #[serde(rename = "recordId")]
    pub(super) record_id: String,
    #[serde(rename = "modelOutput", borrow, default)]
    pub(super) model_output: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) error: Option<RecordError>,
}

/// What is wrong with a record; its message can quote the prompt.
#[derive(Debug, Deserialize)]
pub(super) struct RecordError {
    #[serde(rename = "errorCode", default)]
    pub(super) code: serde_json::Value,
}

impl Job {
    /// The name of one of its files.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{FOLDER}{}/{name}", self.id)
    }

    /// The file with what the service is asked.
    pub(super) fn input(&self) -> String {
        self.file("input.jsonl")
    }

    /// The file with what answers are held against.
    pub(super) fn asked(&self) -> String {
        self.file("questions.jsonl")
    }

    /// With what the names of files with answers begin.
    pub(super) fn output(&self) -> String {
        self.file("output/")
    }

    /// The file that says what job it is.
    pub(super) fn itself(&self) -> String {
        format!("{FOLDER}{}{JOB}", self.id)
    }
}

/// What a question is called in a job, by its place: eleven digits, as the service's own names are
/// eleven characters.
pub(super) fn record_id(place: usize) -> String {
    format!("{place:011}")
}

/// The place of a question, by what it is called.
pub(super) fn place_of(record_id: &str) -> Option<usize> {
    record_id.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use campaign::Past;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_question_is_held_against_comes_back_as_it_was() {
        let item = json!({ "title": "Dunes \u{2028}\n", "runtime": 1.5 });
        let told = Told {
            event: Some(Past {
                id: "e1".to_owned(),
                time: 7,
                event_type: "t".to_owned(),
                fields: serde_json::Map::new(),
            }),
            attributes: [("first_name".to_owned(), json!("Ada"))].into(),
            items: vec![item.as_object().cloned().map(Arc::new), None],
            ..Told::prompt("a\nb")
        };
        let charge = Some(Charge { day: 20_000, amount: 12 });
        let (hash, campaign) = ("abc".to_owned(), "offer".to_owned());
        let question = JobQuestion { hash, campaign, told, charge, failed_calls: 3 };

        let line = serde_json::to_string(&question).expect("is JSON");

        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<JobQuestion>(&line).expect("is one"), question);
        assert_eq!(place_of(&record_id(42)), Some(42));
        assert_eq!(record_id(42).len(), 11);
    }
}
