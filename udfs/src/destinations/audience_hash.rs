//! `audience_hash(platform, field, value [, region])`: an identifier as an advertising platform wants to receive it.
//!
//! Every platform normalises before it hashes, each in its own way, and what is normalised otherwise matches nobody.
//! Connectors get it wrong in the same places: names lose their accents or all of their letters, so that all these
//! people share the hash of the empty text; phones keep the zero of their trunk, or get the code of another country.
//!
//! * NULL, an empty value, and the hash of an empty value: NULL, never a hash.
//! * What is no value of its field (no @, a number outside of its country's plan, 30 February): NULL. `hash_audit`
//!   counts them.
//! * 64 hexadecimal digits (for uid2 also the Base64 of 32 bytes) are a hash already: passed on in the platform's form.
//! * Fields that a platform wants in the clear are returned so.
//! * Sources: the platforms' own documentation, see the rule sets. Cost: one SHA-256, below a microsecond a value;
//!   numbers of phones about ten, for the numbering plans.

use datafusion_common::Result;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::identifiers::{Identifiers, coerced, evaluated};
use crate::named::named;

/// The function `audience_hash`.
#[user_doc(
    doc_section(label = "Destination Functions"),
    description = "Returns an identifier as an advertising platform wants to receive it: normalised by that platform's rules, then SHA-256 (hexadecimal; for uid2 the Base64 of its bytes), or in the clear where the platform wants it so. NULL for NULL, for an empty or invalid value, and for the hash of an empty value; a value that is a hash already is passed on.",
    syntax_example = "audience_hash(platform, field, value [, region])",
    sql_example = r#"```sql
> SELECT who, audience_hash('meta', 'phone', phone, 'FR') AS meta, audience_hash('google', 'zip', zip) AS zip FROM (VALUES ('ada', '06 12 34 56 78', '75018'), ('bo', 'n/a', '')) AS t (who, phone, zip) ORDER BY who;
+-----+------------------------------------------------------------------+-------+
| who | meta                                                             | zip   |
+-----+------------------------------------------------------------------+-------+
| ada | 8a3e7886c9335e82e02299fa3e87b46e2de3b0c63d56003e30a5029394a47661 | 75018 |
| bo  |                                                                  |       |
+-----+------------------------------------------------------------------+-------+
```"#,
    argument(
        name = "platform",
        description = "A constant: meta, google, tiktok or uid2, by the newest rules known; or pinned to rules of a date: meta@2026-01, google@2026-07 (dots and +tags of Gmail removed), google@2025-01 (kept), tiktok@2025-09, tiktok@2025-08 (+tags removed, phones without +), tiktok@2025-06 (+tags removed), uid2@2026-07."
    ),
    argument(
        name = "field",
        description = "A constant. All: email, phone. Meta also: first_name, last_name, city, state, zip, country, birth_date, gender, external_id, and maid in the clear. Google also: first_name, last_name, street, and city, state, zip, country, external_id, maid in the clear. TikTok also: external_id, maid. Meta's abbreviations (em, ph, fn, ...) are understood."
    ),
    argument(
        name = "value",
        description = "The value: text, an integer, or a date. A date as text has its year first; other orders are ambiguous and give NULL."
    ),
    argument(
        name = "region",
        description = "Two letters of the country that phones without a country code, zip codes and states belong to, a constant or a column. Without it such phones are NULL."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AudienceHash;

impl ScalarUDFImpl for AudienceHash {
    named!("audience_hash");

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name(), types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluated(self.name(), &args, Identifiers::sent)
    }
}
