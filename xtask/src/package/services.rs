//! What the tested programs talk to: the service over HTTP and over TLS.

use std::fs;
use std::path::{Path, PathBuf};

use oe_server::config::TlsFiles;
use oe_server::reply::Edition;
use oe_server::{Config, Running};
use oe_test_support::certs::{Authority, Fault};

/// Both, until it is dropped.
pub struct Services {
    http: Running,
    https: Running,
    /// The authority that the second one's certificate is from.
    pub ca: PathBuf,
}

impl Services {
    /// Starts both; the authority's certificate goes to `folder`.
    pub fn start(folder: &Path) -> Result<Services, String> {
        let config = || Config {
            edition: Edition::B,
            minimum: 5,
            ..Config::default()
        };
        let authority = Authority::new("Install tests");
        let pair = authority.server(Fault::None);
        let ca = folder.join("ca.pem");
        fs::create_dir_all(folder).map_err(|why| why.to_string())?;
        fs::write(&ca, &authority.pem).map_err(|why| why.to_string())?;
        Ok(Services {
            http: Running::start(config())?,
            https: Running::start(Config {
                tls: Some(TlsFiles {
                    cert_pem: pair.cert_pem.into_bytes(),
                    key_pem: pair.key_pem.into_bytes(),
                }),
                ..config()
            })?,
            ca,
        })
    }

    pub fn http(&self) -> String {
        self.http.base_url()
    }

    /// By name, as the certificate has it.
    pub fn https(&self) -> String {
        self.https.base_url().replace("127.0.0.1", "localhost")
    }
}
