//! Looking for values in everything that a warehouse stores: how it is verified that nothing of a person is left.
//!
//! Parquet is decoded, whatever table it belongs or belonged to; what else there is (logs, checkpoints of the catalog)
//! is looked through byte by byte. Objects are read one after the other, a batch of rows at a time.

mod keys;
mod reader;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::parquet::arrow::ParquetRecordBatchStreamBuilder;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::errors::ParquetError;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

pub use self::keys::Keys;
use self::reader::Stored;
use crate::error::{Error, Result};
use crate::objects::ObjectId;
use crate::table::write_of;
use crate::transaction::View;
use crate::warehouse::Warehouse;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;
/// Folder of a table's log.
const LOG: &str = "_delta_log";

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The object, relative to the warehouse.
    pub object: String,
    /// The column in it; `None` for what is no table.
    pub column: Option<String>,
}

/// Which integers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Integers {
    /// Those in columns of the keys' names.
    Named,
    /// All.
    All,
}

/// What an erasure has to remove besides the files that it leaves behind.
#[derive(Debug, Default)]
pub struct Remains {
    /// Objects that no version of a table needs and that hold a key.
    pub objects: Vec<String>,
    /// Tables whose logs tell of a key.
    pub logs: Vec<String>,
}

impl Warehouse {
    /// Looks through every object. `each` is told of each one before it is read, and of how many there are.
    pub async fn search(&self, keys: &Keys, each: impl Fn(usize, usize)) -> Result<Vec<Found>> {
        let objects = self.list_all(None).await?;
        let mut found = Vec::new();
        for (number, object) in objects.iter().enumerate() {
            each(number, objects.len());
            found.extend(self.search_object(object, keys, Integers::Named).await?);
        }
        Ok(found)
    }

    /// What is left of rows of `tables` that were changed, deleted or dropped before the snapshot of `view`.
    pub async fn remains(&self, view: &View, tables: &[ObjectId], keys: &Keys) -> Result<Remains> {
        let mut remains = Remains::default();
        let running = self.running.all();
        for id in tables {
            let Some(def) = view.base().objects.table(*id) else { continue };
            let state = self.table(view.base(), *id).await?;
            let needed: BTreeSet<&str> = state.files.iter().map(|file| file.path.as_str()).collect();
            let folder = Path::from(def.path.as_str());
            let mut told = false;
            for object in self.list_all(Some(&folder)).await? {
                let Some(path) = object.location.prefix_match(&folder).map(Path::from_iter) else { continue };
                if is_log(&path) {
                    told = told || !self.search_object(&object, keys, Integers::Named).await?.is_empty();
                    continue;
                }
                let under_way = path.filename().and_then(write_of).is_some_and(|write| running.contains(&write));
                if needed.contains(path.as_ref()) || under_way {
                    continue;
                }
                if !self.search_object(&object, keys, Integers::All).await?.is_empty() {
                    remains.objects.push(object.location.to_string());
                }
            }
            if told {
                remains.logs.push(def.path.clone());
            }
        }
        for (path, _) in view.base().objects.dropped() {
            let objects = self.list_all(Some(&Path::from(path.as_str()))).await?;
            let mut holds = false;
            for object in &objects {
                holds = holds || !self.search_object(object, keys, Integers::All).await?.is_empty();
            }
            if holds {
                remains.objects.extend(objects.into_iter().map(|object| object.location.to_string()));
            }
        }
        Ok(remains)
    }

    async fn list_all(&self, folder: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        let listing = self.store.root.list(folder).try_collect::<Vec<ObjectMeta>>();
        listing.await.map_err(|e| Error::store("cannot list the warehouse", e))
    }

    async fn search_object(&self, object: &ObjectMeta, keys: &Keys, integers: Integers) -> Result<Vec<Found>> {
        let path = &object.location;
        let outcome = match path.extension() {
            Some("parquet") => self.search_parquet(object, keys, integers).await,
            _ => self.search_bytes(path, keys).await,
        };
        let columns = match outcome {
            // Removed since the listing.
            Err(_) if !self.store.exists(path).await? => BTreeSet::new(),
            // What is no Parquet in spite of its name is bytes like any other.
            Err(Error::DataFusion(_)) => self.search_bytes(path, keys).await?,
            outcome => outcome?,
        };
        Ok(columns.into_iter().map(|column| Found { object: path.to_string(), column }).collect())
    }

    async fn search_bytes(&self, path: &Path, keys: &Keys) -> Result<BTreeSet<Option<String>>> {
        let bytes: Bytes = self.store.read(path).await?.unwrap_or_default();
        Ok(keys.in_text(&bytes).then_some(None).into_iter().collect())
    }

    async fn search_parquet(
        &self,
        object: &ObjectMeta,
        keys: &Keys,
        integers: Integers,
    ) -> Result<BTreeSet<Option<String>>> {
        let store: Arc<dyn ObjectStore> = Arc::clone(&self.store.root);
        let reader = Stored { store, object: object.clone() };
        let failed = |e: ParquetError| match e {
            ParquetError::External(e) => {
                Error::io(format!("cannot read {}", object.location), std::io::Error::other(e))
            }
            e => Error::DataFusion(e.into()),
        };
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
        let wanted =
            |field: &Field| may_hold(field.data_type(), integers == Integers::All || keys.is_named(field.name()));
        let roots = builder.schema().fields().iter().enumerate().filter(|(_, field)| wanted(field));
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.map(|(at, _)| at));
        let mut batches = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(failed)?;
        let mut found = BTreeSet::new();
        while let Some(batch) = batches.next().await {
            let batch: RecordBatch = batch.map_err(failed)?;
            for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                let name = Some(field.name().clone());
                let count = integers == Integers::All || keys.is_named(field.name());
                if !found.contains(&name) && holds(array.as_ref(), keys, count)? {
                    found.insert(name);
                }
            }
        }
        Ok(found)
    }
}

fn is_log(path: &Path) -> bool {
    path.parts().next().is_some_and(|first| first.as_ref() == LOG)
}

/// Whether values of a type can be a key or contain one.
fn may_hold(data_type: &DataType, integers: bool) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::Int16 | DataType::Int32 | DataType::Int64 => integers,
        DataType::List(inner) | DataType::LargeList(inner) | DataType::Map(inner, _) => {
            may_hold(inner.data_type(), integers)
        }
        DataType::Struct(fields) => fields.iter().any(|field| may_hold(field.data_type(), integers)),
        DataType::Dictionary(_, value) => may_hold(value, integers),
        _ => false,
    }
}

/// Whether an array has a key in it; `named`: a value that is no more than a number counts.
fn holds(array: &dyn Array, keys: &Keys, named: bool) -> Result<bool> {
    let texts = |array: &dyn Array| -> Result<bool> {
        let array = cast(array, &DataType::Utf8)?;
        Ok(array.as_string::<i32>().iter().flatten().any(|value| keys.in_value(value, named)))
    };
    Ok(match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => texts(array)?,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let array = cast(array, &DataType::Binary)?;
            array.as_binary::<i32>().iter().flatten().any(|value| keys.in_text(value))
        }
        DataType::Int16 | DataType::Int32 | DataType::Int64 if named => {
            let array = cast(array, &DataType::Int64)?;
            array.as_primitive::<Int64Type>().iter().flatten().any(|value| keys.is_number(value))
        }
        DataType::List(_) => holds(array.as_list::<i32>().values().as_ref(), keys, named)?,
        DataType::LargeList(_) => holds(array.as_list::<i64>().values().as_ref(), keys, named)?,
        DataType::Map(..) => holds(array.as_map().entries(), keys, named)?,
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                if holds(column.as_ref(), keys, named)? {
                    return Ok(true);
                }
            }
            false
        }
        DataType::Dictionary(_, value) if may_hold(value, named) => holds(cast(array, value)?.as_ref(), keys, named)?,
        _ => false,
    })
}
