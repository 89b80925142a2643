//! What is taken over, what is asked instead, and what is wrong with it.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::Past;
use crate::reference::Reference;

fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["heading", "link", "details"],
        "properties": {
            "heading": { "type": "string", "maxLength": 60 },
            "link": { "type": "string", "format": "uri", "maxLength": 200 },
            "price": { "type": "number", "maximum": 100 },
            "stock": { "type": "integer" },
            "isNew": { "type": "boolean" },
            "name": { "type": "string", "contentMediaType": "text/plain", "maxLength": 20 },
            "tags": { "type": "array", "maxItems": 2, "items": { "$ref": "#/$defs/tag" } },
            "details": {
                "type": "object", "additionalProperties": false, "required": ["image", "intro"],
                "properties": {
                    "image": { "type": "string", "maxLength": 200 },
                    "intro": { "type": "string", "maxLength": 200 },
                },
            },
            "extra": {
                "type": "object", "additionalProperties": false, "required": ["code"],
                "properties": { "code": { "type": "string", "maxLength": 9 } },
            },
        },
        "$defs": { "tag": { "type": "string", "maxLength": 9 } },
    })
}

fn named(passages: &[(&str, &str)]) -> Named {
    let passage = |(n, (target, source)): (usize, &(&str, &str))| Passage {
        target: target.split('.').map(str::to_owned).collect(),
        source: Reference::read(source).expect("is a place"),
        line: n + 1,
    };
    Named {
        fields: Some(vec![(1, "properties.show".to_owned())]),
        attributes: ["first_name".to_owned()].into(),
        fields_from: passages.iter().enumerate().map(passage).collect(),
        ..Named::default()
    }
}

fn told(item: Value) -> Told {
    let (Value::Object(item), Value::Object(fields)) =
        (item, json!({ "properties": { "show": "Tom & Jerry's" } }))
    else {
        panic!("are objects")
    };
    let (id, event_type) = ("e".to_owned(), "t".to_owned());
    Told {
        event: Some(Past { id, time: 7, event_type, fields }),
        items: vec![Some(Arc::new(item))],
        ..Told::default()
    }
}

const ALL: [(&str, &str); 8] = [
    ("link", "items[0].url"),
    ("price", "items[0].price"),
    ("stock", "items[0].stock"),
    ("isNew", "items[0].new"),
    ("name", "event.properties.show"),
    ("tags", "items[0].tags"),
    ("details.image", "items[0].image"),
    ("extra.code", "items[0].code"),
];

fn passed(item: Value) -> Result<Value, Vec<String>> {
    let passed = Passed::compile(&named(&ALL), &schema()).expect("compiles");
    passed.values(&told(item), &schema()).map(Value::Object)
}

#[test]
fn values_are_taken_over_in_the_type_of_their_property_and_safe_for_their_place() {
    let item = json!({
        "url": "https://a.example/?b=1&c=2", "price": "19.90", "stock": "7", "new": "true",
        "tags": ["a", "b&b"], "image": "<img> &amp; {{x}}", "code": 12,
    });

    assert_eq!(
        passed(item).expect("is whole"),
        json!({
            "link": "https://a.example/?b=1&amp;c=2", "price": 19.90, "stock": 7, "isNew": true,
            "name": "Tom & Jerry's", "tags": ["a", "b&amp;b"],
            "details": { "image": "&lt;img&gt; &amp; &#123;&#123;x&#125;&#125;" },
            "extra": { "code": "12" },
        })
    );
}

#[test]
fn what_does_not_fit_is_left_out_unless_it_must_be_there() {
    let link = "https://a.example/";
    let item = json!({
        "url": link, "price": "free", "stock": "007", "new": "yes", "image": "i", "code": "c",
        "tags": ["a", "far too long a tag"],
    });
    let name = "Tom & Jerry's";
    assert_eq!(
        passed(item).expect("has what must be there"),
        json!({ "link": link, "name": name, "details": { "image": "i" }, "extra": { "code": "c" } })
    );

    assert_eq!(
        passed(json!({ "url": null, "image": " \u{200b}", "price": 101 })),
        Err(vec![
            "items[0].url".to_owned(),
            "items[0].image".to_owned(),
            "items[0].code".to_owned()
        ])
    );
}

#[test]
fn what_is_taken_over_of_an_item_that_is_in_no_catalog_is_left_out() {
    let sources = [("link", "items[1].url"), ("price", "items[0].price")];
    let passed = Passed::compile(&named(&sources), &schema()).expect("compiles");
    let mut told = told(json!({ "url": "https://a.example/", "price": 7 }));
    told.items.insert(0, None);

    let values = passed.values(&told, &schema()).expect("has what must be there");

    assert_eq!(Value::Object(values), json!({ "link": "https://a.example/" }));
}

#[test]
fn a_url_leads_to_a_site_and_no_text_runs_a_script() {
    let with = |url: &str, image: &str| passed(json!({ "url": url, "image": image, "code": "c" }));
    for url in [
        "javascript:alert(1)",
        "myapp://a",
        "/relative",
        "//a.example/",
        "https:a.example",
        "https://user@a.example/",
        "https://a.example/ b",
        "https://a.example/\"onclick=",
        "a.example",
        "",
    ] {
        assert_eq!(with(url, "i"), Err(vec!["items[0].url".to_owned()]), "{url}");
    }
    for image in ["javascript:x", " Java\u{200b}Script\t:x", "DATA:text/html,x", "vbscript:x"] {
        let told = with("https://a.example/", image);
        assert_eq!(told, Err(vec!["items[0].image".to_owned()]), "{image}");
    }
    assert!(with("http://a.example/%C3%A4?b#c", "myapp://episode/7").is_ok());
}

#[test]
fn the_model_is_not_asked_for_what_is_taken_over() {
    let passed = Passed::compile(&named(&ALL), &schema()).expect("compiles");

    let (asked, validator) = passed.asked.as_ref().expect("is not all");
    assert_eq!(
        *asked,
        json!({
            "type": "object", "additionalProperties": false, "required": ["heading", "details"],
            "properties": {
                "heading": { "type": "string", "maxLength": 60 },
                "details": {
                    "type": "object", "additionalProperties": false, "required": ["intro"],
                    "properties": { "intro": { "type": "string", "maxLength": 200 } },
                },
            },
            "$defs": { "tag": { "type": "string", "maxLength": 9 } },
        })
    );
    let mut answer = json!({ "heading": "h", "link": "https://evil.example/",
        "details": { "intro": "i", "image": 7 }, "extra": { "code": "c" } });
    passed.take_out(&mut answer);
    assert_eq!(answer, json!({ "heading": "h", "details": { "intro": "i" } }));
    assert!(validator.is_valid(&answer));
}

#[test]
fn what_is_merged_fits_the_whole_schema() {
    let passed = Passed::compile(&named(&ALL), &schema()).expect("compiles");
    let item = json!({ "url": "https://a.example/", "image": "i", "code": "c", "price": 7 });
    let values = passed.values(&told(item), &schema()).expect("are there");
    let Value::Object(data) = json!({ "heading": "h", "details": { "intro": "i" } }) else {
        panic!("is an object")
    };

    let content = Value::Object(passed.merge(data, &values));

    assert_eq!(content["details"], json!({ "intro": "i", "image": "i" }));
    assert_eq!(content["extra"], json!({ "code": "c" }));
    let whole = schema::validator(&schema()).expect("is a schema");
    assert!(whole.is_valid(&content), "{content}");
}

#[test]
fn an_object_that_the_model_left_out_stays_out() {
    let mut schema = schema();
    schema["required"] = json!(["heading"]);
    let passed = Passed::compile(&named(&[("details.image", "items[0].image")]), &schema);
    let passed = passed.expect("compiles");
    let values = passed.values(&told(json!({ "image": "i" })), &schema).expect("are there");
    let data = Map::from_iter([("heading".to_owned(), json!("h"))]);

    assert_eq!(Value::Object(passed.merge(data, &values)), json!({ "heading": "h" }));
}

#[test]
fn what_cannot_be_taken_over_is_told_with_its_line() {
    let told = |passages: &[(&str, &str)], schema: &Value| {
        let wrong = Passed::compile(&named(passages), schema).expect_err("is wrong");
        let (line, reason) = &wrong[0];
        format!("{}: {reason}", line.unwrap_or(0))
    };
    for (target, source, expected) in [
        ("lnk", "items[0].url", "\"lnk\" is not in answer.schema.json: did you mean link?"),
        ("link", "items.url", "items.url: items is a list: write items[0].url"),
        (
            "name",
            "event.properties.shw",
            "\"properties.shw\" is not among fields: did you mean properties.show?",
        ),
        ("name", "attributes.last_name", "\"last_name\" is not among attributes"),
        (
            "details.imag",
            "items[0].image",
            "\"imag\" is not in answer.schema.json: did you mean image?",
        ),
    ] {
        let told = told(&[(target, source)], &schema());
        assert!(told.starts_with(&format!("1: fields_from: {target}: ")), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    let twice = [("details", "items[0].all"), ("details.image", "items[0].image")];
    assert!(told(&twice, &schema()).contains("2: fields_from: details.image: is taken over twice"));
    let mut related = schema();
    related["dependentRequired"] = json!({ "heading": ["link"] });
    let one = [("link", "items[0].url")];
    assert!(
        told(&one, &related).contains("says dependentRequired of the object that has \"link\"")
    );
    let all = json!({ "type": "object", "additionalProperties": false, "properties": {
        "link": { "type": "string", "maxLength": 9 } } });
    assert!(told(&one, &all).contains("leaves nothing to ask the model"));
}
