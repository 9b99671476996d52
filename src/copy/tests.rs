//! The formats by themselves: PostgreSQL's rules case by case, chunks cut anywhere, and bytes that mean nothing.

use catalog::types::PgType;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::encoding::{self, Encoding};
use super::options::CopyFormat;
use super::{CopyOption, CopyValue, Decoder, Options, Target};
use crate::error::Error;
use crate::values::encode::{Format, Formatting, RowEncoder, Zone};

type Rows = Vec<Vec<Option<String>>>;

fn option(name: &str, value: &str) -> CopyOption {
    let value = if value.is_empty() { CopyValue::None } else { CopyValue::Text(value.to_owned()) };
    CopyOption { name: name.to_owned(), value, position: 7 }
}

fn options(given: &[(&str, &str)]) -> Options {
    let given: Vec<CopyOption> = given.iter().map(|(name, value)| option(name, value)).collect();
    Options::new(&given, true).unwrap()
}

fn refused(given: &[(&str, &str)]) -> (&'static str, String) {
    let given: Vec<CopyOption> = given.iter().map(|(name, value)| option(name, value)).collect();
    let error = Options::new(&given, true).unwrap_err();
    (error.sqlstate.0, error.message)
}

fn target(columns: &[(&str, PgType)]) -> Target {
    let columns = columns.iter().map(|(name, pg)| ((*name).to_owned(), pg.clone(), false)).collect();
    Target { table: "t".to_owned(), columns, unfilled: None, zone: Zone::utc() }
}

/// Two columns of text.
fn texts() -> Target {
    target(&[("a", PgType::Text), ("b", PgType::Text)])
}

/// Everything a decoder makes of these chunks.
fn decode(options: &Options, target: &Target, chunks: &[&[u8]]) -> Result<Rows, Error> {
    let mut decoder = Decoder::new(options, target, None)?;
    let mut rows = Vec::new();
    let mut take = |decoder: &mut Decoder| -> Result<(), Error> {
        while let Some(batch) = decoder.next()? {
            let encoder = RowEncoder::try_new(&batch.schema(), &[Format::Text], Formatting::default())?;
            let values = encoder.batch(&batch)?;
            for row in 0..batch.num_rows() {
                let mut cells = Vec::new();
                for column in 0..batch.num_columns() {
                    let mut out = bytes::BytesMut::new();
                    let some = values.value(column, row, &mut out)?;
                    cells.push(some.then(|| String::from_utf8(out.to_vec()).unwrap()));
                }
                rows.push(cells);
            }
        }
        Ok(())
    };
    for chunk in chunks {
        decoder.push(chunk, false);
        take(&mut decoder)?;
    }
    decoder.push(&[], true);
    take(&mut decoder)?;
    Ok(rows)
}

fn cells(rows: &[&[Option<&str>]]) -> Rows {
    rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect()
}

fn fault(options: &Options, target: &Target, data: &[u8]) -> (&'static str, String, String) {
    let error = decode(options, target, &[data]).unwrap_err();
    (error.sqlstate.0, error.message, error.context.map(|context| *context).unwrap_or_default())
}

#[test]
fn text_has_its_escapes() {
    let plain = options(&[]);
    let data = b"a\\tb\t\\N\n\\x41\\101\\\\\t\\\\N\n\t\\q\\\nr\n\\.\nnot read";
    let rows = decode(&plain, &texts(), &[data]).unwrap();
    let want: [&[Option<&str>]; 3] = [&[Some("a\tb"), None], &[Some("AA\\"), Some("\\N")], &[Some(""), Some("q\nr")]];
    assert_eq!(rows, cells(&want));
}

#[test]
fn csv_tells_quoted_from_unquoted() {
    let csv = options(&[("format", "csv")]);
    let data = b"a,\n\"\",\"x\"\"y\nz\"\n\"\"\"\",b\"c,\"d\n";
    let rows = decode(&csv, &texts(), &[data]).unwrap();
    let want: [&[Option<&str>]; 3] = [&[Some("a"), None], &[Some(""), Some("x\"y\nz")], &[Some("\""), Some("bc,d")]];
    assert_eq!(rows, cells(&want));
    let other = options(&[("format", "csv"), ("quote", "'"), ("escape", "\\"), ("delimiter", ";"), ("null", "nil")]);
    let rows = decode(&other, &texts(), &[b"nil;'nil'\n'it\\'s';'\\\\'\n"]).unwrap();
    assert_eq!(rows, cells(&[&[None, Some("nil")], &[Some("it's"), Some("\\")]]));
}

#[test]
fn line_breaks_are_of_one_kind() {
    let (text, csv) = (options(&[]), options(&[("format", "csv")]));
    let two = cells(&[&[Some("a"), Some("b")], &[Some("c"), Some("d")]]);
    for data in ["a\tb\nc\td\n", "a\tb\r\nc\td\r\n", "a\tb\rc\td\r", "a\tb\nc\td"] {
        assert_eq!(decode(&text, &texts(), &[data.as_bytes()]).unwrap(), two, "{data:?}");
    }
    for (options, data, message) in [
        (&text, "a\tb\nc\rd\td\n", "literal carriage return found in data"),
        (&text, "a\tb\r\nc\nd\n", "literal newline found in data"),
        (&csv, "a,b\nc\rd,d\n", "unquoted carriage return found in data"),
        (&csv, "a,b\r\nc\nd\n", "unquoted newline found in data"),
        (&text, "a\tb\n\\.x\n", "end-of-copy marker corrupt"),
        (&text, "a\tb\n\\.\r\n", "end-of-copy marker does not match previous newline style"),
    ] {
        let (state, text, context) = fault(options, &texts(), data.as_bytes());
        assert_eq!((state, text.as_str(), context.as_str()), ("22P04", message, "COPY t, line 2"), "{data:?}");
    }
    let ended = decode(&csv, &texts(), &[b"a,b\nc,d\n\\.\nnot read"]).unwrap();
    assert_eq!(ended, two);
    let one = target(&[("a", PgType::Text)]);
    assert_eq!(decode(&csv, &one, &[b"\\.x\n"]).unwrap(), cells(&[&[Some("\\.x")]]));
}

#[test]
fn faults_say_where_they_are() {
    let (text, csv) = (options(&[]), options(&[("format", "csv")]));
    let numbers = target(&[("id", PgType::Integer), ("amount", PgType::Numeric(5, 2))]);
    let check = |options: &Options, data: &str, state: &str, message: &str, context: &str| {
        let found = fault(options, &numbers, data.as_bytes());
        assert_eq!((found.0, found.1.as_str(), found.2.as_str()), (state, message, context), "{data:?}");
    };
    check(
        &text,
        "1\t2\n3\tabc\n",
        "22P02",
        "invalid input syntax for type numeric: \"abc\"",
        "COPY t, line 2, column amount: \"abc\"",
    );
    check(&text, "1\t1000\n", "22003", "numeric field overflow", "COPY t, line 1, column amount: \"1000\"");
    check(&text, "1\n", "22P04", "missing data for column \"amount\"", "COPY t, line 1: \"1\"");
    check(&text, "1\t2\t3\n", "22P04", "extra data after last expected column", "COPY t, line 1: \"1\t2\t3\"");
    check(&csv, "1,\"2\n", "22P04", "unterminated CSV quoted field", "COPY t, line 1: \"1,\"2\n\"");
    let long = "x".repeat(150);
    let message = format!("invalid input syntax for type integer: \"{long}\"");
    let context = format!("COPY t, line 1, column id: \"{}...\"", "x".repeat(100));
    check(&text, &format!("{long}\t1\n"), "22P02", &message, &context);
    let found = fault(&text, &texts(), b"a\tb\nc\t\xff\n");
    assert_eq!(found.0, "22021");
    assert_eq!(
        (found.1.as_str(), found.2.as_str()),
        ("invalid byte sequence for encoding \"UTF8\": 0xff", "COPY t, line 2")
    );
    assert_eq!(fault(&text, &texts(), b"a\t\\xff\n").0, "22021", "an escape can't make what is no text");
    assert_eq!(fault(&text, &texts(), b"a\t\\0\n").0, "22021");
    let strict = Target { columns: vec![("a".to_owned(), PgType::Varchar(Some(3)), true)], ..texts() };
    assert_eq!(fault(&text, &strict, b"\\N\n").0, "23502");
    assert_eq!(fault(&text, &strict, b"abcd\n").0, "22001");
    assert_eq!(decode(&text, &strict, &[b"abc \n"]).unwrap(), cells(&[&[Some("abc")]]));
}

#[test]
fn headers_are_skipped_or_compared() {
    let skipped = options(&[("format", "csv"), ("header", "")]);
    assert_eq!(decode(&skipped, &texts(), &[b"x,y,z\n1,2\n"]).unwrap(), cells(&[&[Some("1"), Some("2")]]));
    let compared = options(&[("format", "csv"), ("header", "match")]);
    assert_eq!(decode(&compared, &texts(), &[b"a,b\n1,2\n"]).unwrap(), cells(&[&[Some("1"), Some("2")]]));
    let message = |data: &[u8]| fault(&compared, &texts(), data).1;
    assert_eq!(message(b"a\n"), "wrong number of fields in header line: got 1, expected 2");
    assert_eq!(message(b"a,c\n"), "column name mismatch in header line field 2: got \"c\", expected \"b\"");
    assert_eq!(message(b"a,\n"), "column name mismatch in header line field 2: got null value (\"\"), expected \"b\"");
}

#[test]
fn numbers_and_moments_are_read_alike_by_both_ways() {
    let text = options(&[]);
    let columns = target(&[
        ("n", PgType::Numeric(6, 2)),
        ("d", PgType::Date),
        ("s", PgType::Timestamp),
        ("z", PgType::Timestamptz),
        ("i", PgType::SmallInt),
    ]);
    let data = "12.5\t2024-02-29\t2024-02-29 23:59:59.5\t2024-02-29 23:59:59+02\t-7\n\
                1.25e1\t20240229\t2024-02-29T23:59:59.500000\t2024-02-29 21:59:59Z\t +7\n\
                -0.005\t0001-01-01\t1969-12-31 23:59:59.999999\t2024-03-01 00:29:59+02:30\t32767\n";
    let rows = decode(&text, &columns, &[data.as_bytes()]).unwrap();
    let moment = Some("2024-02-29 21:59:59+00");
    let want: [&[Option<&str>]; 3] = [
        &[Some("12.50"), Some("2024-02-29"), Some("2024-02-29 23:59:59.5"), moment, Some("-7")],
        &[Some("12.50"), Some("2024-02-29"), Some("2024-02-29 23:59:59.5"), moment, Some("7")],
        &[Some("-0.01"), Some("0001-01-01"), Some("1969-12-31 23:59:59.999999"), moment, Some("32767")],
    ];
    assert_eq!(rows, cells(&want));
    for (column, value) in [(0, "9999.995"), (1, "2023-02-29"), (2, "2024-01-01 24:00:01"), (4, "32768")] {
        let mut fields = vec!["\\N"; 5];
        fields[column] = value;
        let line = format!("{}\n", fields.join("\t"));
        assert!(decode(&text, &columns, &[line.as_bytes()]).is_err(), "{value}");
    }
}

#[test]
fn character_sets() {
    let latin = options(&[("encoding", "latin1")]);
    assert_eq!(decode(&latin, &texts(), &[b"\xe9\x80\tb\n"]).unwrap(), cells(&[&[Some("é\u{80}"), Some("b")]]));
    let windows = options(&[("encoding", "WIN-1252")]);
    assert_eq!(decode(&windows, &texts(), &[b"\x80\tb\n"]).unwrap(), cells(&[&[Some("€"), Some("b")]]));
    let (state, message, context) = fault(&windows, &texts(), b"a\tb\n\x81\tb\n");
    assert_eq!((state, context.as_str()), ("22P05", "COPY t, line 2"));
    assert!(message.starts_with("character with byte sequence 0x81 in encoding \"WIN1252\""), "{message}");
    // The second byte of this character is a backslash.
    let shift = options(&[("encoding", "sjis")]);
    assert_eq!(decode(&shift, &texts(), &[b"\x95", b"\x5c\tb\n"]).unwrap(), cells(&[&[Some("表"), Some("b")]]));
    let nine = Encoding::named("iso_8859-15").unwrap().unwrap();
    assert_eq!(nine.encode("€é".as_bytes()).unwrap().as_ref(), b"\xa4\xe9");
    let lacking = nine.encode("表".as_bytes()).unwrap_err();
    assert_eq!(lacking.sqlstate.0, "22P05");
    assert!(lacking.message.contains("0xe8 0xa1 0xa8 in encoding \"UTF8\" has no equivalent in encoding \"LATIN9\""));
    assert_eq!(Encoding::named("nonsense").unwrap(), None);
    assert_eq!(encoding::not_utf8(b"ab\xe9x").message, "invalid byte sequence for encoding \"UTF8\": 0xe9 0x78");
}

#[test]
fn options_are_checked_as_postgresql_does() {
    let cases: [(&[(&str, &str)], &str, &str); 14] = [
        (&[("format", "xml")], "22023", "COPY format \"xml\" not recognized"),
        (&[("nonsense", "1")], "42601", "option \"nonsense\" not recognized"),
        (&[("null", "a"), ("null", "b")], "42601", "conflicting or redundant options"),
        (&[("format", "binary"), ("delimiter", ",")], "42601", "cannot specify DELIMITER in BINARY mode"),
        (&[("format", "binary"), ("null", "x")], "42601", "cannot specify NULL in BINARY mode"),
        (&[("delimiter", "ab")], "0A000", "COPY delimiter must be a single one-byte character"),
        (&[("delimiter", "\n")], "22023", "COPY delimiter cannot be newline or carriage return"),
        (&[("delimiter", "a")], "22023", "COPY delimiter cannot be \"a\""),
        (&[("quote", "'")], "0A000", "COPY quote available only in CSV mode"),
        (&[("format", "csv"), ("quote", ",")], "22023", "COPY delimiter and quote must be different"),
        (&[("null", "a\tb")], "0A000", "COPY delimiter must not appear in the NULL specification"),
        (&[("encoding", "klingon")], "22023", "argument to option \"encoding\" must be a valid encoding name"),
        (&[("header", "maybe")], "42601", "header requires a Boolean value or \"match\""),
        (&[("force_null", "a")], "22023", "argument to option \"force_null\" must be a list of column names"),
    ];
    for (given, state, message) in cases {
        assert_eq!(refused(given), (state, message.to_owned()), "{given:?}");
    }
}

#[test]
fn json_values_keep_their_spelling() {
    let json = options(&[("format", "json")]);
    let columns = target(&[
        ("n", PgType::Numeric(38, 20)),
        ("j", PgType::Json),
        ("a", PgType::Array(Box::new(PgType::Text))),
        ("t", PgType::Text),
    ]);
    let data = br#"{"n": 123456789012345678.12345678901234567890, "j": {"b": [1, "x"]}, "a": ["x\"y", null, "a,b"]}

{"t":"tab\tquote\"\u00e9","j":"s","n":null}
"#;
    let rows = decode(&json, &columns, &[data]).unwrap();
    let want: [&[Option<&str>]; 2] = [
        &[
            Some("123456789012345678.12345678901234567890"),
            Some(r#"{"b": [1, "x"]}"#),
            Some(r#"{"x\"y",NULL,"a,b"}"#),
            None,
        ],
        &[None, Some("\"s\""), None, Some("tab\tquote\"é")],
    ];
    assert_eq!(rows, cells(&want));
    for (data, state) in [("{\"x\":1}", "22P04"), ("[1]", "22P02"), ("{\"n\":1,\"n\":2}", "22P04"), ("{", "22P02")] {
        assert_eq!(fault(&json, &columns, data.as_bytes()).0, state, "{data}");
    }
}

fn binary(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
    let mut file = super::binary::SIGNATURE.to_vec();
    file.extend([0; 8]);
    for row in rows {
        file.extend((row.len() as i16).to_be_bytes());
        for field in *row {
            file.extend(field.map_or(-1, |field| field.len() as i32).to_be_bytes());
            file.extend(field.unwrap_or_default());
        }
    }
    file.extend((-1i16).to_be_bytes());
    file
}

#[test]
fn binary_is_held_against_its_header_and_lengths() {
    let options = options(&[("format", "binary")]);
    let columns = target(&[("i", PgType::Integer), ("t", PgType::Text)]);
    let whole = binary(&[&[Some(&[0, 0, 0, 7]), Some(b"x")], &[None, None]]);
    assert_eq!(decode(&options, &columns, &[&whole]).unwrap(), cells(&[&[Some("7"), Some("x")], &[None, None]]));
    let message = |data: &[u8]| fault(&options, &columns, data);
    assert_eq!(message(b"").1, "COPY file signature not recognized");
    assert_eq!(message(b"PGCOPY\n\xff\r\n\x00\x00").1, "invalid COPY file header (missing flags)");
    assert_eq!(message(&whole[..25]).1, "unexpected EOF in COPY data");
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(message(&longer).1, "received copy data after EOF marker");
    let short = binary(&[&[Some(&[0, 7]), None]]);
    assert_eq!(message(&short).0, "22P03");
    assert_eq!(message(&short).2, "COPY t, line 1, column i");
    assert_eq!(message(&binary(&[&[None]])).1, "row field count is 1, expected 2");
}

/// Some of everything that means something to one of the formats.
fn noise(random: &mut StdRng, format: CopyFormat) -> Vec<u8> {
    const PIECES: [&[u8]; 20] = [
        b"\n",
        b"\r",
        b"\r\n",
        b"\\",
        b"\\.",
        b"\\N",
        b"\"",
        b"\"\"",
        b",",
        b"\t",
        b"{",
        b"}",
        b"1",
        b"\"a\":",
        b"x",
        b"\\x4",
        b"\\7",
        b"\xc3\xa9",
        b"\xff",
        b"\0",
    ];
    let mut data = match format {
        CopyFormat::Binary if random.random_bool(0.9) => binary(&[&[None, Some(b"abcd")]]),
        _ => Vec::new(),
    };
    for _ in 0..random.random_range(0..40) {
        data.extend_from_slice(PIECES[random.random_range(0..PIECES.len())]);
    }
    if format == CopyFormat::Binary {
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..=data.len());
            data.insert(at, random.random());
        }
    }
    data
}

#[test]
fn chunks_may_be_cut_anywhere_and_noise_is_no_panic() {
    let mut random = StdRng::seed_from_u64(20_261_122);
    let every = [
        vec![("format", "text")],
        vec![("format", "csv")],
        vec![("format", "csv"), ("escape", "\\"), ("header", "match")],
        vec![("format", "binary")],
        vec![("format", "json")],
        vec![("format", "csv"), ("encoding", "sjis")],
        vec![("format", "text"), ("encoding", "latin1")],
    ];
    let mut read = 0;
    for round in 0..3000 {
        let options = options(&every[round % every.len()]);
        let target = if round % 2 == 0 { texts() } else { target(&[("a", PgType::Text)]) };
        let data = noise(&mut random, options.format);
        // The words may differ: how much of a line is repeated depends on how much has come.
        let decode = |chunks: &[&[u8]]| decode(&options, &target, chunks).map_err(|e| e.sqlstate);
        let whole = decode(&[&data]);
        read += usize::from(whole.as_ref().is_ok_and(|rows| !rows.is_empty()));
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        assert_eq!(decode(&bytes), whole, "{data:?} byte by byte");
        if round < 400 {
            for at in 0..=data.len() {
                let (a, b) = data.split_at(at);
                assert_eq!(decode(&[a, b]), whole, "{data:?} cut at {at}");
            }
        }
    }
    assert!(read > 20, "of all the noise only {read} were rows");
}
