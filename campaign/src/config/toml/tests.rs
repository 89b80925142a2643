use super::*;

/// A file without faults.
const RIGHT: &str = "model_id = \"us.anthropic.claude\"\n\
    max_tokens = 400\n\
    temperature = 0.6\n\
    ttl_days = 7\n\
    fields = [\"properties.show\", \"properties.total\"]\n\
    [trigger]\n\
    event_types = [\"users.behaviors.CustomEvent\"]\n\
    when = 'event.name == \"watched\"'\n\
    [price]\n\
    usd_per_million_input_tokens = 1.00\n\
    usd_per_million_output_tokens = 5.00\n";

/// What is said of a file, a line for each fault.
pub(super) fn said(text: &str) -> String {
    let (_, _, faults) = read(text);
    let line = |line: Option<usize>| line.map_or("-".to_owned(), |line| line.to_string());
    faults.iter().map(|(at, reason)| format!("{}: {reason}\n", line(*at))).collect()
}

fn changed(from: &str, to: &str) -> String {
    assert!(RIGHT.contains(from), "{from}");
    said(&RIGHT.replacen(from, to, 1))
}

#[test]
fn the_file_that_is_changed_below_has_no_faults() {
    assert_eq!(said(RIGHT), "");
    assert_eq!(said(&RIGHT.replace('\n', "\r\n")), "");
}

#[test]
fn what_is_no_toml_is_said_once_with_what_would_be_right() {
    for (from, to, expected) in [
        (
            "\"us.anthropic.claude\"",
            "“us.anthropic.claude”",
            "1: has a curly quote “: write a straight one, \"\n",
        ),
        (
            "\"us.anthropic.claude\"",
            "us.anthropic.claude",
            "1: a text stands in quotes: write model_id = \"us.anthropic.claude\"\n",
        ),
        (
            "\"us.anthropic.claude\"",
            "\"us.anthropic.claude",
            "1: a text has no \" that closes it\n",
        ),
        ("\"us.anthropic.claude\"", "", "1: model_id has no value behind its =\n"),
        (
            "max_tokens = 400",
            "max_tokens: 400",
            "2: has a : behind a name: write max_tokens = value\n",
        ),
        (
            "max_tokens = 400",
            "max_tokens 400",
            "2: max_tokens 400 has no value: write max_tokens 400 = ...\n",
        ),
        ("= 400", "= 400;", "2: has a ; at its end: write max_tokens = 400\n"),
        ("= 400", "= 400 // few", "2: a comment begins with #, and not with //\n"),
        ("= 400", "= 400 tokens", "2: 400 tokens is no number: write 400\n"),
        ("= 400", "= 4,000", "2: 4,000 is no number: write 4000, or 4.000\n"),
        ("= 0.6", "= 0,6", "3: 0,6 is no number: write 0.6\n"),
        ("= 0.6", "= .6", "3: .6 is no number: write 0.6\n"),
        ("= 0.6", "= 60%", "3: 60% is no number: write 60, or 0.6\n"),
        ("= 5.00", "= $5.00", "11: $5.00 is no number: write 5.00\n"),
        ("ttl_days = 7", "ttl_days = 7\ncache_system = True", "5: True is no value: write true\n"),
        (
            "ttl_days = 7",
            "ttl_days = 7\nhistory = None",
            "5: None is no value: remove the line, or write a value\n",
        ),
        ("\", \"", "\" \"", "5: two entries of a list have no comma between them\n"),
        (
            "[\"properties.show\", \"properties.total\"]",
            "[properties.show]",
            "5: a text stands in quotes: write fields = [\"properties.show\"]\n",
        ),
        (
            "\"properties.show\", ",
            "\n  properties.show,\n",
            "6: a text stands in quotes: write \"properties.show\"\n",
        ),
        ("[trigger]", "[trigger", "6: the name of a table stands in brackets, such as [trigger]\n"),
        (
            "\"watched\"'",
            "'watched''",
            "8: a text ends at its second ': write double quotes inside single ones\n",
        ),
        (
            "'event.name == \"watched\"'",
            "\"event.name == \"watched\"\"",
            "8: a text ends at its second \": put the whole into single quotes, '...'\n",
        ),
        (
            "'event.name == \"watched\"'",
            "\"event.name == '\\Users'\"",
            "8: \\ begins an escape in double quotes: put the text into single quotes, '...'\n",
        ),
        ("ttl_days = 7", "ttl_days = 7\nttl_days = 8", "5: ttl_days stands twice: remove one\n"),
        (
            "[price]",
            "[trigger]\n[price]",
            "9: [trigger] stands twice: put all of its settings into one\n",
        ),
        (
            "ttl_days = 7",
            "<<<<<<< ours\nttl_days = 7",
            "4: has marks of a merge conflict: keep one side, and remove the marks\n",
        ),
    ] {
        assert_eq!(changed(from, to), expected, "{to}");
    }
    assert_eq!(
        said("{\n  \"model_id\": \"a.b\",\n  \"max_tokens\": 4\n}\n"),
        "1: is JSON: write TOML, a setting a line, such as max_tokens = 400\n"
    );
    assert_eq!(
        said("model_id: a.b\nmax_tokens: 4\nfields: [\n\"a\"]\nttl_days: 7\n"),
        "1: is YAML: write TOML, with = behind a name, and tables as [trigger]\n"
    );
    let yaml = said("model_id: a.b\nfields:\n  - properties.show\n");
    assert!(yaml.contains("2: has a : behind a name: a table is written [fields]"), "{yaml}");
    assert!(yaml.contains("3: a list is written"), "{yaml}");
}

#[test]
fn a_value_of_another_kind_is_said_with_the_one_that_would_be_right() {
    for (from, to, expected) in [
        ("= 400", "= \"400\"", "2: max_tokens must be a whole number, without quotes: write 400\n"),
        ("= 400", "= 400.0", "2: max_tokens must be a whole number, without a point: write 400\n"),
        ("= 400", "= 400.5", "2: max_tokens must be a whole number, and not 400.5\n"),
        ("= 400", "= -1", "2: max_tokens must be a whole number, 0 or more, and not -1\n"),
        (
            "= 400",
            "= \"many\"",
            "2: max_tokens must be a whole number, and not the text \"many\"\n",
        ),
        ("= 400", "= [400]", "2: max_tokens must be a whole number, and not a list\n"),
        ("= 7", "= \"7 days\"", "4: ttl_days must be a whole number, without quotes: write 7\n"),
        ("= 0.6", "= \"0,6\"", "3: temperature must be a number, without quotes: write 0.6\n"),
        ("= 0.6", "= \"60%\"", "3: temperature must be a number, without quotes: write 0.6\n"),
        (
            "= 5.00",
            "= \"$5.00\"",
            "11: usd_per_million_output_tokens must be a number, without quotes: write 5.00\n",
        ),
        ("\"us.anthropic.claude\"", "7", "1: model_id must be a text in quotes: write \"7\"\n"),
        (
            "\"us.anthropic.claude\"",
            "[\"a.b\"]",
            "1: model_id must be a text in quotes, without brackets: write \"a.b\"\n",
        ),
        (
            "[\"properties.show\", \"properties.total\"]",
            "\"properties.show\"",
            "5: fields must be a list of texts: write [\"properties.show\"]\n",
        ),
        (
            "[\"properties.show\", \"properties.total\"]",
            "[\"a\", 7]",
            "5: fields must be a list of texts, and 7 is none\n",
        ),
        (
            "= 7",
            "= 7\ncache_system = \"True\"",
            "5: cache_system must be true or false, without quotes: write true\n",
        ),
        ("= 7", "= 7\ncache_system = 1", "5: cache_system must be true or false, and not 1\n"),
        (
            "= 7",
            "= 7\nstructured_output = \"json\"",
            "5: structured_output must be \"json-schema\" or \"tool\", and not \"json\"\n",
        ),
        ("= 7", "= 7\npriority = 1.5", "5: priority must be a whole number, and not 1.5\n"),
        ("[price]", "[[price]]", "9: price must be one table: [price]\n"),
    ] {
        assert_eq!(changed(from, to), expected, "{to}");
    }
}

#[test]
fn a_setting_that_stands_elsewhere_is_said_with_where_it_belongs() {
    let at_end = |moved: &str| said(&(RIGHT.replacen(moved, "", 1) + moved));
    assert_eq!(
        at_end("ttl_days = 7\n"),
        "11: ttl_days stands in [price]: it belongs above the first [table]\n"
    );
    assert_eq!(
        at_end("event_types = [\"users.behaviors.CustomEvent\"]\n"),
        "11: event_types stands in [price]: it belongs into [trigger]\n"
    );
    for (from, to, expected) in [
        (
            "[trigger]\n",
            "",
            "6: event_types belongs into [trigger]\n7: when belongs into [trigger]\n",
        ),
        ("[trigger]", "[triggers]", "6: unknown table [triggers]: did you mean [trigger]?\n"),
        (
            "model_id",
            "[model]\nmodel_id",
            "1: unknown table [model]: fields, max_tokens, model_id, temperature, ttl_days belong above the first [table]\n",
        ),
        ("[price]", "[tags]\na = 1\n[price]", "9: unknown table [tags]: remove it\n"),
        (
            "[price]",
            "[trigger.price]",
            "9: price stands in [trigger]: begin a table of its own, [price]\n",
        ),
        ("max_tokens", "max_token", "2: unknown setting \"max_token\": did you mean max_tokens?\n"),
        ("model_id", "modelId", "1: unknown setting \"modelId\": did you mean model_id?\n"),
        (
            "event_types",
            "event_type",
            "7: unknown setting \"event_type\": did you mean event_types?\n",
        ),
        ("ttl_days", "top_p = 1\nttl_days", "4: unknown setting \"top_p\": remove or rename it\n"),
        (
            "ttl_days",
            "usd_per_dy = 1\nttl_days",
            "4: unknown setting \"usd_per_dy\": did you mean usd_per_day in [budget]?\n",
        ),
        ("ttl_days = 7", "", "-: ttl_days is missing\n"),
    ] {
        assert_eq!(changed(from, to), expected, "{to}");
    }
}

#[test]
fn an_event_type_with_a_blank_is_said_without() {
    for (written, right) in [
        ("users.behaviors.CustomEvent ", "users.behaviors.CustomEvent"),
        ("Custom Event", "e.g. users.behaviors.CustomEvent"),
        ("", "e.g. users.behaviors.CustomEvent"),
    ] {
        assert_eq!(
            changed("users.behaviors.CustomEvent", written),
            format!("7: event_types: \"{written}\" is no event type: write {right}\n")
        );
    }
}

#[test]
fn a_budget_in_dollars_wants_a_price_and_says_nothing_of_one_that_is_wrong() {
    let budget = "[budget]\nusd_per_day = 25.00\n";
    let without_price = RIGHT.split("[price]").next().unwrap_or_default();

    assert_eq!(said(&(RIGHT.to_owned() + budget)), "");
    assert_eq!(
        said(&(without_price.to_owned() + budget)),
        "10: a budget in dollars needs a [price]\n"
    );
    assert_eq!(
        said(&(RIGHT.replacen("usd_per_million_output_tokens = 5.00\n", "", 1) + budget)),
        "9: usd_per_million_output_tokens is missing\n"
    );
}

#[test]
fn a_path_that_is_wrong_is_one_fault_and_stands_for_what_was_meant() {
    let text = RIGHT.replacen("\"properties.show\"", "\"$['properties']['show']\"", 1);
    let text = text.replacen("ttl_days", "required = [\"properties.show\"]\nttl_days", 1);

    let (_, named, faults) = read(&text);

    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].1.ends_with("write properties.show"), "{faults:?}");
    let paths = named.paths().expect("are there");
    assert!(paths.contains("properties.show"), "{paths:?}");
}

#[test]
fn what_is_required_is_looked_for_among_the_fields() {
    let required = |path: &str| changed("ttl_days", &format!("required = [\"{path}\"]\nttl_days"));

    assert_eq!(required("properties.show"), "");
    assert_eq!(
        required("properties.shows"),
        "4: required: \"properties.shows\" is not among fields: did you mean properties.show?\n"
    );
    assert_eq!(required("name"), "4: required: \"name\" is not among fields: add it there\n");
    assert!(required("event.name").contains("write name"), "{}", required("event.name"));
}

#[test]
fn a_condition_knows_its_line_however_it_is_quoted() {
    for (written, line, text) in [
        ("'a'", 8, "a"),
        ("\"\"\"a\"\"\"", 8, "a"),
        ("'''\na\n'''", 9, "a\n"),
        ("\"\"\"\r\na\"\"\"", 9, "a"),
    ] {
        let file = RIGHT.replacen("'event.name == \"watched\"'", written, 1);
        let when = read(&file).1.when.expect("is there");
        assert_eq!((when.line, when.text.as_str()), (line, text), "{written}");
    }
    let (_, named, faults) = read(&RIGHT.replacen("'event.name == \"watched\"'", "'  '", 1));
    assert_eq!(named.when, None);
    assert_eq!(faults, [(Some(8), "when is empty: write a condition, or remove it".to_owned())]);
}

#[test]
fn what_can_wait_says_for_how_long_and_goes_without_what_jobs_have_not() {
    let with = |before: &str, batch: &str| said(&format!("{before}{RIGHT}{batch}"));
    let batch = "[batch]\nwithin_hours = 6\n";

    assert_eq!(with("", batch), "");
    let (config, _, _) = read(&format!("{RIGHT}{batch}"));
    assert_eq!(config.and_then(|config| config.batch_within_hours), Some(6));
    assert!(with("", "[batch]\n").contains("within_hours"));
    for hours in ["0", "49", "1.5", "\"6\""] {
        let told = with("", &format!("[batch]\nwithin_hours = {hours}\n"));
        assert!(told.contains("within_hours"), "{hours}: {told}");
    }
    for (before, after, named) in [
        ("structured_output = \"tool\"\n", "", "structured_output = \"tool\""),
        ("cache_system = true\n", "", "cache_system"),
        ("", "[guardrail]\nid = \"g1\"\nversion = \"1\"\n", "a [guardrail]"),
    ] {
        let told = with(before, &format!("{batch}{after}"));
        assert!(told.contains(&format!("[batch] goes without {named}")), "{named}: {told}");
    }
    assert!(with("within_hours = 6\n", "").contains("within_hours belongs into [batch]"));
}
