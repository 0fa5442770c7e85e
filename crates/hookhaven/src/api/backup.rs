//! `/backup`: a copy of the store into a directory of the gateway's machine. POST begins one and answers at
//! once; GET says how far it has come. One at a time.
//!
//! Not here: how it is copied, which is the store's.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{Extension, Json, extract::State};
use hookhaven_core::Time;
use hookhaven_store::{BackupProgress, StoreError};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    page::Input,
    problem::{self, BACKUP_RUNNING, Problem},
};
use crate::access::Note;

/// The last backup that was asked for.
pub(super) type Slot = Arc<Mutex<Option<BackupView>>>;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show, begin))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// An absolute path on the gateway's machine; new or empty.
    pub dir: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// None was asked for since the start.
    None,
    Running,
    Done,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupView {
    pub state: BackupState,
    pub dir: String,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    pub bytes_done: u64,
    /// As far as is known.
    pub bytes_total: u64,
    /// Why it failed.
    pub problem: Option<Problem>,
}

impl BackupView {
    fn none() -> Self {
        BackupView {
            state: BackupState::None,
            dir: String::new(),
            started_at: None,
            ended_at: None,
            bytes_done: 0,
            bytes_total: 0,
            problem: None,
        }
    }

    fn reached(&mut self, progress: BackupProgress) {
        (self.bytes_done, self.bytes_total) = (progress.bytes_done, progress.bytes_total);
    }

    fn ended(&mut self, outcome: Result<BackupProgress, StoreError>, now: Time) {
        self.ended_at = Some(now);
        match outcome {
            Ok(progress) => {
                self.reached(progress);
                self.state = BackupState::Done;
            }
            Err(error) => {
                self.state = BackupState::Failed;
                self.problem = Some(error.into());
            }
        }
    }
}

fn open(slot: &Slot) -> MutexGuard<'_, Option<BackupView>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows how far the last backup has come.
#[utoipa::path(
    get,
    path = "/backup",
    operation_id = "show_backup",
    responses((status = 200, body = BackupView)),
)]
async fn show(State(api): State<Shared>) -> Json<BackupView> {
    Json(open(&api.backup).clone().unwrap_or_else(BackupView::none))
}

/// Begins a backup into a directory of the gateway's machine.
#[utoipa::path(
    post,
    path = "/backup",
    operation_id = "begin_backup",
    request_body(content = BackupRequest, example = json!({ "dir": "/var/backups/hookhaven-1" })),
    responses((status = 202, body = BackupView, description = "It has begun")),
    extensions(("x-codes" = json!([problem::BACKUP_RUNNING.code]))),
)]
async fn begin(
    State(api): State<Shared>,
    Input(request): Input<BackupRequest>,
) -> Result<(StatusCode, Extension<Note>, Json<BackupView>), Problem> {
    let started_at = Some(api.parts.clock.now());
    let view = BackupView { state: BackupState::Running, dir: request.dir.clone(), started_at, ..BackupView::none() };
    {
        let mut slot = open(&api.backup);
        if let Some(running) = slot.as_ref().filter(|view| view.state == BackupState::Running) {
            return Err(Problem::new(&BACKUP_RUNNING, format!("one is being written to {}", running.dir)));
        }
        *slot = Some(view.clone());
    }
    // It goes on though whoever asked goes away.
    tokio::spawn(run(api, request.dir.into()));
    let note = Note { subject: Some(view.dir.clone()), ..Note::default() };
    Ok((StatusCode::ACCEPTED, Extension(note), Json(view)))
}

async fn run(api: Shared, dir: PathBuf) {
    let slot = api.backup.clone();
    let reached = move |progress| {
        if let Some(view) = &mut *open(&slot) {
            view.reached(progress);
        }
    };
    tracing::info!(dir = %dir.display(), "a backup begins");
    let outcome = api.parts.store.backup(&dir, Arc::new(reached)).await;
    match &outcome {
        Ok(progress) => tracing::info!(dir = %dir.display(), bytes = progress.bytes_done, "a backup was written"),
        Err(error) => tracing::error!(dir = %dir.display(), %error, "a backup failed"),
    }
    if let Some(view) = &mut *open(&api.backup) {
        view.ended(outcome, api.parts.clock.now());
    }
}
