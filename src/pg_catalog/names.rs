//! Object identifiers that are written as names: `regclass`, `regtype`, `regproc` and their kin, both ways.

use std::fmt;

use catalog::objects::{Privileges, Relation};

use super::{PG_CATALOG, PgCatalog, builtin, oids, roles};
use crate::error::{Error, Result, SqlState};
use crate::session::settings::quote_identifier;
use crate::statement::fold;
use crate::values::pg_type::{name_of, oid_of};

/// A kind of object identifier that is written as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reg {
    /// Tables, views, indexes.
    Class,
    /// Types.
    Type,
    /// Functions by name.
    Proc,
    /// Functions by name and arguments.
    Procedure,
    /// Schemas.
    Namespace,
    /// Roles.
    Role,
    /// Collations.
    Collation,
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Reg {
    /// The type's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Class => "regclass",
            Self::Type => "regtype",
            Self::Proc => "regproc",
            Self::Procedure => "regprocedure",
            Self::Namespace => "regnamespace",
            Self::Role => "regrole",
            Self::Collation => "regcollation",
        }
    }

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Class, Self::Type, Self::Proc, Self::Procedure, Self::Namespace, Self::Role, Self::Collation]
            .into_iter()
            .find(|reg| reg.name() == name)
    }

    /// The number that a text stands for; a number stands for itself.
    ///
    /// # Errors
    /// Where there is no such object: 42P01, 42704, 42883 or 3F000.
    pub(crate) fn read(self, catalog: &PgCatalog, text: &str) -> Result<u32> {
        if let Ok(number) = text.trim().parse() {
            return Ok(number);
        }
        if text.trim() == "-" {
            return Ok(0);
        }
        self.find(catalog, text)?.ok_or_else(|| {
            let (state, what) = match self {
                Self::Class => (SqlState::UNDEFINED_TABLE, "relation"),
                Self::Type => (SqlState::UNDEFINED_OBJECT, "type"),
                Self::Proc | Self::Procedure => (SqlState::UNDEFINED_FUNCTION, "function"),
                Self::Namespace => (SqlState::INVALID_SCHEMA_NAME, "schema"),
                Self::Role => (SqlState::UNDEFINED_OBJECT, "role"),
                Self::Collation => (SqlState::UNDEFINED_OBJECT, "collation"),
            };
            Error::new(state, format!("{what} \"{}\" does not exist", text.trim()))
        })
    }

    /// The number of the object that a text names, `None` if there is none.
    ///
    /// # Errors
    /// 42602 for a text that is no name, 42725 for a function of which there are several.
    pub(crate) fn find(self, catalog: &PgCatalog, text: &str) -> Result<Option<u32>> {
        match self {
            Self::Type => Ok(type_named(text)),
            Self::Proc => {
                let (schema, name) = qualified(text)?;
                if schema.is_some_and(|schema| schema != PG_CATALOG) {
                    return Ok(None);
                }
                let mut found = catalog.functions.all().iter().filter(|function| function.name == name);
                match (found.next(), found.next()) {
                    (Some(_), Some(_)) => {
                        let message = format!("more than one function named \"{}\"", text.trim());
                        Err(Error::new(SqlState::AMBIGUOUS_FUNCTION, message))
                    }
                    (first, _) => Ok(first.map(|function| function.oid)),
                }
            }
            Self::Procedure => {
                let Some((name, arguments)) = text.trim().strip_suffix(')').and_then(|text| text.split_once('('))
                else {
                    return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected a left parenthesis"));
                };
                let (_, name) = qualified(name)?;
                let wanted = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty());
                let wanted: Option<Vec<u32>> = wanted.map(type_named).collect();
                let mut all = catalog.functions.all().iter();
                let same =
                    |f: &&super::pg_proc::EngineFunction| f.name == name && Some(&f.arguments) == wanted.as_ref();
                Ok(all.find(same).map(|function| function.oid))
            }
            Self::Class => {
                let (schema, name) = qualified(text)?;
                Ok(match schema {
                    Some(schema) => {
                        let schema = catalog.rights.schema_named(&schema);
                        catalog.rights.check_schema(schema, Privileges::USAGE)?;
                        class_named(catalog, schema, &name)
                    }
                    None => class_named(catalog, PG_CATALOG, &name)
                        .or_else(|| catalog.search_path.iter().find_map(|schema| class_named(catalog, schema, &name))),
                })
            }
            Self::Namespace => Ok(catalog.schema_oid(&qualified(text)?.1)),
            Self::Role => Ok(roles::role_oid(catalog, &qualified(text)?.1)),
            Self::Collation => {
                let (_, name) = qualified(text)?;
                Ok([("default", 100), ("C", 950), ("POSIX", 951), ("ucs_basic", 12343)]
                    .into_iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, oid)| oid))
            }
        }
    }

    /// The name that stands for a number; the number itself where there is no such object.
    pub(crate) fn print(self, catalog: &PgCatalog, oid: u32) -> String {
        if oid == 0 {
            return "-".to_owned();
        }
        let name = match self {
            Self::Class => class_name(catalog, oid),
            Self::Type => Some(type_name(oid)).filter(|name| name != "???"),
            Self::Proc => function_name(catalog, oid),
            Self::Procedure => catalog.functions.by_oid(oid).map(|function| {
                let arguments: Vec<String> = function.arguments.iter().map(|oid| type_name(*oid)).collect();
                format!("{}({})", quoted(&function.name), arguments.join(","))
            }),
            Self::Namespace => catalog.schemas().find(|(known, _)| *known == oid).map(|(_, name)| quoted(name)),
            Self::Role => roles::role_name(catalog, oid).map(|name| quoted(&name)),
            Self::Collation => match oid {
                oids::DEFAULT_COLLATION => Some("\"default\"".to_owned()),
                oids::C_COLLATION => Some("\"C\"".to_owned()),
                _ => None,
            },
        };
        name.unwrap_or_else(|| oid.to_string())
    }
}

/// A type's name as `format_type` prints it.
pub(crate) fn type_name(oid: u32) -> String {
    if oid == crate::values::pg_type::oid::BPCHAR {
        return "character".to_owned();
    }
    let name = name_of(oid);
    if name.starts_with("OID ") { type_text(oid).unwrap_or_else(|| "???".to_owned()) } else { name }
}

/// The name of a type that only catalogs and declarations have.
pub(crate) fn type_text(oid: u32) -> Option<String> {
    let rows = builtin::rows("pg_type").unwrap_or_default();
    let row = rows.iter().find(|row| matches!(row[0], super::rows::Datum::Int(known) if known == i64::from(oid)))?;
    let super::rows::Datum::Text(name) = &row[1] else { return None };
    let name = match (name.as_ref(), name.strip_prefix('_')) {
        ("any", _) => "\"any\"".to_owned(),
        (_, Some(element)) => format!("{element}[]"),
        (name, None) => name.to_owned(),
    };
    let is_standard = matches!(row[2], super::rows::Datum::Int(schema) if schema != i64::from(oids::PG_CATALOG));
    Some(if is_standard { format!("information_schema.{name}") } else { name })
}

/// A type by any of its names.
fn type_named(text: &str) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_prefix("pg_catalog.").unwrap_or(text).trim_matches('"');
    let lower = text.to_lowercase();
    let (element, is_array) = match lower.strip_suffix("[]") {
        Some(element) => (element.trim(), true),
        None => (lower.as_str(), false),
    };
    let element = match element {
        "int" => "int4",
        "decimal" => "numeric",
        "float" => "float8",
        "char" | "character" => "bpchar",
        "time" => "time without time zone",
        "timestamp" => "timestamp without time zone",
        other => other,
    };
    let internal = if is_array { format!("_{element}") } else { element.to_owned() };
    match builtin::type_oid(&internal) {
        0 => oid_of(&if is_array { format!("{element}[]") } else { element.to_owned() }).or_else(|| {
            let scalar = oid_of(element)?;
            if is_array { crate::values::pg_type::array_type(scalar) } else { Some(scalar) }
        }),
        oid => Some(oid),
    }
}

/// The number of a relation or index.
pub(super) fn class_named(catalog: &PgCatalog, schema: &str, name: &str) -> Option<u32> {
    if let Some(relation) = builtin::relation(schema, name) {
        return Some(relation.oid);
    }
    let objects = catalog.view.objects();
    let relation = objects.lookup(schema, name).map(|relation| relation.id());
    relation.or_else(|| match objects.lookup(schema, name.strip_suffix("_pkey")?)? {
        Relation::Table(table) if !table.primary_key.is_empty() => Some(oids::primary_key_index(table.id)),
        _ => None,
    })
}

fn class_name(catalog: &PgCatalog, oid: u32) -> Option<String> {
    let (schema, name) = class_parts(catalog, oid)?;
    let visible = catalog.is_visible(&schema, &name);
    Some(if visible { quoted(&name) } else { format!("{}.{}", quoted(&schema), quoted(&name)) })
}

/// Schema and name of a relation or index.
pub(crate) fn class_parts(catalog: &PgCatalog, oid: u32) -> Option<(String, String)> {
    if let Some(relation) = catalog.relation(oid) {
        return Some((relation.schema().to_owned(), relation.name().to_owned()));
    }
    if let Some(table) = oids::owner(oid).and_then(|id| catalog.view.objects().table(id)) {
        return (oid == oids::primary_key_index(table.id))
            .then(|| (table.schema.clone(), format!("{}_pkey", table.name)));
    }
    let relation = builtin::RELATIONS.iter().find(|relation| relation.oid == oid)?;
    Some((relation.schema.to_owned(), relation.name.to_owned()))
}

fn function_name(catalog: &PgCatalog, oid: u32) -> Option<String> {
    let own = catalog.functions.by_oid(oid).map(|function| quoted(&function.name));
    own.or_else(|| builtin::FUNCTIONS.iter().find(|f| f.oid == oid).map(|function| function.name.to_owned()))
}

/// A name as it stands in SQL: in quotes where it needs them.
pub(crate) fn quoted(name: &str) -> String {
    quote_identifier(name)
}

/// Schema and name of `text`, folded as SQL folds them.
fn qualified(text: &str) -> Result<(Option<String>, String)> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(inner) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut chars = inner.char_indices().peekable();
            let end = loop {
                match chars.next().ok_or_else(invalid)? {
                    (_, '"') if chars.next_if(|(_, c)| *c == '"').is_some() => name.push('"'),
                    (at, '"') => break at,
                    (_, c) => name.push(c),
                }
            };
            (name, &inner[end + 1..])
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let name = rest[..end].trim();
            if name.is_empty() || name.contains(['"', ' ', ',']) {
                return Err(invalid());
            }
            (fold(&datafusion::sql::sqlparser::ast::Ident::new(name)), &rest[end..])
        };
        parts.push(part);
        match after.trim_start().strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if after.trim().is_empty() => break,
            None => return Err(invalid()),
        }
    }
    match parts.len() {
        1 => Ok((None, parts.remove(0))),
        2 => Ok((Some(parts.remove(0)), parts.remove(0))),
        3 if parts[0] == super::pg_database::DATABASE => Ok((Some(parts.remove(1)), parts.remove(1))),
        _ => Err(Error::unsupported(format!("cross-database reference \"{text}\""))),
    }
}
