//! Search for text in bodies: the list of events as a page that is written while it is found. It works without a
//! script, and leaving it ends the search, since the API's answer is read no faster than the page goes out.

use std::convert::Infallible;

use askama::Template;
use axum::{
    body::{Body, BodyDataStream},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;

use super::{
    super::{Section, Trouble, Visit, show},
    filter::Filter,
    list::{Choices, List},
    row::Row,
};
use crate::api::{EndView, Problem, SearchLine};

/// Hits in a page.
const HITS: &str = "50";
/// Where rows go into the page, and where the page's end begins. What is escaped cannot hold these.
const ROWS: &str = "<!--rows-->";
const END: &str = "<!--end-->";
/// Longest line of the search's answer.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What is told when it is over.
#[derive(Template)]
#[template(path = "events_found.html")]
struct Found<'a> {
    end: Option<EndView>,
    problem: Option<Problem>,
    /// Rows on the page.
    shown: u64,
    filter: &'a Filter,
    /// Where the search goes on, or empty.
    further: String,
}

/// The list as its rows are found.
pub(super) async fn show(visit: &Visit, filter: Filter) -> Result<Response, Trouble> {
    let choices = Choices::of(visit).await?;
    let answer = visit.api.raw(Method::GET, &filter.search(HITS), Body::empty()).await?;
    let page = List {
        frame: visit.frame_over_time("Events", Section::Events),
        filter: &filter,
        choices,
        rows: Vec::new(),
        looked_back_to: None,
        older: String::new(),
        searches: true,
    };
    let html = page.render().map_err(|error| Trouble::bad(error.to_string()))?;
    let (head, rest) = html.split_once(ROWS).unwrap_or((&html, ""));
    let (middle, tail) = rest.split_once(END).unwrap_or((rest, ""));
    let telling = Telling {
        lines: Lines { body: answer.into_body().into_data_stream(), read: Vec::new() },
        visit: visit.clone(),
        shown: 0,
        middle: middle.to_owned(),
        tail: tail.to_owned(),
        is_over: false,
        filter,
    };
    let head = stream::once(std::future::ready(Bytes::from(head.to_owned())));
    let told = stream::unfold(telling, async |mut telling| Some((telling.step().await?, telling)));
    let whole = head.chain(told).map(Ok::<_, Infallible>);
    // What was chosen and said is remembered as with every page.
    let mut response = visit.page(&Nothing);
    *response.body_mut() = Body::from_stream(whole);
    Ok(response)
}

#[derive(Template)]
#[template(source = "", ext = "html")]
struct Nothing;

/// The answer of a search, a line at a time.
struct Lines {
    body: BodyDataStream,
    read: Vec<u8>,
}

impl Lines {
    /// `None`: it broke off, or a line is longer than any can be.
    async fn next(&mut self) -> Option<SearchLine> {
        loop {
            if let Some(at) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=at).collect();
                return serde_json::from_slice(&line).ok();
            }
            if self.read.len() > LINE_BYTES_MAX {
                return None;
            }
            self.read.extend_from_slice(&self.body.next().await?.ok()?);
        }
    }
}

/// A page that is being written.
struct Telling {
    lines: Lines,
    visit: Visit,
    filter: Filter,
    shown: u64,
    middle: String,
    tail: String,
    is_over: bool,
}

impl Telling {
    /// What is written next; `None` after the end.
    async fn step(&mut self) -> Option<Bytes> {
        while !self.is_over {
            let (end, problem) = match self.lines.next().await {
                Some(SearchLine::Hit(hit)) => {
                    let row = Row::of(&self.visit, hit.event, Some(hit.excerpt)).await;
                    if !row.fits(&self.filter) {
                        continue;
                    }
                    self.shown += 1;
                    return Some(row.render().unwrap_or_default().into());
                }
                Some(SearchLine::Progress(_)) => continue,
                Some(SearchLine::End(end)) => (Some(end), None),
                Some(SearchLine::Problem(problem)) => (None, Some(problem)),
                None => (None, None),
            };
            self.is_over = true;
            return Some(self.end(end, problem).into());
        }
        None
    }

    fn end(&self, end: Option<EndView>, problem: Option<Problem>) -> String {
        let next = end.as_ref().and_then(|end| end.looked.next);
        let further = next.map(|next| self.filter.link(&next.to_string())).unwrap_or_default();
        let found = Found { end, problem, shown: self.shown, filter: &self.filter, further };
        format!("{}{}{}", self.middle, found.render().unwrap_or_default(), self.tail)
    }
}
