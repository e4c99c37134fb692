//! The model: a network in ONNX with a head that says what it takes and what its answer means.
//!
//! A model file is the bytes `OEMODEL1`, the length of the head (4 bytes, little-endian), the head in
//! JSON, and the network: one input (1, 3, size, size), RGB as (x - 127) / 128, one output, a number
//! that is larger for a failed print.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tract_onnx::prelude::*;

/// The model that is compiled in.
pub const BUILT_IN: &[u8] = include_bytes!("../model/oe-vision.model");

const MAGIC: &[u8; 8] = b"OEMODEL1";
/// A head is a few hundred bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// No larger pictures are looked at: memory and time grow with the square.
const LARGEST_INPUT: u32 = 1024;

/// Why a model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError(pub String);

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ModelError {}

/// What a model says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Head {
    /// Its name and version, for people.
    pub name: String,
    /// The side of its square input, in pixels.
    pub size: u32,
    /// What its answer is multiplied with, and what is then added, to be log odds of a failure
    /// against a fine print.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// The log odds of fine prints on average.
    pub usual: f64,
    /// SHA-256 of the network, in hexadecimal.
    sha256: String,
}

type Plan = std::sync::Arc<TypedRunnableModel>;

/// A network, ready to run.
pub struct Model {
    /// What it says of itself.
    pub head: Head,
    plan: Plan,
}

impl Model {
    /// Checks and prepares a model file, which takes about a tenth of a second.
    pub fn read(file: &[u8]) -> Result<Model, ModelError> {
        let wrong = |what: &str| ModelError(format!("the model {what}"));
        let rest = file
            .strip_prefix(MAGIC)
            .ok_or_else(|| wrong("file is of another kind"))?;
        let (length, rest) = rest
            .split_first_chunk::<4>()
            .ok_or_else(|| wrong("file is cut off"))?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST_HEAD || length > rest.len() {
            return Err(wrong("file is cut off"));
        }
        let (head, network) = rest.split_at(length);
        let head: Head = serde_json::from_slice(head)
            .map_err(|why| ModelError(format!("the model's head: {why}")))?;
        let sum = Sha256::digest(network);
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        if sum != head.sha256 {
            return Err(wrong("file is damaged: its checksum is another"));
        }
        if !(32..=LARGEST_INPUT).contains(&head.size) || !head.scale.is_finite() {
            return Err(wrong("asks for an input that is not possible"));
        }
        let plan = plan(network, head.size as usize)
            .map_err(|why| ModelError(format!("the model's network: {why}")))?;
        Ok(Model { head, plan })
    }

    /// The log odds that this square picture shows a failure.
    pub fn evidence(&self, rgb: &[u8]) -> Result<f64, ModelError> {
        let size = self.head.size as usize;
        let failed = |why: TractError| ModelError(format!("the model's network: {why}"));
        let mut input = Tensor::zero::<f32>(&[1, 3, size, size]).map_err(failed)?;
        {
            let mut planes = input.to_plain_array_view_mut::<f32>().map_err(failed)?;
            for (n, pixel) in rgb.chunks_exact(3).enumerate() {
                let (row, column) = (n / size, n % size);
                for (colour, value) in pixel.iter().enumerate() {
                    planes[[0, colour, row, column]] = (f32::from(*value) - 127.0) / 128.0;
                }
            }
        }
        let output = self.plan.run(tvec!(input.into())).map_err(failed)?;
        let answers = output[0].to_plain_array_view::<f32>().map_err(failed)?;
        let answer = answers.iter().next().copied().unwrap_or(f32::NAN);
        let evidence = f64::from(answer) * self.head.scale + self.head.offset;
        match evidence.is_finite() {
            true => Ok(evidence),
            false => Err(ModelError("the model gave no number".to_owned())),
        }
    }
}

fn plan(network: &[u8], size: usize) -> TractResult<Plan> {
    tract_onnx::onnx()
        .model_for_read(&mut std::io::Cursor::new(network))?
        .with_input_fact(0, f32::fact([1, 3, size, size]).into())?
        .into_optimized()?
        .into_runnable()
}
