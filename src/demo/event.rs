//! What happened, as the table `events` has it, and what was allowed, as `consents` has it.

use super::devices::Identifier;

/// One row of `events`, its texts still numbers.
#[derive(Clone, Copy)]
pub(super) struct Event {
    /// `None` while nobody knows who it is.
    pub(super) profile: Option<u64>,
    pub(super) at: i64,
    pub(super) kind: &'static str,
    pub(super) channel: &'static str,
    pub(super) device: Option<&'static str>,
    pub(super) identifier: Option<Identifier>,
    /// The IPv4 address; it goes to `identities`, not to `events`.
    pub(super) address: Option<u32>,
    pub(super) session: Option<u64>,
    pub(super) page: Page,
    pub(super) campaign: Option<usize>,
    pub(super) product: Option<usize>,
    pub(super) order: Option<u64>,
    pub(super) quantity: Option<i32>,
    pub(super) cents: Option<i64>,
    pub(super) store: Option<&'static str>,
}

impl Event {
    pub(super) fn new(at: i64, kind: &'static str, channel: &'static str) -> Self {
        Self {
            profile: None,
            at,
            kind,
            channel,
            device: None,
            identifier: None,
            address: None,
            session: None,
            page: Page::None,
            campaign: None,
            product: None,
            order: None,
            quantity: None,
            cents: None,
            store: None,
        }
    }
}

/// A page of the web shop or a screen of the app.
#[derive(Clone, Copy)]
pub(super) enum Page {
    None,
    Path(&'static str),
    Product(usize),
}

/// One row of `consents`.
#[derive(Clone, Copy)]
pub(super) struct Consent {
    pub(super) profile: u64,
    pub(super) purpose: &'static str,
    pub(super) granted: bool,
    pub(super) at: i64,
}

/// A year of somebody's life with the brand.
#[derive(Default)]
pub(super) struct Year {
    pub(super) events: Vec<Event>,
    pub(super) consents: Vec<Consent>,
}
