//! An empty repository whose password opens it at once. A key that is made as it should be takes half a second of arithmetic each time a
//! program opens it, and these tests do that a thousand times. It was made by restic; its key was then written again with scrypt's N at 16.

use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

/// The file `config`, in hexadecimal.
const CONFIG: &str = concat!(
    "1637cc721ce02d51c446b7c04b148a8fb5717944b275e0d4622f8d17de824722bb6a67f4b4dd970fa06226097002aba1",
    "8564db214211d63b3a975ed1805e2d4a76b4540aabf4877b9c0a07ef0b73e8f31118f2865b26702feab02feb2860cbc7",
    "7292206d47b8b3e1859fbeaba975f8cf3c3f97bd8e6fba275dde7c3ad7529162cc0bf1d3ccdd9038bbc282177d8fe55e",
    "f7e223399cdd69e984eb67",
);

/// Salt of the password.
const SALT: &str =
    "o/uqSYrseXNz2ARLerzBeoOiSQhTC8+j1Fe3Cf4HLym0gEe8cfOe+STQNUYBppFlEpc96+MK9eVDCw+NEVNouQ==";

/// The master key, under the password.
const KEY: &str = concat!(
    "yhKlxTs1p8OXftwZRUlYbMvHvHyFy5wac39xJL4bUCRzSxa+hdatCbd70bxTGMp/CJuP6uKnpxHC88iqMgE/I99svDJFxohIOXH5",
    "7GeBBAoZNZKcRSPlm6GOfgdd4aq4AlUHsJCeQYq4JUU80MseSVpPTDDump6tZpO55DECLax34s+tYjTkgFoQ05rMgAdcXfxx9xAE",
    "CiI4Nji+8cM46g==",
);

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Puts it there.
pub(crate) fn repository_at(place: &Path) {
    for dir in ["data", "index", "keys", "locks", "snapshots"] {
        fs::create_dir_all(place.join(dir)).unwrap();
    }
    fs::write(place.join("config"), bytes(CONFIG)).unwrap();
    let key = json!({
        "created": "2026-11-30T00:00:00Z", "username": "tests", "hostname": "tests",
        "kdf": "scrypt", "N": 16, "r": 8, "p": 1, "salt": SALT, "data": KEY,
    });
    let key = key.to_string();
    let name: String = Sha256::digest(&key).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(place.join("keys").join(name), key).unwrap();
}
