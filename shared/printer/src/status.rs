//! The names of IPP status codes.

/// Codes below this one say that it was done (RFC 8011 Appendix B.1).
const FIRST_REFUSAL: u16 = 0x0100;

/// Names by code (RFC 8011 Appendix B.1; the last ones of each kind are PWG's).
const NAMES: [(u16, &str); 44] = [
    (0x0000, "successful-ok"),
    (0x0001, "successful-ok-ignored-or-substituted-attributes"),
    (0x0002, "successful-ok-conflicting-attributes"),
    (0x0400, "client-error-bad-request"),
    (0x0401, "client-error-forbidden"),
    (0x0402, "client-error-not-authenticated"),
    (0x0403, "client-error-not-authorized"),
    (0x0404, "client-error-not-possible"),
    (0x0405, "client-error-timeout"),
    (0x0406, "client-error-not-found"),
    (0x0407, "client-error-gone"),
    (0x0408, "client-error-request-entity-too-large"),
    (0x0409, "client-error-request-value-too-long"),
    (0x040A, "client-error-document-format-not-supported"),
    (0x040B, "client-error-attributes-or-values-not-supported"),
    (0x040C, "client-error-uri-scheme-not-supported"),
    (0x040D, "client-error-charset-not-supported"),
    (0x040E, "client-error-conflicting-attributes"),
    (0x040F, "client-error-compression-not-supported"),
    (0x0410, "client-error-compression-error"),
    (0x0411, "client-error-document-format-error"),
    (0x0412, "client-error-document-access-error"),
    (0x0413, "client-error-attributes-not-settable"),
    (0x0414, "client-error-ignored-all-subscriptions"),
    (0x0415, "client-error-too-many-subscriptions"),
    (0x0418, "client-error-document-password-error"),
    (0x0419, "client-error-document-permission-error"),
    (0x041A, "client-error-document-security-error"),
    (0x041B, "client-error-document-unprintable-error"),
    (0x041C, "client-error-account-info-needed"),
    (0x041D, "client-error-account-closed"),
    (0x041E, "client-error-account-limit-reached"),
    (0x041F, "client-error-account-authorization-failed"),
    (0x0420, "client-error-not-fetchable"),
    (0x0500, "server-error-internal-error"),
    (0x0501, "server-error-operation-not-supported"),
    (0x0502, "server-error-service-unavailable"),
    (0x0503, "server-error-version-not-supported"),
    (0x0504, "server-error-device-error"),
    (0x0505, "server-error-temporary-error"),
    (0x0506, "server-error-not-accepting-jobs"),
    (0x0507, "server-error-busy"),
    (0x0508, "server-error-job-canceled"),
    (0x0509, "server-error-multiple-document-jobs-not-supported"),
];

/// Whether the printer did what it was asked.
pub(crate) fn is_success(code: u16) -> bool {
    code < FIRST_REFUSAL
}

/// A code's name, or its number where it has none.
pub(crate) fn name(code: u16) -> String {
    NAMES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| format!("status 0x{code:04X}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_its_name_from_the_rfc_or_its_number() {
        assert_eq!(name(0x040A), "client-error-document-format-not-supported");
        assert_eq!(name(0x0404), "client-error-not-possible");
        assert_eq!(name(0x04FF), "status 0x04FF");
        assert!(is_success(0) && is_success(1) && is_success(0xFF));
        assert!(!is_success(0x0100) && !is_success(0x0400) && !is_success(0xFFFF));
    }
}
