//! Pages, as programs see them that others wrote.

mod outsider;
mod samples;

mod archive;
mod codes;
mod input;
mod text;
