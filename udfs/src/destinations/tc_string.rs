//! TC strings of the IAB's Transparency and Consent Framework, versions 2.0 to 2.3: core, disclosed vendors, publisher.
//!
//! Source: IAB Tech Lab, Consent string and vendor list formats v2. A string is read in full or not at all: what breaks
//! off, has a character that is none of its alphabet, a range that is turned round, or a segment twice, is no consent.

use super::tc_bits::Bits;

/// The purposes of which the format has room.
pub(super) const PURPOSES: u32 = 24;
/// The special features.
pub(super) const SPECIAL_FEATURES: u32 = 12;

/// A set of small numbers from 1, as its bits stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags {
    bits: u64,
    count: u32,
}

impl Flags {
    fn read(bits: &mut Bits, count: u32) -> Option<Self> {
        Some(Self { bits: bits.number(count as usize)?, count })
    }

    pub(super) fn contains(self, number: u32) -> bool {
        (1..=self.count).contains(&number) && (self.bits >> (self.count - number)) & 1 == 1
    }

    pub(super) fn numbers(self) -> impl Iterator<Item = u32> {
        (1..=self.count).filter(move |number| self.contains(*number))
    }
}

/// Vendors, in one of the two forms that the format has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Vendors {
    /// A bit for each from 1, from a place in the segment.
    Bits { first: usize, count: u16 },
    /// From, to, both included.
    Ranges(Vec<(u16, u16)>),
}

impl Vendors {
    fn read(bits: &mut Bits) -> Option<Self> {
        let last = number16(bits)?;
        if bits.flag()? {
            let ranges = ranges(bits)?;
            return ranges.iter().all(|(_, to)| *to <= last).then_some(Self::Ranges(ranges));
        }
        Some(Self::Bits { first: bits.skip(usize::from(last))?, count: last })
    }

    /// Whether `vendor` is among them; `bits` is the segment that they were read from.
    pub(super) fn contains(&self, bits: &Bits, vendor: u16) -> bool {
        match self {
            Self::Bits { first, count } => (1..=*count).contains(&vendor) && bits.at(first + usize::from(vendor) - 1),
            Self::Ranges(ranges) => is_in(ranges, vendor),
        }
    }

    /// All of them, ascending and once.
    pub(super) fn numbers(&self, bits: &Bits) -> Vec<u16> {
        match self {
            Self::Bits { count, .. } => (1..=*count).filter(|vendor| self.contains(bits, *vendor)).collect(),
            Self::Ranges(ranges) => numbers_in(ranges),
        }
    }
}

/// The vendors of ranges, ascending and once, whatever their order.
pub(super) fn numbers_in(ranges: &[(u16, u16)]) -> Vec<u16> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut next = 1;
    let mut numbers = Vec::new();
    for (from, to) in sorted {
        numbers.extend(u32::from(from).max(next)..=u32::from(to));
        next = next.max(u32::from(to) + 1);
    }
    numbers.into_iter().filter_map(|number| u16::try_from(number).ok()).collect()
}

fn is_in(ranges: &[(u16, u16)], vendor: u16) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&vendor))
}

fn number16(bits: &mut Bits) -> Option<u16> {
    u16::try_from(bits.number(16)?).ok()
}

fn ranges(bits: &mut Bits) -> Option<Vec<(u16, u16)>> {
    let count = bits.number(12)?;
    let range = |_| {
        let several = bits.flag()?;
        let from = number16(bits)?;
        let to = if several { number16(bits)? } else { from };
        (1 <= from && from <= to).then_some((from, to))
    };
    (0..count).map(range).collect()
}

/// What the publisher allows vendors to do for a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restriction {
    pub(super) purpose: u32,
    pub(super) kind: RestrictionKind,
    pub(super) vendors: Vec<(u16, u16)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestrictionKind {
    NotAllowed,
    RequireConsent,
    RequireLegitimateInterest,
    /// Not defined; taken for a prohibition.
    Undefined,
}

impl RestrictionKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::RequireConsent => "require_consent",
            Self::RequireLegitimateInterest => "require_legitimate_interest",
            Self::Undefined => "undefined",
        }
    }
}

/// The publisher's own purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Publisher {
    pub(super) purposes: Flags,
    pub(super) legitimate_interests: Flags,
    pub(super) custom_purposes: Flags,
    pub(super) custom_legitimate_interests: Flags,
}

/// A TC string, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TcString {
    /// Tenths of a second since 1970.
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) cmp_id: u64,
    pub(super) cmp_version: u64,
    pub(super) consent_screen: u64,
    pub(super) consent_language: [char; 2],
    pub(super) vendor_list_version: u64,
    pub(super) policy_version: u64,
    pub(super) is_service_specific: bool,
    pub(super) use_non_standard_texts: bool,
    pub(super) special_features: Flags,
    pub(super) purposes: Flags,
    pub(super) legitimate_interests: Flags,
    pub(super) purpose_one_treatment: bool,
    pub(super) publisher_country: [char; 2],
    pub(super) vendors: Vendors,
    pub(super) vendor_legitimate_interests: Vendors,
    pub(super) restrictions: Vec<Restriction>,
    pub(super) core: Bits,
    pub(super) disclosed: Option<(Bits, Vendors)>,
    pub(super) publisher: Option<Publisher>,
}

impl TcString {
    /// `None` if it can't be read in full.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut segments = text.trim().split('.');
        let mut tc = Self::read_core(Bits::of(segments.next()?)?)?;
        let mut allowed = false;
        for segment in segments {
            let mut bits = Bits::of(segment)?;
            let twice = match bits.number(3)? {
                1 => {
                    let vendors = Vendors::read(&mut bits)?;
                    tc.disclosed.replace((bits, vendors)).is_some()
                }
                // Vendors allowed to act out of band, until version 2.2; nothing asks for them.
                2 => Vendors::read(&mut bits).map(|_| std::mem::replace(&mut allowed, true))?,
                3 => tc.publisher.replace(Self::read_publisher(&mut bits)?).is_some(),
                _ => return None,
            };
            if twice {
                return None;
            }
        }
        Some(tc)
    }

    fn read_core(mut bits: Bits) -> Option<Self> {
        if bits.number(6)? != 2 {
            return None;
        }
        Some(Self {
            created: bits.number(36)?,
            updated: bits.number(36)?,
            cmp_id: bits.number(12)?,
            cmp_version: bits.number(12)?,
            consent_screen: bits.number(6)?,
            consent_language: bits.letters()?,
            vendor_list_version: bits.number(12)?,
            policy_version: bits.number(6)?,
            is_service_specific: bits.flag()?,
            use_non_standard_texts: bits.flag()?,
            special_features: Flags::read(&mut bits, SPECIAL_FEATURES)?,
            purposes: Flags::read(&mut bits, PURPOSES)?,
            legitimate_interests: Flags::read(&mut bits, PURPOSES)?,
            purpose_one_treatment: bits.flag()?,
            publisher_country: bits.letters()?,
            vendors: Vendors::read(&mut bits)?,
            vendor_legitimate_interests: Vendors::read(&mut bits)?,
            restrictions: Self::read_restrictions(&mut bits)?,
            core: bits,
            disclosed: None,
            publisher: None,
        })
    }

    fn read_restrictions(bits: &mut Bits) -> Option<Vec<Restriction>> {
        let count = bits.number(12)?;
        let restriction = |_| {
            let purpose = u32::try_from(bits.number(6)?).ok()?;
            let kind = match bits.number(2)? {
                0 => RestrictionKind::NotAllowed,
                1 => RestrictionKind::RequireConsent,
                2 => RestrictionKind::RequireLegitimateInterest,
                _ => RestrictionKind::Undefined,
            };
            Some(Restriction { purpose, kind, vendors: ranges(bits)? })
        };
        (0..count).map(restriction).collect()
    }

    fn read_publisher(bits: &mut Bits) -> Option<Publisher> {
        let purposes = Flags::read(bits, PURPOSES)?;
        let legitimate_interests = Flags::read(bits, PURPOSES)?;
        let custom = u32::try_from(bits.number(6)?).ok()?;
        Some(Publisher {
            purposes,
            legitimate_interests,
            custom_purposes: Flags::read(bits, custom)?,
            custom_legitimate_interests: Flags::read(bits, custom)?,
        })
    }

    /// Whether the vendor has the person's consent; for a purpose, whether it may process for it by consent: both have
    /// it, and the publisher does not demand another basis.
    pub(super) fn vendor(&self, vendor: u16, purpose: Option<u32>) -> bool {
        let granted = self.vendors.contains(&self.core, vendor);
        granted
            && purpose.is_none_or(|purpose| {
                self.purposes.contains(purpose)
                    && !self.restricts(purpose, vendor, |kind| kind != RestrictionKind::RequireConsent)
            })
    }

    /// Whether legitimate interest is established for a purpose, and for a vendor if one is given.
    pub(super) fn legitimate_interest(&self, purpose: u32, vendor: Option<u16>) -> bool {
        self.legitimate_interests.contains(purpose)
            && self.may_rest_on_interest(purpose)
            && vendor.is_none_or(|vendor| {
                self.vendor_legitimate_interests.contains(&self.core, vendor)
                    && !self.restricts(purpose, vendor, |kind| kind != RestrictionKind::RequireLegitimateInterest)
            })
    }

    /// Purpose 1 never rests on legitimate interest, and 3 to 6 not since version 4 of the policies (TCF 2.2).
    fn may_rest_on_interest(&self, purpose: u32) -> bool {
        purpose != 1 && !(self.policy_version >= 4 && (3..=6).contains(&purpose))
    }

    fn restricts(&self, purpose: u32, vendor: u16, matters: impl Fn(RestrictionKind) -> bool) -> bool {
        let concerns =
            |restriction: &&Restriction| restriction.purpose == purpose && is_in(&restriction.vendors, vendor);
        self.restrictions.iter().filter(concerns).any(|restriction| matters(restriction.kind))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes strings bit by bit, for tests alone.
    #[derive(Default)]
    pub(in super::super) struct Writer(Vec<bool>);

    impl Writer {
        pub(in super::super) fn put(mut self, number: u64, width: usize) -> Self {
            self.0.extend((0..width).rev().map(|bit| (number >> bit) & 1 == 1));
            self
        }

        pub(in super::super) fn flags(self, numbers: &[u64], width: usize) -> Self {
            let bits = numbers.iter().fold(0, |bits, number| bits | 1 << (width as u64 - number));
            self.put(bits, width)
        }

        pub(in super::super) fn ranges(self, ranges: &[(u64, u64)]) -> Self {
            ranges.iter().fold(self.put(ranges.len() as u64, 12), |writer, (from, to)| {
                if from == to { writer.put(0, 1).put(*from, 16) } else { writer.put(1, 1).put(*from, 16).put(*to, 16) }
            })
        }

        /// Version 2 with these purposes and interests, up to the vendors.
        pub(in super::super) fn core(policy: u64, purposes: &[u64], interests: &[u64]) -> Self {
            let head =
                Self::default().put(2, 6).put(17_000_000_000, 36).put(17_000_000_010, 36).put(300, 12).put(7, 12);
            let head = head.put(3, 6).put(5, 6).put(17, 6).put(48, 12).put(policy, 6).put(1, 1).put(0, 1);
            let head = head.flags(&[1], 12).flags(purposes, 24).flags(interests, 24).put(0, 1);
            head.put(3, 6).put(4, 6)
        }

        pub(in super::super) fn text(self) -> String {
            const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let sextet = |bits: &[bool]| {
                let value = (0..6).fold(0, |value, bit| value << 1 | usize::from(*bits.get(bit).unwrap_or(&false)));
                char::from(ALPHABET[value])
            };
            self.0.chunks(6).map(sextet).collect()
        }
    }

    fn vendors(tc: &TcString) -> Vec<u16> {
        tc.vendors.numbers(&tc.core)
    }

    /// The example of the specification.
    #[test]
    fn example_of_the_format() {
        let tc =
            TcString::read("CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA.YAAAAAAAAAAA").unwrap();
        assert_eq!((tc.created, tc.updated), (17_489_088_000, 17_489_088_000));
        assert_eq!((tc.cmp_id, tc.vendor_list_version, tc.policy_version), (880, 48, 2));
        assert_eq!((tc.consent_language, tc.publisher_country), (['E', 'N'], ['D', 'E']));
        assert!(tc.is_service_specific);
        assert_eq!(vendors(&tc), [1, 2, 3, 4]);
        let (bits, disclosed) = tc.disclosed.as_ref().unwrap();
        assert_eq!(disclosed.numbers(bits), [1, 2, 3, 4, 5, 100, 404]);
        assert_eq!(tc.publisher.unwrap().custom_purposes.numbers().count(), 0);
        assert!(tc.vendor(4, None) && !tc.vendor(5, None) && !tc.vendor(4, Some(1)));
    }

    /// What the IAB's decoder for Java is tested with.
    #[test]
    fn examples_of_the_java_decoder() {
        let tc = TcString::read("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA").unwrap();
        // 2020-01-26 17:01 and 2021-02-02 17:01
        assert_eq!((tc.created, tc.updated), (15_800_580_600, 16_122_852_600));
        assert_eq!((tc.cmp_id, tc.cmp_version, tc.consent_screen), (675, 2, 1));
        assert_eq!((tc.vendor_list_version, tc.policy_version), (15, 2));
        assert_eq!((tc.consent_language, tc.publisher_country), (['E', 'N'], ['A', 'A']));
        assert!(!tc.is_service_specific && tc.purpose_one_treatment && !tc.use_non_standard_texts);
        assert_eq!(tc.special_features.numbers().collect::<Vec<_>>(), [1]);
        assert_eq!(tc.purposes.numbers().collect::<Vec<_>>(), [2, 10]);
        assert_eq!(tc.legitimate_interests.numbers().collect::<Vec<_>>(), [2, 9]);

        let text = "COrEAV4OrXx94ACABBENAHCIAD-AAAAAAACAAxAAAAgAIAwgAgAAAAEAgQAAAAAEAYQAQAAAACAAAABAAA\
                    .IBAgAAAgAIAwgAgAAAAEAAAACA.QAagAQAgAIAwgA.cAAAAAAAITg=";
        let tc = TcString::read(text).unwrap();
        assert_eq!(tc.purposes.numbers().collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(vendors(&tc), [23, 37, 47, 48, 53, 65, 98]);
        assert_eq!(tc.vendor_legitimate_interests.numbers(&tc.core), [37, 47, 48, 53, 65, 98, 129]);
        let (bits, disclosed) = tc.disclosed.as_ref().unwrap();
        assert_eq!(disclosed.numbers(bits), [23, 37, 47, 48, 53, 65, 98, 129]);
        assert_eq!(tc.publisher.unwrap().purposes.numbers().count(), 1);

        let tc = TcString::read("COwBOpCOwBOpCLqAAAENAPCAAAAAAAAAAAAAFfwAYFfAV-BVkAGBVYFWAAA").unwrap();
        assert_eq!(vendors(&tc), [702, 703]);
        let tc = TcString::read("COv__-wOv__-wC2AAAENAPCgAAAAAAAAAAAAA_wAQA_gEBABAEAAAA").unwrap();
        assert_eq!(tc.vendor_legitimate_interests.numbers(&tc.core), [128]);
    }

    #[test]
    fn restrictions_take_a_basis_away() {
        let core = Writer::core(5, &[1, 2, 4], &[1, 2, 4, 7]);
        let core = core.put(30, 16).put(1, 1).ranges(&[(10, 20), (3, 3)]);
        let core = core.put(12, 16).put(0, 1).flags(&[10, 11, 12], 12);
        let restricted = core.put(4, 12).put(2, 6).put(0, 2).ranges(&[(11, 11)]);
        let restricted = restricted.put(2, 6).put(2, 2).ranges(&[(12, 12)]).put(7, 6).put(1, 2).ranges(&[(10, 10)]);
        let tc = TcString::read(&restricted.put(4, 6).put(3, 2).ranges(&[(1, 65535)]).text()).unwrap();
        assert_eq!(vendors(&tc), [3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
        assert!(tc.vendor(10, Some(2)) && tc.vendor(11, Some(1)));
        // Forbidden; legitimate interest demanded; what is not defined; no consent for the purpose.
        for (vendor, purpose) in [(11, 2), (12, 2), (10, 4), (10, 3)] {
            assert!(!tc.vendor(vendor, Some(purpose)), "{vendor} {purpose}");
        }
        assert!(tc.legitimate_interest(2, None) && tc.legitimate_interest(7, Some(11)));
        assert!(tc.legitimate_interest(2, Some(12)));
        for (purpose, vendor) in [(7, Some(10)), (2, Some(11)), (2, Some(9)), (1, None), (4, None), (9, None)] {
            assert!(!tc.legitimate_interest(purpose, vendor), "{purpose} {vendor:?}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_no_consent() {
        let whole = "CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA";
        for end in 0..whole.len() - 1 {
            assert_eq!(TcString::read(&whole[..end]), None, "{end}");
        }
        let with = |segment: &str| TcString::read(&format!("{whole}.{segment}"));
        assert!(with("IDKQA4AAgAKAGQAygAAA").is_some());
        for segment in
            ["", "A", "IDKQ", "ID KQ", "gAAA", "YAAAAAAAAAAA.YAAAAAAAAAAA", "IDKQA4AAgAKAGQAygAAA.IDKQA4AAgAKAGQAygAAA"]
        {
            assert_eq!(with(segment), None, "{segment}");
        }
        // A string of version 1.
        assert_eq!(TcString::read("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA"), None);
        let vendors = |last: u64, ranges: &[(u64, u64)]| {
            let core = Writer::core(5, &[1], &[]).put(last, 16).put(1, 1).ranges(ranges).put(0, 17).put(0, 12);
            TcString::read(&core.text())
        };
        assert!(vendors(9, &[(2, 9)]).is_some());
        for ranges in [[(9, 2)], [(0, 3)], [(2, 10)]] {
            assert_eq!(vendors(9, &ranges), None, "{ranges:?}");
        }
    }

    #[test]
    fn ranges_overlap_once() {
        assert_eq!(numbers_in(&[(4, 6), (1, 2), (5, 8), (2, 2)]), [1, 2, 4, 5, 6, 7, 8]);
        assert_eq!(numbers_in(&[(65535, 65535), (1, 65535)]).len(), 65535);
    }
}
