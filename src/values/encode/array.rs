//! Arrays of any depth, from all of Arrow's lists.
//!
//! A list of lists is one array of two dimensions in PostgreSQL, so lists are taken apart into levels over
//! one leaf column. Arrow allows what PostgreSQL does not: sub-lists that are NULL or differ in length.
//! Text shows them as they are; binary has no way to say them and answers with an error.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, LargeListViewArray, ListArray, ListViewArray,
};
use datafusion::arrow::datatypes::DataType;

use super::{Format, Formatting, Values, column, enclose, indirect, is_space, json, measured};
use crate::error::{Error, Result};
use crate::values::pg_type::PgType;

/// PostgreSQL's limit on dimensions.
const MOST_DIMENSIONS: usize = 6;

struct Arrays {
    /// From the outermost list to the innermost; never empty.
    levels: Vec<Level>,
    leaf: Box<dyn Values>,
    element: u32,
    /// Whether it is printed as the numbers alone, and counted from 0.
    is_vector: bool,
}

/// Lists shown as the array type `pg`.
pub(super) fn arrays(array: &ArrayRef, pg: PgType, formatting: &Formatting) -> Result<Box<dyn Values>> {
    let mut levels = Vec::new();
    let mut values = ArrayRef::clone(array);
    while let Some((level, inner)) = Level::of(&values) {
        levels.push(level);
        values = indirect::unpack_lists(inner)?;
    }
    let element = pg.element();
    let leaf = column::values(&values, element, formatting)?;
    Ok(Box::new(Arrays { levels, leaf, element: element.oid, is_vector: pg.is_vector() }))
}

/// One dimension.
enum Level {
    List(ListArray),
    Large(LargeListArray),
    Fixed(FixedSizeListArray),
    View(ListViewArray),
    LargeView(LargeListViewArray),
}

impl Level {
    /// The outermost list of `array` and what is in it; `None` if it is no list.
    fn of(array: &ArrayRef) -> Option<(Level, ArrayRef)> {
        let (level, inner) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (Level::List(list.clone()), list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (Level::Large(list.clone()), list.values())
            }
            DataType::FixedSizeList(_, _) => {
                let list = array.as_fixed_size_list();
                (Level::Fixed(list.clone()), list.values())
            }
            DataType::ListView(_) => {
                let list = array.as_list_view::<i32>();
                (Level::View(list.clone()), list.values())
            }
            DataType::LargeListView(_) => {
                let list = array.as_list_view::<i64>();
                (Level::LargeView(list.clone()), list.values())
            }
            _ => return None,
        };
        Some((level, ArrayRef::clone(inner)))
    }

    /// Where the elements of a list are in the next level; `None` for NULL.
    fn elements(&self, row: usize) -> Option<Range<usize>> {
        match self {
            Level::List(list) => {
                let offsets = list.value_offsets();
                list.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
            }
            Level::Large(list) => {
                let offsets = list.value_offsets();
                list.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
            }
            Level::Fixed(list) => {
                let start = list.value_offset(row) as usize;
                list.is_valid(row).then(|| start..start + list.value_length() as usize)
            }
            Level::View(list) => {
                let start = list.value_offset(row) as usize;
                list.is_valid(row).then(|| start..start + list.value_size(row) as usize)
            }
            Level::LargeView(list) => {
                let start = list.value_offset(row) as usize;
                list.is_valid(row).then(|| start..start + list.value_size(row) as usize)
            }
        }
    }
}

/// The lengths of an array's dimensions, outermost first.
#[derive(Default)]
struct Shape {
    lengths: [usize; MOST_DIMENSIONS],
    known: usize,
}

impl Arrays {
    /// The elements of the array in `row`; callers have checked that it is not NULL.
    fn top(&self, row: usize) -> Range<usize> {
        self.levels.first().and_then(|level| level.elements(row)).unwrap_or(0..0)
    }

    /// The level below `depth`; `None` where the leaves are.
    fn below(&self, depth: usize) -> Option<&Level> {
        self.levels.get(depth + 1)
    }

    /// Whether no leaf and no NULL is below: PostgreSQL has one empty array, without dimensions.
    fn is_empty(&self, depth: usize, elements: &Range<usize>) -> bool {
        elements.is_empty()
            || self.below(depth).is_some_and(|level| {
                elements
                    .clone()
                    .all(|row| level.elements(row).is_some_and(|elements| self.is_empty(depth + 1, &elements)))
            })
    }

    fn print(&self, depth: usize, elements: Range<usize>, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        let first = elements.start;
        for row in elements {
            if row > first {
                out.put_u8(b',');
            }
            match self.below(depth) {
                Some(level) => match level.elements(row) {
                    Some(elements) => self.print(depth + 1, elements, out)?,
                    None => out.put_slice(b"NULL"),
                },
                None if self.leaf.is_null(row) => out.put_slice(b"NULL"),
                None => {
                    let start = out.len();
                    self.leaf.text(row, out)?;
                    if needs_quotes(&out[start..]) {
                        enclose(out, start, |byte| matches!(byte, b'"' | b'\\').then_some(b'\\'));
                    }
                }
            }
        }
        out.put_u8(b'}');
        Ok(())
    }

    /// Measures the dimensions below `depth` and checks that all sub-lists agree.
    fn measure(&self, depth: usize, elements: &Range<usize>, shape: &mut Shape) -> Result<()> {
        if shape.known == depth {
            shape.lengths[depth] = elements.len();
            shape.known += 1;
        } else if shape.lengths[depth] != elements.len() {
            return Err(ragged("sub-lists of different lengths"));
        }
        if let Some(level) = self.below(depth) {
            for row in elements.clone() {
                let elements = level.elements(row).ok_or_else(|| ragged("a sub-list that is NULL"))?;
                self.measure(depth + 1, &elements, shape)?;
            }
        }
        Ok(())
    }

    /// Appends the leaves in order; returns whether one of them is NULL.
    fn leaves(&self, depth: usize, elements: Range<usize>, out: &mut BytesMut) -> Result<bool> {
        let mut nulls = false;
        for row in elements {
            match self.below(depth) {
                Some(level) => {
                    let elements = level.elements(row).unwrap_or(0..0);
                    nulls |= self.leaves(depth + 1, elements, out)?;
                }
                None => {
                    nulls |= self.leaf.is_null(row);
                    measured(&*self.leaf, Format::Binary, row, out)?;
                }
            }
        }
        Ok(nulls)
    }

    fn list(&self, depth: usize, elements: Range<usize>, out: &mut BytesMut) -> Result<()> {
        json::list(elements, out, |row, out| match self.below(depth) {
            Some(level) => match level.elements(row) {
                Some(elements) => self.list(depth + 1, elements, out),
                None => {
                    out.put_slice(b"null");
                    Ok(())
                }
            },
            None => json::value(&*self.leaf, row, out),
        })
    }
}

impl Values for Arrays {
    fn is_null(&self, row: usize) -> bool {
        self.levels.first().is_none_or(|level| level.elements(row).is_none())
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let elements = self.top(row);
        if self.is_vector {
            for element in elements.clone() {
                if element > elements.start {
                    out.put_u8(b' ');
                }
                self.leaf.text(element, out)?;
            }
            return Ok(());
        }
        if self.is_empty(0, &elements) {
            out.put_slice(b"{}");
            return Ok(());
        }
        self.print(0, elements, out)
    }

    /// Number of dimensions, whether there are NULLs, the element type, for each dimension its length and
    /// lower bound, then the elements with their lengths.
    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let elements = self.top(row);
        let mut shape = Shape::default();
        if self.levels.len() > MOST_DIMENSIONS {
            return Err(ragged("more than six dimensions"));
        }
        if !self.is_empty(0, &elements) {
            self.measure(0, &elements, &mut shape)?;
        }
        out.put_i32(shape.known as i32);
        let flags = out.len();
        out.put_i32(0);
        out.put_u32(self.element);
        for length in &shape.lengths[..shape.known] {
            out.put_i32(*length as i32);
            out.put_i32(i32::from(!self.is_vector));
        }
        if shape.known > 0 && self.leaves(0, elements, out)? {
            out[flags + 3] = 1;
        }
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.list(0, self.top(row), out)
    }
}

fn ragged(what: &str) -> Error {
    Error::unsupported(format!("a list with {what} in a binary array"))
        .with_hint("ask for text results, or turn the list into json")
}

/// Whether an element would be misread without quotes.
fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case(b"NULL")
        || text.iter().any(|byte| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',') || is_space(*byte))
}
