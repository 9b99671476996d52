//! `id_dictionary(id)`: numbers for ids that are text.
//!
//! Bitmaps hold numbers. A hash of a text is a number too, but two texts may have the same, and then a person is taken
//! for another without a sign. A dictionary gives each text a number of its own.
//!
//! For a dictionary that lasts, where ids that come later must not move those that are there, there is the table
//! function `id_dictionary('table', 'id', previous => 'dictionary')`.
//!
//! * NULLs do not count; without other rows NULL. Numbers are from 0, in the order of the bytes of the texts. DISTINCT
//!   changes nothing.
//! * Cost: O(n), and a sort of the different texts; their memory.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion_expr::{Accumulator, AggregateUDFImpl};
use datafusion_macros::user_doc;

use super::dictionary::{Dictionary, dictionary};
use crate::named::named;
use crate::rows::{Taken, coerce};

/// The function `id_dictionary`.
#[user_doc(
    doc_section(label = "Set Functions"),
    description = "Returns a dictionary of the different texts of a group as an array of STRUCT(id, n): numbers from 0 without gaps, in the order of the texts, for bitmaps. NULLs do not count; without other rows it is NULL. For a dictionary to be kept and extended there is the table function of this name.",
    syntax_example = "id_dictionary(id)",
    sql_example = r#"```sql
> SELECT id_dictionary(id) AS dictionary FROM (VALUES ('zoe'), ('ada'), ('zoe')) AS visits (id);
+------------------------------------+
| dictionary                         |
+------------------------------------+
| [{id: ada, n: 0}, {id: zoe, n: 1}] |
+------------------------------------+
```"#,
    argument(name = "id", description = "The id, a text.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct IdDictionary;

impl AggregateUDFImpl for IdDictionary {
    named!("id_dictionary");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(dictionary())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce("id_dictionary", types, &[("id", Taken::Text)], 1)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Dictionary::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            Field::new(format_state_name(args.name, "texts"), DataType::new_list(DataType::Utf8View, true), true)
                .into(),
        ])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
