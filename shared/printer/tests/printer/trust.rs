//! Certificates and passwords.

use printer::{Ask, HowEnded, Login, Printer, PrinterError, Secret, Trust};
use testkit::printing::{Paper, Setup, operation};

use crate::support::{ask, client, limits, print, text, wait_end};

fn encrypted() -> Paper {
    Paper::start(Setup { tls: true, ..Setup::default() }).unwrap()
}

fn trusting(uri: &str, paper: &Paper) -> Printer {
    Printer::new(uri, &Trust::CaFile(paper.ca_file()), limits()).unwrap()
}

#[test]
fn a_printer_whose_certificate_is_vouched_for_prints() {
    let paper = encrypted();
    let printer = trusting(&paper.uri(), &paper);
    let document = text(2);
    let asked = Ask { password: Some(Secret("1234".to_owned())), ..ask("encrypted") };
    let job = print(&printer, &asked, &document);
    paper.type_password("1234");
    assert_eq!(wait_end(&printer, job).how, HowEnded::Completed);
    assert_eq!(paper.times(&document, 2), 1);
    let request = &paper.requests(operation::CREATE_JOB)[0];
    assert_eq!(request.text("printer-uri"), Some(paper.uri().as_str()));
}

#[test]
fn a_printer_whose_certificate_nobody_vouches_for_is_not_spoken_to() {
    let paper = encrypted();
    let others = encrypted();
    for printer in [client(&paper.uri()), trusting(&paper.uri(), &others)] {
        let error = printer.create(&ask("x")).unwrap_err();
        assert!(matches!(error, PrinterError::Unreached { .. }), "{error}");
    }
    // The certificate is for an address, not for this name.
    let by_name = paper.uri().replace("127.0.0.1", "localhost");
    let error = trusting(&by_name, &paper).look().unwrap_err();
    assert!(matches!(error, PrinterError::Unreached { .. }), "{error}");
    assert!(paper.requests(operation::GET_PRINTER_ATTRIBUTES).is_empty());
}

#[test]
fn a_printer_without_encryption_is_not_taken_for_one_with_it() {
    let paper = Paper::start(Setup::default()).unwrap();
    let error = client(&paper.uri().replace("ipp:", "ipps:")).look().unwrap_err();
    assert!(matches!(error, PrinterError::Unreached { .. }), "{error}");
}

#[test]
fn certificates_that_cannot_be_read_are_told_by_their_file() {
    for (name, content) in [
        ("none.pem", None),
        ("empty.pem", Some("")),
        ("bad.pem", Some("-----BEGIN CERTIFICATE-----\nx")),
    ] {
        let paper = encrypted();
        let path = paper.ca_file().with_file_name(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = Printer::new(&paper.uri(), &Trust::CaFile(path), limits()).unwrap_err();
        assert!(matches!(error, PrinterError::Certificates { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

fn login(password: &str) -> Login {
    Login { user: "clerk".to_owned(), password: password.to_owned() }
}

#[test]
fn a_printer_that_asks_for_a_password_gets_it() {
    let known = Some(("clerk".to_owned(), "horse battery".to_owned()));
    let paper = Paper::start(Setup { login: known, ..Setup::default() }).unwrap();
    let printer = client(&paper.uri());
    for printer in [printer.clone(), printer.clone().log_in(&login("wrong")).unwrap()] {
        let error = printer.look().unwrap_err();
        let PrinterError::Refused { status, .. } = &error else { panic!("{error}") };
        assert_eq!(status, "http-401");
    }
    let printer = printer.log_in(&login("horse battery")).unwrap();
    let job = print(&printer, &ask("known"), &text(1));
    wait_end(&printer, job);
    let shown = format!("{printer:?}");
    assert!(!shown.contains("Basic") && !shown.contains("horse"), "a password is not shown");
}

#[test]
fn a_password_does_not_leave_this_machine_without_encryption() {
    let printer = client("ipp://printer.example/ipp/print");
    let error = printer.log_in(&login("horse")).unwrap_err();
    assert!(matches!(error, PrinterError::Address { .. }) && error.to_string().contains("ipps"));
    client("ipps://printer.example/ipp/print").log_in(&login("horse")).unwrap();
}
