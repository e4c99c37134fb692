//! What the service remembers over a restart, and how that goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::unix_millis;
use crate::contexts::Contexts;
use crate::store::{Health, Limits, Store};

/// Prints and their history: in a folder, or in memory alone.
pub(crate) struct State {
    folder: Option<PathBuf>,
    store: Mutex<Option<Arc<Store>>>,
    /// Why there is no store though a folder was named.
    closed: Option<String>,
    /// What was said last of how it goes.
    said: Mutex<Option<String>>,
    restored: usize,
}

impl State {
    /// Goes on with the prints in the folder. Where it cannot be used the service works without: a print
    /// that is watched and forgotten at the next start is better than one that is not watched.
    pub(crate) fn open(folder: Option<&Path>, limits: Limits, contexts: &mut Contexts) -> State {
        let opened = folder.map(|folder| Store::open(folder, limits, unix_millis()));
        let (mut store, mut closed, mut restored) = (None, None, 0);
        match opened {
            None => {}
            Some(Err(why)) => closed = Some(why),
            Some(Ok((open, prints, last))) => {
                let open = Arc::new(open);
                restored = contexts.restore(Arc::clone(&open), &prints, last);
                store = Some(open);
            }
        }
        State {
            folder: folder.map(Path::to_path_buf),
            store: Mutex::new(store),
            closed,
            said: Mutex::default(),
            restored,
        }
    }

    pub(crate) fn store(&self) -> Option<Arc<Store>> {
        self.store.lock().clone()
    }

    /// `kept`, `memory` (by choice), or `failing`: for `/healthz`.
    pub(crate) fn word(&self) -> &'static str {
        match (&self.folder, self.why()) {
            (None, _) => "memory",
            (Some(_), None) => "kept",
            (Some(_), Some(_)) => "failing",
        }
    }

    /// What keeps the state from being written.
    pub(crate) fn why(&self) -> Option<String> {
        if let Some(why) = &self.closed {
            return Some(why.clone());
        }
        match self.store()?.health() {
            Health::Good => None,
            Health::Failing { why, lost } if lost > 0 => {
                Some(format!("{why}; {lost} verdicts of the history are lost"))
            }
            Health::Failing { why, .. } => Some(why),
        }
    }

    /// For the log, once each time that it changes.
    pub(crate) fn news(&self) -> Option<String> {
        let why = self.why();
        let mut said = self.said.lock();
        // How much is lost changes all the time.
        let cause = |why: &Option<String>| {
            why.as_ref()
                .and_then(|why| why.split(';').next().map(str::to_owned))
        };
        if cause(&said) == cause(&why) {
            return None;
        }
        said.clone_from(&why);
        Some(match why {
            Some(why) => format!("event=state word=failing why={why:?}"),
            None => "event=state word=kept".to_owned(),
        })
    }

    /// For the line at the start.
    pub(crate) fn in_words(&self) -> String {
        match (&self.folder, &self.closed) {
            (None, _) => "remembers nothing over a restart: no --state".to_owned(),
            (Some(folder), None) => format!(
                "state in {}, {} prints go on",
                folder.display(),
                self.restored
            ),
            (Some(_), Some(why)) => format!("remembers nothing over a restart: {why}"),
        }
    }

    /// Writes what is left, and ends.
    pub(crate) fn close(&self) {
        if let Some(store) = self.store.lock().take() {
            store.close();
        }
    }
}
