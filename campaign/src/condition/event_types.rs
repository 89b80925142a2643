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

#[cfg(test)]
mod tests {
    use crate::condition::Condition;
    use crate::config::Expression;

    /// The event types that a condition names, `*` for any.
    fn named(text: &str) -> String {
        let expression = Expression { text: text.to_owned(), line: 1 };
        let condition = Condition::compile("unless", &expression).expect(text);
        match condition.event_types() {
            Some(types) => types.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            None => "*".to_owned(),
        }
    }

    #[test]
    fn the_types_that_a_condition_can_be_met_by_are_those_that_it_names() {
        for (text, expected) in [
            ("event.type == 'a.B'", "a.B"),
            ("'a.B' == event['type']", "a.B"),
            ("event.type in ['a.B', 'a.C']", "a.B a.C"),
            ("event.type == 'a.B' && event.total > 20", "a.B"),
            ("event.total > 20 && (event.type == 'a.B' || event.type == 'a.C')", "a.B a.C"),
            ("event.type == 'a.B' || event.type == 'a.C' && event.name == 'c'", "a.B a.C"),
            ("event.type in ['a.B', 'a.C'] && event.type != 'a.B'", "a.B a.C"),
            ("event.type == 'a.B' ? event.total > 1 : event.type == 'a.C'", "a.B a.C"),
        ] {
            assert_eq!(named(text), expected, "{text}");
        }
    }

    #[test]
    fn a_condition_that_does_not_bind_the_type_can_be_met_by_any() {
        for text in [
            "event.name == 'checkout'",
            "event.type != 'a.B'",
            "!(event.type == 'a.B')",
            "event.type == 'a.B' || event.name == 'checkout'",
            "event.type.startsWith('users.behaviors.')",
            "event.type.contains('Purchase')",
            "['a.B'].exists(each, each == event.type)",
            "event.type == event.name",
            "event.type in ['a.B', event.name]",
            "event.properties.type == 'a.B'",
        ] {
            assert_eq!(named(text), "*", "{text}");
        }
    }
}
