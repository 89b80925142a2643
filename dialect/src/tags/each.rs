//! `for` and `tablerow`.

use std::io::Write;

use liquid_core::error::ResultLiquidReplaceExt as _;
use liquid_core::model::{KString, Object, ScalarCow, Value, ValueCow};
use liquid_core::parser::{Language, TagBlock, TagTokenIter, TryMatchToken};
use liquid_core::runtime::{Interrupt, InterruptRegister};
use liquid_core::{
    BlockReflection, Expression, ParseBlock, Renderable, Result, Runtime, Template, ValueView,
};

use super::{is_exploring, part};
use crate::expression::plain_name;
use crate::ruby::{self, Kind, Number};
use crate::state;
use crate::unknown;
use crate::variables::Scope;

/// `for` or `tablerow`.
#[derive(Debug, Clone)]
pub(super) struct EachBlock {
    start: &'static str,
    end: &'static str,
    position: &'static str,
}

#[derive(Debug)]
struct Each {
    name: KString,
    items: Items,
    limit: Option<Expression>,
    offset: Option<Offset>,
    columns: Option<Expression>,
    is_reversed: bool,
    /// How `offset: continue` finds the loop that it continues.
    key: String,
    body: Template,
    otherwise: Option<Template>,
    position: &'static str,
}

#[derive(Debug)]
enum Items {
    Of(Expression),
    Range(Expression, Expression),
}

#[derive(Debug)]
enum Offset {
    At(Expression),
    Continue,
}

/// Where loops ended, by their keys.
#[derive(Debug, Default)]
struct Ends(std::collections::HashMap<String, usize>);

impl EachBlock {
    pub(super) const FOR: Self = Self { start: "for", end: "endfor", position: "forloop" };
    pub(super) const TABLEROW: Self =
        Self { start: "tablerow", end: "endtablerow", position: "tablerowloop" };
}

impl BlockReflection for EachBlock {
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

impl ParseBlock for EachBlock {
    fn parse(
        &self,
        mut tokens: TagTokenIter<'_>,
        mut block: TagBlock<'_, '_>,
        language: &Language,
    ) -> Result<Box<dyn Renderable>> {
        let form = format!("{0} is written {{% {0} item in list %}}", self.start);
        let name = tokens.expect_next(&form)?.expect_identifier().into_result_custom_msg(&form)?;
        tokens.expect_next(&form)?.expect_str("in").into_result_custom_msg(&form)?;
        let items = tokens.expect_next(&form)?;
        let key = format!("{name}-{}", items.as_str());
        let items = match items.expect_value() {
            TryMatchToken::Matches(list) => Items::Of(list),
            TryMatchToken::Fails(token) if token.as_str().contains('|') => {
                return Err(
                    token.raise_custom_error("a loop has no filters: assign the list first")
                );
            }
            TryMatchToken::Fails(token) => {
                let (from, to) = token.expect_range().into_result_custom_msg(&form)?;
                Items::Range(from, to)
            }
        };
        let name = KString::from_ref(plain_name(name));
        let mut each = Each {
            name,
            items,
            limit: None,
            offset: None,
            columns: None,
            is_reversed: false,
            key,
            body: Template::new(Vec::new()),
            otherwise: None,
            position: self.position,
        };
        each.settings(&mut tokens)?;
        let body = part(&mut block, language, &["else"])?;
        each.body = Template::new(body.elements);
        if body.end.is_some() {
            each.otherwise = Some(Template::new(block.parse_all(language)?));
        }
        block.assert_empty();
        Ok(Box::new(each))
    }

    fn reflection(&self) -> &dyn BlockReflection {
        self
    }
}

impl Each {
    fn settings(&mut self, tokens: &mut TagTokenIter<'_>) -> Result<()> {
        while let Some(token) = tokens.next() {
            let name = token.as_str().to_owned();
            match name.as_str() {
                "," => continue,
                "reversed" => {
                    self.is_reversed = true;
                    continue;
                }
                "limit" | "offset" | "cols" => {}
                other => {
                    let reason =
                        format!("a loop has no {other}: there are limit, offset and reversed");
                    return Err(token.raise_custom_error(&reason));
                }
            }
            let form = format!("{name} is written {name}: number");
            tokens.expect_next(&form)?.expect_str(":").into_result_custom_msg(&form)?;
            let token = tokens.expect_next(&form)?;
            if name == "offset" && token.as_str() == "continue" {
                self.offset = Some(Offset::Continue);
                continue;
            }
            let value = token.expect_value().into_result_custom_msg(&form)?;
            match name.as_str() {
                "limit" => self.limit = Some(value),
                "offset" => self.offset = Some(Offset::At(value)),
                _ => self.columns = Some(value),
            }
        }
        Ok(())
    }

    /// What the loop goes through, and where in the list that begins.
    fn chosen<'a>(&'a self, runtime: &'a dyn Runtime) -> Result<(Vec<ValueCow<'a>>, usize)> {
        let number = |value: &Expression| -> Result<usize> {
            let number = Number::of(&value.evaluate(runtime)?).as_f64();
            Ok(number.max(0.0) as usize)
        };
        let from = match &self.offset {
            None => 0,
            Some(Offset::At(value)) => number(value)?,
            Some(Offset::Continue) => {
                let ends = runtime.registers().get_mut::<Ends>();
                ends.0.get(&self.key).copied().unwrap_or_default()
            }
        };
        let most = self.limit.as_ref().map(number).transpose()?;
        let items: Vec<ValueCow<'a>> = match &self.items {
            Items::Range(first, last) => range(first, last, (from, most), runtime)?,
            Items::Of(list) => {
                let all = items(list.evaluate(runtime)?, runtime)?;
                all.into_iter().skip(from).take(most.unwrap_or(usize::MAX)).collect()
            }
        };
        Ok((items, from))
    }

    /// The lines of HTML around an item of a table.
    fn cell(&self, n: usize, length: usize, columns: usize) -> (String, &'static str) {
        if self.position != EachBlock::TABLEROW.position {
            return (String::new(), "");
        }
        let (row, column) = (n / columns, n % columns);
        let begin = match (n, column) {
            (0, _) => "<tr class=\"row1\">\n".to_owned(),
            (_, 0) => format!("<tr class=\"row{}\">", row + 1),
            _ => String::new(),
        };
        let is_end = column + 1 == columns || n + 1 == length;
        let end = if is_end { "</td></tr>\n" } else { "</td>" };
        (format!("{begin}<td class=\"col{}\">", column + 1), end)
    }
}

/// The items of a list, the pairs of an object; a text is one item.
fn items<'a>(list: ValueCow<'a>, runtime: &dyn Runtime) -> Result<Vec<ValueCow<'a>>> {
    let is_open = list.is_object() && is_exploring(runtime);
    if is_open || unknown::is_unknown(&list) {
        return Ok(vec![ValueCow::Owned(unknown::of([]))]);
    }
    let owned = |list: &dyn ValueView| -> Vec<Value> {
        match ruby::kind(list) {
            Kind::List(list) => list.values().map(ValueView::to_value).collect(),
            Kind::Map(map) => ruby::entries(map)
                .into_iter()
                .map(|(name, value)| {
                    Value::array([Value::scalar(name.into_owned()), value.to_value()])
                })
                .collect(),
            Kind::Text(text) if !text.is_empty() => vec![Value::scalar(text.into_owned())],
            _ => Vec::new(),
        }
    };
    let items = match list {
        ValueCow::Borrowed(list) => match list.as_array() {
            Some(list) => list.values().map(ValueCow::Borrowed).collect(),
            None => owned(list).into_iter().map(ValueCow::Owned).collect(),
        },
        ValueCow::Owned(list) => owned(&list).into_iter().map(ValueCow::Owned).collect(),
    };
    let items: Vec<ValueCow<'a>> = items;
    state::spend(runtime, items.len())?;
    Ok(items)
}

/// The numbers of a range, of which only those are made that are wanted.
pub(super) fn range<'a>(
    first: &Expression,
    last: &Expression,
    (from, most): (usize, Option<usize>),
    runtime: &dyn Runtime,
) -> Result<Vec<ValueCow<'a>>> {
    let whole = |value: &Expression| -> Result<i64> {
        Ok(match Number::of(&value.evaluate(runtime)?) {
            Number::Integer(number) => number,
            Number::Float(number) => number as i64,
        })
    };
    let (first, last) = (whole(first)?, whole(last)?);
    let first = first.saturating_add(i64::try_from(from).unwrap_or(i64::MAX));
    let length = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or_default();
    let length = length.min(most.unwrap_or(usize::MAX));
    state::spend(runtime, length)?;
    let numbers = (0..length as i64).map(|n| first + n);
    Ok(numbers.map(|number| ValueCow::Owned(Value::scalar(number))).collect())
}

/// What a body knows of its round.
fn position(n: usize, length: usize, parent: Value, columns: usize) -> Object {
    let number = |number: usize| Value::scalar(number as i64);
    Object::from_iter([
        ("index".into(), number(n + 1)),
        ("index0".into(), number(n)),
        ("rindex".into(), number(length - n)),
        ("rindex0".into(), number(length - n - 1)),
        ("first".into(), Value::scalar(n == 0)),
        ("last".into(), Value::scalar(n + 1 == length)),
        ("length".into(), number(length)),
        ("col".into(), number(n % columns + 1)),
        ("col0".into(), number(n % columns)),
        ("row".into(), number(n / columns + 1)),
        ("col_first".into(), Value::scalar(n.is_multiple_of(columns))),
        ("col_last".into(), Value::scalar(n % columns + 1 == columns || n + 1 == length)),
        ("parentloop".into(), parent),
    ])
}

impl Renderable for Each {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let (mut chosen, from) = self.chosen(runtime)?;
        let length = chosen.len();
        runtime
            .registers()
            .get_mut::<Ends>()
            .0
            .insert(self.key.clone(), from.saturating_add(length));
        if self.is_reversed {
            chosen.reverse();
        }
        let columns = match &self.columns {
            Some(columns) => Number::of(&columns.evaluate(runtime)?).as_f64() as usize,
            None => length,
        };
        let columns = columns.max(1);
        let is_exploring = is_exploring(runtime);
        let misses = state::with(runtime, |state| state.missed.len());
        let parent = runtime.get(&[ScalarCow::new(self.position)])?.into_owned();
        // An outermost loop has none, and nobody asked for it.
        state::with(runtime, |state| {
            state.missed.truncate(misses);
            state.conditions += 1;
        });
        for (n, item) in chosen.iter().enumerate() {
            state::spend(runtime, 1)?;
            let (begin, end) = self.cell(n, length, columns);
            let mut position = position(n, length, parent.clone(), columns);
            if is_exploring {
                position.values_mut().for_each(|value| *value = unknown::of([]));
            }
            let scope = Scope {
                outer: runtime,
                name: self.name.as_str(),
                item: item.as_view(),
                position_name: self.position,
                position: &position,
            };
            writer.write_all(begin.as_bytes()).replace("cannot be written")?;
            self.body.render_to(writer, &scope)?;
            let interrupt = runtime.registers().get_mut::<InterruptRegister>().reset();
            writer.write_all(end.as_bytes()).replace("cannot be written")?;
            if interrupt == Some(Interrupt::Break) || is_exploring {
                break;
            }
        }
        state::with(runtime, |state| state.conditions -= 1);
        match &self.otherwise {
            Some(otherwise) if length == 0 || is_exploring => otherwise.render_to(writer, runtime),
            _ => Ok(()),
        }
    }
}
