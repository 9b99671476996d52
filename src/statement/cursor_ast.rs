//! DECLARE, FETCH, MOVE and CLOSE as the rest of the engine sees them.

use datafusion::sql::sqlparser::ast::Query;

/// DECLARE … CURSOR.
#[derive(Debug, Clone, PartialEq)]
pub struct Declare {
    /// The cursor's name, folded.
    pub name: String,
    /// BINARY.
    pub binary: bool,
    /// SCROLL; neither it nor NO SCROLL is NO SCROLL.
    pub scroll: bool,
    /// WITH HOLD.
    pub hold: bool,
    /// Its query.
    pub query: Box<Query>,
}

/// FETCH or MOVE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The cursor's name, folded.
    pub name: String,
    /// Where to.
    pub direction: Direction,
    /// MOVE: the rows are passed over.
    pub moves: bool,
}

/// Where FETCH and MOVE go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// So many rows on, none of them being the row where the cursor is; NEXT is 1.
    Forward(u64),
    /// So many rows back; PRIOR is 1.
    Backward(u64),
    /// The row of that number, from the end if negative; FIRST is 1, LAST is -1.
    Absolute(i64),
    /// The row so many rows on.
    Relative(i64),
}

impl Direction {
    /// All rows: more than there can be.
    pub const ALL: u64 = u64::MAX;

    /// `count` rows on, or back if it is negative.
    pub fn forward(count: i64) -> Self {
        if count < 0 { Self::Backward(count.unsigned_abs()) } else { Self::Forward(count.unsigned_abs()) }
    }

    /// `count` rows back, or on if it is negative. None of them back is none on.
    pub fn backward(count: i64) -> Self {
        if count > 0 { Self::Backward(count.unsigned_abs()) } else { Self::Forward(count.unsigned_abs()) }
    }
}
