//! Documents on their way to people: by mail through a real server, into a directory, cut for many recipients; and those
//! that a queue takes out of a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::mail::{MailOptions, MailServer, MailTls};
use testkit::wait;

use super::{Office, SOON, ask, documents, ended, id, wait_for_states};
use crate::programs::{Up, decklog};

/// `decklog up` that sends mail through a server with TLS.
fn up_with_mail(office: &Office, site: &Path, server: &MailServer) -> Up {
    let mail = office.path("mail.toml");
    let text = format!(
        "relay = 'localhost'\nport = {}\ntls = 'starttls'\nca-file = '{}'\nfrom = 'night@decklog.example'\nfrom-name = 'Night shift'\n",
        server.port(),
        server.ca_file().display()
    );
    fs::write(&mail, text).unwrap();
    up_sending(&office.path("data"), site, &mail, &office.path("lists"))
}

/// `decklog up` with a file that says how mail is sent, and lists of who gets it.
pub(crate) fn up_sending(data: &Path, site: &Path, mail: &Path, lists: &Path) -> Up {
    let mut command = decklog(["up", "--listen", "127.0.0.1:0"]);
    command.arg("--mail").arg(mail).arg("--lists").arg(lists);
    Up::started(command, data, &[site])
}

fn lists(office: &Office, text: &str) {
    fs::create_dir_all(office.path("lists")).unwrap();
    fs::write(office.path("lists/staff.csv"), text).unwrap();
}

/// What a part of a message is, decoded.
fn part(parsed: &Value, number: usize) -> Vec<u8> {
    let text = parsed["parts"][number]["content"].as_str().unwrap();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte: u8| digits.iter().position(|digit| *digit == byte).unwrap();
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_usize, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        (bits, held) = ((bits << 6 | value(byte)) & 0xffff, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

fn starttls() -> MailServer {
    MailServer::start(MailOptions { tls: MailTls::StartTls, ..MailOptions::default() }).unwrap()
}

/// What became of the deliveries of the one document there is.
fn deliveries(up: &Up) -> BTreeMap<String, Value> {
    let one = id(&documents(up)[0]);
    let shown = up.call(&["print", "show", &one, "-o", "json"]).ended(0).json();
    serde_json::from_value(shown["deliveries"].clone()).unwrap()
}

#[test]
fn a_report_is_printed_and_mailed_over_tls_and_put_into_a_directory_and_names_stand_in_no_event() {
    let office = Office::new();
    let text = office.text("report.txt", 2);
    lists(&office, "# key, address, name\nmia,mia.brandt@staff.example,Mia Brandt\n");
    fs::create_dir(office.path("drop")).unwrap();
    let job = format!(
        "  deliver:\n  - mail: {{ list: staff, subject: 'The report for {{recipient}}', body: 'Pages {{pages}} of {{document}}.' }}\n\
         \x20 - directory: {{ path: '{}' }}\n",
        office.path("drop").display()
    );
    let server = starttls();
    let up = up_with_mail(&office, &office.site("", &job, ""), &server);
    let run = ask(&up, "reports");
    let how = ended(&up, &run);
    assert_eq!(how, "succeeded", "{}\n{}", up.call(&["logs", &run]).out, up.daemon.output());
    assert!(up.call(&["logs", &run]).ended(0).out.contains("delivered to 2 of 2"));
    assert_eq!(office.paper.times(&text, 2), 1);
    let mail = server.received().unwrap();
    assert_eq!((mail.len(), &mail[0].envelope["tls"]), (1, &true.into()));
    let parsed = mail[0].parsed().unwrap();
    assert_eq!(parsed["subject"], "The report for Mia Brandt");
    assert_eq!(part(&parsed, 0), b"Pages 1-2 of report.txt.");
    assert_eq!(part(&parsed, 1), text);
    let dropped: Vec<_> =
        fs::read_dir(office.path("drop")).unwrap().map(|one| one.unwrap().path()).collect();
    assert_eq!((dropped.len(), fs::read(&dropped[0]).unwrap()), (1, text));
    let log = up.call(&["events", "-o", "json"]).ended(0).out;
    for name in ["mia", "Brandt", "staff.example", "report.txt"] {
        assert!(!log.contains(name), "{name} stands in the log");
    }
    up.stop();
}

#[test]
fn a_document_for_two_hundred_is_cut_and_sent_to_each_and_one_bad_address_is_one_named_failure() {
    let office = Office::new();
    let pages: Vec<String> =
        (1..=200).map(|n| format!("Statement for E{n:03}\nof person {n}\n")).collect();
    fs::write(office.path("out/statements.txt"), pages.join("\x0c")).unwrap();
    let mut list = "# key, address, name\n".to_owned();
    for n in 1..=200 {
        let who = if n == 77 { "unknown".to_owned() } else { format!("person{n}") };
        list.push_str(&format!("E{n:03},{who}@staff.example,Person {n}\n"));
    }
    lists(&office, &list);
    let job = "  paper: false\n  burst: { marker: '^Statement for (\\S+)' }\n\
               \x20 deliver:\n  - mail: { list: staff, subject: 'Your statement, {recipient}', body: 'Attached.' }\n";
    let server = starttls();
    let up = up_with_mail(&office, &office.site("", job, ""), &server);
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed", "one was not delivered");
    assert!(up.call(&["logs", &run]).ended(0).out.contains("delivered to 199 of 200"));
    wait_for_states(&up, &["electronic"]);
    let all = deliveries(&up);
    let state = |one: &&Value| one["state"]["state"] == "delivered";
    assert_eq!((all.len(), all.values().filter(state).count()), (200, 199));
    let failed = &all["77"];
    assert_eq!((&failed["state"]["state"], &failed["pages"]), (&"failed".into(), &"77".into()));
    assert!(failed["state"]["reason"].as_str().unwrap().contains("5.1.1"), "{failed}");
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["kind"]), (1, &"not-delivered".into()));
    let mail = server.received().unwrap();
    assert_eq!(mail.len(), 199);
    for one in &mail {
        let to = one.envelope["to"][0].as_str().unwrap();
        let n: usize = to.trim_start_matches("person").split('@').next().unwrap().parse().unwrap();
        let parsed = one.parsed().unwrap();
        assert_eq!(parsed["subject"], format!("Your statement, Person {n}"));
        let text = String::from_utf8(part(&parsed, 1)).unwrap();
        assert!(text.contains(&format!("Statement for E{n:03}\nof person {n}")), "{to}: {text}");
        assert_eq!(text.matches("Statement for").count(), 1, "{to} got pages of others");
    }
    lists(&office, &list.replace("unknown@", "person77@"));
    up.call(&[
        "print",
        "retry-delivery",
        &id(&documents(&up)[0]),
        "--reason",
        "the address is right now",
    ])
    .ended(0);
    wait::until("the last one", SOON, || deliveries(&up)["77"]["state"]["state"] == "delivered")
        .unwrap();
    assert_eq!(server.received().unwrap().len(), 200);
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn files_laid_into_a_queues_directory_are_printed_once_each_and_go_away_and_what_is_none_is_set_aside()
 {
    let office = Office::new();
    fs::create_dir(office.path("inbox")).unwrap();
    let name = nix::unistd::gethostname().unwrap().into_string().unwrap().to_lowercase();
    let name = name.split('.').next().unwrap().to_owned();
    let queue = format!(
        "inbox: {{ host: {name}, directory: '{}', settle: 500ms }}\n",
        office.path("inbox").display()
    );
    let up = office.up(&office.site(&queue, "", ""));
    let text = b"one\n\x0ctwo\n".to_vec();
    fs::write(office.path("inbox/a.txt"), &text).unwrap();
    fs::write(office.path("inbox/b.bin"), [0_u8, 1, 2]).unwrap();
    wait_for_states(&up, &["printed"]);
    wait::until("the file to be taken", Duration::from_secs(20), || {
        !office.path("inbox/a.txt").exists()
    })
    .unwrap();
    wait::until("what is none to be set aside", SOON, || {
        office.path("inbox/b.bin.not-printed").exists()
    })
    .unwrap();
    assert_eq!((office.paper.times(&text, 1), office.paper.times(&text, 2)), (1, 1));
    fs::write(office.path("inbox/a.txt"), &text).unwrap();
    wait_for_states(&up, &["printed", "printed"]);
    assert_eq!(office.paper.times(&text, 1), 2, "who lays it there again wants it again");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}
