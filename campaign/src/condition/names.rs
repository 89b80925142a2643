//! What a condition refers to: names, functions, and fields of the event.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::operators::{
    EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, NOT_EQUALS,
};
use cel::common::ast::{EntryExpr, Expr, LiteralValue};

/// The one variable.
const EVENT: &str = "event";

/// Functions of CEL that the interpreter has; it finds out about others only when it
/// meets them.
pub(super) const FUNCTIONS: [&str; 12] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// Operators between two values, whose outcome is true or false.
pub(super) const COMPARISONS: [&str; 7] =
    [EQUALS, NOT_EQUALS, GREATER, GREATER_EQUALS, LESS, LESS_EQUALS, IN];

/// The function that tells the type of a value.
const TYPE: &str = "type";

/// Names of types, which are values beside `type(...)` alone: `type` elsewhere is the event's.
const TYPES: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", TYPE, "uint"];

/// What an expression refers to.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Variables other than the event and those of a macro such as `exists`.
    pub(super) unknown: BTreeSet<String>,
    /// Functions that the interpreter does not have.
    pub(super) unknown_functions: BTreeSet<String>,
    /// Top-level fields of the event.
    pub(super) fields: BTreeSet<String>,
    /// Fields of any depth, by their paths.
    pub(super) paths: BTreeSet<String>,
    /// The event stands somewhere without a field, so that what is read of it is not known.
    pub(super) has_whole_event: bool,
}

impl Names {
    /// Collects what an expression refers to.
    pub(super) fn of(expression: &IdedExpr) -> Self {
        let mut names = Self::default();
        names.walk(&expression.expr, &mut Vec::new());
        names
    }

    /// Walks an expression, in which `bound` are the variables of the macros around it.
    fn walk<'e>(&mut self, expr: &'e Expr, bound: &mut Vec<&'e str>) {
        if let Some(path) = whole_path(expr).filter(|_| !bound.contains(&EVENT)) {
            self.fields.insert(path[0].to_owned());
            self.paths.insert(path.join("."));
            return;
        }
        match expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) if bound.contains(&name.as_str()) => {}
            Expr::Ident(name) if name == EVENT => self.has_whole_event = true,
            Expr::Ident(name) => drop(self.unknown.insert(name.clone())),
            Expr::Select(select) => self.walk(&select.operand.expr, bound),
            Expr::Call(call) => {
                if let (EQUALS | NOT_EQUALS | IN, [one, other]) =
                    (call.func_name.as_str(), call.args.as_slice())
                    && (is_type(&one.expr) || is_type(&other.expr))
                {
                    for side in [one, other].into_iter().filter(|side| !names_types(&side.expr)) {
                        self.walk(&side.expr, bound);
                    }
                    return;
                }
                let is_operator = !call.func_name.starts_with(char::is_alphabetic);
                if !is_operator && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    self.unknown_functions.insert(call.func_name.clone());
                }
                for each in call.target.as_deref().into_iter().chain(&call.args) {
                    self.walk(&each.expr, bound);
                }
            }
            Expr::Comprehension(each) => {
                self.walk(&each.iter_range.expr, bound);
                self.walk(&each.accu_init.expr, bound);
                let outside = bound.len();
                bound.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
                bound.extend(each.iter_var2.as_deref());
                for part in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.walk(&part.expr, bound);
                }
                bound.truncate(outside);
            }
            Expr::List(list) => {
                list.elements.iter().for_each(|each| self.walk(&each.expr, bound));
            }
            Expr::Map(map) => {
                map.entries.iter().for_each(|entry| self.walk_entry(&entry.expr, bound));
            }
            Expr::Struct(of) => {
                self.unknown.insert(of.type_name.clone());
                of.entries.iter().for_each(|entry| self.walk_entry(&entry.expr, bound));
            }
        }
    }

    fn walk_entry<'e>(&mut self, entry: &'e EntryExpr, bound: &mut Vec<&'e str>) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value.expr, bound),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key.expr, bound);
                self.walk(&entry.value.expr, bound);
            }
        }
    }
}

/// The names from the event down to one of its fields, `event.a.b` or `event["a"].b`.
pub(super) fn field_path(expr: &Expr) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut expr = expr;
    loop {
        match expr {
            Expr::Ident(name) if name == EVENT && !names.is_empty() => {
                names.reverse();
                return Some(names);
            }
            Expr::Select(select) if !select.test => {
                names.push(select.field.as_str());
                expr = &select.operand.expr;
            }
            Expr::Call(call) if call.func_name == INDEX => {
                let [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(field)), .. }] =
                    call.args.as_slice()
                else {
                    return None;
                };
                names.push(field.inner());
                expr = &of.expr;
            }
            _ => return None,
        }
    }
}

/// As [`field_path`] does, also of what `has` asks for.
fn whole_path(expr: &Expr) -> Option<Vec<&str>> {
    let Expr::Select(select) = expr else { return field_path(expr) };
    if !select.test {
        return field_path(expr);
    }
    let mut path = match &select.operand.expr {
        Expr::Ident(name) if name == EVENT => Vec::new(),
        operand => field_path(operand)?,
    };
    path.push(select.field.as_str());
    Some(path)
}

/// Tells whether an expression is `type(...)`.
fn is_type(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if call.func_name == TYPE)
}

/// Tells whether an expression is the name of a type, or a list of them.
fn names_types(expr: &Expr) -> bool {
    match expr {
        Expr::Ident(name) => TYPES.contains(&name.as_str()),
        Expr::List(list) => list.elements.iter().all(|each| names_types(&each.expr)),
        _ => false,
    }
}
