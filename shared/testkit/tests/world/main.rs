//! Worlds from seeds, and short ones by script. See `testkit::world`.

mod scripted;
mod seeds;
