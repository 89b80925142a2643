//! What Braze's own tags say: calls, extras and the wish not to send.

use crate::suggestion::did_you_mean;

/// Answers the calls of `connected_content`, as far as that can be done here.
pub trait Calls {
    /// The body of the answer, or why there is none.
    fn answer(&self, call: &Call) -> Result<String, String>;

    /// What the author of a call should know of it, whatever its answer is.
    fn notes(&self, _: &Call) -> Vec<String> {
        Vec::new()
    }
}

/// What `connected_content` calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The address, rendered.
    pub url: String,
    /// Name of the variable that takes the answer.
    pub save: Option<String>,
    /// Name of the credentials in Braze.
    pub basic_auth: Option<String>,
    /// Name of a value in Braze that a header takes.
    pub auth_credentials: Option<String>,
    /// Its headers, as they are written.
    pub headers: Option<String>,
    /// Its method, if it is said.
    pub method: Option<String>,
}

/// Options with a value.
const WITH_VALUE: [&str; 9] = [
    ":save",
    ":basic_auth",
    ":auth_credentials",
    ":headers",
    ":cache_max_age",
    ":cache",
    ":method",
    ":body",
    ":content_type",
];

/// Options without one.
const ALONE: [&str; 2] = [":no_cache", ":retry"];

/// The methods that Braze has.
const METHODS: [&str; 2] = ["get", "post"];

/// Longest keys and values of all `message_extras` together, in bytes.
/// <https://www.braze.com/docs/user_guide/personalization_and_dynamic_content/liquid/advanced_filters/message_extras>
const MAX_EXTRAS_BYTES: usize = 1_000;

/// Reads the arguments of `connected_content`; values may hold outputs, which are rendered by
/// whoever calls.
pub(crate) fn call(arguments: &str) -> Result<Call, String> {
    let mut words = words(arguments)?.into_iter().peekable();
    let url = words
        .next()
        .filter(|url| !url.starts_with(':'))
        .ok_or("connected_content calls no address")?;
    let mut call = Call { url, ..Call::default() };
    while let Some(option) = words.next() {
        if ALONE.contains(&option.as_str()) {
            continue;
        }
        if !WITH_VALUE.contains(&option.as_str()) {
            let known = WITH_VALUE.iter().chain(&ALONE).copied();
            return Err(format!(
                "connected_content has no option {option}{}",
                did_you_mean(&option, known)
            ));
        }
        let value = words.next_if(|value| !value.starts_with(':'));
        let value = value
            .ok_or_else(|| format!("the option {option} of connected_content needs a value"))?;
        match option.as_str() {
            ":save" if !is_name(&value) => {
                return Err(format!("connected_content saves as {value}, which is no name"));
            }
            ":save" => call.save = Some(value),
            ":basic_auth" => call.basic_auth = Some(value),
            ":method" if !METHODS.contains(&value.to_lowercase().as_str()) => {
                return Err(format!("connected_content has no method {value}: get or post"));
            }
            ":cache_max_age" if value.parse::<u32>().is_err() && !value.contains("{{") => {
                return Err(format!(":cache_max_age is a number of seconds, and not {value}"));
            }
            ":auth_credentials" => call.auth_credentials = Some(value),
            ":headers" => call.headers = Some(value),
            ":method" => call.method = Some(value),
            _ => {}
        }
    }
    Ok(call)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Words between blanks; an output and a JSON object are one word whatever is in them.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let (mut word, mut depth) = (String::new(), 0_usize);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c.is_whitespace() && depth == 0 {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if depth > 0 {
        return Err("connected_content has a brace that is not closed".to_owned());
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    Ok(words)
}

/// The key and the value of `message_extras`, as they are written.
pub(crate) fn extras(arguments: &str) -> Result<(&str, &str), String> {
    let wrong = "message_extras is written :key name :value text";
    let rest = arguments.strip_prefix(":key").ok_or(wrong)?;
    let (key, value) = rest.split_once(":value").ok_or(wrong)?;
    if key.trim().is_empty() {
        return Err(wrong.to_owned());
    }
    Ok((key.trim(), value.trim()))
}

/// The reason of `abort_message`: a text in brackets, or none.
pub(crate) fn reason(arguments: &str) -> Result<String, String> {
    if arguments.is_empty() {
        return Ok(String::new());
    }
    let inside = arguments.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inside = inside.ok_or("abort_message is written abort_message('the reason')")?.trim();
    let between = |quote: char| inside.strip_prefix(quote)?.strip_suffix(quote);
    Ok(between('"').or_else(|| between('\'')).unwrap_or(inside).to_owned())
}

/// The name of the content block that an output is.
pub(crate) fn content_block(expression: &str) -> Option<&str> {
    let (name, rest) = expression.strip_prefix("content_blocks.${")?.split_once('}')?;
    // Braze writes `| id: 'cb1'` behind a block that is inserted in its editor.
    let rest = rest.trim_start().strip_prefix('|').unwrap_or(rest).trim_start();
    let is_only_block = rest.is_empty() || rest.starts_with("id:");
    (is_only_block && !name.contains('|')).then_some(name.trim())
}

/// What is said of extras that are too long for the event that takes them.
pub(crate) fn too_long(extras: &[(String, String)]) -> Option<String> {
    let bytes: usize = extras.iter().map(|(key, value)| key.len() + value.len()).sum();
    (bytes > MAX_EXTRAS_BYTES).then(|| {
        format!(
            "message_extras come to {bytes} bytes of keys and values, and Braze takes {MAX_EXTRAS_BYTES} in all: shorten them"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_loses_its_own_quotes_and_no_others() {
        for (written, reason) in [
            ("", ""),
            ("()", ""),
            ("('no content')", "no content"),
            ("( \"it's gone\" )", "it's gone"),
            ("('it's gone')", "it's gone"),
            ("(\"he said 'no'\")", "he said 'no'"),
            ("('')", ""),
            ("(bare)", "bare"),
            ("(')", "'"),
        ] {
            assert_eq!(super::reason(written).as_deref(), Ok(reason), "{written}");
        }
        assert!(super::reason(" 'why'").is_err());
    }

    #[test]
    fn a_call_knows_what_it_brings_to_show_who_calls() {
        let written = "https://a/ :headers { \"X-A\": \"b c\" } :method POST :save r \
                       :auth_credentials token";

        let call = call(written).expect("is right");

        assert_eq!(call.headers.as_deref(), Some("{ \"X-A\": \"b c\" }"));
        assert_eq!(call.method.as_deref(), Some("POST"));
        assert_eq!(call.auth_credentials.as_deref(), Some("token"));
        assert_eq!((call.basic_auth, call.save.as_deref()), (None, Some("r")));
    }
}
