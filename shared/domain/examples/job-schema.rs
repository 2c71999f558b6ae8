//! Prints the JSON Schema of a job document:
//! `cargo run -p decklog-domain --example job-schema > shared/domain/job.schema.json`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &domain::job::json_schema("job"))?;
    writeln!(out)
}
