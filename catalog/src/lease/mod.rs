//! The lease that makes one process the writer of a warehouse.
//!
//! On a local folder it is a lock of the operating system, which the kernel frees with the process, however that
//! ends. On an object store it is a small object that the holder keeps renewing. A warehouse in memory is private to
//! its process and needs neither. Either way the warehouse log stays correct without the lease (its entries are put
//! only if absent); the lease keeps writers from wasting work and from deleting files that another still needs.

mod folder;
mod object;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::folder::FolderLock;
use self::object::{ObjectLease, Timing};
use crate::error::{Error, Result};
use crate::store::Store;

/// Who holds a lease, for people: it is shown to whoever is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderInfo {
    /// Process id on its host.
    pub pid: u32,
    /// Name of the host.
    pub host: String,
    /// What the process does, as in `serve 127.0.0.1:5432` or `load`.
    pub what: String,
}

impl HolderInfo {
    /// This process, doing `what`.
    pub fn this_process(what: impl Into<String>) -> Self {
        // Only people read it, so a host that can't name itself may write all the same.
        let host = hostname::get().map_or_else(|_| "unknown".into(), |name| name.to_string_lossy().into_owned());
        Self { pid: std::process::id(), host, what: what.into() }
    }
}

impl fmt::Display for HolderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} on host {} ({})", self.pid, self.host, self.what)
    }
}

/// The right to write to a warehouse. Dropping it gives it back, on an object store as well as that can be done
/// without waiting; [`Lease::release`] does so for sure.
#[derive(Debug)]
pub struct Lease {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Memory,
    Folder(FolderLock),
    Object(ObjectLease),
}

impl Lease {
    /// Takes the lease, or fails with [`Error::LeaseHeld`] if a living process has it.
    ///
    /// On an object store this waits until a holder that is silent has been so for 15 s, and up to 5 s to see a
    /// living one renew.
    pub async fn acquire(store: &Store, holder: HolderInfo) -> Result<Self> {
        let kind = if store.is_memory() {
            Kind::Memory
        } else if let Some(folder) = store.local.clone() {
            let lock = tokio::task::spawn_blocking(move || FolderLock::acquire(&folder, holder));
            Kind::Folder(lock.await.map_err(|e| Error::io("cannot lock the warehouse", e.into()))??)
        } else {
            Kind::Object(ObjectLease::acquire(store, holder, Timing::DEFAULT).await?)
        };
        Ok(Self { kind })
    }

    /// The fencing number: larger for every later holder of the same warehouse, as long as nobody removes the lock
    /// file or the lease object. 1 in memory.
    pub fn epoch(&self) -> u64 {
        match &self.kind {
            Kind::Memory => 1,
            Kind::Folder(lock) => lock.epoch(),
            Kind::Object(lease) => lease.epoch(),
        }
    }

    /// [`Error::LeaseLost`] if another process has the lease or may have it by now. Cheap: to be asked before every
    /// commit and every deletion. On an object store that was out of reach for a while, the lease can come back.
    pub fn check(&self) -> Result<()> {
        let held = match &self.kind {
            Kind::Memory => true,
            Kind::Folder(lock) => lock.is_held(),
            Kind::Object(lease) => lease.is_held(),
        };
        if held { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// Gives the lease back, so that the next writer needn't wait.
    pub async fn release(self) -> Result<()> {
        match self.kind {
            Kind::Memory => Ok(()),
            Kind::Folder(lock) => {
                drop(lock);
                Ok(())
            }
            Kind::Object(lease) => lease.release().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    fn holder(what: &str) -> HolderInfo {
        HolderInfo { pid: 7, host: "here".into(), what: what.into() }
    }

    #[tokio::test]
    async fn one_holder_per_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), &StoreOptions::default(), true).await.unwrap();
        let first = Lease::acquire(&store, holder("serve 127.0.0.1:5432")).await.unwrap();
        assert_eq!(first.epoch(), 1);
        match Lease::acquire(&store, holder("load")).await {
            Err(Error::LeaseHeld { holder }) => {
                assert!(holder.starts_with("pid 7 on host here (serve 127.0.0.1:5432), since 20"), "{holder}");
            }
            other => panic!("{other:?}"),
        }
        first.check().unwrap();
        drop(first);
        let second = Lease::acquire(&store, holder("load")).await.unwrap();
        assert_eq!(second.epoch(), 2);
        second.release().await.unwrap();
        assert_eq!(Lease::acquire(&store, holder("x")).await.unwrap().epoch(), 3);
    }

    #[tokio::test]
    async fn a_replaced_lock_file_is_a_lost_lease() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), &StoreOptions::default(), true).await.unwrap();
        let first = Lease::acquire(&store, holder("a")).await.unwrap();
        std::fs::remove_file(folder.path().join("_audiencedb/lock")).unwrap();
        let second = Lease::acquire(&store, holder("b")).await.unwrap();
        assert!(matches!(first.check(), Err(Error::LeaseLost)));
        second.check().unwrap();
    }

    #[tokio::test]
    async fn memory_is_always_granted() {
        let store = Store::open("memory://", &StoreOptions::default(), true).await.unwrap();
        let lease = Lease::acquire(&store, holder("test")).await.unwrap();
        lease.check().unwrap();
        lease.release().await.unwrap();
    }
}
