//! Queues, forms and print jobs as people write them: what is taken, and what is said of what is not.

use domain::job::{Definition, parse_yaml, to_yaml};
use domain::site::Thing;

/// What is wrong with a document, field by field; `unread` where it cannot be read at all.
fn wrong(text: &str) -> Vec<String> {
    let Err(errors) = parse_yaml("site.yaml", text) else { return vec![] };
    let field = |error: String| {
        let said = error.strip_prefix("site.yaml: ").and_then(|said| said.split_once("\": "));
        said.map_or("unread".to_owned(), |(_, said)| said.split(": ").next().unwrap().to_owned())
    };
    let mut fields: Vec<String> = errors.iter().map(|error| field(error.to_string())).collect();
    fields.dedup();
    fields
}

#[track_caller]
fn check(base: &str, table: &[(&str, &str)]) {
    assert_eq!(wrong(base), Vec::<String>::new(), "{base}");
    for (more, field) in table {
        let key = more.split(':').next().unwrap();
        let kept: Vec<&str> =
            base.lines().filter(|line| line.split(':').next().unwrap() != key).collect();
        let text = format!("{}\n{more}\n", kept.join("\n"));
        let found = wrong(&text);
        match *field {
            "" => assert_eq!(found, Vec::<String>::new(), "{text}"),
            field => assert_eq!(found, [field], "{text}"),
        }
    }
}

#[test]
fn a_queue_is_good_or_says_which_field_is_not() {
    let base = "kind: queue\nname: office\nprinter: ipp://printer.example/ipp/print";
    check(
        base,
        &[
            ("printer: ipps://printer.example:8631/ipp/print", ""),
            ("printer: ipp://[::1]:631/ipp/print", ""),
            ("printer: http://printer.example/ipp", "printer"),
            ("printer: ipp://", "printer"),
            ("printer: ipp:///ipp/print", "printer"),
            ("printer: ipp://user:secret@printer.example/ipp", "printer"),
            ("printer: \"ipp://printer.example/a b\"", "printer"),
            ("printer: \"ipp://printer.example/é\"", "printer"),
            ("printer: lpd://printer.example", "printer"),
            ("name: Office", "name"),
            ("name: \"\"", "name"),
            ("user: ana", "user"),
            ("password: file:/etc/printer", "user"),
            ("user: ana\npassword: file:/etc/printer", ""),
            ("user: ana\npassword: secret", "password"),
            ("transport: server", ""),
            ("transport: pigeon", "unread"),
            ("release: code", ""),
            ("release: never", "unread"),
            ("formats: [pdf, postscript, text, pwg-raster]", ""),
            ("formats: [docx]", "unread"),
            ("text: {lines: 66, columns: 132}", ""),
            ("text: {lines: 0, columns: 80}", "text"),
            ("text: {lines: 66, columns: 0}", "text"),
            ("limit-bytes: 0", "limit-bytes"),
            ("limit-bytes: 268435456", ""),
            ("limit-bytes: 268435457", "limit-bytes"),
            ("limit-pages: 0", "limit-pages"),
            ("limit-pages: 100000", ""),
            ("limit-pages: 100001", "limit-pages"),
            ("patience: 500ms", "patience"),
            ("patience: 1s", ""),
            ("patience: 25h", "patience"),
            ("keep: 7y", "unread"),
            ("keep: 3650d", ""),
            ("keep: 40000d", "keep"),
            ("inbox: {host: h1, directory: /srv/out}", ""),
            ("inbox: {host: \"H 1\", directory: /srv/out}", "inbox.host"),
            ("inbox: {host: h1, directory: out}", "inbox.directory"),
            (
                "inbox: {host: h1, directory: /srv/out, options: {copies: 0}}",
                "inbox.options.copies",
            ),
            ("colour: red", "unread"),
        ],
    );
}

#[test]
fn a_form_is_good_or_says_which_field_is_not() {
    let base = "kind: form\nname: payroll-checks\naccount: payroll\nqueue: checks";
    let pay = |more: &str| format!("positive-pay: {{columns: [number, amount]{more}}}");
    let long = format!("account: {}", "x".repeat(101));
    let many = format!("positive-pay: {{columns: [{}]}}", ["number"; 21].join(", "));
    let written = |more: &str| pay(more);
    let table: Vec<(String, &str)> = vec![
        ("queue: Checks".to_owned(), "queue"),
        ("account: \" \"".to_owned(), "account"),
        (long, "account"),
        ("account: \"4711 0815\"".to_owned(), ""),
        ("account: \"DE1234567\"".to_owned(), "account"),
        ("account: \"123456\"".to_owned(), ""),
        ("digits: 0".to_owned(), "digits"),
        ("digits: 18".to_owned(), ""),
        ("digits: 19".to_owned(), "digits"),
        ("digits: 300".to_owned(), "unread"),
        (written(""), ""),
        (
            "positive-pay: {columns: [account, number, amount, payee, date, status, {text: X}]}"
                .to_owned(),
            "",
        ),
        ("positive-pay: {columns: []}".to_owned(), "positive-pay.columns"),
        (many, "positive-pay.columns"),
        ("positive-pay: {columns: [colour]}".to_owned(), "unread"),
        (written(", separator: \";\""), ""),
        (written(", separator: \"\\t\""), ""),
        (written(", separator: \"7\""), "positive-pay.separator"),
        (written(", separator: \"x\""), "positive-pay.separator"),
        (written(", separator: \"\\n\""), "positive-pay.separator"),
        (written(", separator: \"-\""), "positive-pay.separator"),
        (written(", separator: \"\\\"\""), "positive-pay.separator"),
        (written(", date: \"%d.%m.%Y\""), ""),
        (written(", date: \"%H:%M\""), "positive-pay.date"),
        (written(", date: \"%Q\""), "positive-pay.date"),
    ];
    let table: Vec<(&str, &str)> = table.iter().map(|(a, b)| (a.as_str(), *b)).collect();
    check(base, &table);
    let Definition::Thing(Thing::Form(form)) = parse_yaml("f.yaml", base).unwrap().remove(0) else {
        panic!()
    };
    assert_eq!(
        (form.shown(7), form.shown(12_345_678)),
        ("000007".to_owned(), "12345678".to_owned())
    );
}

#[test]
fn a_print_job_is_good_or_says_which_field_is_not() {
    let base = "kind: print\nname: nightly";
    let job = |more: &str| {
        format!("{base}\nprint: {{queue: office, documents: {{files: /srv/*.pdf}}{more}}}")
    };
    let of = |documents: &str| format!("{base}\nprint: {{queue: office, documents: {documents}}}");
    let parts = vec!["{recipient: a, pages: \"1\"}"; 201].join(", ");
    let mail = ", deliver: [{mail: {list: readers, subject: Report}}]";
    let form = ", form: checks";
    let table: Vec<(String, &str)> = vec![
        (job(""), ""),
        (of("{output-of: pay}"), ""),
        (of("{artefact: {job: pay, name: report}}"), ""),
        (of("{output-of: Pay}"), "print.documents.output-of"),
        (of("{artefact: {job: pay, name: \"../x\"}}"), "print.documents.artefact.name"),
        (of("{files: \"*.pdf\"}"), "print.documents.files"),
        (of("{files: \"/srv/*/x.pdf\"}"), "print.documents.files"),
        (of("{files: /srv/}"), "print.documents.files"),
        (of("{nothing: x}"), "unread"),
        (job(", queue: office"), "unread"),
        (job(", purpose: \"\""), "print.purpose"),
        (job(", class: \"Top Secret\""), "print.class"),
        (job(", priority: 0"), "print.priority"),
        (job(", priority: 101"), "print.priority"),
        (job(", keep: 40000d"), "print.keep"),
        (job(", options: {copies: 1000}"), "print.options.copies"),
        (job(", options: {media: A4}"), "print.options.media"),
        (job(", options: {pages: [\"3-\", \"4\"]}"), "print.options.pages"),
        (job(", options: {pages: [\"7-3\"]}"), "unread"),
        (job(form), ""),
        (job(&format!("{form}, options: {{copies: 2}}")), "print.options.copies"),
        (job(&format!("{form}, options: {{sides: two-sided-long-edge}}")), "print.options.sides"),
        (job(&format!("{form}, options: {{sides: one-sided}}")), ""),
        (job(&format!("{form}, paper: false{mail}")), "print.form"),
        (job(", form: Checks"), "print.form"),
        (job(", register: {amount: \"(.*)\"}"), "print.register"),
        (job(&format!("{form}, register: {{amount: \"(.*)\"}}")), ""),
        (job(&format!("{form}, register: {{amount: \"no group\"}}")), "print.register.amount"),
        (
            job(&format!("{form}, register: {{amount: \"(.*)\", payee: \"(\"}}")),
            "print.register.payee",
        ),
        (job(", control: {file: /srv/total}"), ""),
        (job(", control: {file: total}"), "print.control.file"),
        (job(", control: {file: /srv/total, count: \"no group\"}"), "print.control.count"),
        (job(", control: {file: /srv/total, amount: total}"), "print.control.amount"),
        (job(", taken: remove"), ""),
        (job(", taken: {move-to: /srv/done}"), ""),
        (job(", taken: {move-to: done}"), "print.taken.move-to"),
        (of("{output-of: pay}, taken: remove"), "print.taken"),
        (job(", paper: false"), "print.paper"),
        (job(&format!(", paper: false{mail}")), ""),
        (job(&format!(", paper: false, release: person{mail}")), "print.release"),
        (job(&format!(", release: code{mail}")), ""),
        (job(", burst: {marker: \"for (.*)\"}"), "print.burst"),
        (job(&format!(", burst: {{marker: \"for (.*)\"}}{mail}")), ""),
        (job(&format!(", burst: {{marker: no group}}{mail}")), "print.burst.marker"),
        (job(&format!(", burst: {{pages: []}}{mail}")), "print.burst.pages"),
        (job(&format!(", burst: {{pages: [{parts}]}}{mail}")), "print.burst.pages"),
        (
            job(&format!(", burst: {{pages: [{{recipient: \" \", pages: \"1\"}}]}}{mail}")),
            "print.burst.pages",
        ),
        (job(&format!(", burst: {{pages: [{{recipient: ana, pages: \"1-3\"}}]}}{mail}")), ""),
        (job(", deliver: [{mail: {list: Readers, subject: x}}]"), "print.deliver.mail.list"),
        (job(", deliver: [{mail: {list: readers, subject: \"\"}}]"), "print.deliver.mail.subject"),
        (
            job(", deliver: [{mail: {list: readers, subject: \"a\\nBcc: x\"}}]"),
            "print.deliver.mail.subject",
        ),
        (job(", deliver: [{directory: {path: out}}]"), "print.deliver.directory.path"),
        (job(", deliver: [{sftp: {to: \"ana@host.example:/in\"}}]"), ""),
        (job(", deliver: [{sftp: {to: \"ana@{{site}}.example:/in\"}}]"), ""),
        (job(", deliver: [{sftp: {to: \"host.example:/in\"}}]"), "print.deliver.sftp.to"),
        (job(", deliver: [{sftp: {to: \"ana@host.example:in\"}}]"), "print.deliver.sftp.to"),
        (job(", deliver: [{sftp: {to: \"-oProxyCommand=x@host:/in\"}}]"), "print.deliver.sftp.to"),
        (job(", deliver: [{sftp: {to: \"ana@-oProxyCommand=x:/in\"}}]"), "print.deliver.sftp.to"),
        (job(", deliver: [{sftp: {to: \"ana@$(reboot):/in\"}}]"), "print.deliver.sftp.to"),
        (job(", deliver: [{sftp: {to: \"@host:/in\"}}]"), "print.deliver.sftp.to"),
    ];
    for (text, field) in table {
        let found = wrong(&text);
        match field {
            "" => assert_eq!(found, Vec::<String>::new(), "{text}"),
            field => assert_eq!(found, [field], "{text}"),
        }
    }
}

#[test]
fn a_print_job_runs_on_one_host_by_the_word_of_the_centre_and_nobody_runs_it_again_by_itself() {
    let job = "kind: print\nname: nightly\nprint: {queue: office, documents: {files: /srv/*.pdf}}";
    for (more, field) in [
        ("restartable: true", "restartable"),
        ("hosts: all", "hosts"),
        ("host: h1\nschedule: {cron: \"0 2 * * *\"}\nautonomy: {lease: 8h}", "autonomy"),
        ("artefacts: {report: /srv/x}", "artefacts"),
        ("command: {argv: [/bin/true]}", "command"),
    ] {
        let found = wrong(&format!("{job}\n{more}\n"));
        assert!(found.contains(&field.to_owned()), "{more}: {found:?}");
    }
}

#[test]
fn what_is_written_as_yaml_reads_back_as_it_was() {
    let all = "kind: queue\nname: q\nprinter: ipps://p.example/ipp\ntransport: server\nrelease: code\n\
        formats: [pdf]\nkeep: 30d\ninbox: {host: h1, directory: /srv, options: {copies: 2, pages: [\"1-3\", \"5\", \"8-\"]}}\n\
        ---\nkind: form\nname: f\naccount: pay\nqueue: q\ndigits: 8\n\
        positive-pay: {columns: [account, {text: X}], separator: \";\", header: false, cents: true}\n\
        ---\nkind: print\nname: j\nprint: {queue: q, documents: {artefact: {job: a, name: b}}, form: f, release: person,\n\
        \x20 control: {file: /srv/t, count: \"n (.*)\"}, deliver: [{mail: {list: l, subject: s, attach: false}}]}\n";
    let read = parse_yaml("all.yaml", all).unwrap();
    assert_eq!(read.len(), 3);
    for definition in &read {
        let yaml = match definition {
            Definition::Job(job) => to_yaml(job).unwrap(),
            Definition::Thing(thing) => thing.value().unwrap().to_string(),
        };
        assert_eq!(
            parse_yaml("again.yaml", &yaml).unwrap(),
            std::slice::from_ref(definition),
            "{yaml}"
        );
    }
}
