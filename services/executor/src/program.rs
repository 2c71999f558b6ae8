//! Which program this is.

use std::fs::File;
use std::io;

use domain::canonical::Digest;

/// SHA-256 of the file that this process runs, as it was when it was started: also where another has taken its place since.
pub(crate) fn program() -> io::Result<Digest> {
    Digest::of_all(File::open("/proc/self/exe")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_by_the_hash_of_its_file() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(program().unwrap(), Digest::of(&own));
    }
}
