//! Pages through their router, over the memory store: who may see them, what they are sent with, that nothing of them
//! is run or loaded from elsewhere. What a page shows is tested beside it; what a browser makes of it, end to end.

use std::sync::Arc;

use axum::{Router, body::Body, extract::Request, response::Response};
use http::{StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::{
    api::fixture::{Scene, TOKEN},
    tls::{ListenerTls, Pem},
};

/// A browser that is signed in.
pub(super) struct Browser {
    pub scene: Scene,
    router: Router,
    cookies: Vec<String>,
}

pub(super) struct Shown {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub html: String,
}

impl Browser {
    pub async fn new() -> Self {
        Browser::over(Scene::new()).await
    }

    pub async fn over(scene: Scene) -> Self {
        let mut browser = Browser::signed_out_over(scene);
        let shown = browser.post("/sign-in", &format!("token={TOKEN}")).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{}", shown.html);
        browser
    }

    pub fn signed_out() -> Self {
        Browser::signed_out_over(Scene::new())
    }

    fn signed_out_over(scene: Scene) -> Self {
        let router = super::router(scene.parts());
        Browser { scene, router, cookies: Vec::new() }
    }

    pub async fn get(&mut self, path: &str) -> Shown {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&mut self, path: &str, form: &str) -> Shown {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// Status and headers of what may have no end.
    pub async fn head_of(&mut self, path: &str) -> (StatusCode, http::HeaderMap) {
        let request = Request::get(path).header(header::HOST, "127.0.0.1:8081");
        let request = request.header(header::COOKIE, self.cookies.join("; ")).body(Body::empty()).unwrap();
        let response: Response = self.router.clone().oneshot(request).await.unwrap();
        (response.status(), response.headers().clone())
    }

    pub async fn send(&mut self, mut request: Request) -> Shown {
        request.headers_mut().entry(header::HOST).or_insert("127.0.0.1:8081".parse().unwrap());
        if !self.cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, self.cookies.join("; ").parse().unwrap());
        }
        let response: Response = self.router.clone().oneshot(request).await.unwrap();
        for set in response.headers().get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            let name = pair.split('=').next().unwrap().to_owned();
            self.cookies.retain(|cookie| cookie.split('=').next() != Some(&*name));
            if !pair.ends_with('=') {
                self.cookies.push(pair);
            }
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Shown { status: head.status, headers: head.headers, html: String::from_utf8(body.to_vec()).unwrap() }
    }
}

#[tokio::test]
async fn only_who_signed_in_sees_a_page_and_is_led_back_to_it() {
    let mut browser = Browser::signed_out();
    let shown = browser.get("/events?type=a%26b").await;
    assert_eq!(shown.status, StatusCode::SEE_OTHER);
    assert_eq!(shown.headers[header::LOCATION], "/sign-in?next=%2Fevents%3Ftype%3Da%2526b");
    let shown = browser.post("/sign-in", "token=wrong&next=%2Fevents").await;
    assert_eq!(shown.status, StatusCode::UNAUTHORIZED);
    assert!(shown.html.contains("none of this gateway") && shown.html.contains("value=\"/events\""), "{}", shown.html);
    let shown = browser.post("/sign-in", &format!("token={TOKEN}&next=%2F%2Fevil.example")).await;
    assert_eq!((shown.status, &shown.headers[header::LOCATION]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    let cookie = shown.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Lax") && !cookie.contains(TOKEN), "{cookie}");
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn on_https_a_session_is_bound_to_this_host() {
    let scene = Scene::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let pem = Pem { certificate: certificate.as_bytes(), key: key.as_bytes(), client_ca: None };
    let mut config = crate::config::Config::clone(&scene.config.load());
    config.server.tls.admin = Some(Arc::new(ListenerTls::new(pem).unwrap()));
    scene.config.store(Arc::new(config));
    let mut browser = Browser::over(scene).await;
    let held = browser.cookies.clone();
    assert!(
        held.iter().any(|cookie| cookie.starts_with("__Host-hookhaven_session=")),
        "only this host can have set it"
    );
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    browser.cookies = held.iter().map(|cookie| cookie.trim_start_matches("__Host-").to_owned()).collect();
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "anybody on another port can set that");
    browser.cookies = held;
    assert_eq!(browser.post("/sign-out", "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn who_signed_out_sees_nothing_with_what_the_browser_held() {
    let mut browser = Browser::new().await;
    let held = browser.cookies.clone();
    assert_eq!(browser.post("/sign-out", "").await.status, StatusCode::SEE_OTHER);
    browser.cookies = held;
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_does_not_open_the_api_and_its_name_is_not_in_the_store() {
    let mut browser = Browser::new().await;
    assert_eq!(browser.get("/api/v1/status").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_are_held_to_a_strict_policy_and_are_not_kept() {
    let mut browser = Browser::new().await;
    let shown = browser.get("/").await;
    let policy = shown.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    for never in [" style=", "<style", " onclick", "=\"http", "=\"//", "/assets/none"] {
        assert!(!shown.html.contains(never), "{never}");
    }
    for link in shown.html.split(['"', '\'']).filter(|part| part.starts_with("/assets/")).map(str::to_owned) {
        let asset = browser.get(&link).await;
        assert_eq!(asset.status, StatusCode::OK, "{link}");
        assert_eq!(asset.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn other_sites_may_lead_here_but_not_act_or_read() {
    let mut browser = Browser::new().await;
    let from = |method: &str, mode: &str, dest: &str| {
        let request = Request::builder().method(method).uri("/").header("sec-fetch-site", "cross-site");
        request.header("sec-fetch-mode", mode).header("sec-fetch-dest", dest).body(Body::empty()).unwrap()
    };
    assert_eq!(browser.send(from("GET", "navigate", "document")).await.status, StatusCode::OK);
    for (method, mode, dest) in
        [("GET", "navigate", "iframe"), ("GET", "no-cors", "image"), ("POST", "navigate", "document")]
    {
        assert_eq!(
            browser.send(from(method, mode, dest)).await.status,
            StatusCode::FORBIDDEN,
            "{method} {mode} {dest}"
        );
    }
    let rebound = Request::get("/").header(header::HOST, "evil.example").body(Body::empty()).unwrap();
    assert_eq!(browser.send(rebound).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_page_that_is_none_says_so_in_the_frame() {
    let mut browser = Browser::new().await;
    let shown = browser.get("/nonsense").await;
    assert_eq!(shown.status, StatusCode::NOT_FOUND);
    assert!(
        shown.html.contains("There is no such page") && shown.html.contains("aria-label=\"Main\""),
        "{}",
        shown.html
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_said_in_the_frame() {
    let mut browser = Browser::new().await;
    for path in ["/jobs/xyz", "/?sample=1&sample=2", "/dead-letters?since=a&since=b", "/events/evt_1/replay"] {
        let shown = browser.get(path).await;
        assert!(shown.status.is_client_error(), "{path}: {}", shown.status);
        assert!(shown.html.contains("That could not be read"), "{path}: {}", shown.html);
        assert!(shown.html.contains("aria-label=\"Main\""), "{path}: {}", shown.html);
    }
    let shown = browser.post("/start/sample", "sauce=stripe").await;
    assert!(shown.status.is_client_error() && shown.html.contains("aria-label=\"Main\""), "{}", shown.html);
}
