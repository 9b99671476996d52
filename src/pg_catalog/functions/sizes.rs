//! `pg_relation_size`, `pg_table_size`, `pg_total_relation_size`, `pg_indexes_size`, `pg_database_size` and
//! `pg_tablespace_size`: bytes in storage, from the lists of files. They may have to read a table's log, so they are asynchronous.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use crate::error::{Error, SqlState};
use crate::pg_catalog::pg_database::DATABASE;
use crate::pg_catalog::sizes::Sizes;
use crate::pg_catalog::{PgCatalog, Reg, names, oids};

pub(super) const NAMES: [&str; 6] = [
    "pg_relation_size",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_indexes_size",
    "pg_database_size",
    "pg_tablespace_size",
];

/// The function of that name.
pub(super) fn function(catalog: &Arc<PgCatalog>, name: &str) -> Option<ScalarUDF> {
    let name = *NAMES.iter().find(|known| **known == name)?;
    let mut arities = vec![TypeSignature::Any(1)];
    if name == "pg_relation_size" {
        arities.push(TypeSignature::Any(2));
    }
    // Volatile, so that nobody tries to compute it while the query is planned.
    let signature = Signature::one_of(arities, Volatility::Volatile);
    let size = SizeFunction { catalog: Arc::clone(catalog), name, signature };
    Some(AsyncScalarUDF::new(Arc::new(size)).into_scalar_udf())
}

struct SizeFunction {
    catalog: Arc<PgCatalog>,
    name: &'static str,
    signature: Signature,
}

impl SizeFunction {
    async fn of_all(&self) -> Result<u64> {
        let mut bytes = 0;
        for table in self.catalog.view.objects().tables() {
            bytes += Sizes::of(&self.catalog.view, table.id).await?.bytes;
        }
        Ok(bytes)
    }

    async fn of(&self, number: Option<i64>, text: Option<&str>) -> Result<Option<i64>> {
        let catalog = &self.catalog;
        let bytes = if self.name == "pg_database_size" {
            let known = match (number, text) {
                (Some(number), _) => number == i64::from(oids::DATABASE),
                (None, Some(name)) => name == DATABASE,
                _ => return Ok(None),
            };
            if !known {
                let name = text.map_or_else(|| number.unwrap_or_default().to_string(), str::to_owned);
                let message = format!("database \"{name}\" does not exist");
                return Err(Error::new(SqlState::INVALID_CATALOG_NAME, message).into());
            }
            self.of_all().await?
        } else if self.name == "pg_tablespace_size" {
            let is_default = number == Some(oids::DEFAULT_TABLESPACE.into()) || text == Some("pg_default");
            if is_default { self.of_all().await? } else { 0 }
        } else {
            let oid = match (number, text) {
                (Some(number), _) => u32::try_from(number).unwrap_or_default(),
                (None, Some(name)) => Reg::Class.read(catalog, name)?,
                _ => return Ok(None),
            };
            if names::class_parts(catalog, oid).is_none() {
                return Ok(None);
            }
            match catalog.view.objects().table(oid) {
                // The key is kept by how the table is laid out, at no further bytes.
                Some(_) if self.name == "pg_indexes_size" => 0,
                Some(_) => Sizes::of(&catalog.view, oid).await?.bytes,
                None => 0,
            }
        };
        Ok(Some(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }
}

impl ScalarUDFImpl for SizeFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} reads logs and can't be called at once", self.name)
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for SizeFunction {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let objects = args.args[0].to_array(args.number_rows)?;
        let mut sizes = Vec::with_capacity(objects.len());
        if objects.data_type().is_integer() {
            let objects = cast(&objects, &DataType::Int64)?;
            for number in objects.as_primitive::<Int64Type>() {
                sizes.push(self.of(number, None).await?);
            }
        } else {
            let objects = cast(&objects, &DataType::Utf8View)?;
            for text in objects.as_string_view() {
                sizes.push(self.of(None, text).await?);
            }
        }
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(sizes))))
    }
}

impl fmt::Debug for SizeFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SizeFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for SizeFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.catalog, &other.catalog)
    }
}

impl Eq for SizeFunction {}

impl Hash for SizeFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
