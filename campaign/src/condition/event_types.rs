//! The event types that a condition can be met by, where it names them: `event.type == "..."`,
//! or `event.type in [...]`. So most events need no look at their fields.

use std::collections::BTreeSet;

use cel::common::ast::operators::{CONDITIONAL, EQUALS, IN, LOGICAL_AND, LOGICAL_OR};
use cel::common::ast::{CallExpr, Expr, LiteralValue};

use super::names::field_path;

/// Event types; `None` stands for any.
pub(super) type Types = Option<BTreeSet<String>>;

/// The event types without which an expression is never true.
pub(super) fn of(expr: &Expr) -> Types {
    match expr {
        Expr::Literal(LiteralValue::Boolean(flag)) if !flag.inner() => Some(BTreeSet::new()),
        Expr::Call(call) => of_call(call),
        _ => None,
    }
}

fn of_call(call: &CallExpr) -> Types {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (LOGICAL_AND, [one, other]) => both(of(&one.expr), of(&other.expr)),
        (LOGICAL_OR, [one, other]) => either(of(&one.expr), of(&other.expr)),
        (CONDITIONAL, [asked, yes, no]) => {
            either(both(of(&asked.expr), of(&yes.expr)), of(&no.expr))
        }
        (EQUALS, [one, other]) => match (is_type(&one.expr), is_type(&other.expr)) {
            (true, false) => text(&other.expr).map(|name| BTreeSet::from([name])),
            (false, true) => text(&one.expr).map(|name| BTreeSet::from([name])),
            _ => None,
        },
        (IN, [one, other]) if is_type(&one.expr) => {
            let Expr::List(list) = &other.expr else { return None };
            list.elements.iter().map(|each| text(&each.expr)).collect()
        }
        _ => None,
    }
}

fn both(one: Types, other: Types) -> Types {
    match (one, other) {
        (Some(one), Some(other)) => Some(&one & &other),
        (one, other) => one.or(other),
    }
}

fn either(one: Types, other: Types) -> Types {
    Some(&one? | &other?)
}

/// Tells whether an expression is the type of the event.
fn is_type(expr: &Expr) -> bool {
    field_path(expr).is_some_and(|path| path == ["type"])
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}
