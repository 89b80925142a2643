//! Whether an expression is true or false at all: what can be told without an event.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::operators::{CONDITIONAL, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR};
use cel::common::ast::{Expr, LiteralValue};

use super::names::{COMPARISONS, field_path};

/// Functions whose outcome is true or false.
const QUESTIONS: [&str; 4] = ["bool", "contains", "endsWith", "startsWith"];

/// What stands where only true or false can.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Fields of the event by themselves: whether they are true or false, only events tell.
    pub(super) fields: BTreeSet<String>,
    /// What is never true or false.
    pub(super) wrong: Vec<String>,
}

impl Truth {
    /// Looks at an expression and at the operands of its logical operators.
    pub(super) fn of(expression: &IdedExpr) -> Self {
        let mut truth = Self::default();
        truth.walk(&expression.expr);
        truth
    }

    fn walk(&mut self, expr: &Expr) {
        if let Some(path) = field_path(expr) {
            self.fields.insert(path.join("."));
            return;
        }
        match expr {
            Expr::Literal(LiteralValue::Boolean(_)) | Expr::Unspecified | Expr::Ident(_) => {}
            Expr::Literal(literal) => self.wrong.push(format!("{} alone", kind(literal))),
            Expr::List(_) => self.wrong.push("a list alone".to_owned()),
            Expr::Map(_) | Expr::Struct(_) => self.wrong.push("a map alone".to_owned()),
            // `has(event.a)`, or a field of something that is made on the way.
            Expr::Select(_) => {}
            // What `filter` and `map` make is a list, what the others make a truth.
            Expr::Comprehension(each) => {
                if matches!(each.accu_init.expr, Expr::List(_)) {
                    self.wrong.push("a list alone".to_owned());
                }
            }
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT, operands) => {
                    operands.iter().for_each(|each| self.walk(&each.expr));
                }
                (CONDITIONAL, [_, yes, no]) => {
                    self.walk(&yes.expr);
                    self.walk(&no.expr);
                }
                (name, _) if COMPARISONS.contains(&name) || QUESTIONS.contains(&name) => {}
                (name, _) if name.starts_with(char::is_alphabetic) => {
                    self.wrong.push(format!("{name}() alone"));
                }
                // An index into a list that holds anything.
                ("_[_]" | "_[?_]" | "_?._", _) => {}
                (operator, _) => {
                    self.wrong.push(format!("a value of {} alone", operator.trim_matches('_')));
                }
            },
        }
    }
}

fn kind(literal: &LiteralValue) -> &'static str {
    match literal {
        LiteralValue::String(_) | LiteralValue::Bytes(_) => "a text",
        LiteralValue::Null => "null",
        _ => "a number",
    }
}
