//! Who calls: a token in the `Authorization` header, or in the query. Compared by hash, in constant time: the
//! configured ones, and those that people made with the scope `publish` (`access::tokens`).
//!
//! Nothing that a browser sends by itself opens anything: no cookie is looked at and no other site is let in, so a page
//! would have to know a token. Where everybody knows it (`serve --dev`), what comes from another site's page is refused
//! all the same.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use hookhaven_core::{Secret, Time};
use hookhaven_store::Store;
use http::{HeaderMap, StatusCode, header};
use url::form_urlencoded;

use super::error::ApiError;
use crate::{
    access::{Refused, Scope, Token, TokenHash, Tokens},
    config::Publish,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub may_write: bool,
    /// The token came in the `Authorization` header, which is then nobody else's.
    pub by_header: bool,
}

/// Who calls, and what that opens.
#[derive(Clone, Debug)]
pub struct Caller {
    pub access: Access,
    /// The token's name, of those that people made.
    pub name: Option<Arc<str>>,
}

/// What a caller is judged by.
pub struct Door<'a> {
    pub publish: &'a Publish,
    pub tokens: &'a Arc<Tokens>,
    pub store: &'a Arc<dyn Store>,
    pub now: Time,
}

impl Door<'_> {
    /// # Errors
    /// 401 if there is no token, or another one; 403 for a page of another site.
    pub async fn check(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Caller, ApiError> {
        if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "pages of other sites may not publish"));
        }
        let unauthorized = || ApiError::new(StatusCode::UNAUTHORIZED, "unable to authenticate: invalid token");
        let (token, by_header) = given(headers, query).ok_or_else(unauthorized)?;
        let hash = TokenHash::of(&token);
        let caller = |may_write, name| Ok(Caller { access: Access { may_write, by_header }, name });
        if is_one_of(&hash, self.publish.full_tokens()) {
            return caller(true, None);
        }
        if is_one_of(&hash, &self.publish.read_tokens) {
            return caller(false, None);
        }
        let made = self.made(&token, &hash).await.ok_or_else(unauthorized)?;
        caller(true, Some(made.name.as_str().into()))
    }

    /// The token, if somebody made it for publishing.
    async fn made(&self, token: &[u8], hash: &TokenHash) -> Option<Arc<Token>> {
        let Door { tokens, store, now, .. } = *self;
        let mut found = tokens.find(hash, now);
        if found == Err(Refused::Unknown) && tokens.look_for(token, &**store, now).await {
            found = tokens.find(hash, now);
        }
        let made = found.ok().filter(|token| token.scopes.allow(Scope::Publish))?;
        tokens.note_use(store, hash, now);
        Some(made)
    }
}

/// The token, and whether it came in the header.
fn given(headers: &HeaderMap, query: Option<&str>) -> Option<(Vec<u8>, bool)> {
    if let Some(token) = bearer(headers) {
        return Some((token.to_vec(), true));
    }
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "qstash_token")?;
    Some((token.into_owned().into_bytes(), false))
}

fn is_one_of(given: &TokenHash, tokens: &[Secret]) -> bool {
    let same = |token: &Secret| {
        constant_time::verify_slices_are_equal(given.as_bytes(), TokenHash::of(token.expose()).as_bytes()).is_ok()
    };
    tokens.iter().any(same)
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = given.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;
    use http::HeaderValue;

    use super::*;
    use crate::{
        access::tokens::Wanted,
        publish::testing::{self, NOW},
    };

    async fn access(authorization: &[&str], query: Option<&str>) -> Option<Access> {
        let secrets = |texts: &[&str]| texts.iter().filter_map(|t| Secret::new(*t)).collect();
        let publish =
            Publish { tokens: secrets(&["full", "other="]), read_tokens: secrets(&["read"]), ..Publish::default() };
        let values = authorization.iter().map(|v| (header::AUTHORIZATION, HeaderValue::try_from(*v).unwrap()));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| {
            headers.append(name, value);
        });
        check(&publish, &Arc::default(), &headers, query).await.ok()
    }

    async fn check(
        publish: &Publish,
        tokens: &Arc<Tokens>,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Access, ApiError> {
        let store: Arc<dyn Store> = Arc::new(testing::store());
        Door { publish, tokens, store: &store, now: NOW }.check(headers, query).await.map(|caller| caller.access)
    }

    #[tokio::test]
    async fn tokens_by_header_or_query() {
        assert_eq!(access(&["Bearer full"], None).await, Some(Access { may_write: true, by_header: true }));
        assert_eq!(access(&["bearer read"], None).await, Some(Access { may_write: false, by_header: true }));
        let by_query = Some(Access { may_write: true, by_header: false });
        assert_eq!(access(&[], Some("x=1&qstash_token=other%3D")).await, by_query);
        assert_eq!(access(&["Basic abc"], Some("qstash_token=full")).await, by_query);
    }

    #[tokio::test]
    async fn nothing_else_gets_in() {
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
            assert_eq!(access(authorization, query).await, None, "{authorization:?} {query:?}");
        }
        let nobody = check(&Publish::default(), &Arc::default(), &HeaderMap::new(), None).await.unwrap_err();
        assert_eq!(nobody.text, "unable to authenticate: invalid token");
    }

    #[tokio::test]
    async fn a_token_that_somebody_made_opens_what_its_scopes_say_and_not_for_longer() {
        let (store, entropy) = (testing::store(), SeededEntropy::new(1));
        let tokens = Arc::new(Tokens::default());
        for (scope, opens) in
            [(Scope::Publish, true), (Scope::Admin, true), (Scope::Operate, false), (Scope::Read, false)]
        {
            for (end, valid) in [(None, true), (Some(NOW), false)] {
                let (name, created_by) = (format!("{scope}-{valid}"), "me".to_owned());
                let wanted = Wanted { name, scopes: scope.into(), expires_at: end, created_by };
                let (token, _) = tokens.make(&store, wanted, NOW, &entropy).await.unwrap();
                let mut headers = HeaderMap::new();
                let value = [b"Bearer ", token.expose()].concat();
                headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(&value).unwrap());
                let found = check(&Publish::default(), &tokens, &headers, None).await.ok();
                let want = (opens && valid).then_some(Access { may_write: true, by_header: true });
                assert_eq!(found, want, "{scope} {end:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_page_of_another_site_publishes_nothing_even_with_a_token_that_everybody_knows() {
        let publish = Publish { tokens: vec![Secret::new("public").unwrap()], ..Publish::default() };
        for (site, fine) in [("cross-site", false), ("same-origin", true), ("none", true)] {
            let headers = HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), HeaderValue::from_static(site))]);
            let found = check(&publish, &Arc::default(), &headers, Some("qstash_token=public")).await;
            assert_eq!(found.is_ok(), fine, "{site}");
        }
    }
}
