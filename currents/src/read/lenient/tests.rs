use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LEVELS: usize = 8;

fn read(text: &str) -> Option<(Value, Soundness)> {
    let mut out = b"before".to_vec();
    let soundness = write(text, LEVELS, &mut out);
    let Some(soundness) = soundness else {
        assert_eq!(out, b"before", "{text}");
        return None;
    };
    let written = &out[b"before".len()..];
    let value = serde_json::from_slice(written);
    Some((value.unwrap_or_else(|error| panic!("{text}: {error}")), soundness))
}

#[track_caller]
fn mended(text: &str) -> Value {
    let (value, soundness) = read(text).unwrap_or_else(|| panic!("{text}"));
    assert_ne!(soundness, Soundness::Sound, "{text}");
    value
}

#[track_caller]
fn sound(text: &str) -> Value {
    let (value, soundness) = read(text).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(soundness, Soundness::Sound, "{text}");
    value
}

#[test]
fn what_is_not_json_costs_itself_only() {
    for (bad, value) in [
        (r#""cut \ud83d""#, json!("cut \u{fffd}")),
        (r#""\ude00 low""#, json!("\u{fffd} low")),
        (r#""\ud83d\u0041""#, json!("\u{fffd}A")),
        (r#""\ud83d\ud83d\ude00""#, json!("\u{fffd}😀")),
        (r#""\uD83D\n""#, json!("\u{fffd}\n")),
        (r#""\u12""#, json!("\u{fffd}")),
        (r#""\u12G4""#, json!("\u{fffd}G4")),
        (r#""C:\users""#, json!("C:users")),
        ("\"a\nb\tc\u{0}\"", json!("a\nb\tc\u{0}")),
        (r#""\x41\'\q\U0001F600""#, json!("A'q😀")),
        (r#""\x4""#, json!("x4")),
        ("\"one \\\n line\"", json!("one  line")),
        ("'it\"s'", json!("it\"s")),
        (r#"'it\'s'"#, json!("it's")),
        ("'Grey's Anatomy'", json!("Grey's Anatomy")),
        (r#""he said "hi" to me""#, json!("he said \"hi\" to me")),
        ("u'text'", json!("text")),
        ("b\"text\"", json!("text")),
        ("+1", json!(1)),
        ("007", json!(7)),
        ("-007", json!(-7)),
        ("-.5", json!(-0.5)),
        ("5.", json!(5)),
        ("5.e1", json!(50.0)),
        ("0x1F", json!(31)),
        ("NaN", json!(null)),
        ("-Infinity", json!(null)),
        ("inf", json!(null)),
        ("undefined", json!(null)),
        ("None", json!(null)),
        ("True", json!(true)),
        ("FALSE", json!(false)),
        ("Harbour Lights", json!("Harbour Lights")),
        ("1.2.3", json!("1.2.3")),
        ("2026-01-02T03:04:05Z", json!("2026-01-02T03:04:05Z")),
        ("datetime.date(2026, 1, 2)", json!("datetime.date(2026, 1, 2)")),
        ("", json!(null)),
        ("[1,,3]", json!([1, null, 3])),
        ("[1,2,]", json!([1, 2])),
        ("[1 \"a\"]", json!([1, "a"])),
        ("{\"a\":1,}", json!({ "a": 1 })),
        ("{\"a\"}", json!({})),
        ("{\"x\\ud83d\":1}", json!({ "x\u{fffd}": 1 })),
        ("[[[[[[[[1]]]]]]]]", json!([[[[[[[null]]]]]]])),
        ("[[[[[[[{\"a\":\"]}\"}]]]]]]]", json!([[[[[[[null]]]]]]])),
    ] {
        let text = format!(r#"{{"before":1,"bad":{bad},"after":"x"}}"#);

        assert_eq!(mended(&text), json!({ "before": 1, "bad": value, "after": "x" }), "{text}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    for (number, value) in [
        ("9223372036854775808", json!(9_223_372_036_854_775_808_u64)),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!("18446744073709551616")),
        ("-9223372036854775808", json!(i64::MIN)),
        ("-9223372036854775809", json!("-9223372036854775809")),
        ("12345678901234567890123.5", json!("12345678901234567890123.5")),
        ("12345678901234567.0", json!("12345678901234567.0")),
        ("0.1234567890123456789", json!("0.1234567890123456789")),
        ("1e999", json!("1e999")),
        ("-1E-999", json!("-1E-999")),
        ("1e99999999999999999999", json!("1e99999999999999999999")),
        ("0e99", json!(0.0)),
        ("1e20", json!(1e20)),
        ("1.50", json!(1.5)),
        ("100000000000000000000.0", json!(1e20)),
        ("0.30000000000000004", json!(0.30000000000000004)),
        ("52.520006599999998", json!(52.520006599999998)),
        // A float, printed with more digits than it has.
        ("0.1000000000000000055511151231257827", json!(0.1)),
        ("0.10000000000000001", json!(0.1)),
        ("5e-324", json!(5e-324)),
        ("1.7976931348623157e308", json!(f64::MAX)),
    ] {
        let text = format!("{{\"n\":{number}}}");

        assert_eq!(sound(&text)["n"], value, "{number}");
    }
    let long = format!("[0.{}]", "1".repeat(5_000));
    assert!(sound(&long)[0].is_string());
}

#[test]
fn what_came_whole_before_the_end_of_a_text_that_was_cut_survives() {
    let whole = json!({ "a": 1, "b": { "c": [1, 2] } });
    for cut in [
        r#"{"a":1,"b":{"c":[1,2],"d":"te"#,
        r#"{"a":1,"b":{"c":[1,2],"d":"te\"#,
        r#"{"a":1,"b":{"c":[1,2],"d"#,
        r#"{"a":1,"b":{"c":[1,2],"d":"#,
        r#"{"a":1,"b":{"c":[1,2],"d":12"#,
        r#"{"a":1,"b":{"c":[1,2],"d":tru"#,
        r#"{"a":1,"b":{"c":[1,2],"d":{"e":["#,
        r#"{"a":1,"b":{"c":[1,2]"#,
        r#"{"a":1,"b":{"c":[1,2],"#,
        r#"{"a":1,"b":{"c":[1,2],"d":"\ud8"#,
        r#"{"a":1,"b":{"c":[1,2],x"#,
    ] {
        assert_eq!(mended(cut), whole, "{cut}");
    }
}

#[test]
fn marks_between_values_are_read_as_they_are_meant() {
    for text in [
        "\u{feff}{\"a\":1,\"b\":[2]}",
        "{\"a\":1,\"b\":[2,],}",
        "{\"a\":1,,\"b\":[2]}",
        "{,\"a\":1,\"b\":[2]}",
        "{\"a\":1 \"b\":[2]}",
        "{\"a\":1 /* one */,\"b\":[2]} // end",
        "{\"a\":1 // one\n,\"b\":[2]}",
        "{a:1,'b':[2]}",
        "{u'a': 1, u'b': [2]}",
        "{:a=>1, :b=>[2]}",
        "{a=1, b=[2]}",
        "{\"a\":1,\"b\":[2]}\u{0}",
        "{\"a\":1,\"b\":[2]} {}",
        "{\u{a0}\"a\":1,\"b\":[2]}",
        "{\"a\":1],\"b\":[2]}",
        "{\"a\":1,\"b\":[2}",
        "{\"a\":1,{\"x\":9},\"b\":[2]}",
        "{\"a\":1,:,\"b\":[2]}",
        "{\"a\":1,lost,\"b\":[2]}",
        "{\"a\":1,\"b\":[2]",
    ] {
        assert_eq!(mended(text), json!({ "a": 1, "b": [2] }), "{text}");
    }
}

#[test]
fn of_a_name_that_comes_twice_the_last_stands() {
    assert_eq!(sound(r#"{"a":1,"a":2}"#), json!({ "a": 2 }));
    assert_eq!(mended(r#"{"a":1,"a":NaN}"#), json!({ "a": null }));
    assert_eq!(sound(r#"{"a":{"b":1},"a":{"c":"\u0041"}}"#), json!({ "a": { "c": "A" } }));
}

#[test]
fn text_that_holds_nothing_is_not_read() {
    for text in
        ["", " ", "hello", "nul", "(a)", "{not json", "{", "[", "\"cut", "a{b:1}", "1 2", "{1"]
    {
        assert_eq!(read(text), None, "{text}");
    }
    for text in ["\"text\"", "12", "-0.5", "true", "null", "{}", "[]", "[null]"] {
        assert_eq!(sound(text), serde_json::from_str::<Value>(text).expect("is JSON"));
    }
}

#[test]
fn hostile_texts_take_time_by_their_length() {
    const LENGTH: usize = 300_000;
    for piece in [
        "[",
        "{",
        "{\"a\":",
        "\"",
        "\" ",
        "'",
        "/*",
        "/",
        "[}",
        "{]",
        "(",
        ",",
        ":",
        "=",
        "a",
        "\\",
        "\u{a0}",
        "{\"a\" ",
        "\"a\"\"",
        "[1e",
        "0.1234567890123456789,",
    ] {
        for start in ["{", "[", "{\"a\":\"", "{\"a\":"] {
            let text = format!("{start}{}", piece.repeat(LENGTH / piece.len()));
            read(&text);
        }
    }
}

fn text_near_json() -> impl Strategy<Value = String> {
    "[\\[\\]{}:,\"'a\\\\u0d8-9.eE+/*N=(\u{1}\u{e9}\u{feff} ]{0,40}"
}

proptest! {
    #[test]
    fn whatever_is_read_is_json_of_bounded_depth(text in text_near_json()) {
        for text in [format!("{{{text}"), format!("[{text}"), text] {
            if let Some((value, _)) = read(&text) {
                prop_assert!(depth(&value) <= LEVELS, "{}", text);
            }
        }
    }

    #[test]
    fn a_text_cut_anywhere_keeps_what_came_whole(
        members in proptest::collection::vec(("[a-z\"\\\\]{1,6}", any_value()), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut text = "{".to_owned();
        let mut ends = Vec::new();
        for (name, value) in &members {
            text.push_str(&format!("{}:{value}", json!(name)));
            ends.push(text.len());
            text.push(',');
        }
        let cut = cut.index(text.len());
        let whole = members.iter().zip(ends).filter(|(_, end)| *end < cut);
        let mut expected = serde_json::Map::new();
        for ((name, value), _) in whole {
            expected.insert(name.clone(), value.clone());
        }
        prop_assume!(text.is_char_boundary(cut) && !expected.is_empty());
        let (read, _) = read(&text[..cut]).expect("holds something");

        let read = read.as_object().expect("is an object");
        for (name, value) in &expected {
            // A name that comes again can have been cut in the middle of a list.
            let comes_again = members.iter().filter(|(other, _)| other == name).count() > 1;
            prop_assert!(comes_again || read.get(name) == Some(value), "{}", &text[..cut]);
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        proptest::collection::vec(".{0,3}".prop_map(Value::from), 0..3).prop_map(Value::from),
        Just(json!({ "b": { "c": "d" } })),
    ]
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
