//! Scopes: what a token opens; and which one a request to the admin side needs, by its method and path alone, so that
//! a new resource is guarded before anybody thought of it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at everything but secrets.
    Read,
    /// Look, and act: replay, dismiss, pause …
    Operate,
    /// Publish messages, and manage what that needs; nothing on the admin side.
    Publish,
    /// Everything, tokens, keys and secrets among it.
    Admin,
}

impl Scope {
    pub const ALL: [Scope; 4] = [Scope::Read, Scope::Operate, Scope::Publish, Scope::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Operate => "operate",
            Scope::Publish => "publish",
            Scope::Admin => "admin",
        }
    }

    /// Whether it opens what needs `needed`.
    fn allows(self, needed: Scope) -> bool {
        self == needed || self == Scope::Admin || (self == Scope::Operate && needed == Scope::Read)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| format!("one of: {}", Scope::ALL.map(Scope::as_str).join(", ")))
    }
}

/// Scopes of one token. An empty set opens nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    pub fn allow(&self, needed: Scope) -> bool {
        self.0.iter().any(|scope| scope.allows(needed))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Scopes([scope].into())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Scopes(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&all.join(", "))
    }
}

/// Whatever is done there, even looking, needs [`Scope::Admin`]: it shows, makes or moves what opens other doors.
const ADMIN_PATHS: [&str; 4] = ["/api/v1/tokens", "/api/v1/publish/keys", "/api/v1/secrets", "/api/v1/backup"];
/// Open to every right token.
const ME: &str = "/api/v1/me";
/// Open to every right token too, for what it leads to opens what the token opens.
const SIGN_IN_LINKS: &str = "/api/v1/sign-in-links";

/// Whether a request changes nothing, by its method.
pub fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// What a request to the admin side needs; `None`: a right token, whatever it opens. Paths are compared as the router
/// does, byte for byte.
pub fn needed(method: &Method, path: &str) -> Option<Scope> {
    let under = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if (path == ME && only_reads(method)) || (path == SIGN_IN_LINKS && *method == Method::POST) {
        None
    } else if ADMIN_PATHS.iter().any(under) {
        Some(Scope::Admin)
    } else if only_reads(method) {
        Some(Scope::Read)
    } else {
        Some(Scope::Operate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_opens_itself_and_what_it_contains() {
        use Scope::{Admin, Operate, Publish, Read};
        let opens = |scope: Scope| Scope::ALL.into_iter().filter(|needed| scope.allows(*needed)).collect::<Vec<_>>();
        assert_eq!(opens(Read), [Read]);
        assert_eq!(opens(Operate), [Read, Operate]);
        assert_eq!(opens(Publish), [Publish]);
        assert_eq!(opens(Admin), Scope::ALL);
        assert!(!Scopes::default().allow(Read));
    }

    #[test]
    fn what_is_needed_follows_from_method_and_path() {
        for (method, path, want) in [
            (Method::GET, "/api/v1/events", Some(Scope::Read)),
            (Method::HEAD, "/metrics", Some(Scope::Read)),
            (Method::POST, "/api/v1/dead-letters/replay", Some(Scope::Operate)),
            (Method::OPTIONS, "/api/v1/events", Some(Scope::Operate)),
            (Method::GET, "/api/v1/tokens", Some(Scope::Admin)),
            (Method::DELETE, "/api/v1/tokens/tok_1", Some(Scope::Admin)),
            (Method::GET, "/api/v1/publish/keys", Some(Scope::Admin)),
            (Method::POST, "/api/v1/publish/keys/rotate", Some(Scope::Admin)),
            (Method::GET, "/api/v1/tokenship", Some(Scope::Read)),
            (Method::GET, "/api/v1/me", None),
            (Method::POST, "/api/v1/me", Some(Scope::Operate)),
            (Method::POST, "/api/v1/sign-in-links", None),
            (Method::DELETE, "/api/v1/sign-in-links", Some(Scope::Operate)),
        ] {
            assert_eq!(needed(&method, path), want, "{method} {path}");
        }
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!("root".parse::<Scope>().unwrap_err(), "one of: read, operate, publish, admin");
    }
}
