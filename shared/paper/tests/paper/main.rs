//! Pages, as others see them.

mod samples;
