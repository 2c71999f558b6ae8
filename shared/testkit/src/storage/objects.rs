//! An S3 store in memory: moto's server, spoken to as its owner with Amazon's own client library.

use std::path::PathBuf;
use std::process::Command;

use super::{run, start};
use crate::process::Daemon;

/// Where `ops/dev/setup` puts moto, unless `DECKLOG_MOTO` names another Python environment.
fn environment() -> PathBuf {
    if let Some(named) = std::env::var_os("DECKLOG_MOTO") {
        return named.into();
    }
    crate::installed::place("moto")
}

/// A running store.
#[derive(Debug)]
pub struct ObjectStore {
    port: u16,
    daemon: Option<Daemon>,
}

impl ObjectStore {
    /// Starts one without buckets.
    ///
    /// # Errors
    /// If moto is missing or does not come up.
    pub fn start() -> anyhow::Result<ObjectStore> {
        let program = environment().join("bin/python");
        let (daemon, port) = start(|port| {
            let mut command = Command::new(&program);
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        })?;
        Ok(ObjectStore { port, daemon: Some(daemon) })
    }

    /// A place in a bucket, as a location.
    pub fn location(&self, bucket: &str, prefix: &str) -> String {
        format!("s3:{}/{bucket}/{prefix}", self.endpoint())
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Keys that open it.
    pub fn credentials(&self) -> [(&'static str, String); 2] {
        let [id, secret] = ["backup", "horse"].map(str::to_owned);
        [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)]
    }

    /// Makes a bucket, with object lock for so many days in compliance mode where they are named.
    ///
    /// # Errors
    /// If the store refuses.
    pub fn make_bucket(&self, bucket: &str, locked_days: Option<u32>) -> anyhow::Result<()> {
        let mut script =
            format!("s3.create_bucket(Bucket={bucket:?}, ObjectLockEnabledForBucket={})\n", {
                if locked_days.is_some() { "True" } else { "False" }
            });
        if let Some(days) = locked_days {
            script += &format!(
                "s3.put_object_lock_configuration(Bucket={bucket:?}, ObjectLockConfiguration={{\
                 'ObjectLockEnabled': 'Enabled', 'Rule': {{'DefaultRetention': {{'Mode': 'COMPLIANCE', \
                 'Days': {days}}}}}}})\n"
            );
        }
        self.as_owner(&script).map(drop)
    }

    /// Runs lines of Python in which `s3` is a client of the store; what they print.
    ///
    /// # Errors
    /// If they fail.
    pub fn as_owner(&self, script: &str) -> anyhow::Result<String> {
        let begin = format!("import boto3\ns3 = boto3.client('s3', endpoint_url={:?})\n", {
            self.endpoint()
        });
        let mut python = Command::new(environment().join("bin/python"));
        python.env_clear().envs(self.credentials()).env("AWS_DEFAULT_REGION", "us-east-1");
        python.env("NO_PROXY", "127.0.0.1").arg("-c").arg(begin + script);
        run(&mut python)
    }

    /// Kills it; what it held is gone.
    ///
    /// # Errors
    /// If the operating system cannot say how it ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill9()?;
        }
        Ok(())
    }
}
