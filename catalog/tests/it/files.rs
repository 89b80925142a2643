//! What files may hold, and how it is told what is wrong with them.

use std::io::{Cursor, Read};

use catalog::check::{CheckError, Checked, MAX_ITEMS, check};
use catalog::fault::{Faults, MAX_FAULTS};
use catalog::file::{Format, MAX_ROW_BYTES, Place, Row, Rows};
use proptest::prelude::*;
use serde_json::{Value, json};

fn rows_of(format: Format, file: &[u8]) -> Vec<Row> {
    let mut faults = Faults::default();
    let mut rows = Rows::begin(format, file, &mut faults).expect("is read");
    let mut all = Vec::new();
    while let Some(row) = rows.next(&mut faults).expect("is read") {
        all.push(row);
    }
    assert!(faults.is_empty(), "{faults}");
    all
}

fn items(format: Format, file: &[u8]) -> Vec<Value> {
    rows_of(format, file).into_iter().map(|row| Value::Object(row.item)).collect()
}

fn checked(format: Format, file: impl AsRef<[u8]>) -> Checked {
    check(format, file.as_ref()).expect("is in order")
}

fn faults(format: Format, file: impl AsRef<[u8]>) -> String {
    match check(format, file.as_ref()) {
        Err(CheckError::Faulty(faults)) => faults.of_file("f"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_csv_stay_the_texts_that_stand_there() {
    let file = b"id,price,code,live,at\n1,19.90,007,true,2026-01-01T00:00:00Z\n2,,1e5, x ,\n";

    assert_eq!(
        items(Format::Csv, file),
        [
            json!({ "id": "1", "price": "19.90", "code": "007", "live": "true", "at": "2026-01-01T00:00:00Z" }),
            json!({ "id": "2", "code": "1e5", "live": " x " }),
        ]
    );
}

#[test]
fn what_spreadsheets_write_is_read() {
    let file = "\u{feff}id,text\r\n1,\"two\r\nlines, and a \"\"word\"\"\"\r\n\r\n2,Zoë\r\n";

    assert_eq!(
        items(Format::Csv, file.as_bytes()),
        [
            json!({ "id": "1", "text": "two\r\nlines, and a \"word\"" }),
            json!({ "id": "2", "text": "Zoë" })
        ]
    );
    let lines = "\u{feff}{\"id\":1}\r\n\r\n{\"id\":\"b\"}";
    assert_eq!(
        items(Format::JsonLines, lines.as_bytes()),
        [json!({ "id": 1 }), json!({ "id": "b" })]
    );
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let file = b"id,text\r\n1,\"a\nb\nc\"\r\n2,d\r\n";
    let lines: Vec<u64> = rows_of(Format::Csv, file).iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 5]);

    assert_eq!(
        faults(Format::Csv, "id,text\n1,\"a\nb\"\nß,x\n"),
        "f:4: column id: an id has letters without accents, digits, \"-\" and \"_\" only, 250 at \
         most: change it"
    );
}

#[test]
fn values_of_json_keep_their_types_and_null_is_no_value() {
    let file = br#"{"id": 17, "price": 19.5, "tags": ["a", "b"], "size": {"w": 1}, "old": null}"#;

    assert_eq!(
        items(Format::JsonLines, file),
        [json!({ "id": 17, "price": 19.5, "tags": ["a", "b"], "size": { "w": 1 } })]
    );
    assert_eq!(rows_of(Format::JsonLines, file)[0].id, "17");
}

#[test]
fn a_file_that_is_in_order_is_told_by_its_columns_and_items() {
    let csv = checked(Format::Csv, "id,b,a\n1,,x\n2,y,");
    assert_eq!(
        (csv.items, csv.columns.into_iter().collect::<Vec<_>>()),
        (2, vec!["a".to_owned(), "b".to_owned(), "id".to_owned()])
    );
    assert_eq!(csv.bytes, 16);

    let lines = checked(Format::JsonLines, "{\"id\":1,\"a\":2}\n{\"id\":2,\"b\":2}\n");
    assert_eq!(lines.columns.into_iter().collect::<Vec<_>>(), ["a", "b", "id"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_line_and_column() {
    let file = format!("id,text\n,x\n1,{}\n2\n1,a\n1,b\na b,c\n", "é".repeat(5_001));

    assert_eq!(
        faults(Format::Csv, file),
        "f:2: column id: is empty: every item has an id\n\
         f:3: column text: is longer than 5000 characters: shorten it\n\
         f:4: has 1 values, and the header 2 columns: values with commas, quotation marks or new \
         lines stand between quotation marks\n\
         f:6: column id: stands in line 5 already: ids are unique\n\
         f:7: column id: an id has letters without accents, digits, \"-\" and \"_\" only, 250 at \
         most: change it"
    );
}

#[test]
fn five_thousand_characters_are_no_fault_whatever_their_bytes() {
    assert_eq!(checked(Format::Csv, format!("id,t\n1,{}\n", "é".repeat(5_000))).items, 1);
}

#[test]
fn headers_are_as_braze_takes_them() {
    for (file, said) in [
        ("name,id\n", "f:1: column 1: the first column must be called id, in small letters"),
        ("ID,name\n", "f:1: column 1: the first column must be called id, in small letters"),
        ("id,a b\n", "f:1: column 2: a column's name has letters"),
        ("id, a\n", "f:1: column 2: a column's name has letters"),
        ("id,a,a\n", "f:1: column a: stands there twice"),
        ("id,a,\n", "f:1: column 3: a column's name has letters"),
        ("id;name\n1;x\n", "f:1: the columns are separated by semicolons: Braze takes commas"),
        ("id\tname\n1\tx\n", "f:1: the columns are separated by tabs"),
        ("sep=,\nid,name\n1,x\n", "f:1: is for spreadsheets, and Braze takes none such: remove"),
        ("SEP=;\nid;name\n1;x\n", "f:1: is for spreadsheets, and Braze takes none such: remove"),
        ("", "f:1: the file is empty"),
        ("id,a\n", "f:1: the file has no items"),
    ] {
        let told = faults(Format::Csv, file);
        assert!(told.starts_with(said), "{file:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let wide: Vec<String> = (0..1_000).map(|n| format!("c{n}")).collect();
    let wide = format!("id,{}\n", wide.join(","));
    assert_eq!(faults(Format::Csv, wide), "f:1: has 1001 columns: a catalog has 1000 at most");
}

#[test]
fn hidden_files_of_a_folder_are_passed_over() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for name in ["._shows.csv", ".x.csv", "shows.csv"] {
        std::fs::write(folder.path().join(name), "id,a\n1,b\n").expect("is written");
    }
    std::fs::write(folder.path().join("._shows.jsonl"), [0, 5, 22, 7]).expect("is written");

    let found = catalog::folder::checked(folder.path()).expect("holds one catalog");

    assert_eq!(found.iter().map(|(file, _)| file.name.as_str()).collect::<Vec<_>>(), ["shows"]);
}

#[test]
fn a_file_of_another_encoding_is_told_as_such() {
    let utf16: Vec<u8> = "\u{feff}id,a\n1,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(faults(Format::Csv, utf16), "f:1: the file is UTF-16: save it as CSV UTF-8");

    let latin = b"id,name\n1,Zo\xEB\n\xEB,x\n";
    assert_eq!(
        faults(Format::Csv, latin),
        "f:2: column name: is no UTF-8: save the file as CSV UTF-8\n\
         f:3: column id: is no UTF-8: save the file as CSV UTF-8"
    );
}

#[test]
fn a_quotation_mark_without_its_partner_loses_no_row_in_silence() {
    let told = faults(Format::Csv, "id,t\n1,a\n2,\"b\n3,c\n4,d\n");
    assert_eq!(told, "f:3: a quotation mark is not closed up to the end of the file");

    let long = format!("id,t\n1,a\n2,\"b\n{}", "3,c\n".repeat(3 * MAX_ROW_BYTES / 4));
    let told = faults(Format::Csv, long);
    assert_eq!(told, "f:3: is longer than 4 MiB: most likely a quotation mark is not closed");

    // A mark within a value is one of it.
    assert_eq!(checked(Format::Csv, "id,t\n1,5\" screen\n2,b\n").items, 2);
}

#[test]
fn lines_that_are_no_object_with_an_id_are_told() {
    let list = (0..101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let deep = format!("{}1{}", "[".repeat(20), "]".repeat(20));
    let file = format!(
        "[1]\n{{\"id\": 1\n{{\"a\": 1}}\n{{\"id\": 1.5}}\n{{\"id\": true}}\n{{\"id\": 1, \"a b\": 2}}\n\
         {{\"id\": 2, \"l\": [{list}]}}\n{{\"id\": 3, \"d\": {deep}}}\n{{\"id\": 4, \"t\": \"{}\"}}\n{{\"id\": null}}",
        "x".repeat(400_000)
    );

    let told = faults(Format::JsonLines, file);

    let told: Vec<&str> = told.lines().collect();
    for (line, said) in told.iter().zip([
        "f:1: is no object",
        "f:2: is no JSON from character 8 on",
        "f:3: column id: is not there",
        "f:4: column id: an id has",
        "f:5: column id: an id has",
        "f:6: a column's name has",
        "f:7: column l: has a list of 101: 100 is the most",
        "f:8: column d: is nested more than 16 times",
        "f:9: is more than 384 KiB as JSON",
        "f:10: column id: is not there",
    ]) {
        assert!(line.starts_with(said), "{line} / {said}");
    }
    assert_eq!(told.len(), 10, "{told:#?}");
}

#[test]
fn a_csv_item_that_the_table_would_not_take_is_told() {
    let names: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
    let values = vec!["x".repeat(5_000); 100].join(",");
    assert_eq!(
        faults(Format::Csv, format!("id,{}\n1,{values}\n", names.join(","))),
        "f:2: is more than 384 KiB as JSON: leave something out"
    );
}

#[test]
fn no_fault_quotes_a_value() {
    let csv = "id,a\nsecret one,x\nsecret\n1,\"secret\n";
    let lines = "{\"id\": \"secret one\"}\nsecret\n{\"id\": 1, \"secret word\": 1}\n";
    for told in [faults(Format::Csv, csv), faults(Format::JsonLines, lines)] {
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn of_a_file_full_of_faults_only_the_first_are_told_and_the_rest_is_not_read() {
    struct Endless(Cursor<Vec<u8>>);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.position() == self.0.get_ref().len() as u64 {
                self.0.set_position(5);
            }
            self.0.read(buffer)
        }
    }
    let file = Endless(Cursor::new(b"id,a\n,\n,\n".to_vec()));

    let Err(CheckError::Faulty(faults)) = check(Format::Csv, file) else { panic!("is in order") };

    assert_eq!(faults.told().len(), MAX_FAULTS);
}

#[test]
fn a_file_of_more_items_than_are_remembered_is_refused() {
    struct Numbers(u64, Vec<u8>);
    impl Read for Numbers {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            while self.1.len() < buffer.len() {
                self.1.extend_from_slice(format!("{}\n", self.0).as_bytes());
                self.0 += 1;
            }
            let rest = self.1.split_off(buffer.len());
            buffer.copy_from_slice(&self.1);
            self.1 = rest;
            Ok(buffer.len())
        }
    }

    let Err(CheckError::Faulty(faults)) = check(Format::Csv, b"id\n".chain(Numbers(0, Vec::new())))
    else {
        panic!("is in order")
    };

    let told = faults.to_string();
    assert!(
        told.starts_with(&format!("line {}: is the item after 2000000", MAX_ITEMS + 2)),
        "{told}"
    );
}

/// Reads a file from its beginning to the row `n`, then anew from the place that was told.
fn resumed(format: Format, file: &[u8], n: usize) -> (Vec<Row>, Place) {
    let mut faults = Faults::default();
    let mut rows = Rows::begin(format, file, &mut faults).expect("is read");
    let mut all = Vec::new();
    for _ in 0..n {
        all.extend(rows.next(&mut faults).expect("is read"));
    }
    let place = rows.place();
    let rest = &file[usize::try_from(place.offset_bytes).expect("fits")..];
    let mut rows = Rows::resume(format, file, rest, place, &mut faults).expect("is read");
    while let Some(row) = rows.next(&mut faults).expect("is read") {
        all.push(row);
    }
    assert!(faults.is_empty(), "{faults}");
    (all, rows.place())
}

fn csv_value(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn a_file_reads_the_same_from_any_place_that_was_told(
        values in prop::collection::vec("[a-c\"\r\n, é\u{1F600}]{0,12}", 1..20),
        at in 0_usize..20,
        ending in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let at = at.min(values.len());
        let mut csv = format!("id,t{ending}");
        let mut lines = String::new();
        for (n, value) in values.iter().enumerate() {
            csv.push_str(&format!("{n},{}{ending}", csv_value(value)));
            lines.push_str(&format!("{}{ending}", json!({ "id": n, "t": value })));
        }
        for (format, file) in [(Format::Csv, csv), (Format::JsonLines, lines)] {
            let whole = rows_of(format, file.as_bytes());
            let (parts, end) = resumed(format, file.as_bytes(), at);
            prop_assert_eq!(&whole, &parts);
            prop_assert_eq!(end.items, values.len() as u64);
            prop_assert_eq!(end.offset_bytes, file.len() as u64);
            let texts: Vec<&str> = whole
                .iter()
                .map(|row| row.item.get("t").and_then(Value::as_str).unwrap_or_default())
                .collect();
            prop_assert_eq!(texts, values.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    #[test]
    fn whatever_the_bytes_reading_ends_and_panics_never(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in [Format::Csv, Format::JsonLines] {
            let _ = check(format, bytes.as_slice());
            let _ = check(format, [b"id,a\n".as_slice(), &bytes].concat().as_slice());
        }
    }
}
