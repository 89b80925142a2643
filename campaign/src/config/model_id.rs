//! Ids of models, inference profiles and guardrails: what is wrong with one, and what is
//! seldom meant by one.

/// Longest id or ARN of a model that the service takes.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
const MAX_ID_CHARS: usize = 2_048;

/// How the ids of inference profiles begin: where their regions lie.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>
const REGIONS: [&str; 9] = ["us", "eu", "apac", "global", "us-gov", "jp", "au", "ca", "sa"];

/// Providers of models. There are others, so only what is like one of them is told.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>
const PROVIDERS: [&str; 10] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "meta",
    "mistral",
    "openai",
    "qwen",
];

/// Parts of an ARN, such as `arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b`.
const ARN_PARTS: usize = 6;

/// Digits of an account.
const ACCOUNT_DIGITS: usize = 12;

/// What is wrong with the id of a model, an inference profile or a guardrail.
pub(super) fn wrong(id: &str) -> Option<String> {
    if id.trim().is_empty() {
        return Some("is empty: write an id or an ARN of Amazon Bedrock".to_owned());
    }
    if id.len() > MAX_ID_CHARS {
        return Some(format!("has more than {MAX_ID_CHARS} characters"));
    }
    // A `+` and what follows are orders to the stand-in.
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:/+=,".contains(c);
    let wrong = id.chars().find(|&c| !is_allowed(c))?;
    let name = match wrong {
        ' ' | '\t' | '\n' | '\r' => "a blank".to_owned(),
        // Nobody sees what is wrong with a hyphen that is none.
        wrong if !wrong.is_ascii() => format!("\"{wrong}\" (U+{:04X})", u32::from(wrong)),
        wrong => format!("\"{wrong}\""),
    };
    Some(format!("holds {name}, which no id or ARN of Amazon Bedrock has"))
}

/// What is odd about the id of a model, which may be right all the same: the service knows
/// ids that nobody here does.
pub(crate) fn odd(id: &str) -> Option<String> {
    let id = id.split('+').next().unwrap_or_default();
    if id.starts_with("arn:") {
        return odd_arn(id).map(|odd| format!("model_id {odd}"));
    }
    if id.starts_with("http:") || id.starts_with("https:") {
        return Some(
            "model_id is an address: write the id of a model, such as us.anthropic.claude-..."
                .into(),
        );
    }
    if let Some((prefix, rest)) = id.rsplit_once('/') {
        return Some(format!(
            "model_id begins with \"{prefix}/\", which another tool wants: write {rest}"
        ));
    }
    if !id.contains(['.', ':']) {
        return Some(format!(
            "model_id \"{id}\" names no provider: ids are written as anthropic.claude-..., inference profiles as us.anthropic.claude-..."
        ));
    }
    if id.chars().any(|c| c.is_ascii_uppercase()) {
        let lower = id.to_lowercase();
        return Some(format!("model_id has capitals, and ids have none: write {lower}"));
    }
    odd_prefix(id)
}

fn odd_prefix(id: &str) -> Option<String> {
    let (first, rest) = id.split_once('.')?;
    let second = rest.split('.').next().unwrap_or_default();
    if REGIONS.contains(&first) && REGIONS.contains(&second) {
        return Some(format!("model_id names two places, {first} and {second}: write {rest}"));
    }
    // `us-east-1`
    let is_region = first.split('-').count() >= 3
        && first.ends_with(|c: char| c.is_ascii_digit())
        && first.starts_with(|c: char| c.is_ascii_lowercase());
    if is_region {
        let place = first.split('-').next().unwrap_or_default();
        return Some(format!(
            "model_id begins with a region: inference profiles begin with where their regions lie, such as {place}.{rest}"
        ));
    }
    let (provider, behind) =
        if REGIONS.contains(&first) { (second, first.len() + 1) } else { (first, 0) };
    let meant = dialect::misspelt(provider, PROVIDERS)?;
    let rest = &id[behind + provider.len()..];
    Some(format!(
        "model_id names the provider {provider}: did you mean {}{meant}{rest}?",
        &id[..behind]
    ))
}

fn odd_arn(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
    let written = "arn:aws:bedrock:REGION:ACCOUNT:inference-profile/ID";
    let &[_, _, service, _, account, resource] = parts.as_slice() else {
        return Some(format!("is the beginning of an ARN: write all of it, {written}"));
    };
    // Models of the marketplace run on endpoints of their own.
    let is_endpoint = service == "sagemaker" && resource.starts_with("endpoint/");
    if service != "bedrock" && !is_endpoint {
        return Some(format!(
            "is an ARN of {service}, and not of a model of Amazon Bedrock: write {written}"
        ));
    }
    if resource.split_once('/').is_none_or(|(_, id)| id.is_empty()) {
        return Some(format!(
            "is an ARN that names nothing behind \"{resource}\": write {written}"
        ));
    }
    let is_account = account.len() == ACCOUNT_DIGITS && account.chars().all(|c| c.is_ascii_digit());
    (!account.is_empty() && !is_account).then(|| {
        format!("has \"{account}\" where an ARN has the {ACCOUNT_DIGITS} digits of an account")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_arns_pass_and_what_is_none_is_told() {
        for id in [
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us-gov.anthropic.claude-3-haiku-20240307-v1:0",
            "amazon.nova-lite-v1:0",
            "zai.glm-4.6",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            "arn:aws:sagemaker:us-east-1:123456789012:endpoint/a",
            "some.model+model-error:20:first=Harbour",
            "anthropic.model+first=Harbour/Lights",
        ] {
            assert_eq!((wrong(id), odd(id)), (None, None), "{id}");
        }
        for (id, told) in [
            ("", "is empty"),
            (" ", "is empty"),
            ("a b", "a blank"),
            ("“a”", "\"“\" (U+201C)"),
            ("a.b\u{200b}", "(U+200B)"),
            ("a.b–c", "(U+2013)"),
            ("<account>.a", "\"<\""),
        ] {
            let wrong = wrong(id).expect(id);
            assert!(wrong.contains(told), "{id}: {wrong}");
        }
    }

    #[test]
    fn ids_of_other_tools_and_cut_ones_are_told_with_what_would_be_right() {
        for (id, told) in [
            ("https://bedrock-runtime.us-east-1.amazonaws.com", "is an address"),
            ("arn:aws:iam::123456789012:role/model", "is an ARN of iam"),
            ("arn:aws:bedrock:us-east-1:123456789012", "is the beginning of an ARN"),
            ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/", "names nothing behind"),
            ("arn:aws:bedrock:us-east-1:123456789012:inference-profile", "names nothing behind"),
            ("arn:aws:bedrock:us-east-1:12345:inference-profile/a.b", "the 12 digits"),
            ("bedrock/us.anthropic.claude", "another tool wants: write us.anthropic.claude"),
            ("litellm/bedrock/us.anthropic.claude", "wants: write us.anthropic.claude"),
            ("us.us.anthropic.claude", "names two places, us and us: write us.anthropic.claude"),
            ("us-east-1.anthropic.claude", "such as us.anthropic.claude"),
            ("us.Anthropic.Claude", "write us.anthropic.claude"),
            ("us.antropic.claude", "did you mean us.anthropic.claude?"),
            ("amazn.nova", "did you mean amazon.nova?"),
            ("claude-haiku", "names no provider"),
        ] {
            assert_eq!(wrong(id), None, "{id}");
            let odd = odd(id).expect(id);
            assert!(odd.contains(told), "{id}: {odd}");
        }
    }
}
