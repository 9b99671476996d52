//! PostgreSQL's forms of values, text and binary: [`encode`] writes them, [`decode`] reads them, [`pg_type`] says which
//! PostgreSQL type an Arrow type is. The wire, casts and printed results all go through here.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod pg_type;
