//! One request for a page: who reads, what may be done, which span of time is looked at, and the API to ask.
//!
//! A handler takes a [`Visit`] and answers with one of its methods: [`Visit::page`], or after an action [`Visit::done`],
//! which leads back with a word on what happened. What the API refuses becomes a page by `?`, through [`Visit::run`].

use std::{future::Future, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hookhaven_core::Time;
use hookhaven_store::clock::Entropy;
use http::{HeaderMap, HeaderValue, header, request::Parts};

use super::{Frame, Inner, Section, Shared, Trouble, layout::Offer, shell};
use crate::access::{Scope, Who};

const THEME: &str = "hookhaven_theme";
const RANGE: &str = "hookhaven_range";
const SAID: &str = "hookhaven_said";
/// Longest word that an action leaves for the next page.
const SAID_BYTES_MAX: usize = 1_000;
const YEAR_S: u32 = 365 * 86_400;

/// Which span of time a page looks at. The same on every page, until another is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// The last so and so much: one of [`Range::NAMED`].
    Last(&'static str, Duration),
    /// From a chart: what was drawn over.
    Between(Time, Time),
}

impl Range {
    pub const NAMED: [Range; 4] = [
        Range::Last("1h", Duration::from_secs(3_600)),
        Range::Last("24h", Duration::from_secs(86_400)),
        Range::Last("7d", Duration::from_secs(7 * 86_400)),
        Range::Last("30d", Duration::from_secs(30 * 86_400)),
    ];

    fn named(name: &str) -> Option<Range> {
        Range::NAMED.into_iter().find(|range| range.name() == name)
    }

    /// Empty for one that has none.
    pub fn name(&self) -> &'static str {
        match self {
            Range::Last(name, _) => name,
            Range::Between(..) => "",
        }
    }

    pub fn since(&self, now: Time) -> Time {
        match self {
            Range::Last(_, length) => now.minus(*length),
            Range::Between(since, _) => *since,
        }
    }

    /// `None`: up to now.
    pub fn until(&self) -> Option<Time> {
        match self {
            Range::Last(..) => None,
            Range::Between(_, until) => Some(*until),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Visit {
    pub api: Inner,
    pub who: Who,
    pub now: Time,
    pub range: Range,
    /// The page's own address, as the browser asked for it.
    pub address: String,
    theme: &'static str,
    said: Option<String>,
    entropy: Arc<dyn Entropy>,
}

impl Visit {
    pub(super) fn new(dashboard: &Shared, who: Who, request: &Request) -> Self {
        let headers = request.headers();
        Visit {
            api: Inner::new(dashboard.api.clone(), who.clone()),
            who,
            now: dashboard.parts.clock.now(),
            range: range(request),
            address: request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
            theme: theme(headers),
            said: said(headers),
            entropy: dashboard.parts.entropy.clone(),
        }
    }

    /// For a form that makes something new: what it makes is made once, however often the form is sent.
    pub fn form_key(&self) -> String {
        hex::encode(self.entropy.id_bytes())
    }

    /// Whether the reader may act; pages offer nothing that would be refused.
    pub fn may(&self, scope: Scope) -> bool {
        self.who.scopes.allow(scope)
    }

    pub fn frame<'a>(&'a self, title: &'a str, section: Section) -> Frame<'a> {
        Frame {
            title,
            section,
            who: &self.who.name,
            may_operate: self.may(Scope::Operate),
            may_admin: self.may(Scope::Admin),
            theme: self.theme,
            address: &self.address,
            said: self.said.as_deref(),
            now: self.now,
            ranges: Vec::new(),
        }
    }

    /// A frame that offers other spans of time.
    pub fn frame_over_time<'a>(&'a self, title: &'a str, section: Section) -> Frame<'a> {
        let path = self.address.split('?').next().unwrap_or("/");
        let kept: Vec<(String, String)> = self
            .address
            .split_once('?')
            .map(|(_, query)| url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
            .unwrap_or_default();
        let ranges = Range::NAMED.into_iter().map(|range| {
            let stays = |name: &str| !matches!(name, "range" | "since" | "until" | "after");
            let mut parameters: Vec<(&str, &str)> =
                kept.iter().filter(|(name, _)| stays(name)).map(|(n, v)| (n.as_str(), v.as_str())).collect();
            parameters.push(("range", range.name()));
            Offer { name: range.name(), link: super::query::path(path, &parameters), chosen: range == self.range }
        });
        Frame { ranges: ranges.collect(), ..self.frame(title, section) }
    }

    /// Makes a page of what a handler answers; a refusal of the API keeps the reader's frame.
    pub async fn run<F: Future<Output = Result<Response, Trouble>>>(&self, page: F) -> Response {
        match page.await {
            Ok(response) => response,
            Err(trouble) => shell::refused(trouble, Some(self)),
        }
    }

    /// Answers with a page. Remembers the span of time that was chosen on it; the word said on it is not said again.
    pub fn page(&self, template: &impl Template) -> Response {
        let mut response = shell::render(template);
        if let Range::Last(name, _) = self.range {
            set_cookie(&mut response, RANGE, name, YEAR_S);
        }
        if self.said.is_some() {
            set_cookie(&mut response, SAID, "", 0);
        }
        response
    }

    /// Leads on after an action, and says there what came of it.
    pub fn done(&self, to: &str, said: &str) -> Response {
        let to = super::query::ours(to);
        let mut response = Redirect::to(if to.is_empty() { "/" } else { to }).into_response();
        let mut end = said.len().min(SAID_BYTES_MAX);
        while !said.is_char_boundary(end) {
            end -= 1;
        }
        set_cookie(&mut response, SAID, &URL_SAFE_NO_PAD.encode(said.get(..end).unwrap_or_default()), 60);
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Trouble> {
        head.extensions.get().cloned().ok_or_else(|| Trouble::bad("nobody is signed in"))
    }
}

fn range(request: &Request) -> Range {
    let query = request.uri().query().unwrap_or_default();
    let asked = |wanted: &str| {
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value)
    };
    let time = |name: &str| asked(name).and_then(|text| Time::parse_rfc3339(&text));
    if let (Some(since), Some(until)) = (time("since"), time("until"))
        && since < until
    {
        return Range::Between(since, until);
    }
    let named = asked("range").and_then(|name| Range::named(&name));
    let kept = || cookie(request.headers(), RANGE).and_then(Range::named);
    named.or_else(kept).unwrap_or(Range::NAMED[1])
}

/// `light`, `dark`, or empty: as the system has it.
pub(super) fn theme(headers: &HeaderMap) -> &'static str {
    match cookie(headers, THEME) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    }
}

pub(super) fn set_theme(response: &mut Response, theme: &str) {
    set_cookie(response, THEME, theme, YEAR_S);
}

fn said(headers: &HeaderMap) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie(headers, SAID).filter(|said| !said.is_empty())?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The first cookie of that name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, value)| value)
}

fn set_cookie(response: &mut Response, name: &str, value: &str, max_age_s: u32) {
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
