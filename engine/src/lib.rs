//! Looks at pictures of a running print and says whether it fails, without a network, a key or a
//! graphics processor.
//!
//! [`Engine`] looks at one picture and gives evidence; [`Filter`] holds what is believed of one print
//! and combines evidence over time into what is told.

#![deny(unsafe_code)]
#![cfg_attr(
    all(target_arch = "arm", feature = "arm-neon"),
    feature(
        stdarch_arm_neon_intrinsics,
        arm_target_feature,
        stdarch_arm_feature_detection
    )
)]

mod blind;
mod engine;
mod filter;
mod model;
mod network;
mod place;
mod thumbnail;

pub use blind::{Blind, blindness};
pub use engine::{Ask, Engine, Evidence, LookError, Observation};
pub use filter::{Assessment, Filter, Levels};
pub use model::{BUILT_IN, ModelError};
pub use oe_picture::{Budget, DEFAULT_BUDGET, PictureError};
pub use place::{Cells, Region};
pub use thumbnail::Thumbnail;
