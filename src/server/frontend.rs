//! What clients send: frames taken out of the input buffer, and messages read out of frames.
//!
//! Nothing here trusts a length or a count: each read is checked against the bytes that are there,
//! and a message has to end where its frame ends.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Result, SqlState};

use super::error::protocol_violation;

/// Longest message that carries a statement or values: one byte less than 1 GiB, as in PostgreSQL.
const LARGE: usize = 0x3fff_ffff;
/// Longest message of any other type.
const SMALL: usize = 10_000;
/// Longest answer to a question of the login: it comes from somebody who is not known yet.
const ANSWER: usize = 1_100;

/// One message as it came: its type byte and its body.
pub(super) struct Frame {
    pub(super) tag: u8,
    pub(super) body: Bytes,
}

/// A message of the query phase.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// Simple query.
    Query(String),
    /// Names a prepared statement; `types` are parameter OIDs, 0 = unspecified.
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Execute {
        portal: String,
        /// Zero or less: all rows.
        max_rows: i32,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    /// Fast-path function call, which we don't have.
    FunctionCall,
    /// A COPY message with no COPY going on, as a client may send after a COPY that failed.
    StrayCopy,
}

/// A message as it is read while a COPY takes in data.
#[derive(Debug, PartialEq)]
pub(super) enum CopyMessage {
    /// The next piece of the data.
    Data(Bytes),
    /// That was all.
    Done,
    /// The client gives up, and says why.
    Fail(String),
    /// Sync or Flush, which mean nothing here.
    Sync,
    Terminate,
    /// One that has no place here, by its type byte.
    Other(u8),
}

/// Makes the portal `portal` from the prepared statement `statement`.
#[derive(Debug, PartialEq)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    /// 0 = text, 1 = binary: none, one for all parameters, or one per parameter.
    pub(super) parameter_formats: Vec<i16>,
    /// None = NULL.
    pub(super) parameters: Vec<Option<Bytes>>,
    /// 0 = text, 1 = binary: none, one for all columns, or one per column.
    pub(super) result_formats: Vec<i16>,
}

/// What Describe and Close are about; the empty name is the unnamed one.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// Takes the next whole frame off `input`; None: more bytes are needed. Errors are protocol
/// violations after which the stream can't be read any further.
pub(super) fn take_frame(input: &mut BytesMut) -> Result<Option<Frame>> {
    let Some(&tag) = input.first() else {
        return Ok(None);
    };
    let longest = match tag {
        b'Q' | b'P' | b'B' | b'F' | b'd' => LARGE,
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => SMALL,
        b'p' => ANSWER,
        _ => return Err(protocol_violation(format!("invalid frontend message type {tag}"))),
    };
    let Some(length) = input.get(1..5) else {
        return Ok(None);
    };
    // The length counts itself. A negative one becomes too large to pass.
    let length = (&mut &length[..]).get_u32() as usize;
    if length < 4 || length > longest {
        return Err(protocol_violation(format!("invalid length {length} of frontend message type {tag}")));
    }
    if input.len() < 1 + length {
        return Ok(None);
    }
    let mut frame = input.split_to(1 + length).freeze();
    frame.advance(5);
    Ok(Some(Frame { tag, body: frame }))
}

/// True for the messages after whose failure the rest up to Sync is skipped.
pub(super) fn is_extended(tag: u8) -> bool {
    matches!(tag, b'P' | b'B' | b'D' | b'E' | b'C' | b'H')
}

impl Message {
    /// Reads the message in `frame`. A body of the wrong shape is a protocol violation (08P01);
    /// text that isn't UTF-8 is an ordinary error (22021), after which the connection can go on.
    pub(super) fn decode(frame: Frame) -> Result<Self> {
        let mut body = Body(frame.body);
        let message = match frame.tag {
            b'Q' => Self::Query(body.text()?),
            b'P' => Self::Parse { name: body.text()?, sql: body.text()?, types: body.list(Body::u32)? },
            b'B' => Self::Bind(Bind {
                portal: body.text()?,
                statement: body.text()?,
                parameter_formats: body.list(Body::i16)?,
                parameters: body.list(Body::value)?,
                result_formats: body.list(Body::i16)?,
            }),
            b'D' => Self::Describe(body.target()?),
            b'E' => Self::Execute { portal: body.text()?, max_rows: body.i32()? },
            b'C' => Self::Close(body.target()?),
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            // Not read any further: the bodies of these don't matter.
            b'F' => return Ok(Self::FunctionCall),
            b'd' | b'c' | b'f' => return Ok(Self::StrayCopy),
            tag => return Err(protocol_violation(format!("invalid frontend message type {tag}"))),
        };
        body.finish()?;
        Ok(message)
    }
}

impl CopyMessage {
    /// Reads the message in `frame`, by the rules of [`Message::decode`].
    pub(super) fn decode(frame: Frame) -> Result<Self> {
        let mut body = Body(frame.body);
        let message = match frame.tag {
            b'd' => return Ok(Self::Data(body.rest())),
            b'c' => Self::Done,
            b'f' => Self::Fail(body.text()?),
            b'S' | b'H' => Self::Sync,
            b'X' => Self::Terminate,
            // Not read any further: it is refused whatever it says.
            other => return Ok(Self::Other(other)),
        };
        body.finish()?;
        Ok(message)
    }
}

/// A message's body, read from front to back.
pub(super) struct Body(pub(super) Bytes);

impl Body {
    pub(super) fn u8(&mut self) -> Result<u8> {
        self.0.try_get_u8().map_err(|_| cut_short())
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.0.try_get_u16().map_err(|_| cut_short())
    }

    pub(super) fn i16(&mut self) -> Result<i16> {
        self.0.try_get_i16().map_err(|_| cut_short())
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(|_| cut_short())
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        self.0.try_get_i32().map_err(|_| cut_short())
    }

    /// A string that ends in a zero byte.
    pub(super) fn text(&mut self) -> Result<String> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(protocol_violation("invalid string in message"));
        };
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.to_vec()).map_err(|error| {
            let bad = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(bad).copied().unwrap_or_default();
            Error::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}"),
            )
        })
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        self.0.split_off(0)
    }

    /// A count, then so many items.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.u16()?;
        (0..count).map(|_| item(self)).collect()
    }

    /// A length, then so many bytes; length -1 is NULL.
    pub(super) fn value(&mut self) -> Result<Option<Bytes>> {
        let length = self.i32()?;
        if length == -1 {
            return Ok(None);
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.0.len() => Ok(Some(self.0.split_to(length))),
            _ => Err(cut_short()),
        }
    }

    fn target(&mut self) -> Result<Target> {
        match self.u8()? {
            b'S' => Ok(Target::Statement(self.text()?)),
            b'P' => Ok(Target::Portal(self.text()?)),
            other => Err(protocol_violation(format!("invalid subtype {other} of message"))),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(protocol_violation("invalid message format: data behind its end")) }
    }
}

fn cut_short() -> Error {
    protocol_violation("insufficient data left in message")
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    fn bind_body() -> Vec<u8> {
        let mut body = Vec::new();
        body.put_slice(b"portal\0statement\0");
        body.put_slice(&[0, 1, 0, 1]);
        body.put_slice(&[0, 2, 0, 0, 0, 3, b'a', b'b', b'c', 0xff, 0xff, 0xff, 0xff]);
        body.put_slice(&[0, 2, 0, 0, 0, 1]);
        body
    }

    fn framed(tag: u8, body: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_u8(tag);
        bytes.put_u32(body.len() as u32 + 4);
        bytes.put_slice(body);
        bytes
    }

    fn decode(tag: u8, body: &[u8]) -> Result<Message> {
        Message::decode(Frame { tag, body: Bytes::copy_from_slice(body) })
    }

    #[test]
    fn bind_is_read_whole() {
        let Ok(message) = decode(b'B', &bind_body()) else { panic!("a good Bind is refused") };
        assert_eq!(
            message,
            Message::Bind(Bind {
                portal: "portal".into(),
                statement: "statement".into(),
                parameter_formats: vec![1],
                parameters: vec![Some(Bytes::from_static(b"abc")), None],
                result_formats: vec![0, 1],
            })
        );
    }

    #[test]
    fn a_message_that_is_too_short_or_too_long_is_a_violation() {
        let whole = bind_body();
        for end in 0..whole.len() {
            let error = decode(b'B', &whole[..end]).err().map(|error| error.sqlstate.0);
            assert_eq!(error, Some("08P01"), "cut at {end}");
        }
        let mut longer = whole;
        longer.push(0);
        assert_eq!(decode(b'B', &longer).err().map(|error| error.sqlstate.0), Some("08P01"));
        // A value that claims more bytes than there are, and a length below -1.
        for length in [i32::MAX, -2] {
            let mut body = b"\0\0\0\0\0\x01".to_vec();
            body.put_i32(length);
            assert_eq!(decode(b'B', &body).err().map(|error| error.sqlstate.0), Some("08P01"));
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_no_violation() {
        let error = decode(b'Q', b"select '\xff'\0").err().map(|error| error.sqlstate.0);
        assert_eq!(error, Some("22021"));
    }

    #[test]
    fn frames_wait_for_their_last_byte() {
        let whole = framed(b'Q', b"select 1\0");
        for end in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..end]);
            assert!(matches!(take_frame(&mut part), Ok(None)), "cut at {end}");
            assert_eq!(part.len(), end);
        }
        let mut two = whole.clone();
        two.extend_from_slice(&framed(b'S', b""));
        assert!(matches!(take_frame(&mut two), Ok(Some(Frame { tag: b'Q', .. }))));
        assert!(matches!(take_frame(&mut two), Ok(Some(Frame { tag: b'S', .. }))));
        assert!(two.is_empty());
    }

    #[test]
    fn bad_frames_are_refused_before_they_are_read() {
        for bytes in [
            &b"z"[..],            // unknown type
            b"S\x00\x00\x00\x03", // shorter than its own length
            b"Q\xff\xff\xff\xff", // negative
            b"Q\x40\x00\x00\x00", // over 1 GiB
            b"E\x00\x00\x27\x11", // over the limit of a small one
        ] {
            assert!(take_frame(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }
}
