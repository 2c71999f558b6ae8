//! Documents are delivered to servers nobody here wrote, and to some that break off.

mod dropped;
mod filing;
mod mailing;
mod over_sftp;
mod support;
