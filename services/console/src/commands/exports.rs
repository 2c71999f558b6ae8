//! That evidence was taken away.

use domain::event::LogExported;
use domain::ids::StreamId;
use domain::people::Action;

use super::{Applied, CommandError, applied};
use crate::people::Caller;
use crate::state::Console;

impl Console {
    /// Records that somebody has written a file of evidence.
    pub(crate) async fn record_export(
        &self,
        event: LogExported,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.may(self, Action::View, None).await?;
        let invalid = |why: &str| Err(CommandError::Invalid(why.to_owned()));
        if event.size == 0 || event.bytes == 0 {
            return invalid("a file of evidence holds events, and has bytes");
        }
        if event.from >= event.until {
            return invalid("the period ends before it begins");
        }
        let id = StreamId::exports();
        let position = self.say_of(&id, caller, event.into()).await?;
        Ok(applied(Some(position), id, "recorded: who has this evidence stands in the log"))
    }
}
