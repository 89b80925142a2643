//! `if`, `unless`, `elsif` and `else`. Of several conditions the last is asked first, as in
//! Ruby: `a or b and c` is `a or (b and c)`, and `a and b or c` is `a and (b or c)`.

use std::cmp::Ordering;
use std::io::Write;

use liquid_core::parser::{Language, TagBlock, TagToken, TagTokenIter, TryMatchToken};
use liquid_core::{
    BlockReflection, Expression, ParseBlock, Renderable, Result, Runtime, Template, ValueView as _,
};

use super::{explore_branches, is_exploring, part};
use crate::{ruby, state, unknown};

/// Most comparisons of a condition; each costs stack.
const MAX_COMPARISONS: usize = 100;

/// `if` or `unless`.
#[derive(Debug, Clone)]
pub(super) struct IfBlock {
    start: &'static str,
    end: &'static str,
    /// The first condition must be true, or must not.
    wants: bool,
}

#[derive(Debug)]
struct If {
    branches: Vec<(Condition, bool, Template)>,
    otherwise: Option<Template>,
}

/// Comparisons, joined by `and` and `or`.
#[derive(Debug)]
struct Condition {
    first: Comparison,
    /// Whether it is `and`, and what follows.
    rest: Option<(bool, Box<Condition>)>,
}

#[derive(Debug)]
struct Comparison {
    left: Expression,
    right: Option<(Operator, Expression)>,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

impl IfBlock {
    pub(super) const IF: Self = Self { start: "if", end: "endif", wants: true };
    pub(super) const UNLESS: Self = Self { start: "unless", end: "endunless", wants: false };
}

impl BlockReflection for IfBlock {
    fn start_tag(&self) -> &str {
        self.start
    }

    fn end_tag(&self) -> &str {
        self.end
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseBlock for IfBlock {
    fn parse(
        &self,
        tokens: TagTokenIter<'_>,
        mut block: TagBlock<'_, '_>,
        language: &Language,
    ) -> Result<Box<dyn Renderable>> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        let mut next = Some((Condition::parse(tokens)?, self.wants));
        let mut is_else = false;
        loop {
            let part = part(&mut block, language, &["elsif", "else"])?;
            let template = Template::new(part.elements);
            match next.take() {
                Some((condition, wants)) => branches.push((condition, wants, template)),
                None if otherwise.is_none() => otherwise = Some(template),
                None => {}
            }
            let Some(end) = part.end else { break };
            if is_else {
                let reason = format!("{} stands behind else", end.as_str());
                return super::wrong(reason);
            }
            if end.name() == "elsif" {
                next = Some((Condition::parse(end.into_tokens())?, true));
            } else {
                is_else = true;
            }
        }
        block.assert_empty();
        Ok(Box::new(If { branches, otherwise }))
    }

    fn reflection(&self) -> &dyn BlockReflection {
        self
    }
}

impl Condition {
    fn parse(tokens: TagTokenIter<'_>) -> Result<Self> {
        Self::parse_up_to(tokens, MAX_COMPARISONS)
    }

    fn parse_up_to(mut tokens: TagTokenIter<'_>, most: usize) -> Result<Self> {
        if most == 0 {
            return Err(tokens.raise_error(&format!("more than {MAX_COMPARISONS} comparisons")));
        }
        let left = tokens.expect_next("a condition is expected")?;
        if left.as_str() == "not" {
            return Err(left.raise_custom_error("there is no not: use unless, or == false"));
        }
        let left = value(left)?;
        let mut comparison = Comparison { left, right: None };
        let mut joint = tokens.next();
        if let Some(token) = joint.take_if(|token| !["and", "or"].contains(&token.as_str())) {
            let operator = Operator::of(token)?;
            let right = value(tokens.expect_next("a value is expected behind an operator")?)?;
            comparison.right = Some((operator, right));
            joint = tokens.next();
        }
        let rest = match joint {
            None => None,
            Some(token) if token.as_str() == "and" => {
                Some((true, Box::new(Self::parse_up_to(tokens, most - 1)?)))
            }
            Some(token) if token.as_str() == "or" => {
                Some((false, Box::new(Self::parse_up_to(tokens, most - 1)?)))
            }
            Some(token) => {
                let reason =
                    format!("{} stands where and, or or the end is expected", token.as_str());
                return Err(token.raise_custom_error(&reason));
            }
        };
        Ok(Self { first: comparison, rest })
    }

    fn holds(&self, runtime: &dyn Runtime) -> Result<bool> {
        match &self.rest {
            None => self.first.holds(runtime),
            Some((is_and, rest)) => {
                let rest = rest.holds(runtime)?;
                let first = self.first.holds(runtime)?;
                Ok(if *is_and { first && rest } else { first || rest })
            }
        }
    }

    /// The fields that it asks for, and whether what they hold decides; or what it always is.
    fn explore(&self, runtime: &dyn Runtime) -> Result<(Vec<String>, bool, Option<bool>)> {
        let mut fields = Vec::new();
        let (mut compares, mut is_known) = (false, true);
        let mut next = Some(self);
        while let Some(condition) = next {
            let comparison = &condition.first;
            let right = comparison.right.as_ref().map(|(_, right)| right);
            for side in std::iter::once(&comparison.left).chain(right) {
                let value = side.evaluate(runtime)?;
                if unknown::is_unknown(&value) {
                    let of = unknown::fields(&value);
                    is_known = false;
                    // A flag of the template's own is no field that is there or not.
                    let is_value = of.is_empty() || right.is_some_and(|right| !is_presence(right));
                    compares |= is_value && of != [unknown::SIZE];
                    fields.extend(of);
                }
            }
            next = condition.rest.as_ref().map(|(_, rest)| &**rest);
        }
        let known = if is_known { Some(self.holds(runtime)?) } else { None };
        Ok((fields, compares, known))
    }
}

/// `x != blank` asks whether something is there, and not what it is.
fn is_presence(right: &Expression) -> bool {
    matches!(right, Expression::Literal(value) if value.is_nil() || value.is_state())
}

impl Comparison {
    fn holds(&self, runtime: &dyn Runtime) -> Result<bool> {
        state::spend(runtime, 1)?;
        let left = self.left.evaluate(runtime)?;
        let Some((operator, right)) = &self.right else { return Ok(ruby::is_true(&left)) };
        let right = right.evaluate(runtime)?;
        state::spend(runtime, ruby::weight(&left) + ruby::weight(&right))?;
        let is = |accepted: &[Ordering]| match ruby::compare(&left, &right) {
            Some(order) => accepted.contains(&order),
            None => {
                not_compared(runtime, &left, &right);
                false
            }
        };
        Ok(match operator {
            Operator::Equal => ruby::is_equal(&left, &right),
            Operator::Different => !ruby::is_equal(&left, &right),
            Operator::Less => is(&[Ordering::Less]),
            Operator::LessOrEqual => is(&[Ordering::Less, Ordering::Equal]),
            Operator::Greater => is(&[Ordering::Greater]),
            Operator::GreaterOrEqual => is(&[Ordering::Greater, Ordering::Equal]),
            Operator::Contains => ruby::contains(&left, &right),
        })
    }
}

/// Tells an author of a text beside a number, which are never compared.
fn not_compared(
    runtime: &dyn Runtime,
    left: &dyn liquid_core::ValueView,
    right: &dyn liquid_core::ValueView,
) {
    let is_text =
        |value: &dyn liquid_core::ValueView| matches!(ruby::kind(value), ruby::Kind::Text(_));
    let is_number = |value: &dyn liquid_core::ValueView| {
        matches!(ruby::kind(value), ruby::Kind::Integer(_) | ruby::Kind::Float(_))
    };
    let (text, number) = match (left, right) {
        (text, number) if is_text(text) && is_number(number) => (text, number),
        (number, text) if is_text(text) && is_number(number) => (text, number),
        _ => return,
    };
    state::note(runtime, || {
        format!(
            "the text \"{}\" is compared with the number {}, which is never true: make it a number before, with plus: 0",
            ruby::text(text),
            ruby::text(number)
        )
    });
}

impl Operator {
    fn of(token: TagToken<'_>) -> Result<Self> {
        let reason = match token.as_str() {
            "==" => return Ok(Self::Equal),
            "!=" | "<>" => return Ok(Self::Different),
            "<" => return Ok(Self::Less),
            "<=" => return Ok(Self::LessOrEqual),
            ">" => return Ok(Self::Greater),
            ">=" => return Ok(Self::GreaterOrEqual),
            "contains" => return Ok(Self::Contains),
            "=" => "= sets a variable: write == to compare".to_owned(),
            other => {
                format!("{other} is no operator: there are ==, !=, <, <=, >, >=, contains, and, or")
            }
        };
        Err(token.raise_custom_error(&reason))
    }
}

/// A value of a condition, which has no filters.
pub(super) fn value(token: TagToken<'_>) -> Result<Expression> {
    let has_filter = token.as_str().contains('|');
    match token.expect_value() {
        TryMatchToken::Matches(value) => Ok(value),
        TryMatchToken::Fails(token) if has_filter => {
            Err(token.raise_custom_error("a condition has no filters: assign the value first"))
        }
        TryMatchToken::Fails(token) => Err(token.raise_custom_error("a value is expected")),
    }
}

impl Renderable for If {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        if is_exploring(runtime) {
            return self.explore(writer, runtime);
        }
        for (condition, wants, template) in &self.branches {
            if condition.holds(runtime)? == *wants {
                return template.render_to(writer, runtime);
            }
        }
        self.otherwise.as_ref().map_or(Ok(()), |template| template.render_to(writer, runtime))
    }
}

impl If {
    fn explore(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let mut all_compare = false;
        let mut taken = Vec::new();
        let mut is_settled = false;
        let mut fields = Vec::new();
        for (condition, wants, template) in &self.branches {
            let (asked, compares, known) = condition.explore(runtime)?;
            fields.extend(asked);
            all_compare |= compares;
            // What decides nothing about the event is decided already.
            match known {
                Some(holds) if holds != *wants => taken.push((template, false)),
                Some(_) => {
                    taken.push((template, !is_settled));
                    is_settled = true;
                }
                None => taken.push((template, !is_settled)),
            }
        }
        if let Some(otherwise) = &self.otherwise {
            taken.push((otherwise, !is_settled));
        }
        state::with(runtime, |state| state.guarded.extend(fields.iter().cloned()));
        let reachable: Vec<&Template> =
            taken.iter().filter(|(_, is_taken)| *is_taken).map(|(template, _)| *template).collect();
        let has_else = self.otherwise.is_some() || is_settled;
        explore_branches(&reachable, has_else, all_compare, writer, runtime)?;
        // The others are looked at for their names only.
        let before = state::with(runtime, |state| state.bare.clone());
        for (template, _) in taken.iter().filter(|(_, is_taken)| !is_taken) {
            template.render_to(writer, runtime)?;
        }
        state::with(runtime, |state| {
            state.bare = before;
            state.guarded.truncate(state.guarded.len() - fields.len());
        });
        Ok(())
    }
}
