//! The overview: `/`. What comes in and goes out, what waits, what failed.

use askama::Template;
use axum::{
    Form, Router,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{Frame, Section, Shared, Visit, visit};
use crate::api::Status;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/", get(show)).route("/theme", post(theme))
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: Frame<'a>,
    status: Status,
}

async fn show(visit: Visit) -> Response {
    visit
        .run(async {
            let status = visit.api.get("/status").await?;
            Ok(visit.page(&Home { frame: visit.frame_over_time("Overview", Section::Overview), status }))
        })
        .await
}

#[derive(Deserialize)]
struct Chosen {
    theme: String,
    next: String,
}

/// Light, dark, or as the system has it: remembered by the browser alone.
async fn theme(visit: Visit, Form(chosen): Form<Chosen>) -> Response {
    let next = if chosen.next.starts_with('/') && !chosen.next.starts_with("//") { chosen.next.as_str() } else { "/" };
    let mut response = visit.done(next, "");
    visit::set_theme(
        &mut response,
        match chosen.theme.as_str() {
            "light" => "light",
            "dark" => "dark",
            _ => "",
        },
    );
    response
}
