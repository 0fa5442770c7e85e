//! What the API asks of the running gateway beside the store. Implemented where everything is wired
//! together; a command that opened the data directory itself answers with [`Offline`].

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use hookhaven_core::Time;
use hookhaven_store::NodeReport;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{config::Written, stats::figures::Figures};

/// A narrow window into the running gateway. All calls are cheap, save the rendering of metrics.
#[async_trait]
pub trait Signals: Send + Sync + std::fmt::Debug {
    /// All metrics in the OpenMetrics text format, its `# EOF` included.
    async fn render_metrics(&self) -> String;

    /// Why the gateway takes no requests although the store could (draining, no ingest address yet).
    fn accepting(&self) -> Result<(), String>;

    /// Why the gateway makes no attempts although it should.
    fn working(&self) -> Result<(), String>;

    /// The process that answers; `None` if no gateway runs.
    fn this_node(&self) -> Option<NodeReport>;

    /// How the last reading of the config file went.
    fn reload_state(&self) -> ReloadState;

    /// The config file as it was last read.
    fn config_file(&self) -> ConfigFile {
        ConfigFile::default()
    }

    /// The worker's view of a destination's lane.
    fn lane(&self, destination: &str) -> LaneView;

    /// What this node has counted and not written down yet: its part of the minute under way. `None` where other nodes
    /// have theirs, which nobody can see before the minute is over.
    fn under_way(&self) -> Option<Figures> {
        None
    }

    /// A person paused or resumed this destination; the store's catalog says which.
    fn destination_paused_changed(&self, destination: &str);

    /// The guard refused a request; `code` is the problem's.
    fn refused(&self, _code: &str) {}
}

/// Which config is in force, and whether a newer one was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadState {
    /// When the config in force was read.
    pub loaded_at: Option<Time>,
    /// When a newer one was refused; it stays until a good one is read.
    pub refused_at: Option<Time>,
    /// What `hookhaven check` says of the refused one. Holds no secret.
    pub error: Option<String>,
}

/// Where the configuration comes from, and what the file says now.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    /// `None`: there is no file.
    pub path: Option<PathBuf>,
    /// Of the command line, what stands above the file, such as `--role worker`.
    pub options: Vec<String>,
    /// `None` if it could not be read.
    pub says: Option<Arc<Written>>,
}

/// A destination's lane as this node's worker sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneView {
    pub breaker: Breaker,
    /// Until when the lane gives nothing out (breaker, `Retry-After`).
    pub hold_until: Option<Time>,
    /// Attempts under way.
    pub in_flight: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    #[default]
    Closed,
    /// No attempts until the rest is over.
    Open,
    /// One attempt is tried to see whether it works again.
    Probing,
}

/// No gateway runs: the API stands on an opened data directory alone.
#[derive(Clone, Copy, Debug)]
pub struct Offline;

#[async_trait]
impl Signals for Offline {
    async fn render_metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn accepting(&self) -> Result<(), String> {
        Err("no gateway is running".to_owned())
    }

    fn working(&self) -> Result<(), String> {
        Err("no gateway is running".to_owned())
    }

    fn this_node(&self) -> Option<NodeReport> {
        None
    }

    fn reload_state(&self) -> ReloadState {
        ReloadState::default()
    }

    fn lane(&self, _destination: &str) -> LaneView {
        LaneView::default()
    }

    fn destination_paused_changed(&self, _destination: &str) {}
}
