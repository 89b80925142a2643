//! What kind of value an expression comes to, as far as that is known before there are values, and
//! where that can never fit: a text compared with a number, a list that stands for a truth.
//!
//! Of what is not known nothing is said, so that no expression is refused that could be met.

use std::collections::BTreeSet;

use cel::common::ast::operators::{
    CONDITIONAL, EQUALS, GREATER, GREATER_EQUALS, IN, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT,
    LOGICAL_OR, NOT_EQUALS,
};
use cel::common::ast::{CallExpr, Expr, LiteralValue};

use super::explanation::{constant, parts};
use super::names::place;
use crate::reference::{Reference, Root};

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// True or false.
    Flag,
    /// A list.
    List,
    /// Null.
    Null,
    /// A number.
    Number,
    /// An object.
    Object,
    /// A text.
    Text,
}

/// The kinds that a value can be of; `None` where that is not known.
pub(crate) type Kinds = Option<BTreeSet<Kind>>;

/// What tells the kinds of places.
pub(crate) type KindOf<'k> = &'k dyn Fn(&Reference) -> Kinds;

/// Comparisons that need values with an order.
const ORDERS: [&str; 4] = [GREATER, GREATER_EQUALS, LESS, LESS_EQUALS];

/// Everything in an expression that can never fit.
pub(super) fn misfits(expr: &Expr, kind_of: KindOf<'_>) -> BTreeSet<String> {
    let mut found = Misfits { kind_of, said: BTreeSet::new() };
    found.truth(expr);
    found.walk(expr);
    found.said
}

struct Misfits<'k> {
    kind_of: KindOf<'k>,
    said: BTreeSet<String>,
}

impl Misfits<'_> {
    /// Looks at an expression that stands where only true or false can. Of what is no place that
    /// is told without any kinds.
    fn truth(&mut self, expr: &Expr) {
        if let Some(kinds) = self.of_place(expr) {
            if !kinds.contains(&Kind::Flag) {
                self.said.insert(format!(
                    "{} is {} and never true or false: compare it with something",
                    written(expr),
                    listed(&kinds)
                ));
            }
            return;
        }
        let Expr::Call(call) = expr else { return };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT, operands) => {
                operands.iter().for_each(|each| self.truth(&each.expr));
            }
            (CONDITIONAL, [asked, yes, no]) => {
                [asked, yes, no].into_iter().for_each(|each| self.truth(&each.expr));
            }
            _ => {}
        }
    }

    fn walk(&mut self, expr: &Expr) {
        if let Expr::Call(call) = expr {
            let wrong = self.compared(call).or_else(|| self.called(call));
            self.said.extend(wrong);
        }
        parts(expr).into_iter().for_each(|part| self.walk(part));
    }

    fn compared(&self, call: &CallExpr) -> Option<String> {
        let [one, other] = call.args.as_slice() else { return None };
        let (one, other) = (&one.expr, &other.expr);
        let operator = call.func_name.as_str();
        let (left, right) = (self.kinds(one), self.kinds(other)?);
        if operator == IN {
            if !right.contains(&Kind::List) && !right.contains(&Kind::Object) {
                let (one, what) = (written(one), listed(&right));
                let other = written(other);
                return Some(format!(
                    "{other} is {what}, and nothing is in it: write {other}.contains({one})"
                ));
            }
            return None;
        }
        let left = left?;
        let orders = ORDERS.contains(&operator);
        if !(orders || [EQUALS, NOT_EQUALS].contains(&operator)) {
            return None;
        }
        // Whether something is null may be asked of anything.
        let is_asked = !orders && [&left, &right].iter().any(|kinds| kinds.contains(&Kind::Null));
        let fits = left.iter().any(|kind| right.contains(kind) && (!orders || has_order(*kind)));
        (!fits && !is_asked).then(|| {
            let what = if orders { "have no order" } else { "are never equal" };
            let (left, right) = (listed(&left), listed(&right));
            let hint = match (one, other) {
                _ if left == right => "",
                (Expr::Literal(_), _) | (_, Expr::Literal(_))
                    if right == "a number" || left == "a number" =>
                {
                    " (size(...) is the length of a text or a list)"
                }
                _ => "",
            };
            format!(
                "{} is {left} and {} is {right}, which {what}{hint}",
                written(one),
                written(other)
            )
        })
    }

    /// A function whose values can never fit.
    fn called(&self, call: &CallExpr) -> Option<String> {
        let name = call.func_name.as_str();
        let mut values =
            call.target.as_deref().into_iter().chain(&call.args).map(|each| &each.expr);
        let of = values.next()?;
        let takes: &[Kind] = match name {
            "startsWith" | "endsWith" => &[Kind::Text],
            "contains" => &[Kind::Text, Kind::List, Kind::Object],
            "size" => &[Kind::Text, Kind::List, Kind::Object],
            _ => return None,
        };
        let fits =
            |kinds: &BTreeSet<Kind>, takes: &[Kind]| kinds.iter().any(|kind| takes.contains(kind));
        let kinds = self.kinds(of)?;
        if !fits(&kinds, takes) {
            return Some(format!(
                "{} is {}, of which there is no {name}()",
                written(of),
                listed(&kinds)
            ));
        }
        let is_text = kinds.iter().all(|kind| matches!(kind, Kind::Text | Kind::Null));
        let part = values.next().filter(|_| is_text)?;
        let kinds = self.kinds(part)?;
        (!fits(&kinds, &[Kind::Text])).then(|| {
            format!("{} is {}, and {name}() of a text takes a text", written(part), listed(&kinds))
        })
    }

    fn of_place(&self, expr: &Expr) -> Kinds {
        // `has(answer.note)` is a truth, whatever stands there.
        if matches!(expr, Expr::Select(select) if select.test) {
            return None;
        }
        let (root, steps) = place(expr)?;
        (self.kind_of)(&Reference { root: Root::named(root)?, steps })
    }

    fn kinds(&self, expr: &Expr) -> Kinds {
        let one = |kind: Kind| Some(BTreeSet::from([kind]));
        match expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => one(Kind::Flag),
                LiteralValue::String(_) => one(Kind::Text),
                LiteralValue::Null => one(Kind::Null),
                LiteralValue::Bytes(_) => None,
                LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => {
                    one(Kind::Number)
                }
            },
            Expr::List(_) => one(Kind::List),
            Expr::Map(_) => one(Kind::Object),
            Expr::Select(select) if select.test => one(Kind::Flag),
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (CONDITIONAL, [_, yes, no]) => {
                    Some(&self.kinds(&yes.expr)? | &self.kinds(&no.expr)?)
                }
                ("size" | "int" | "uint" | "double", _) => one(Kind::Number),
                ("string", _) => one(Kind::Text),
                (LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT | IN | EQUALS | NOT_EQUALS, _)
                | ("bool" | "contains" | "startsWith" | "endsWith", _) => one(Kind::Flag),
                (name, _) if ORDERS.contains(&name) => one(Kind::Flag),
                _ => self.of_place(expr),
            },
            _ => self.of_place(expr),
        }
    }
}

/// Tells whether of two values of a kind one can be greater.
fn has_order(kind: Kind) -> bool {
    matches!(kind, Kind::Number | Kind::Text | Kind::Flag)
}

/// An expression as it is written, as far as it is a place or a literal.
fn written(expr: &Expr) -> String {
    let place = place(expr)
        .and_then(|(root, steps)| Some(Reference { root: Root::named(root)?, steps }.to_string()));
    let call = |expr: &Expr| match expr {
        Expr::Call(call) if call.func_name.starts_with(char::is_alphabetic) => {
            Some(format!("{}()", call.func_name))
        }
        _ => None,
    };
    let written = place.or_else(|| constant(expr)).or_else(|| call(expr));
    written.unwrap_or_else(|| "a value".to_owned())
}

/// Kinds for a person.
fn listed(kinds: &BTreeSet<Kind>) -> String {
    let name = |kind: &Kind| match kind {
        Kind::Flag => "true or false",
        Kind::List => "a list",
        Kind::Null => "null",
        Kind::Number => "a number",
        Kind::Object => "an object",
        Kind::Text => "a text",
    };
    kinds.iter().map(name).collect::<Vec<_>>().join(" or ")
}
