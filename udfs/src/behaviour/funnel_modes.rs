//! The modes of a funnel, by ClickHouse's names.

use std::str::FromStr;

/// What breaks a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Modes {
    /// A step that was reached before ends the search.
    pub(super) strict_deduplication: bool,
    /// So does an event that is no step, or a step whose predecessor has not been reached.
    pub(super) strict_order: bool,
    /// Steps lie at rising times.
    pub(super) strict_increase: bool,
    /// An event is one step at most.
    pub(super) strict_once: bool,
    /// A step that comes too early is passed over, where `strict_order` would end.
    pub(super) allow_reentry: bool,
}

impl FromStr for Modes {
    type Err = String;

    /// Names parted by commas.
    fn from_str(names: &str) -> Result<Self, Self::Err> {
        let mut modes = Self::default();
        for name in names.split(',').map(str::trim) {
            match name {
                "" | "default" => {}
                "strict_deduplication" => modes.strict_deduplication = true,
                "strict_order" => modes.strict_order = true,
                "strict_increase" => modes.strict_increase = true,
                "strict_once" => modes.strict_once = true,
                "allow_reentry" => modes.allow_reentry = true,
                other => {
                    return Err(format!(
                        "unknown mode \"{other}\", there are strict_deduplication, strict_order, strict_increase, \
                         strict_once and allow_reentry"
                    ));
                }
            }
        }
        if modes.allow_reentry && !modes.strict_order {
            return Err("the mode allow_reentry needs strict_order".to_owned());
        }
        Ok(modes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_known() {
        assert!("strict".parse::<Modes>().unwrap_err().contains("strict_deduplication"));
        assert!("allow_reentry".parse::<Modes>().is_err());
    }

    #[test]
    fn modes_add_up() {
        let modes: Modes = "strict_order, allow_reentry,".parse().unwrap();
        assert_eq!(modes, Modes { strict_order: true, allow_reentry: true, ..Modes::default() });
        assert_eq!("".parse(), Ok(Modes::default()));
    }
}
