//! A certificate authority for tests, and server certificates of every kind of wrong.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What is wrong with a server's certificate for `localhost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is for another name.
    WrongName,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Another authority signed it.
    UnknownIssuer,
}

/// A certificate and its key, in PEM.
pub struct Pair {
    /// The certificate.
    pub cert_pem: String,
    /// The key, in PKCS #8.
    pub key_pem: String,
    cert: CertificateDer<'static>,
    key: Vec<u8>,
}

/// An authority that only tests trust.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, in PEM.
    pub pem: String,
}

impl Authority {
    /// A new one.
    #[must_use]
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A server certificate for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn server(&self, fault: Fault) -> Pair {
        let names = match fault {
            Fault::WrongName => vec!["elsewhere.example".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("good names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = match fault {
            Fault::Expired => (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1)),
            Fault::NotYetValid => (date_time_ymd(2090, 1, 1), date_time_ymd(2095, 1, 1)),
            _ => (date_time_ymd(2020, 1, 1), date_time_ymd(2060, 1, 1)),
        };
        let key = KeyPair::generate().expect("a key");
        let other;
        let issuer = if fault == Fault::UnknownIssuer {
            other = Authority::new("Somebody else");
            &other.issuer
        } else {
            &self.issuer
        };
        let cert = params.signed_by(&key, issuer).expect("a certificate");
        Pair {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            cert: cert.der().clone(),
            key: key.serialize_der(),
        }
    }
}

impl Pair {
    /// A server's TLS settings with this certificate, offering these protocols by ALPN.
    #[must_use]
    pub fn config(&self, alpn: &[&str]) -> Arc<ServerConfig> {
        self.config_of(rustls::ALL_VERSIONS, alpn)
    }

    /// The same with these TLS versions only.
    #[must_use]
    pub fn config_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        alpn: &[&str],
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.cert.clone()], key)
            .expect("a usable pair");
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
