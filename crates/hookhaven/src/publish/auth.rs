//! Who calls: a token in the `Authorization` header, or in the query. Compared by hash, in constant time.

use aws_lc_rs::{constant_time, digest};
use hookhaven_core::Secret;
use http::{HeaderMap, StatusCode, header};
use url::form_urlencoded;

use super::error::ApiError;
use crate::config::Publish;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub may_write: bool,
    /// The token came in the `Authorization` header, which is then nobody else's.
    pub by_header: bool,
}

/// # Errors
/// 401 if there is no token, or another one.
pub fn check(publish: &Publish, headers: &HeaderMap, query: Option<&str>) -> Result<Access, ApiError> {
    let by_header = bearer(headers);
    let by_query = || query.into_iter().flat_map(|q| form_urlencoded::parse(q.as_bytes()));
    let by_query = || by_query().find(|(name, _)| name == "qstash_token").map(|(_, token)| token.into_owned());
    let (token, by_header) = match by_header {
        Some(token) => (Some(token.to_vec()), true),
        None => (by_query().map(String::into_bytes), false),
    };
    let given = token.map(|token| hash(&token));
    let is_one_of = |tokens: &[Secret]| {
        given.as_ref().is_some_and(|given| {
            let same = |token: &Secret| {
                constant_time::verify_slices_are_equal(given.as_ref(), hash(token.expose()).as_ref()).is_ok()
            };
            tokens.iter().any(same)
        })
    };
    if is_one_of(publish.full_tokens()) {
        return Ok(Access { may_write: true, by_header });
    }
    if is_one_of(&publish.read_tokens) {
        return Ok(Access { may_write: false, by_header });
    }
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "unable to authenticate: invalid token"))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = given.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

fn hash(token: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn access(authorization: &[&str], query: Option<&str>) -> Option<Access> {
        let secrets = |texts: &[&str]| texts.iter().filter_map(|t| Secret::new(*t)).collect();
        let publish =
            Publish { tokens: secrets(&["full", "other="]), read_tokens: secrets(&["read"]), ..Publish::default() };
        let values = authorization.iter().map(|v| (header::AUTHORIZATION, HeaderValue::try_from(*v).unwrap()));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| {
            headers.append(name, value);
        });
        check(&publish, &headers, query).ok()
    }

    #[test]
    fn tokens_by_header_or_query() {
        assert_eq!(access(&["Bearer full"], None), Some(Access { may_write: true, by_header: true }));
        assert_eq!(access(&["bearer read"], None), Some(Access { may_write: false, by_header: true }));
        let by_query = Some(Access { may_write: true, by_header: false });
        assert_eq!(access(&[], Some("x=1&qstash_token=other%3D")), by_query);
        assert_eq!(access(&["Basic abc"], Some("qstash_token=full")), by_query);
    }

    #[test]
    fn nothing_else_gets_in() {
        for (authorization, query) in [
            (&[][..], None),
            (&["Bearer "], None),
            (&["Bearer ful"], None),
            (&["Bearer fullfull"], None),
            (&["full"], None),
            (&["Bearer full", "Bearer full"], None),
            (&["Bearer wrong"], Some("qstash_token=full")),
            (&[], Some("qstash_token=")),
            (&[], Some("token=full")),
        ] {
            assert_eq!(access(authorization, query), None, "{authorization:?} {query:?}");
        }
        let nobody = check(&Publish::default(), &HeaderMap::new(), None).unwrap_err();
        assert_eq!(nobody.text, "unable to authenticate: invalid token");
    }
}
