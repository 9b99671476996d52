//! Events in partial states: one after the other, packed, in little-endian bytes.

use super::event_log::{Row, Shape};

/// Appends a row to a state.
pub(super) fn write(shape: Shape, row: Row, state: &mut Vec<u8>) {
    state.extend_from_slice(&row.at.to_le_bytes());
    state.extend_from_slice(&row.mask.to_le_bytes());
    if shape.ties {
        state.extend_from_slice(&row.tie.to_le_bytes());
    }
    if shape.labels {
        state.extend_from_slice(&(row.label.len() as u32).to_le_bytes());
        state.extend_from_slice(row.label.as_bytes());
    }
}

/// The first row of a state, and the rest of it.
pub(super) fn read(shape: Shape, state: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (at, state) = state.split_first_chunk()?;
    let (mask, state) = state.split_first_chunk()?;
    let mut row = Row { at: i64::from_le_bytes(*at), mask: u32::from_le_bytes(*mask), tie: 0, label: "" };
    let mut rest = state;
    if shape.ties {
        let (tie, state) = rest.split_first_chunk()?;
        (row.tie, rest) = (i64::from_le_bytes(*tie), state);
    }
    if shape.labels {
        let (length, state) = rest.split_first_chunk()?;
        let (label, state) = state.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        (row.label, rest) = (std::str::from_utf8(label).ok()?, state);
    }
    Some((row, rest))
}
