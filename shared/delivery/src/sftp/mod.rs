//! A file in a directory of a server.
