//! Connected components by union-find: trees of ids, flattened by path halving on every walk. Of two roots the one
//! that was seen first stays, which for edges in no particular order is as good as a rank and costs no memory.

use std::mem::size_of;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray, UInt32Array};
use datafusion_common::arrow::compute::take;
use datafusion_common::arrow::datatypes::{DataType, Field, Fields, UInt32Type};
use datafusion_common::{Result, exec_err};

use super::columns::NONE;
use super::ids::Ids;

/// Ids, and which belong together.
#[derive(Debug)]
pub(in crate::identity) struct Components {
    ids: Ids,
    parents: Vec<u32>,
}

impl Components {
    pub(in crate::identity) fn new(data_type: DataType) -> Self {
        Self { ids: Ids::new(data_type), parents: Vec::new() }
    }

    pub(in crate::identity) fn size(&self) -> usize {
        self.ids.size() + self.parents.capacity() * size_of::<u32>()
    }

    /// Links the ids of each row. Beside a NULL an id is a node that this row links to nothing.
    pub(in crate::identity) fn link(&mut self, a: &ArrayRef, b: &ArrayRef) -> Result<()> {
        let (a, b) = (self.encode(a)?, self.encode(b)?);
        for (a, b) in a.into_iter().zip(b) {
            if a != NONE && b != NONE {
                self.unite(a, b);
            }
        }
        Ok(())
    }

    /// Takes in what [`Components::parts`] gave.
    pub(in crate::identity) fn merge(&mut self, nodes: &ArrayRef, parents: &ArrayRef) -> Result<()> {
        let codes = self.encode(nodes)?;
        for (code, parent) in codes.iter().zip(parents.as_primitive::<UInt32Type>().values()) {
            let Some(parent) = codes.get(*parent as usize) else {
                return exec_err!("a graph's parent is none of its nodes");
            };
            self.unite(*code, *parent);
        }
        Ok(())
    }

    /// The ids, and for each the place of one that it belongs to.
    pub(in crate::identity) fn parts(&mut self) -> Result<(ArrayRef, ArrayRef)> {
        let all: Vec<u32> = (0..self.ids.len() as u32).collect();
        let nodes = self.ids.column(&all)?;
        let roots: Vec<u32> = all.into_iter().map(|code| self.root(code)).collect();
        Ok((nodes, Arc::new(UInt32Array::from(roots))))
    }

    /// Every id with the smallest id of its component and their number, in the order of the ids.
    pub(in crate::identity) fn found(&mut self) -> Result<StructArray> {
        let order = self.ids.sorted();
        // Of each root: the place of the smallest id, and how many there are.
        let mut firsts = vec![NONE; order.len()];
        let mut sizes = vec![0_i64; order.len()];
        let mut roots = Vec::with_capacity(order.len());
        for (code, place) in order.iter().zip(0_u32..) {
            let root = self.root(*code) as usize;
            if firsts[root] == NONE {
                firsts[root] = place;
            }
            sizes[root] += 1;
            roots.push(root);
        }
        let nodes = self.ids.column(&order)?;
        let places: UInt32Array = roots.iter().map(|root| Some(firsts[*root])).collect();
        let components = take(&nodes, &places, None)?;
        let sizes: Int64Array = roots.iter().map(|root| Some(sizes[*root])).collect();
        let fields = found_fields(nodes.data_type());
        Ok(StructArray::try_new(fields, vec![nodes, components, Arc::new(sizes)], None)?)
    }

    fn encode(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let codes = self.ids.encode(column)?;
        self.parents.extend(self.parents.len() as u32..self.ids.len() as u32);
        Ok(codes)
    }

    fn root(&mut self, code: u32) -> u32 {
        let mut at = code;
        loop {
            let parent = self.parents[at as usize];
            if parent == at {
                return at;
            }
            let beyond = self.parents[parent as usize];
            self.parents[at as usize] = beyond;
            at = beyond;
        }
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parents[a.max(b) as usize] = a.min(b);
        }
    }
}

/// What is said of every id.
pub(in crate::identity) fn found_fields(node: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("node", node.clone(), true),
        Field::new("component", node.clone(), true),
        Field::new("size", DataType::Int64, true),
    ])
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::{Int64Array, StringViewArray};
    use datafusion_common::arrow::datatypes::Int64Type;

    use super::*;

    fn of(edges: &[(Option<&str>, Option<&str>)]) -> Components {
        let mut components = Components::new(DataType::Utf8View);
        let a: ArrayRef = Arc::new(edges.iter().map(|edge| edge.0).collect::<StringViewArray>());
        let b: ArrayRef = Arc::new(edges.iter().map(|edge| edge.1).collect::<StringViewArray>());
        components.link(&a, &b).unwrap();
        components
    }

    fn rows(components: &mut Components) -> Vec<(String, String, i64)> {
        let found = components.found().unwrap();
        let [nodes, components] = [0, 1].map(|place| found.column(place).as_string_view().clone());
        let sizes = found.column(2).as_primitive::<Int64Type>().clone();
        (0..found.len()).map(|row| (nodes.value(row).into(), components.value(row).into(), sizes.value(row))).collect()
    }

    fn row(node: &str, component: &str, size: i64) -> (String, String, i64) {
        (node.to_owned(), component.to_owned(), size)
    }

    #[test]
    fn a_component_is_its_smallest_id() {
        let mut graph = of(&[
            (Some("d"), Some("c")),
            (Some("x"), None),
            (None, None),
            (Some("c"), Some("b")),
            (Some("s"), Some("s")),
        ]);
        let expected = [row("b", "b", 3), row("c", "b", 3), row("d", "b", 3), row("s", "s", 1), row("x", "x", 1)];
        assert_eq!(rows(&mut graph), expected);
        // And again: asking changes nothing.
        assert_eq!(rows(&mut graph), expected);
    }

    #[test]
    fn parts_merge_in_any_order() {
        let edges = [(Some("e"), Some("d")), (Some("a"), Some("b")), (Some("d"), Some("b")), (Some("q"), None)];
        let mut whole = of(&edges);
        for first in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut merged = Components::new(DataType::Utf8View);
            for place in first {
                let (nodes, parents) = of(&edges[place..=place]).parts().unwrap();
                merged.merge(&nodes, &parents).unwrap();
            }
            assert_eq!(rows(&mut merged), rows(&mut whole));
        }
    }

    #[test]
    fn a_long_chain() {
        let mut graph = Components::new(DataType::Int64);
        let a: ArrayRef = Arc::new((0..100_000_i64).rev().collect::<Int64Array>());
        let b: ArrayRef = Arc::new((1..100_001_i64).rev().collect::<Int64Array>());
        graph.link(&a, &b).unwrap();
        let found = graph.found().unwrap();
        assert!(found.column(1).as_primitive::<Int64Type>().values().iter().all(|component| *component == 0));
        assert!(found.column(2).as_primitive::<Int64Type>().values().iter().all(|size| *size == 100_001));
        assert!(graph.size() >= 100_001 * (16 + 16 + 4));
    }

    #[test]
    fn nothing_has_no_components() {
        assert!(rows(&mut of(&[])).is_empty());
    }
}
