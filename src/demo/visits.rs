//! What happens on a visit: pages, the cart, the till, and what is brought back later.

use super::calendar::{self, SECOND};
use super::campaigns::{ADVERTISEMENTS, LETTERS, numbered};
use super::devices::Identifier;
use super::event::{Event, Page};
use super::journey::{Entry, Journey, SESSION_GAP};
use super::products::DEPARTMENTS;
use super::street::Profile;

/// Pages that belong to no department.
const OTHER_PAGES: [&str; 5] = ["/", "/magasins", "/compte", "/livraison", "/conseils"];
/// The most pages that anybody looks at in one go.
const MOST_PAGES: u32 = 45;

/// A visit of the web shop or the app under way.
struct Visit {
    at: i64,
    base: Event,
    cart: Vec<(usize, i32)>,
}

impl Visit {
    /// The next thing happens after about so many seconds, never so late that the session would be over.
    fn goes_on(&mut self, journey: &mut Journey<'_>, seconds: f64) -> Event {
        let pause = journey.chance.lognormal(seconds, 0.9).clamp(1.0, 1_200.0);
        self.at += (pause * 1000.0) as i64 * 1000;
        Event { at: self.at, ..self.base }
    }
}

impl Journey<'_> {
    /// A visit of the web shop or the app, from the first page to the last.
    pub(super) fn visit(&mut self, wanted: i64, entry: Entry) {
        let at = wanted.max(self.busy_until.saturating_add(SESSION_GAP + SECOND));
        let device = self.device(at);
        let (channel, campaign) = self.channel(at, entry, device.is_app());
        let mut base = self.on_device(at, "page_view", channel, device);
        base.campaign = campaign;
        base.session = Some(self.person.number << 12 | (self.sessions & 0xfff));
        self.sessions += 1;

        // Who comes from a letter is known by it, who uses the app has logged in; others do now and then.
        let logs_in = matches!(entry, Entry::Letter(_)) || device.is_app() || self.chance.happens(0.35);
        if self.account(at).is_some() && logs_in {
            self.recognise(base.identifier);
        }
        base.profile = self.recognised(base.identifier, at);

        let mut visit = Visit { at, base, cart: Vec::new() };
        match entry {
            Entry::Letter(_) => self.click(&mut visit, "email_click"),
            Entry::Advertisement { .. } => self.click(&mut visit, "ad_click"),
            Entry::Joining | Entry::Thought => {}
        }
        let interest = campaign.and_then(|number| numbered(number).department);
        let department = interest.unwrap_or_else(|| self.interest(at));
        self.browse(&mut visit, department, entry);
        self.check_out(&mut visit);
        self.busy_until = visit.at;
    }

    /// Where the visit comes from, and which campaign was paid for it.
    fn channel(&mut self, at: i64, entry: Entry, app: bool) -> (&'static str, Option<usize>) {
        match entry {
            Entry::Letter(number) => return ("email", Some(number)),
            Entry::Advertisement { campaign, .. } => return (numbered(campaign).channel, Some(campaign)),
            _ if app => return ("direct", None),
            _ => {}
        }
        match self.chance.below(100) {
            0..42 => ("direct", None),
            42..80 => {
                let day = calendar::day_of_year(at);
                let mut paid = None;
                if self.chance.happens(0.4) {
                    let bought = |number: &usize| {
                        let campaign = &ADVERTISEMENTS[*number];
                        campaign.channel == "search" && day.is_some_and(|day| campaign.runs_on(day))
                    };
                    let running: Vec<usize> = (0..ADVERTISEMENTS.len()).filter(bought).collect();
                    if !running.is_empty() {
                        paid = Some(LETTERS.len() + self.chance.pick(&running));
                    }
                }
                ("search", paid)
            }
            80..90 => ("social", None),
            90..95 => ("affiliate", None),
            _ => ("referral", None),
        }
    }

    /// The department that he comes for: his taste, and the season.
    fn interest(&mut self, at: i64) -> usize {
        let month = calendar::month(calendar::day_of_year(at).unwrap_or(0));
        let weight = |number: usize| self.person.tastes[number] * DEPARTMENTS[number].season[month];
        let mut left = (0..DEPARTMENTS.len()).map(weight).sum::<f64>();
        left *= self.chance.unit();
        for number in 0..DEPARTMENTS.len() {
            left -= self.person.tastes[number] * DEPARTMENTS[number].season[month];
            if left < 0.0 {
                return number;
            }
        }
        0
    }

    fn recognise(&mut self, identifier: Option<Identifier>) {
        if let Some(identifier) = identifier.filter(|identifier| !self.known.contains(identifier)) {
            self.known.push(identifier);
        }
    }

    /// The click that began the visit; the first page comes a moment later.
    fn click(&mut self, visit: &mut Visit, kind: &'static str) {
        self.year.events.push(Event { kind, session: None, ..visit.base });
        visit.goes_on(self, 2.0);
    }

    fn browse(&mut self, visit: &mut Visit, department: usize, entry: Entry) {
        let mut event = Event { at: visit.at, ..visit.base };
        let lands_on_product = match visit.base.channel {
            "direct" => 0.05,
            "search" | "affiliate" => 0.5,
            _ => 0.35,
        };
        if self.chance.happens(lands_on_product) {
            self.view_product(visit, event, department, entry);
        } else {
            let home = visit.base.channel == "direct" || self.chance.happens(0.2);
            event.page = Page::Path(if home { "/" } else { DEPARTMENTS[department].page });
            self.year.events.push(event);
        }
        if entry == Entry::Joining {
            self.sign_up(visit);
        }
        let stays = if matches!(visit.base.device, Some("mobile")) { 0.74 } else { 0.79 };
        let mut pages = 1;
        while pages < MOST_PAGES && self.chance.happens(stays) {
            let mut event = visit.goes_on(self, 26.0);
            match self.chance.below(20) {
                0..13 => {
                    // Now and then something from another department catches the eye.
                    let department = if self.chance.happens(0.15) { self.interest(visit.at) } else { department };
                    self.view_product(visit, event, department, entry);
                }
                13..19 => {
                    event.page = Page::Path(DEPARTMENTS[department].page);
                    self.year.events.push(event);
                }
                _ => {
                    event.page = Page::Path(self.chance.pick(&OTHER_PAGES));
                    self.year.events.push(event);
                }
            }
            pages += 1;
        }
    }

    /// From here on he is known.
    fn sign_up(&mut self, visit: &mut Visit) {
        let Some(profile) = self.profile() else { return };
        visit.at = profile.joined.max(visit.at + 20 * SECOND);
        self.recognise(visit.base.identifier);
        visit.base.profile = Some(profile.number);
        let page = Page::Path("/compte");
        self.year.events.push(Event { at: visit.at, kind: "sign_up", page, ..visit.base });
    }

    fn view_product(&mut self, visit: &mut Visit, mut event: Event, department: usize, entry: Entry) {
        let product = self.world.assortment.draw(department, &mut self.chance);
        event.kind = "product_view";
        event.page = Page::Product(product);
        event.product = Some(product);
        self.year.events.push(event);

        let day = calendar::day_of_year(visit.at).unwrap_or(0);
        let mood = match entry {
            Entry::Joining => 2.5,
            Entry::Letter(_) => 1.4,
            _ => 1.0,
        };
        // What costs more is thought over longer.
        let price = self.world.assortment.products[product].price;
        let ease = (1.35 - price as f64 / 20_000.0).max(0.5);
        if self.chance.happens((0.095 * self.person.eagerness * mood * calendar::buying_mood(day) * ease).min(0.6)) {
            let mut event = visit.goes_on(self, 18.0);
            let quantity = self.quantity(department);
            event.kind = "cart";
            event.page = Page::Product(product);
            event.product = Some(product);
            event.quantity = Some(quantity);
            event.cents = Some(self.price_on(product, day) * i64::from(quantity));
            self.year.events.push(event);
            if !visit.cart.iter().any(|(there, _)| *there == product) {
                visit.cart.push((product, quantity));
            }
        }
    }

    /// How many of a thing somebody takes: soap and jam by the handful, chairs one by one.
    fn quantity(&mut self, department: usize) -> i32 {
        let several = [0.15, 0.04, 0.05, 0.1, 0.3, 0.45, 0.1][department];
        let mut quantity = 1;
        while quantity < 6 && self.chance.happens(several) {
            quantity += 1;
        }
        quantity
    }

    fn price_on(&self, product: usize, day: usize) -> i64 {
        let product = &self.world.assortment.products[product];
        let rebate = if product.reduced_in_sales { calendar::rebate(day) } else { 0 };
        product.price * (100 - rebate) / 100
    }

    /// From the cart to the order, for those who get that far.
    fn check_out(&mut self, visit: &mut Visit) {
        if visit.cart.is_empty() || !self.chance.happens(0.6) {
            return;
        }
        let mut event = visit.goes_on(self, 40.0);
        // An order needs an account, and whoever logs in is recognised from then on.
        let joined = self.account(visit.at).filter(|_| self.chance.happens(0.85));
        if let Some(profile) = joined {
            self.recognise(visit.base.identifier);
            visit.base.profile = Some(profile.number);
            event.profile = visit.base.profile;
        }
        event.kind = "checkout";
        event.page = Page::Path("/commande");
        self.year.events.push(event);
        if visit.base.profile.is_none() || !self.chance.happens(0.72) {
            return;
        }
        let mut event = visit.goes_on(self, 95.0);
        event.kind = "purchase";
        event.page = Page::Path("/merci");
        let lines = std::mem::take(&mut visit.cart);
        self.buy(event, &lines, 0.09);
    }

    /// One row for each article of an order; some of them come back.
    fn buy(&mut self, event: Event, lines: &[(usize, i32)], returned: f64) {
        let Some(day) = calendar::day_of_year(event.at) else { return };
        let order = self.person.number * 1_000 + self.orders % 1_000;
        self.orders += 1;
        for (product, quantity) in lines {
            let cents = self.price_on(*product, day) * i64::from(*quantity);
            let bought = Event {
                product: Some(*product),
                order: Some(order),
                quantity: Some(*quantity),
                cents: Some(cents),
                ..event
            };
            self.year.events.push(bought);
            // Clothes have to fit.
            let department = self.world.assortment.products[*product].department;
            let returned = if matches!(department, 1..=3) { returned * 2.0 } else { returned * 0.5 };
            if self.chance.happens(returned) {
                let days = 3 + self.chance.below(20);
                let at = self
                    .world
                    .calendar
                    .store_moment(calendar::FIRST_DAY + (day as u32 + days) as i32, &mut self.chance);
                self.year.events.push(Event {
                    at,
                    kind: "refund",
                    device: None,
                    identifier: None,
                    address: None,
                    session: None,
                    page: Page::None,
                    quantity: Some(-quantity),
                    cents: Some(-cents),
                    ..bought
                });
            }
        }
    }

    /// A ticket of a store: everything bought at one moment, with the card.
    pub(super) fn ticket(&mut self, profile: &Profile, at: i64) {
        let mut event = Event::new(at, "purchase", "store");
        event.profile = Some(profile.number);
        event.identifier = profile.card;
        event.store = Some(self.street.city.store);
        let mut lines: Vec<(usize, i32)> = Vec::new();
        for _ in 0..1 + self.chance.count(0.85).min(9) {
            let department = self.interest(at);
            let product = self.world.assortment.draw(department, &mut self.chance);
            if !lines.iter().any(|(there, _)| *there == product) {
                let quantity = self.quantity(department);
                lines.push((product, quantity));
            }
        }
        self.buy(event, &lines, 0.04);
    }
}
