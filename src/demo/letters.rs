//! What somebody allowed, and the letters he got for it: sent, opened, clicked, and sometimes one too many.

use super::calendar::{self, DAY, FIRST_DAY, SECOND};
use super::campaigns::{ADVERTISING, LETTERS, NEWSLETTER, PROFILING};
use super::chance::Chance;
use super::event::{Consent, Event};
use super::journey::{Entry, Journey, Prompt};
use super::street::Profile;

/// What was granted and withdrawn for one purpose, in the order of time.
#[derive(Default)]
pub(super) struct Timeline(Vec<(i64, bool)>);

impl Timeline {
    pub(super) fn is_granted(&self, at: i64) -> bool {
        self.0.iter().rev().find(|(since, _)| *since <= at).is_some_and(|(_, granted)| *granted)
    }

    fn push(&mut self, at: i64, granted: bool) {
        self.0.push((at, granted));
    }

    fn last(&self) -> (i64, bool) {
        self.0.last().copied().unwrap_or((i64::MIN, false))
    }

    /// Its rows for a profile.
    fn rows(&self, profile: u64, purpose: &'static str) -> impl Iterator<Item = Consent> {
        self.0.iter().map(move |(at, granted)| Consent { profile, purpose, granted: *granted, at: *at })
    }
}

impl Journey<'_> {
    /// Letters to a profile, and the answers to the question whether it may be written to.
    pub(super) fn letters(&mut self, profile: &Profile, prompts: &mut Vec<Prompt>) {
        let mut newsletter = Timeline::default();
        if profile.email.is_some() {
            let granted = self.chance.happens(0.64);
            newsletter.push(profile.joined, granted);
            self.send_letters(profile, &mut newsletter, prompts);
        } else if self.chance.happens(0.5) {
            newsletter.push(profile.joined, false);
        }
        self.year.consents.extend(newsletter.rows(profile.number, NEWSLETTER));
    }

    fn send_letters(&mut self, profile: &Profile, newsletter: &mut Timeline, prompts: &mut Vec<Prompt>) {
        // Who cares more is written to more.
        let favour = (0.42 + 0.12 * self.person.zeal).min(1.4);
        for (number, letter) in LETTERS.iter().enumerate() {
            let day = FIRST_DAY + letter.days.0 as i32;
            // Half past seven, and an hour until the last one is out.
            let sent = calendar::utc(day, 27_000) + i64::from(self.chance.below(3_600_000)) * 1000;
            if sent < profile.joined {
                continue;
            }
            let (changed, granted) = newsletter.last();
            if !granted && self.chance.happens(0.005) {
                let at = sent - self.chance.between(DAY / 24, 2 * DAY);
                if at > changed {
                    newsletter.push(at, true);
                }
            }
            let interest = letter.department.map_or(1.0, |department| self.person.tastes[department].clamp(0.4, 1.6));
            if !newsletter.is_granted(sent) || !self.chance.happens(letter.share * favour * interest) {
                continue;
            }
            self.write(profile, sent, "email_sent", number, None);
            let opens = self.person.openness * if sent < self.person.left { 1.0 } else { 0.15 };
            if !self.chance.happens(opens) {
                continue;
            }
            let delay = self.chance.lognormal(2.5 * 3_600.0, 1.5).clamp(20.0, 4.5 * 86_400.0);
            let opened = sent + (delay * SECOND as f64) as i64 / 1000 * 1000;
            let read_on = self.reading_device();
            self.write(profile, opened, "email_open", number, Some(read_on));
            if self.chance.happens(0.012) && opened < calendar::year().end {
                let at = opened + i64::from(5 + self.chance.below(60)) * SECOND;
                self.write(profile, at, "unsubscribe", number, Some(read_on));
                newsletter.push(at, false);
            } else if self.chance.happens(0.13) {
                let at = opened + i64::from(3 + self.chance.below(90)) * SECOND;
                prompts.push(Prompt { at, entry: Entry::Letter(number) });
            }
        }
    }

    fn write(&mut self, profile: &Profile, at: i64, kind: &'static str, letter: usize, device: Option<&'static str>) {
        self.year.events.push(Event {
            profile: Some(profile.number),
            campaign: Some(letter),
            device,
            ..Event::new(at, kind, "email")
        });
    }

    fn reading_device(&mut self) -> &'static str {
        let devices = &self.person.devices;
        let at = self.chance.below(devices.len() as u32) as usize;
        // Mail is read outside of the app.
        if devices[at].is_app() { "mobile" } else { devices[at].label }
    }

    /// What a profile answered about advertisements and profiling. The older ones were not all asked.
    pub(super) fn other_consents(&mut self, profile: &Profile) -> Timeline {
        let year = calendar::year();
        let mut advertising = Timeline::default();
        if self.chance.happens(0.88) {
            let granted = self.chance.happens(0.5);
            advertising.push(profile.joined, granted);
            if self.chance.happens(if granted { 0.06 } else { 0.04 }) && profile.joined < year.end {
                let at = self.chance.between(profile.joined.max(year.start), year.end - 1) / 1000 * 1000;
                if at > profile.joined {
                    advertising.push(at, !granted);
                }
            }
        }
        self.year.consents.extend(advertising.rows(profile.number, ADVERTISING));
        if self.chance.happens(0.8) {
            let granted = self.chance.happens(0.7);
            self.year.consents.push(Consent {
                profile: profile.number,
                purpose: PROFILING,
                granted,
                at: profile.joined,
            });
        }
        advertising
    }
}

/// The moment of an advertisement: any time of a day that people are on the web.
pub(super) fn moment(journey: &Journey<'_>, days: (usize, usize), chance: &mut Chance) -> Option<i64> {
    let calendar = &journey.world.calendar;
    let day = calendar.web.draw_within(days.0, days.1 + 1, chance)?;
    Some(calendar.web_moment(FIRST_DAY + day as i32, chance))
}
