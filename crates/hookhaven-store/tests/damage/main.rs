//! The embedded store under damage: each kind of it on real files, and a full disk on both. What was
//! acknowledged and is undamaged is still there; what is damaged is named and gone around.
#![allow(clippy::unwrap_used)]

mod index;
mod journal;
mod refusing;
mod space;
mod world;
