//! Handlers to begin with: one file for each framework.

use crate::{File, Plan};

pub fn files(_plan: &Plan) -> Vec<File> {
    Vec::new()
}
