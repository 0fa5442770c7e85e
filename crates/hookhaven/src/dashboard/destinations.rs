//! `/destinations`: where deliveries go, how that goes, and what can be done about it: pause, disable, try it out.

use askama::Template;
use axum::{
    Form, Router,
    extract::Path,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use hookhaven_core::{delivery::PUBLISHED_ADDRESSES, event::PUBLISHED};
use serde::Deserialize;
use serde_json::json;

use super::{
    Frame, Section, Shared, Trouble, Visit,
    charts::{Charts, One},
    query::{self, segment},
    show::{self, Html},
};
use crate::{
    access::Scope,
    api::{
        Breaker, DestinationTrial, DestinationView, SecretView,
        view::{ListedRoute, Listing},
    },
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/destinations", get(list))
        .route("/destinations/{name}", get(show_one))
        .route("/destinations/{name}/test", post(test))
        .route("/destinations/{name}/{act}", post(act))
}

#[derive(Template)]
#[template(path = "destinations.html")]
struct Destinations<'a> {
    frame: Frame<'a>,
    items: Vec<DestinationView>,
}

async fn list(visit: Visit) -> Response {
    visit
        .run(async {
            let Listing { items, .. } = visit.api.get("/destinations").await?;
            Ok(visit.page(&Destinations { frame: visit.frame("Destinations", Section::Destinations), items }))
        })
        .await
}

#[derive(Template)]
#[template(path = "destination.html")]
struct Destination<'a> {
    frame: Frame<'a>,
    d: DestinationView,
    charts: Charts,
    /// Those that lead here.
    routes: Vec<ListedRoute>,
    /// Whether the reader may see them, and which there are.
    secrets: Option<Vec<SecretView>>,
    trial: Option<DestinationTrial>,
}

async fn show_one(visit: Visit, Path(name): Path<String>) -> Response {
    if name == PUBLISHED_ADDRESSES {
        return Redirect::to("/publishing").into_response();
    }
    visit.run(page(&visit, &name, None)).await
}

async fn page(visit: &Visit, name: &str, trial: Option<DestinationTrial>) -> Result<Response, Trouble> {
    let path = format!("/destinations/{}", segment(name));
    let secrets = async {
        match visit.may(Scope::Admin) {
            true => visit.api.get::<Listing<SecretView>>("/secrets").await.map(Some),
            false => Ok(None),
        }
    };
    let (d, routes, secrets, charts) = tokio::try_join!(
        visit.api.get(&path),
        visit.api.get::<Listing<ListedRoute>>("/routes"),
        secrets,
        Charts::of_one(visit, One::Destination(name)),
    )?;
    let of_this = |secret: &SecretView| secret.of == "destination" && secret.name == name;
    Ok(visit.page(&Destination {
        frame: visit.frame_over_time(name, Section::Destinations),
        d,
        charts,
        routes: routes.items.into_iter().filter(|route| route.to.iter().any(|to| to == name)).collect(),
        secrets: secrets.map(|all| all.items.into_iter().filter(of_this).collect()),
        trial,
    }))
}

/// The answer is shown in its place on the page.
async fn test(visit: Visit, Path(name): Path<String>) -> Response {
    visit
        .run(async {
            let trial = visit.api.act(&format!("/destinations/{}/test", segment(&name))).await?;
            page(&visit, &name, Some(trial)).await
        })
        .await
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

async fn act(
    visit: Visit,
    Path((name, act)): Path<(String, String)>,
    Form(Reason { reason }): Form<Reason>,
) -> Response {
    visit
        .run(async {
            let body = match act.as_str() {
                "pause" | "disable" => json!({ "reason": reason }),
                "resume" | "enable" => json!({}),
                other => return Err(Trouble::bad(format!("{other} is nothing that can be done to a destination"))),
            };
            let path = format!("/destinations/{}", segment(&name));
            let now: DestinationView = visit.api.post(&format!("{path}/{act}"), &body).await?;
            let waits = show::count(&now.depth);
            let said = match act.as_str() {
                "pause" => format!("{name} is paused: {waits} deliveries wait until it is resumed."),
                "resume" => format!("{name} is resumed: {waits} deliveries go on."),
                "disable" => format!("{name} is disabled: new events make no delivery there."),
                _ => format!("{name} is enabled: new events make deliveries there."),
            };
            Ok(visit.done(&path, &said))
        })
        .await
}

/// All addresses of published messages together: no destination of the configuration, so in no state.
fn is_published(d: &DestinationView) -> bool {
    d.name == PUBLISHED_ADDRESSES
}

/// Its dead letters.
fn letters(d: &DestinationView) -> String {
    let of = if is_published(d) { [("source", PUBLISHED)] } else { [("destination", d.name.as_str())] };
    query::path("/dead-letters", &of)
}

/// A breaker, as a badge.
fn breaker(breaker: &Breaker) -> Html {
    show::state(match breaker {
        Breaker::Closed => "closed",
        Breaker::Open => "open",
        Breaker::Probing => "half_open",
    })
}

/// What of the attempts failed: `2.5%`; a dash without attempts.
fn failed(attempts: &u64, delivered: &u64) -> String {
    match *attempts {
        0 => "–".to_owned(),
        attempts => {
            let percent = 100.0 * attempts.saturating_sub(*delivered) as f64 / attempts as f64;
            if percent == 0.0 || percent >= 10.0 { format!("{percent:.0}%") } else { format!("{percent:.1}%") }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;

    use super::*;
    use crate::{
        api::fixture::{Scene, Scripted},
        dashboard::tests::Browser,
    };

    #[tokio::test]
    async fn all_are_listed_and_one_is_paused_with_a_reason_and_resumed() {
        let mut browser = Browser::new().await;
        let list = browser.get("/destinations").await;
        assert_eq!(list.status, StatusCode::OK);
        for name in ["billing", "mail", "old"] {
            assert!(list.html.contains(&format!("href=\"/destinations/{name}\"")), "{name}");
        }
        let shown = browser.get("/destinations/billing").await;
        assert!(
            shown.html.contains("http://127.0.0.1:3000/billing?…") && !shown.html.contains("s3cret"),
            "{}",
            shown.html
        );
        assert!(shown.html.contains("stripe#1"), "the route that leads here");
        let done = browser.post("/destinations/billing/pause", "reason=it+%3Cb%3Emoves%3C%2Fb%3E").await;
        assert_eq!(
            (done.status, &done.headers["location"]),
            (StatusCode::SEE_OTHER, &"/destinations/billing".parse().unwrap())
        );
        let paused = browser.get("/destinations/billing").await;
        assert!(
            paused.html.contains("billing is paused") && paused.html.contains("it &#60;b&#62;moves"),
            "{}",
            paused.html
        );
        assert!(paused.html.contains("/destinations/billing/resume"));
        browser.post("/destinations/billing/resume", "").await;
        assert!(browser.get("/destinations/billing").await.html.contains("/destinations/billing/pause"));
        assert_eq!(browser.post("/destinations/billing/explode", "").await.status, StatusCode::BAD_REQUEST);
        assert_eq!(browser.get("/destinations/none").await.status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn what_came_of_a_test_request_is_shown_in_its_place() {
        let refused = Scripted { destination: Ok(StatusCode::UNAUTHORIZED), ..Scripted::default() };
        for (scripted, texts) in [
            (Scripted::default(), ["badge good\">ok", "connect 0.1 ms", "thanks"]),
            (refused, ["badge bad\">failed", "it answered 401", "verify the signature"]),
        ] {
            let mut browser = Browser::over(Scene::with_trials(Arc::new(scripted))).await;
            let shown = browser.post("/destinations/billing/test", "").await;
            assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
            for text in texts {
                assert!(shown.html.contains(text), "{text} in {}", shown.html);
            }
            assert!(!shown.html.contains("hunter2"), "a handler's cookie");
        }
    }

    #[tokio::test]
    async fn without_a_gateway_a_test_says_why_in_the_frame() {
        let mut browser = Browser::new().await;
        let shown = browser.post("/destinations/billing/test", "").await;
        assert_eq!(shown.status, StatusCode::CONFLICT);
        assert!(shown.html.contains("hookhaven serve") && shown.html.contains("aria-label=\"Main\""));
    }

    #[test]
    fn letters_of_published_messages_are_found_by_their_source() {
        let of = |name: &str| letters(&DestinationView { name: name.to_owned(), ..DestinationView::default() });
        assert_eq!(of("published"), "/dead-letters?source=publish");
        assert_eq!(of("billing"), "/dead-letters?destination=billing");
    }

    #[test]
    fn shares_are_short() {
        assert_eq!([(0, 0), (3, 3), (1_000, 975), (10, 1)].map(|(a, d)| failed(&a, &d)), ["–", "0%", "2.5%", "90%"]);
    }
}
