//! Signing keys as lines for a .env file.

use crate::{api::fixture::Scene, config::Publish, publish::keys};

use super::typed;

#[tokio::test]
async fn keys_are_lines_that_a_shell_and_an_env_file_take() {
    let scene = Scene::new();
    let error = typed(&scene, "keys show", None).await.code.unwrap_err();
    assert!(error.to_string().contains("`hookhaven serve` makes them"), "{error}");

    keys::find_or_make(&*scene.store, &Publish::default(), &*scene.entropy).await.unwrap();
    let before = typed(&scene, "keys show --json", None).await.json();
    let lines = |keys: &serde_json::Value| {
        format!("QSTASH_CURRENT_SIGNING_KEY={}\nQSTASH_NEXT_SIGNING_KEY={}\n", keys["current"], keys["next"])
    };
    let shown = typed(&scene, "keys show", None).await;
    assert_eq!((shown.out.as_str(), shown.err.as_str()), (&*lines(&before), ""));

    let rotated = typed(&scene, "keys rotate", None).await;
    let after = typed(&scene, "keys show --json", None).await.json();
    assert_eq!(rotated.out, lines(&after));
    assert!(rotated.err.contains("before the next rotation"), "{}", rotated.err);
    assert_eq!(after["current"], before["next"]);
}
