//! Decimal digits: integers, zero-padded fields and fractions of a second, without the formatting machinery.

use bytes::{BufMut, BytesMut};

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Writes the digits of `value` so that they end at `end`; returns where they begin.
pub(super) fn write_before(buffer: &mut [u8], end: usize, value: u64) -> usize {
    let mut at = end;
    let mut rest = value;
    while rest >= 100 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if rest >= 10 {
        let pair = rest as usize * 2;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        buffer[at] = b'0' + rest as u8;
    }
    at
}

/// Appends an unsigned integer.
pub(super) fn unsigned(out: &mut BytesMut, value: u64) {
    padded(out, value, 1);
}

/// Appends a signed integer.
pub(super) fn signed(out: &mut BytesMut, value: i64) {
    if value < 0 {
        out.put_u8(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// Appends an integer with leading zeros up to `width` digits (at most 20).
pub(super) fn padded(out: &mut BytesMut, value: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let end = buffer.len();
    let start = write_before(&mut buffer, end, value);
    out.extend_from_slice(&buffer[start.min(end - width)..]);
}

/// Appends a field of two digits.
pub(super) fn two(out: &mut BytesMut, value: u64) {
    padded(out, value, 2);
}

/// Appends microseconds as a fraction of a second, `.5` for 500 000, nothing for 0.
pub(super) fn fraction(out: &mut BytesMut, micros: u64) {
    if micros == 0 {
        return;
    }
    out.put_u8(b'.');
    padded(out, micros, 6);
    while out.last() == Some(&b'0') {
        out.truncate(out.len() - 1);
    }
}

/// Appends a time of day, or any span, of `micros` microseconds as `HH:MM:SS[.ffffff]`.
pub(super) fn clock(out: &mut BytesMut, micros: u64) {
    let seconds = micros / 1_000_000;
    two(out, seconds / 3600);
    out.put_u8(b':');
    two(out, seconds / 60 % 60);
    out.put_u8(b':');
    two(out, seconds % 60);
    fraction(out, micros % 1_000_000);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        print(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn integers_of_every_length() {
        for value in [0, 9, 10, 99, 100, 101, 12_345, i64::MAX, i64::MIN, -1] {
            assert_eq!(printed(|out| signed(out, value)), value.to_string());
        }
        assert_eq!(printed(|out| unsigned(out, u64::MAX)), "18446744073709551615");
    }

    #[test]
    fn fields_are_padded_and_fractions_trimmed() {
        assert_eq!(printed(|out| padded(out, 44, 4)), "0044");
        assert_eq!(printed(|out| padded(out, 12_345, 4)), "12345");
        assert_eq!(printed(|out| clock(out, 3_600_000_000 + 50)), "01:00:00.00005");
        assert_eq!(printed(|out| clock(out, 100 * 3_600_000_000)), "100:00:00");
    }
}
