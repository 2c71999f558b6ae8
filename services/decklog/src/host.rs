//! Facts about this machine.

/// The clock.
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The machine's name, as a name of ours: lower case, first label, other characters as `-`.
pub(crate) fn name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let name = name.unwrap_or_default().to_lowercase();
    let first = name.split('.').next().unwrap_or_default();
    let plain: String = first
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
        .skip_while(|c| *c == '-')
        .take(50)
        .collect();
    if plain.is_empty() { "localhost".to_owned() } else { plain }
}

/// The time zone database of this machine, or the one that `TZDIR` names.
pub(crate) fn tzdb() -> scheduler::ZoneInfo {
    scheduler::ZoneInfo::in_dir(executor::zone_files())
}

/// The machine's own zone.
pub(crate) fn zone() -> String {
    jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
}
