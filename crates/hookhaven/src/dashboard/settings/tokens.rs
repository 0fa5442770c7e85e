//! Tokens: which there are and what they open; making one, which is shown once; ending one.

use askama::Template;
use axum::{
    Router,
    extract::{Path, RawForm},
    response::Response,
    routing::{get, post},
};

use super::{Tab, frame, tabs};
use crate::{
    access::Scope,
    api::{CreateToken, CreatedToken, TokenView, view::Listing},
    dashboard::{Frame, Shared, Trouble, Visit, query::segment},
};

const PATH: &str = "/settings/tokens";
const DAY_S: u64 = 86_400;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(list).post(create)).route("/settings/tokens/{id}/revoke", post(revoke))
}

#[derive(Template)]
#[template(path = "settings_tokens.html")]
struct Tokens<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    items: Vec<TokenView>,
    /// The one that was just made: the only time that it is shown.
    created: Option<CreatedToken>,
}

async fn list(visit: Visit) -> Response {
    visit.run(page(&visit, None)).await
}

async fn page(visit: &Visit, created: Option<CreatedToken>) -> Result<Response, Trouble> {
    let Listing { items, .. } = visit.api.get("/tokens").await?;
    Ok(visit.page(&Tokens { frame: frame(visit, "Tokens"), tabs: tabs(visit, PATH), items, created }))
}

/// Answered with a page of its own, which browsers do not keep: a redirect would have to carry the token.
async fn create(visit: Visit, RawForm(form): RawForm) -> Response {
    visit
        .run(async {
            let created = visit.api.post("/tokens", &wanted(&form)?).await?;
            page(&visit, Some(created)).await
        })
        .await
}

/// A form's boxes are repeated names, one for each scope that is ticked.
fn wanted(form: &[u8]) -> Result<CreateToken, Trouble> {
    let mut wanted = CreateToken::default();
    for (name, value) in url::form_urlencoded::parse(form) {
        match &*name {
            "name" => wanted.name = value.trim().to_owned(),
            "scope" => {
                wanted.scopes.push(value.parse::<Scope>().map_err(|error| Trouble::bad(format!("scope: {error}")))?)
            }
            "expires" if value == "never" => wanted.never_expires = true,
            "expires" => {
                let days: u64 = value.parse().map_err(|_| Trouble::bad("expires: a number of days, or never"))?;
                wanted.expires_in_s = Some(days.saturating_mul(DAY_S));
            }
            _ => {}
        }
    }
    Ok(wanted)
}

async fn revoke(visit: Visit, Path(id): Path<String>) -> Response {
    visit
        .run(async {
            let revoked: TokenView = visit.api.delete(&format!("/tokens/{}", segment(&id))).await?;
            Ok(visit.done(PATH, &format!("{} is revoked: it opens nothing any more.", revoked.name)))
        })
        .await
}

/// The scopes of a token, in a line.
fn scopes(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use http::{StatusCode, header};

    use crate::dashboard::tests::Browser;

    #[tokio::test]
    async fn a_token_is_made_shown_once_and_revoked() {
        let mut browser = Browser::new().await;
        let made = browser.post("/settings/tokens", "name=ci&scope=read&scope=publish&expires=30").await;
        assert_eq!((made.status, &made.headers[header::CACHE_CONTROL]), (StatusCode::OK, &"no-store".parse().unwrap()));
        let from = made.html.find("id=\"token\"").unwrap_or_else(|| panic!("{}", made.html));
        let token = made.html[from..].split(['>', '<']).nth(1).unwrap().to_owned();
        assert!(token.len() > 20 && made.html.contains("read, publish"), "{token}");
        let list = browser.get("/settings/tokens").await;
        assert!(list.html.contains("<bdi>ci</bdi>") && !list.html.contains(&token));
        let id = list.html.split("/settings/tokens/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let done = browser.post(&format!("/settings/tokens/{id}/revoke"), "").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
        let list = browser.get("/settings/tokens").await;
        assert!(list.html.contains("ci is revoked") && !list.html.contains("<bdi>ci</bdi>"), "{}", list.html);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_wish_is_said() {
        let mut browser = Browser::new().await;
        for (form, status) in
            [("name=ci&expires=30", 400), ("name=a+b&scope=read&expires=never", 400), ("name=x&scope=root", 400)]
        {
            assert_eq!(browser.post("/settings/tokens", form).await.status.as_u16(), status, "{form}");
        }
    }
}
