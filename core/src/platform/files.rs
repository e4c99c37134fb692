//! Files that others name: read whole, but never without end.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The most that is read of certificates, in bytes. The bundles of the large systems are a quarter
/// of a megabyte.
pub(crate) const MAX_CERTIFICATES: u64 = 4 << 20;

/// The most that is read of a model, in bytes. The one that is built in has 3.5 million.
pub(crate) const MAX_MODEL: u64 = 16 << 20;

/// Why a file was not read. Says nothing of its name or of what is in it.
#[derive(Debug)]
pub(crate) enum Unread {
    /// A device, a pipe or a folder: what has no end, or makes whoever opens it wait.
    NoFile,
    /// It is longer than this many bytes.
    TooLong(u64),
    /// What the system says.
    Failed(io::Error),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::NoFile => f.write_str("it is not a regular file"),
            Unread::TooLong(most) => write!(f, "it is longer than {most} bytes"),
            Unread::Failed(why) => write!(f, "{}", why.kind()),
        }
    }
}

impl std::error::Error for Unread {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Unread::Failed(why) => Some(why),
            Unread::NoFile | Unread::TooLong(_) => None,
        }
    }
}

/// How long a regular file is, in bytes; at most `most`.
pub(crate) fn length(path: &Path, most: u64) -> Result<u64, Unread> {
    // Asked before it is opened: opening a pipe waits for whoever writes to it.
    let about = fs::metadata(path).map_err(Unread::Failed)?;
    if !about.is_file() {
        return Err(Unread::NoFile);
    }
    match about.len() {
        len if len > most => Err(Unread::TooLong(most)),
        len => Ok(len),
    }
}

/// The bytes of a regular file; `most` of them at most, whatever it says of its length.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    length(path, most)?;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Unread::Failed)?;
    let read = file.take(most + 1).read_to_end(&mut bytes);
    match read.map_err(Unread::Failed)? as u64 {
        len if len > most => Err(Unread::TooLong(most)),
        _ => Ok(bytes),
    }
}
