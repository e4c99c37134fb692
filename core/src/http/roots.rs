//! Whom to trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Status};
use crate::platform::files::{self, MAX_CERTIFICATES, Unread};

/// The certificates a service's certificate must lead to.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Mozilla's roots, compiled in.
    #[default]
    Bundled,
    /// These, in DER.
    Given(Arc<Vec<Vec<u8>>>),
}

impl Roots {
    /// The system's store, or the one that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, read now.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when there is none, it holds no usable certificate or is longer than 4 MiB.
    pub fn system() -> Result<Roots, Error> {
        check_named_store().map_err(|why| {
            let text = format!("SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {why}");
            Error::with_text(Status::Argument, text).because_of(why)
        })?;
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        // Old stores hold certificates that no parser takes; the rest is what counts.
        let usable: Vec<Vec<u8>> = found
            .certs
            .into_iter()
            .filter(|cert| store.add(cert.clone()).is_ok())
            .map(|cert| cert.to_vec())
            .collect();
        if usable.is_empty() {
            let text = "the system has no usable certificate store; use the bundled roots";
            return Err(Error::with_text(Status::Argument, text));
        }
        Ok(Roots::Given(Arc::new(usable)))
    }

    /// Certificates from PEM text.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when there is no certificate in it or one is damaged.
    pub fn pem(pem: &[u8]) -> Result<Roots, Error> {
        let refuse = |text| Error::with_text(Status::Argument, text);
        let mut store = RootCertStore::empty();
        let mut certs = Vec::new();
        for cert in CertificateDer::pem_slice_iter(pem) {
            let damaged = "a CA certificate is damaged: it is not PEM of a certificate";
            let cert = cert.map_err(|_| refuse(damaged))?;
            certs.push(cert.to_vec());
            store.add(cert).map_err(|_| refuse(damaged))?;
        }
        if certs.is_empty() {
            return Err(refuse(
                "there is no certificate in the CA text; PEM is expected",
            ));
        }
        Ok(Roots::Given(Arc::new(certs)))
    }

    fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        match self {
            Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::Given(certs) => {
                store.add_parsable_certificates(
                    certs.iter().map(|cert| CertificateDer::from_slice(cert)),
                );
            }
        }
        store
    }
}

/// What the environment names is read whole by [`rustls_native_certs`], however long it is: looked
/// at before. What is not there at all, it passes over by itself.
fn check_named_store() -> Result<(), Unread> {
    let check = |path: &Path, so_far: u64| match files::length(path, MAX_CERTIFICATES - so_far) {
        Ok(len) => Ok(so_far + len),
        Err(Unread::Failed(_)) => Ok(so_far),
        Err(Unread::TooLong(_)) => Err(Unread::TooLong(MAX_CERTIFICATES)),
        Err(other) => Err(other),
    };
    let mut total = 0;
    if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
        total = check(file.as_ref(), total)?;
    }
    let folders = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
    for folder in std::env::split_paths(&folders) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            total = match check(&entry.path(), total) {
                // Not read there.
                Err(Unread::NoFile) => total,
                checked => checked?,
            };
        }
    }
    Ok(())
}

/// One configuration per transport, kept, so that sessions resume. The provider is passed
/// explicitly: a library must not depend on, or set, a default of the process.
pub(super) fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::with_text(Status::Unsupported, "no usable TLS version is built in"))?;
    let mut config = builder
        .with_root_certificates(roots.store())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
