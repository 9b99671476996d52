//! real and double precision: the shortest digits that read back as the same value, in PostgreSQL's notation.

use std::fmt::{self, Write};
use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};

use super::{Formatting, Values, json};
use crate::error::Result;

/// Values of an Arrow type that are shown as `F`.
struct Floats<T: ArrowPrimitiveType, F> {
    array: PrimitiveArray<T>,
    digits: Option<usize>,
    shown: PhantomData<F>,
}

/// One of PostgreSQL's two floating-point types.
trait Float: Send + Sync {
    /// The text, with that many significant digits; `None` is as many as it takes.
    fn print(self, digits: Option<usize>, out: &mut BytesMut);

    /// What the send function writes.
    fn put(self, out: &mut BytesMut);

    /// Whether it is a number that JSON knows.
    fn is_finite(&self) -> bool;
}

impl Float for f32 {
    fn print(self, digits: Option<usize>, out: &mut BytesMut) {
        print_real(self, digits, out);
    }

    fn put(self, out: &mut BytesMut) {
        out.put_f32(self);
    }

    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }
}

impl Float for f64 {
    fn print(self, digits: Option<usize>, out: &mut BytesMut) {
        print_double(self, digits, out);
    }

    fn put(self, out: &mut BytesMut) {
        out.put_f64(self);
    }

    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

/// Values shown as real.
pub(super) fn reals<T>(array: &ArrayRef, formatting: &Formatting) -> Box<dyn Values>
where
    T: ArrowPrimitiveType,
    T::Native: Into<f32>,
{
    let digits = formatting.float_digits.map(|(real, _)| real);
    Box::new(Floats::<T, f32> { array: array.as_primitive::<T>().clone(), digits, shown: PhantomData })
}

/// Values shown as double precision.
pub(super) fn doubles<T>(array: &ArrayRef, formatting: &Formatting) -> Box<dyn Values>
where
    T: ArrowPrimitiveType,
    T::Native: Into<f64>,
{
    let digits = formatting.float_digits.map(|(_, double)| double);
    Box::new(Floats::<T, f64> { array: array.as_primitive::<T>().clone(), digits, shown: PhantomData })
}

impl<T, F> Values for Floats<T, F>
where
    T: ArrowPrimitiveType,
    T::Native: Into<F>,
    F: Float,
{
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.array.value(row).into().print(self.digits, out);
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.array.value(row).into().put(out);
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let value: F = self.array.value(row).into();
        let (start, finite) = (out.len(), value.is_finite());
        value.print(self.digits, out);
        if !finite {
            json::quote_tail(out, start);
        }
        Ok(())
    }
}

/// A finite value as `mantissa × 2^exponent`, with the number of mantissa values between two powers of two.
struct Binary {
    mantissa: u64,
    exponent: i32,
    hidden: u64,
}

fn print_real(value: f32, digits: Option<usize>, out: &mut BytesMut) {
    if special(value.into(), out) {
        return;
    }
    let scientific = match digits {
        Some(digits) => Scientific::read(format_args!("{:.*e}", digits - 1, value)),
        None => {
            let shortest = Scientific::read(format_args!("{value:e}"));
            let bits = value.to_bits();
            let hidden = 1 << 23;
            let mantissa = u64::from(bits) & (hidden - 1);
            let exponent = ((bits >> 23) & 0xff) as i32;
            shortest.off_boundary(
                &Binary { mantissa: mantissa | hidden, exponent: exponent - 150, hidden },
                9,
                |digits| Scientific::read(format_args!("{:.*e}", digits - 1, value)),
            )
        }
    };
    scientific.print(digits.unwrap_or(6), out);
}

fn print_double(value: f64, digits: Option<usize>, out: &mut BytesMut) {
    if special(value, out) {
        return;
    }
    let scientific = match digits {
        Some(digits) => Scientific::read(format_args!("{:.*e}", digits - 1, value)),
        None => {
            let shortest = Scientific::read(format_args!("{value:e}"));
            let bits = value.to_bits();
            let hidden = 1 << 52;
            let mantissa = bits & (hidden - 1);
            let exponent = ((bits >> 52) & 0x7ff) as i32;
            shortest.off_boundary(
                &Binary { mantissa: mantissa | hidden, exponent: exponent - 1075, hidden },
                17,
                |digits| Scientific::read(format_args!("{:.*e}", digits - 1, value)),
            )
        }
    };
    scientific.print(digits.unwrap_or(15), out);
}

/// Prints what has no digits; false for a finite value.
fn special(value: f64, out: &mut BytesMut) -> bool {
    let word = match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => return false,
    };
    out.put_slice(word.as_bytes());
    true
}

/// Significant digits without trailing zeros: `d.ddd × 10^exponent`.
struct Scientific {
    negative: bool,
    digits: [u8; 24],
    len: usize,
    exponent: i32,
}

impl Scientific {
    /// Reads Rust's exponent notation, which never has more than 17 digits here.
    fn read(number: fmt::Arguments<'_>) -> Self {
        let mut text = Stack { bytes: [0; 40], len: 0 };
        let mut scientific = Self { negative: false, digits: [b'0'; 24], len: 0, exponent: 0 };
        // Forty bytes hold a sign, 17 digits, the point and the exponent.
        if text.write_fmt(number).is_err() {
            return scientific;
        }
        let mut bytes = text.bytes[..text.len].iter();
        for byte in bytes.by_ref() {
            match byte {
                b'-' => scientific.negative = true,
                b'0'..=b'9' if scientific.len < scientific.digits.len() => {
                    scientific.digits[scientific.len] = *byte;
                    scientific.len += 1;
                }
                b'e' => break,
                _ => {}
            }
        }
        let mut below = false;
        for byte in bytes {
            match byte {
                b'-' => below = true,
                digit => scientific.exponent = scientific.exponent * 10 + i32::from(digit - b'0'),
            }
        }
        if below {
            scientific.exponent = -scientific.exponent;
        }
        while scientific.len > 1 && scientific.digits[scientific.len - 1] == b'0' {
            scientific.len -= 1;
        }
        scientific
    }

    /// Moves digits that lie exactly half-way to the neighbouring value a step towards the value itself.
    ///
    /// Such digits still read back as the value, by the rule that ties go to the even mantissa; PostgreSQL
    /// does not rely on that rule and prints one digit more: 9.999999999999999e+22, not 1e+23.
    fn off_boundary(self, value: &Binary, most: usize, rounded: impl Fn(usize) -> Self) -> Self {
        let mut digits = self;
        while digits.on_boundary(value) && digits.len < most {
            let longer = (digits.len + 1..=most).map(&rounded).find(|longer| longer.len > digits.len);
            match longer {
                Some(longer) => digits = longer,
                None => return digits,
            }
        }
        digits
    }

    /// Whether the digits are exactly half-way between `value` and one of its neighbours. Only large
    /// integers can be: elsewhere the middle has more digits than the shortest form ever needs.
    fn on_boundary(&self, value: &Binary) -> bool {
        let power = self.exponent - (self.len as i32 - 1);
        if !(0..=23).contains(&power) || value.exponent < 1 {
            return false;
        }
        let integer = self.digits[..self.len].iter().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
        // integer × 10^power = odd × 2^exponent, with the factors of two taken out on both sides.
        let left = integer * 5u128.pow(power as u32);
        let is = |odd: u64, exponent: i32| {
            let shift = exponent - power;
            (0..=70).contains(&shift) && left == u128::from(odd) << shift
        };
        let below = if value.mantissa == value.hidden {
            // Under a power of two the neighbours are twice as close.
            is(4 * value.mantissa - 1, value.exponent - 2)
        } else {
            is(2 * value.mantissa - 1, value.exponent - 1)
        };
        below || is(2 * value.mantissa + 1, value.exponent - 1)
    }

    /// Prints the digits, with an exponent below 10^-4 and from 10^limit on.
    fn print(&self, limit: usize, out: &mut BytesMut) {
        if self.negative {
            out.put_u8(b'-');
        }
        let digits = &self.digits[..self.len];
        if self.exponent < -4 || self.exponent >= limit as i32 {
            out.put_u8(digits[0]);
            if digits.len() > 1 {
                out.put_u8(b'.');
                out.put_slice(&digits[1..]);
            }
            out.put_u8(b'e');
            out.put_u8(if self.exponent < 0 { b'-' } else { b'+' });
            super::digits::two(out, u64::from(self.exponent.unsigned_abs()));
        } else if self.exponent < 0 {
            out.put_slice(b"0.");
            out.put_bytes(b'0', self.exponent.unsigned_abs() as usize - 1);
            out.put_slice(digits);
        } else {
            let whole = self.exponent as usize + 1;
            if digits.len() > whole {
                out.put_slice(&digits[..whole]);
                out.put_u8(b'.');
                out.put_slice(&digits[whole..]);
            } else {
                out.put_slice(digits);
                out.put_bytes(b'0', whole - digits.len());
            }
        }
    }
}

/// A string on the stack.
struct Stack {
    bytes: [u8; 40],
    len: usize,
}

impl Write for Stack {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = BytesMut::new();
        print_double(value, None, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn real(value: f32) -> String {
        let mut out = BytesMut::new();
        print_real(value, None, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn doubles_in_postgresql_notation() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (1.5e20, "1.5e+20"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (5e-324, "5e-324"),
            (1e100, "1e+100"),
            (123_456.789, "123456.789"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
            (1e23, "9.999999999999999e+22"),
            (9e22, "9e+22"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn reals_have_their_own_shortest_form() {
        for (value, text) in [
            (0.1, "0.1"),
            (123_456.0, "123456"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (16_777_216.0, "1.6777216e+07"),
            (f32::INFINITY, "Infinity"),
        ] {
            assert_eq!(real(value), text);
        }
    }

    #[test]
    fn fewer_digits_on_request() {
        let mut out = BytesMut::new();
        print_double(0.1 + 0.2, Some(15), &mut out);
        out.put_u8(b' ');
        print_real(123_456_789.0, Some(6), &mut out);
        out.put_u8(b' ');
        print_double(123.456, Some(1), &mut out);
        assert_eq!(&out[..], b"0.3 1.23457e+08 1e+02");
    }
}
