//! The executor: the hands of Decklog on one host.

pub mod attempt;
