//! Strings, and the types kept as strings: varchar, char(n), uuid, json, jsonb.

use bytes::{BufMut, BytesMut};

use super::bytea::Runs;
use super::{Values, json, uuid};
use crate::error::{Error, Result, SqlState};
use crate::values::pg_type::{PgType, oid};

/// What a string stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Text,
    /// `char(n)`: blanks up to n characters, which storage and comparison leave out.
    Padded(usize),
    Uuid,
    Json,
    Jsonb,
}

struct Strings<A> {
    array: A,
    meaning: Meaning,
}

/// Strings shown as `pg`.
pub(super) fn strings<A: Runs + 'static>(array: A, pg: PgType) -> Box<dyn Values> {
    let meaning = match pg.oid {
        oid::UUID => Meaning::Uuid,
        oid::JSON => Meaning::Json,
        oid::JSONB => Meaning::Jsonb,
        oid::BPCHAR if pg.typmod > 4 => Meaning::Padded(pg.typmod as usize - 4),
        _ => Meaning::Text,
    };
    Box::new(Strings { array, meaning })
}

impl<A: Runs> Values for Strings<A> {
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let run = self.array.run(row);
        match self.meaning {
            Meaning::Text | Meaning::Json | Meaning::Jsonb => out.put_slice(run),
            Meaning::Padded(width) => {
                out.put_slice(run);
                // Every character has one byte that does not continue another.
                let characters = run.iter().filter(|byte| *byte & 0xc0 != 0x80).count();
                out.put_bytes(b' ', width.saturating_sub(characters));
            }
            Meaning::Uuid => match uuid::parse(run) {
                Some(bytes) => out.put_slice(&uuid::print(&bytes)),
                // Not ours to hide: the value is shown as it is.
                None => out.put_slice(run),
            },
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self.meaning {
            Meaning::Jsonb => {
                out.put_u8(json::JSONB_VERSION);
                out.put_slice(self.array.run(row));
                Ok(())
            }
            Meaning::Uuid => {
                let run = self.array.run(row);
                let bytes = uuid::parse(run).ok_or_else(|| {
                    let text = String::from_utf8_lossy(run);
                    let message = format!("invalid input syntax for type uuid: \"{text}\"");
                    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
                })?;
                out.put_slice(&bytes);
                Ok(())
            }
            Meaning::Text | Meaning::Padded(_) | Meaning::Json => self.text(row, out),
        }
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self.meaning {
            Meaning::Json | Meaning::Jsonb => out.put_slice(self.array.run(row)),
            Meaning::Text => json::quote(self.array.run(row), out),
            Meaning::Padded(_) | Meaning::Uuid => {
                let start = out.len();
                self.text(row, out)?;
                json::quote_tail(out, start);
            }
        }
        Ok(())
    }
}
