//! Rewrites what stands inside a tag from Braze's notation into that of the parser.
//!
//! `${name}` becomes a name in brackets; an output as a value loses its braces; names that
//! begin like a literal, which the parser would take for one, get a prefix.

use std::collections::BTreeSet;

use crate::filters;
use crate::suggestion::filter_meant;

/// Where attributes of the user are that Braze writes without a group, `${first_name}`.
pub const ATTRIBUTES: &str = "braze_attributes";

/// Put in front of names that begin like a literal.
const PREFIX: &str = "__plain_";

/// The literals that are words.
const LITERALS: [&str; 6] = ["nil", "null", "empty", "blank", "true", "false"];

/// Most brackets of an expression.
const MAX_BRACKETS: usize = 50;

/// Most digits of a whole number.
const MAX_DIGITS: usize = 18;

/// A name as its author wrote it.
pub(crate) fn plain_name(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// A path whose root is a group of what Braze knows, as its author writes it: `${first_name}`.
pub fn as_written(path: &str) -> String {
    let Some((group, rest)) = path.split_once('.') else { return path.to_owned() };
    let (name, inside) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
    let group = if group == ATTRIBUTES { String::new() } else { format!("{group}.") };
    format!("{group}${{{name}}}{inside}")
}

/// An expression that is rewritten.
#[derive(Default)]
pub(crate) struct Rewriter<'e> {
    rest: &'e str,
    written: String,
    brackets: usize,
    /// It is no part that follows a value.
    is_whole: bool,
    /// Groups that only Braze knows, such as `custom_attribute`.
    pub(crate) outside: BTreeSet<String>,
}

impl<'e> Rewriter<'e> {
    /// For a whole expression.
    pub(crate) fn whole() -> Self {
        Self { is_whole: true, ..Self::default() }
    }

    /// For filters that follow a value.
    fn part() -> Self {
        Self::default()
    }

    /// Rewrites an expression, or says what is wrong with it.
    pub(crate) fn rewrite(&mut self, expression: &'e str) -> Result<String, String> {
        self.rest = expression;
        self.written.clear();
        while let Some(next) = self.rest.chars().next() {
            match next {
                '"' | '\'' => self.text(next)?,
                '“' | '”' | '‘' | '’' => {
                    return Err(format!("has a curly quote {next}: write a straight one"));
                }
                '$' if self.rest.starts_with("${") => self.attribute()?,
                '{' | '}' => self.brace()?,
                '|' if self.rest.starts_with("||") => return Err("has ||: write or".to_owned()),
                '|' => self.filter()?,
                '=' if self.rest.starts_with("===") => return Err("has ===: write ==".to_owned()),
                '!' if !self.rest.starts_with("!=") => {
                    return Err("has !, which means nothing: use unless, or == false".to_owned());
                }
                c if c.is_alphabetic() || c == '_' => self.name()?,
                c if c.is_ascii_digit() => self.number()?,
                '&' if self.rest.starts_with("&&") => {
                    return Err("has &&: write and".to_owned());
                }
                '[' => self.bracket()?,
                c if c.is_whitespace() => self.put(c.len_utf8(), " "),
                c => self.put(c.len_utf8(), c.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(std::mem::take(&mut self.written))
    }

    /// Writes something in the place of the next bytes.
    fn put(&mut self, bytes: usize, text: &str) {
        self.rest = &self.rest[bytes..];
        self.written.push_str(text);
    }

    fn text(&mut self, quote: char) -> Result<(), String> {
        let end = self.rest[1..].find(quote);
        let end = end.ok_or_else(|| format!("has a text without a closing {quote}"))?;
        let text = &self.rest[..end + 2];
        self.put(text.len(), text);
        Ok(())
    }

    /// Braces around a value mean nothing inside a tag.
    fn brace(&mut self) -> Result<(), String> {
        if self.rest.starts_with("{{") || self.rest.starts_with("}}") {
            self.put(2, " ");
            return Ok(());
        }
        Err(format!("has a single {} that means nothing", &self.rest[..1]))
    }

    /// Brackets in brackets cost the parser stack.
    fn bracket(&mut self) -> Result<(), String> {
        self.brackets += 1;
        if self.brackets > MAX_BRACKETS {
            return Err(format!("has more than {MAX_BRACKETS} opening brackets"));
        }
        self.put(1, "[");
        Ok(())
    }

    /// `${name}`, `group.${name}`, `${name | filter}` or `${name[0].field}`.
    fn attribute(&mut self) -> Result<(), String> {
        let end = self.rest.find('}').ok_or("has a ${ without a } that closes it")?;
        let inside = &self.rest[2..end];
        let (name, filters) = match inside.split_once('|') {
            Some((name, filters)) => (name.trim(), Some(filters)),
            None => (inside.trim(), None),
        };
        if name.is_empty() || (name.contains('"') && name.contains('\'')) {
            return Err(format!("has ${{{name}}}, which is no name"));
        }
        let (name, path) = name.split_at(path_start(name));
        match self.written.strip_suffix('.') {
            Some(group) => {
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                let start = group.trim_end_matches(is_word).len();
                self.outside.insert(group[start..].to_owned());
                self.written.pop();
            }
            None => {
                self.outside.insert(ATTRIBUTES.to_owned());
                self.written.push_str(ATTRIBUTES);
            }
        }
        let quote = if name.contains('"') { '\'' } else { '"' };
        self.written.push_str(&format!("[{quote}{name}{quote}]{path}"));
        self.rest = &self.rest[end + 1..];
        if let Some(filters) = filters {
            let filters = format!("| {filters}");
            let mut inner = Rewriter::part();
            let rewritten = inner.rewrite(&filters)?;
            self.outside.extend(inner.outside);
            self.written.push_str(&format!(" {rewritten}"));
        }
        Ok(())
    }

    /// A filter's name.
    fn filter(&mut self) -> Result<(), String> {
        if self.written.trim().is_empty() && self.is_whole {
            return Err("has a | without a value in front of it".to_owned());
        }
        self.put(1, "|");
        let rest = self.rest.trim_start();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let name = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if name.is_empty() {
            return Err("has a | without a filter behind it".to_owned());
        }
        if filters::find(name).is_some() {
            return Ok(());
        }
        Err(match filters::MISSING.iter().find(|(missing, _)| *missing == name) {
            Some((_, instead)) => {
                format!("has the filter {name}, which Braze does not have: {instead}")
            }
            None => {
                let known = filters::names();
                format!("has an unknown filter {name}{}", filter_meant(name, known))
            }
        })
    }

    fn name(&mut self) -> Result<(), String> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        let is_root = !self.written.ends_with('.');
        if !name.is_ascii() {
            if is_root {
                return Err(format!("has {name}: names of variables are of a to z, digits and _"));
            }
            self.written.pop();
            self.written.push_str(&format!("[\"{name}\"]"));
            self.put(end, "");
            return Ok(());
        }
        let begins = |literal: &&str| name.len() > literal.len() && name.starts_with(*literal);
        if is_root && LITERALS.iter().any(begins) {
            self.written.push_str(PREFIX);
        }
        self.put(end, name);
        // Ruby's names may end so.
        if self.rest.starts_with('?') {
            self.put(1, "");
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let digits = &self.rest[..end];
        if digits.len() > MAX_DIGITS {
            return Err(format!("has a number of more than {MAX_DIGITS} digits"));
        }
        self.put(end, digits);
        Ok(())
    }
}

/// Where a path begins that stands inside the braces, `${song[0].artist}`.
fn path_start(name: &str) -> usize {
    let start = name.find(['[', '.']).unwrap_or(name.len());
    let is_path = name[start..].chars().all(|c| c.is_alphanumeric() || "_[].".contains(c));
    let is_closed = name[start..].matches('[').count() == name[start..].matches(']').count();
    if start > 0 && is_path && is_closed && !name.ends_with('.') { start } else { name.len() }
}
