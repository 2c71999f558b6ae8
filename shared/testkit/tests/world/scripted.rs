//! Short worlds by script.
