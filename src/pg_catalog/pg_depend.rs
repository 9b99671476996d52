//! `pg_depend` and `pg_rewrite`: what views read.

use datafusion::common::Result;

use super::oids::catalogs;
use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, oids};

pub(super) fn fill(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["classid", "objid", "objsubid", "refclassid", "refobjid", "refobjsubid", "deptype"])?;
    let zero = || Datum::Int(0);
    for view in catalog.view.objects().views() {
        let rule = oids::rule(view.id);
        let class = || Datum::from(catalogs::PG_CLASS);
        // A view is its rule, and the rule reads the relations.
        out.push([catalogs::PG_REWRITE.into(), rule.into(), zero(), class(), view.id.into(), zero(), "i".into()])?;
        for read in &view.depends_on {
            let rewrite = catalogs::PG_REWRITE.into();
            out.push([rewrite, rule.into(), zero(), class(), (*read).into(), zero(), "n".into()])?;
        }
    }
    for table in catalog.view.objects().tables().filter(|table| !table.primary_key.is_empty()) {
        let constraint = oids::primary_key(table.id);
        let index = oids::primary_key_index(table.id);
        out.push([
            catalogs::PG_CLASS.into(),
            index.into(),
            zero(),
            catalogs::PG_CONSTRAINT.into(),
            constraint.into(),
            zero(),
            "i".into(),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_rules(catalog: &PgCatalog, _: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out =
        rows.columns(["oid", "rulename", "ev_class", "ev_type", "ev_enabled", "is_instead", "ev_qual", "ev_action"])?;
    for view in catalog.view.objects().views() {
        out.push([
            oids::rule(view.id).into(),
            "_RETURN".into(),
            view.id.into(),
            "1".into(),
            "O".into(),
            true.into(),
            "<>".into(),
            view.sql.as_str().into(),
        ])?;
    }
    Ok(())
}
