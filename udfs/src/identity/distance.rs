//! Similarities of two texts, as sequences of bytes (ASCII) or of characters.
//!
//! Record linkage asks whether a distance is within a bound: most of its pairs end at a cheap lower bound.

/// Memory that the comparisons of many pairs share.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The places of each ASCII character in the text at hand, as bits; empty between two pairs.
    places: [u64; 128],
    matrix: Vec<u32>,
    rows: Vec<usize>,
    taken: Vec<bool>,
    matched: Vec<u32>,
    left: Vec<u32>,
    right: Vec<u32>,
}

impl Default for Scratch {
    fn default() -> Self {
        let [matrix, matched, left, right] = [const { Vec::new() }; 4];
        Self { places: [0; 128], matrix, rows: Vec::new(), taken: Vec::new(), matched, left, right }
    }
}

/// The similarity of Jaro and Winkler, from 0 to 1.
pub(super) fn jaro_winkler(left: &str, right: &str, scratch: &mut Scratch) -> f64 {
    let (a, b) = (left.as_bytes(), right.as_bytes());
    if a.len() <= 64 && b.len() <= 64 && left.is_ascii() && right.is_ascii() {
        return winkler(a, b, jaro_of_bits(a, b, &mut scratch.places));
    }
    if left == right {
        return 1.0;
    }
    with_characters(left, right, scratch, |a, b, scratch| winkler(a, b, jaro(a, b, scratch)))
}

/// The Levenshtein distance if it is at most `limit`.
pub(super) fn levenshtein_within(left: &str, right: &str, limit: u32, scratch: &mut Scratch) -> Option<u32> {
    Some(edits(left, right, limit, false, scratch)).filter(|edits| *edits <= limit)
}

/// The Damerau-Levenshtein distance if it is at most `limit`.
pub(super) fn damerau_levenshtein_within(left: &str, right: &str, limit: u32, scratch: &mut Scratch) -> Option<u32> {
    Some(edits(left, right, limit, true, scratch)).filter(|edits| *edits <= limit)
}

/// The Damerau-Levenshtein distance: a swap of neighbours is one edit, and what was swapped may be edited further.
pub(super) fn damerau_levenshtein(left: &str, right: &str, scratch: &mut Scratch) -> u32 {
    edits(left, right, NO_LIMIT, true, scratch)
}

const NO_LIMIT: u32 = u32::MAX;

/// The number of edits if it is at most `limit`, else any number above it.
fn edits(left: &str, right: &str, limit: u32, swaps: bool, scratch: &mut Scratch) -> u32 {
    let (a, b) = (left.as_bytes(), right.as_bytes());
    if left.is_ascii() && right.is_ascii() {
        let hopeless = limit != NO_LIMIT && unlike(a, b, limit);
        return if hopeless { NO_LIMIT } else { of_differing(a, b, limit, swaps, scratch) };
    }
    with_characters(left, right, scratch, |a, b, scratch| of_differing(a, b, limit, swaps, scratch))
}

fn with_characters<T>(
    left: &str,
    right: &str,
    scratch: &mut Scratch,
    measure: impl Fn(&[u32], &[u32], &mut Scratch) -> T,
) -> T {
    let (mut a, mut b) = (std::mem::take(&mut scratch.left), std::mem::take(&mut scratch.right));
    a.clear();
    b.clear();
    a.extend(left.chars().map(u32::from));
    b.extend(right.chars().map(u32::from));
    let measured = measure(&a, &b, scratch);
    (scratch.left, scratch.right) = (a, b);
    measured
}

/// Winkler's bonus for up to four equal characters at the start, for texts that are alike already.
fn winkler<T: PartialEq>(a: &[T], b: &[T], jaro: f64) -> f64 {
    if jaro <= 0.7 {
        return jaro;
    }
    let prefix = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
    jaro + prefix as f64 * 0.1 * (1.0 - jaro)
}

fn of_counts(a: usize, b: usize, common: usize, out_of_order: usize) -> f64 {
    if common == 0 {
        return if a == 0 && b == 0 { 1.0 } else { 0.0 };
    }
    let common = common as f64;
    let swapped = (out_of_order / 2) as f64;
    (common / a as f64 + common / b as f64 + (common - swapped) / common) / 3.0
}

fn window(a: usize, b: usize) -> usize {
    (a.max(b) / 2).saturating_sub(1)
}

/// Jaro's similarity of at most 64 ASCII characters each: the places of a character are the bits of a word.
fn jaro_of_bits(a: &[u8], b: &[u8], places: &mut [u64; 128]) -> f64 {
    let window = window(a.len(), b.len());
    // A byte of ASCII is below 128; the mask says so to the compiler.
    for (place, byte) in b.iter().enumerate() {
        places[usize::from(*byte & 127)] |= 1 << place;
    }
    let mut taken = 0_u64;
    let mut matched = 0_u64;
    for (place, byte) in a.iter().enumerate() {
        let near = from(place.saturating_sub(window)) & !from(place + window + 1);
        let free = places[usize::from(*byte & 127)] & near & !taken;
        if free != 0 {
            taken |= free & free.wrapping_neg();
            matched |= 1 << place;
        }
    }
    for byte in b {
        places[usize::from(*byte & 127)] = 0;
    }
    let common = matched.count_ones() as usize;
    let mut out_of_order = 0;
    while matched != 0 {
        if a.get(matched.trailing_zeros() as usize) != b.get(taken.trailing_zeros() as usize) {
            out_of_order += 1;
        }
        matched &= matched - 1;
        taken &= taken.wrapping_sub(1);
    }
    of_counts(a.len(), b.len(), common, out_of_order)
}

/// The bits from a place on.
fn from(place: usize) -> u64 {
    if place < 64 { u64::MAX << place } else { 0 }
}

/// Jaro's similarity of any texts.
fn jaro(a: &[u32], b: &[u32], scratch: &mut Scratch) -> f64 {
    let window = window(a.len(), b.len());
    let Scratch { taken, matched, .. } = scratch;
    taken.clear();
    taken.resize(b.len(), false);
    matched.clear();
    for (place, character) in a.iter().enumerate() {
        let near = place.saturating_sub(window)..b.len().min(place + window + 1);
        let (Some(others), Some(flags)) = (b.get(near.clone()), taken.get_mut(near)) else { continue };
        let found = others.iter().zip(flags).find(|(other, taken)| *other == character && !**taken);
        if let Some((_, taken)) = found {
            *taken = true;
            matched.push(*character);
        }
    }
    let in_order = b.iter().zip(taken.iter()).filter(|(_, taken)| **taken).map(|(character, _)| character);
    let out_of_order = matched.iter().zip(in_order).filter(|(x, y)| x != y).count();
    of_counts(a.len(), b.len(), matched.len(), out_of_order)
}

/// Whether the letters alone, in whatever order, are more than `limit` edits apart.
fn unlike(a: &[u8], b: &[u8], limit: u32) -> bool {
    let limit = limit as usize;
    if a.len().abs_diff(b.len()) > limit {
        return true;
    }
    let mut counts = [0_i8; 128];
    // Longer texts could overflow a count.
    if a.len() > 100 || b.len() > 100 {
        return false;
    }
    for byte in a {
        counts[usize::from(byte & 127)] += 1;
    }
    let mut missing = 0;
    for byte in b {
        let count = &mut counts[usize::from(byte & 127)];
        *count -= 1;
        missing += usize::from(*count < 0);
    }
    // What the left has more of: as many, and the difference of the lengths.
    missing > limit || (missing + a.len()).saturating_sub(b.len()) > limit
}

/// [`edits`] of what is left without a common start and end.
fn of_differing<T: PartialEq>(a: &[T], b: &[T], limit: u32, swaps: bool, scratch: &mut Scratch) -> u32 {
    let (a, b) = differing(a, b);
    if a.is_empty() || b.is_empty() || a.len().abs_diff(b.len()) > limit as usize {
        return a.len().max(b.len()) as u32;
    }
    if swaps { with_swaps(a, b, scratch) } else { without_swaps(a, b, limit, &mut scratch.matrix) }
}

/// One row of the usual matrix is enough.
fn without_swaps<T: PartialEq>(a: &[T], b: &[T], limit: u32, row: &mut Vec<u32>) -> u32 {
    row.clear();
    row.extend(0..=b.len() as u32);
    let mut last = 0;
    for (i, x) in a.iter().enumerate() {
        let mut corner = i as u32;
        let mut side = i as u32 + 1;
        let mut best = side;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = side;
        }
        for (cell, y) in cells.zip(b) {
            let cost = (corner + u32::from(x != y)).min(*cell + 1).min(side + 1);
            corner = *cell;
            side = cost;
            best = best.min(cost);
            *cell = cost;
        }
        last = side;
        if best > limit {
            break;
        }
    }
    last
}

/// The unrestricted distance of Damerau, by the matrix of Lowrance and Wagner (1975): rows are prefixes of `a`, columns
/// of `b`, and before both there is a border that no swap reaches over.
fn with_swaps<T: PartialEq>(a: &[T], b: &[T], scratch: &mut Scratch) -> u32 {
    let Scratch { matrix, rows, .. } = scratch;
    let width = b.len() + 2;
    let border = (a.len() + b.len()) as u32;
    matrix.clear();
    matrix.resize((a.len() + 2) * width, border);
    for column in 0..=b.len() {
        matrix[width + column + 1] = column as u32;
    }
    // For each column the last row that has its character.
    rows.clear();
    rows.resize(b.len(), 0);
    for (row, x) in (1..).zip(a) {
        let (above, here) = (row * width, (row + 1) * width);
        matrix[here + 1] = row as u32;
        // The last column that has the row's character.
        let mut equal = 0;
        for ((column, y), last_row) in (1..).zip(b).zip(rows.iter_mut()) {
            let swapped = matrix[*last_row * width + equal] + (row - *last_row + column - equal - 1) as u32;
            let least = matrix[above + column] + u32::from(x != y);
            let least = least.min(matrix[here + column] + 1).min(matrix[above + column + 1] + 1).min(swapped);
            matrix[here + column + 1] = least;
            if x == y {
                equal = column;
                *last_row = row;
            }
        }
    }
    matrix[(a.len() + 1) * width + b.len() + 1]
}

/// The texts without what they start and end with alike.
fn differing<'a, T: PartialEq>(a: &'a [T], b: &'a [T]) -> (&'a [T], &'a [T]) {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(start..).unwrap_or_default(), b.get(start..).unwrap_or_default());
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (a.get(..a.len() - end).unwrap_or_default(), b.get(..b.len() - end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text of up to six of three letters against every eleventh other: as `strsim`, in letters of one byte and
    /// of two.
    #[test]
    fn as_another_implementation() {
        let mut texts = vec![String::new()];
        let mut from = 0;
        for _ in 0..5 {
            let to = texts.len();
            for place in from..to {
                for letter in ['a', 'b', 'c'] {
                    texts.push(format!("{}{letter}", texts[place]));
                }
            }
            from = to;
        }
        let mut scratch = Scratch::default();
        for l in &texts {
            for r in texts.iter().step_by(11) {
                let wide = |text: &str| text.replace('a', "ä").replace('c', "€");
                for (l, r) in [(l.clone(), r.clone()), (wide(l), wide(r))] {
                    assert_eq!(jaro_winkler(&l, &r, &mut scratch), strsim::jaro_winkler(&l, &r), "{l} {r}");
                    let expected = strsim::damerau_levenshtein(&l, &r);
                    assert_eq!(damerau_levenshtein(&l, &r, &mut scratch) as usize, expected, "{l} {r}");
                    for limit in [1, 2, 3] {
                        let within = |distance: usize| u32::try_from(distance).ok().filter(|known| *known <= limit);
                        let expected = within(strsim::levenshtein(&l, &r));
                        assert_eq!(levenshtein_within(&l, &r, limit, &mut scratch), expected, "{l} {r}");
                        let expected = within(strsim::damerau_levenshtein(&l, &r));
                        assert_eq!(damerau_levenshtein_within(&l, &r, limit, &mut scratch), expected, "{l} {r}");
                    }
                }
            }
        }
    }

    /// The examples of Winkler's papers.
    #[test]
    fn published_values() {
        let similarity = |a: &str, b: &str| jaro_winkler(a, b, &mut Scratch::default());
        for (a, b, expected) in
            [("martha", "marhta", 0.961), ("dwayne", "duane", 0.840), ("dixon", "dicksonx", 0.813), ("", "", 1.0)]
        {
            assert!((similarity(a, b) - expected).abs() < 0.0005, "{a} {b}");
        }
        assert_eq!(similarity("", "a"), 0.0);
        assert_eq!(similarity("élodie", "elodie"), similarity("xlodie", "elodie"));
    }

    #[test]
    fn mistakes_are_counted() {
        let mut scratch = Scratch::default();
        for (a, b, expected) in [
            ("", "", 0),
            ("ab", "", 2),
            ("ab", "ba", 1),
            ("ca", "abc", 2),
            ("dupont", "dupnot", 1),
            ("élodie", "eldoie", 2),
            ("kitten", "sitting", 3),
            ("a cat", "an abct", 3),
        ] {
            assert_eq!(damerau_levenshtein(a, b, &mut scratch), expected, "{a} {b}");
            assert_eq!(damerau_levenshtein(b, a, &mut scratch), expected, "{b} {a}");
        }
    }

    /// Texts of up to 64 letters, where a word of bits is full.
    #[test]
    fn as_another_implementation_at_random() {
        let mut state = 7_u64;
        let mut text = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = state >> 58;
            let of = |place: u64| char::from(b'a' + ((state >> 20).wrapping_mul(place * place + 3) >> 7) as u8 % 5);
            (0..=length).map(of).collect::<String>()
        };
        let mut scratch = Scratch::default();
        for _ in 0..2_000 {
            let (l, r) = (text(), text());
            assert_eq!(jaro_winkler(&l, &r, &mut scratch), strsim::jaro_winkler(&l, &r), "{l} {r}");
            let expected = strsim::damerau_levenshtein(&l, &r);
            assert_eq!(damerau_levenshtein(&l, &r, &mut scratch) as usize, expected, "{l} {r}");
        }
    }

    #[test]
    fn long_texts() {
        let mut scratch = Scratch::default();
        let long = "abcdefghij".repeat(13);
        let other = format!("x{}", &long[..125]);
        assert_eq!(jaro_winkler(&long, &other, &mut scratch), strsim::jaro_winkler(&long, &other));
        assert_eq!(levenshtein_within(&long, &other, 9, &mut scratch), Some(6));
        assert_eq!(levenshtein_within(&long, &other, 5, &mut scratch), None);
    }
}
