//! What a witness says of a head: that, at a time, it was the largest consistent one it had seen (C2SP tlog-cosignature).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer as _, SigningKey};

use crate::checkpoint::Checkpoint;
use crate::key::{COSIGNATURE, KeyError, NamedKey};
use crate::note::{Note, NoteSignature};

/// Bytes of a cosignature behind the key's id: the time, and the signature.
const BYTES: usize = 8 + 64;

/// A witness's public key, shown and parsed as `name+id+key`: the key as base64 of 0x04 and 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey(NamedKey);

/// A witness's secret key. Wiped from memory when dropped; its `Debug` does not show the secret.
pub struct CosignerKey {
    secret: SigningKey,
    public: WitnessKey,
}

/// What a line among the signatures of a head is to a witness's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cosigned {
    /// No line is by this key.
    Not,
    /// The key cosigned, at this time in seconds since 1970; the oldest of several lines that hold.
    At(u64),
    /// A line says that it is by this key, and is not.
    Bad,
}

impl WitnessKey {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.0.public_key()
    }

    /// Whether this key cosigned a head, and when. One line that holds is enough, and one that does not is not forgiven for it.
    #[must_use]
    pub fn cosigned(&self, note: &Note) -> Cosigned {
        let own = |line: &&NoteSignature| line.name() == self.0.name && line.key_id() == self.0.id;
        let mut found = Cosigned::Not;
        for line in note.signatures().iter().filter(own) {
            match (self.time_of(note.text(), line.bytes()), found) {
                (None, _) => return Cosigned::Bad,
                (Some(at), Cosigned::At(before)) => found = Cosigned::At(at.min(before)),
                (Some(at), Cosigned::Not | Cosigned::Bad) => found = Cosigned::At(at),
            }
        }
        found
    }

    /// The time of a cosignature that holds.
    fn time_of(&self, text: &str, bytes: &[u8]) -> Option<u64> {
        let (time, signature) = bytes.split_first_chunk::<8>()?;
        let at = u64::from_be_bytes(*time);
        let holds = i64::try_from(at).is_ok() && self.0.verifies(&message(at, text), signature);
        holds.then_some(at)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for WitnessKey {
    type Err = KeyError;

    /// Reads `name+id+key` exactly as shown.
    ///
    /// # Errors
    /// [`KeyError`] naming the part that does not fit.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        NamedKey::parse(COSIGNATURE, text).map(Self)
    }
}

impl CosignerKey {
    /// The key of a 32-byte secret seed (RFC 8032 §5.1.5). It is of no other use: the message does not say the name.
    ///
    /// # Errors
    /// [`KeyError::Name`] if the name cannot stand in a signature line.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = WitnessKey(NamedKey::of(COSIGNATURE, name, secret.verifying_key())?);
        Ok(Self { secret, public })
    }

    /// The key that checks what this one says.
    #[must_use]
    pub fn witness_key(&self) -> WitnessKey {
        self.public.clone()
    }

    /// The line by which it says, at `at` in seconds since 1970, that this head is the largest consistent one it has seen.
    #[must_use]
    pub fn cosign(&self, head: &Checkpoint, at: u64) -> NoteSignature {
        let signature = self.secret.sign(&message(at, &head.to_text()));
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(at.to_be_bytes());
        bytes.extend(signature.to_bytes());
        NoteSignature::of(&self.public.0, bytes)
    }
}

impl fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CosignerKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// C2SP tlog-cosignature, «Ed25519 signed message».
fn message(at: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {at}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::hash::Hash;
    use crate::key::SignerKey;

    type TestResult = Result<(), Box<dyn Error>>;

    fn head(size: u64) -> Result<(Checkpoint, Note), Box<dyn Error>> {
        let log = SignerKey::from_seed("log.example/a", &[1; 32])?;
        let head = Checkpoint::new("log.example/a", size, Hash([9; 32]))?;
        let note = Note::parse(head.sign(&log)?.as_bytes())?;
        Ok((head, note))
    }

    /// The example of C2SP tlog-cosignature: the key is not published there, so that only the form is checked.
    #[test]
    fn the_line_of_the_specifications_example_has_a_time_and_a_signature() -> TestResult {
        let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
             — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let note = Note::parse(note.as_bytes())?;
        let bytes = note.signatures().first().map(NoteSignature::bytes).unwrap_or_default();
        assert_eq!(bytes.len(), BYTES);
        assert_eq!(
            bytes.first_chunk::<8>().map(|time| u64::from_be_bytes(*time)),
            Some(1_679_315_147)
        );
        Ok(())
    }

    #[test]
    fn a_cosignature_holds_for_its_head_its_time_and_its_key_only() -> TestResult {
        let witness = CosignerKey::from_seed("witness.example", &[2; 32])?;
        let (head, note) = head(7)?;
        let line = witness.cosign(&head, 1_700_000_000);
        let key = witness.witness_key();
        assert_eq!(key.cosigned(&note), Cosigned::Not);
        let both = note.clone().with(line.clone())?;
        assert_eq!(key.cosigned(&both), Cosigned::At(1_700_000_000));
        assert_eq!(Note::parse(both.to_string().as_bytes())?, both);

        let (_, other) = self::head(8)?;
        assert_eq!(key.cosigned(&other.with(line.clone())?), Cosigned::Bad);
        let mut later = line.bytes().to_vec();
        later[7] ^= 1;
        let later = NoteSignature::of(&key.0, later);
        assert_eq!(key.cosigned(&note.clone().with(later.clone())?), Cosigned::Bad);
        assert_eq!(key.cosigned(&both.with(later)?), Cosigned::Bad, "beside one that holds");

        let stranger = CosignerKey::from_seed("witness.example", &[3; 32])?.witness_key();
        assert_eq!(stranger.cosigned(&note.with(line)?), Cosigned::Not);
        Ok(())
    }

    #[test]
    fn the_oldest_of_several_times_counts() -> TestResult {
        let witness = CosignerKey::from_seed("w", &[2; 32])?;
        let (head, note) = head(7)?;
        let note = note.with(witness.cosign(&head, 20))?.with(witness.cosign(&head, 10))?;
        assert_eq!(witness.witness_key().cosigned(&note), Cosigned::At(10));
        Ok(())
    }

    #[test]
    fn a_witness_key_is_no_log_key_and_the_other_way_round() -> TestResult {
        let witness = CosignerKey::from_seed("w", &[2; 32])?.witness_key();
        let log = SignerKey::from_seed("w", &[2; 32])?.verifier_key();
        assert_eq!(witness.to_string().parse::<WitnessKey>()?, witness);
        assert!(witness.to_string().parse::<crate::key::VerifierKey>().is_err());
        assert!(log.to_string().parse::<WitnessKey>().is_err());
        Ok(())
    }
}
