//! What is wrong with a name in `campaign.toml`, with what would be right.

/// Longest id or ARN of a model that the service takes.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
const MAX_ID_CHARS: usize = 2_048;

/// What is wrong with the id of a model, an inference profile or a guardrail.
pub(super) fn wrong_model_id(id: &str) -> Option<String> {
    if id.trim().is_empty() {
        return Some("is empty: write an id or an ARN of Amazon Bedrock".to_owned());
    }
    if id.len() > MAX_ID_CHARS {
        return Some(format!("has more than {MAX_ID_CHARS} characters"));
    }
    // A `+` and what follows are orders to the stand-in.
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:/+=,".contains(c);
    let wrong = id.chars().find(|&c| !is_allowed(c))?;
    let name = if wrong.is_whitespace() { "a blank".to_owned() } else { format!("\"{wrong}\"") };
    Some(format!("holds {name}, which no id or ARN of Amazon Bedrock has"))
}

/// What is wrong with the path of a field, such as `properties.show`.
pub(super) fn wrong_path(path: &str) -> Option<String> {
    let plain = path.trim_start_matches("$.").trim_start_matches("event.");
    if plain != path {
        return Some(format!("\"{path}\" begins at the event itself: write {plain}"));
    }
    if path.contains(['[', ']', '*']) {
        let list = path.split(['[', '*']).next().unwrap_or_default().trim_end_matches('.');
        return Some(format!(
            "\"{path}\" names what is inside a list: write \"{list}\", and look into it in the prompt"
        ));
    }
    let is_wrong = |name: &str| name.trim() != name || name.is_empty();
    path.split('.').any(is_wrong).then(|| {
        format!("\"{path}\" has an empty name or a blank beside a dot: write e.g. properties.show")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_arns_pass_and_what_is_none_is_told() {
        for id in [
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0",
            "some.model+model-error:20:first=Harbour",
        ] {
            assert_eq!(wrong_model_id(id), None, "{id}");
        }
        for (id, told) in [("", "is empty"), (" ", "is empty"), ("a b", "a blank"), ("“a”", "“")]
        {
            let wrong = wrong_model_id(id).expect(id);
            assert!(wrong.contains(told), "{id}: {wrong}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_with_one_that_does() {
        for path in ["name", "properties.favourite show", "properties.größe", "properties.a_b-c"]
        {
            assert_eq!(wrong_path(path), None, "{path}");
        }
        for (path, told) in [
            ("a..b", "empty name"),
            ("", "empty name"),
            (".a", "empty name"),
            ("a.", "empty name"),
            ("a. b", "a blank beside a dot"),
            ("$.properties.a", "write properties.a"),
            ("event.name", "write name"),
            ("properties.list[0].a", "write \"properties.list\""),
            ("properties.list.*.a", "write \"properties.list\""),
        ] {
            let wrong = wrong_path(path).expect(path);
            assert!(wrong.contains(told), "{path}: {wrong}");
        }
    }
}
