//! `pg_size_pretty(bytes)`: a number of bytes for people, rounded half away from zero, as PostgreSQL 15 does it.

use std::sync::Arc;

use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_int64_array;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

use super::session_function::argument;
use super::{SessionFacts, SessionFunction};

pub(super) fn function(facts: &Arc<SessionFacts>) -> SessionFunction {
    SessionFunction::new(
        facts,
        "pg_size_pretty",
        DataType::Utf8,
        body,
        "pg_size_pretty(bytes)",
        "Returns a number of bytes as text with a unit: bytes, kB, MB, GB, TB or PB.",
    )
    .taking(Signature::exact(vec![DataType::Int64], Volatility::Immutable), &[("bytes", "The number of bytes.")])
}

fn body(_: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let sizes = argument(args, 0)?;
    let pretty = as_int64_array(&sizes)?.iter().map(|size| size.map(pretty));
    Ok(ColumnarValue::Array(Arc::new(pretty.collect::<StringArray>())))
}

const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];

/// A unit is used until its number would reach 20480 (10240 for bytes), so that four digits always count.
fn pretty(bytes: i64) -> String {
    if bytes.unsigned_abs() < 10_240 {
        return format!("{bytes} bytes");
    }
    // Halves of the unit, so that the last step can round.
    let (mut halves, mut unit) = (bytes / 512, 0);
    while halves.unsigned_abs() >= 20_479 && unit + 1 < UNITS.len() {
        halves /= 1024;
        unit += 1;
    }
    format!("{} {}", (halves + halves.signum()) / 2, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_postgresql_prints_them() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (-10_240, "-10 kB"),
            (5_000_000_000, "4768 MB"),
            (i64::MAX, "8192 PB"),
        ] {
            assert_eq!(pretty(bytes), expected);
        }
    }
}
