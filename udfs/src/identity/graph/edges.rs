//! A graph that keeps its edges, for shortest paths.

use std::mem::size_of;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, AsArray, UInt32Array};
use datafusion_common::arrow::datatypes::{DataType, UInt32Type};
use datafusion_common::{Result, exec_err};

use super::columns::NONE;
use super::ids::Ids;

/// From one id to the next, by their codes.
pub(in crate::identity) type Step = (u32, u32);

/// Ids, and which are linked directly.
#[derive(Debug)]
pub(in crate::identity) struct Edges {
    ids: Ids,
    edges: Vec<Step>,
}

impl Edges {
    pub(in crate::identity) fn new(data_type: DataType) -> Self {
        Self { ids: Ids::new(data_type), edges: Vec::new() }
    }

    pub(in crate::identity) fn size(&self) -> usize {
        self.ids.size() + self.edges.capacity() * size_of::<Step>()
    }

    /// Adds an edge for each row without NULL that links two ids.
    pub(in crate::identity) fn link(&mut self, a: &ArrayRef, b: &ArrayRef) -> Result<()> {
        let (a, b) = (self.ids.encode(a)?, self.ids.encode(b)?);
        self.edges.extend(a.into_iter().zip(b).filter(|(a, b)| *a != NONE && *b != NONE && a != b));
        Ok(())
    }

    /// Takes in what [`Edges::parts`] gave.
    pub(in crate::identity) fn merge(&mut self, nodes: &ArrayRef, a: &ArrayRef, b: &ArrayRef) -> Result<()> {
        let codes = self.ids.encode(nodes)?;
        let (a, b) = (a.as_primitive::<UInt32Type>().values(), b.as_primitive::<UInt32Type>().values());
        for (a, b) in a.iter().zip(b) {
            let (Some(a), Some(b)) = (codes.get(*a as usize), codes.get(*b as usize)) else {
                return exec_err!("an end of a graph's edge is none of its nodes");
            };
            self.edges.push((*a, *b));
        }
        Ok(())
    }

    /// The ids, and the places of the ends of each edge.
    pub(in crate::identity) fn parts(&self) -> Result<[ArrayRef; 3]> {
        let all: Vec<u32> = (0..self.ids.len() as u32).collect();
        let end =
            |end: fn(&Step) -> u32| -> ArrayRef { Arc::new(UInt32Array::from_iter_values(self.edges.iter().map(end))) };
        Ok([self.ids.column(&all)?, end(|edge| edge.0), end(|edge| edge.1)])
    }

    /// The ids of these codes.
    pub(in crate::identity) fn column(&self, codes: &[u32]) -> Result<ArrayRef> {
        self.ids.column(codes)
    }

    /// The steps of a shortest path between two ids, whatever the direction of its edges: of all that are shortest the
    /// one whose first step leads to the smallest id, then its second, and so on. Empty if there is none.
    pub(in crate::identity) fn shortest_path(&mut self, from: &ArrayRef, to: &ArrayRef) -> Result<Vec<Step>> {
        let (&[from], &[to]) = (self.ids.encode(from)?.as_slice(), self.ids.encode(to)?.as_slice()) else {
            return exec_err!("a path has one start and one end");
        };
        let neighbours = Neighbours::new(self.ids.len(), &self.edges);
        let distances = neighbours.distances(to, from);
        if distances[from as usize] == NONE {
            return Ok(Vec::new());
        }
        // Only ids on the way are compared, so their ranks are found once.
        let mut ranks = vec![0_u32; self.ids.len()];
        for (code, rank) in self.ids.sorted().into_iter().zip(0_u32..) {
            ranks[code as usize] = rank;
        }
        let mut steps = Vec::with_capacity(distances[from as usize] as usize);
        let mut at = from;
        while at != to {
            let nearer = neighbours.of(at).iter().filter(|next| distances[**next as usize] < distances[at as usize]);
            let Some(next) = nearer.min_by_key(|next| ranks[**next as usize]) else {
                return exec_err!("a path breaks off");
            };
            steps.push((at, *next));
            at = *next;
        }
        Ok(steps)
    }
}

/// The ids that each id is linked to, one after the other.
struct Neighbours {
    starts: Vec<usize>,
    ids: Vec<u32>,
}

impl Neighbours {
    fn new(nodes: usize, edges: &[Step]) -> Self {
        let mut starts = vec![0_usize; nodes + 1];
        for (a, b) in edges {
            starts[*a as usize + 1] += 1;
            starts[*b as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut free = starts.clone();
        let mut ids = vec![0; 2 * edges.len()];
        for (a, b) in edges {
            for (a, b) in [(a, b), (b, a)] {
                ids[free[*a as usize]] = *b;
                free[*a as usize] += 1;
            }
        }
        Self { starts, ids }
    }

    fn of(&self, node: u32) -> &[u32] {
        &self.ids[self.starts[node as usize]..self.starts[node as usize + 1]]
    }

    /// The number of steps to `from`, [`NONE`] if there is no way, as far out as `until`.
    fn distances(&self, from: u32, until: u32) -> Vec<u32> {
        let mut distances = vec![NONE; self.starts.len() - 1];
        distances[from as usize] = 0;
        let mut front = vec![from];
        let mut distance = 0;
        while !front.is_empty() && distances[until as usize] == NONE {
            distance += 1;
            let mut next = Vec::new();
            for node in front {
                for other in self.of(node) {
                    if distances[*other as usize] == NONE {
                        distances[*other as usize] = distance;
                        next.push(*other);
                    }
                }
            }
            front = next;
        }
        distances
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::Int64Array;

    use super::*;

    fn path(edges: &[(i64, i64)], from: i64, to: i64) -> Vec<i64> {
        let column = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
        let mut graph = Edges::new(DataType::Int64);
        for edge in edges {
            let mut part = Edges::new(DataType::Int64);
            part.link(&column(vec![edge.0]), &column(vec![edge.1])).unwrap();
            let [nodes, a, b] = part.parts().unwrap();
            graph.merge(&nodes, &a, &b).unwrap();
        }
        let steps = graph.shortest_path(&column(vec![from]), &column(vec![to])).unwrap();
        let ends: Vec<u32> = steps.iter().map(|step| step.1).collect();
        assert!(steps.windows(2).all(|pair| pair[0].1 == pair[1].0));
        let ends = graph.column(&ends).unwrap();
        ends.as_primitive::<datafusion_common::arrow::datatypes::Int64Type>().values().to_vec()
    }

    #[test]
    fn the_shortest_by_the_smallest_ids() {
        let edges = [(1, 9), (9, 5), (1, 3), (3, 4), (4, 5), (5, 7), (8, 1), (8, 5), (20, 21), (6, 6)];
        assert_eq!(path(&edges, 1, 5), [8, 5]);
        assert_eq!(path(&edges, 5, 1), [8, 1]);
        assert_eq!(path(&edges, 1, 7), [8, 5, 7]);
        assert_eq!(path(&edges, 1, 20), [0; 0]);
        assert_eq!(path(&edges, 1, 1), [0; 0]);
        assert_eq!(path(&edges, 6, 1), [0; 0]);
        assert_eq!(path(&edges, 99, 1), [0; 0]);
    }
}
