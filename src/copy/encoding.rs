//! Character sets of files: to UTF-8 on the way in, from it on the way out.
//!
//! The web's names for character sets, which encoding_rs follows, are not always PostgreSQL's: its `latin1` is
//! windows-1252. So Latin-1 is done here, and positions that a windows set leaves empty are errors.

use std::borrow::Cow;

use encoding_rs::{self as web, DecoderResult, EncoderResult};

use crate::error::{Error, Result, SqlState};

/// 22P05: a character that the other encoding lacks.
const UNTRANSLATABLE_CHARACTER: SqlState = SqlState("22P05");

/// A character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    /// PostgreSQL's name.
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// UTF-8 as it is; SQL_ASCII too, whose bytes have to be UTF-8 to be stored.
    Utf8,
    Latin1,
    Web(&'static web::Encoding),
}

impl Default for Encoding {
    fn default() -> Self {
        Self { name: "UTF8", kind: Kind::Utf8 }
    }
}

/// PostgreSQL's names, reduced to letters and digits, the name it shows, and the set.
const KNOWN: &[(&[&str], &str, Kind)] = &[
    (&["utf8", "unicode"], "UTF8", Kind::Utf8),
    (&["sqlascii"], "SQL_ASCII", Kind::Utf8),
    (&["latin1", "iso88591"], "LATIN1", Kind::Latin1),
    (&["latin2", "iso88592"], "LATIN2", Kind::Web(web::ISO_8859_2)),
    (&["latin3", "iso88593"], "LATIN3", Kind::Web(web::ISO_8859_3)),
    (&["latin4", "iso88594"], "LATIN4", Kind::Web(web::ISO_8859_4)),
    (&["latin6", "iso885910"], "LATIN6", Kind::Web(web::ISO_8859_10)),
    (&["latin7", "iso885913"], "LATIN7", Kind::Web(web::ISO_8859_13)),
    (&["latin8", "iso885914"], "LATIN8", Kind::Web(web::ISO_8859_14)),
    (&["latin9", "iso885915"], "LATIN9", Kind::Web(web::ISO_8859_15)),
    (&["latin10", "iso885916"], "LATIN10", Kind::Web(web::ISO_8859_16)),
    (&["iso88595"], "ISO_8859_5", Kind::Web(web::ISO_8859_5)),
    (&["iso88596"], "ISO_8859_6", Kind::Web(web::ISO_8859_6)),
    (&["iso88597"], "ISO_8859_7", Kind::Web(web::ISO_8859_7)),
    (&["iso88598"], "ISO_8859_8", Kind::Web(web::ISO_8859_8)),
    (&["win1250", "windows1250"], "WIN1250", Kind::Web(web::WINDOWS_1250)),
    (&["win1251", "win", "windows1251"], "WIN1251", Kind::Web(web::WINDOWS_1251)),
    (&["win1252", "windows1252"], "WIN1252", Kind::Web(web::WINDOWS_1252)),
    (&["win1253", "windows1253"], "WIN1253", Kind::Web(web::WINDOWS_1253)),
    (&["win1254", "windows1254"], "WIN1254", Kind::Web(web::WINDOWS_1254)),
    (&["win1255", "windows1255"], "WIN1255", Kind::Web(web::WINDOWS_1255)),
    (&["win1256", "windows1256"], "WIN1256", Kind::Web(web::WINDOWS_1256)),
    (&["win1257", "windows1257"], "WIN1257", Kind::Web(web::WINDOWS_1257)),
    (&["win1258", "windows1258", "abc", "tcvn", "tcvn5712", "vscii"], "WIN1258", Kind::Web(web::WINDOWS_1258)),
    (&["win866", "alt", "windows866"], "WIN866", Kind::Web(web::IBM866)),
    (&["win874", "windows874"], "WIN874", Kind::Web(web::WINDOWS_874)),
    (&["koi8r", "koi8"], "KOI8R", Kind::Web(web::KOI8_R)),
    (&["koi8u"], "KOI8U", Kind::Web(web::KOI8_U)),
    (&["eucjp"], "EUC_JP", Kind::Web(web::EUC_JP)),
    (&["euckr"], "EUC_KR", Kind::Web(web::EUC_KR)),
    (&["sjis", "shiftjis", "mskanji", "win932", "windows932"], "SJIS", Kind::Web(web::SHIFT_JIS)),
    (&["uhc", "win949", "windows949"], "UHC", Kind::Web(web::EUC_KR)),
    (&["big5", "win950", "windows950"], "BIG5", Kind::Web(web::BIG5)),
    (&["gbk", "win936", "windows936"], "GBK", Kind::Web(web::GBK)),
    (&["gb18030"], "GB18030", Kind::Web(web::GB18030)),
];

/// Encodings that PostgreSQL has and we can't convert.
const FOREIGN: &[&str] =
    &["latin5", "iso88599", "euccn", "euctw", "eucjis2004", "johab", "mule", "muleinternal", "shiftjis2004"];

impl Encoding {
    /// The encoding that PostgreSQL knows by this name; `None` if it knows none.
    ///
    /// # Errors
    /// 0A000 for one that we can't convert.
    pub(crate) fn named(name: &str) -> Result<Option<Self>> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        if FOREIGN.contains(&plain.as_str()) {
            return Err(Error::unsupported(format!("encoding \"{name}\"")).with_hint("convert the file to UTF8"));
        }
        let known = KNOWN.iter().find(|(names, _, _)| names.contains(&plain.as_str()));
        Ok(known.map(|(_, name, kind)| Self { name, kind: *kind }))
    }

    /// A converter of one file to UTF-8; `None` if there is nothing to convert.
    pub(crate) fn decoder(self) -> Option<ToUtf8> {
        match self.kind {
            Kind::Utf8 => None,
            Kind::Latin1 => Some(ToUtf8 { name: self.name, decoder: None }),
            Kind::Web(set) => Some(ToUtf8 { name: self.name, decoder: Some(set.new_decoder_without_bom_handling()) }),
        }
    }

    /// UTF-8 text in this encoding.
    ///
    /// # Errors
    /// 22P05 for a character it lacks.
    pub(crate) fn encode<'a>(self, text: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        if self.kind == Kind::Utf8 || text.is_ascii() {
            return Ok(Cow::Borrowed(text));
        }
        let text = std::str::from_utf8(text).map_err(|_| Error::internal("text that is not UTF-8"))?;
        let lacking = |character: char| {
            let bytes: Vec<String> =
                character.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("0x{byte:02x}")).collect();
            let message = format!(
                "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"{}\"",
                bytes.join(" "),
                self.name
            );
            Error::new(UNTRANSLATABLE_CHARACTER, message)
        };
        let Kind::Web(set) = self.kind else {
            let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| lacking(c)));
            return Ok(Cow::Owned(bytes.collect::<Result<Vec<u8>>>()?));
        };
        let mut encoder = set.new_encoder();
        let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
        let mut bytes = Vec::with_capacity(room.unwrap_or(text.len() * 4));
        match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true).0 {
            EncoderResult::InputEmpty => Ok(Cow::Owned(bytes)),
            EncoderResult::Unmappable(character) => Err(lacking(character)),
            EncoderResult::OutputFull => Err(Error::internal("an encoded text is longer than it can be")),
        }
    }
}

/// A file on its way to UTF-8, chunk by chunk.
pub(crate) struct ToUtf8 {
    name: &'static str,
    /// None for Latin-1.
    decoder: Option<web::Decoder>,
}

impl ToUtf8 {
    /// Appends a chunk to `out` as UTF-8; `last` when nothing follows it. After an error what came before the fault
    /// has been appended.
    pub(crate) fn push(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        let Some(decoder) = &mut self.decoder else {
            for byte in chunk {
                let mut buffer = [0; 2];
                out.extend_from_slice(char::from(*byte).encode_utf8(&mut buffer).as_bytes());
            }
            return Ok(());
        };
        let room = decoder.max_utf8_buffer_length_without_replacement(chunk.len()).unwrap_or(chunk.len() * 4 + 16);
        let mut text = String::with_capacity(room);
        let (result, read) = decoder.decode_to_string_without_replacement(chunk, &mut text, last);
        // The control characters that windows sets are padded with stand for nothing.
        let empty = self.name.starts_with("WIN").then(|| text.find(|c| ('\u{80}'..='\u{9f}').contains(&c))).flatten();
        let whole = &text[..empty.unwrap_or(text.len())];
        out.extend_from_slice(whole.as_bytes());
        if let Some(character) = empty.and_then(|at| text[at..].chars().next()) {
            return Err(self.lacking(&[u32::from(character) as u8]));
        }
        match result {
            DecoderResult::InputEmpty => Ok(()),
            DecoderResult::OutputFull => Err(Error::internal("a decoded text is longer than it can be")),
            DecoderResult::Malformed(length, after) => {
                let end = read.saturating_sub(usize::from(after));
                let start = end.saturating_sub(usize::from(length));
                Err(self.lacking(chunk.get(start..end).unwrap_or_default()))
            }
        }
    }

    fn lacking(&self, bytes: &[u8]) -> Error {
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!(
            "character with byte sequence {} in encoding \"{}\" has no equivalent in encoding \"UTF8\"",
            bytes.join(" "),
            self.name
        );
        Error::new(UNTRANSLATABLE_CHARACTER, message)
    }
}

/// The error for bytes that are no UTF-8, as PostgreSQL words it: the sequence that its first byte promises.
pub(crate) fn not_utf8(bytes: &[u8]) -> Error {
    let at = match std::str::from_utf8(bytes) {
        Ok(text) => text.find('\0').unwrap_or(0),
        Err(error) => error.valid_up_to(),
    };
    let rest = bytes.get(at..).unwrap_or_default();
    let promised = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let shown: Vec<String> = rest.iter().take(promised).map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
    Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
}

/// Checked text: UTF-8 without a zero byte.
pub(crate) fn checked(bytes: &[u8]) -> Result<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => Ok(text),
        _ => Err(not_utf8(bytes)),
    }
}
