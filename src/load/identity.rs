//! What a file is known by when it is loaded once more: its name, the folders that are columns, and its content.
//!
//! Neither a moved folder nor a touched file counts as another one.

use std::fs::File;
use std::hash::Hasher;
use std::io::Read;

use twox_hash::XxHash3_64;

use super::source::{Input, Place};
use crate::error::{Error, Result};

/// The application id of a file's transaction.
pub(super) async fn of(input: &Input) -> Result<String> {
    let name = &input.name;
    match &input.place {
        Place::Local(path) => {
            let path = path.clone();
            let hash = tokio::task::spawn_blocking(move || -> std::io::Result<(u64, u64)> {
                let mut file = File::open(path)?;
                let mut hash = XxHash3_64::default();
                let mut buffer = vec![0; 1 << 20];
                let mut length = 0;
                loop {
                    let read = file.read(&mut buffer)?;
                    if read == 0 {
                        return Ok((hash.finish(), length));
                    }
                    length += read as u64;
                    hash.write(&buffer[..read]);
                }
            });
            let (hash, length) = hash
                .await
                .map_err(|e| Error::internal(format!("reading a file stopped: {e}")))?
                .map_err(|e| input.unreadable(&e))?;
            Ok(format!("load:{name}:{length}:{hash:016x}"))
        }
    }
}
