//! Texts of the formats that JSON Schema names.

use super::dice::Dice;

/// Longest text that a format is drawn out to, in characters.
const MAX_DRAWN_OUT: usize = 2_000;

/// Proposals for a format, the one to prefer first; none for a format that is not known, which
/// the validator does not know either. `least` is how long they should be, where they can.
pub(super) fn proposals(format: &str, words: &str, least: usize, dice: &mut Dice) -> Vec<String> {
    let slug = slug(words);
    let (month, day) = (1 + dice.below(12), 1 + dice.below(28));
    let (hour, minute) = (dice.below(24), 5 * dice.below(12));
    let date = format!("2026-{month:02}-{day:02}");
    let time = format!("{hour:02}:{minute:02}:00Z");
    let path = format!("/stand-in/{slug}");
    let uri = format!("https://example.com{path}");
    let drawn_out = |text: &str| format!("{text}{}", "-x".repeat(least.min(MAX_DRAWN_OUT) / 2 + 1));
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match format {
        "date-time" => texts(&[&format!("{date}T{time}")]),
        "date" => texts(&[&date]),
        "time" => texts(&[&time]),
        "duration" => {
            texts(&[&format!("P{day}D"), "P1D", &format!("P{month}M{day}DT{hour}H{minute}M")])
        }
        "email" | "idn-email" => texts(&[
            &format!("stand-in.{}@example.com", cut(&slug, 40)),
            "stand-in@example.com",
            "a@b.de",
            &format!("{}@example.com", cut(&drawn_out("stand-in"), 64).trim_end_matches('-')),
        ]),
        "hostname" | "idn-hostname" => {
            texts(&[&format!("{}.example.com", cut(&slug, 40)), "stand-in.example.com", "a.de"])
        }
        "ipv4" => texts(&[&format!("192.0.2.{day}"), "192.0.2.1"]),
        "ipv6" => texts(&[&format!("2001:db8::{day}"), "::1"]),
        "uri" | "iri" | "uri-template" => {
            texts(&[&uri, "https://example.com/", "https://a.de", "a:b", &drawn_out(&uri)])
        }
        "uri-reference" | "iri-reference" => {
            texts(&[&uri, &path, "/stand-in", "/a", "a", &drawn_out(&path)])
        }
        "json-pointer" => texts(&[&path, "/a", &drawn_out(&path)]),
        "relative-json-pointer" => texts(&[&format!("0{path}"), "0"]),
        "uuid" => texts(&[&uuid(dice)]),
        "regex" => texts(&["stand-in", "a"]),
        _ => Vec::new(),
    }
}

/// Tells whether the format is one of those above.
pub(super) fn is_known(format: &str) -> bool {
    !proposals(format, "", 0, &mut Dice::new(&[])).is_empty()
}

/// Words as a part of an address: letters and digits of ASCII, which every format takes.
fn slug(words: &str) -> String {
    let words = words.to_lowercase();
    let parts = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let slug = parts.take(4).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "example".to_owned() } else { slug }
}

fn cut(ascii: &str, most: usize) -> &str {
    ascii.get(..most).unwrap_or(ascii).trim_end_matches('-')
}

/// A UUID of version 4, which says that it is random.
fn uuid(dice: &mut Dice) -> String {
    let random = u128::from(dice.throw()) << 64 | u128::from(dice.throw());
    let digits = format!("{random:032x}");
    format!(
        "{}-{}-4{}-8{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proposal_is_of_its_format() {
        for format in [
            "date-time",
            "date",
            "time",
            "duration",
            "email",
            "hostname",
            "ipv4",
            "ipv6",
            "uri",
            "iri",
            "uri-template",
            "uri-reference",
            "iri-reference",
            "json-pointer",
            "relative-json-pointer",
            "uuid",
            "regex",
        ] {
            let schema = serde_json::json!({ "format": format });
            let options = jsonschema::options().should_validate_formats(true);
            let validator = options.build(&schema).expect("is a schema");
            for words in ["Harbour Lights", "أضواء", ""] {
                let proposals = proposals(format, words, 90, &mut Dice::new(&[words]));
                assert!(!proposals.is_empty(), "{format}");
                for text in proposals {
                    assert!(validator.is_valid(&text.clone().into()), "{format}: {text}");
                }
            }
        }
        assert!(!is_known("colour"));
    }

    #[test]
    fn words_are_part_of_an_address() {
        let uri = &proposals("uri", "Harbour Lights", 0, &mut Dice::new(&[]))[0];

        assert_eq!(uri, "https://example.com/stand-in/harbour-lights");
    }
}
