//! A certificate authority for tests, and server certificates of every kind of wrong.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, ServerConnection,
    SupportedCipherSuite,
};

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
        config.enable_secret_extraction = true;
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// Seals records of its own on a connection that speaks TLS 1.3.
pub(crate) struct Sealer {
    encrypter: Box<dyn MessageEncrypter>,
    next: u64,
}

impl Sealer {
    /// From where the connection stands. Nothing may wait to be sent on it.
    pub(crate) fn new(conn: ServerConnection) -> io::Result<Sealer> {
        let suite = conn.negotiated_cipher_suite();
        let Some(SupportedCipherSuite::Tls13(suite)) = suite else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let secrets = conn.dangerous_extract_secrets().map_err(io::Error::other)?;
        let (next, secrets) = secrets.tx;
        let (key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv }
            | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
            | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Sealer {
            encrypter: suite.aead_alg.encrypter(key, iv),
            next,
        })
    }

    /// A `new_session_ticket`, of which a server may send as many as it likes.
    pub(crate) fn ticket(&mut self) -> Option<Vec<u8>> {
        // Lifetime, age, a nonce and a ticket of one byte each, no extensions.
        let ticket = [4, 0, 0, 15, 0, 0, 28, 32, 0, 0, 0, 0, 1, 7, 0, 1, 7, 0, 0];
        let message = OutboundPlainMessage {
            typ: ContentType::Handshake,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(&ticket),
        };
        let record = self.encrypter.encrypt(message, self.next).ok()?;
        self.next += 1;
        Some(record.encode())
    }
}
