//! numeric: exact decimals of any Arrow width, and the unsigned 64-bit integers that bigint cannot hold.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::i256;

use super::{Values, digits};
use crate::error::Result;

/// Sign words of the binary form.
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
/// 10^19, the largest power of ten in 64 bits.
const CHUNK: u64 = 10_000_000_000_000_000_000;

struct Numerics<T: ArrowPrimitiveType> {
    array: PrimitiveArray<T>,
    scale: i8,
}

/// Integers of `T` with the decimal point `scale` digits from the right (a negative scale: zeros to add).
pub(super) fn numerics<T>(array: &ArrayRef, scale: i8) -> Box<dyn Values>
where
    T: ArrowPrimitiveType,
    T::Native: Digits,
{
    Box::new(Numerics { array: array.as_primitive::<T>().clone(), scale })
}

impl<T> Values for Numerics<T>
where
    T: ArrowPrimitiveType,
    T::Native: Digits,
{
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        Decimal::new(self.array.value(row), self.scale).text(out);
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        Decimal::new(self.array.value(row), self.scale).binary(out);
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// An integer that can spell out its magnitude.
pub(super) trait Digits: Copy + Send + Sync {
    fn is_negative(self) -> bool;

    /// The magnitude in 64-bit limbs, least significant first.
    fn limbs(self) -> [u64; 4];
}

impl Digits for u64 {
    fn is_negative(self) -> bool {
        false
    }

    fn limbs(self) -> [u64; 4] {
        [self, 0, 0, 0]
    }
}

impl Digits for i32 {
    fn is_negative(self) -> bool {
        self < 0
    }

    fn limbs(self) -> [u64; 4] {
        [self.unsigned_abs().into(), 0, 0, 0]
    }
}

impl Digits for i64 {
    fn is_negative(self) -> bool {
        self < 0
    }

    fn limbs(self) -> [u64; 4] {
        [self.unsigned_abs(), 0, 0, 0]
    }
}

impl Digits for i128 {
    fn is_negative(self) -> bool {
        self < 0
    }

    fn limbs(self) -> [u64; 4] {
        let magnitude = self.unsigned_abs();
        [magnitude as u64, (magnitude >> 64) as u64, 0, 0]
    }
}

impl Digits for i256 {
    fn is_negative(self) -> bool {
        i256::is_negative(self)
    }

    fn limbs(self) -> [u64; 4] {
        // The smallest value wraps to itself, whose bits are its magnitude when read without a sign.
        let (low, high) = self.wrapping_abs().to_parts();
        let high = high as u128;
        [low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64]
    }
}

/// A number as its decimal digits, most significant first and without leading zeros: none for zero.
struct Decimal {
    buffer: [u8; 80],
    start: usize,
    negative: bool,
    scale: i8,
}

impl Decimal {
    fn new(value: impl Digits, scale: i8) -> Self {
        let mut buffer = [b'0'; 80];
        let mut limbs = value.limbs();
        let mut end = buffer.len();
        // Nineteen digits at a time, from the right; 2^256 has 78 digits.
        while limbs[1..] != [0, 0, 0] {
            let chunk = divide(&mut limbs);
            digits::write_before(&mut buffer, end, chunk);
            end -= 19;
        }
        let start = if limbs[0] == 0 { end } else { digits::write_before(&mut buffer, end, limbs[0]) };
        Self { buffer, start, negative: value.is_negative(), scale }
    }

    fn digits(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn text(&self, out: &mut BytesMut) {
        let digits = self.digits();
        if self.negative {
            out.put_u8(b'-');
        }
        let scale = usize::from(self.scale.unsigned_abs());
        if self.scale <= 0 {
            if digits.is_empty() {
                out.put_u8(b'0');
            } else {
                out.put_slice(digits);
                out.put_bytes(b'0', scale);
            }
        } else if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            out.put_slice(whole);
            out.put_u8(b'.');
            out.put_slice(fraction);
        } else {
            out.put_slice(b"0.");
            out.put_bytes(b'0', scale - digits.len());
            out.put_slice(digits);
        }
    }

    /// Digits in base 10000, aligned on the decimal point, without the groups that are zero at either end.
    fn binary(&self, out: &mut BytesMut) {
        let digits = self.digits();
        // Power of ten of the first digit, and of the group it falls into.
        let power = digits.len() as i32 - i32::from(self.scale) - 1;
        let weight = if digits.is_empty() { 0 } else { power.div_euclid(4) };
        let mut groups = [0i16; 24];
        let mut used = 0;
        // The place of the first digit within its group.
        let mut place = 3 - power.rem_euclid(4) as usize;
        for digit in digits {
            let group = place / 4;
            groups[group] = groups[group] * 10 + i16::from(digit - b'0');
            place += 1;
            used = group + 1;
        }
        if used > 0 {
            // The last group may lack digits on its right.
            for _ in place..used * 4 {
                groups[used - 1] *= 10;
            }
        }
        while used > 0 && groups[used - 1] == 0 {
            used -= 1;
        }
        out.put_i16(used as i16);
        out.put_i16(weight as i16);
        out.put_u16(if self.negative { NEGATIVE } else { POSITIVE });
        out.put_i16(self.scale.max(0).into());
        for group in &groups[..used] {
            out.put_i16(*group);
        }
    }
}

/// Divides a 256-bit number by 10^19 in place and returns the remainder.
fn divide(limbs: &mut [u64; 4]) -> u64 {
    let mut remainder = 0u128;
    for limb in limbs.iter_mut().rev() {
        let current = (remainder << 64) | u128::from(*limb);
        *limb = (current / u128::from(CHUNK)) as u64;
        remainder = current % u128::from(CHUNK);
    }
    remainder as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: impl Digits, scale: i8) -> String {
        let mut out = BytesMut::new();
        Decimal::new(value, scale).text(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn binary(value: impl Digits, scale: i8) -> Vec<i16> {
        let mut out = BytesMut::new();
        Decimal::new(value, scale).binary(&mut out);
        out.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn text_at_full_precision() {
        assert_eq!(text(12_345i128, 2), "123.45");
        assert_eq!(text(-5i64, 3), "-0.005");
        assert_eq!(text(0i128, 2), "0.00");
        assert_eq!(text(0i32, -3), "0");
        assert_eq!(text(12i32, -3), "12000");
        assert_eq!(text(u64::MAX, 0), "18446744073709551615");
        assert_eq!(text(10i128.pow(37), 0), format!("1{}", "0".repeat(37)));
        assert_eq!(text(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
        let widest = i256::from_string(&"9".repeat(76)).unwrap_or(i256::ZERO);
        assert_eq!(text(widest, 76), format!("0.{}", "9".repeat(76)));
        assert_eq!(text(i256::MIN, 0).len(), 78);
        assert_eq!(text(10_000_000_000_000_000_000i128, 0), "10000000000000000000");
        assert_eq!(text(100_000_000_000_000_000_000_000_000_000_000_000_000i128, 0).len(), 39);
    }

    #[test]
    fn binary_groups_align_on_the_point() {
        // numeric_send: ndigits, weight, sign, dscale, digits
        assert_eq!(binary(12_345i128, 2), [2, 0, 0, 2, 123, 4500]);
        assert_eq!(binary(-1i128, 5), [1, -2, 0x4000, 5, 1000]);
        assert_eq!(binary(0i128, 2), [0, 0, 0, 2]);
        assert_eq!(binary(100_000_000i64, 0), [1, 2, 0, 0, 1]);
        assert_eq!(binary(12i32, -3), [2, 1, 0, 0, 1, 2000]);
        assert_eq!(binary(12_345_678i64, 4), [2, 0, 0, 4, 1234, 5678]);
        assert_eq!(binary(u64::MAX, 0), [5, 4, 0, 0, 1844, 6744, 737, 955, 1615]);
    }
}
