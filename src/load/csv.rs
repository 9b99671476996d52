//! CSV: rows and fields as PostgreSQL's COPY reads them.
//!
//! A value in quotes may hold delimiters, line ends and doubled quotes; an unquoted one is NULL if it is the NULL text.
//! A quote inside an unquoted value is a character like any other: files of the wild have them, and PostgreSQL
//! itself writes such values in quotes. Lines end in LF, CRLF or CR.

use super::records::{Block, Fault, Field, Kind, Row};
use crate::error::{Error, SqlState};

const QUOTE: u8 = b'"';
/// Rows of a block, whatever their length.
const BLOCK_ROWS: usize = 1 << 16;
/// The delimiters that are looked for, the likelier first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records by which the delimiter is found.
const SNIFFED: usize = 20;

/// Finds rows and fields of CSV text.
#[derive(Debug, Clone)]
pub(super) struct CsvSplitter {
    delimiter: u8,
    null: String,
    /// Names of the columns, all of which each row must have.
    columns: Vec<String>,
    /// The bytes at which an unquoted value ends.
    ends: [bool; 256],
}

/// A record's end.
enum End {
    /// It ends before this place.
    At(usize),
    /// More text is needed to say.
    Open,
}

/// Why a record is none.
enum Flaw {
    Unterminated,
    AfterQuote,
}

impl CsvSplitter {
    pub(super) fn new(delimiter: u8, null: String, columns: Vec<String>) -> Self {
        let mut ends = [false; 256];
        for byte in [delimiter, b'\n', b'\r'] {
            ends[usize::from(byte)] = true;
        }
        Self { delimiter, null, columns, ends }
    }

    /// The delimiter that cuts the first records of `text` into most fields, as many in each.
    pub(super) fn sniff(text: &str, last: bool) -> u8 {
        let mut best = (1, DELIMITERS[0]);
        for delimiter in DELIMITERS {
            let splitter = Self::new(delimiter, String::new(), Vec::new());
            let mut widths = Vec::new();
            let (mut at, mut fields, mut copies) = (0, Vec::new(), String::new());
            while widths.len() < SNIFFED && at < text.len() {
                fields.clear();
                let (End::At(end), None) = splitter.record(text, at, last, &mut fields, &mut copies) else { break };
                at = end;
                if !is_blank(&fields) {
                    widths.push(fields.len());
                }
            }
            let Some(&width) = widths.first() else { continue };
            if width > best.0 && widths.iter().all(|w| *w == width) {
                best = (width, delimiter);
            }
        }
        if best.0 == 1 {
            // Ragged rows: the first line alone decides, and the rows will be told of.
            let first = text.lines().next().unwrap_or_default();
            let count = |delimiter: u8| first.bytes().filter(|byte| *byte == delimiter).count();
            // Of equals the last is the greatest, and the first shall be.
            return DELIMITERS.into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',');
        }
        best.1
    }

    /// The first record's values and its length; `None` if more text is needed.
    pub(super) fn first(&self, text: &str, last: bool) -> Option<(Vec<String>, usize)> {
        let (mut at, mut fields, mut copies) = (0, Vec::new(), String::new());
        loop {
            if at >= text.len() {
                return last.then(|| (Vec::new(), at));
            }
            fields.clear();
            match self.record(text, at, last, &mut fields, &mut copies) {
                (End::Open, _) => return None,
                (End::At(end), _) if is_blank(&fields) => at = end,
                (End::At(end), _) => {
                    let value = |field: &Field| {
                        let from = if field.copied { &copies } else { text };
                        from[field.start as usize..field.end as usize].to_owned()
                    };
                    return Some((fields.iter().map(value).collect(), end));
                }
            }
        }
    }

    /// See `Splitter::split`.
    pub(super) fn split(&mut self, text: &str, last: bool, block: &mut Block) -> usize {
        let width = self.columns.len();
        block.width = width;
        let (mut at, mut line) = (0, 1);
        while at < text.len() && block.rows.len() < BLOCK_ROWS {
            let first = block.fields.len();
            let (end, flaw) = self.record(text, at, last, &mut block.fields, &mut block.copies);
            let End::At(end) = end else {
                block.fields.truncate(first);
                break;
            };
            let found = block.fields.len() - first;
            if found == 1 && width > 1 && is_blank(&block.fields[first..]) {
                block.fields.truncate(first);
            } else {
                let error = match flaw {
                    Some(Flaw::Unterminated) => Some((None, bad("unterminated CSV quoted field"))),
                    Some(Flaw::AfterQuote) => Some((None, bad("a quoted value is followed by more text"))),
                    None if found < width => {
                        let column = self.columns[found].clone();
                        let error = bad(format!("missing data for column \"{column}\""));
                        Some((Some(column), error))
                    }
                    None if found > width => Some((None, bad("extra data after last expected column"))),
                    None => None,
                };
                if let Some((column, error)) = error {
                    block.fields.truncate(first);
                    block.fields.extend(std::iter::repeat_n(Field::NULL, width));
                    block.faults.push(Fault { row: block.rows.len(), column, value: None, error });
                }
                block.rows.push(Row { line, start: at as u32, end: end as u32 });
            }
            line += text.as_bytes()[at..end].iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            at = end;
        }
        at
    }

    /// Appends the fields of the record that begins at `at`.
    fn record(
        &self,
        text: &str,
        mut at: usize,
        last: bool,
        fields: &mut Vec<Field>,
        copies: &mut String,
    ) -> (End, Option<Flaw>) {
        let bytes = text.as_bytes();
        let mut flaw = None;
        loop {
            let mut end;
            if bytes.get(at) == Some(&QUOTE) {
                let copy_start = copies.len();
                let (mut from, mut copied) = (at + 1, false);
                loop {
                    let Some(length) = bytes[from..].iter().position(|byte| *byte == QUOTE) else {
                        if !last {
                            return (End::Open, None);
                        }
                        return (End::At(bytes.len()), Some(Flaw::Unterminated));
                    };
                    end = from + length;
                    match bytes.get(end + 1) {
                        Some(&QUOTE) => {
                            copies.push_str(&text[from..=end]);
                            copied = true;
                            from = end + 2;
                        }
                        None if !last => return (End::Open, None),
                        _ => break,
                    }
                }
                if copied {
                    copies.push_str(&text[from..end]);
                    let (start, end) = (copy_start as u32, copies.len() as u32);
                    fields.push(Field { kind: Kind::Quoted, copied, start, end });
                } else {
                    fields.push(Field { kind: Kind::Quoted, copied, start: at as u32 + 1, end: end as u32 });
                }
                end += 1;
                if bytes.get(end).is_some_and(|byte| !self.ends[usize::from(*byte)]) {
                    flaw = Some(Flaw::AfterQuote);
                    end += self.unquoted(&bytes[end..]);
                }
            } else {
                end = at + self.unquoted(&bytes[at..]);
                let kind = if text[at..end] == self.null { Kind::Null } else { Kind::Plain };
                fields.push(Field { kind, copied: false, start: at as u32, end: end as u32 });
            }
            match bytes.get(end) {
                Some(byte) if *byte == self.delimiter => at = end + 1,
                Some(b'\n') => return (End::At(end + 1), flaw),
                // A carriage return that ends the text may have its line feed in the next chunk.
                Some(_) => match bytes.get(end + 1) {
                    Some(b'\n') => return (End::At(end + 2), flaw),
                    None if !last => return (End::Open, None),
                    _ => return (End::At(end + 1), flaw),
                },
                None if last => return (End::At(end), flaw),
                None => return (End::Open, None),
            }
        }
    }

    fn unquoted(&self, bytes: &[u8]) -> usize {
        bytes.iter().position(|byte| self.ends[usize::from(*byte)]).unwrap_or(bytes.len())
    }
}

/// Whether a line has nothing in it.
fn is_blank(fields: &[Field]) -> bool {
    matches!(fields, [Field { kind: Kind::Null | Kind::Plain, start, end, .. }] if start == end)
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splitter(width: usize) -> CsvSplitter {
        CsvSplitter::new(b',', String::new(), (0..width).map(|n| format!("c{n}")).collect())
    }

    /// Rows as text, NULL as `~`, quoted values in brackets.
    fn rows(text: &str, width: usize) -> Vec<String> {
        let mut block = Block::default();
        let length = splitter(width).split(text, true, &mut block);
        block.text = text[..length].to_owned();
        let shown = |row: usize, column: usize| match block.field(row, column) {
            (Kind::Null, _) => "~".to_owned(),
            (Kind::Quoted, text) => format!("[{text}]"),
            (_, text) => text.to_owned(),
        };
        let mut rows: Vec<String> = (0..block.rows.len())
            .map(|row| {
                let values: Vec<String> = (0..width).map(|column| shown(row, column)).collect();
                format!("{}: {}", block.rows[row].line, values.join("|"))
            })
            .collect();
        for fault in &block.faults {
            rows[fault.row] = format!("{}: {}", block.rows[fault.row].line, fault.error);
        }
        rows
    }

    #[test]
    fn quotes_hold_everything() {
        assert_eq!(rows("a,b\n\"x,\"\"y\"\"\n\",\r\n,\"\"", 2), ["1: a|b", "2: [x,\"y\"\n]|~", "4: ~|[]"]);
        assert_eq!(rows("5\" pipe,b\"c\n", 2), ["1: 5\" pipe|b\"c"]);
        assert_eq!(rows("a\rb\r", 1), ["1: a", "1: b"]);
    }

    #[test]
    fn flawed_rows_are_told_and_the_next_is_read() {
        assert_eq!(
            rows("a\n\"x\"y,b\na,b,c\na,b\na,\"b\nc", 2),
            [
                "1: missing data for column \"c1\"",
                "2: a quoted value is followed by more text",
                "3: extra data after last expected column",
                "4: a|b",
                "5: unterminated CSV quoted field"
            ]
        );
    }

    #[test]
    fn blank_lines_are_no_rows_unless_there_is_one_column() {
        assert_eq!(rows("a,b\n\n\r\nc,d\n\n", 2), ["1: a|b", "4: c|d"]);
        assert_eq!(rows("a\n\nb\n", 1), ["1: a", "2: ~", "3: b"]);
    }

    #[test]
    fn however_text_is_cut_the_rows_are_the_same() {
        let text = "id,\"na\"\"me\"\r\n1,\"a\nb\"\r\n2,é\n";
        for cut in 0..text.len() {
            if !text.is_char_boundary(cut) {
                continue;
            }
            let (mut whole, mut rest) = (Vec::new(), text[..cut].to_owned());
            for (more, last) in [("", false), (&text[cut..], true)] {
                rest.push_str(more);
                let mut block = Block::default();
                let length = splitter(2).split(&rest, last, &mut block);
                block.text = rest[..length].to_owned();
                rest = rest[length..].to_owned();
                assert!(block.faults.is_empty());
                for row in 0..block.rows.len() {
                    whole.push(format!("{}|{}", block.field(row, 0).1, block.field(row, 1).1));
                }
            }
            assert_eq!(whole, ["id|na\"me", "1|a\nb", "2|é"], "cut at {cut}");
        }
    }

    #[test]
    fn delimiters_are_found() {
        assert_eq!(CsvSplitter::sniff("a;b;c\n1,5;2;3\n", true), b';');
        assert_eq!(CsvSplitter::sniff("a\tb\n1\t2,3\n", true), b'\t');
        assert_eq!(CsvSplitter::sniff("a,b\n\"1;2\",3\n", true), b',');
        assert_eq!(CsvSplitter::sniff("name\nx\n", true), b',');
        assert_eq!(CsvSplitter::sniff("a;b\n1;2;3\n", true), b';');
        assert_eq!(CsvSplitter::sniff("", true), b',');
    }
}
