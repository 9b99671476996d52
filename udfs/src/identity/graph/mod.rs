//! Graphs of ids: what `component_map` and `shortest_path` are made of.

mod columns;
mod components;
mod direct;
mod edges;
mod ids;

pub(super) use columns::{list_value, node_type};
pub(super) use components::{Components, found_fields};
pub(super) use edges::Edges;
