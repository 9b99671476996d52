//! The values of one session's settings, and what transactions do to them.

use std::collections::BTreeMap;

use crate::error::{Error, Result, SqlState, nearest};

use super::Scope;
use super::custom::{self, Custom};
use super::definition::{Basis, Definition, Kind, Source, Value};
use super::definitions::{DEFINITIONS, Key};

/// The settings of one session with their values.
#[derive(Debug)]
pub(crate) struct Values {
    /// In the order of [`DEFINITIONS`].
    slots: Vec<Slot>,
    /// What clients keep under names of their own, by name.
    custom: BTreeMap<String, Custom>,
    in_block: bool,
}

/// A value and who said it.
type Sourced = (Value, Source);

/// One setting's values; the first that is there counts: `local`, `session`.
#[derive(Debug)]
struct Slot {
    /// What RESET gives.
    reset: Sourced,
    /// The session's value.
    session: Sourced,
    /// The session's value before the open transaction changed it.
    before: Option<Sourced>,
    /// The value until the open transaction ends.
    local: Option<Value>,
    /// The value that the client was last told of.
    told: String,
}

/// The values as they were when a savepoint was set.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    slots: Vec<(Sourced, Option<Value>)>,
    custom: BTreeMap<String, Custom>,
}

/// One setting as `pg_settings` lists it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) definition: &'static Definition,
    /// The value now, at the start, and what RESET gives: numbers without their unit.
    pub(crate) setting: String,
    pub(crate) boot: String,
    pub(crate) reset: String,
    pub(crate) source: &'static str,
    pub(crate) vartype: &'static str,
    pub(crate) unit: Option<&'static str>,
    pub(crate) bounds: Option<(i64, i64)>,
    pub(crate) words: Option<&'static [&'static str]>,
}

impl Values {
    /// Every setting at its default.
    pub(super) fn new() -> Self {
        let slots = DEFINITIONS.iter().map(|definition| {
            let value = (boot(definition), Source::Default);
            let told = definition.display(&value.0);
            Slot { reset: value.clone(), session: value, before: None, local: None, told }
        });
        Self { slots: slots.collect(), custom: BTreeMap::new(), in_block: false }
    }

    /// Sets a value for the session or for the rest of the transaction; `None` is DEFAULT.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, scope: Scope) -> Result<()> {
        let definition = match find(name) {
            Ok(definition) => definition,
            Err(_) if custom::is_name(name)? => {
                return custom::set(&mut self.custom, name, value, scope, self.in_block);
            }
            Err(e) => return Err(e),
        };
        // The default of what only the server sets is what it has set.
        if !definition.changeable && value.is_some() {
            return Err(unchangeable(definition));
        }
        let value = match (value, definition.starts_from) {
            (Some(text), _) => (definition.check(text, &self.basis(definition).as_basis())?, Source::Session),
            (None, Some(start)) => (self.value(start).clone(), Source::Session),
            (None, None) => self.slot(definition.key).reset.clone(),
        };
        self.store(definition, value, scope);
        Ok(())
    }

    /// Sets what the session starts with and comes back to: what the client said when it connected.
    pub(super) fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        let definition = match find(name) {
            Ok(definition) => definition,
            Err(_) if custom::is_name(name)? => return custom::set_default(&mut self.custom, name, value),
            Err(e) => return Err(e),
        };
        if !definition.changeable || definition.starts_from.is_some() {
            return Err(unchangeable(definition));
        }
        let value = (definition.check(value, &self.basis(definition).as_basis())?, Source::Client);
        let slot = self.slot_mut(definition.key);
        slot.reset = value.clone();
        slot.session = value;
        Ok(())
    }

    /// Sets what SQL cannot.
    pub(super) fn set_internal(&mut self, key: Key, value: Value) {
        let slot = self.slot_mut(key);
        slot.reset = (value, Source::Override);
        slot.session = slot.reset.clone();
    }

    /// Sets what SQL cannot, for as long as SQL could.
    pub(super) fn put(&mut self, key: Key, value: Value, scope: Scope) {
        self.store(&DEFINITIONS[key as usize], (value, Source::Session), scope);
    }

    /// The role that was taken; `None` if none was.
    pub(crate) fn role(&self) -> Option<&str> {
        Some(self.text(Key::Role)).filter(|role| *role != "none")
    }

    /// The user that the session speaks for.
    pub(crate) fn user(&self) -> &str {
        self.text(Key::SessionAuthorization)
    }

    fn store(&mut self, definition: &Definition, value: Sourced, scope: Scope) {
        let in_block = self.in_block;
        let slot = self.slot_mut(definition.key);
        if scope == Scope::Local || definition.starts_from.is_some() {
            // Outside of a transaction it would end at once.
            slot.local = in_block.then_some(value.0);
        } else {
            if in_block && slot.before.is_none() {
                slot.before = Some(slot.session.clone());
            }
            slot.session = value;
            slot.local = None;
        }
    }

    /// The value as SHOW prints it.
    pub(crate) fn get(&self, name: &str) -> Result<String> {
        let defined = find(name).map(|definition| self.show(definition));
        defined.or_else(|e| self.custom.get(&name.to_lowercase()).map(|c| c.value().to_owned()).ok_or(e))
    }

    /// The name as SHOW heads its column with it.
    pub(super) fn display_name(&self, name: &str) -> Result<String> {
        let defined = find(name).map(|definition| definition.name.to_owned());
        defined.or_else(|e| self.custom.get_key_value(&name.to_lowercase()).map(|(name, _)| name.clone()).ok_or(e))
    }

    pub(super) fn show(&self, definition: &Definition) -> String {
        definition.display(self.value(definition.key))
    }

    /// Every setting as `pg_settings` lists it.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let listed = DEFINITIONS.iter().map(|definition| {
            let slot = self.slot(definition.key);
            let (vartype, unit, bounds, words) = match definition.kind {
                Kind::Bool => ("bool", None, None, None),
                Kind::Int { min, max, unit } => ("integer", unit.base(), Some((min, max)), None),
                Kind::Enum(words) => ("enum", None, None, Some(words)),
                Kind::Text(_) => ("string", None, None, None),
            };
            Listed {
                definition,
                setting: definition.bare(self.value(definition.key)),
                boot: definition.bare(&boot(definition)),
                reset: definition.bare(&slot.reset.0),
                source: if slot.local.is_some() { Source::Session } else { slot.session.1 }.name(),
                vartype,
                unit,
                bounds,
                words,
            }
        });
        listed.collect()
    }

    /// Every setting that SQL can change to its default.
    pub(super) fn reset_all(&mut self) {
        for definition in DEFINITIONS.iter().filter(|d| d.changeable && d.starts_from.is_none()) {
            let value = self.slot(definition.key).reset.clone();
            self.store(definition, value, Scope::Session);
        }
        for custom in self.custom.values_mut() {
            custom.set(None, Scope::Session, self.in_block);
        }
    }

    /// A transaction block begins.
    pub(super) fn begin(&mut self) {
        self.in_block = true;
        for definition in DEFINITIONS {
            if let Some(start) = definition.starts_from {
                let value = self.value(start).clone();
                self.slot_mut(definition.key).local = Some(value);
            }
        }
    }

    /// The block ends well: its session values stay.
    pub(super) fn commit(&mut self) {
        self.in_block = false;
        for slot in &mut self.slots {
            slot.before = None;
            slot.local = None;
        }
        self.custom.values_mut().for_each(Custom::commit);
    }

    /// The block ends badly: its values go.
    pub(super) fn rollback(&mut self) {
        self.in_block = false;
        for slot in &mut self.slots {
            slot.local = None;
            if let Some(before) = slot.before.take() {
                slot.session = before;
            }
        }
        self.custom.values_mut().for_each(Custom::rollback);
    }

    /// The values as they are, for a savepoint.
    pub(super) fn saved(&self) -> Saved {
        let slots = self.slots.iter().map(|slot| (slot.session.clone(), slot.local.clone())).collect();
        Saved { slots, custom: self.custom.clone() }
    }

    /// Back to a savepoint of the same block.
    pub(super) fn return_to(&mut self, saved: &Saved) {
        for (slot, (session, local)) in self.slots.iter_mut().zip(&saved.slots) {
            slot.session = session.clone();
            slot.local = local.clone();
        }
        for (name, custom) in &mut self.custom {
            match saved.custom.get(name) {
                Some(saved) => custom.return_to(saved),
                None => custom.rollback(),
            }
        }
    }

    /// Settings that clients are told of and that changed since they were last asked for here.
    pub(super) fn take_changed_reported(&mut self) -> Vec<(String, String)> {
        let mut changed = Vec::new();
        for definition in DEFINITIONS.iter().filter(|d| d.reported) {
            let shown = self.show(definition);
            let slot = self.slot_mut(definition.key);
            if slot.told != shown {
                slot.told.clone_from(&shown);
                changed.push((definition.name.to_owned(), shown));
            }
        }
        changed
    }

    /// The value that counts now.
    pub(super) fn value(&self, key: Key) -> &Value {
        let slot = self.slot(key);
        match (&slot.local, DEFINITIONS[key as usize].starts_from) {
            (Some(local), _) => local,
            // Outside of a block every statement is a transaction.
            (None, Some(start)) => &self.slot(start).session.0,
            (None, None) => &slot.session.0,
        }
    }

    pub(super) fn on(&self, key: Key) -> bool {
        matches!(self.value(key), Value::Bool(true))
    }

    pub(super) fn number(&self, key: Key) -> i64 {
        match self.value(key) {
            Value::Int(number) => *number,
            _ => 0,
        }
    }

    pub(super) fn text(&self, key: Key) -> &str {
        match self.value(key) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The schemas of `search_path`, `$user` among them as it stands there.
    pub(crate) fn search_path(&self) -> Vec<String> {
        super::identifiers::split_list(self.text(Key::SearchPath)).unwrap_or_default()
    }

    fn basis(&self, definition: &Definition) -> OwnedBasis {
        let reset = definition.display(&self.slot(definition.key).reset.0);
        OwnedBasis { current: self.show(definition), reset, zone: self.text(Key::TimeZone).to_owned() }
    }

    // `slots` has an entry for every key, at the key's place: a test of the definitions holds them together.
    fn slot(&self, key: Key) -> &Slot {
        &self.slots[key as usize]
    }

    fn slot_mut(&mut self, key: Key) -> &mut Slot {
        &mut self.slots[key as usize]
    }
}

/// A setting's value when nobody says anything. A test checks that every default is one; a text that is none would be
/// shown as it stands.
fn boot(definition: &Definition) -> Value {
    let basis = Basis { current: definition.boot, reset: definition.boot, zone: "UTC" };
    definition.check(definition.boot, &basis).unwrap_or_else(|_| Value::Text(definition.boot.to_owned()))
}

fn unchangeable(definition: &Definition) -> Error {
    let message = format!("parameter \"{}\" cannot be changed", definition.name);
    Error::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, message)
}

struct OwnedBasis {
    current: String,
    reset: String,
    zone: String,
}

impl OwnedBasis {
    fn as_basis(&self) -> Basis<'_> {
        Basis { current: &self.current, reset: &self.reset, zone: &self.zone }
    }
}

pub(super) fn find(name: &str) -> Result<&'static Definition> {
    DEFINITIONS.iter().find(|d| d.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let message = format!("unrecognized configuration parameter \"{name}\"");
        let error = Error::new(SqlState::UNDEFINED_OBJECT, message);
        match nearest(name, DEFINITIONS.iter().map(|d| d.name)) {
            Some(close) => error.with_hint(format!("perhaps you meant \"{close}\"")),
            None => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &mut Values, name: &str, value: &str) -> Result<()> {
        values.set(name, Some(value), Scope::Session)
    }

    fn code(result: Result<()>) -> &'static str {
        result.unwrap_err().sqlstate.0
    }

    #[test]
    fn every_default_is_a_value_and_shows_as_written() {
        let values = Values::new();
        for definition in DEFINITIONS {
            let basis = Basis { current: definition.boot, reset: definition.boot, zone: "UTC" };
            assert!(definition.check(definition.boot, &basis).is_ok(), "{}", definition.name);
            assert_eq!(values.show(definition), definition.boot, "{}", definition.name);
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        let mut values = Values::new();
        set(&mut values, "timezone", "America/New_York").unwrap();
        assert_eq!(values.get("TIMEZONE").unwrap(), "America/New_York");
        let error = values.get("time_zone").unwrap_err();
        assert_eq!((error.sqlstate.0, error.hint.as_deref()), ("42704", Some("perhaps you meant \"TimeZone\"")));
    }

    #[test]
    fn values_are_checked() {
        let mut values = Values::new();
        assert_eq!(code(set(&mut values, "statement_timeout", "-1")), "22023");
        assert_eq!(code(set(&mut values, "statement_timeout", "5 parsecs")), "22023");
        assert_eq!(code(set(&mut values, "bytea_output", "base64")), "22023");
        assert_eq!(code(set(&mut values, "row_security", "perhaps")), "22023");
        assert_eq!(code(set(&mut values, "array_nulls", "off")), "0A000");
        assert_eq!(code(set(&mut values, "client_encoding", "LATIN1")), "0A000");
        assert_eq!(code(set(&mut values, "standard_conforming_strings", "off")), "0A000");
        assert_eq!(code(set(&mut values, "server_version", "16.0")), "55P02");
        values.set("session_authorization", None, Scope::Session).unwrap();
        set(&mut values, "statement_timeout", "90000").unwrap();
        assert_eq!(values.get("statement_timeout").unwrap(), "90s");
        set(&mut values, "DateStyle", "German").unwrap();
        set(&mut values, "datestyle", "iso").unwrap();
        assert_eq!(values.get("DateStyle").unwrap(), "ISO, DMY");
    }

    #[test]
    fn transactions_take_their_values_with_them() {
        let mut values = Values::new();
        let shown = |values: &Values| values.get("bytea_output").unwrap();
        values.begin();
        set(&mut values, "bytea_output", "escape").unwrap();
        values.set("bytea_output", Some("hex"), Scope::Local).unwrap();
        assert_eq!(shown(&values), "hex");
        values.commit();
        assert_eq!(shown(&values), "escape");

        values.begin();
        set(&mut values, "bytea_output", "hex").unwrap();
        set(&mut values, "bytea_output", "hex").unwrap();
        values.rollback();
        assert_eq!(shown(&values), "escape");

        values.set("bytea_output", Some("hex"), Scope::Local).unwrap();
        assert_eq!(shown(&values), "escape");
        values.set("bytea_output", None, Scope::Session).unwrap();
        assert_eq!(shown(&values), "hex");
    }

    #[test]
    fn a_savepoint_brings_back_what_was_set_then() {
        let mut values = Values::new();
        let shown = |values: &Values| (values.get("bytea_output").unwrap(), values.get("shop.id").unwrap());
        set(&mut values, "shop.id", "0").unwrap();
        values.begin();
        set(&mut values, "bytea_output", "escape").unwrap();
        values.set("shop.id", Some("1"), Scope::Local).unwrap();
        let saved = values.saved();
        values.set("bytea_output", Some("hex"), Scope::Local).unwrap();
        set(&mut values, "shop.id", "2").unwrap();
        values.return_to(&saved);
        assert_eq!(shown(&values), ("escape".to_owned(), "1".to_owned()));
        values.commit();
        assert_eq!(shown(&values), ("escape".to_owned(), "0".to_owned()));
    }

    #[test]
    fn what_the_client_started_with_comes_back() {
        let mut values = Values::new();
        values.set_default("DateStyle", "German").unwrap();
        values.set_default("shop.id", "7").unwrap();
        let source =
            |values: &Values| values.list().into_iter().find(|s| s.definition.name == "DateStyle").unwrap().source;
        assert_eq!((values.get("datestyle").unwrap().as_str(), source(&values)), ("German, DMY", "client"));
        set(&mut values, "DateStyle", "ISO").unwrap();
        set(&mut values, "SHOP.id", "8").unwrap();
        assert_eq!((values.get("datestyle").unwrap().as_str(), source(&values)), ("ISO, DMY", "session"));
        values.reset_all();
        assert_eq!((values.get("datestyle").unwrap().as_str(), source(&values)), ("German, DMY", "client"));
        assert_eq!(values.get("shop.id").unwrap(), "7");
        assert_eq!(code(values.set_default("transaction_read_only", "on")), "55P02");
    }

    #[test]
    fn transaction_modes_live_as_long_as_the_transaction() {
        let mut values = Values::new();
        set(&mut values, "default_transaction_read_only", "on").unwrap();
        assert!(values.on(Key::TransactionReadOnly));
        values.begin();
        set(&mut values, "transaction_read_only", "off").unwrap();
        set(&mut values, "default_transaction_isolation", "read committed").unwrap();
        assert!(!values.on(Key::TransactionReadOnly));
        assert_eq!(values.get("transaction_isolation").unwrap(), "repeatable read");
        values.commit();
        assert!(values.on(Key::TransactionReadOnly));
        assert_eq!(values.get("transaction_isolation").unwrap(), "read committed");
    }

    #[test]
    fn clients_hear_of_changes_once() {
        let mut values = Values::new();
        assert!(values.take_changed_reported().is_empty());
        values.begin();
        set(&mut values, "application_name", "psql").unwrap();
        set(&mut values, "statement_timeout", "1s").unwrap();
        let told = |value: &str| vec![("application_name".to_owned(), value.to_owned())];
        assert_eq!(values.take_changed_reported(), told("psql"));
        assert!(values.take_changed_reported().is_empty());
        values.rollback();
        assert_eq!(values.take_changed_reported(), told(""));
        set(&mut values, "search_path", "Segments, public").unwrap();
        assert_eq!(values.search_path(), ["segments", "public"]);
        values.reset_all();
        assert_eq!(values.get("search_path").unwrap(), "\"$user\", public");
    }
}
