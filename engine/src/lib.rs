//! Looks at pictures of a running print and says whether it fails, without a network, a key or a
//! graphics processor.
//!
//! [`Engine`] looks at one picture and gives evidence; [`Watch`] holds what is believed of one print
//! and combines evidence over time into what is told.

#![forbid(unsafe_code)]

mod blind;
mod engine;
mod filter;
mod model;

pub use blind::Blind;
pub use engine::{Engine, Look};
pub use filter::{Levels, Opinion, Watch};
pub use model::{BUILT_IN, ModelError};
pub use oe_picture::{Budget, PictureError};
