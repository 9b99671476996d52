//! What codes of names by how they sound have in common.

use super::folding::latin_capitals;

/// Appends the code `of` the Latin letters of a name; false if there are none, or no code.
pub(super) fn append_code(name: &str, code: &mut String, of: impl FnOnce(String) -> String) -> bool {
    let letters = latin_capitals(name);
    if !letters.is_empty() {
        code.push_str(&of(letters));
    }
    !code.is_empty()
}

/// Names and their codes, which a function that appends them has to know; and that it knows none of a number.
#[cfg(test)]
pub(super) fn assert_codes(append: fn(&str, &mut String) -> bool, expected: &[(&str, &str)]) {
    let of = |name: &str| {
        let mut code = String::new();
        append(name, &mut code).then_some(code)
    };
    for (name, code) in expected {
        assert_eq!(of(name).as_deref(), Some(*code), "{name}");
    }
    assert_eq!(of("42"), None);
}
