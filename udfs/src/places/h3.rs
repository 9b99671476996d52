//! H3 cells as SQL has them: bigints.

use datafusion_common::Result;
use h3o::{CellIndex, Resolution};

use crate::InvalidArgument;

/// The cell that a bigint is.
///
/// # Errors
/// If it is none.
pub(super) fn cell(function: &str, given: i64) -> Result<CellIndex> {
    // A negative one has the bit that no cell has.
    let cell = CellIndex::try_from(given.cast_unsigned());
    cell.map_err(|error| InvalidArgument::error(format!("{function}: {given} is no H3 cell: {error}")))
}

/// A cell as a bigint; its first bit is 0.
pub(super) fn bigint(cell: CellIndex) -> i64 {
    u64::from(cell).cast_signed()
}

/// The resolution that a bigint is.
///
/// # Errors
/// If it is not from 0 to 15.
pub(super) fn resolution(function: &str, given: i64) -> Result<Resolution> {
    let resolution = u8::try_from(given).ok().and_then(|given| Resolution::try_from(given).ok());
    resolution.ok_or_else(|| {
        InvalidArgument::error(format!("{function}: the resolution has to be from 0 to 15, not {given}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_bigints() {
        let known = cell("f", 0x0892_8308_280f_ffff).unwrap();
        assert_eq!(known.to_string(), "8928308280fffff");
        assert_eq!(bigint(known), 617_700_169_958_293_503);
        for bad in [0, -1, 1, i64::MAX, 617_700_169_958_293_502] {
            assert!(cell("f", bad).is_err(), "{bad}");
        }
        assert!(resolution("f", 16).is_err());
        assert!(resolution("f", -1).is_err());
    }
}
