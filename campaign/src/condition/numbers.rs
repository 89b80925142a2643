//! Texts in a condition that are numbers: `event.total >= "20"` compares letter by letter.

use cel::common::ast::operators::{
    EQUALS, GREATER, GREATER_EQUALS, IN, LESS, LESS_EQUALS, NOT_EQUALS,
};
use cel::common::ast::{CallExpr, Expr, LiteralValue};

use super::explanation::parts;
use super::names::field_path;

/// Comparisons, and how they are written.
const COMPARISONS: [(&str, &str); 6] = [
    (EQUALS, "=="),
    (NOT_EQUALS, "!="),
    (GREATER, ">"),
    (GREATER_EQUALS, ">="),
    (LESS, "<"),
    (LESS_EQUALS, "<="),
];

/// The function that makes a text of anything.
const TO_TEXT: &str = "string";

/// Most digits of a number: what has more is an id.
const MAX_DIGITS: usize = 15;

/// What is said of each comparison with a text that is a number.
pub(super) fn as_texts(expr: &Expr) -> Vec<String> {
    let mut said = Vec::new();
    find(expr, &mut said);
    said
}

fn find(expr: &Expr, said: &mut Vec<String>) {
    if let Expr::Call(call) = expr {
        said.extend(compared(call));
    }
    parts(expr).into_iter().for_each(|part| find(part, said));
}

fn compared(call: &CallExpr) -> Option<String> {
    let [left, right] = call.args.as_slice() else { return None };
    let (left, right) = (&left.expr, &right.expr);
    if call.func_name == IN {
        let Expr::List(list) = right else { return None };
        let number = list.elements.iter().find_map(|each| number_in_text(&each.expr))?;
        return is_open(left).then(|| {
            let name = shown(left);
            format!("{name} in [\"{number}\"] compares texts: write {number} to compare numbers")
        });
    }
    let (_, sign) = COMPARISONS.iter().find(|(operator, _)| *operator == call.func_name)?;
    let said = |left: String, right: String, number: &str| {
        format!("{left} {sign} {right} compares texts: write {number} to compare numbers")
    };
    match (number_in_text(left), number_in_text(right)) {
        (None, Some(number)) if is_open(left) => {
            Some(said(shown(left), format!("\"{number}\""), number))
        }
        (Some(number), None) if is_open(right) => {
            Some(said(format!("\"{number}\""), shown(right), number))
        }
        _ => None,
    }
}

/// The number that a text is. Codes with a zero in front, and long ones, are no numbers.
fn number_in_text(expr: &Expr) -> Option<&str> {
    let Expr::Literal(LiteralValue::String(text)) = expr else { return None };
    let text = text.inner();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_code = whole.len() > 1 && whole.starts_with('0');
    let is_number = are_digits(whole) && are_digits(fraction) && !is_code;
    (is_number && digits.len() <= MAX_DIGITS).then_some(text)
}

/// Tells whether a value may be a number.
fn is_open(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) => false,
        Expr::Call(call) => call.func_name != TO_TEXT,
        _ => true,
    }
}

/// A value as it is written, if it is a field.
fn shown(expr: &Expr) -> String {
    field_path(expr).map_or("a value".to_owned(), |path| format!("event.{}", path.join(".")))
}
