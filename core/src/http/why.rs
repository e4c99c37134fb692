//! What an error of a socket or of TLS means, and what it is called.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use crate::error::cause::Why;
use crate::transport::Failure;

/// The system's ways of saying that it has no socket or no memory to give.
#[cfg(unix)]
const SHORT: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
/// WSAEMFILE and WSAENOBUFS.
#[cfg(not(unix))]
const SHORT: [i32; 2] = [10_024, 10_055];

/// The connection is over, and should not be.
pub(super) const ENDED: &str = "the peer closed the connection";

/// An error of a socket, or of TLS on it. `otherwise` is what most errors mean there.
pub(super) fn of_io(error: io::Error, otherwise: Failure) -> (Failure, Why) {
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
    {
        let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
        return inner.map_or_else(
            || (Failure::Tls, Why::new("TLS failed")),
            |error: Box<rustls::Error>| of_tls(*error),
        );
    }
    let failure = match error.raw_os_error() {
        Some(code) if SHORT.contains(&code) => Failure::Resources,
        _ if error.kind() == ErrorKind::OutOfMemory => Failure::Resources,
        _ => otherwise,
    };
    (failure, io_words(error))
}

/// In our words where hosts meet it often, in the system's otherwise; with the system's number.
fn io_words(error: io::Error) -> Why {
    let words = match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::HostUnreachable => "no route to the host, host unreachable",
        ErrorKind::NetworkUnreachable => "network unreachable",
        ErrorKind::TimedOut => "no answer in time",
        ErrorKind::ConnectionReset => "connection reset by the peer",
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => ENDED,
        _ => "",
    };
    let words = match (words, error.raw_os_error()) {
        ("", _) => error.to_string(),
        (words, Some(code)) => format!("{words} (os error {code})"),
        (words, None) => words.to_owned(),
    };
    Why::new(&words).under(Arc::new(error))
}

/// An error of TLS. "Not yet valid" is most often a device whose clock has not been set.
pub(super) fn of_tls(error: rustls::Error) -> (Failure, Why) {
    let failure = match &error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )
        | rustls::Error::FailedToGetCurrentTime => Failure::Clock,
        _ => Failure::Tls,
    };
    let words = match &error {
        rustls::Error::InvalidCertificate(why) => certificate_words(why),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        )
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            format!("no TLS version in common, this side speaks 1.2 and 1.3: {error}")
        }
        rustls::Error::NoApplicationProtocol
        | rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the peer speaks another protocol than HTTP/1.1 (NoApplicationProtocol)".to_owned()
        }
        rustls::Error::InvalidMessage(_) => format!("the peer does not speak TLS: {error}"),
        // These hold no text of the peer's, only names of rustls.
        error => error.to_string(),
    };
    (failure, Why::new(&words).under(Arc::new(error)))
}

/// Without what the certificate says: that is a server's text.
fn certificate_words(why: &CertificateError) -> String {
    let words = match why {
        CertificateError::UnknownIssuer => {
            "the certificate is not from an issuer that is trusted (UnknownIssuer)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name (NotValidForName)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired, or this device's clock is ahead (Expired)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet, by this device's clock (NotValidYet)"
        }
        CertificateError::Revoked => "the certificate is revoked (Revoked)",
        CertificateError::BadSignature => "the certificate's signature is wrong (BadSignature)",
        CertificateError::BadEncoding => "the certificate is damaged (BadEncoding)",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for a server (InvalidPurpose)"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate is signed in a way that is not supported (UnsupportedSignatureAlgorithm)"
        }
        other => return format!("the certificate cannot be used: {other:?}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::cause::{Cause, Phase};

    fn words(why: Why) -> String {
        let cause = Cause {
            phase: Phase::Connect,
            to_proxy: false,
            why,
        };
        cause.to_string()["While connecting: ".len()..].to_owned()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_system_says() {
        for (code, failure, expected) in [
            (libc::ECONNREFUSED, Failure::Io, "connection refused"),
            (libc::EHOSTUNREACH, Failure::Io, "no route to the host"),
            (libc::ENETUNREACH, Failure::Io, "network unreachable"),
            (libc::ETIMEDOUT, Failure::Io, "no answer in time"),
            (
                libc::ECONNRESET,
                Failure::Io,
                "connection reset by the peer",
            ),
            (libc::EPIPE, Failure::Io, "the peer closed the connection"),
            (libc::EACCES, Failure::Io, "Permission denied"),
            (libc::EADDRNOTAVAIL, Failure::Io, ""),
            (libc::EMFILE, Failure::Resources, ""),
            (libc::ENOBUFS, Failure::Resources, ""),
        ] {
            let (found, why) = of_io(io::Error::from_raw_os_error(code), Failure::Io);
            let words = words(why);
            assert_eq!(found, failure, "{words}");
            assert!(words.starts_with(expected), "{words}");
            assert!(words.ends_with(&format!("(os error {code})")), "{words}");
        }
        let (failure, why) = of_io(ErrorKind::OutOfMemory.into(), Failure::Io);
        assert_eq!(
            (failure, &*words(why)),
            (Failure::Resources, "out of memory")
        );
    }

    #[test]
    fn what_tls_says_without_what_a_certificate_holds() {
        let presented = vec!["evil\u{1b}[2Jname".to_owned()];
        let expected = rustls::pki_types::ServerName::try_from("a.test").unwrap();
        let name = CertificateError::NotValidForNameContext {
            expected,
            presented,
        };
        let error = rustls::Error::InvalidCertificate(name);
        // Also where it comes out of a connection.
        for (failure, why) in [
            of_tls(error.clone()),
            of_io(io::Error::new(ErrorKind::InvalidData, error), Failure::Io),
        ] {
            assert_eq!(failure, Failure::Tls);
            let expected = "the certificate is for another name (NotValidForName)";
            assert_eq!(words(why), expected);
        }
        let time = rustls::Error::FailedToGetCurrentTime;
        assert_eq!(of_tls(time).0, Failure::Clock);
    }
}
