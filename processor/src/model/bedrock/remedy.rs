//! What would mend a request that the service refuses, in words of `campaign.toml`.
//!
//! Which model takes what is known to the service only, so `campaigns check` cannot know it;
//! its messages name the part of the request. Read from messages that users of Bedrock report.

/// What to do about a refusal, by words in the service's message; the first that fit.
const REMEDIES: [(&[&str], &str); 20] = [
    (
        &["invalid_payment_instrument"],
        "give the account a valid method of payment, for AWS Marketplace",
    ),
    (
        &["use-case form"],
        "submit the use-case form for the model's provider in the Bedrock console",
    ),
    (&["use case"], "submit the use-case form for the model's provider in the Bedrock console"),
    (&["marketplace"], "let somebody who may subscribe in AWS Marketplace call the model once"),
    (&["explicit deny"], "a policy of the account or organisation denies it: ask who wrote it"),
    (&["caching"], "set cache_system = false: the account or model does not allow prompt caching"),
    (&["cachepoint"], "set cache_system = false: the model has no prompt caching"),
    (&["cache_control"], "set cache_system = false: the model has no prompt caching"),
    (&["temperature"], "remove temperature: the model does not take it"),
    (
        &["toolchoice"],
        "set structured_output = \"json-schema\": the model cannot be made to call a tool",
    ),
    (
        &["tool_choice"],
        "set structured_output = \"json-schema\": the model cannot be made to call a tool",
    ),
    (&["tool", "support"], "set structured_output = \"json-schema\": the model has no tools"),
    (&["outputconfig"], "set structured_output = \"tool\": the model has no structured output"),
    (&["output_config"], "set structured_output = \"tool\": the model has no structured output"),
    (
        &["structured output"],
        "set structured_output = \"tool\": the model has no structured output",
    ),
    (&["on-demand throughput"], "set model_id to an inference profile of the model, such as us.…"),
    (&["system message"], "choose another model: this one takes no standing instructions"),
    (&["maximum tokens"], "lower max_tokens: the model writes no more at once"),
    (&["max_tokens"], "lower max_tokens: the model writes no more at once"),
    (&["model identifier"], "correct model_id: there is no such model in this region"),
];

/// What would mend a refusal with this message, where that is known.
pub(super) fn remedy(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    let fitting =
        REMEDIES.iter().find(|(words, _)| words.iter().all(|word| message.contains(word)));
    fitting.map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words_of_the_campaign() {
        for (message, setting) in [
            ("This model doesn't support the temperature field. Remove it.", "temperature"),
            ("`temperature` is deprecated for this model.", "temperature"),
            ("This model doesn't support the toolConfig.toolChoice.tool field.", "json-schema"),
            ("This model doesn't support tool use.", "json-schema"),
            ("outputConfig is not supported by this model", "\"tool\""),
            (
                "Invocation of model ID x with on-demand throughput isn\u{2019}t supported",
                "profile",
            ),
            ("You do not have access to explicit prompt caching", "cache_system"),
            ("The maximum tokens you requested exceeds the model limit of 4096", "max_tokens"),
            ("The provided model identifier is invalid.", "model_id"),
            ("This model doesn't support system messages.", "another model"),
            ("Model use case details have not been submitted for this account.", "form"),
            (
                "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: subscribe",
                "method of payment",
            ),
            ("bedrock:InvokeModel on resource: r with an explicit deny in a policy", "policy"),
        ] {
            let said = remedy(message).unwrap_or_default();
            assert!(said.contains(setting), "{message}: {said}");
        }
        assert_eq!(remedy("Malformed input request"), None);
    }
}
