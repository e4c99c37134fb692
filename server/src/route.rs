//! What a request asks for, by its method and path.

use hyper::Method;

use crate::reply::Edition;

pub(crate) const CREATE: &str = "/api/gadget/v1/createcontext";
pub(crate) const PROCESS: &str = "/api/gadget/v1/process/";
pub(crate) const FALLBACK: &str = "/api/gadget/v1/fallback/process/";
const HEALTH: &str = "/healthz";

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Create(Prefix),
    /// With the id of a context.
    Process(Prefix, &'a str),
    Health,
    Other,
}

/// What stands before the documented paths, and names an edition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) Option<Edition>);

impl Prefix {
    pub(crate) fn as_str(self) -> &'static str {
        match self.0 {
            None => "",
            Some(Edition::A) => "/a",
            Some(Edition::B) => "/b",
        }
    }

    fn of(path: &str) -> (Prefix, &str) {
        for edition in [Edition::A, Edition::B] {
            let prefix = Prefix(Some(edition));
            let rest = path.strip_prefix(prefix.as_str());
            if let Some(rest) = rest.filter(|rest| rest.starts_with('/')) {
                return (prefix, rest);
            }
        }
        (Prefix(None), path)
    }
}

pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    if path == HEALTH && matches!(*method, Method::GET | Method::HEAD) {
        return Route::Health;
    }
    if *method != Method::POST {
        return Route::Other;
    }
    let (prefix, path) = Prefix::of(path);
    let id = path.strip_prefix(PROCESS);
    match id.or_else(|| path.strip_prefix(FALLBACK)) {
        Some(id) => Route::Process(prefix, id),
        None if path == CREATE => Route::Create(prefix),
        None => Route::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_their_prefixes() {
        let none = Prefix(None);
        let [a, b] = [Edition::A, Edition::B].map(|edition| Prefix(Some(edition)));
        for (path, expected) in [
            ("/api/gadget/v1/createcontext", Route::Create(none)),
            ("/a/api/gadget/v1/createcontext", Route::Create(a)),
            ("/b/api/gadget/v1/createcontext", Route::Create(b)),
            ("/b/api/gadget/v1/process/1f", Route::Process(b, "1f")),
            (
                "/api/gadget/v1/fallback/process/1f",
                Route::Process(none, "1f"),
            ),
            ("/c/api/gadget/v1/createcontext", Route::Other),
            ("/a/b/api/gadget/v1/createcontext", Route::Other),
            ("/api/gadget/v1/createcontext/", Route::Other),
            ("/healthz", Route::Other),
        ] {
            assert_eq!(route(&Method::POST, path), expected, "{path}");
        }
        assert_eq!(route(&Method::GET, "/healthz"), Route::Health);
        assert_eq!(route(&Method::HEAD, "/healthz"), Route::Health);
        assert_eq!(
            route(&Method::GET, "/api/gadget/v1/createcontext"),
            Route::Other
        );
    }
}
