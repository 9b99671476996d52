//! What a file is known by when it is loaded once more: its name, the folders that are columns, and its content.
//!
//! Neither a moved folder nor a touched file counts as another one, and a file in object storage is the same as its
//! copy on this machine.

use std::hash::Hasher;

use futures::TryStreamExt;
use twox_hash::XxHash3_64;

use super::source::Input;
use crate::error::Result;

/// The application id of a file's transaction.
pub(super) async fn of(input: &Input) -> Result<String> {
    let mut hash = XxHash3_64::default();
    let mut length = 0;
    let mut chunks = input.location.read(&input.object);
    while let Some(chunk) = chunks.try_next().await? {
        length += chunk.len();
        hash.write(&chunk);
    }
    Ok(format!("load:{}:{length}:{:016x}", input.name, hash.finish()))
}
