//! What holds for every format: no text stops an import, and what it makes can be said in a file.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::systemd::UnitFile;
use super::*;

/// Files of all formats, cut and put together anew.
const LINES: [&str; 48] = [
    "- name: a",
    "  group: x/y",
    "  schedule: { crontab: 0 0 8 L * ? }",
    "  sequence: { commands: [{ exec: 'x ${option.a} \"' }] }",
    "  options: [{ name: A-b, enforced: true, values: [1, 2] }]",
    "  nodefilters: { filter: 'tags: a,b' }",
    "a.b = 0 0/5 * ? * 2#1 zone=UTC : x",
    "insert_job: A job_type: BOX",
    "insert_job: B job_type: CMD",
    "insert_job: C job_type: FW",
    "box_name: A",
    "box_name: B",
    "command: x \\: \"y",
    "condition: s(A) & (d(B, 0) and f(C))",
    "condition: s(C)",
    "date_conditions: 1",
    "start_times: \"6:00, 18:30\"",
    "start_mins: 0,15",
    "watch_file: /a",
    "resources: (a, QUANTITY=2) AND (b)",
    "/* x */ run_window: 1:00-2:00",
    "<DEFTABLE>",
    "<FOLDER DAYS='1'>",
    "<JOB JOBNAME='A' TASKTYPE='Dummy' DAYS='D1,L1' DAYSCAL='w' CYCLIC='1' INTERVAL='15M'>",
    "<INCOND NAME='A'/>",
    "<OUTCOND NAME='A'/>",
    "</JOB>",
    "</FOLDER>",
    "</DEFTABLE>",
    "<joblist><job><name>a</name></job></joblist>",
    "<job-scheduling-data><schedule><job><name>a</name></job></schedule></job-scheduling-data>",
    "BEGIN:VEVENT",
    "UID:1",
    "SUMMARY:ü\\, x",
    "DTSTART;VALUE=DATE:20260131",
    "DTSTART;TZID=Europe/Berlin:20260329T023000",
    "DURATION:P1D",
    "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1,30,31",
    "EXDATE;VALUE=DATE:20260228",
    "RECURRENCE-ID;VALUE=DATE:20260331",
    "END:VEVENT",
    "[Timer]",
    "OnCalendar=Mon *-*~07/1 8..17/2:0/20",
    "OnUnitActiveSec=1h 1.5ms",
    "[Service]",
    "ExecStart=-/bin/x %n %% ${A}x $B \\x41 'q'",
    "Environment=A=b \"C=d e\" \\",
    "SuccessExitStatus=3 SIGTERM",
];

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(LINES.to_vec()).prop_map(str::to_owned);
    let cut = (prop::sample::select(LINES.to_vec()), 0_usize..60)
        .prop_map(|(line, at)| draft::cut(line, at).to_owned());
    let line = prop_oneof![8 => known, 2 => cut, 1 => "\\PC{0,12}"];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

fn by_all(text: &str) -> Vec<Imported> {
    let files = [Text::new("f", text)];
    let unit = |name: &str| UnitFile {
        name: name.to_owned(),
        asked: true,
        named: true,
        texts: files.to_vec(),
    };
    let commands = quartz::Commands::parse(&["DEFAULT.a=x".to_owned()]).unwrap();
    let mut all = vec![
        rundeck::import(&files, "UTC"),
        quartz::import(&files, &commands, "UTC"),
        jil::import(&files, "UTC"),
        controlm::import(&files, "UTC"),
        ics::import(&files, "c", 2026, 2027).unwrap(),
        systemd::import(&[unit("a.timer"), unit("a.service")], "UTC"),
    ];
    all.iter_mut().for_each(Imported::settle);
    all
}

proptest! {
    #[test]
    fn no_text_stops_an_import_and_what_it_makes_can_be_said(text in text()) {
        let lines = text.lines().count().max(1);
        for imported in by_all(&text) {
            let mut names = BTreeSet::new();
            for found in &imported.found {
                prop_assert!(!found.definitions.is_empty(), "{found:?}");
                prop_assert!(names.insert((found.what.kind(), found.what.name())), "{imported:#?}");
            }
            for remark in imported.left_out.iter().chain(&imported.notes) {
                prop_assert!((1..=lines).contains(&remark.at.line), "{remark:?}\n{text}");
                prop_assert!(!remark.text.is_empty());
            }
        }
    }
}

#[test]
fn what_would_have_the_name_of_another_is_left_out() {
    let text = "insert_job: N job_type: BOX\n\ninsert_job: A job_type: c\nbox_name: N\ncommand: x\n\ninsert_job: N.A job_type: c\ncommand: y\n";
    let mut imported = jil::import(&[Text::new("f", text)], "UTC");
    imported.settle();
    assert_eq!(imported.names(), ["n"]);
    imported.has_left_out(7, "another job is called n.a already");
}
