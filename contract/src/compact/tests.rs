use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::digest;

/// Fields of an item as they were packed when this was written: they can be read for ever.
const PACKED: &str = "28b52ffd65015400d5020033440e77dc110511a0e21522588116b420062eace09ee00211800171810b579842\
    18ca80b81005343f67b1f023fd84cad3792d622d73fe65cf996a4c0bfcc141ad4e602ddfcd86d84e08ee9fdd\
    62c2e4ab91a009ae1cf1384401fdcef49c";

fn fields() -> Value {
    json!({
        "history": [{
            "id": "cc433690-981c-46e5-81f8-ef94e96b25dd",
            "time": 1_743_528_033,
            "type": "users.behaviors.CustomEvent",
            "fields": { "properties": { "episode": 2, "language": "en", "show": "Foxglove Lane" } },
        }],
        "event_id": "cc433690-981c-46e5-81f8-ef94e96b25dd",
        "model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "next_field": { "next_inner": [1, null, "ü"] },
    })
}

fn packed(fields: &Value) -> Vec<u8> {
    pack(fields).expect("is JSON").expect("is small")
}

fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
    unpack(bytes)
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("is ASCII"));
    digits.map(|two| u8::from_str_radix(two, 16).expect("is hexadecimal")).collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_out_again(fields in any_json()) {
        prop_assert_eq!(read(&packed(&fields)).expect("is read"), fields);
    }

    #[test]
    fn a_flipped_bit_is_never_read(byte in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut changed = packed(&fields());
        let byte = byte.index(changed.len());
        changed[byte] ^= 1_u8 << bit;

        if let Ok(read) = read(&changed) {
            // A bit of the header may mean nothing.
            prop_assert_eq!(read, fields());
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in any::<Vec<u8>>()) {
        prop_assert!(read(&bytes).is_err());
        let claimed = [&packed(&fields())[..9], &bytes].concat();
        prop_assert!(read(&claimed).is_err());
    }
}

#[test]
fn the_dictionary_is_the_one_that_stored_items_were_packed_with() {
    assert_eq!(
        digest::hex(DICTIONARY),
        "f0ec9ff77d596e7c7dc091548df89bea9d5f7897cb497f03319b97d8b49d9875"
    );
    assert_eq!(read(&bytes_of(PACKED)).expect("is read"), fields());
    let number = zstd::zstd_safe::get_dict_id_from_dict(DICTIONARY).expect("has one");
    assert_eq!(number.get(), NUMBER);
}

#[test]
fn an_item_of_some_events_takes_a_fraction_of_its_json() {
    let (small, json) = (packed(&fields()).len(), fields().to_string().len());

    assert!(small * 2 < json, "{small} of {json}");
}

/// Others took memory for what a frame of 13 bytes said of itself, or looked only afterwards how
/// much came out.
#[test]
fn what_claims_or_holds_too_much_is_refused_before_memory_is_taken() {
    let bomb = compressed(&vec![b' '; 300 * 1_024 * 1_024]).expect("is compressed");
    assert!(bomb.len() < 40_000);
    let silent = zstd::stream::encode_all(&b"{}"[..], 3).expect("compresses");
    let claims = bytes_of("28b52ffde06c06060663636363");

    for frame in [&bomb[..], &silent, &claims, b"", b"{}", &crate::frame::MAGIC] {
        assert!(matches!(read(frame), Err(Unreadable::Size)), "{} bytes", frame.len());
    }
    // One that says less of itself than it holds.
    let mut understated = packed(&json!("x".repeat(300)));
    let size = understated.windows(2).position(|two| two == (302_u16 - 256).to_le_bytes());
    understated[size.expect("says it")] -= 1;
    assert!(matches!(read(&understated), Err(Unreadable::Broken(_))));
}

/// Others read what was made with no dictionary, or with another, for what it was not.
#[test]
fn a_frame_of_another_dictionary_or_of_none_is_refused() {
    let mut next = DICTIONARY.to_vec();
    next[4] = 2;
    let mut other = Compressor::with_dictionary(LEVEL, &next).expect("is one");
    let other = other.compress(fields().to_string().as_bytes()).expect("compresses");
    let none = zstd::bulk::compress(fields().to_string().as_bytes(), LEVEL).expect("compresses");

    assert!(matches!(read(&other), Err(Unreadable::Dictionary)));
    assert!(matches!(read(&none), Err(Unreadable::Dictionary)));
    // One of the same number, but other content, is told by the checksum.
    let changed: Vec<u8> = DICTIONARY
        .iter()
        .enumerate()
        .map(|(n, byte)| if n > DICTIONARY.len() / 2 { byte.to_ascii_uppercase() } else { *byte })
        .collect();
    let mut changed = Compressor::with_dictionary(LEVEL, &changed).expect("is one");
    changed.include_checksum(true).expect("can be set");
    let loud = fields().to_string().to_ascii_uppercase();
    let changed = changed.compress(loud.as_bytes()).expect("compresses");
    assert!(matches!(read(&changed), Err(Unreadable::Broken(_))));
}

/// Other clients stored bytes as text, with every byte replaced that is no UTF-8, or in Base64.
#[test]
fn bytes_that_went_through_a_text_are_refused() {
    let packed = packed(&fields());
    let replaced = String::from_utf8_lossy(&packed).into_owned();

    assert!(read(replaced.as_bytes()).is_err());
    // What begins as Base64 of a frame.
    assert!(matches!(read(b"KLUv/SQB"), Err(Unreadable::Size)));
    for more in [&packed[..], b"junk"] {
        assert!(matches!(read(&[&packed[..], more].concat()), Err(Unreadable::Broken(_))));
    }
    for length in 0..packed.len() {
        assert!(read(&packed[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn what_would_be_too_large_for_a_plain_item_is_not_packed() {
    let text = |bytes: usize| json!("x".repeat(bytes - 2));

    assert!(pack(&text(MAX_BYTES + 1)).expect("is JSON").is_none());
    let largest = pack(&text(MAX_BYTES)).expect("is JSON").expect("is packed");
    assert_eq!(read(&largest).expect("is read"), text(MAX_BYTES));
}

#[test]
fn json_that_is_nested_without_end_is_refused() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let frame = compressed(deep.as_bytes()).expect("is compressed");

    assert!(matches!(read(&frame), Err(Unreadable::Foreign(_))));
}
