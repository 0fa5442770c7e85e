//! `/config`: the configuration in force, where each value comes from, and what the file says differently as it is now.
//! Never a secret: where it comes from, and of a literal its fingerprint.
//!
//! Not here: what may be shown of a file (`config::written`), reading it again (`config::reload`).

mod defaults;

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use hookhaven_store::StoreError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, ReloadState, Shared, problem::Problem};
use crate::{
    config::{
        Config,
        written::{Reference, Value},
    },
    secrets::FingerprintKey,
};

/// Settings and differences that are shown; a file may hold more.
const SHOWN_MAX: usize = 5_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigView {
    /// The file that it was read from; `null`: there is none, or no gateway runs.
    pub file: Option<String>,
    /// What stands above the file, such as `--role worker`.
    pub options: Vec<String>,
    pub reload: ReloadState,
    /// Tells sources, destinations, routes and their secrets from others; nodes of one store should agree.
    pub fingerprint: String,
    /// By table of the file.
    pub sections: Vec<SectionView>,
    /// What the file says differently, as it was last looked at; empty where it cannot be read at all.
    pub differences: Vec<DifferenceView>,
    /// Settings and differences that are left out, because there are so many.
    pub left_out: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SectionView {
    /// Such as `server`, `sources.stripe` or `routes[0]`.
    pub name: String,
    pub settings: Vec<SettingView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingView {
    /// The whole key, as in messages.
    pub key: String,
    /// As TOML writes it. A secret is `env:NAME`, `file:PATH`, or named a literal with its fingerprint.
    pub value: String,
    /// `file`, `default`, or `outside`: the command line, the environment, or made at first start.
    pub from: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceView {
    pub key: String,
    /// `null`: the file that is in force does not say.
    pub in_force: Option<String>,
    /// `null`: the file does not say any more. `…` stands for a text of a refused file that may be a secret.
    pub in_file: Option<String>,
    /// `refused`: the file as it is now cannot be used; `next_start`: it takes effect at the next start.
    pub why: String,
}

/// Shows the configuration in force, and what the file says differently.
#[utoipa::path(
    get,
    path = "/config",
    operation_id = "show_config",
    responses((status = 200, body = ConfigView)),
)]
async fn show(State(api): State<Shared>) -> Result<Json<ConfigView>, Problem> {
    let shown = Shown { key: fingerprints(&api).await? };
    let (config, file) = (api.parts.config.load_full(), api.parts.signals.config_file());
    let reload = api.parts.signals.reload_state();
    let is_refused = reload.error.is_some();
    let differences = file.says.map(|says| config.written.differences(&says, is_refused)).unwrap_or_default();
    let (settings, found) = (settings(&config, &shown), differences.len());
    let left_out = settings.len().saturating_sub(SHOWN_MAX) + found.saturating_sub(SHOWN_MAX);
    let difference = |difference: crate::config::written::Difference| DifferenceView {
        in_force: difference.in_force.map(|value| shown.value(&value)),
        in_file: difference.in_file.map(|value| shown.value(&value)),
        key: difference.key,
        why: if is_refused { "refused" } else { "next_start" }.to_owned(),
    };
    Ok(Json(ConfigView {
        file: file.path.map(|path| path.display().to_string()),
        options: file.options,
        reload,
        fingerprint: config.fingerprint.to_string(),
        sections: sections(settings.into_iter().take(SHOWN_MAX)),
        differences: differences.into_iter().take(SHOWN_MAX).map(difference).collect(),
        left_out: left_out as u64,
    }))
}

async fn fingerprints(api: &Api) -> Result<Option<FingerprintKey>, StoreError> {
    FingerprintKey::find(&*api.parts.store).await
}

/// How values are shown.
struct Shown {
    /// `None` before a gateway has started on this store.
    key: Option<FingerprintKey>,
}

impl Shown {
    fn value(&self, value: &Value) -> String {
        match value {
            Value::Secret(Reference::Literal(Some(secret))) => match &self.key {
                Some(key) => format!("literal, fingerprint {}", key.of(secret)),
                None => "literal".to_owned(),
            },
            Value::List(values) => {
                let values: Vec<_> = values.iter().map(|value| self.value(value)).collect();
                format!("[{}]", values.join(", "))
            }
            value => value.to_string(),
        }
    }
}

/// What the file says of what is in force, and what holds beside it, by key.
fn settings(config: &Config, shown: &Shown) -> Vec<SettingView> {
    let setting =
        |key: &str, value: String, from: &str| SettingView { key: key.to_owned(), value, from: from.to_owned() };
    let mut all: Vec<SettingView> =
        config.written.iter().map(|(key, value)| setting(key, shown.value(value), "file")).collect();
    let ordinary: BTreeMap<_, _> = defaults::of(&Config::default()).into_iter().collect();
    for (key, value) in defaults::of(config) {
        if config.written.get(key).is_none() {
            let from = if ordinary.get(key) == Some(&value) { "default" } else { "outside" };
            all.push(setting(key, value, from));
        }
    }
    all
}

/// In the order of the settings' sections: those of the process first.
fn sections(settings: impl Iterator<Item = SettingView>) -> Vec<SectionView> {
    let mut by_name: BTreeMap<(bool, String), Vec<SettingView>> = BTreeMap::new();
    for setting in settings {
        let name = section_of(&setting.key);
        by_name.entry((name.contains(['.', '[']), name)).or_default().push(setting);
    }
    by_name
        .into_iter()
        .map(|((_, name), mut settings)| {
            settings.sort_by(|a, b| a.key.cmp(&b.key));
            SectionView { name, settings }
        })
        .collect()
}

/// The table that a key stands in: of what has names of the team's own, that of one name.
fn section_of(key: &str) -> String {
    let depth = match key.split('.').next() {
        Some("sources" | "destinations") => 2,
        Some("alerts") if key.starts_with("alerts.channels.") || key.starts_with("alerts.rules.") => 3,
        _ => 1,
    };
    key.split('.').take(depth).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use hookhaven_core::Time;
    use serde_json::json;

    use super::*;
    use crate::{
        api::{ConfigFile, fixture::Scene},
        config::{Environment, parse},
    };

    const FILE: &str = "[server]\nadmin_token = \"hunter2\"\npublic_url = \"https://h.example\"\n[worker]\nslots = 9\n\
        [sources.stripe]\nsender = \"stripe\"\nsecrets = [\"env:S\", \"hunter2-old\"]\n";

    fn parsed(text: &str) -> parse::Parsed {
        parse::parse(Path::new("hookhaven.toml"), text, &Environment::from_iter([("S", "whsec_x")]))
    }

    fn scene() -> Scene {
        let scene = Scene::new();
        scene.config.store(Arc::new(parsed(FILE).config.unwrap()));
        scene
    }

    async fn view(scene: &Scene) -> ConfigView {
        let got = scene.get("/api/v1/config").await;
        assert!(!String::from_utf8_lossy(&got.body).contains("hunter2"));
        serde_json::from_value(got.json()).unwrap()
    }

    #[tokio::test]
    async fn what_is_in_force_says_where_it_comes_from_and_no_secret() {
        let scene = scene();
        let view = view(&scene).await;
        let names: Vec<&str> = view.sections.iter().map(|section| section.name.as_str()).collect();
        assert!(names.starts_with(&["alerts", "limits", "log"]) && names.ends_with(&["sources.stripe"]), "{names:?}");
        let settings: Vec<_> = view.sections.iter().flat_map(|section| &section.settings).collect();
        let of = |key: &str| {
            let setting = settings.iter().find(|setting| setting.key == key).unwrap_or_else(|| panic!("{key}"));
            (setting.value.as_str(), setting.from.as_str())
        };
        assert_eq!(of("server.admin_token"), ("literal", "file"));
        assert_eq!(of("sources.stripe.secrets"), ("[\"env:S\", literal]", "file"));
        assert_eq!(of("worker.slots"), ("9", "file"));
        assert_eq!(of("server.ingest"), ("\"127.0.0.1:8080\"", "default"));
        assert_eq!(of("limits.body_timeout"), ("\"30s\"", "default"));
        assert_eq!(view.differences, []);
    }

    #[tokio::test]
    async fn what_the_file_says_differently_is_named_with_its_reason() {
        let scene = scene();
        let says = |text: &str| {
            let says = parsed(text).written.map(Arc::new);
            *scene.signals.file.lock().unwrap() =
                ConfigFile { path: Some("/etc/h.toml".into()), options: vec![], says };
        };
        says(&FILE.replace("slots = 9", "slots = 10"));
        let shown = view(&scene).await;
        let want = json!([{ "key": "worker.slots", "in_force": "9", "in_file": "10", "why": "next_start" }]);
        assert_eq!(serde_json::to_value(&shown.differences).unwrap(), want);
        assert_eq!(shown.file.as_deref(), Some("/etc/h.toml"));
        says(&FILE.replace("sender", "sendr = \"hunter2\"\nsender"));
        let error = Some("hookhaven.toml:8:1: sources.stripe.sendr: unknown key".to_owned());
        *scene.signals.reload.lock().unwrap() =
            ReloadState { loaded_at: Some(Time::EPOCH), refused_at: Some(Time::EPOCH), error };
        let shown = view(&scene).await;
        let want = json!([{ "key": "sources.stripe.sendr", "in_force": null, "in_file": "…", "why": "refused" }]);
        assert_eq!(serde_json::to_value(&shown.differences).unwrap(), want);
        assert!(shown.reload.error.is_some());
    }
}
