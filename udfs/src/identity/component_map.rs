//! `component_map(a, b)`: which ids belong together, from edges between them.
//!
//! Union-find with path halving (Tarjan and van Leeuwen, Worst-case analysis of set union algorithms, 1984) over ids
//! that are numbered as they come. A component is called after its smallest id, texts by their bytes and integers by
//! value, so that it is the same whatever the order of the edges; the list is in the order of the ids.
//!
//! * An edge with one NULL: its other end is a node, that this edge links to nothing. Both NULL: ignored.
//! * No edges: an empty list.
//! * Cost: O(edges) and a sort of the ids; 52 bytes an id of at most 12 bytes, whatever the number of edges.

use std::mem::size_of_val;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::graph::{Components, found_fields, list_value, node_type};
use crate::named::named;

/// The function `component_map`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the connected components of a graph, given by its edges: a list with every id, the component that it belongs to, which is the smallest id in it, and the number of ids there. If one end is NULL the other is a node without this edge; rows with two NULLs are ignored; without rows the list is empty. The list is in the order of the ids. See connected_components for a table.",
    syntax_example = "component_map(a, b)",
    sql_example = r#"```sql
> SELECT found['node'] AS node, found['component'] AS component, found['size'] AS size
  FROM (
    SELECT unnest(component_map(a, b)) AS found
    FROM (VALUES ('ada', 'bo'), ('cy', 'bo'), ('dee', NULL)) AS edges (a, b)
  ) AS components;
+------+-----------+------+
| node | component | size |
+------+-----------+------+
| ada  | ada       | 3    |
| bo   | ada       | 3    |
| cy   | ada       | 3    |
| dee  | dee       | 1    |
+------+-----------+------+
```"#,
    argument(name = "a", description = "The id at one end of an edge: text or an integer."),
    argument(name = "b", description = "The id at the other end, of the same kind.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ComponentMap;

const NAME: &str = "component_map";

impl AggregateUDFImpl for ComponentMap {
    named!(NAME);

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let found = DataType::Struct(found_fields(&node_type(NAME, types)?));
        Ok(DataType::List(Arc::new(Field::new_list_field(found, true))))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.len() != 2 {
            return plan_err!("{NAME} takes the two ends of an edge");
        }
        let node = node_type(NAME, types)?;
        Ok(vec![node.clone(), node])
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        let list = |what: &str, of: DataType| -> FieldRef {
            Arc::new(Field::new_list(format!("{}[{what}]", args.name), Field::new_list_field(of, true), true))
        };
        Ok(vec![list("nodes", node_type(NAME, &types)?), list("parents", DataType::UInt32)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Box::new(Graph(Components::new(node_type(NAME, &types)?))))
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::new_default(data_type)
    }
}

#[derive(Debug)]
struct Graph(Components);

impl Accumulator for Graph {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [a, b] = values else { return plan_err!("{NAME} takes the two ends of an edge") };
        self.0.link(a, b)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [nodes, parents] = states else { return plan_err!("{NAME} has a state of two lists") };
        let (nodes, parents) = (nodes.as_list::<i32>(), parents.as_list::<i32>());
        for row in 0..nodes.len() {
            if nodes.is_valid(row) && parents.is_valid(row) {
                self.0.merge(&nodes.value(row), &parents.value(row))?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (nodes, parents) = self.0.parts()?;
        Ok(vec![list_value(NAME, nodes)?, list_value(NAME, parents)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        list_value(NAME, Arc::new(self.0.found()?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }
}
