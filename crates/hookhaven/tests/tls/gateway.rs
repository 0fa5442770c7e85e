//! A whole gateway with TLS on both addresses: files that change, and the command line that finds it.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Output,
    sync::Arc,
};

use hookhaven::{
    app::{Gateway, Outside},
    config::{self, Environment, Origin, reload::Reload},
};
use hookhaven_store::clock::{ManualClock, SeededEntropy};
use tempfile::TempDir;

use super::{
    clients::{Authority, Signed, ask, client, hello},
    support::NOW,
};

const REST: &str = "[sources.github]\nsender = \"github\"\nsecrets = [\"a-secret\"]\n\
                    [destinations.app]\nurl = \"http://127.0.0.1:9/\"\nstate = \"paused\"\n\
                    [[routes]]\nsource = \"github\"\nto = [\"app\"]\n";

struct Whole {
    dir: TempDir,
    gateway: Gateway,
    ingest: SocketAddr,
    admin: SocketAddr,
}

fn write(dir: &Path, signed: &Signed) {
    std::fs::write(dir.join("server.pem"), &signed.certificate).unwrap();
    std::fs::write(dir.join("server.key"), &signed.key).unwrap();
}

impl Whole {
    async fn start(signed: &Signed) -> Self {
        let dir = TempDir::new().unwrap();
        write(dir.path(), signed);
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (ingest, admin) = (free(), free());
        let pair = "{ cert = \"server.pem\", key = \"server.key\" }";
        let text = format!(
            "[server]\ningest = \"{ingest}\"\nadmin = \"{admin}\"\n[server.tls]\ningest = {pair}\nadmin = {pair}\n\
             [store]\nurl = \"file:{}\"\n{REST}",
            dir.path().join("data").display()
        );
        let file = dir.path().join("hookhaven.toml");
        std::fs::write(&file, text).unwrap();
        let environment = Environment::default();
        let loaded = config::load(Origin { file: Some(file), ..Origin::default() }, &environment).unwrap();
        let outside = Outside {
            egress: None,
            environment,
            clock: Arc::new(ManualClock::at(NOW)),
            entropy: Arc::new(SeededEntropy::new(7)),
            log_lines_dropped: Arc::default(),
        };
        let gateway = Gateway::start(loaded, outside).await.unwrap();
        Whole { dir, gateway, ingest, admin }
    }

    /// Whether both addresses show what this authority signed.
    async fn shows(&self, authority: &Authority) -> [bool; 2] {
        let client = client(authority, None, b"http/1.1");
        [ask(self.ingest, &client, hello()).await.is_ok(), ask(self.admin, &client, hello()).await.is_ok()]
    }

    async fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_hookhaven"));
        command.args(arguments).current_dir(self.dir.path()).env_clear().output().await.unwrap()
    }
}

#[tokio::test]
async fn changed_files_are_shown_at_once_and_a_bad_pair_leaves_the_old_one() {
    let [first, second, third] = [(); 3].map(|()| Authority::new());
    let whole = Whole::start(&first.server()).await;
    assert_eq!((whole.shows(&first).await, whole.shows(&second).await), ([true; 2], [false; 2]));

    let renewed = second.server();
    write(whole.dir.path(), &renewed);
    assert_eq!(whole.gateway.reload().await, Some(Reload::Taken { generation: 2 }));
    assert_eq!((whole.shows(&first).await, whole.shows(&second).await), ([false; 2], [true; 2]));

    std::fs::write(whole.dir.path().join("server.pem"), third.server().certificate).unwrap();
    let Some(Reload::Refused(refused)) = whole.gateway.reload().await else { panic!("it was taken") };
    let told = refused.to_string();
    assert!(told.contains("server.tls.ingest.key: it is not the key of the certificate; give"), "{told}");
    assert_eq!((whole.shows(&second).await, whole.shows(&third).await), ([true; 2], [false; 2]));

    write(whole.dir.path(), &renewed);
    let config = whole.dir.path().join("hookhaven.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let without: String =
        text.lines().filter(|line| !line.contains("server.")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&config, without).unwrap();
    assert_eq!(whole.gateway.reload().await, Some(Reload::Taken { generation: 3 }));
    assert_eq!(whole.shows(&second).await, [true; 2], "a door that was locked does not open by itself");
    whole.gateway.stop().await;
}

#[tokio::test]
async fn the_command_line_speaks_tls_to_the_gateway_of_its_config_and_to_nobody_else() {
    let authority = Authority::new();
    let whole = Whole::start(&authority.server()).await;
    let sent = whole.cli(&["trigger", "github", "push", "--id", "d-1"]).await;
    assert!(sent.status.success(), "{sent:?}");
    let listed = whole.cli(&["events", "list", "--json"]).await;
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("d-1"), "{listed:?}");

    // Another certificate in the file than the gateway's: whoever listens there gets neither event nor token.
    write(whole.dir.path(), &authority.server());
    for arguments in [&["events", "list"][..], &["trigger", "github", "push"]] {
        let refused = whole.cli(arguments).await;
        assert!(!refused.status.success(), "{arguments:?}: {refused:?}");
    }
    whole.gateway.stop().await;
}
