//! `shortest_path(a, b, from, to)`: how two ids are linked, by as few edges as possible.
//!
//! A breadth-first search over the edges in both directions. Of several shortest paths it is the one whose first step
//! leads to the smallest id, then its second, and so on: the same whatever the order of the edges.
//!
//! * Edges with a NULL, and from an id to itself, are ignored.
//! * Ids that are not linked, unknown ids, an id and itself: an empty list.
//! * Cost: O(edges), and a sort of the ids if there is a path; 8 bytes an edge beside the ids.

use std::mem::size_of_val;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::graph::{Edges, list_value, node_type};
use crate::InvalidArgument;
use crate::arguments::constant;
use crate::named::named;

/// The function `shortest_path`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the steps of a shortest path between two ids of a graph, given by its edges, whatever their direction; of several the one by the smallest ids. The list is empty if they are not linked, and if both are the same. Edges with a NULL are ignored. See identity_path for a table.",
    syntax_example = "shortest_path(a, b, from, to)",
    sql_example = r#"```sql
> SELECT found['step'] AS step, found['id_a'] AS id_a, found['id_b'] AS id_b
  FROM (
    SELECT unnest(shortest_path(a, b, 'ada', 'dee')) AS found
    FROM (VALUES ('ada', 'm1'), ('ada', 'm2'), ('bo', 'm1'), ('bo', 'm3'), ('dee', 'm3')) AS edges (a, b)
  ) AS steps;
+------+------+------+
| step | id_a | id_b |
+------+------+------+
| 1    | ada  | m1   |
| 2    | m1   | bo   |
| 3    | bo   | m3   |
| 4    | m3   | dee  |
+------+------+------+
```"#,
    argument(name = "a", description = "The id at one end of an edge: text or an integer."),
    argument(name = "b", description = "The id at the other end, of the same kind."),
    argument(name = "from", description = "Where the path starts, a constant."),
    argument(name = "to", description = "Where it ends, a constant.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ShortestPath;

const NAME: &str = "shortest_path";

impl AggregateUDFImpl for ShortestPath {
    named!(NAME);

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let step = DataType::Struct(step_fields(&node_type(NAME, types)?));
        Ok(DataType::List(Arc::new(Field::new_list_field(step, true))))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.len() != 4 {
            return plan_err!("{NAME} takes the two ends of an edge, and where the path starts and ends");
        }
        Ok(vec![node_type(NAME, types)?; 4])
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        let list = |what: &str, of: DataType| -> FieldRef {
            Arc::new(Field::new_list(format!("{}[{what}]", args.name), Field::new_list_field(of, true), true))
        };
        Ok(vec![list("nodes", node_type(NAME, &types)?), list("a", DataType::UInt32), list("b", DataType::UInt32)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let node = node_type(NAME, &types)?;
        let end = |name: &str, place: usize| {
            let value = constant(NAME, name, &args, place)?;
            if value.is_null() {
                return Err(InvalidArgument::error(format!("{NAME}: {name} must not be NULL")));
            }
            value.cast_to(&node)?.to_array()
        };
        let (from, to) = (end("from", 2)?, end("to", 3)?);
        Ok(Box::new(Graph { edges: Edges::new(node), from, to }))
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::new_default(data_type)
    }
}

fn step_fields(node: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Int64, true),
        Field::new("id_a", node.clone(), true),
        Field::new("id_b", node.clone(), true),
    ])
}

#[derive(Debug)]
struct Graph {
    edges: Edges,
    from: ArrayRef,
    to: ArrayRef,
}

impl Accumulator for Graph {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [a, b, ..] = values else { return plan_err!("{NAME} takes the two ends of an edge") };
        self.edges.link(a, b)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [nodes, a, b] = states else { return plan_err!("{NAME} has a state of three lists") };
        let (nodes, a, b) = (nodes.as_list::<i32>(), a.as_list::<i32>(), b.as_list::<i32>());
        for row in 0..nodes.len() {
            if nodes.is_valid(row) && a.is_valid(row) && b.is_valid(row) {
                self.edges.merge(&nodes.value(row), &a.value(row), &b.value(row))?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.edges.parts()?.into_iter().map(|part| list_value(NAME, part)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let steps = self.edges.shortest_path(&self.from, &self.to)?;
        let (from, to): (Vec<u32>, Vec<u32>) = steps.into_iter().unzip();
        let numbers: Int64Array = (1..=from.len() as i64).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(numbers), self.edges.column(&from)?, self.edges.column(&to)?];
        let fields = step_fields(columns[1].data_type());
        list_value(NAME, Arc::new(StructArray::try_new(fields, columns, None)?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.edges.size() + self.from.get_array_memory_size() + self.to.get_array_memory_size()
    }
}
