//! Why a printer did not do what it was asked, and what that leaves behind.

use crate::ask::Unfit;
use crate::operation::Operation;

/// A failure, by what it means for paper. When in doubt it is [`PrinterError::Lost`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrinterError {
    /// What was given is no printer's address, or asks for what is not done. Nothing was sent.
    #[error("the printer's address {uri} cannot be used: {why}")]
    Address {
        /// What was given.
        uri: String,
        /// What is wrong with it and what to write instead.
        why: String,
    },
    /// The certificates to trust could not be read. Nothing was sent.
    #[error("certificates for {uri} could not be read: {why}")]
    Certificates {
        /// The printer.
        uri: String,
        /// The file and what is wrong with it.
        why: String,
    },
    /// What is asked is not what the printer says it can do, or cannot be said in IPP. Nothing was sent.
    #[error("{uri} cannot print it so: {}", crate::ask::listed(unfit))]
    Unfit {
        /// The printer.
        uri: String,
        /// Each option that does not fit.
        unfit: Vec<Unfit>,
    },
    /// The printer lacks an operation without which it cannot be used safely. Nothing was sent.
    #[error(
        "{uri} does not support {operation}: use another printer, or a print server in front of it"
    )]
    Unsupported {
        /// The printer.
        uri: String,
        /// What it lacks.
        operation: Operation,
    },
    /// Nothing of the request can have arrived: the name is not known, the connection was refused, the certificate
    /// is not trusted. It may be tried again.
    #[error("{operation} did not reach {uri}: {why}")]
    Unreached {
        /// The printer.
        uri: String,
        /// What was asked.
        operation: Operation,
        /// What failed.
        why: String,
    },
    /// The printer (or the server before it) answered no. A refused Send-Document leaves an open job behind: cancel
    /// it, or it waits until the printer closes it (multiple-operation-time-out, RFC 8011 §5.4.31). Some of its
    /// refusals come when pages are on paper already; see [`PrinterError::is_unknown`].
    #[error("{uri} refused {operation}: {status}{}", crate::error::said(message.as_deref()))]
    Refused {
        /// The printer.
        uri: String,
        /// What was asked.
        operation: Operation,
        /// The name of the IPP status (RFC 8011 Appendix B.1), or `http-401` and so on.
        status: String,
        /// What it said besides (status-message).
        message: Option<String>,
    },
    /// Something was sent and no answer came: whether it was done is unknown.
    #[error(
        "{operation} was sent to {uri} and no answer came: {why}; whether it was done is unknown"
    )]
    Lost {
        /// The printer.
        uri: String,
        /// What was asked.
        operation: Operation,
        /// What failed.
        why: String,
    },
    /// The answer makes no sense: whether it was done is unknown.
    #[error("{uri} answered {operation} with nonsense: {why}; whether it was done is unknown")]
    Malformed {
        /// The printer.
        uri: String,
        /// What was asked.
        operation: Operation,
        /// What is wrong with the answer.
        why: String,
    },
}

impl PrinterError {
    /// Whether something may have changed at the printer although nobody knows. Only then is there anything to look
    /// for; a question whose answer was lost may simply be asked again.
    ///
    /// A document is refused for good only before anybody looked into it. A printer that prints as it reads may also
    /// answer in the middle that the document is damaged, the device broken or the job cancelled (RFC 8011 Appendix
    /// B.1.5.9): that is unknown until the job is asked for.
    pub fn is_unknown(&self) -> bool {
        match self {
            PrinterError::Lost { operation, .. } | PrinterError::Malformed { operation, .. } => {
                operation.changes()
            }
            PrinterError::Refused { operation, status, .. } => {
                *operation == Operation::SendDocument && !is_early(status)
            }
            PrinterError::Address { .. }
            | PrinterError::Certificates { .. }
            | PrinterError::Unfit { .. }
            | PrinterError::Unsupported { .. }
            | PrinterError::Unreached { .. } => false,
        }
    }
}

/// Refusals that only come of what stands before the document.
const EARLY: [&str; 18] = [
    "client-error-bad-request",
    "client-error-forbidden",
    "client-error-not-authenticated",
    "client-error-not-authorized",
    "client-error-not-possible",
    "client-error-not-found",
    "client-error-gone",
    "client-error-request-value-too-long",
    "client-error-document-format-not-supported",
    "client-error-attributes-or-values-not-supported",
    "client-error-charset-not-supported",
    "client-error-conflicting-attributes",
    "client-error-compression-not-supported",
    "server-error-operation-not-supported",
    "server-error-version-not-supported",
    "server-error-not-accepting-jobs",
    "server-error-busy",
    "server-error-multiple-document-jobs-not-supported",
];

fn is_early(status: &str) -> bool {
    EARLY.contains(&status) || status.starts_with("http-")
}

/// A message in brackets, when there is one.
pub(crate) fn said(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(" ({message})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: Operation, status: &str) -> PrinterError {
        let (uri, status) = ("ipp://printer/".to_owned(), status.to_owned());
        PrinterError::Refused { uri, operation, status, message: None }
    }

    #[test]
    fn a_document_that_is_refused_in_the_middle_may_be_on_paper() {
        for (status, is_unknown) in [
            ("client-error-document-format-not-supported", false),
            ("client-error-not-possible", false),
            ("server-error-busy", false),
            ("http-401", false),
            ("client-error-document-format-error", true),
            ("server-error-device-error", true),
            ("server-error-job-canceled", true),
            ("server-error-internal-error", true),
            ("status 0x04FF", true),
        ] {
            let error = refused(Operation::SendDocument, status);
            assert_eq!(error.is_unknown(), is_unknown, "{status}");
            assert!(!refused(Operation::CreateJob, status).is_unknown(), "{status}");
        }
        for status in EARLY {
            assert!((0x0400..0x0600).any(|code| crate::status::name(code) == status), "{status}");
        }
    }

    #[test]
    fn what_failed_is_said_with_what_and_where() {
        let error = refused(Operation::CreateJob, "server-error-busy");
        assert_eq!(error.to_string(), "ipp://printer/ refused Create-Job: server-error-busy");
    }
}
