//! `decklog export …`.
