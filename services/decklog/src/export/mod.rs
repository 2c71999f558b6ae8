//! Jobs for other schedulers. Pure: definitions in, text and remarks out.

pub(crate) mod crontab;
