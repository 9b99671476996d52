//! `path_edges(ts, event, gap, depth [, start [, reverse]])`: the steps of a group's paths, one path a session.
//!
//! After Hologres' `path_analysis_detail`: events are cut into sessions where more than `gap` lies between two, a path
//! is the beginning of a session, or what follows the first `start` in it, or precedes the last. A session that ends
//! before the path is `depth` events long gives a last edge to nothing, so that those who leave are seen, too.
//!
//! * Events at equal times come in the order of the tie-breaker, then of their text.
//! * Rows without time or event do not count. No rows, no `start`: an empty list.
//! * Cost: O(n log n) for a group's n rows, 20 bytes a row, every text once.

use std::sync::Arc;

use datafusion_common::arrow::array::{
    ArrayBuilder, ArrayRef, Int32Builder, ListArray, StringViewBuilder, StructArray,
};
use datafusion_common::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator};
use datafusion_macros::user_doc;

use super::event_accumulator::{EventAccumulator, Kernel, state_fields};
use super::event_columns::EventColumns;
use super::event_log::Group;
use crate::InvalidArgument;
use crate::arguments::{DURATION, constant, duration, text};
use crate::named::named;

/// The aggregate `path_edges`.
#[user_doc(
    doc_section(label = "Behaviour Functions"),
    description = "Returns the steps of the paths that a group took, one path a session: a list of structs of step, source and target. A target of NULL is the end of the session, or its beginning where paths are taken backwards. The table function path_analysis counts them over all profiles.",
    syntax_example = "path_edges(ts, [tie_breaker,] event, gap, depth [, start [, reverse]])",
    sql_example = r#"```sql
> SELECT path_edges(at, page, INTERVAL '30 minutes', 3) AS edges FROM (VALUES (timestamp '2024-01-01 10:00:00', 'home'), (timestamp '2024-01-01 10:01:00', 'cart'), (timestamp '2024-01-01 12:00:00', 'home')) AS visits (at, page);
+---------------------------------------------------------------------------------------------------------------+
| edges                                                                                                         |
+---------------------------------------------------------------------------------------------------------------+
| [{step: 1, source: home, target: cart}, {step: 2, source: cart, target: }, {step: 1, source: home, target: }] |
+---------------------------------------------------------------------------------------------------------------+
```"#,
    argument(name = "ts", description = "When the event happened: a date or a timestamp."),
    argument(
        name = "tie_breaker",
        description = "A whole number or a time that orders events of equal times, NULL last. Without one, and where it is equal, they come in the order of their text."
    ),
    argument(name = "event", description = "What happened, as text."),
    argument(
        name = "gap",
        description = "A session ends if nothing happens for longer than this: a constant interval without months."
    ),
    argument(name = "depth", description = "The most events of a path: a constant from 2 to 100."),
    argument(
        name = "start",
        description = "The event that paths start with, a constant. Without it, or if it is NULL, they start with the first event of the session, or the last if they are taken backwards."
    ),
    argument(
        name = "reverse",
        description = "Whether paths are taken backwards, from their last event: a constant, false by default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PathEdges;

impl AggregateUDFImpl for PathEdges {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(places(types)?.2)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(args))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(accumulator(&args)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(accumulator(&args)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

const NAME: &str = "path_edges";
const MAX_DEPTH: i64 = 100;

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Int32, true),
        Field::new("source", DataType::Utf8View, true),
        Field::new("target", DataType::Utf8View, true),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), true))
}

/// The columns, the place of the first option, and what everything is coerced to.
fn places(given: &[DataType]) -> Result<(EventColumns, usize, Vec<DataType>)> {
    let mut coerced = Vec::with_capacity(given.len());
    let columns = EventColumns::find(NAME, given, true, &mut coerced)?;
    let first = coerced.len();
    coerced.extend([DURATION, DataType::Int64, DataType::Utf8, DataType::Boolean]);
    if columns.conditions() > 0 || !(first + 2..=first + 4).contains(&given.len()) {
        return plan_err!("{NAME} takes ts, event, gap, depth, and at most start and reverse");
    }
    if given.get(first + 1).is_some_and(|depth| !depth.is_integer() && !depth.is_null()) {
        return plan_err!("{NAME} takes the depth as a whole number");
    }
    coerced.truncate(given.len());
    Ok((columns.with_all_rows(true), first, coerced))
}

fn accumulator(args: &AccumulatorArgs) -> Result<EventAccumulator> {
    let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
    let (columns, first, _) = places(&types)?;
    let invalid = |message: String| InvalidArgument::error(format!("{NAME}: {message}"));
    let gap = duration(NAME, "the gap", &constant(NAME, "the gap", args, first)?)?;
    let depth = match constant(NAME, "the depth", args, first + 1)? {
        ScalarValue::Int64(Some(depth)) if (2..=MAX_DEPTH).contains(&depth) => depth as usize,
        other => return Err(invalid(format!("the depth has to be from 2 to {MAX_DEPTH}, not {other}"))),
    };
    let start = match args.exprs.get(first + 2) {
        Some(_) => match constant(NAME, "the start", args, first + 2)? {
            null if null.is_null() => None,
            start => Some(text(NAME, "the start", &start)?.to_owned()),
        },
        None => None,
    };
    let reverse = match args.exprs.get(first + 3) {
        Some(_) => match constant(NAME, "reverse", args, first + 3)? {
            ScalarValue::Boolean(Some(reverse)) => reverse,
            _ => return Err(invalid("reverse must not be NULL".to_owned())),
        },
        None => false,
    };
    Ok(EventAccumulator::new(columns, args.is_distinct, Paths { gap, depth, start, reverse, edges: Edges::default() }))
}

/// How the events of a group become paths.
#[derive(Debug)]
struct Paths {
    gap: i64,
    depth: usize,
    start: Option<String>,
    reverse: bool,
    edges: Edges,
}

/// The edges of all groups, and where those of a group end.
#[derive(Debug, Default)]
struct Edges {
    steps: Int32Builder,
    sources: StringViewBuilder,
    targets: StringViewBuilder,
    ends: Vec<i32>,
}

impl Paths {
    /// Appends the edges of a session's path.
    fn session<'a>(&mut self, labels: impl Iterator<Item = &'a str> + Clone) {
        let start = self.start.as_deref();
        let mut path =
            labels.skip_while(|label| start.is_some_and(|start| start != *label)).take(self.depth).peekable();
        for step in 1..self.depth {
            let Some(source) = path.next() else { return };
            self.edges.steps.append_value(step as i32);
            self.edges.sources.append_value(source);
            self.edges.targets.append_option(path.peek());
        }
    }
}

impl Kernel for Paths {
    fn add(&mut self, group: Group) -> Result<()> {
        let mut from = 0;
        let gap = self.gap;
        for session in group.events.chunk_by(|a, b| b.at.saturating_sub(a.at) <= gap) {
            let range = from..from + session.len();
            from = range.end;
            if self.reverse {
                self.session(range.rev().map(|event| group.label(event)));
            } else {
                self.session(range.map(|event| group.label(event)));
            }
        }
        let too_many = |_| exec_datafusion_err!("{NAME}: there are too many edges for a batch of results");
        self.edges.ends.push(i32::try_from(self.edges.steps.len()).map_err(too_many)?);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        let Edges { mut steps, mut sources, mut targets, ends } = std::mem::take(&mut self.edges);
        let edges: Vec<ArrayRef> =
            vec![Arc::new(steps.finish()), Arc::new(sources.finish()), Arc::new(targets.finish())];
        let edges = StructArray::new(fields(), edges, None);
        let offsets: ScalarBuffer<i32> = std::iter::once(0).chain(ends).collect();
        Arc::new(ListArray::new(item(), OffsetBuffer::new(offsets), Arc::new(edges), None))
    }
}
