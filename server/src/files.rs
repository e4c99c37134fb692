//! Files with secrets: where they are, and whether others may read them.

use std::path::{Path, PathBuf};

/// The options that name such files.
#[derive(clap::Args)]
pub(crate) struct SecretArgs {
    /// API keys, one a line: KEY [active|disabled|payment-failed|ip-restricted|free-limit] [limit=N]
    /// [name=NAME] [edition=a|b]. Without it any key is accepted, and none. Read again on SIGHUP, as are
    /// certificate and key of HTTPS. Where systemd hands over credentials named keys, tls-cert and tls-key,
    /// those are taken unless an option names another.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Certificate chain (PEM): serve HTTPS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// The files that the options name, or that systemd hands over as credentials where no option names one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SecretFiles {
    pub(crate) keys: Option<PathBuf>,
    pub(crate) tls: Option<TlsPaths>,
    /// Those that an option names: credentials are nobody else's to read.
    named: Vec<PathBuf>,
}

/// Where certificate chain and key are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsPaths {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl SecretFiles {
    pub(crate) fn find(args: &SecretArgs) -> Result<SecretFiles, String> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        SecretFiles::of(args, credentials.as_deref())
    }

    fn of(args: &SecretArgs, credentials: Option<&Path>) -> Result<SecretFiles, String> {
        let credential = |name: &str| {
            let path = credentials?.join(name);
            path.is_file().then_some(path)
        };
        let named = [&args.keys, &args.tls_key].into_iter().flatten().cloned();
        let pair = match (&args.tls_cert, &args.tls_key) {
            (None, None) => (credential("tls-cert"), credential("tls-key")),
            (cert, key) => (cert.clone(), key.clone()),
        };
        let tls = match pair {
            (Some(cert), Some(key)) => Some(TlsPaths { cert, key }),
            (None, None) => None,
            _ => return Err("of the credentials tls-cert and tls-key one is missing".to_owned()),
        };
        Ok(SecretFiles {
            keys: args.keys.clone().or_else(|| credential("keys")),
            tls,
            named: named.collect(),
        })
    }

    /// What the log should say of files that more than their owner may read.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let exposed = self.named.iter().filter(|path| is_exposed(path));
        exposed.map(|path| {
            format!("event=warning file={path:?} why=\"others may read it; chmod 600, or systemd's LoadCredential=\"")
        })
    }
}

/// Whether the group or others may read a file.
#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path);
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}
