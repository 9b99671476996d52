//! The encoder as a whole: Arrow in, the bytes PostgreSQL sends out.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int8Array, Int32Array, Int64Array, ListArray,
    MapArray, NullArray, RunArray, StringArray, StringViewArray, StructArray, UInt64Array, UnionArray,
};
use datafusion::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int8Type, Int32Type, UnionFields};

use super::*;

fn field(array: &ArrayRef, declared: &str) -> Field {
    let field = Field::new("c", array.data_type().clone(), true);
    if declared.is_empty() {
        return field;
    }
    field.with_metadata(HashMap::from([("pg_type".to_string(), declared.to_string())]))
}

fn encoder(array: &ArrayRef, declared: &str, format: Format) -> BatchEncoder {
    let schema = Arc::new(Schema::new(vec![field(array, declared)]));
    let batch = RecordBatch::try_new(schema.clone(), vec![array.clone()]).unwrap();
    RowEncoder::try_new(&schema, &[format], Formatting::default()).unwrap().batch(&batch).unwrap()
}

/// Every value of a column as text, NULL as `∅`.
fn texts(array: ArrayRef, declared: &str) -> Vec<String> {
    let encoder = encoder(&array, declared, Format::Text);
    (0..array.len())
        .map(|row| {
            let mut out = BytesMut::new();
            let present = encoder.value(0, row, &mut out).unwrap();
            if present { String::from_utf8(out.to_vec()).unwrap() } else { "∅".to_string() }
        })
        .collect()
}

/// The first value of a column in binary, as hex.
fn binary(array: ArrayRef, declared: &str) -> String {
    let mut out = BytesMut::new();
    assert!(encoder(&array, declared, Format::Binary).value(0, 0, &mut out).unwrap());
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list(item: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(item.data_type().clone(), true));
    Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths.iter().copied()), item, None))
}

fn integers(values: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

fn strings(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

#[test]
fn a_row_is_lengths_and_values() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8View, true),
        Field::new("c", DataType::Float64, true),
    ]));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(Int32Array::from(vec![1, -12])),
            Arc::new(StringViewArray::from(vec![Some("x"), None])),
            Arc::new(Float64Array::from(vec![1.5, 2.0])),
        ],
    )
    .unwrap();
    let formats = [Format::Text, Format::Text, Format::Binary];
    let rows = RowEncoder::try_new(&schema, &formats, Formatting::default()).unwrap().batch(&batch).unwrap();
    let mut out = BytesMut::from(&b"kept"[..]);
    rows.row(1, &mut out).unwrap();
    let expected = [&b"kept"[..], &3i32.to_be_bytes(), b"-12", &[255u8; 4], &8i32.to_be_bytes(), &2f64.to_be_bytes()];
    assert_eq!(out, expected.concat()[..]);
    assert!(rows.row(2, &mut out).is_err());
}

#[test]
fn formats_follow_bind() {
    let schema = Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Int32, true)]);
    let formats = |formats: &[Format]| {
        let encoder = RowEncoder::try_new(&schema, formats, Formatting::default()).ok()?;
        Some(encoder.columns.iter().map(|column| column.format).collect::<Vec<_>>())
    };
    assert_eq!(formats(&[]), Some(vec![Format::Text; 2]));
    assert_eq!(formats(&[Format::Binary]), Some(vec![Format::Binary; 2]));
    assert_eq!(formats(&[Format::Text, Format::Binary]), Some(vec![Format::Text, Format::Binary]));
    assert_eq!(formats(&[Format::Text; 3]), None);
}

#[test]
fn values_of_another_type_than_announced_are_refused() {
    let announced = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let encoder = RowEncoder::try_new(&announced, &[Format::Binary], Formatting::default()).unwrap();
    let arrived = |array: ArrayRef| RecordBatch::try_from_iter([("n", array)]).unwrap();
    let error = encoder.batch(&arrived(Arc::new(Float64Array::from(vec![1.0])))).err().unwrap();
    assert_eq!(error.sqlstate.0, "XX000");
    assert!(error.message.contains("column \"n\" was announced as bigint but its values are double precision"));
    assert!(encoder.batch(&arrived(Arc::new(Int64Array::from(vec![1])))).is_ok());
}

#[test]
fn simple_types() {
    assert_eq!(texts(Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])), ""), ["t", "f", "∅"]);
    assert_eq!(texts(Arc::new(NullArray::new(1)), ""), ["∅"]);
    assert_eq!(texts(Arc::new(UInt64Array::from(vec![u64::MAX])), ""), ["18446744073709551615"]);
    assert_eq!(texts(strings(vec![Some("ab"), Some("é"), None]), "character(3)"), ["ab ", "é  ", "∅"]);
    assert_eq!(texts(integers(vec![Some(-1)]), "oid"), ["4294967295"]);
    assert_eq!(binary(integers(vec![Some(-1)]), "oid"), "ffffffff");
    assert_eq!(binary(strings(vec![Some("{}")]), "jsonb"), "017b7d");
    assert_eq!(binary(strings(vec![Some("{}")]), "json"), "7b7d");
    assert_eq!(
        binary(strings(vec![Some("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")]), "uuid"),
        "a0eebc999c0b4ef8bb6d6bb9bd380a11"
    );
    assert!(encoder(&strings(vec![Some("x")]), "uuid", Format::Binary).row(0, &mut BytesMut::new()).is_err());
}

#[test]
fn arrays_quote_what_could_be_misread() {
    let items = vec![
        Some("a"),
        Some(""),
        Some("null"),
        Some("x y"),
        Some("q\""),
        Some("b\\s"),
        None,
        Some("{"),
        Some("a,b"),
        Some("é"),
    ];
    assert_eq!(
        texts(list(strings(items), &[10, 0]), ""),
        [r#"{a,"","null","x y","q\"","b\\s",NULL,"{","a,b",é}"#, "{}"]
    );
    assert_eq!(
        binary(list(strings(vec![Some("ab"), None]), &[2]), ""),
        "0000000100000001000000190000000200000001000000026162ffffffff"
    );
    assert_eq!(binary(list(integers(vec![]), &[0]), ""), "000000000000000000000017");
}

#[test]
fn lists_of_lists_are_arrays_of_two_dimensions() {
    let square = list(list(integers(vec![Some(1), Some(2), Some(3), None]), &[2, 2]), &[2]);
    assert_eq!(texts(square.clone(), ""), ["{{1,2},{3,NULL}}"]);
    assert_eq!(
        binary(square, ""),
        "0000000200000001000000170000000200000001000000020000000100000004000000010000000400000002\
         0000000400000003ffffffff"
    );
    let ragged = list(list(integers(vec![Some(1), Some(2), Some(3)]), &[2, 1]), &[2]);
    assert_eq!(texts(ragged.clone(), ""), ["{{1,2},{3}}"]);
    let mut out = BytesMut::new();
    let error = encoder(&ragged, "", Format::Binary).row(0, &mut out).err().unwrap();
    assert_eq!(error.sqlstate.0, "0A000");
    assert!(out.is_empty());
    assert_eq!(texts(list(list(integers(vec![]), &[0, 0]), &[2]), ""), ["{}"]);
}

#[test]
fn every_list_of_arrow_is_an_array() {
    let plain = list(integers(vec![Some(1), Some(2), None, Some(4)]), &[2, 2]);
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    for data_type in [
        DataType::LargeList(item.clone()),
        DataType::FixedSizeList(item.clone(), 2),
        DataType::ListView(item.clone()),
        DataType::LargeListView(item),
    ] {
        let array = cast(&plain, &data_type).unwrap();
        assert_eq!(texts(array.slice(1, 1), ""), ["{NULL,4}"], "{data_type}");
    }
}

#[test]
fn records_double_what_arrays_escape() {
    let inner = list(integers(vec![Some(1), None]), &[2]);
    let record = |names: [&str; 3], columns: [ArrayRef; 3]| {
        StructArray::from(
            names
                .into_iter()
                .zip(columns)
                .map(|(name, column)| (Arc::new(Field::new(name, column.data_type().clone(), true)), column))
                .collect::<Vec<_>>(),
        )
    };
    let records = record(["a", "b", "c"], [strings(vec![Some("q\"\\ ")]), strings(vec![None]), inner]);
    assert_eq!(texts(Arc::new(records), ""), [r#"("q""\\ ",,"{1,NULL}")"#]);
    let records = record(["a", "b", "c"], [integers(vec![Some(1)]), strings(vec![None]), strings(vec![Some("ab")])]);
    assert_eq!(
        binary(Arc::new(records.clone()), ""),
        "0000000300000017000000040000000100000019ffffffff00000019000000026162"
    );
    assert_eq!(texts(list(Arc::new(records), &[1]), ""), [r#"{"(1,,ab)"}"#]);
}

#[test]
fn maps_and_unions_are_jsonb() {
    let map = MapArray::new_from_strings(
        ["a", "b\"", "c"].into_iter(),
        &Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)]),
        &[0, 3],
    )
    .unwrap();
    assert_eq!(texts(Arc::new(map), ""), [r#"{"a": 1.5, "b\"": null, "c": "NaN"}"#]);

    let fields = UnionFields::try_new(
        vec![0, 5],
        vec![Field::new("i", DataType::Int32, true), Field::new("s", DataType::Utf8, true)],
    )
    .unwrap();
    let union = UnionArray::try_new(
        fields,
        ScalarBuffer::from(vec![0i8, 5, 0]),
        None,
        vec![integers(vec![Some(1), Some(2), None]), strings(vec![None, Some("x"), None])],
    )
    .unwrap();
    assert_eq!(texts(Arc::new(union), ""), ["1", "\"x\"", "∅"]);
}

#[test]
fn indexed_values_are_those_behind_the_index() {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("a"), None, Some("b"), Some("a")].into_iter().collect();
    assert_eq!(texts(Arc::new(dictionary.slice(1, 3)), ""), ["∅", "b", "a"]);
    let empty = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![None, None]), strings(vec![]));
    assert_eq!(texts(Arc::new(empty), ""), ["∅", "∅"]);

    let ends = Int32Array::from(vec![2, 3]);
    let runs = RunArray::<Int32Type>::try_new(&ends, &strings(vec![None, Some("x")])).unwrap();
    assert_eq!(texts(Arc::new(runs.slice(1, 2)), ""), ["∅", "x"]);

    // A dictionary of lists inside a list: still one array of two dimensions.
    let lists = list(integers(vec![Some(1), Some(2)]), &[1, 1]);
    let dictionary = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![1, 0]), lists);
    assert_eq!(texts(list(Arc::new(dictionary), &[2]), ""), ["{{2},{1}}"]);
}

#[test]
fn the_declared_type_of_a_list_reaches_its_elements() {
    let identifiers = list(strings(vec![Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]), &[1]);
    assert_eq!(
        binary(identifiers, "uuid[]"),
        "000000010000000000000b86000000010000000100000010a0eebc999c0b4ef8bb6d6bb9bd380a11"
    );
}
