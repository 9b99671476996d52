//! Letters without what tells spellings of a name apart: accents, ligatures, case.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Calls `each` with the folded characters of a text: decomposed by compatibility (NFKD), without diacritics, in lower
/// case, and with Latin letters that have no decomposition written out.
pub(super) fn fold(text: &str, mut each: impl FnMut(char)) {
    for character in text.nfkd().filter(|character| !is_diacritic(*character)) {
        match written_out(character) {
            Some(letters) => letters.chars().for_each(&mut each),
            // A second time, since the lower case of some letters is a letter and a diacritic.
            None => character.to_lowercase().filter(|character| !is_diacritic(*character)).for_each(&mut each),
        }
    }
}

/// Marks of the blocks of combining diacritical marks. The marks of other scripts are vowels and belong to the word.
fn is_diacritic(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// Whether a character is part of a word.
pub(super) fn in_word(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

/// Whether a character joins what stands on both its sides to one word, as in O'Brien.
pub(super) fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}' | '\u{2018}' | '\u{2bc}' | '\u{2b9}' | '`' | '\u{b4}')
}

fn written_out(character: char) -> Option<&'static str> {
    Some(match character {
        'ß' | 'ẞ' => "ss",
        'œ' | 'Œ' => "oe",
        'æ' | 'Æ' => "ae",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ħ' | 'Ħ' => "h",
        'ı' => "i",
        'ŧ' | 'Ŧ' => "t",
        'ĸ' => "k",
        'ŋ' | 'Ŋ' => "n",
        'ς' => "σ",
        _ => return None,
    })
}

/// The letters A to Z of a text after folding, in capitals: what phonetic codes are made of.
pub(super) fn latin_capitals(text: &str) -> String {
    let mut letters = String::with_capacity(text.len());
    fold(text, |character| {
        if character.is_ascii_alphabetic() {
            letters.push(character.to_ascii_uppercase());
        }
    });
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lose_what_is_not_theirs() {
        let of = |text: &str| {
            let mut folded = String::new();
            fold(text, |character| folded.push(character));
            folded
        };
        assert_eq!(of("Élodie Œuvrard"), "elodie oeuvrard");
        assert_eq!(of("STRAẞE İzmir ﬁn Łódź Søren"), "strasse izmir fin lodz soren");
        assert_eq!(latin_capitals("d'Ornano-Müller 3"), "DORNANOMULLER");
        assert_eq!(latin_capitals("Мария"), "");
    }
}
