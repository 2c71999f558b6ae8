//! Join tokens: whoever holds the token of a class may enrol as a producer of that class.

use std::path::Path;

use anyhow::Context as _;
use domain::canonical::Digest;
use domain::ids::Class;

/// The join token of a class, made from the join secret. Knowing one token does not give another.
pub fn join_token(secret: &[u8; 32], class: Class) -> String {
    let inner = Digest::of(&[b"decklog-join-1 ", class.word().as_bytes(), b" ", secret].concat());
    let outer = Digest::of(&[secret.as_slice(), &inner.0].concat());
    format!("decklog-join-{outer}")
}

/// Reads the join secret, or makes one. Tokens for the other roles are written beside it, so that an
/// operator can carry them to where they belong.
pub(crate) fn secret(path: &Path) -> anyhow::Result<[u8; 32]> {
    let key = journal::load_or_create_key(path).context("reading the join secret")?;
    let secret = key.seed();
    let dir = path.parent().unwrap_or(Path::new("."));
    for class in Class::ALL {
        let file = dir.join(format!("join-{class}.token"));
        if !file.exists() {
            write_private(&file, &join_token(&secret, class))?;
        }
    }
    Ok(secret)
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    journal::replace(path, text.as_bytes(), 0o600)
        .with_context(|| format!("writing {}", path.display()))
}

/// Whether `token` is the token of `class`.
pub(crate) fn fits(secret: &[u8; 32], class: Class, token: &str) -> bool {
    // Compared by hash: how long the comparison takes says nothing about the token.
    Digest::of(token.trim().as_bytes()) == Digest::of(join_token(secret, class).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_own_class_only() {
        let secret = [7; 32];
        for class in Class::ALL {
            for other in Class::ALL {
                assert_eq!(fits(&secret, other, &join_token(&secret, class)), class == other);
            }
        }
        assert!(!fits(&[8; 32], Class::Console, &join_token(&secret, Class::Console)));
    }
}
