//! Schedules and the instants they name. Pure: no clock; the only thing consulted is the time zone database.
//!
//! | module | is about |
//! |---|---|
//! | [`duration`] | lengths of time as people write them: `90s`, `1h30m` |
//! | [`spec`] | a schedule as it stands in a job file |
//! | [`clock`] | a time of day as people write it: `06:00` |
//! | [`days`] | on which days a schedule runs: calendars, business days |
//! | [`policy`] | what a schedule does when its zone's clock jumps |
//! | `field` | one field of a crontab line: what is allowed, in words |
//! | `wall` | a cron or Quartz expression as wall-clock times (crates `croner` and `cron`) |
//! | `zone` | zone names, and the tz database version |
//! | `reading` | one wall-clock time as instants of a zone (RFC 5545 §3.3.5) |
//! | `walk` | the readings of a whole expression, merged into order |
//! | [`occurrence`] | one instant of a schedule, and why it is that one |
//! | [`schedule`] | the checked schedule, and questions to it |
//! | [`error`] | why a schedule is refused |

pub mod clock;
pub mod days;
pub mod duration;
pub mod error;
mod field;
pub mod occurrence;
pub mod policy;
mod reading;
pub mod schedule;
pub mod spec;
mod walk;
mod wall;
mod zone;

pub use clock::ClockTime;
pub use days::{CalendarRule, DayOut, DayPlan, Otherwise};
pub use duration::{DurationError, HumanDuration};
pub use error::ScheduleError;
pub use occurrence::{Occurrence, Out, Reason, just_after, just_before, occurrence_label};
pub use policy::{DstPolicy, Gap, OverlapTime};
pub(crate) use reading::clock_reaches;
pub use schedule::{LEFT_OUT_MAX, Occurrences, SEARCH_HORIZON_YEARS, Schedule};
pub use spec::{AtList, AtTime, Every, ScheduleSpec};
pub use zone::{TZDB_DIRS, TZDB_VERSION_FILES, check_zone, tzdb_version_from};
