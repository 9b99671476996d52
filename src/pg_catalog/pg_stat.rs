//! `pg_stat_user_tables` and its kin: what is counted about tables. Accesses are not counted, rows are known.

use datafusion::common::Result;

use super::PgCatalog;
use super::rows::{Datum, Rows};
use super::table::Wanted;

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["relid", "schemaname", "relname", "n_live_tup", "n_dead_tup"])?;
    for table in catalog.view.objects().tables().filter(|table| wanted.wants("relid", table.id)) {
        let live = wanted.sizes.get(&table.id).and_then(|sizes| sizes.rows);
        let live = live.and_then(|rows| i64::try_from(rows).ok());
        out.push([
            table.id.into(),
            table.schema.as_str().into(),
            table.name.as_str().into(),
            live.into(),
            Datum::Int(0),
        ])?;
    }
    Ok(())
}

pub(super) fn fill_io(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns(["relid", "schemaname", "relname"])?;
    for table in catalog.view.objects().tables().filter(|table| wanted.wants("relid", table.id)) {
        out.push([table.id.into(), table.schema.as_str().into(), table.name.as_str().into()])?;
    }
    Ok(())
}

/// Views over things that no warehouse has, which are therefore rightly empty.
pub(super) fn is_empty(name: &str) -> bool {
    let gone = [
        "pg_matviews",
        "pg_rules",
        "pg_sequences",
        "pg_policies",
        "pg_publication_tables",
        "pg_prepared_xacts",
        "pg_replication_slots",
        "pg_replication_origin_status",
        "pg_seclabels",
        "pg_user_mappings",
        "pg_stat_replication",
        "pg_stat_subscription",
        "pg_stat_user_functions",
        "pg_stats_ext",
        "pg_stats_ext_exprs",
        "pg_available_extensions",
        "pg_available_extension_versions",
        "pg_statio_user_sequences",
        "pg_statio_all_sequences",
        "pg_stat_user_indexes",
        "pg_stat_all_indexes",
        "pg_statio_user_indexes",
        "pg_statio_all_indexes",
        "pg_stats",
        "pg_shmem_allocations",
        "pg_file_settings",
        "pg_hba_file_rules",
        "pg_ident_file_mappings",
        "pg_locks",
        "pg_stat_progress_vacuum",
        "pg_stat_progress_analyze",
        "pg_stat_progress_copy",
        "pg_stat_progress_create_index",
        "pg_stat_progress_cluster",
        "pg_stat_progress_basebackup",
        "pg_stat_gssapi",
        "pg_stat_wal_receiver",
    ];
    gone.contains(&name)
}
