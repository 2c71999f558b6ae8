//! To be written.
pub mod import;
pub mod time;
