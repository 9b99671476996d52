//! Parameters in both forms, against what PostgreSQL's input and receive functions take.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{
    Decimal128Type, Int32Type, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType, i256,
};

use super::*;

fn given(text: &str, oid: u32) -> Result<ScalarValue> {
    decode(Some(text.as_bytes()), false, oid, &Field::new("", DataType::Null, true), Zone::utc())
}

fn sent(hex: &str, oid: u32) -> Result<ScalarValue> {
    let hex: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes: Vec<u8> =
        hex.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect();
    decode(Some(&bytes), true, oid, &Field::new("", DataType::Null, true), Zone::utc())
}

fn refused(result: Result<ScalarValue>) -> (&'static str, String) {
    let error = result.err().unwrap();
    (error.sqlstate.0, error.message)
}

fn string(text: &str) -> ScalarValue {
    ScalarValue::Utf8View(Some(text.to_string()))
}

fn decimal(value: i128, precision: u8, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(Some(value), precision, scale)
}

#[test]
fn integers() {
    assert_eq!(given(" 12\n", oid::INT4).unwrap(), ScalarValue::Int32(Some(12)));
    assert_eq!(given("-32768", oid::INT2).unwrap(), ScalarValue::Int16(Some(i16::MIN)));
    assert_eq!(given("+5", oid::INT8).unwrap(), ScalarValue::Int64(Some(5)));
    assert_eq!(given("4294967295", oid::OID).unwrap(), ScalarValue::Int64(Some(4_294_967_295)));
    assert_eq!(sent("ffff", oid::INT2).unwrap(), ScalarValue::Int16(Some(-1)));
    assert_eq!(sent("ffffffff", oid::OID).unwrap(), ScalarValue::Int64(Some(4_294_967_295)));
    for wrong in ["abc", "", "1.5", "+", "--1", "1 2"] {
        let expected = format!("invalid input syntax for type integer: \"{wrong}\"");
        assert_eq!(refused(given(wrong, oid::INT4)), ("22P02", expected));
    }
    let expected = "value \"99999999999\" is out of range for type integer".to_string();
    assert_eq!(refused(given("99999999999", oid::INT4)), ("22003", expected));
    assert_eq!(refused(given("9223372036854775808", oid::INT8)).0, "22003");
    let expected = "incorrect binary data format for type integer".to_string();
    assert_eq!(refused(sent("0001", oid::INT4)), ("22P03", expected));
}

#[test]
fn floats_and_booleans() {
    assert_eq!(given(" 1.5 ", oid::FLOAT8).unwrap(), ScalarValue::Float64(Some(1.5)));
    assert_eq!(given("-inf", oid::FLOAT4).unwrap(), ScalarValue::Float32(Some(f32::NEG_INFINITY)));
    assert_eq!(refused(given("1e400", oid::FLOAT8)).0, "22003");
    assert_eq!(refused(given("1e-400", oid::FLOAT8)).0, "22003");
    assert_eq!(refused(given("1e39", oid::FLOAT4)).0, "22003");
    assert_eq!(refused(given("one", oid::FLOAT8)).0, "22P02");
    for (word, value) in [(" on", true), ("of", false), ("T", true), ("ye", true), ("0", false)] {
        assert_eq!(given(word, oid::BOOL).unwrap(), ScalarValue::Boolean(Some(value)), "{word}");
    }
    assert_eq!(refused(given("o", oid::BOOL)).0, "22P02");
    assert_eq!(refused(given("", oid::BOOL)).0, "22P02");
}

#[test]
fn numerics_keep_their_scale() {
    for (text, value) in [
        ("1.50", decimal(150, 3, 2)),
        ("-0.001", decimal(-1, 3, 3)),
        ("1e5", decimal(100_000, 6, 0)),
        ("1.50e1", decimal(150, 3, 1)),
        (" .5 ", decimal(5, 1, 1)),
        ("5.", decimal(5, 1, 0)),
        ("0", decimal(0, 1, 0)),
        ("0e99", decimal(0, 1, 0)),
    ] {
        assert_eq!(given(text, oid::NUMERIC).unwrap(), value, "{text}");
    }
    let wide = given(&"9".repeat(39), oid::NUMERIC).unwrap();
    assert_eq!(wide, ScalarValue::Decimal256(i256::from_string(&"9".repeat(39)), 39, 0));
    for wrong in ["", ".", "1e", "1x", "NaN", "-Infinity", "1e1.5"] {
        assert_eq!(refused(given(wrong, oid::NUMERIC)).0, "22P02", "{wrong}");
    }
    for large in ["1e76", "1e-77", "1e99999999999", &"9".repeat(77)] {
        assert_eq!(refused(given(large, oid::NUMERIC)).0, "22003", "{large}");
    }
}

#[test]
fn numerics_in_binary() {
    for (hex, value) in [
        ("0002 0000 0000 0002 007b 1194", decimal(12_345, 5, 2)),
        ("0001 fffe 4000 0005 03e8", decimal(-1, 5, 5)),
        ("0000 0000 0000 0002", decimal(0, 2, 2)),
        ("0001 0002 0000 0000 0001", decimal(100_000_000, 9, 0)),
        ("0005 0004 0000 0000 0734 1a58 02e1 03bb 064f", decimal(u64::MAX.into(), 20, 0)),
    ] {
        assert_eq!(sent(hex, oid::NUMERIC).unwrap(), value, "{hex}");
    }
    assert_eq!(refused(sent("0000 0000 c000 0000", oid::NUMERIC)).0, "22P02");
    assert_eq!(refused(sent("0001 7fff 0000 0000 0001", oid::NUMERIC)).0, "22003");
    for wrong in ["0001 0000 0000 0000", "0001 0000 0000 0000 2710", "0000 0000 1234 0000", "00"] {
        assert_eq!(refused(sent(wrong, oid::NUMERIC)).0, "22P03", "{wrong}");
    }
}

#[test]
fn dates_and_times() {
    for (text, days) in [
        ("2000-01-01", 10_957),
        ("2020/1/2", 18_263),
        ("20200229", 18_321),
        ("0044-03-15 BC", -735_160),
        ("2020-01-02 10:00:00", 18_263),
    ] {
        assert_eq!(given(text, oid::DATE).unwrap(), ScalarValue::Date32(Some(days)), "{text}");
    }
    assert_eq!(sent("ffffffff", oid::DATE).unwrap(), ScalarValue::Date32(Some(10_956)));
    for (text, micros) in [
        ("24:00:00", 86_400_000_000),
        ("235959.5", 86_399_500_000),
        ("04:05", 14_700_000_000),
        ("04:05:06-08", 14_706_000_000),
    ] {
        assert_eq!(given(text, oid::TIME).unwrap(), ScalarValue::Time64Microsecond(Some(micros)), "{text}");
    }
    for (text, sqlstate) in [
        ("abc", "22007"),
        ("01/02/2020", "22007"),
        ("2020-01", "22007"),
        ("2020-13-01", "22008"),
        ("2020-02-30", "22008"),
        ("0000-01-01", "22008"),
        ("infinity", "22008"),
        ("5000-01-01 BC", "22008"),
    ] {
        assert_eq!(refused(given(text, oid::DATE)).0, sqlstate, "{text}");
    }
    assert_eq!(refused(sent("7fffffff", oid::DATE)).0, "22008");
    assert_eq!(refused(given("25:00", oid::TIME)).0, "22008");
}

#[test]
fn timestamps() {
    let local = |micros| ScalarValue::TimestampMicrosecond(Some(micros), None);
    let instant = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    const NEW_YEAR: i64 = 1_577_836_800_000_000;
    for (text, micros) in [
        ("2020-01-01", NEW_YEAR),
        ("2020-01-01 00:00:00+01", NEW_YEAR),
        ("2020-01-01 00:00:00.9999999", NEW_YEAR + 1_000_000),
        ("2020-01-01 00:00:00.0000015", NEW_YEAR + 2),
        ("20200101T000001", NEW_YEAR + 1_000_000),
    ] {
        assert_eq!(given(text, oid::TIMESTAMP).unwrap(), local(micros), "{text}");
    }
    const HOUR: i64 = 3_600_000_000;
    for (text, micros) in [
        ("2020-01-01T00:00:00Z", NEW_YEAR),
        ("2020-01-01 00:00:00", NEW_YEAR),
        ("2020-01-01 00:00:00+0530", NEW_YEAR - 11 * HOUR / 2),
        ("2020-01-01 00:00 america/new_york", NEW_YEAR + 5 * HOUR),
        ("2020-01-01 00:00 EST", NEW_YEAR + 5 * HOUR),
        ("2020-01-01 00:00+01:30:15", NEW_YEAR - HOUR * 3 / 2 - 15_000_000),
    ] {
        assert_eq!(given(text, oid::TIMESTAMPTZ).unwrap(), instant(micros), "{text}");
    }
    let zone = Zone::parse("America/New_York").unwrap();
    let target = Field::new("", DataType::Timestamp(TimeUnit::Nanosecond, None), true);
    let in_session = decode(Some(b"2020-07-01 00:00"), false, oid::TIMESTAMPTZ, &target, zone).unwrap();
    assert_eq!(in_session, instant(1_593_576_000_000_000));
    assert_eq!(sent("00000000000f4240", oid::TIMESTAMP).unwrap(), local(946_684_801_000_000));
    assert_eq!(refused(sent("7fffffffffffffff", oid::TIMESTAMPTZ)).0, "22008");
    assert_eq!(refused(given("300000-01-01", oid::TIMESTAMP)).0, "22008");
    assert_eq!(refused(given("2020-01-01 25:00", oid::TIMESTAMP)).0, "22008");
    let expected = "invalid input syntax for type timestamp with time zone: \"2020-01-01 00:00 Mars\"".to_string();
    assert_eq!(refused(given("2020-01-01 00:00 Mars", oid::TIMESTAMPTZ)), ("22007", expected));
}

#[test]
fn intervals() {
    const SECOND: i64 = 1_000_000_000;
    let value =
        |months, days, nanos| ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos)));
    for (text, months, days, nanos) in [
        ("1 year 2 mons 3 days 04:05:06.789", 14, 3, 14_706 * SECOND + 789_000_000),
        ("1-2", 14, 0, 0),
        ("-1-2", -14, 0, 0),
        ("3 4:05:06", 0, 3, 14_706 * SECOND),
        ("P1Y2M3DT4H5M6.789S", 14, 3, 14_706 * SECOND + 789_000_000),
        ("P-1.5M", -1, -15, 0),
        ("@ 1 day 2 hours ago", 0, -1, -7200 * SECOND),
        ("-1 day +02:03:04", 0, -1, 7384 * SECOND),
        ("5", 0, 0, 5 * SECOND),
        ("1h 5m", 0, 0, 3900 * SECOND),
        ("04:05.6", 0, 0, 245 * SECOND + 600_000_000),
        ("1.5 years", 18, 0, 0),
        ("2.555 months", 2, 16, 56_160 * SECOND),
        ("1.5 weeks", 0, 10, 43_200 * SECOND),
        ("- 1 day", 0, -1, 0),
    ] {
        assert_eq!(given(text, oid::INTERVAL).unwrap(), value(months, days, nanos), "{text}");
    }
    let binary = sent("00000001b81ee600 ffffffff 00000002", oid::INTERVAL).unwrap();
    assert_eq!(binary, value(2, -1, 7384 * SECOND));
    for wrong in ["", "abc", "1 2", "1 day 1 day", "1e3 s", "1.5-2", "1 month 2-3", "P", "1:02:03:04"] {
        assert_eq!(refused(given(wrong, oid::INTERVAL)).0, "22007", "{wrong}");
    }
    for large in ["3000000000 days", "1-13", "1:60", "9223372036854775808 s", "9223372037 s"] {
        assert_eq!(refused(given(large, oid::INTERVAL)).0, "22008", "{large}");
    }
}

#[test]
fn strings_and_their_kin() {
    assert_eq!(given("é", oid::VARCHAR).unwrap(), string("é"));
    assert_eq!(refused(sent("ff", oid::TEXT)).0, "22021");
    assert_eq!(refused(sent("6100", oid::TEXT)).0, "22021");
    let canonical = string("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    assert_eq!(given("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", oid::UUID).unwrap(), canonical);
    assert_eq!(sent("a0eebc999c0b4ef8bb6d6bb9bd380a11", oid::UUID).unwrap(), canonical);
    assert_eq!(refused(sent("a0", oid::UUID)).0, "22P03");
    assert_eq!(refused(given("xyz", oid::UUID)).0, "22P02");
    assert_eq!(given("{\"a\": 1.10}", oid::JSON).unwrap(), string("{\"a\": 1.10}"));
    assert_eq!(sent("017b7d", oid::JSONB).unwrap(), string("{}"));
    assert_eq!(refused(sent("027b7d", oid::JSONB)).0, "0A000");
    assert_eq!(refused(given("{", oid::JSONB)).0, "22P02");
    let bytes = |bytes: &[u8]| ScalarValue::BinaryView(Some(bytes.to_vec()));
    assert_eq!(given("\\x61 5C", oid::BYTEA).unwrap(), bytes(b"a\\"));
    assert_eq!(given("a\\\\b\\001", oid::BYTEA).unwrap(), bytes(b"a\\b\x01"));
    assert_eq!(sent("00ff", oid::BYTEA).unwrap(), bytes(b"\x00\xff"));
    assert_eq!(refused(given("\\x1", oid::BYTEA)).0, "22023");
    assert_eq!(refused(given("\\1", oid::BYTEA)).0, "22P02");
    assert_eq!(refused(given("127.0.0.1", 869)), ("0A000", "a parameter of type inet is not supported".to_string()));
}

#[test]
fn nothing_and_the_unknown_take_the_targets_type() {
    let target = Field::new("", DataType::Decimal128(10, 2), true);
    let decode = |bytes: Option<&[u8]>, oid| decode(bytes, false, oid, &target, Zone::utc()).unwrap();
    assert_eq!(decode(None, 0), ScalarValue::Decimal128(None, 10, 2));
    assert_eq!(decode(None, oid::NUMERIC), ScalarValue::Decimal128(None, 10, 2));
    assert_eq!(decode(None, oid::INT4), ScalarValue::Int32(None));
    assert_eq!(decode(Some(b"1.234"), oid::UNKNOWN), decimal(1234, 4, 3));
    assert_eq!(given("x", 0).unwrap(), string("x"));
}

/// The lengths of nested lists from the outside, and the innermost values.
fn unfold(value: ScalarValue) -> (Vec<usize>, datafusion::arrow::array::ArrayRef) {
    let ScalarValue::List(list) = value else { panic!("not a list: {value}") };
    let mut lengths = vec![list.value(0).len()];
    let mut inner = list.value(0);
    while let Some(list) = inner.as_list_opt::<i32>() {
        lengths.push(list.value(0).len());
        inner = list.values().clone();
    }
    (lengths, inner)
}

#[test]
fn array_literals() {
    let (lengths, values) = unfold(given("{{1,2},{ 3 , NULL}}", 1007).unwrap());
    assert_eq!(lengths, [2, 2]);
    let values: Vec<_> = values.as_primitive::<Int32Type>().iter().collect();
    assert_eq!(values, [Some(1), Some(2), Some(3), None]);

    let (_, values) = unfold(given(r#" [1:6]={ a b , "x\"y" , c\,d ,"NULL", null,""} "#, 1009).unwrap());
    let values: Vec<_> = values.as_string_view().iter().collect();
    assert_eq!(values, [Some("a b"), Some("x\"y"), Some("c,d"), Some("NULL"), None, Some("")]);

    let (lengths, values) = unfold(given("{}", 1185).unwrap());
    assert_eq!((lengths, values.len()), (vec![0], 0));
    assert!(values.as_primitive_opt::<TimestampMicrosecondType>().is_some());

    let (_, values) = unfold(given("{1.5,NULL,-0.001,12}", 1231).unwrap());
    assert_eq!(values.data_type(), &DataType::Decimal128(5, 3));
    let values: Vec<_> = values.as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(values, [Some(1500), None, Some(-1), Some(12_000)]);

    for wrong in ["", "{1,2", "{{1,2},{3}}", "{1,,2}", "{1}x", "{\"1\"2}", "{{1},2}", "{{},{}}", "{1,}", "1"] {
        let expected = format!("malformed array literal: \"{wrong}\"");
        assert_eq!(refused(given(wrong, 1007)), ("22P02", expected));
    }
    assert_eq!(refused(given("{abc}", 1007)).1, "invalid input syntax for type integer: \"abc\"");
    assert_eq!(refused(given("[0:1]={1,2}", 1007)).0, "0A000");
    assert_eq!(refused(given("{{{{{{{1}}}}}}}", 1007)).0, "54000");
}

#[test]
fn arrays_in_binary() {
    let square = "00000002 00000001 00000017 00000002 00000001 00000002 00000001 \
                  00000004 00000001 00000004 00000002 00000004 00000003 ffffffff";
    let (lengths, values) = unfold(sent(square, 1007).unwrap());
    assert_eq!(lengths, [2, 2]);
    let values: Vec<_> = values.as_primitive::<Int32Type>().iter().collect();
    assert_eq!(values, [Some(1), Some(2), Some(3), None]);
    let (lengths, _) = unfold(sent("00000000 00000000 00000017", 1007).unwrap());
    assert_eq!(lengths, [0]);
    assert_eq!(refused(sent("00000000 00000000 00000019", 1007)).0, "42804");
    // A count that the bytes cannot hold, a lower bound of 0, bytes left over.
    assert_eq!(refused(sent("00000001 00000000 00000017 7fffffff 00000001", 1007)).0, "22P03");
    assert_eq!(refused(sent("00000001 00000000 00000017 00000001 00000000 ffffffff", 1007)).0, "0A000");
    assert_eq!(refused(sent("00000000 00000000 00000017 00", 1007)).0, "22P03");
}
