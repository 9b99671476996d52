//! The wire protocol by hand, for what no driver does: formats, portals and mistakes of our choosing.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::trial::{Fault, Outcome};

/// Protocol 3.0.
const VERSION: i32 = 196_608;
/// Values and columns as text, or in PostgreSQL's binary form.
pub const TEXT: i16 = 0;
pub const BINARY: i16 = 1;

/// One message from the server.
#[derive(Debug, Clone)]
pub struct Message {
    /// What it is, as the protocol's letter.
    pub kind: char,
    /// All after the length.
    pub body: Vec<u8>,
}

impl Message {
    /// The fields of an error or notice by their letter.
    pub fn fields(&self) -> BTreeMap<char, String> {
        let fields = self.body.split(|b| *b == 0).filter(|field| !field.is_empty());
        fields.map(|field| (field[0] as char, String::from_utf8_lossy(&field[1..]).into_owned())).collect()
    }

    /// The values of a DataRow.
    pub fn values(&self) -> Vec<Option<Vec<u8>>> {
        let mut at = 2;
        let count = i16::from_be_bytes([self.body[0], self.body[1]]);
        (0..count)
            .map(|_| {
                let length = i32_at(&self.body, at);
                at += 4;
                let length = usize::try_from(length).ok()?;
                at += length;
                Some(self.body[at - length..at].to_vec())
            })
            .collect()
    }

    /// The body up to its first zero byte: a command tag, a parameter's name.
    pub fn text(&self) -> String {
        let end = self.body.iter().position(|b| *b == 0).unwrap_or(self.body.len());
        String::from_utf8_lossy(&self.body[..end]).into_owned()
    }

    /// The type OIDs of a ParameterDescription.
    pub fn parameter_types(&self) -> Vec<i32> {
        (0..usize::from(u16::from_be_bytes([self.body[0], self.body[1]])))
            .map(|i| i32_at(&self.body, 2 + 4 * i))
            .collect()
    }

    /// The names and type OIDs of a RowDescription.
    pub fn columns(&self) -> Vec<(String, i32)> {
        let mut rest = &self.body[2..];
        let mut columns = Vec::new();
        while let Some(end) = rest.iter().position(|b| *b == 0) {
            columns.push((String::from_utf8_lossy(&rest[..end]).into_owned(), i32_at(rest, end + 7)));
            rest = &rest[end + 19..];
        }
        columns
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A connection that sends exactly what it is told to.
pub struct Raw {
    stream: TcpStream,
    /// The parameters the server reported at startup.
    pub parameters: BTreeMap<String, String>,
}

impl Raw {
    /// Connects as `postgres` to `audience` with these further startup parameters, up to the first ReadyForQuery.
    pub async fn connect(port: u16, settings: &[(&str, &str)]) -> Outcome<Self> {
        let mut raw = Self { stream: TcpStream::connect(("127.0.0.1", port)).await?, parameters: BTreeMap::new() };
        raw.stream.set_nodelay(true)?;
        let mut body = VERSION.to_be_bytes().to_vec();
        for (name, value) in [("user", "postgres"), ("database", "audience")].iter().chain(settings) {
            body.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
        }
        body.push(0);
        raw.send(&framed(None, &body)).await?;
        for message in raw.until('Z').await? {
            match message.kind {
                'S' => {
                    let name = message.text();
                    let value =
                        String::from_utf8_lossy(&message.body[name.len() + 1..]).trim_end_matches('\0').to_owned();
                    raw.parameters.insert(name, value);
                }
                'E' => return Err(Fault::from(format!("refused: {:?}", message.fields()))),
                _ => {}
            }
        }
        Ok(raw)
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next message, or an error at the end of the stream.
    pub async fn next(&mut self) -> Outcome<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).await?;
        let length = i32_at(&head, 1);
        let mut body = vec![0; usize::try_from(length - 4).map_err(|_| Fault::from("a negative length"))?];
        self.stream.read_exact(&mut body).await?;
        Ok(Message { kind: head[0] as char, body })
    }

    /// All messages up to and including the first of this kind.
    pub async fn until(&mut self, kind: char) -> Outcome<Vec<Message>> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await?;
            let last = message.kind == kind;
            messages.push(message);
            if last {
                return Ok(messages);
            }
        }
    }

    /// Sends a request that ends in Sync or Query and returns the whole answer.
    pub async fn ask(&mut self, parts: &[Vec<u8>]) -> Outcome<Vec<Message>> {
        self.send(&parts.concat()).await?;
        self.until('Z').await
    }
}

/// The letters of an answer, as in `12DDCZ`.
pub fn kinds(messages: &[Message]) -> String {
    messages.iter().map(|m| m.kind).collect()
}

/// The first message of this kind.
pub fn first(messages: &[Message], kind: char) -> Outcome<&Message> {
    messages.iter().find(|m| m.kind == kind).ok_or_else(|| Fault::from(format!("no {kind} in {messages:?}")))
}

/// A message as it stands on the wire; the startup packet has no letter.
pub fn framed(kind: Option<char>, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX).to_be_bytes();
    kind.map(|k| k as u8).into_iter().chain(length).chain(body.iter().copied()).collect()
}

/// A simple query.
pub fn query(sql: &str) -> Vec<u8> {
    framed(Some('Q'), &[sql.as_bytes(), &[0]].concat())
}

/// Parse, with declared parameter types (0: unspecified).
pub fn parse(name: &str, sql: &str, types: &[i32]) -> Vec<u8> {
    let mut body = [name.as_bytes(), &[0], sql.as_bytes(), &[0]].concat();
    body.extend(count(types.len()));
    body.extend(types.iter().flat_map(|oid| oid.to_be_bytes()));
    framed(Some('P'), &body)
}

/// Bind, with one format for all parameters and one for all columns.
pub fn bind(portal: &str, statement: &str, format: i16, values: &[Option<&[u8]>], columns: i16) -> Vec<u8> {
    let mut body = [portal.as_bytes(), &[0], statement.as_bytes(), &[0]].concat();
    body.extend(count(1));
    body.extend(format.to_be_bytes());
    body.extend(count(values.len()));
    for value in values {
        match value {
            None => body.extend((-1_i32).to_be_bytes()),
            Some(bytes) => {
                body.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
                body.extend(*bytes);
            }
        }
    }
    body.extend(count(1));
    body.extend(columns.to_be_bytes());
    framed(Some('B'), &body)
}

fn count(n: usize) -> [u8; 2] {
    i16::try_from(n).unwrap_or(i16::MAX).to_be_bytes()
}

/// Describe of a statement (`S`) or a portal (`P`).
pub fn describe(what: char, name: &str) -> Vec<u8> {
    framed(Some('D'), &[&[what as u8][..], name.as_bytes(), &[0]].concat())
}

/// Execute; 0 or less means all rows.
pub fn execute(portal: &str, max_rows: i32) -> Vec<u8> {
    framed(Some('E'), &[portal.as_bytes(), &[0], &max_rows.to_be_bytes()].concat())
}

/// Close of a statement (`S`) or a portal (`P`).
pub fn close(what: char, name: &str) -> Vec<u8> {
    framed(Some('C'), &[&[what as u8][..], name.as_bytes(), &[0]].concat())
}

/// Sync.
pub fn sync() -> Vec<u8> {
    framed(Some('S'), &[])
}
