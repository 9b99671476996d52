//! `pg_encoding_to_char(encoding)`: the name of a character set by PostgreSQL's number; empty for a number that is none.

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
        "pg_encoding_to_char",
        DataType::Utf8,
        body,
        "pg_encoding_to_char(encoding)",
        "Returns the name of a character set; UTF8 is number 6.",
    )
    .taking(
        Signature::exact(vec![DataType::Int64], Volatility::Immutable),
        &[("encoding", "PostgreSQL's number of the character set, as in pg_database.encoding.")],
    )
}

fn body(_: &SessionFacts, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let numbers = argument(args, 0)?;
    let names = as_int64_array(&numbers)?.iter().map(|number| number.map(name));
    Ok(ColumnarValue::Array(Arc::new(names.collect::<StringArray>())))
}

fn name(number: i64) -> &'static str {
    usize::try_from(number).ok().and_then(|place| NAMES.get(place)).copied().unwrap_or("")
}

/// In the order of PostgreSQL's numbers.
const NAMES: &[&str] = &[
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_postgresqls() {
        assert_eq!(
            [name(0), name(6), name(24), name(41), name(42), name(-1)],
            ["SQL_ASCII", "UTF8", "WIN1252", "SHIFT_JIS_2004", "", ""]
        );
    }
}
