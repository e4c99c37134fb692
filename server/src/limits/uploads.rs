//! Images on their way: how many, and how much of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Limits, throttled};
use crate::account::Account;
use crate::reply::{Problem, Refusal};

/// The uploads in flight of all accounts. When there is no place or memory left, the account that has
/// the most makes room; nobody else is refused on its account.
#[derive(Debug)]
pub(crate) struct Uploads {
    most: usize,
    most_per_account: usize,
    memory: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// In the order of their beginning; at most `most`.
    uploads: BTreeMap<u64, Upload>,
    begun: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Upload {
    account: Account,
    bytes: usize,
    /// Whether it is not all there yet: only such a one can be stopped.
    receiving: bool,
    stop: Arc<Stop>,
}

/// Stops an upload from outside.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    refusal: OnceLock<Refusal>,
    told: Notify,
}

impl Stop {
    /// Ends the upload with this answer; the first one counts.
    pub(crate) fn stop(&self, refusal: Refusal) {
        if self.refusal.set(refusal).is_ok() {
            self.told.notify_one();
        }
    }

    /// Waits until it is stopped. For one waiter.
    pub(crate) async fn stopped(&self) -> Refusal {
        loop {
            if let Some(refusal) = self.refusal.get() {
                return *refusal;
            }
            self.told.notified().await;
        }
    }
}

impl Table {
    /// The account with the most of something, and how much that is.
    fn largest(&self, size: impl Fn(&Upload) -> usize) -> Option<(Account, usize)> {
        let mut sums: HashMap<&Account, usize> = HashMap::new();
        for upload in self.uploads.values() {
            *sums.entry(&upload.account).or_default() += size(upload);
        }
        let largest = sums.into_iter().max_by_key(|(_, sum)| *sum);
        largest.map(|(account, sum)| (account.clone(), sum))
    }

    fn of<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = (u64, &'a Upload)> {
        let own = self.uploads.iter();
        own.filter(move |(_, upload)| upload.account == *account)
            .map(|(id, upload)| (*id, upload))
    }

    fn remove(&mut self, id: u64) -> Option<Upload> {
        let upload = self.uploads.remove(&id)?;
        self.bytes -= upload.bytes;
        Some(upload)
    }

    fn stop(&mut self, id: u64) {
        if let Some(upload) = self.remove(id) {
            upload.stop.stop(throttled());
        }
    }

    /// The same of an upload that is not complete and gives its place to another.
    fn displace(&mut self, older: &Arc<Stop>) {
        let receiving = |upload: &Upload| upload.receiving && Arc::ptr_eq(&upload.stop, older);
        let mut found = self.uploads.iter().filter(|(_, upload)| receiving(upload));
        if let Some(id) = found.next().map(|(id, _)| *id) {
            self.remove(id);
            older.stop(Problem::DISPLACED.into());
        }
    }
}

impl Uploads {
    pub(crate) fn new(limits: &Limits) -> Arc<Uploads> {
        Arc::new(Uploads {
            most: limits.uploads,
            most_per_account: limits.uploads_per_key,
            memory: limits.upload_memory,
            table: Mutex::default(),
        })
    }

    /// Whether no place is left.
    pub(crate) fn is_full(&self) -> bool {
        self.table.lock().uploads.len() >= self.most
    }

    /// A place for one upload of this account: that of an older one which is not complete, if there is
    /// one of the same print.
    pub(crate) fn begin(
        self: &Arc<Self>,
        account: &Account,
        older: Option<&Arc<Stop>>,
    ) -> Result<UploadPermit, Refusal> {
        let mut table = self.table.lock();
        if let Some(older) = older {
            table.displace(older);
        }
        let own = table.of(account).count();
        if own >= self.most_per_account {
            return Err(throttled());
        }
        if table.uploads.len() >= self.most {
            let largest = table.largest(|_| 1).filter(|(_, count)| *count > own + 1);
            let victim = largest.and_then(|(account, _)| {
                let mut receiving = table.of(&account).filter(|(_, upload)| upload.receiving);
                receiving.next().map(|(id, _)| id)
            });
            table.stop(victim.ok_or_else(throttled)?);
        }
        let id = table.begun;
        table.begun += 1;
        let stop = Arc::new(Stop::default());
        let upload = Upload {
            account: account.clone(),
            bytes: 0,
            receiving: true,
            stop: Arc::clone(&stop),
        };
        table.uploads.insert(id, upload);
        Ok(UploadPermit {
            uploads: Arc::clone(self),
            id,
            stop,
        })
    }
}

/// The place of one upload, given back when it is dropped: with its image.
#[derive(Debug)]
pub(crate) struct UploadPermit {
    uploads: Arc<Uploads>,
    id: u64,
    stop: Arc<Stop>,
}

impl UploadPermit {
    pub(crate) fn stop(&self) -> &Arc<Stop> {
        &self.stop
    }

    /// So many more bytes are there.
    pub(crate) fn grow(&self, by: usize) -> Result<(), Refusal> {
        let mut table = self.uploads.table.lock();
        let Some(upload) = table.uploads.get_mut(&self.id) else {
            return Err(throttled());
        };
        upload.bytes += by;
        let own = upload.account.clone();
        table.bytes += by;
        while table.bytes > self.uploads.memory {
            let largest = table.largest(|upload| upload.bytes);
            let other = largest.filter(|(account, _)| *account != own);
            let victim = other.and_then(|(account, _)| {
                let receiving = table.of(&account).filter(|(_, upload)| upload.receiving);
                let largest = receiving.max_by_key(|(_, upload)| upload.bytes);
                largest.map(|(id, _)| id)
            });
            table.stop(victim.ok_or_else(throttled)?);
        }
        Ok(())
    }

    /// All is there.
    pub(crate) fn complete(&self) {
        if let Some(upload) = self.uploads.table.lock().uploads.get_mut(&self.id) {
            upload.receiving = false;
        }
    }
}

impl Drop for UploadPermit {
    fn drop(&mut self) {
        self.uploads.table.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn uploads(most: usize, per_account: usize, memory: usize) -> Arc<Uploads> {
        Uploads::new(&Limits {
            uploads: most,
            uploads_per_key: per_account,
            upload_memory: memory,
            ..Limits::default()
        })
    }

    fn key(name: &str) -> Account {
        Account::Key(Digest::of(name))
    }

    fn is_stopped(permit: &UploadPermit) -> bool {
        permit.stop.refusal.get().is_some()
    }

    #[test]
    fn each_account_has_its_own_places() {
        let uploads = uploads(10, 2, 1_000);
        let first = uploads.begin(&key("a"), None).unwrap();
        let _second = uploads.begin(&key("a"), None).unwrap();
        let refusal = uploads.begin(&key("a"), None).unwrap_err();
        assert_eq!(refusal.problem, Problem::THROTTLED);
        assert!(refusal.retry_after.is_some());
        let _other = uploads.begin(&key("b"), None).unwrap();
        drop(first);
        uploads.begin(&key("a"), None).unwrap();
    }

    #[test]
    fn who_has_the_most_makes_room() {
        let uploads = uploads(4, 4, 1_000);
        let greedy: Vec<_> = (0..4)
            .map(|_| uploads.begin(&key("a"), None).unwrap())
            .collect();
        assert!(uploads.is_full());
        assert!(uploads.begin(&key("a"), None).is_err(), "not for itself");
        greedy[0].complete();
        let _b = uploads.begin(&key("b"), None).unwrap();
        let stopped: Vec<_> = greedy.iter().map(is_stopped).collect();
        assert_eq!(
            stopped,
            [false, true, false, false],
            "the oldest unfinished"
        );
        let _c = uploads.begin(&key("c"), None).unwrap();
        let _d = uploads.begin(&key("d"), None).unwrap();
        assert!(
            uploads.begin(&key("c"), None).is_err(),
            "it would have more"
        );
        assert_eq!(uploads.table.lock().uploads.len(), 4);
    }

    #[test]
    fn memory_is_given_back_by_whoever_holds_the_most() {
        let uploads = uploads(10, 10, 100);
        let [large, larger] = [(), ()].map(|()| uploads.begin(&key("a"), None).unwrap());
        large.grow(40).unwrap();
        larger.grow(50).unwrap();
        let small = uploads.begin(&key("b"), None).unwrap();
        small.grow(10).unwrap();
        assert!(!is_stopped(&larger), "at the bound");
        small.grow(1).unwrap();
        assert!(is_stopped(&larger) && !is_stopped(&large));
        assert!(larger.grow(1).is_err(), "stopped is stopped");
        assert!(large.grow(60).is_err(), "it is the largest itself");
        drop((large, larger, small));
        assert_eq!(uploads.table.lock().bytes, 0);
    }

    #[test]
    fn what_is_all_there_is_not_stopped() {
        let uploads = uploads(1, 1, 100);
        let whole = uploads.begin(&key("a"), None).unwrap();
        whole.grow(90).unwrap();
        whole.complete();
        assert!(uploads.begin(&key("b"), None).is_err());
        drop(whole);
        assert!(uploads.begin(&key("b"), None).is_ok());
    }

    #[test]
    fn a_newer_one_has_the_place_of_an_older_one() {
        let uploads = uploads(1, 1, 100);
        let older = uploads.begin(&key("a"), None).unwrap();
        older.grow(90).unwrap();
        let newer = uploads.begin(&key("a"), Some(&older.stop)).unwrap();
        assert_eq!(
            older.stop.refusal.get().unwrap().problem,
            Problem::DISPLACED
        );
        newer.grow(90).unwrap();
        drop(older);
        newer.complete();
        assert!(uploads.begin(&key("a"), Some(&newer.stop)).is_err());
        assert!(!is_stopped(&newer), "it is all there");
    }
}
