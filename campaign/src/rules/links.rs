//! Links in the texts of an answer: what reads as one, and which may be there.
//!
//! A link is what a mail program or a browser would follow:
//!
//! - what has a scheme and `://`, and the schemes that do without (`mailto:`, `javascript:`);
//! - what begins with `//` or `www.`;
//! - a bare domain: labels with dots between, of which one is a top-level domain of the public
//!   suffix list, so that `node.js`, `3.5`, `e.g.` and `S.H.I.E.L.D.` are none. A capitalised
//!   one (`M.Sc.`, `Dr.No`, `now.It is`) is the next sentence or a name, but for `.Com` and
//!   `.Org`; a number alone is no name of a site (`7.am`); one letter is one before the common
//!   ends only (`x.com`); and what ends in `.zip` or `.mov` is a file, unless a path follows.
//!
//! A missing blank, `now.it is`, reads as a link to a mail program too, and so it does here.
//! A link may be there if it begins with an entry of the campaign's list, as parsed: the same
//! host, and a path that ends where a part of it does.

use psl::Psl as _;
use url::Url;

use super::{quoted, words};
use crate::config::Lined;

/// Schemes that need no `//`.
const SCHEMES: [&str; 14] = [
    "blob",
    "data",
    "facetime",
    "file",
    "ftp",
    "intent",
    "itms",
    "javascript",
    "mailto",
    "market",
    "sms",
    "tel",
    "vbscript",
    "whatsapp",
];

/// Ends of domains that count even behind one letter.
const COMMON: [&str; 9] = ["ai", "app", "co", "com", "io", "me", "net", "org", "tv"];

/// Ends of domains that no sentence begins with, so that they count capitalised too.
const NO_WORDS: [&str; 2] = ["com", "org"];

/// Ends of domains that are ends of files' names as well.
const FILES: [&str; 2] = ["mov", "zip"];

/// What ends a link, beside blanks.
const ENDS: [char; 20] = [
    '<', '>', '"', '“', '”', '„', '«', '»', '‹', '›', '(', ')', '[', ']', '{', '}', '|', '^', '`',
    '、',
];

/// What follows a link as the end of its sentence.
const PUNCTUATION: [char; 8] = ['.', ',', ';', ':', '!', '?', '\'', '…'];

/// The links that a campaign allows.
#[derive(Debug)]
pub(crate) struct Links {
    allowed: Vec<Url>,
}

impl Links {
    /// Those that begin with these entries.
    pub(crate) fn new(entries: &[Lined]) -> Self {
        Self { allowed: entries.iter().filter_map(|entry| beginning(&entry.text).ok()).collect() }
    }

    /// Tells whether there may be some.
    pub(crate) fn allow_some(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// What the model is told of a text that holds another link.
    pub(crate) fn broken_by(&self, text: &str) -> Option<String> {
        // Every link has one of them.
        if !text.contains(['.', ':', '/', '\\', '．', '。', '｡', '：', '／', '․']) {
            return None;
        }
        let other = found(text).into_iter().filter(|link| !self.allows(link));
        let other: Vec<String> = other.map(|link| link.written).collect();
        let quoted = quoted(other.iter().map(String::as_str));
        let allowed: Vec<&str> = self.allowed.iter().map(Url::as_str).collect();
        match (other.as_slice(), allowed.as_slice()) {
            ([], _) => None,
            (_, []) => {
                Some(format!("write no link, no web address and no mail address, such as {quoted}"))
            }
            (_, allowed) => Some(format!(
                "write no link but those that begin with {}, so not {quoted}",
                allowed.join(" or ")
            )),
        }
    }

    fn allows(&self, link: &Link) -> bool {
        let Some(url) = &link.url else { return false };
        let is_plain = url.username().is_empty() && url.password().is_none();
        is_plain && self.allowed.iter().any(|allowed| begins_with(url, allowed))
    }
}

/// Reads an entry of a campaign's list, or says what is wrong with it.
pub(crate) fn beginning(entry: &str) -> Result<Url, String> {
    let no_address = || {
        let host = entry.trim().trim_start_matches("//");
        let meant = Url::parse(&format!("https://{host}")).ok().filter(|url| {
            url.host_str().is_some_and(|host| host.contains('.')) && !host.contains(' ')
        });
        let meant = meant.as_ref().map_or("https://shop.example.com/", Url::as_str);
        format!("\"{entry}\" is no address: write \"{meant}\"")
    };
    if entry.contains('*') {
        return Err(format!(
            "\"{entry}\" has a pattern, and there are none: write each host by itself"
        ));
    }
    let url = Url::parse(entry).map_err(|_| no_address())?;
    match url.scheme() {
        "https" => {}
        "http" => {
            let meant = entry.replacen("http", "https", 1);
            return Err(format!("\"{entry}\" is not https: write \"{meant}\""));
        }
        _ => return Err(no_address()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("\"{entry}\" has a user in front of its host: write the host alone"));
    }
    url.host_str().filter(|host| host.contains('.')).ok_or_else(no_address)?;
    Ok(url)
}

/// Tells whether a URL begins with another, of which the last part is whole.
fn begins_with(url: &Url, beginning: &Url) -> bool {
    let is_same_host = url.scheme() == beginning.scheme()
        && url.host() == beginning.host()
        && url.port() == beginning.port();
    let Some(rest) = url.as_str().strip_prefix(beginning.as_str()) else { return false };
    let ends_whole = beginning.as_str().ends_with(['/', '?', '=', '&', '#']);
    is_same_host && (ends_whole || rest.is_empty() || rest.starts_with(['/', '?', '#', '&']))
}

/// What reads as a link.
#[derive(Debug)]
struct Link {
    written: String,
    /// Where it leads, if that can be an allowed place at all.
    url: Option<Url>,
}

/// All that reads as a link in a text.
fn found(text: &str) -> Vec<Link> {
    let plain = words::plain(text).replace('\\', "/").replace('․', ".");
    let chunks = plain.split(|c: char| c.is_whitespace() || c.is_control() || ENDS.contains(&c));
    chunks.filter(|chunk| !chunk.is_empty()).flat_map(in_chunk).collect()
}

/// All that reads as a link in a text without blanks.
fn in_chunk(chunk: &str) -> Vec<Link> {
    let chunk = &with_dots(chunk);
    let leads_to = |url: &str| Url::parse(url.trim_end_matches(PUNCTUATION)).ok();
    let link = |written: &str, url: Option<Url>| {
        let written = written.trim_end_matches(PUNCTUATION).to_owned();
        vec![Link { written, url }]
    };
    if let Some((scheme, behind)) = chunk.split_once("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&c);
        let from = scheme
            .rfind(|c: char| !is_scheme(c))
            .map_or(0, |at| at + scheme[at..].chars().next().map_or(1, char::len_utf8));
        if from < scheme.len() && !behind.is_empty() {
            let mut links = bare(&chunk[..from]);
            links.extend(link(&chunk[from..], leads_to(&chunk[from..])));
            return links;
        }
    }
    let lower = chunk.to_ascii_lowercase();
    for scheme in SCHEMES.into_iter().filter(|_| lower.contains(':')) {
        let at = lower.match_indices(&format!("{scheme}:")).find(|(at, found)| {
            let before = lower[..*at].chars().next_back();
            let behind = lower[at + found.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric)
                && behind.is_some_and(|c| c.is_alphanumeric() || ['+', '/', '%'].contains(&c))
        });
        if let Some((at, _)) = at {
            return link(&chunk[at..], None);
        }
    }
    if let Some(behind) = chunk.strip_prefix("//")
        && behind.starts_with(char::is_alphanumeric)
    {
        return link(chunk, leads_to(&format!("https:{chunk}")));
    }
    bare(chunk)
}

/// A text whose ideographic full stops between letters of ASCII are dots, as for browsers.
fn with_dots(chunk: &str) -> String {
    let chars: Vec<char> = chunk.chars().collect();
    let is_ascii =
        |n: Option<usize>| n.and_then(|n| chars.get(n)).is_some_and(char::is_ascii_alphanumeric);
    let dotted = chars.iter().enumerate().map(|(n, c)| match c {
        '。' if is_ascii(n.checked_sub(1)) && is_ascii(Some(n + 1)) => '.',
        c => *c,
    });
    dotted.collect()
}

/// The bare domains in a text without blanks.
fn bare(chunk: &str) -> Vec<Link> {
    let is_of_host = |c: char| c.is_alphanumeric() || ['.', '-', '_'].contains(&c);
    let mut links = Vec::new();
    let mut at = 0;
    while let Some(start) = chunk[at..].find(is_of_host).map(|found| at + found) {
        let end =
            chunk[start..].find(|c| !is_of_host(c)).map_or(chunk.len(), |found| start + found);
        let (run, behind) = (&chunk[start..end], &chunk[end..]);
        at = end;
        let is_mail = chunk[..start].ends_with('@');
        let has_path = behind.starts_with('/')
            || behind
                .strip_prefix(':')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !is_domain(run, has_path, is_mail) {
            continue;
        }
        let goes_on = behind.starts_with(['/', '?', '#']) || has_path;
        let whole = if goes_on { &chunk[start..] } else { run };
        let whole = whole.trim_end_matches(PUNCTUATION);
        let url = Url::parse(&format!("https://{whole}")).ok().filter(|_| !is_mail);
        links.push(Link { written: whole.to_owned(), url });
        if goes_on {
            break;
        }
    }
    links
}

/// Tells whether labels with dots between read as a domain, or begin with one.
fn is_domain(run: &str, has_path: bool, is_mail: bool) -> bool {
    let labels: Vec<&str> = run.split('.').map(|label| label.trim_matches(['-', '_'])).collect();
    if labels[0].eq_ignore_ascii_case("www") && labels.get(1).is_some_and(|next| !next.is_empty()) {
        return true;
    }
    labels.windows(2).enumerate().any(|(n, pair)| {
        let [name, end] = [pair[0], pair[1]];
        let lower = end.to_lowercase();
        let is_sure = (has_path && n + 2 == labels.len()) || is_mail;
        let is_short = name.chars().count() == 1 && !COMMON.contains(&lower.as_str());
        let is_upper = |text: &str| !text.chars().any(char::is_lowercase);
        let is_capitalised = !is_upper(end) && end.starts_with(char::is_uppercase);
        let is_loud = is_upper(end) && end.chars().any(char::is_uppercase) && !is_upper(name);
        let is_sentence = (is_capitalised || is_loud) && !NO_WORDS.contains(&lower.as_str());
        let is_file = FILES.contains(&lower.as_str());
        name.chars().any(char::is_alphabetic)
            && (is_sure || !(is_short || is_sentence || is_file))
            && is_end(&lower)
    })
}

/// Tells whether a label is a top-level domain.
fn is_end(label: &str) -> bool {
    label.chars().count() > 1
        && psl::List.suffix(label.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(allowed: &[&str]) -> Links {
        let entry = |text: &&str| Lined { text: (*text).to_owned(), line: 1 };
        Links::new(&allowed.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_mail_program_or_a_browser_would_follow_is_a_link() {
        for text in [
            "See https://example.com/x.",
            "HTTP://EXAMPLE.COM",
            "myapp://episode/7",
            "(http://example.com)",
            "click:https://example.com",
            "www.example.com",
            "Www.Example",
            "example.com",
            "Visit EXAMPLE.COM today",
            "Example.Com",
            "at example.com, now",
            "example.com/x",
            "sub.example.co.uk",
            "now.it is",
            "x.com",
            "example.com.Then",
            "wait...example.com",
            "a@example.com",
            "mailto:a@example",
            "MAILTO:someone",
            "tel:+43123",
            "javascript:alert(1)",
            "JaVaScRiPt\u{200b}:alert(1)",
            "data:text/html,x",
            "//example.com/x",
            "//localhost/x",
            "\\\\example.com\\x",
            "https:\\\\example.com",
            "exa\u{200b}mple.com",
            "ｅｘａｍｐｌｅ．ｃｏｍ",
            "example。com",
            "ex\u{430}mple.com",
            "пример.рф",
            "bücher.de",
            "xn--bcher-kva.de",
            "archive.zip/x",
            "example.com:8080",
            "[here](https://example.com)",
            "https://1.2.3.4/",
            "example.africa",
        ] {
            assert!(links(&[]).broken_by(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_only_has_dots_and_colons_is_no_link() {
        for text in [
            "e.g. this, i.e. that",
            "3.5 stars, 1.000,50 EUR, v2.0.1",
            "S.H.I.E.L.D. and the U.S.A.",
            "Mr.Robot and Dr.No",
            "She has an M.Sc. in law",
            "Node.js, index.html, trailer.mp4, archive.zip and clip.mov",
            "The end.It was late.",
            "The end.IT was late.",
            "um 7.am Abend, at 7.30 p.m. today",
            "z.B. hier, u.a. dort, d.h. da",
            "wait...what?",
            "Episode 7: the end",
            "Note:this and Tel: 0800 123",
            "data: none; file: none",
            "and/or, 24/7, s/he, 1//2",
            "ratio 16:9, at 20:15",
            "C:\\Users",
            "終わり。次は",
            "example.test and example.invalid",
            "S.p.A. & Co.",
            "#1 @home",
            "…",
            "",
        ] {
            assert_eq!(links(&[]).broken_by(text), None, "{text}");
        }
    }

    #[test]
    fn a_link_may_be_there_if_it_begins_with_an_entry_as_it_is_parsed() {
        let links = links(&[
            "https://shop.example.com/",
            "https://a.example/sale",
            "https://b.example/?id=",
        ]);
        for text in [
            "Buy at https://shop.example.com/sale?a=1#b.",
            "https://SHOP.example.com:443/x",
            "https://shop.example.com",
            "shop.example.com/x",
            "//shop.example.com/x",
            "(https://a.example/sale)",
            "https://a.example/sale/7",
            "https://a.example/sale?x=1",
            "https://b.example/?id=7",
        ] {
            assert_eq!(links.broken_by(text), None, "{text}");
        }
        for text in [
            "http://shop.example.com/",
            "https://shop.example.com.evil.example/",
            "https://shop.example.com@evil.example/",
            "https://shop.example.com:secret@evil.example/",
            "https://shop.example.com:8443/",
            "https://evil.example/https://shop.example.com/",
            "https://evil.example/?https://shop.example.com/",
            "https://sh\u{43e}p.example.com/",
            "https://shop.example.com\\@evil.com/ evil.com",
            "https://user@shop.example.com/",
            "https://a.example/sale-of-evil",
            "https://a.example/sale/../other",
            "https://a.example/sale/%2e%2e/other",
            "https://b.example/?other=7",
            "shop.example.com,evil.com",
            "someone@shop.example.com",
            "javascript:https//shop.example.com/",
            "evil.com:https://shop.example.com/",
            "evil.com,https://shop.example.com/",
            "shop.example.com:443@evil.com/",
        ] {
            assert!(links.broken_by(text).is_some(), "{text}");
        }
    }

    #[test]
    fn the_model_is_told_what_reads_as_a_link_and_what_may_be_there() {
        let told =
            links(&["https://a.example"]).broken_by("evil.com and www.b.example").expect("is");
        assert_eq!(
            told,
            "write no link but those that begin with https://a.example/, so not \"evil.com\", \"www.b.example\""
        );
        assert_eq!(
            links(&[]).broken_by("now.it is").expect("is"),
            "write no link, no web address and no mail address, such as \"now.it\""
        );
    }
}
