//! "Perhaps you meant …" for relations and schemas: names that exist and look like the one that does not.

use catalog::objects::Privileges;

use crate::error::nearest;
use crate::privileges::Rights;

/// The schemas that may be named to who asks: those that he may look into. This and [`relations`] are the places where
/// names of objects get into hints.
fn schemas(rights: &Rights) -> impl Iterator<Item = &str> {
    let names = rights.objects().schemas().map(|schema| schema.name.as_str());
    names.filter(|schema| rights.has_schema(schema, Privileges::USAGE))
}

/// The relations of a schema that may be named to who asks.
fn relations(rights: &Rights, schema: &str) -> Vec<String> {
    if !rights.has_schema(schema, Privileges::USAGE) {
        return Vec::new();
    }
    let seen = rights.objects().relations(schema).filter(|relation| rights.sees(relation.id()));
    seen.map(|relation| relation.name().to_owned()).collect()
}

/// A hint for a relation that is in none of `path`, or not in `schema` if one was named.
pub(crate) fn relation(rights: &Rights, schema: Option<&str>, name: &str, path: &[String]) -> Option<String> {
    let searched: Vec<&str> = match schema {
        Some(schema) => vec![schema],
        None => path.iter().map(String::as_str).collect(),
    };
    // The very name in a schema that was not looked in, then a like one where it was looked for.
    let elsewhere = || {
        let mut others = schemas(rights).filter(|other| !searched.contains(other));
        let found = others.find(|other| relations(rights, other).iter().any(|relation| relation == name))?;
        Some((found.to_owned(), name.to_owned()))
    };
    let misspelt = || {
        searched.iter().find_map(|searched| {
            let names = relations(rights, searched);
            nearest(name, names.iter().map(String::as_str)).map(|close| ((*searched).to_owned(), close.to_owned()))
        })
    };
    let schema_misspelt = || {
        let close = nearest(schema?, schemas(rights))?;
        relations(rights, close).contains(&name.to_owned()).then(|| (close.to_owned(), name.to_owned()))
    };
    let (found, close) = match schema {
        Some(_) => schema_misspelt().or_else(misspelt).or_else(elsewhere)?,
        None => elsewhere().or_else(misspelt)?,
    };
    let written =
        if schema.is_none() && searched.contains(&found.as_str()) { close } else { format!("{found}.{close}") };
    Some(format!("perhaps you meant \"{written}\""))
}

/// A hint for a schema that does not exist.
pub(crate) fn schema(rights: &Rights, name: &str) -> Option<String> {
    nearest(name, schemas(rights)).map(|close| format!("perhaps you meant \"{close}\""))
}
