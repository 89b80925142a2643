use serde_json::json;

use super::*;

fn holds(text: &str, fields: Value) -> Result<bool, NotEvaluated> {
    let condition = Expression { text: text.to_owned(), line: 1 };
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    let event = Event { id: "e1".to_owned(), time: 1_700_000_000, fields };
    Condition::compile("condition", &condition).expect("compiles").holds("users.custom", &event)
}

fn refused(text: &str) -> String {
    let condition = Expression { text: text.to_owned(), line: 1 };
    match Condition::compile("condition", &condition) {
        Ok(_) => panic!("{text} is accepted"),
        Err(wrong) => wrong.into_iter().map(|(_, reason)| reason).collect(),
    }
}

#[test]
fn a_condition_compares_fields_of_any_depth() {
    let event = || json!({ "name": "watched", "properties": { "season": 3, "score": 1.5 } });

    let cases = [
        ("event.name == 'watched' && event.properties.season >= 2", true),
        ("event.properties.season in [1, 2]", false),
        ("event.properties.score > 1.0", true),
        ("event.name.startsWith('wat')", true),
        ("has(event.properties.genre)", false),
        ("event.properties.genre == 'drama'", false),
        ("event.absent.deep == 1", false),
        ("event // why\n .name == 'watched'", true),
    ];
    for (text, expected) in cases {
        assert_eq!(holds(text, event()).ok(), Some(expected), "{text}");
    }
}

#[test]
fn a_condition_looks_into_lists_and_sees_id_time_and_type() {
    let event = || json!({ "name": "a", "properties": { "genres": ["drama", "crime"] } });

    let cases = [
        (r#"event.properties.genres.exists(g, g == "drama")"#, true),
        (r#"event.properties.genres.all(g, g.startsWith("d"))"#, false),
        (r#"event.properties.genres.exists(g, g == event.name)"#, false),
        (r#"size(event.properties.genres.filter(g, g != "crime")) == 1"#, true),
        (r#"event["name"] == "a""#, true),
        ("event.time > 1600000000 && event.id == 'e1' && event.type == 'users.custom'", true),
    ];
    for (text, expected) in cases {
        assert_eq!(holds(text, event()).ok(), Some(expected), "{text}");
    }
}

#[test]
fn a_condition_that_could_never_be_met_is_refused_with_a_remedy() {
    for (text, reason) in [
        (
            r#"event.name.startWith("a")"#,
            "unknown function \"startWith\": did you mean startsWith?",
        ),
        ("event.list.any(x, x == 1)", "unknown function \"any\": there is bool, bytes"),
        (r#"event.name.matches("a")"#, "there are no regular expressions; write startsWith"),
        ("event.list.exists(x, y == 1)", "unknown name \"y\""),
        ("[1].exists(x, x == 1) && x == 1", "unknown name \"x\""),
        ("event.user_id == 'u'", "event.user_id is not there"),
        ("event[event.name] == 1", "event must be followed by"),
        ("'name' in event", "event must be followed by"),
        ("20", "a number alone is neither true nor false"),
        ("event.total + 1", "a value of + alone is neither"),
        ("event.name == 'a' && size(event.list)", "size() alone is neither"),
        ("event.list.filter(x, x > 1)", "a list alone is neither"),
        ("event.a == 1 ? 'yes' : 'no'", "a text alone is neither"),
        ("event.type == 'a.B' && event.type == 'a.C'", "an event has one type, so it is never met"),
        ("event.type == 'a.B' && event.type in ['a.C', 'a.D']", "write || between types"),
        (
            "users.behaviors.Purchase",
            "is an event type and no condition: write event.type == \"users.behaviors.Purchase\"",
        ),
        (" ours.shop.Bought ", "write event.type == \"ours.shop.Bought\""),
        ("properties.gift", "unknown name \"properties\": write event.properties"),
    ] {
        let said = refused(text);
        assert!(said.contains(reason), "{text}: {said}");
    }
}

#[test]
fn a_type_has_a_name_beside_type_and_nowhere_else() {
    let event = || json!({ "total": "20", "n": 1.5 });
    for (text, expected) in [
        ("type(event.total) == string", true),
        ("type(event.n) in [int, double]", true),
        ("double != type(event.total) && event['type'] == 'users.custom'", true),
    ] {
        assert_eq!(holds(text, event()).ok(), Some(expected), "{text}");
    }
    for text in ["type == 'users.custom'", "event.name == string", "type(event.n) == strng"] {
        assert!(refused(text).contains("unknown name"), "{text}");
    }
    assert!(refused("event.gift == True").contains("unknown name \"True\": write true"));
    assert!(refused("event.gift != None").contains("write null"));
}

#[test]
fn what_is_no_cel_is_said_once_with_its_place_and_what_would_be_right() {
    for (text, expected) in [
        ("event.name = 'a'", "1:12: = compares nothing: write =="),
        ("event.name == 'a' and event.n > 1", "1:19: there is no and: write &&"),
        ("event.n == 1 OR event.n == 2", "1:14: there is no OR: write ||"),
        ("not event.gift", "1:1: there is no not: write !"),
        ("event.name is 'a'", "1:12: there is no is: write =="),
        ("event.name <> 'a'", "1:12: there is no <>: write !="),
        ("event.name === 'a'", "1:12: there is no ===: write =="),
        ("event.n => 1", "1:9: there is no =>: write >="),
        ("event.name == “a”", "1:15: a curly quote: write a straight one, \""),
        ("event.name == `a`", "1:15: a backtick is no quote: write \""),
        ("event.a & event.b", "1:9: & alone means nothing: write &&"),
        ("event.a | event.b", "1:9: | alone means nothing: write ||"),
        ("event.n > 0,6", "1:12: a number has a point: write 0.6"),
        ("event.n == 1;", "1:13: a ; ends nothing here: remove it"),
        (
            "event.name in ('a', 'b')",
            "1:15: a list stands in square brackets: write [\"a\", \"b\"]",
        ),
        (
            "event.name contains 'a'",
            "1:12: contains is no operator: write event.name.contains(\"...\"), startsWith or endsWith",
        ),
        (
            "{{ event.name }} == 'a'",
            "1:1: {{ is Liquid: write the field alone, event.properties.total",
        ),
        (
            "${event.name} == 'a'",
            "1:1: ${ is Liquid: write the field alone, event.properties.total",
        ),
        ("event.name == 'a", "1:15: a text has no ' that closes it"),
        ("event.name == \"it's", "1:15: a text has no \" that closes it"),
        ("(event.n == 1 && event.a", "1:1: ( has no ) that closes it"),
        ("event.n == 1)", "1:13: ) closes nothing: remove it"),
        ("event.n in [1, 2", "1:12: [ has no ] that closes it"),
        ("event.n ==", "1:11: ends where a value is missing"),
        ("event.n == == 1", "1:12: == stands where a value is missing"),
        ("event.name 'a'", "1:12: 'a' stands where an operator is missing, such as ==, && or ||"),
        ("event.n == 1 &&\n  event.name = 'a'", "2:14: = compares nothing: write =="),
        ("// later", "1:9: ends where a value is missing"),
    ] {
        assert_eq!(refused(text), format!("condition {expected}"), "{text}");
    }
    let both = refused("event.name = 'a' and event.n = 1");
    assert_eq!(
        both,
        "condition 1:12: = compares nothing: write ==condition 1:18: there is no and: write &&"
    );
}

#[test]
fn words_of_other_languages_are_names_of_fields_where_they_can_be() {
    for text in ["event.or == 1 && event['a = b'] == 'x and y'", "event.not.is == 'a' // and so"] {
        let expression = Expression { text: text.to_owned(), line: 1 };
        assert!(Condition::compile("condition", &expression).is_ok(), "{text}");
    }
    assert_eq!(refused("event.or = 1"), "condition 1:10: = compares nothing: write ==");
}

#[test]
fn a_text_that_is_a_number_is_told() {
    let told = |text: &str| {
        let expression = Expression { text: text.to_owned(), line: 1 };
        Condition::compile("condition", &expression).expect(text).numbers_as_texts().join("; ")
    };
    let expected =
        |what: &str, n: &str| format!("{what} compares texts: write {n} to compare numbers");

    for (text, what, number) in [
        ("event.properties.total >= \"20\"", "event.properties.total >= \"20\"", "20"),
        ("event.name == 'a' && '1.5' < event.score", "\"1.5\" < event.score", "1.5"),
        ("!(event.season != '-1')", "event.season != \"-1\"", "-1"),
        ("event.id in ['a', '7']", "event.id in [\"7\"]", "7"),
        ("event.items.exists(i, i.price > '10')", "a value > \"10\"", "10"),
        ("size(event.items) > '2'", "a value > \"2\"", "2"),
    ] {
        assert_eq!(told(text), expected(what, number), "{text}");
    }
    for text in [
        "event.total >= 20",
        "event.zip == '01067'",
        "event.order == '9007199254740993'",
        "event.day >= '2026-01-01'",
        "event.phone == '+49123'",
        "string(event.total) == '20'",
        "event.name.startsWith('20')",
        "event.name == 'nan'",
    ] {
        assert_eq!(told(text), "", "{text}");
    }
}

#[test]
fn every_function_that_is_accepted_is_one_that_the_interpreter_has() {
    for (text, expected) in [
        ("bool('true') && int('1') == 1 && double('1.5') > 1.0 && uint(1) == 1u", true),
        ("string(1) == '1' && size(bytes('ab')) == 2 && dyn(1) == 1", true),
        ("type(1) == type(2)", true),
        ("'abc'.contains('b') && 'abc'.endsWith('c') && 'abc'.startsWith('a')", true),
    ] {
        assert_eq!(holds(text, json!({})).ok(), Some(expected), "{text}");
    }
}

#[test]
fn a_condition_says_what_it_saw_and_what_that_was_compared_with() {
    let explained = |text: &str, fields: Value| {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let event = Event { id: "e1".to_owned(), time: 1, fields };
        let expression = Expression { text: text.to_owned(), line: 1 };
        Condition::compile("condition", &expression)
            .expect("compiles")
            .explain("t", &event)
            .join("; ")
    };
    let event = || json!({ "name": "cart", "properties": { "total": "249,00", "l": [1, 2] } });

    for (text, expected) in [
        (
            "event.name == 'cart' && event.properties.total > 20",
            "event.name is the text \"cart\", compared with \"cart\"; \
             event.properties.total is the text \"249,00\", compared with 20",
        ),
        ("20 < event.properties.sum", "event.properties.sum is missing, compared with 20"),
        (
            "event.name in ['a', 'b']",
            "event.name is the text \"cart\", compared with one of \"a\", \"b\"",
        ),
        (
            "event.properties.l.exists(x, x > 1) && !event.properties.gift",
            "event.properties.l is a list of 2; event.properties.gift is missing",
        ),
        ("event['type'].startsWith('u')", "event.type is the text \"t\""),
    ] {
        assert_eq!(explained(text, event()), expected, "{text}");
    }
}

#[test]
fn a_condition_that_does_not_fit_the_event_is_not_met_and_says_so() {
    assert!(holds("event.name > 1", json!({ "name": "a" })).is_err());
    assert!(holds("event.name", json!({ "name": "a" })).is_err());
}

#[test]
fn a_name_that_is_not_the_events_is_refused_at_start() {
    let condition = Expression { text: "name == 'a'".to_owned(), line: 9 };

    let wrong = Condition::compile("condition", &condition).expect_err("event. is missing");

    assert_eq!(wrong, [(9, "condition: unknown name \"name\": write event.name".to_owned())]);
}

#[test]
fn a_condition_tells_the_fields_that_it_looks_at_however_it_is_written() {
    let text = "event.email_address != '' && event [ 'city' ] == 'Graz' && has(event.a.b) \
                && 'event.secret' != event // why\n .name";
    let expression = Expression { text: text.to_owned(), line: 1 };

    let condition = Condition::compile("condition", &expression).expect("compiles");

    let fields: Vec<&str> = condition.fields().iter().map(String::as_str).collect();
    assert_eq!(fields, ["a", "city", "email_address", "name"]);
    let paths: Vec<&str> = condition.paths().iter().map(String::as_str).collect();
    assert_eq!(paths, ["a.b", "city", "email_address", "name"]);
}

#[test]
fn an_event_of_a_type_that_is_not_named_is_passed_over_whatever_its_fields_are() {
    // Otherwise each would be counted as one that the condition could not be evaluated for.
    for text in [
        "event.price > 20 && event.type == 'users.behaviors.Purchase'",
        "event.price > 20 ? event.type == 'a.B' : event.type == 'a.C'",
    ] {
        assert_eq!(holds(text, json!({ "price": "20" })).ok(), Some(false), "{text}");
    }
    let text = "event.type in ['users.custom'] && event.price > 20";
    assert!(holds(text, json!({ "price": "20" })).is_err());
    assert_eq!(holds(text, json!({ "price": 21 })).ok(), Some(true));
}
