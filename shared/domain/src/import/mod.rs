//! Taking over what other schedulers hold.
