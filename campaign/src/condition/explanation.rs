//! What a condition saw in an event, for a person who asks why: each field that it looks at,
//! its value, and what that was compared with.
//!
//! It quotes the event: for a person's screen, and never for a log.

use cel::common::ast::{EntryExpr, Expr, LiteralValue};
use serde_json::Value;

use super::names::{COMPARISONS, field_path};

/// Longest part of a text that is quoted, in characters.
const MAX_QUOTED_CHARS: usize = 60;

/// What an expression sees: a line for each field, with the value that `value_of` finds.
pub(super) fn lines(
    expr: &Expr,
    value_of: &impl Fn(&[&str]) -> Option<Value>,
    lines: &mut Vec<String>,
) {
    let mut add = |path: &[&str], than: Option<String>| {
        let value = value_of(path);
        let than = than.map_or(String::new(), |than| format!(", compared with {than}"));
        let line = format!("event.{} is {}{than}", path.join("."), shown(value.as_ref()));
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    if let Some(path) = field_path(expr) {
        add(&path, None);
        return;
    }
    if let Expr::Call(call) = expr
        && COMPARISONS.contains(&call.func_name.as_str())
        && let [one, other] = call.args.as_slice()
    {
        let (left, right) = (field_path(&one.expr), field_path(&other.expr));
        match (&left, &right) {
            (Some(path), None) if constant(&other.expr).is_some() => {
                return add(path, constant(&other.expr));
            }
            (None, Some(path)) if constant(&one.expr).is_some() => {
                return add(path, constant(&one.expr));
            }
            (Some(path), Some(other)) => {
                add(path, Some(format!("event.{}", other.join("."))));
                return add(other, None);
            }
            _ => {}
        }
    }
    for inner in parts(expr) {
        self::lines(inner, value_of, lines);
    }
}

/// The expressions within one.
pub(super) fn parts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => Vec::new(),
        Expr::Select(select) => vec![&select.operand.expr],
        Expr::Call(call) => {
            call.target.as_deref().into_iter().chain(&call.args).map(|each| &each.expr).collect()
        }
        Expr::Comprehension(each) => {
            vec![&each.iter_range.expr, &each.loop_step.expr, &each.result.expr]
        }
        Expr::List(list) => list.elements.iter().map(|each| &each.expr).collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| match &entry.expr {
                EntryExpr::StructField(field) => vec![&field.value.expr],
                EntryExpr::MapEntry(entry) => vec![&entry.key.expr, &entry.value.expr],
            })
            .collect(),
        Expr::Struct(_) => Vec::new(),
    }
}

/// A literal, or a list of them, as it is written.
pub(super) fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(literal) => Some(match literal {
            LiteralValue::Boolean(flag) => flag.inner().to_string(),
            LiteralValue::Int(number) => number.inner().to_string(),
            LiteralValue::UInt(number) => number.inner().to_string(),
            LiteralValue::Double(number) => number.inner().to_string(),
            LiteralValue::String(text) => quoted(text.inner()),
            LiteralValue::Bytes(_) => "bytes".to_owned(),
            LiteralValue::Null => "null".to_owned(),
        }),
        Expr::List(list) => {
            let all: Option<Vec<String>> =
                list.elements.iter().map(|each| constant(&each.expr)).collect();
            Some(format!("one of {}", all?.join(", ")))
        }
        _ => None,
    }
}

/// A value of an event with its kind, since `"20"` and `20` are not the same.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => format!("the number {number}"),
        Some(Value::String(text)) => format!("the text {}", quoted(text)),
        Some(Value::Array(values)) => format!("a list of {}", values.len()),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(MAX_QUOTED_CHARS).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("\"{}{more}\"", shown.escape_debug())
}
