//! "Perhaps you meant …" for relations and schemas: names that exist and look like the one that does not.

use catalog::objects::Objects;

use crate::error::nearest;

/// The schemas that may be named to who asks. All of them, until roles are told apart here; this and [`relations`] are
/// the places where names of objects get into hints.
fn schemas(objects: &Objects) -> impl Iterator<Item = &str> {
    objects.schemas().map(|schema| schema.name.as_str())
}

/// The relations of a schema that may be named to who asks.
fn relations(objects: &Objects, schema: &str) -> Vec<String> {
    objects.relations(schema).map(|relation| relation.name().to_owned()).collect()
}

/// A hint for a relation that is in none of `path`, or not in `schema` if one was named.
pub(crate) fn relation(objects: &Objects, schema: Option<&str>, name: &str, path: &[String]) -> Option<String> {
    let searched: Vec<&str> = match schema {
        Some(schema) => vec![schema],
        None => path.iter().map(String::as_str).collect(),
    };
    // The very name in a schema that was not looked in, then a like one where it was looked for.
    let elsewhere = || {
        let mut others = schemas(objects).filter(|other| !searched.contains(other));
        let found = others.find(|other| relations(objects, other).iter().any(|relation| relation == name))?;
        Some((found.to_owned(), name.to_owned()))
    };
    let misspelt = || {
        searched.iter().find_map(|searched| {
            let names = relations(objects, searched);
            nearest(name, names.iter().map(String::as_str)).map(|close| ((*searched).to_owned(), close.to_owned()))
        })
    };
    let schema_misspelt = || {
        let close = nearest(schema?, schemas(objects))?;
        relations(objects, close).contains(&name.to_owned()).then(|| (close.to_owned(), name.to_owned()))
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
pub(crate) fn schema(objects: &Objects, name: &str) -> Option<String> {
    nearest(name, schemas(objects)).map(|close| format!("perhaps you meant \"{close}\""))
}
