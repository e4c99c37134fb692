//! Decisions without a socket, a thread or a clock of their own: they know [`crate::error`] alone,
//! and are held row by row against `docs/POLICY.md`.

pub mod alerts;
pub mod confidence;
pub mod create_pace;
pub mod outcome_table;
pub mod pacing;
pub mod region;
pub mod trust;
