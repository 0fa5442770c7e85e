//! `/sources`: where senders post; how one is set up at its sender, what came lately, what was refused; and a sample event
//! to see one arrive.

use askama::Template;
use axum::{
    Form, Router,
    extract::Path,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Frame, Section, Shared, Trouble, Visit,
    charts::{Charts, One},
    query,
    query::segment,
};
use crate::{
    access::Scope,
    api::{RejectedView, SampleRequest, SampleView, SecretView, SourceDetail, SourceView, view::Listing},
};

/// Rejected requests that are shown with their source.
const REJECTED_SHOWN: &str = "5";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/sources", get(list))
        .route("/sources/{name}", get(show_one))
        .route("/sources/{name}/sample", post(sample))
}

#[derive(Template)]
#[template(path = "sources.html")]
struct Sources<'a> {
    frame: Frame<'a>,
    items: Vec<SourceView>,
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let Listing { items, .. } = visit.api.get("/sources").await?;
            Ok(visit.page(&Sources { frame: visit.frame("Sources", Section::Sources), items }))
        })
        .await
}

#[derive(Template)]
#[template(path = "source.html")]
struct Source<'a> {
    frame: Frame<'a>,
    s: SourceDetail,
    charts: Charts,
    rejected: Vec<RejectedView>,
    /// If the reader may see them.
    secrets: Option<Vec<SecretView>>,
    sample: Option<SampleView>,
}

async fn show_one(visit: Visit, Path(name): Path<String>) -> Response {
    visit.run(page(&visit, &name, None)).await
}

async fn page(visit: &Visit, name: &str, sample: Option<SampleView>) -> Result<Response, Trouble> {
    let path = format!("/sources/{}", segment(name));
    let rejected = query::path("/rejected", &[("source", name), ("limit", REJECTED_SHOWN)]);
    let secrets = async {
        match visit.may(Scope::Admin) {
            true => visit.api.get::<Listing<SecretView>>("/secrets").await.map(Some),
            false => Ok(None),
        }
    };
    let (s, rejected, secrets, charts) = tokio::try_join!(
        visit.api.get(&path),
        visit.api.get::<Listing<RejectedView>>(&rejected),
        secrets,
        Charts::of_one(visit, One::Source(name)),
    )?;
    let of_this = |secret: &SecretView| secret.of == "source" && secret.name == name;
    Ok(visit.page(&Source {
        frame: visit.frame_over_time(name, Section::Sources),
        s,
        charts,
        rejected: rejected.items,
        secrets: secrets.map(|all| all.items.into_iter().filter(of_this).collect()),
        sample,
    }))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default, rename = "type")]
    event_type: String,
}

/// What became of it is shown in its place on the page.
async fn sample(visit: Visit, Path(name): Path<String>, Form(wanted): Form<Wanted>) -> Response {
    visit
        .run(async {
            let event_type = Some(wanted.event_type.trim().to_owned()).filter(|text| !text.is_empty());
            let path = format!("/sources/{}/sample", segment(&name));
            let sample = visit.api.post(&path, &SampleRequest { event_type }).await?;
            page(&visit, &name, Some(sample)).await
        })
        .await
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use crate::dashboard::tests::Browser;

    #[tokio::test]
    async fn sources_show_their_address_what_came_and_what_was_refused() {
        let mut browser = Browser::new().await;
        browser.scene.accept("stripe", "<b>paid</b>", b"{}").await;
        let list = browser.get("/sources").await;
        assert!(list.html.contains("href=\"/sources/stripe\"") && list.html.contains("href=\"/sources/github\""));
        let shown = browser.get("/sources/stripe").await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
        assert!(shown.html.contains("http://127.0.0.1:8080/webhooks/stripe") && shown.html.contains("data-copy="));
        assert!(shown.html.contains("&#60;b&#62;paid") && !shown.html.contains("<b>paid"), "{}", shown.html);
        assert!(shown.html.contains("public_url"), "that the address is no public one is said");
        assert!(!shown.html.contains("s3cret"));
        let refused = browser.post("/sources/stripe/sample", "type=a.b").await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert_eq!(browser.get("/sources/none").await.status, StatusCode::NOT_FOUND);
    }
}
