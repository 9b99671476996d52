//! The bits of one segment of a TC string: six of each character of URL-safe Base64.
//!
//! Encoders pad to six or to twenty-four bits, so segments need not be whole bytes.

/// What each byte stands for; 255 where it is none of the alphabet.
const SEXTETS: [u8; 256] = {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut sextets = [255; 256];
    let mut value = 0;
    while value < 64 {
        sextets[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    sextets
};

/// What a field of the format can be read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits {
    sextets: Vec<u8>,
    next: usize,
}

impl Bits {
    /// `None` if a character is none of the alphabet. `=` at the end is no more than padding.
    pub(super) fn of(segment: &str) -> Option<Self> {
        let text = segment.strip_suffix("==").or_else(|| segment.strip_suffix('=')).unwrap_or(segment);
        let mut all = 0;
        let sextet = |byte: u8| {
            let sextet = SEXTETS[usize::from(byte)];
            all |= sextet;
            sextet
        };
        let sextets: Vec<u8> = text.bytes().map(sextet).collect();
        if all >= 64 {
            return None;
        }
        Some(Self { sextets, next: 0 })
    }

    /// The number in the next `width` bits, the first the highest; `None` beyond the end.
    pub(super) fn number(&mut self, width: usize) -> Option<u64> {
        let end = self.end_of(width)?;
        let mut number = 0;
        while self.next < end {
            let sextet = u64::from(*self.sextets.get(self.next / 6)?);
            let left = 6 - self.next % 6;
            let taken = left.min(end - self.next);
            number = (number << taken) | ((sextet >> (left - taken)) & ((1 << taken) - 1));
            self.next += taken;
        }
        Some(number)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.number(1)? == 1)
    }

    /// Two letters of six bits each, A = 0.
    pub(super) fn letters(&mut self) -> Option<[char; 2]> {
        let mut letter = || char::from_u32(u32::try_from(self.number(6)?).ok()? + u32::from('A'));
        Some([letter()?, letter()?])
    }

    /// Passes over bits, and says where they were.
    pub(super) fn skip(&mut self, width: usize) -> Option<usize> {
        let start = self.next;
        self.next = self.end_of(width)?;
        Some(start)
    }

    /// The bit at a place.
    pub(super) fn at(&self, place: usize) -> bool {
        self.sextets.get(place / 6).is_some_and(|sextet| (sextet >> (5 - place % 6)) & 1 == 1)
    }

    fn end_of(&self, width: usize) -> Option<usize> {
        let end = self.next.checked_add(width)?;
        (end <= self.sextets.len() * 6).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cross_characters() {
        // 000010 000001 111111
        let mut bits = Bits::of("CB_").unwrap();
        assert_eq!(bits.number(6), Some(2));
        assert_eq!(bits.number(5), Some(0));
        assert_eq!(bits.number(3), Some(7));
        assert_eq!(bits.skip(3), Some(14));
        assert_eq!(bits.flag(), Some(true));
        assert_eq!(bits.number(1), None);
        assert!(bits.at(4) && !bits.at(5) && !bits.at(99));
        assert_eq!(Bits::of("C+"), None);
        assert_eq!(Bits::of("C A"), None);
        assert_eq!(Bits::of("CA=="), Bits::of("CA"));
    }
}
