//! The pages of dead letters over the memory store: what they show, and what their forms do.

use hookhaven_core::{EndReason, ErrorClass};
use hookhaven_store::Next;
use http::header;

use crate::{
    api::fixture::Scene,
    dashboard::tests::{Browser, Shown},
};

async fn killed(scene: &Scene, answer: &'static str, n: usize) {
    for _ in 0..n {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    assert_eq!(scene.kill_saying(answer, "billing").await, n);
}

fn leads_to(shown: &Shown) -> String {
    assert_eq!(shown.status, 303, "{}", shown.html);
    shown.headers[header::LOCATION].to_str().unwrap().to_owned()
}

/// The form that begins the first time this is seen behind that text, as a browser would send it with this button.
fn form(html: &str, behind: &str, act: &str) -> String {
    let from = html.find(behind).unwrap_or_else(|| panic!("no {behind} in {html}"));
    let form = html[from..].split("<form method=\"post\" action=\"/dead-letters/act\"").nth(1).expect("a form");
    let form = form.split("</form>").next().unwrap();
    assert!(form.contains(&format!("value=\"{act}\"")), "{form}");
    let mut sent = url::form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input type=\"hidden\" ").skip(1) {
        let part =
            |name: &str| input.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
        sent.append_pair(&part("name"), &part("value"));
    }
    sent.append_pair("act", act).finish()
}

async fn job(browser: &mut Browser, path: &str, holds: impl Fn(&Shown) -> bool) -> Shown {
    for _ in 0..100_000 {
        let shown = browser.get(path).await;
        assert_eq!(shown.status, 200, "{}", shown.html);
        if holds(&shown) {
            return shown;
        }
        tokio::task::yield_now().await;
    }
    panic!("waited in vain at {path}: {}", browser.get(path).await.html);
}

fn ended(shown: &Shown) -> bool {
    shown.html.contains("badge good\">done")
}

#[tokio::test]
async fn without_dead_letters_it_says_what_would_be_there() {
    let mut browser = Browser::new().await;
    let shown = browser.get("/dead-letters").await;
    assert!(shown.html.contains("No dead letters") && !shown.html.contains("Replay all"), "{}", shown.html);
    let shown = browser.get("/dead-letters?destination=nowhere").await;
    assert!(shown.html.contains("No dead letter matches"), "{}", shown.html);
    assert!(browser.get("/dead-letters/list").await.html.contains("No dead letters"));
    assert!(browser.get("/dead-letters/dismissed").await.html.contains("Nothing was dismissed"));
    assert!(browser.get("/jobs").await.html.contains("No jobs"));
}

#[tokio::test]
async fn a_group_is_replayed_one_first_by_one_click() {
    let mut browser = Browser::new().await;
    killed(&browser.scene, "no such order <b>12</b>", 3).await;
    killed(&browser.scene, "out of memory", 2).await;
    let shown = browser.get("/dead-letters?destination=billing").await;
    assert!(shown.html.contains("<b>5</b> dead letters in <b>2</b> groups"), "{}", shown.html);
    assert!(shown.html.contains("no such order &#60;b&#62;") && !shown.html.contains("<b>12"), "{}", shown.html);
    let sent = form(&shown.html, "no such order", "one_first");
    let path = leads_to(&browser.post("/dead-letters/act", &sent).await);
    job(&mut browser, &path, |shown| shown.html.contains("badge wait\">pending")).await;
    browser.scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    browser.scene.clock.advance(std::time::Duration::from_secs(1));
    let shown = job(&mut browser, &path, ended).await;
    assert!(shown.html.contains("<dt>done</dt><dd>3</dd>"), "{}", shown.html);
    // Deliveries go on, so the page does.
    assert!(shown.html.contains("hx-trigger=\"every 1s\"") && shown.html.contains("http-equiv=\"refresh\""));
    browser.scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let shown = browser.get(&path).await;
    assert!(!shown.html.contains("hx-trigger") && shown.html.contains("3 of these were answered"), "{}", shown.html);
    let shown = browser.get("/dead-letters").await;
    assert!(shown.html.contains("<b>2</b> dead letters in <b>1</b> group."), "{}", shown.html);
}

#[tokio::test]
async fn a_dismissal_and_a_large_replay_are_counted_and_asked_about() {
    let mut browser = Browser::new().await;
    killed(&browser.scene, "broken", super::UNASKED_MAX as usize + 1).await;
    killed(&browser.scene, "late", 2).await;
    let html = browser.get("/dead-letters").await.html;
    for (cause, act, go) in
        [("broken", "replay", "replay 21 dead letters"), ("late", "dismiss", "dismiss 2 dead letters")]
    {
        let sent = form(&html, &format!("{cause}</bdi>"), act);
        let path = leads_to(&browser.post("/dead-letters/act", &sent).await);
        let shown = job(&mut browser, &path, |shown| shown.html.contains(go)).await;
        assert!(shown.html.contains("Do nothing") && !shown.html.contains("hx-trigger"), "{}", shown.html);
        // Once something is wanted of it, it is asked again until that is done.
        assert!(browser.get(&format!("{path}?wanted=cancel")).await.html.contains("hx-trigger"));
        assert_eq!(leads_to(&browser.post(&format!("{path}/resume"), "").await), format!("{path}?wanted=resume"));
        job(&mut browser, &path, ended).await;
    }
    assert!(browser.get("/dead-letters").await.html.contains("No dead letters"));
    let listed = browser.get("/jobs").await.html;
    assert!(listed.contains("dismiss dead letters at billing in grp_"), "{listed}");

    // A few are replayed at once.
    assert_eq!(browser.scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await, 21);
    killed(&browser.scene, "late", 2).await;
    let html = browser.get("/dead-letters").await.html;
    let path = leads_to(&browser.post("/dead-letters/act", &form(&html, "late</bdi>", "replay")).await);
    job(&mut browser, &path, ended).await;
}

#[tokio::test]
async fn what_is_ticked_is_replayed_or_dismissed_and_what_was_dismissed_comes_back() {
    let mut browser = Browser::new().await;
    killed(&browser.scene, "broken", 3).await;
    browser.scene.accept("stripe", "invoice.paid", b"{}").await;
    browser.scene.settle("mail", ErrorClass::Timeout, None, Next::Dead(EndReason::Exhausted)).await;
    let ids = browser.scene.get("/api/v1/dead-letters?destination=billing").await.ids();
    let shown = browser.get("/dead-letters/list?destination=billing").await;
    assert!(ids.iter().all(|id| shown.html.contains(&format!("value=\"{id}\""))), "{}", shown.html);
    assert!(!shown.html.contains("invoice.paid"));
    let back = "back=%2Fdead-letters%2Flist%3Fdestination%3Dbilling";
    let shown =
        browser.post("/dead-letters/ticked", &format!("act=dismiss&ids={}&ids={}&{back}", ids[0], ids[1])).await;
    let path = leads_to(&shown);
    assert_eq!(path, "/dead-letters/list?destination=billing");
    let shown = browser.get(&path).await;
    assert!(shown.html.contains("2 dead letters dismissed.") && shown.html.contains(&ids[2]), "{}", shown.html);
    assert!(!shown.html.contains(&ids[0]));
    let dismissed = browser.get("/dead-letters/dismissed").await;
    assert!(dismissed.html.contains(&ids[0]) && dismissed.html.contains(&ids[1]) && !dismissed.html.contains(&ids[2]));
    browser.post("/dead-letters/ticked", &format!("act=bring_back&ids={}", ids[0])).await;
    let shown = browser.get("/dead-letters/dismissed").await;
    assert!(shown.html.contains("1 dead letter replayed.") && !shown.html.contains(&ids[0]), "{}", shown.html);
    assert_eq!(browser.scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await, 1);

    assert_eq!(
        leads_to(&browser.post("/dead-letters/ticked", "act=replay&back=//evil.example").await),
        "/dead-letters/list"
    );
    assert!(browser.get("/dead-letters/list").await.html.contains("Nothing was ticked"));
    assert_eq!(browser.post("/dead-letters/ticked", "act=x&ids=y").await.status, 400);
}

#[tokio::test]
async fn pages_of_a_long_list_lead_to_each_other() {
    let mut browser = Browser::new().await;
    killed(&browser.scene, "broken", 60).await;
    let shown = browser.get("/dead-letters/list?type=payment.*").await;
    assert_eq!(shown.html.matches("name=\"ids\"").count(), 50);
    let next = shown.html.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let shown = browser.get(&next).await;
    assert_eq!(shown.html.matches("name=\"ids\"").count(), 10, "{next}");
    assert!(shown.html.contains("Newest") && !shown.html.contains("rel=\"next\""));
}

#[tokio::test]
async fn what_comes_from_outside_is_text() {
    let mut browser = Browser::new().await;
    let evil = "<script>alert(1)</script>\u{202e}\"'><img src=x onerror=alert(1)>";
    browser.scene.accept("stripe", &format!("payment.{evil}"), b"{}").await;
    browser.scene.kill_saying("<svg onload=alert(1)>\u{202e} is <script>bad</script>", "billing").await;
    for path in [
        "/dead-letters",
        "/dead-letters/list",
        "/dead-letters/list?type=%22%3E%3Cscript%3E",
        "/dead-letters?source=%22%3E%3Cscript%3E",
    ] {
        let shown = browser.get(path).await;
        assert_eq!(shown.status, 200);
        for never in ["<script>", "<img src=x", "<svg onload", "style="] {
            assert!(!shown.html.contains(never), "{never} at {path}: {}", shown.html);
        }
    }
}
