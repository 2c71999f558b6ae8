//! Tasks that end with what they work for.

use std::future::Future;

use tokio::task::JoinHandle;

/// A task that is stopped when this value is dropped.
#[derive(Debug)]
pub(crate) struct Tracked(JoinHandle<()>);

impl Tracked {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Tracked {
        Tracked(tokio::spawn(task))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.abort();
    }
}
