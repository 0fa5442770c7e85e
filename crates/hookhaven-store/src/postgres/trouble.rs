//! What went wrong at the database, sorted by what can be done about it. The texts are the server's own
//! message, never its detail, which may quote a row.

use std::{error::Error as _, io};

use tokio_postgres::error::{DbError, SqlState};

use crate::{codec::DecodeError, seam::StoreError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection is gone or did not answer in time: what became of the transaction is not known.
    Lost,
    /// The transaction was undone for the sake of another; the same again may succeed.
    Again,
    /// A row belongs to a day that has no partition.
    NoSlice,
    /// The server cannot do it just now: full disk, read only, too many connections, too slow.
    Unable,
    /// It will not work the next time either.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub kind: Kind,
    pub text: String,
    /// The server's, if it was the server that complained.
    pub code: Option<SqlState>,
}

impl Trouble {
    pub fn lost(text: impl Into<String>) -> Self {
        Trouble { kind: Kind::Lost, text: text.into(), code: None }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Trouble { kind: Kind::Failed, text: text.into(), code: None }
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(e: tokio_postgres::Error) -> Self {
        let Some(told) = e.as_db_error() else {
            let io = e.is_closed() || e.source().is_some_and(|cause| cause.is::<io::Error>());
            let text = e.source().map_or_else(|| e.to_string(), |cause| format!("{e}: {cause}"));
            return Trouble { kind: if io { Kind::Lost } else { Kind::Failed }, text, code: None };
        };
        Trouble::from(told)
    }
}

impl From<&DbError> for Trouble {
    fn from(told: &DbError) -> Self {
        let text = format!("{} (SQLSTATE {})", told.message(), told.code().code());
        Trouble { kind: kind_of(told.code()), text, code: Some(told.code().clone()) }
    }
}

fn kind_of(code: &SqlState) -> Kind {
    let class = code.code().get(..2).unwrap_or_default();
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        // A partition went while the statement was on its way.
        | SqlState::UNDEFINED_TABLE => Kind::Again,
        SqlState::CHECK_VIOLATION => Kind::NoSlice,
        SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::QUERY_CANCELED => Kind::Unable,
        _ => match class {
            "08" | "57" => Kind::Lost,
            "53" | "58" => Kind::Unable,
            _ => Kind::Failed,
        },
    }
}

impl From<DecodeError> for Trouble {
    fn from(e: DecodeError) -> Self {
        Trouble::failed(format!("a row cannot be read: {e}"))
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        let Trouble { kind, text, .. } = trouble;
        match kind {
            Kind::Failed => StoreError::Failed(format!("PostgreSQL: {text}")),
            Kind::Lost | Kind::Again | Kind::NoSlice | Kind::Unable => {
                StoreError::Unavailable(format!("PostgreSQL: {text}"))
            }
        }
    }
}
