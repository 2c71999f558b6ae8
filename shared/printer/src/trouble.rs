//! What is in a printer's way, in operators' words.

use std::fmt;

/// How bad the printer says it is: the end of a reason's keyword (RFC 8011 §5.4.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// `-error`: it does not print.
    Error,
    /// `-warning`: it prints, for now.
    Warning,
    /// `-report`: for information.
    Report,
    /// The keyword has no such end.
    Unsaid,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// Paper is stuck.
    MediaJam,
    /// A tray is empty.
    MediaEmpty,
    /// A tray is nearly empty.
    MediaLow,
    /// Somebody has to load the paper that is asked for.
    MediaNeeded,
    /// A cover is open.
    CoverOpen,
    /// A door or a lock of it is open.
    DoorOpen,
    /// No toner, ink or developer.
    TonerEmpty,
    /// Little toner, ink or developer.
    TonerLow,
    /// The box for used toner is full, or nearly.
    WasteFull,
    /// The output tray is full.
    OutputFull,
    /// The output tray is nearly full.
    OutputNearlyFull,
    /// The output tray is not there.
    OutputMissing,
    /// An input tray is not there.
    InputMissing,
    /// Somebody paused the printer.
    Paused,
    /// It is about to pause.
    MovingToPaused,
    /// It was stopped or is being stopped.
    Stopped,
    /// It cannot be reached, by the one who answers in its place.
    Offline,
    /// It has no room for documents.
    SpoolFull,
    /// Something else, by its name.
    Other(String),
}

/// One of printer-state-reasons.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trouble {
    /// What it is.
    pub kind: TroubleKind,
    /// How bad.
    pub severity: Severity,
    /// The keyword as it was sent.
    pub reason: String,
}

impl Trouble {
    /// Reads a keyword; `none` is no trouble.
    pub fn read(reason: &str) -> Option<Trouble> {
        if reason == "none" {
            return None;
        }
        let (name, severity) = [
            ("-error", Severity::Error),
            ("-warning", Severity::Warning),
            ("-report", Severity::Report),
        ]
        .into_iter()
        .find_map(|(end, severity)| Some((reason.strip_suffix(end)?, severity)))
        .unwrap_or((reason, Severity::Unsaid));
        Some(Trouble { kind: TroubleKind::read(name), severity, reason: reason.to_owned() })
    }
}

impl TroubleKind {
    /// By keyword: RFC 8011 §5.4.12 and PWG 5100.9, and two names that print servers use.
    fn read(name: &str) -> Self {
        match name {
            "media-jam" => Self::MediaJam,
            "media-empty" => Self::MediaEmpty,
            "media-low" => Self::MediaLow,
            "media-needed" => Self::MediaNeeded,
            "cover-open" => Self::CoverOpen,
            "door-open" | "interlock-open" => Self::DoorOpen,
            "toner-empty" | "marker-supply-empty" | "developer-empty" => Self::TonerEmpty,
            "toner-low" | "marker-supply-low" | "developer-low" => Self::TonerLow,
            "marker-waste-full" | "marker-waste-almost-full" => Self::WasteFull,
            "output-area-full" | "output-tray-full" => Self::OutputFull,
            "output-area-almost-full" => Self::OutputNearlyFull,
            "output-tray-missing" => Self::OutputMissing,
            "input-tray-missing" => Self::InputMissing,
            "paused" => Self::Paused,
            "moving-to-paused" => Self::MovingToPaused,
            "stopped" | "stopping" | "stopped-partly" | "shutdown" => Self::Stopped,
            "offline" | "connecting-to-device" | "timed-out" => Self::Offline,
            "spool-area-full" => Self::SpoolFull,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for TroubleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MediaJam => "paper jam",
            Self::MediaEmpty => "out of paper",
            Self::MediaLow => "paper is low",
            Self::MediaNeeded => "the paper asked for has to be loaded",
            Self::CoverOpen => "cover open",
            Self::DoorOpen => "door open",
            Self::TonerEmpty => "out of toner",
            Self::TonerLow => "toner is low",
            Self::WasteFull => "waste toner box is full",
            Self::OutputFull => "output tray full",
            Self::OutputNearlyFull => "output tray nearly full",
            Self::OutputMissing => "output tray missing",
            Self::InputMissing => "input tray missing",
            Self::Paused => "paused",
            Self::MovingToPaused => "about to pause",
            Self::Stopped => "stopped",
            Self::Offline => "does not answer its print server",
            Self::SpoolFull => "no room for documents",
            Self::Other(name) => return f.write_str(&name.replace('-', " ")),
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Error | Severity::Unsaid => self.kind.fmt(f),
            Severity::Warning => write!(f, "{} (warning)", self.kind),
            Severity::Report => write!(f, "{} (for information)", self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_said_in_operators_words() {
        for (reason, words) in [
            ("media-jam-error", "paper jam"),
            ("media-jam-warning", "paper jam (warning)"),
            ("media-empty-error", "out of paper"),
            ("media-low-report", "paper is low (for information)"),
            ("media-needed", "the paper asked for has to be loaded"),
            ("cover-open", "cover open"),
            ("door-open-error", "door open"),
            ("interlock-open-error", "door open"),
            ("toner-empty-error", "out of toner"),
            ("marker-supply-low-warning", "toner is low (warning)"),
            ("marker-supply-empty-error", "out of toner"),
            ("marker-waste-full-error", "waste toner box is full"),
            ("output-area-full-error", "output tray full"),
            ("output-area-almost-full-warning", "output tray nearly full (warning)"),
            ("output-tray-missing-error", "output tray missing"),
            ("input-tray-missing-error", "input tray missing"),
            ("paused", "paused"),
            ("moving-to-paused", "about to pause"),
            ("shutdown", "stopped"),
            ("stopped-partly", "stopped"),
            ("offline-report", "does not answer its print server (for information)"),
            ("timed-out-error", "does not answer its print server"),
            ("spool-area-full-report", "no room for documents (for information)"),
            ("fuser-over-temp-error", "fuser over temp"),
            ("cups-waiting-for-job-completed", "cups waiting for job completed"),
        ] {
            let trouble = Trouble::read(reason).unwrap();
            assert_eq!((trouble.to_string().as_str(), trouble.reason.as_str()), (words, reason));
        }
        assert_eq!(Trouble::read("none"), None);
    }
}
