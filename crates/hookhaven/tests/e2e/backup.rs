//! `hookhaven backup` of a gateway that runs and of one that does not, and going on from either copy.

use std::fs;

use tokio::process::Command;

use crate::support::{gateway::Gateway, sign, soon};

const SECRET: &str = "whsec_backup";

/// Nobody listens at the handler: deliveries stay.
const CONFIG: &str = "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"whsec_backup\"]\n\n\
                      [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n\n\
                      [destinations.app]\nurl = \"http://127.0.0.1:9/\"\n";

async fn send(gateway: &Gateway, ids: std::ops::Range<u32>) {
    for n in ids {
        let body = format!(r#"{{"id":"evt_{n}","type":"invoice.paid"}}"#);
        let answer = gateway.post("/webhooks/shop", &sign::stripe(SECRET, body.as_bytes()), body.as_bytes()).await;
        assert_eq!(answer.status, 200);
    }
}

/// Every event and every delivery in a data directory, asked for without a gateway.
async fn held(gateway: &Gateway, dir: &str) -> (usize, usize) {
    let mut counts = [0; 2];
    for (count, what) in counts.iter_mut().zip(["events", "deliveries"]) {
        let config = gateway.config();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
        command.args([what, "list", "--json", "--limit", "1000", "--data", dir, "--config"]).arg(config);
        let output = soon("the list", command.kill_on_drop(true).output()).await.expect("the binary runs");
        assert!(output.status.success(), "{output:?}");
        let page: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        *count = page["items"].as_array().expect("a list").len();
    }
    (counts[0], counts[1])
}

#[tokio::test]
async fn a_running_gateway_is_copied_and_the_copy_is_one() {
    let mut gateway = Gateway::start(CONFIG).await;
    send(&gateway, 0..30).await;
    let copy = gateway.directory().join("copy").display().to_string();
    let output = gateway.ask(&["backup", &copy, "--json"]).await;
    assert!(output.status.success(), "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(said["bytes"].as_u64().is_some_and(|bytes| bytes > 3_000), "{said}");
    // Nobody has to start it to see that it is whole.
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    let seen = soon("the doctor", doctor.args(["doctor", "--data", &copy]).kill_on_drop(true).output()).await;
    assert!(seen.as_ref().is_ok_and(|seen| seen.status.success()), "{seen:?}");
    // What came later is not in it, and the gateway goes on.
    send(&gateway, 30..35).await;
    let again = gateway.ask(&["backup", &copy]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"), "{again:?}");
    gateway.kill().await;
    assert_eq!(held(&gateway, &copy).await, (30, 30));

    // One that stands still is copied by the command itself.
    let second = gateway.directory().join("second").display().to_string();
    let output = gateway.cli(&["backup", &second]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(held(&gateway, &second).await, (35, 35));

    // A gateway goes on from it: keys are known, deliveries are tried.
    fs::copy(gateway.data().join("admin-token"), format!("{second}/admin-token")).expect("the token");
    fs::remove_dir_all(gateway.data()).expect("the data go");
    fs::rename(&second, gateway.data()).expect("the copy takes their place");
    gateway.serve().await;
    send(&gateway, 0..36).await;
    let status = gateway.get("/api/v1/status").await;
    assert_eq!(status.pointer("/store/pending"), Some(&36.into()), "{status}");
}
