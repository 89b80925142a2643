//! Writes a template anew for the parser: Braze's notation becomes the parser's, texts and
//! the arguments that it has no words for go into tables, and what is wrong is said with its
//! line, all of it at once.

use std::collections::BTreeSet;

use liquid_core::parser::{Language, Tag as ParserTag};

use crate::braze;
use crate::expression::Rewriter;
use crate::segments::{self, Mark, Segment};
use crate::suggestion::{did_you_mean, hint};
use crate::tags::{self, Tables};
use crate::vocabulary::{
    BLOCKS, CATALOG_ITEMS, ENDS, INNER, MISSING, OWN, SETTING, SIMPLE, tag_names,
};
use crate::{Fault, reason_of};

/// Deepest nesting of content blocks: a block in a block.
const MAX_BLOCK_DEPTH: usize = 2;

/// Deepest nesting of tags; each costs stack.
const MAX_TAG_DEPTH: usize = 100;

/// Tag that shows a text of the table.
pub(crate) const TEXT: &str = "text";

/// Tag that prints a value.
pub(crate) const PRINT: &str = "print";

/// A place of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its line, from 1.
    pub(crate) line: usize,
    /// As it is written there: an output with its braces, or the arguments of a tag.
    pub(crate) written: String,
}

/// A template, written anew.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// For the parser.
    pub(crate) template: String,
    /// Texts between tags.
    pub(crate) texts: Vec<String>,
    /// Outputs, and tags with arguments of their own.
    pub(crate) places: Vec<Place>,
    /// Groups of attributes that only Braze knows.
    pub(crate) outside: BTreeSet<String>,
    /// Names of variables that the template sets, somewhere.
    pub(crate) set: BTreeSet<String>,
    /// It asks for items of catalogs.
    pub(crate) has_catalogs: bool,
    /// What is wrong.
    pub(crate) faults: Vec<Fault>,
    /// What an author should know of it, and what is not wrong.
    pub(crate) notes: Vec<Fault>,
}

/// A block that is open: its name and line.
struct Open {
    name: String,
    line: usize,
    /// Nothing in it shows anything but blanks.
    is_blank: bool,
    /// Its own texts of blanks.
    blanks: Vec<usize>,
}

/// Where content blocks come from, by name.
pub(crate) type ContentBlocks<'b> = &'b dyn Fn(&str) -> Option<String>;

/// Where the texts come from that `{% render 'name' %}` includes, or what is wrong with a name.
pub(crate) type Parts<'p> = &'p dyn Fn(&str) -> Result<String, String>;

/// Writes a template anew; without `parts`, nothing can be included.
pub(crate) fn write(
    template: &str,
    blocks: ContentBlocks<'_>,
    parts: Option<Parts<'_>>,
) -> Written {
    let any = Place { line: 1, written: String::new() };
    let language = tags::language(Tables { places: vec![any], ..Tables::default() });
    let written = Written::default();
    let (open, around) = (Vec::new(), Vec::new());
    let mut writer = Writer { written, blocks, parts, language, open, around, newlines: 0 };
    writer.template(template);
    writer.written
}

struct Writer<'b> {
    written: Written,
    blocks: ContentBlocks<'b>,
    parts: Option<Parts<'b>>,
    /// Knows every tag and filter, and one place.
    language: Language,
    open: Vec<Open>,
    /// Names of the content blocks around.
    around: Vec<String>,
    /// Newlines that were left out so far: the next tag takes them, so that the parser counts
    /// lines as the author does.
    newlines: usize,
}

impl Writer<'_> {
    /// Writes the template, or a content block in it, whose tags end where it ends.
    fn template(&mut self, template: &str) {
        let around = std::mem::take(&mut self.open);
        self.segments(template);
        for open in std::mem::replace(&mut self.open, around) {
            let reason = format!("{{% {0} %}} has no {{% end{0} %}}", open.name);
            self.fault(open.line, reason);
        }
    }

    fn segments(&mut self, template: &str) {
        let mut faults = Vec::new();
        let segments = segments::cut(template, &mut faults);
        self.written.faults.append(&mut faults);
        let trims = |segment: Option<&Segment<'_>>, before: bool| match segment {
            Some(Segment::Output(mark) | Segment::Tag(mark)) => {
                if before {
                    mark.trims_before
                } else {
                    mark.trims_after
                }
            }
            _ => false,
        };
        for (n, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Text(text) => {
                    let previous = n.checked_sub(1).and_then(|n| segments.get(n));
                    let mut shown = *text;
                    if trims(previous, false) {
                        shown = shown.trim_start();
                    }
                    if trims(segments.get(n + 1), true) {
                        shown = shown.trim_end();
                    }
                    self.text(text, shown);
                }
                Segment::Output(mark) => self.output(mark, mark.inside),
                Segment::Tag(mark) => self.tag(mark),
            }
        }
    }

    fn text(&mut self, whole: &str, shown: &str) {
        if !shown.is_empty() {
            let number = self.written.texts.len();
            match self.open.last_mut() {
                Some(open) if shown.trim().is_empty() => open.blanks.push(number),
                _ => self.shows(),
            }
            self.emit(TEXT, &number.to_string());
            self.written.texts.push(shown.to_owned());
        }
        self.newlines += whole.matches('\n').count();
    }

    /// Notes that something is shown here.
    fn shows(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.is_blank = false;
        }
    }

    /// Ends a block; one that shows nothing loses its blanks, as in Ruby.
    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match closed.name.as_str() {
            "if" | "unless" | "case" | "for" if closed.is_blank => {
                closed.blanks.iter().for_each(|n| self.written.texts[*n].clear());
            }
            "capture" => {}
            _ => self.shows(),
        }
    }

    /// Writes a tag for the parser.
    fn emit(&mut self, name: &str, arguments: &str) {
        let newlines = "\n".repeat(std::mem::take(&mut self.newlines));
        self.written.template.push_str(&format!("{{%{newlines} {name} {arguments} %}}"));
    }

    fn fault(&mut self, line: usize, reason: String) {
        self.written.faults.push(Fault::new(line, reason));
    }

    /// Remembers a place, and tells its number.
    fn place(&mut self, line: usize, written: &str) -> usize {
        self.written.places.push(Place { line, written: written.to_owned() });
        self.written.places.len() - 1
    }

    fn output(&mut self, mark: &Mark<'_>, expression: &str) {
        self.shows();
        let first = expression.split(char::is_whitespace).next().unwrap_or_default();
        if let Some(name) = braze::content_block(expression) {
            self.content_block(mark, name);
        } else if first.len() < expression.len() && tag_names().chain(ENDS).any(|tag| tag == first)
        {
            let reason = format!("{first} is a tag: write {{% {expression} %}}");
            self.fault(mark.line, reason);
        } else if !expression.is_empty()
            && let Some(expression) = self.rewritten(mark, expression)
        {
            let is_right = self.is_parsed(mark, PRINT, &format!("0 {expression}"));
            let place = self.place(mark.line, mark.whole);
            if is_right {
                self.emit(PRINT, &format!("{place} {expression}"));
            }
        }
        self.newlines += mark.whole.matches('\n').count();
    }

    fn content_block(&mut self, mark: &Mark<'_>, name: &str) {
        if let Some(reason) = self.left_out(name) {
            return self.written.notes.push(Fault::new(mark.line, reason));
        }
        let Some(text) = (self.blocks)(name) else {
            let reason = format!("has the content block {name}, which is not there");
            return self.fault(mark.line, reason);
        };
        let (faults, notes) = (self.written.faults.len(), self.written.notes.len());
        let (places, newlines) = (self.written.places.len(), self.newlines);
        self.around.push(name.to_owned());
        self.template(&text);
        self.around.pop();
        self.newlines = newlines;
        let notes = &mut self.written.notes[notes..];
        for fault in self.written.faults[faults..].iter_mut().chain(notes) {
            fault.reason = format!("content block {name}:{}: {}", fault.line, fault.reason);
            fault.line = mark.line;
        }
        self.written.places[places..].iter_mut().for_each(|place| place.line = mark.line);
    }

    /// Why Braze leaves a content block out, if it does.
    fn left_out(&self, name: &str) -> Option<String> {
        let path = || format!("{} > {name}", self.around.join(" > "));
        if self.around.iter().any(|around| around == name) {
            return Some(format!("the content block {name} shows itself ({}): remove it", path()));
        }
        (self.around.len() >= MAX_BLOCK_DEPTH).then(|| {
            format!(
                "the content block {name} is left out: it stands too deep ({}), and Braze shows a block in a block",
                path()
            )
        })
    }

    fn tag(&mut self, mark: &Mark<'_>) {
        let (name, arguments) = (mark.name(), mark.arguments());
        match name {
            "#" | "raw" | "endraw" | "comment" | "endcomment" => {}
            "echo" => return self.output(mark, arguments),
            "liquid" => self.lines(mark),
            "render" if self.parts.is_some() => self.part(mark),
            _ if OWN.contains(&name) => {
                self.shows();
                if name == CATALOG_ITEMS {
                    self.written.has_catalogs = true;
                    // What it asks for may be what Braze knows.
                    if let Ok(inner) = crate::Template::parse(arguments) {
                        self.written.outside.extend(inner.outside);
                    }
                    self.written.set.insert(tags::ITEMS.to_owned());
                }
                let place = self.place(mark.line, arguments);
                let places = vec![Place { line: mark.line, written: arguments.to_owned() }];
                let language = tags::language(Tables { places, ..Tables::default() });
                match parsed_alone(name, "0", &language) {
                    Err(error) => self.fault(mark.line, reason_of(&error)),
                    Ok(()) => self.emit(name, &place.to_string()),
                }
            }
            _ if self.is_in_its_place(mark) => {
                if SETTING.contains(&name) {
                    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
                    let name = arguments.trim_start_matches(['"', '\'']);
                    let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
                    self.written.set.insert(name[..end].to_owned());
                }
                if let Some(arguments) = self.rewritten(mark, arguments)
                    && self.is_parsed(mark, name, &arguments)
                {
                    self.emit(name, &arguments);
                }
            }
            _ => {}
        }
        self.newlines += mark.whole.matches('\n').count();
    }

    /// A text that is included: it sees nothing of what is around it, and is no template here.
    fn part(&mut self, mark: &Mark<'_>) {
        let Some(parts) = self.parts else { return };
        let name = ['\'', '"']
            .iter()
            .find_map(|quote| mark.arguments().strip_prefix(*quote)?.strip_suffix(*quote));
        let name = name.filter(|name| !name.contains(['\'', '"']));
        let Some(name) = name else {
            let reason =
                "render takes a name in quotes, and no more: what it includes sees no variables";
            return self.fault(mark.line, reason.to_owned());
        };
        match parts(name) {
            Ok(text) => self.text("", &text),
            Err(reason) => self.fault(mark.line, reason),
        }
    }

    /// The tags of a `liquid` tag, each on a line of its own.
    fn lines(&mut self, mark: &Mark<'_>) {
        let mut comments = 0_usize;
        for text in mark.arguments().lines().map(str::trim).filter(|text| !text.is_empty()) {
            // It is a part of the tag.
            let from = text.as_ptr().addr() - mark.whole.as_ptr().addr();
            let line = mark.line + mark.whole[..from].matches('\n').count();
            match text {
                "comment" => comments += 1,
                "endcomment" => comments = comments.saturating_sub(1),
                _ if comments > 0 => {}
                _ if text.starts_with("liquid") => {
                    self.fault(line, "liquid stands in liquid".to_owned());
                }
                _ => self.tag(&Mark { inside: text, whole: text, line, ..*mark }),
            }
        }
    }

    /// Tells whether a tag may stand where it stands, and keeps account of blocks.
    fn is_in_its_place(&mut self, mark: &Mark<'_>) -> bool {
        let name = mark.name();
        if BLOCKS.contains(&name) {
            let (name, line) = (name.to_owned(), mark.line);
            self.open.push(Open { name, line, is_blank: true, blanks: Vec::new() });
            if self.open.len() > MAX_TAG_DEPTH {
                let reason = format!("stands in more than {MAX_TAG_DEPTH} tags");
                self.fault(mark.line, reason);
                return false;
            }
            return true;
        }
        if SIMPLE.contains(&name) {
            if ["increment", "decrement", "cycle"].contains(&name) {
                self.shows();
            }
            return true;
        }
        if let Some((_, around)) = INNER.iter().find(|(inner, _)| *inner == name) {
            let innermost = self.open.last().map(|open| open.name.as_str());
            if innermost.is_some_and(|innermost| around.contains(&innermost)) {
                if name == "else" && !mark.arguments().is_empty() {
                    let reason = "else takes no condition: write elsif".to_owned();
                    self.fault(mark.line, reason);
                    return false;
                }
                return true;
            }
            let reason =
                format!("{{% {name} %}} stands in no {{% {} %}}", around.join(" %} or {% "));
            self.fault(mark.line, reason);
            return false;
        }
        if let Some(block) = name.strip_prefix("end").filter(|block| BLOCKS.contains(block)) {
            return self.is_end(mark, block);
        }
        let reason = match MISSING.iter().find(|(missing, _)| *missing == name) {
            Some((_, reason)) => format!("the tag {name} is not supported: {reason}"),
            None if name.is_empty() => format!("{} is no tag", mark.whole),
            None => {
                format!("unknown tag {name}{}", did_you_mean(name, tag_names().chain(ENDS)))
            }
        };
        self.fault(mark.line, reason);
        false
    }

    fn is_end(&mut self, mark: &Mark<'_>, block: &str) -> bool {
        match self.open.last() {
            Some(open) if open.name == block => {
                self.close();
                return true;
            }
            Some(open) => {
                let reason = format!(
                    "{{% end{block} %}} stands where {{% end{} %}} must end line {}",
                    open.name, open.line
                );
                self.fault(mark.line, reason);
                // It may have been meant, so that not everything behind it is wrong too.
                if let Some(at) = self.open.iter().rposition(|open| open.name == block) {
                    self.open.truncate(at);
                }
            }
            None => {
                let reason = format!("{{% end{block} %}} ends nothing");
                self.fault(mark.line, reason);
            }
        }
        false
    }

    fn rewritten(&mut self, mark: &Mark<'_>, expression: &str) -> Option<String> {
        let mut rewriter = Rewriter::whole();
        let rewritten = rewriter.rewrite(expression);
        self.written.outside.append(&mut rewriter.outside);
        rewritten.map_err(|reason| self.fault(mark.line, format!("{} {reason}", mark.whole))).ok()
    }

    /// Tells whether the parser takes a tag.
    fn is_parsed(&mut self, mark: &Mark<'_>, name: &str, arguments: &str) -> bool {
        if ParserTag::new(&format!("{{% {name} {arguments} %}}")).is_err() {
            let hint = hint(arguments).map_or(String::new(), |hint| format!(": {hint}"));
            self.fault(mark.line, format!("{} is no Liquid{hint}", mark.whole));
            return false;
        }
        let parsed = parsed_alone(name, arguments, &self.language);
        parsed
            .map_err(|error| {
                self.fault(mark.line, format!("{}: {}", mark.whole, reason_of(&error)))
            })
            .is_ok()
    }
}

/// Parses one tag by itself, so that all that are wrong are told at once.
fn parsed_alone(name: &str, arguments: &str, language: &Language) -> liquid_core::Result<()> {
    let tag = match name {
        _ if BLOCKS.contains(&name) => format!("{{% {name} {arguments} %}}{{% end{name} %}}"),
        "elsif" => format!("{{% if true %}}{{% elsif {arguments} %}}{{% endif %}}"),
        "when" => format!("{{% case true %}}{{% when {arguments} %}}{{% endcase %}}"),
        // What only stands in a block or ends one takes nothing that could be wrong.
        _ if name == "else" || name.starts_with("end") => return Ok(()),
        _ => format!("{{% {name} {arguments} %}}"),
    };
    liquid_core::parser::parse(&tag, language).map(drop)
}
