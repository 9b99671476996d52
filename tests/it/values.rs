//! Every type as a parameter and as a column, in text and in binary: the bytes are PostgreSQL 15's own.

use libtest_mimic::Trial;

use crate::raw::{BINARY, Raw, TEXT, bind, describe, execute, first, parse, sync};
use crate::trial::{Outcome, ensure, same, trial};
use crate::warehouse::Served;

/// Type, its OID, a value as text, the same in binary (hexadecimal).
const VALUES: &[(&str, i32, &str, &str)] = &[
    ("boolean", 16, "t", "01"),
    ("smallint", 21, "-7", "fff9"),
    ("integer", 23, "2147483647", "7fffffff"),
    ("bigint", 20, "-9223372036854775808", "8000000000000000"),
    ("real", 700, "1.5", "3fc00000"),
    ("double precision", 701, "-0.1", "bfb999999999999a"),
    ("text", 25, "größe", "6772c3b6c39f65"),
    ("varchar", 1043, "", ""),
    ("bytea", 17, r"\xdeadbeef", "deadbeef"),
    ("date", 1082, "2024-02-29", "00002279"),
    ("date", 1082, "1999-12-31", "ffffffff"),
    ("time", 1083, "23:59:59.999999", "000000141dd75fff"),
    ("timestamp", 1114, "2024-02-29 12:34:56.789", "0002b58341728608"),
    ("timestamptz", 1184, "1969-12-31 23:59:59.5+00", "fffca2fec4c07ee0"),
    ("interval", 1186, "1 year 2 mons 3 days 04:05:06.7", "000000036c966ee0000000030000000e"),
    ("uuid", 2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"),
    ("json", 114, r#"{"a": [1, null]}"#, "7b2261223a205b312c206e756c6c5d7d"),
    ("jsonb", 3802, r#"{"a": [1, null]}"#, "017b2261223a205b312c206e756c6c5d7d"),
    (
        "integer[]",
        1007,
        "{1,NULL,3}",
        "00000001000000010000001700000003000000010000000400000001ffffffff0000000400000003",
    ),
    (
        "text[]",
        1009,
        r#"{plain,"with space",NULL,""}"#,
        "000000010000000100000019000000040000000100000005706c61696e0000000a77697468207370616365ffffffff00000000",
    ),
    ("bigint[]", 1016, "{}", "000000000000000000000014"),
];

/// Numerics come back with the scale of their home, so their text is compared without trailing zeros.
const NUMERICS: &[(&str, &str)] = &[
    ("-12345.6700", "0003000140000004000109291a2c"),
    ("0.00000001", "0001fffe000000080001"),
    ("12345678901234567890", "000500040000000004d2162e23340d801ed2"),
    ("0", "0000000000000000"),
];

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [(TEXT, TEXT), (TEXT, BINARY), (BINARY, TEXT), (BINARY, BINARY)]
        .into_iter()
        .map(|(input, output)| {
            let word = |format| if format == TEXT { "text" } else { "binary" };
            trial(format!("values::{}_to_{}", word(input), word(output)), move || round_trip(input, output))
        })
        .collect();
    trials.push(trial("values::numeric", numeric));
    trials.push(trial("values::null", null));
    trials.push(trial("values::wrong_bytes", wrong_bytes));
    trials.push(trial("values::inferred", inferred));
    trials
}

/// Sends a value of a declared type and asks for it back; returns the column's type OID and the bytes.
async fn echo(
    raw: &mut Raw,
    oid: i32,
    input: i16,
    value: Option<&[u8]>,
    output: i16,
) -> Outcome<(i32, Option<Vec<u8>>)> {
    let answer = raw
        .ask(&[
            parse("", "SELECT $1 AS v", &[oid]),
            bind("", "", input, &[value], output),
            describe('P', ""),
            execute("", 0),
            sync(),
        ])
        .await?;
    if let Some(error) = answer.iter().find(|m| m.kind == 'E') {
        return Err(format!("type {oid}: {:?}", error.fields()).into());
    }
    let column = first(&answer, 'T')?.columns().remove(0);
    same("name", column.0.as_str(), "v")?;
    Ok((column.1, first(&answer, 'D')?.values().remove(0)))
}

async fn round_trip(input: i16, output: i16) -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[("TimeZone", "UTC")]).await?;
    for (name, oid, text, hexadecimal) in VALUES {
        let bytes = |format| if format == TEXT { text.as_bytes().to_vec() } else { from_hexadecimal(hexadecimal) };
        let (column, value) = echo(&mut raw, *oid, input, Some(&bytes(input)), output).await?;
        // varchar without a length is text to everybody.
        ensure(column == *oid || (*oid == 1043 && column == 25), format_args!("{name}: came back as type {column}"))?;
        ensure(value.as_deref() == Some(&bytes(output)[..]), format_args!("{name} {text}: came back as {value:?}"))?;
    }
    drop(raw);
    served.stop().await
}

async fn numeric() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for (text, hexadecimal) in NUMERICS {
        for (format, bytes) in [(TEXT, text.as_bytes().to_vec()), (BINARY, from_hexadecimal(hexadecimal))] {
            let (column, value) = echo(&mut raw, 1700, format, Some(&bytes), TEXT).await?;
            same("type", column, 1700)?;
            let value = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
            same("numeric", trimmed(&value), trimmed(text))?;
        }
    }
    drop(raw);
    served.stop().await
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

async fn null() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for oid in VALUES.iter().map(|v| v.1).chain([1700]) {
        for output in [TEXT, BINARY] {
            same("null", echo(&mut raw, oid, BINARY, None, output).await?.1, None::<Vec<u8>>)?;
        }
    }
    // A null among others shifts nobody.
    let answer = raw
        .ask(&[
            parse("", "SELECT $1::text, $2::text, $3::text", &[]),
            bind("", "", TEXT, &[None, Some(b"two"), Some(b"three")], TEXT),
            execute("", 0),
            sync(),
        ])
        .await?;
    let row = first(&answer, 'D')?.values();
    same("row", row, vec![None, Some(b"two".to_vec()), Some(b"three".to_vec())])?;
    drop(raw);
    served.stop().await
}

/// Bytes that are no value of their type are an error of the statement, and the connection goes on.
async fn wrong_bytes() -> Outcome {
    let served = Served::start().await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    let wrong: [(i32, i16, &[u8], &str); 6] = [
        (23, BINARY, &[0, 0, 1], "08P01 22P03"),
        (23, TEXT, b"twelve", "22P02"),
        (2950, TEXT, b"not-a-uuid", "22P02"),
        (1082, TEXT, b"soon", "22007"),
        (25, TEXT, &[0xff, 0xfe], "22021"),
        (1007, BINARY, &[0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff], "22P03"),
    ];
    for (oid, format, bytes, sqlstate) in wrong {
        let answer = raw
            .ask(&[parse("", "SELECT $1", &[oid]), bind("", "", format, &[Some(bytes)], TEXT), execute("", 0), sync()])
            .await?;
        let error = first(&answer, 'E')?.fields();
        let known = error.get(&'C').is_some_and(|state| sqlstate.contains(state.as_str()));
        ensure(known, format_args!("type {oid}: expected {sqlstate}, got {error:?}"))?;
    }
    same("afterwards", echo(&mut raw, 23, TEXT, Some(b"1"), TEXT).await?.1, Some(b"1".to_vec()))?;
    drop(raw);
    served.stop().await
}

/// A parameter without a declared type gets it from its place in the statement.
async fn inferred() -> Outcome {
    let served = Served::start().await?;
    let client = served.connect().await?;
    client.batch_execute("CREATE TABLE t (id bigint, name text, day date, price numeric(10,2))").await?;
    let mut raw = Raw::connect(served.port, &[]).await?;
    for (sql, types) in [
        ("SELECT name FROM t WHERE id = $1", vec![20]),
        ("SELECT name FROM t WHERE name = $1 AND day >= $2", vec![25, 1082]),
        ("INSERT INTO t VALUES ($1, $2, $3, $4)", vec![20, 25, 1082, 1700]),
        ("SELECT $1::integer + 1", vec![23]),
        ("SELECT name FROM t WHERE id IN ($1, $2)", vec![20, 20]),
        ("SELECT name FROM t LIMIT $1", vec![20]),
        ("SELECT $2::text, $1::integer", vec![23, 25]),
    ] {
        let answer = raw.ask(&[parse("", sql, &[]), describe('S', ""), sync()]).await?;
        same(sql, first(&answer, 't')?.parameter_types(), types)?;
    }
    drop((raw, client));
    served.stop().await
}

fn from_hexadecimal(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap_or_else(|e| panic!("{digits}: {e}")))
        .collect()
}
