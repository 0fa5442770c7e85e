//! Ways into the dashboard of the real binary: a link that the command line prints, or `serve` in a terminal; on every
//! node, over restarts, until the token is revoked. Pages themselves are walked by a browser, elsewhere.

use std::process::Stdio;

use hookhaven_load::client::{Answer, Connection, request};
use tokio::io::AsyncReadExt as _;

use crate::support::{
    gateway::Gateway,
    output::{failed, well},
    soon,
};

/// What a browser gets that holds this cookie.
async fn open(address: std::net::SocketAddr, path: &str, cookie: &str) -> Answer {
    let headers = [("cookie".to_owned(), cookie.to_owned())];
    let bytes = request("GET", &address.to_string(), path, &headers, b"");
    let exchange = async { Connection::open(address).await?.exchange(&bytes).await };
    soon("a page", exchange).await.expect("a page")
}

/// Follows a link that signs in, and answers with the session's cookie.
async fn follow(link: &str) -> Result<String, u16> {
    let (address, path) = link.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a link");
    let answer = open(address.parse().expect("an address"), &format!("/{path}"), "").await;
    let cookie = answer.header("set-cookie").and_then(|set| set.split(';').next()).map(str::to_owned);
    if answer.status == 303 { Ok(cookie.expect("a session")) } else { Err(answer.status) }
}

async fn link(gateway: &Gateway, more: &[&str]) -> String {
    let arguments = [&["dashboard"], more].concat();
    well(&arguments, gateway.ask(&arguments).await).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_of_the_command_line_signs_in_once_and_the_session_outlives_a_kill() {
    let mut gateway = Gateway::start("").await;
    let first = link(&gateway, &[]).await;
    let cookie = follow(&first).await.expect("it is good once");
    assert_eq!(follow(&first).await, Err(401), "and no more");
    let shown = open(gateway.admin().address, "/", &cookie).await;
    assert_eq!((shown.status, shown.header("cache-control")), (200, Some("no-store")));
    assert!(String::from_utf8_lossy(&shown.body).contains("Nothing is set up yet"));
    let once = first.split_once("once=").expect("a link").1;
    let audit = gateway.items("/api/v1/audit?action=sign-in-links").await;
    assert_eq!((audit.len(), &audit[0]["who"]), (1, &"admin token".into()));
    assert!(!format!("{audit:?}{}", gateway.log()).contains(once), "a link is written down nowhere");

    gateway.restart().await;
    assert_eq!(open(gateway.admin().address, "/", &cookie).await.status, 200);
    assert!(gateway.terminate().await.success());
    assert!(failed(&gateway.cli(&["dashboard"]).await, 1).contains("no gateway is running"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_good_on_every_node_and_ends_with_its_token() {
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
    let [mut here, mut there] = ["all", "all"].map(|role| Gateway::node(&database, role, ""));
    here.serve().await;
    there.serve().await;
    let create = ["tokens", "create", "anna", "--scope", "read"];
    let token = well(&create, here.ask(&create).await).trim().to_owned();
    let cookie = follow(&link(&here, &["--token", &token]).await).await.expect("anna may look");
    let at = [here.admin().address, there.admin().address];
    for address in at {
        assert_eq!(open(address, "/", &cookie).await.status, 200);
    }
    let revoke = ["tokens", "revoke", "anna"];
    well(&revoke, there.ask(&revoke).await);
    assert_eq!(open(at[1], "/", &cookie).await.status, 303, "it is over where it was revoked");
    let over = async {
        while open(at[0], "/", &cookie).await.status != 303 {
            tokio::task::yield_now().await;
        }
    };
    soon("the other node's hearing of it", over).await;
}

#[tokio::test]
async fn who_starts_it_in_a_terminal_gets_a_link() {
    let gateway = Gateway::prepare("");
    let serve = gateway.command(&["serve", "--until-stdin-ends"]);
    let words = std::iter::once(serve.as_std().get_program()).chain(serve.as_std().get_args());
    let line: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    // What runs in it believes to be in a terminal.
    let mut terminal = tokio::process::Command::new("script");
    terminal.args(["--quiet", "--flush", "--return", "--command", &line.join(" "), "/dev/null"]).kill_on_drop(true);
    let mut child =
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script, of Debian's bsdutils");
    let mut out = child.stdout.take().expect("a pipe");
    let mut printed = String::new();
    soon("a link", async {
        while !printed.contains("Dashboard: ") || !printed.ends_with('\n') {
            let mut bytes = [0; 4_096];
            let read = out.read(&mut bytes).await.expect("its output");
            assert_ne!(read, 0, "it ended: {printed}");
            printed.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    })
    .await;
    let link = printed.split_once("Dashboard: ").expect("a link").1.split(' ').next().expect("a link");
    assert!(follow(link).await.is_ok(), "{printed}");
    assert_eq!(printed.matches("once=").count(), 1, "it is printed and not logged: {printed}");
    drop(child.stdin.take());
    soon("its end", child.wait()).await.expect("it ends");
}
