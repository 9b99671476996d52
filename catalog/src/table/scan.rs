//! The scan provider: from a table version's file list to a plain Parquet scan.
//!
//! Files are skipped by the ranges in the log before anything is opened; row groups and pages by Parquet's own
//! statistics and bloom filters, and by dynamic filters, while they are read. The plan is an ordinary
//! `DataSourceExec`, so every optimizer rule of DataFusion applies and workers can decode it.
//!
//! An order is declared only where it is true: all files carry our writer's tag, and files that share a group do
//! not overlap. No partitioning by hash is ever declared: DataFusion would take it for its own hash.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ColumnStatistics, Constraint, Constraints, DFSchema, Result, Statistics};
use datafusion::config::{ConfigOptions, TableParquetOptions};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, ScalarUDF, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr, expressions::col};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use futures::{StreamExt, TryStreamExt};

use super::TableState;
use super::buckets::Buckets;
use super::by_key::{Slices, worthwhile};
use super::file::{DataFile, FileRanges};
use super::rows;

/// More ordered groups than this many times the session's partitions cost more to merge than sorting saves.
const ORDERED_GROUPS_PER_PARTITION: usize = 8;

/// So many footers are asked for side by side.
const FOOTERS_AT_ONCE: usize = 16;

/// One version of a table as DataFusion plans with it.
#[derive(Debug)]
pub struct LakeTable {
    state: Arc<TableState>,
    /// The table's columns, timestamps with time zone in the reading session's zone.
    schema: SchemaRef,
    store: ObjectStoreUrl,
    constraints: Option<Constraints>,
    /// The hash by which keyed tables are cut, to read only the buckets of keys that are asked for.
    bucket: Option<Arc<ScalarUDF>>,
}

/// How many files a scan kept of how many; travels on the scan's files so that `EXPLAIN` can show it.
#[derive(Debug, Clone, Copy)]
pub struct Pruned {
    /// Files that are read.
    pub kept: usize,
    /// Files of the table version.
    pub total: usize,
}

impl LakeTable {
    /// A provider over `state`, whose files are found in `store` below the table's folder. `schema` is the table's,
    /// with whatever time zone the session reads instants in.
    pub fn new(state: Arc<TableState>, schema: SchemaRef, store: ObjectStoreUrl) -> Self {
        let key: Option<Vec<usize>> =
            state.def.primary_key.iter().map(|name| state.schema.index_of(name).ok()).collect();
        let constraints =
            key.filter(|k| !k.is_empty()).map(|key| Constraints::new_unverified(vec![Constraint::PrimaryKey(key)]));
        Self { state, schema, store, constraints, bucket: None }
    }

    /// Skips files by the bucket of the keys that are asked for, `bucket` being the function that wrote them.
    pub(crate) fn with_bucket(self, bucket: Arc<ScalarUDF>) -> Self {
        Self { bucket: Some(bucket), ..self }
    }

    /// The table version behind it.
    pub fn state(&self) -> &Arc<TableState> {
        &self.state
    }

    /// The files that can hold rows for which all `filters` are true.
    pub(super) fn prune(&self, session: &dyn Session, filters: &[Expr]) -> Result<Vec<Arc<DataFile>>> {
        let files = &self.state.files;
        let Some(filter) = conjunction(filters.to_vec()) else { return Ok(files.as_ref().clone()) };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let predicate = session.create_physical_expr(filter, &schema)?;
        let by_key = match &self.bucket {
            Some(hash) => {
                let buckets = Buckets { hash, layout: &self.state.layout, schema: &self.schema };
                buckets.of(&predicate, session.config_options())?
            }
            None => None,
        };
        // Whoever else wrote a file may have cut it by another hash.
        let may_hold = |file: &Arc<DataFile>| match (&by_key, &file.cut, &file.sorted_by) {
            (Some(buckets), Some(bucket), Some(_)) => buckets.contains(bucket),
            _ => true,
        };
        let left: Vec<Arc<DataFile>>;
        let files = match by_key {
            Some(_) => {
                left = files.iter().filter(|file| may_hold(file)).cloned().collect();
                &left
            }
            None => files.as_ref(),
        };
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&self.schema))
            .with_max_in_list_size(session.config_options().execution.parquet.max_in_list_size)
            .build(predicate);
        let Some(predicate) = predicate else { return Ok(files.clone()) };
        let keep = predicate.prune(&FileRanges::new(files, &self.schema))?;
        Ok(files.iter().zip(keep).filter(|(_, keep)| *keep).map(|(file, _)| Arc::clone(file)).collect())
    }

    /// The order that every one of these files has, if any.
    fn ordering(&self, files: &[Arc<DataFile>]) -> Result<Option<LexOrdering>> {
        let tag = self.state.layout.sort_tag();
        if tag.is_none() || files.iter().any(|f| f.sorted_by != tag) {
            return Ok(None);
        }
        let options = SortOptions { descending: false, nulls_first: false };
        let columns = self.state.layout.sort.iter();
        let sort = columns.map(|name| Ok(PhysicalSortExpr::new(col(name, &self.schema)?, options)));
        Ok(LexOrdering::new(sort.collect::<Result<Vec<_>>>()?))
    }

    /// Files in groups that keep `ordering`: several in one group only where they follow each other.
    fn ordered_groups(&self, files: &[PartitionedFile], ordering: &LexOrdering, partitions: usize) -> Vec<FileGroup> {
        let alone = || files.iter().map(|f| FileGroup::new(vec![f.clone()])).collect();
        let sort: Option<Vec<usize>> =
            self.state.layout.sort.iter().map(|name| self.schema.index_of(name).ok()).collect();
        // Nulls sort last and have no place in a maximum, and floats sort apart from their statistics (NaN).
        let comparable = sort.is_some_and(|sort| {
            sort.iter().all(|&i| !self.schema.field(i).data_type().is_floating())
                && files.iter().all(|file| {
                    file.statistics.as_ref().is_some_and(|s| {
                        sort.iter().all(|&i| s.column_statistics[i].null_count.get_value() == Some(&0))
                    })
                })
        });
        if !comparable {
            return alone();
        }
        let group = [FileGroup::new(files.to_vec())];
        FileScanConfig::split_groups_by_statistics_with_target_partitions(&self.schema, &group, ordering, partitions)
            .unwrap_or_else(|_| alone())
    }

    /// What lies where in the files, by the first column that all of them are sorted by. Empty where it is not known of
    /// every one, or not worth knowing.
    async fn slices(&self, runtime: &RuntimeEnv, files: &[Arc<DataFile>]) -> Result<HashMap<String, Arc<Slices>>> {
        let mut found = HashMap::with_capacity(files.len());
        let Some(column) = self.state.layout.sort.first() else { return Ok(found) };
        if !worthwhile(&self.state, files) || self.ordering(files)?.is_none() {
            return Ok(found);
        }
        let store = runtime.object_store(&self.store)?;
        let mut footers = Vec::with_capacity(files.len());
        for file in files {
            let (cache, store) = (runtime.cache_manager.get_file_metadata_cache(), Arc::clone(&store));
            let object = PartitionedFile::new(self.state.object_path(file).to_string(), file.size).object_meta;
            let (schema, column) = (Arc::clone(&self.schema), column.clone());
            footers.push(async move { Slices::read(store.as_ref(), &object, cache, &schema, &column).await });
        }
        let read: Vec<_> = futures::stream::iter(footers).buffered(FOOTERS_AT_ONCE).try_collect().await?;
        for (file, slices) in files.iter().zip(read) {
            let Some(slices) = slices else { return Ok(HashMap::new()) };
            found.insert(file.path.clone(), Arc::new(slices));
        }
        Ok(found)
    }

    /// Files in `partitions` groups of about the same size, order ignored.
    fn balanced_groups(files: Vec<PartitionedFile>, partitions: usize) -> Vec<FileGroup> {
        let mut groups: Vec<(u64, Vec<PartitionedFile>)> =
            vec![(0, Vec::new()); partitions.clamp(1, files.len().max(1))];
        for file in files {
            if let Some((size, group)) = groups.iter_mut().min_by_key(|(size, _)| *size) {
                *size += file.object_meta.size;
                group.push(file);
            }
        }
        groups.into_iter().map(|(_, group)| FileGroup::new(group)).collect()
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.constraints.as_ref()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(summary(self.state.files.iter().map(|f| f.statistics(&self.schema)), &self.schema))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = self.prune(session, filters)?;
        let partitions = session.config_options().execution.target_partitions;
        let most_ordered = partitions * ORDERED_GROUPS_PER_PARTITION;
        let slices = self.slices(session.runtime_env(), &kept).await?;
        let scan = Scan { projection, limit, partitions, most_ordered, numbered: false, slices };
        self.scan_files(session.config_options(), session.runtime_env(), &kept, scan)
    }
}

/// How files are to be read.
pub(super) struct Scan<'a> {
    pub(super) projection: Option<&'a Vec<usize>>,
    pub(super) limit: Option<usize>,
    pub(super) partitions: usize,
    /// Up to so many partitions if that keeps an order.
    pub(super) most_ordered: usize,
    /// With the columns that tell where a row is: see [`super::rows`].
    pub(super) numbered: bool,
    /// What lies where in the files, if that is known: see [`super::by_key()`].
    pub(super) slices: HashMap<String, Arc<Slices>>,
}

impl LakeTable {
    /// All rows and columns in `partitions` partitions, or in up to `most_ordered` that are sorted.
    pub(crate) fn scan_all(
        &self,
        session: &dyn Session,
        partitions: usize,
        most_ordered: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan =
            Scan { projection: None, limit: None, partitions, most_ordered, numbered: false, slices: HashMap::new() };
        self.scan_files(session.config_options(), session.runtime_env(), &self.state.files, scan)
    }

    pub(super) fn scan_files(
        &self,
        options: &ConfigOptions,
        runtime: &RuntimeEnv,
        kept: &[Arc<DataFile>],
        scan: Scan<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Scan { projection, limit, partitions, most_ordered, numbered, mut slices } = scan;
        let columns = if numbered { rows::numbered(&self.schema) } else { TableSchema::from(Arc::clone(&self.schema)) };
        let schema = columns.table_schema();
        if kept.is_empty() {
            let schema = projection.map_or_else(|| Ok(Arc::clone(schema)), |p| schema.project(p).map(Arc::new))?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let pruned = Pruned { kept: kept.len(), total: self.state.files.len() };
        let numbers = if numbered { rows::numbers(&self.state.files)? } else { HashMap::new() };
        let files: Vec<PartitionedFile> = kept
            .iter()
            .map(|file| {
                let read = PartitionedFile::new(self.state.object_path(file).to_string(), file.size)
                    .with_partition_values(numbers.get(file.path.as_str()).cloned().into_iter().collect())
                    .with_statistics(Arc::new(file.statistics(&self.schema)))
                    .with_extension(pruned);
                match slices.remove(&file.path) {
                    Some(slices) => read.with_extension(slices),
                    None => read,
                }
            })
            .collect();
        let mut statistics = summary(kept.iter().map(|f| f.statistics(&self.schema)), &self.schema);
        statistics.column_statistics.resize_with(schema.fields().len(), ColumnStatistics::new_unknown);

        let mut groups = None;
        let mut output_ordering = Vec::new();
        if let Some(ordering) = self.ordering(kept)? {
            let ordered = self.ordered_groups(&files, &ordering, partitions);
            if ordered.len() <= most_ordered {
                output_ordering.push(ordering);
                groups = Some(ordered);
            }
        }
        let groups = groups.unwrap_or_else(|| Self::balanced_groups(files, partitions));

        let options = TableParquetOptions { global: options.execution.parquet.clone(), ..Default::default() };
        let reader = CachedParquetFileReaderFactory::new(
            runtime.object_store(&self.store)?,
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let source = ParquetSource::new(columns)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_statistics(statistics)
            .with_output_ordering(output_ordering)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The statistics of all files together.
fn summary(files: impl Iterator<Item = Statistics>, schema: &SchemaRef) -> Statistics {
    let files: Vec<Statistics> = files.collect();
    match Statistics::try_merge_iter(files.iter(), schema) {
        Ok(merged) => merged,
        // A sum that overflows leaves the optimizer without numbers, not the user without an answer.
        Err(_) => Statistics::new_unknown(schema),
    }
}

/// How many files a scan in `plan` reads of how many its table has; `None` if `plan` is not a scan of ours.
pub fn pruned(plan: &dyn ExecutionPlan) -> Option<Pruned> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    let config = source.data_source().downcast_ref::<FileScanConfig>()?;
    config.file_groups.iter().flat_map(FileGroup::iter).find_map(|file| file.extension::<Pruned>().copied())
}
