//! What a printer is asked to do.

use std::fmt;

/// An operation of RFC 8011 §4, as far as it is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// §4.2.3: would you take such a job?
    ValidateJob,
    /// §4.2.4: make a job, the document comes later.
    CreateJob,
    /// §4.3.1: the document.
    SendDocument,
    /// §4.3.3.
    CancelJob,
    /// §4.3.4.
    GetJobAttributes,
    /// §4.2.6.
    GetJobs,
    /// §4.2.5.
    GetPrinterAttributes,
    /// §4.3.5.
    HoldJob,
    /// §4.3.6.
    ReleaseJob,
}

impl Operation {
    /// Its number (RFC 8011 §5.4.15).
    pub fn code(self) -> u16 {
        match self {
            Operation::ValidateJob => 0x0004,
            Operation::CreateJob => 0x0005,
            Operation::SendDocument => 0x0006,
            Operation::CancelJob => 0x0008,
            Operation::GetJobAttributes => 0x0009,
            Operation::GetJobs => 0x000A,
            Operation::GetPrinterAttributes => 0x000B,
            Operation::HoldJob => 0x000C,
            Operation::ReleaseJob => 0x000D,
        }
    }

    /// Its name in RFC 8011.
    pub fn name(self) -> &'static str {
        match self {
            Operation::ValidateJob => "Validate-Job",
            Operation::CreateJob => "Create-Job",
            Operation::SendDocument => "Send-Document",
            Operation::CancelJob => "Cancel-Job",
            Operation::GetJobAttributes => "Get-Job-Attributes",
            Operation::GetJobs => "Get-Jobs",
            Operation::GetPrinterAttributes => "Get-Printer-Attributes",
            Operation::HoldJob => "Hold-Job",
            Operation::ReleaseJob => "Release-Job",
        }
    }

    /// Whether it changes something at the printer.
    pub fn changes(self) -> bool {
        match self {
            Operation::CreateJob
            | Operation::SendDocument
            | Operation::CancelJob
            | Operation::HoldJob
            | Operation::ReleaseJob => true,
            Operation::ValidateJob
            | Operation::GetJobAttributes
            | Operation::GetJobs
            | Operation::GetPrinterAttributes => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
