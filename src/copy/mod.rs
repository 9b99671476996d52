//! COPY's file formats: bytes to rows of a table, rows to bytes.
//!
//! From bytes to rows, step by step:
//! 1. [`encoding`] turns what the file is encoded in into UTF-8.
//! 2. [`lines`] finds where a row ends, [`fields`] where its fields do, by PostgreSQL's rules for text and CSV;
//!    [`binary`] and [`json`] do both for theirs.
//! 3. [`column`] reads the fields of one column into an array: the types' own input functions, with short cuts for
//!    the plain spellings that files are full of.
//! 4. [`decode`] holds these together: chunks of any size go in, batches of a bounded size come out, and a fault
//!    says in which line and column it is.
//!
//! From rows to bytes there is [`encode`]. Parquet goes in and out through Arrow's own reader and writer, in
//! `statement::copy`. [`options`] is what the statement says about all of it.

mod binary;
mod column;
mod decode;
mod encode;
mod encoding;
mod fields;
mod json;
mod lines;
mod options;

pub(crate) use self::decode::{Decoder, Target};
pub(crate) use self::encode::Encoder;
pub(crate) use self::options::{CopyFormat, CopyOption, CopyValue, Options, columns_named};

#[cfg(test)]
mod tests;
