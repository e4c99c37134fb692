//! The bytes of the two calls: requests out, answers in. Reads and writes, decides nothing.

pub mod api_error;
pub mod create_context;
mod json;
pub mod multipart;
pub mod verdict;
