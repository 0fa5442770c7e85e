//! `hookhaven.toml`, with the reason for each choice beside it, and `.env.example`.
//!
//! Not here: the choices (`design`).

use crate::{File, Plan};

pub fn files(_plan: &Plan) -> Vec<File> {
    Vec::new()
}
