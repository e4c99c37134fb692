//! HTTPS, if it is wanted; its certificate may be replaced while the service runs.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

pub(crate) struct Tls(RwLock<Option<TlsAcceptor>>);

impl Tls {
    pub(crate) fn new(files: Option<&TlsFiles>) -> Result<Tls, String> {
        let acceptor = files.map(acceptor).transpose()?;
        Ok(Tls(RwLock::new(acceptor)))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.read().is_some()
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.read().clone()
    }

    /// New connections see this certificate; what cannot be used changes nothing.
    pub(crate) fn replace(&self, files: &TlsFiles) -> Result<(), String> {
        let new = acceptor(files)?;
        let mut acceptor = self.0.write();
        if acceptor.is_none() {
            return Err("HTTPS is off since the start".into());
        }
        *acceptor = Some(new);
        Ok(())
    }
}

/// TLS with ring, passed explicitly: no default of the process is set or needed.
fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.cert_pem).collect();
    let chain = chain.map_err(|why| format!("the certificate cannot be read: {why}"))?;
    let key = PrivateKeyDer::from_pem_slice(&files.key_pem)
        .map_err(|why| format!("the key cannot be read: {why}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|why| format!("certificate and key cannot be used: {why}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
