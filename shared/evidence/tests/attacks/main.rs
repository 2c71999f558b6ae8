//! What may be done to evidence, and the name by which it is found: by our verifier, and by one that shares no line with it.
#![expect(clippy::unwrap_used, reason = "a test may panic; helpers are not marked as tests")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod archived;
mod bits;
mod continued;
mod forgery;
mod garbled;
mod honest;
mod parts;
mod payloads;
mod peer;
mod shown;
mod site;
mod stamps;
mod table;
