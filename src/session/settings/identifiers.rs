//! Names as SQL writes them: quoting one, and lists of them such as `search_path`.

use super::definition::{Basis, Rejection};

/// A name as it must be written in SQL: in double quotes unless it is a plain lowercase word that no keyword of
/// PostgreSQL's grammar hides.
pub(crate) fn quote_identifier(name: &str) -> String {
    let starts_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = starts_plain && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && KEYWORDS.binary_search(&name).is_err() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The names of a comma-separated list. Unquoted ones are folded to lowercase. `None`: not such a list.
pub(super) fn split_list(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut tail = quoted;
            // Two quotes stand for one.
            loop {
                let (part, after) = tail.split_once('"')?;
                name.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        tail = more;
                    }
                    None => {
                        tail = after;
                        break;
                    }
                }
            }
            names.push(name);
            rest = tail;
        } else {
            let end = rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            names.push(rest[..end].to_lowercase());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// Brings a list of names into the form it is shown in.
pub(super) fn check_list(text: &str, _: &Basis<'_>) -> Result<String, Rejection> {
    match split_list(text) {
        Some(names) => Ok(names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ")),
        None => Err(Rejection::Invalid { hint: Some("write a comma-separated list of names".to_owned()) }),
    }
}

/// The words that PostgreSQL 15 does not take as a name everywhere, sorted.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_where_needed() {
        assert!(KEYWORDS.is_sorted());
        for (name, written) in
            [("vip_2", "vip_2"), ("Vip", "\"Vip\""), ("user", "\"user\""), ("2x", "\"2x\""), ("", "\"\"")]
        {
            assert_eq!(quote_identifier(name), written);
        }
        assert_eq!(quote_identifier("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn lists_keep_their_names() {
        let basis = Basis { current: "", reset: "", zone: "UTC" };
        let shown = |text| check_list(text, &basis).ok();
        assert_eq!(shown("\"$user\", public").as_deref(), Some("\"$user\", public"));
        assert_eq!(shown("Segments ,\"My \"\"x\"\"\"").as_deref(), Some("segments, \"My \"\"x\"\"\""));
        assert_eq!(shown("").as_deref(), Some(""));
        assert_eq!(split_list("a, b"), Some(vec!["a".to_owned(), "b".to_owned()]));
        for bad in ["a b", "a,", ",a", "\"a"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
