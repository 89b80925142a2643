//! What an expression refers to: names, functions, and fields of the event or of another root.

use std::collections::{BTreeMap, BTreeSet};

use cel::IdedExpr;
use cel::common::ast::operators::{
    EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, NOT_EQUALS,
};
use cel::common::ast::{EntryExpr, Expr, LiteralValue};

use crate::reference::{Reference, Root, Step};

/// The one variable of a condition.
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
    /// Variables other than the roots and those of a macro such as `exists`.
    pub(super) unknown: BTreeSet<String>,
    /// Functions that the interpreter does not have.
    pub(super) unknown_functions: BTreeSet<String>,
    /// Places below the roots.
    pub(super) places: BTreeSet<Reference>,
    /// Roots that stand somewhere without a place, so that what is read of them is not known.
    pub(super) whole: BTreeSet<Root>,
    /// Columns of items, by how they are written: `items[0].title`, and `each.title` in a macro
    /// over the items.
    pub(super) columns: BTreeMap<String, String>,
}

/// A variable of a macro.
struct Bound<'e> {
    name: &'e str,
    /// It is one of the items.
    is_item: bool,
}

impl Names {
    /// Collects what an expression over these roots refers to.
    pub(super) fn of(expression: &IdedExpr, roots: &[Root]) -> Self {
        let mut walk = Walk { names: Self::default(), roots };
        walk.expression(&expression.expr, &mut Vec::new());
        walk.names
    }

    /// The top-level fields of the event.
    pub(super) fn fields(&self) -> BTreeSet<String> {
        let first = self.places.iter().filter_map(|place| place.names().first().copied());
        first.map(str::to_owned).collect()
    }

    /// The fields of the event, of any depth, by their paths.
    pub(super) fn paths(&self) -> BTreeSet<String> {
        self.places.iter().map(|place| place.names().join(".")).collect()
    }
}

/// A walk through an expression.
struct Walk<'r> {
    names: Names,
    roots: &'r [Root],
}

impl Walk<'_> {
    /// The root that a name stands for here.
    fn root(&self, name: &str, bound: &[Bound<'_>]) -> Option<Root> {
        let is_bound = bound.iter().any(|each| each.name == name);
        Root::named(name).filter(|root| self.roots.contains(root) && !is_bound)
    }

    /// Tells whether an expression is the list of the items.
    fn is_items(&self, expr: &Expr, bound: &[Bound<'_>]) -> bool {
        matches!(expr, Expr::Ident(name) if self.root(name, bound) == Some(Root::Items))
    }

    /// Notes the column that an expression is, of whichever item: `each.title`, `items[n].title`.
    fn note_column(&mut self, expr: &Expr, bound: &[Bound<'_>]) {
        let (name, column) = match place(expr) {
            Some((name, steps)) => match steps.first() {
                Some(Step::Name(column)) => (name.to_owned(), column.clone()),
                _ => return,
            },
            None => return self.note_column_of_any(expr, bound),
        };
        if bound.iter().rfind(|each| each.name == name).is_some_and(|each| each.is_item) {
            self.columns_of(format!("{name}.{column}"), column);
        }
    }

    /// Notes the column of an item whose place is computed.
    fn note_column_of_any(&mut self, expr: &Expr, bound: &[Bound<'_>]) {
        if let Expr::Select(select) = expr
            && let Expr::Call(call) = &select.operand.expr
            && let (INDEX, [of, _]) = (call.func_name.as_str(), call.args.as_slice())
            && self.is_items(&of.expr, bound)
        {
            self.columns_of(format!("items[...].{}", select.field), select.field.clone());
        }
    }

    fn columns_of(&mut self, written: String, column: String) {
        self.names.columns.insert(written, column);
    }

    /// Walks an expression, in which `bound` are the variables of the macros around it.
    fn expression<'e>(&mut self, expr: &'e Expr, bound: &mut Vec<Bound<'e>>) {
        if let Some((root, steps)) = place(expr)
            && let Some(root) = self.root(root, bound)
        {
            let place = Reference { root, steps };
            if let Some(column) = place.column() {
                self.columns_of(place.to_string(), column.to_owned());
            }
            self.names.places.insert(place);
            return;
        }
        self.note_column(expr, bound);
        match expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) if bound.iter().any(|each| each.name == name) => {}
            Expr::Ident(name) => match self.root(name, bound) {
                Some(root) => drop(self.names.whole.insert(root)),
                None => drop(self.names.unknown.insert(name.clone())),
            },
            Expr::Select(select) => self.expression(&select.operand.expr, bound),
            Expr::Call(call) => {
                if let (EQUALS | NOT_EQUALS | IN, [one, other]) =
                    (call.func_name.as_str(), call.args.as_slice())
                    && (is_type(&one.expr) || is_type(&other.expr))
                {
                    for side in [one, other].into_iter().filter(|side| !names_types(&side.expr)) {
                        self.expression(&side.expr, bound);
                    }
                    return;
                }
                let is_operator = !call.func_name.starts_with(char::is_alphabetic);
                if !is_operator && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    self.names.unknown_functions.insert(call.func_name.clone());
                }
                for each in call.target.as_deref().into_iter().chain(&call.args) {
                    self.expression(&each.expr, bound);
                }
            }
            Expr::Comprehension(each) => {
                self.expression(&each.iter_range.expr, bound);
                self.expression(&each.accu_init.expr, bound);
                let outside = bound.len();
                let is_item = self.is_items(&each.iter_range.expr, bound);
                bound.push(Bound { name: &each.iter_var, is_item });
                let others = [Some(each.accu_var.as_str()), each.iter_var2.as_deref()];
                let others = others.into_iter().flatten();
                bound.extend(others.map(|name| Bound { name, is_item: false }));
                for part in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.expression(&part.expr, bound);
                }
                bound.truncate(outside);
            }
            Expr::List(list) => {
                list.elements.iter().for_each(|each| self.expression(&each.expr, bound));
            }
            Expr::Map(map) => {
                map.entries.iter().for_each(|entry| self.entry(&entry.expr, bound));
            }
            Expr::Struct(of) => {
                self.names.unknown.insert(of.type_name.clone());
                of.entries.iter().for_each(|entry| self.entry(&entry.expr, bound));
            }
        }
    }

    fn entry<'e>(&mut self, entry: &'e EntryExpr, bound: &mut Vec<Bound<'e>>) {
        match entry {
            EntryExpr::StructField(field) => self.expression(&field.value.expr, bound),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key.expr, bound);
                self.expression(&entry.value.expr, bound);
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

/// The name at which an expression begins, and the steps from there, those included that
/// `has` asks for: `items[0].title`, `has(event.a)`.
pub(super) fn place(expr: &Expr) -> Option<(&str, Vec<Step>)> {
    let mut steps = Vec::new();
    let mut expr = expr;
    loop {
        expr = match expr {
            Expr::Ident(name) if !steps.is_empty() => {
                steps.reverse();
                return Some((name, steps));
            }
            Expr::Select(select) if !select.test || steps.is_empty() => {
                steps.push(Step::Name(select.field.clone()));
                &select.operand.expr
            }
            Expr::Call(call) if call.func_name == INDEX => {
                let [of, IdedExpr { expr: Expr::Literal(index), .. }] = call.args.as_slice() else {
                    return None;
                };
                steps.push(match index {
                    LiteralValue::String(name) => Step::Name(name.inner().to_owned()),
                    LiteralValue::Int(place) => Step::Place(usize::try_from(*place.inner()).ok()?),
                    _ => return None,
                });
                &of.expr
            }
            _ => return None,
        };
    }
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
