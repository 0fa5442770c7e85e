//! Which routes there are, and which take an event and why.

use hookhaven_core::{
    filter::{Condition, Filter, Literal, Test},
    senders::Place,
};
use serde_json::json;

use super::{run, serve, typed};
use crate::{
    api::fixture::{Scene, TOKEN, route},
    cli::{
        Cli, Command,
        args::{RoutesCommand, RoutesTestArgs},
        client::Client,
        print::capture,
        routes,
    },
};
use clap::Parser;
use hookhaven_core::Secret;

/// Routes of `stripe`: live payments to `billing`, marked ones to `mail`, all others to a disabled destination.
fn scene() -> Scene {
    let scene = Scene::new();
    let is_true = |place: &str| {
        let test = Test::In(vec![Literal::Bool(true)]);
        Some(Filter::new(vec![Condition::At(Place::parse(place).unwrap(), vec![test])]))
    };
    let mut config = (**scene.config.load()).clone();
    config.routes = vec![
        route("live", "stripe", "payment.*", "billing", true),
        route("marked", "stripe", "*", "mail", false),
        route("rest", "stripe", "*", "old", false),
    ];
    config.routes[0].when = is_true("json:/livemode");
    config.routes[1].when = is_true("header:x-mark");
    scene.config.store(config.into());
    scene
}

#[tokio::test]
async fn routes_are_listed_with_their_filters_in_words() {
    let scene = scene();
    let out = typed(&scene, "routes list", None).await.done();
    for want in ["live", "payment.*", "json:/livemode is true", "header:x-mark is true", "billing", "yes"] {
        assert!(out.contains(want), "{want}: {out}");
    }
    let got = typed(&scene, "routes list --source stripe --json", None).await.json();
    assert_eq!(got["items"][0]["when"], json!(["json:/livemode is true"]));
    let ran = typed(&scene, "routes list --source github", None).await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "No such routes.\n"));
}

#[tokio::test]
async fn an_event_is_tested_with_the_reasons() {
    let scene = scene();
    let live = scene.accept("stripe", "payment.paid", b"{\"livemode\":true}").await;
    let out = typed(&scene, &format!("routes test {live}"), None).await.done();
    assert_eq!(
        out,
        format!(
            "{live}  stripe  payment.paid\nroute live (payment.* to billing) takes it\n  yes json:/livemode is true (there is \
             true)\nroute marked (* to mail) does not take it, by its filter\n  no  header:x-mark is true (there is \
             nothing)\nroute rest (* to old) takes it\n=> to billing by route live\n=> to old by route rest, which is \
             disabled: no delivery is made\n"
        )
    );
    let play = scene.accept("stripe", "payment.paid", b"{\"livemode\":\"\x1b[2J\"}").await;
    let ran = typed(&scene, &format!("routes test {play}"), None).await;
    assert_eq!(ran.code.unwrap(), 1, "only a disabled destination is left");
    assert!(ran.out.contains("does not take it, by its filter\n  no  json:/livemode is true"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);

    let served = serve(scene.router.clone()).await;
    let client = Client::remote(&served.url, Secret::new(TOKEN)).unwrap();
    let ran = run(&client, &scene, &format!("routes test {play} --json"), None).await;
    assert_eq!(ran.code.unwrap(), 1);
    let got: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(got, scene.get(&format!("/api/v1/events/{play}/routes")).await.json());
    assert_eq!(got["routes"][0]["takes_type"], json!(true));
    assert_eq!(got["routes"][0]["takes"], json!(false));
    assert_eq!(got["routes"][0]["conditions"][0]["holds"], json!(false));
}

#[tokio::test]
async fn why_names_the_condition_that_kept_a_route_from_it() {
    let scene = scene();
    let id = scene.accept("stripe", "payment.paid", b"{\"livemode\":true}").await;
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    assert!(out.contains("route marked (* to mail) does not take it, by its filter"), "{out}");
    assert!(out.contains("  no  header:x-mark is true (there is nothing)"), "{out}");

    let mut config = (**scene.config.load()).clone();
    config.routes.truncate(1);
    scene.config.store(config.into());
    let id = scene.accept("stripe", "payment.paid", b"livemode=true").await;
    let out = typed(&scene, &format!("why {id}"), None).await.done();
    assert!(out.contains("Route live takes this type, but not this event"), "{out}");
    assert!(out.contains("json:/livemode is true (there is a body that is not JSON)"), "{out}");
    let refused = typed(&scene, &format!("events replay {id}"), None).await;
    assert!(refused.err.contains(&format!("hookhaven routes test {id}")), "{}", refused.err);
}

fn args(line: &str) -> RoutesTestArgs {
    match Cli::try_parse_from(["hookhaven", "routes", "test"].into_iter().chain(line.split('|'))).unwrap().command {
        Command::Routes(RoutesCommand::Test(args)) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_tested_against_the_config_file() {
    let scene = scene();
    let config = scene.config.load();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("body.json");
    std::fs::write(&file, "{\"livemode\":true}").unwrap();
    let test = |options: &str| {
        let (mut screen, out, _) = capture::screen(false, None, crate::api::fixture::START);
        let args = args(&format!("{}{options}", file.display()));
        let code = routes::test_file(&args, &config, &scene.clock, &*scene.entropy, &mut screen);
        (code, out.text())
    };
    let (code, out) = test("|--source|stripe|--type|payment.x");
    assert_eq!(code.unwrap(), 0, "{out}");
    assert!(out.contains("body.json  stripe  payment.x") && out.contains("=> to billing by route live"), "{out}");
    let (code, out) = test("|--source|stripe|--header|X-Mark: true");
    assert_eq!(code.unwrap(), 0, "{out}");
    assert!(out.contains("  stripe  unknown") && out.contains("=> to mail by route marked"), "{out}");
    let (code, out) = test("|--source|github");
    assert_eq!((code.unwrap(), out.lines().last()), (1, Some("=> nowhere: its source has no route")));
    assert!(test("").0.unwrap_err().to_string().contains("--source"));
    assert!(test("|--source|strype").0.unwrap_err().to_string().contains("there are: github, stripe"));
}
