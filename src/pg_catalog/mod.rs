//! `pg_catalog`: what clients ask about the warehouse, in the form in which PostgreSQL answers.
//!
//! Nothing here is stored. Each catalog is put together when it is scanned, from the statement's view of the warehouse
//! ([`PgCatalog`]) and from what every PostgreSQL has built in ([`builtin`]): only the columns that the query wants, and
//! where it asks for one relation by number, only its rows.
//!
//! One file for each catalog or small group of them; [`table`] makes them readable, [`functions`] has what is called
//! and not read. A catalog that PostgreSQL has and that is about things no warehouse has (triggers, publications) is
//! there with its columns and without rows.

pub(crate) mod builtin;
mod functions;
pub(crate) mod names;
pub(crate) mod oids;
pub(crate) mod pg_attribute;
mod pg_class;
mod pg_constraint;
mod pg_database;
mod pg_depend;
mod pg_description;
mod pg_index;
mod pg_namespace;
mod pg_proc;
mod pg_stat;
pub(crate) mod pg_views;
mod probe;
pub(crate) mod roles;
pub(crate) mod rows;
mod sizes;
pub(crate) mod table;

use std::sync::Arc;

use catalog::View;
use catalog::objects::Relation;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

pub(crate) use self::functions::reg::{number as reg_number, print as print_reg, read as read_reg};
pub(crate) use self::names::Reg;
pub(crate) use self::pg_database::DATABASE;
pub(crate) use self::pg_proc::EngineFunctions;
use self::rows::Rows;
use self::table::{CatalogTable, Wanted};
use crate::privileges::Rights;

/// The schema of these tables. It is looked in before the search path, as in PostgreSQL.
pub(crate) const PG_CATALOG: &str = "pg_catalog";

/// Puts a catalog's rows together.
pub(crate) type Fill = fn(&PgCatalog, &Wanted, &mut Rows) -> Result<()>;

/// The warehouse as one statement sees it.
pub(crate) struct PgCatalog {
    /// The objects and files.
    pub(crate) view: View,
    /// The schemas in which names are looked up.
    pub(crate) search_path: Vec<String>,
    /// What can be called.
    pub(crate) functions: Arc<EngineFunctions>,
    /// The rights of who asks.
    pub(crate) rights: Rights,
}

impl std::fmt::Debug for PgCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgCatalog").field("view", &self.view).finish_non_exhaustive()
    }
}

impl PgCatalog {
    /// The catalog or view of that name; with `system_columns` it has `tableoid`, which is there for those who ask.
    pub(crate) fn table(self: &Arc<Self>, name: &str, system_columns: bool) -> Option<Arc<dyn TableProvider>> {
        let relation = builtin::relation(PG_CATALOG, name)?;
        let fill: Fill = match name {
            "pg_attribute" => pg_attribute::fill,
            "pg_attrdef" => pg_attribute::fill_defaults,
            "pg_class" => pg_class::fill,
            "pg_constraint" => pg_constraint::fill,
            "pg_database" => pg_database::fill,
            "pg_tablespace" => pg_database::fill_tablespaces,
            "pg_depend" => pg_depend::fill,
            "pg_rewrite" => pg_depend::fill_rules,
            "pg_description" => pg_description::fill,
            "pg_index" => pg_index::fill,
            "pg_indexes" => pg_index::fill_indexes,
            "pg_namespace" => pg_namespace::fill,
            "pg_proc" => pg_proc::fill,
            "pg_stat_user_tables" | "pg_stat_all_tables" => pg_stat::fill,
            "pg_statio_user_tables" | "pg_statio_all_tables" => pg_stat::fill_io,
            "pg_tables" => pg_views::fill_tables,
            "pg_views" => pg_views::fill_views,
            "pg_authid" => roles::fill_authid,
            "pg_roles" => roles::fill_roles,
            "pg_auth_members" => roles::fill_members,
            "pg_group" => roles::fill_groups,
            "pg_shdescription" => roles::fill_comments,
            "pg_user" | "pg_shadow" => roles::fill_users,
            _ => match builtin::rows(name) {
                Some(_) => table::fill_builtin,
                // A view of the server itself that is not empty there would lie if it were empty here.
                None if relation.kind == "v" && !pg_stat::is_empty(name) => return None,
                None => return Some(table::nothing(relation, system_columns)),
            },
        };
        Some(Arc::new(CatalogTable::new(Arc::clone(self), relation, fill, system_columns)))
    }

    /// A function of `pg_catalog` that looks into the catalogs.
    pub(crate) fn function(self: &Arc<Self>, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::function(self, name)
    }

    /// Whether a relation of that schema and name is found without naming the schema.
    pub(crate) fn is_visible(&self, schema: &str, name: &str) -> bool {
        if schema == PG_CATALOG {
            return true;
        }
        if builtin::relation(PG_CATALOG, name).is_some() {
            return false;
        }
        let holds = |path: &&String| names::class_named(self, path, name).is_some();
        self.search_path.iter().find(holds).is_some_and(|first| first == schema)
    }

    /// The table or view with that number.
    pub(crate) fn relation(&self, oid: u32) -> Option<Relation> {
        let objects = self.view.objects();
        let table = || objects.table(oid).map(|def| Relation::Table(Arc::clone(def)));
        table().or_else(|| objects.view(oid).map(|def| Relation::View(Arc::clone(def))))
    }
}
