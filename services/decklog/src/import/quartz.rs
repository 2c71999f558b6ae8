//! stub
use super::{Imported, Text};
pub(crate) struct Commands;
impl Commands {
    pub(crate) fn parse(_: &[String]) -> Result<Self, String> {
        Ok(Self)
    }
}
pub(crate) fn import(_: &[Text], _: &Commands, _: &str) -> Imported {
    Imported::default()
}
