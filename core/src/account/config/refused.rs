//! Settings that were refused and never made good.
//!
//! A host that does not look at what a setter returns would otherwise get a client that is set up
//! half as it meant: without its endpoint, for example, the key and the pictures would go to the
//! hosted service. So no client is made before the same setter succeeds.

use crate::error::{Error, Status};

/// The settings that decide where the key and the pictures go, and who looks at them. A refusal of
/// one of the others, a time or a number of threads, leaves a value that harms nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The API key.
    ApiKey,
    /// Who looks at the pictures.
    Backend,
    /// The address of the service.
    Endpoint,
    /// Whether plain http is allowed.
    AllowHttp,
    /// Whose certificates are trusted.
    Trust,
    /// Certificates from a file.
    CaFile,
    /// Certificates from memory.
    CaPem,
    /// The HTTP proxy.
    Proxy,
    /// Where a host is connected to.
    Resolve,
    /// The embedded engine's model.
    ModelFile,
}

impl Setting {
    /// The setter's name in C.
    #[must_use]
    pub const fn setter(self) -> &'static str {
        match self {
            Setting::ApiKey => "oe_options_set_api_key",
            Setting::Backend => "oe_options_set_backend",
            Setting::Endpoint => "oe_options_set_endpoint",
            Setting::AllowHttp => "oe_options_set_allow_http",
            Setting::Trust => "oe_options_set_trust",
            Setting::CaFile => "oe_options_set_ca_file",
            Setting::CaPem => "oe_options_set_ca_pem",
            Setting::Proxy => "oe_options_set_proxy",
            Setting::Resolve => "oe_options_set_resolve",
            Setting::ModelFile => "oe_options_set_model_file",
        }
    }
}

/// What was refused and why, the oldest first; each setting at most once.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused(Vec<(Setting, Status, String)>);

impl Refused {
    /// Takes note of how a setter ended: only its own success takes a refusal back.
    pub(super) fn note(&mut self, setting: Setting, result: &Result<(), Error>) {
        match result {
            Ok(()) => self.0.retain(|(kept, _, _)| *kept != setting),
            Err(why) => match self.0.iter_mut().find(|(kept, _, _)| *kept == setting) {
                Some(kept) => *kept = (setting, why.status, why.text.clone()),
                None => self.0.push((setting, why.status, why.text.clone())),
            },
        }
    }

    /// # Errors
    /// The status of the oldest refusal, with a text that names the setter.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some((setting, status, why)) = self.0.first() else {
            return Ok(());
        };
        let text = format!("{} was refused: {why}", setting.setter());
        Err(Error::with_text(*status, text))
    }
}
