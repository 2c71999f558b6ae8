//! Jobs of Rundeck as they are written there.

use super::*;
use crate::import::document::Document;

fn imported(text: &str) -> Imported {
    let mut imported = import(&[Text::new("jobs.yaml", text)], "Europe/Berlin");
    imported.settle();
    imported
}

const JOB: &str = "\
- defaultTab: output
  description: Hands the month to the bank
  executionEnabled: true
  group: finance/night
  id: 6e1d
  loglevel: INFO
  loglimit: 20MB
  loglimitAction: halt
  name: Payroll Export
  nodefilters:
    dispatch:
      threadcount: '4'
    filter: 'tags: payroll'
  notification:
    onfailure:
      email: { recipients: ops@example.com }
  options:
  - name: month
    required: true
    enforced: true
    values: [last, this]
    value: last
  - name: db_password
    secure: true
    storagePath: keys/payroll/db
  - name: comment
    regex: '[a-z]+'
  orchestrator: { type: rankTiered }
  retry: { retry: '2', delay: 5m }
  schedule:
    month: '*'
    time: { hour: '02', minute: '30', seconds: '0' }
    weekday: { day: MON-FRI }
    year: '*'
  scheduleEnabled: false
  sequence:
    keepgoing: false
    strategy: node-first
    commands:
    - exec: /opt/payroll/export --month ${option.month} --note '${option.comment}'
  timeZone: America/New_York
  timeout: 1h 30m
";

#[test]
fn a_job_becomes_a_job() {
    let imported = imported(JOB);
    let job = imported.only();
    let yaml = domain::job::to_yaml(job).unwrap();
    for part in [
        "name: finance.night.payroll-export\n",
        "quartz: 0 30 02 * * MON-FRI *",
        "zone: America/New_York",
        "timeout: 1h30m",
        "limit-bytes: 20971520",
        "at-limit: fail",
        "tag: payroll",
        "hosts: all",
        "type: choice",
        "env: RD_OPTION_MONTH",
        "RD_OPTION_DB_PASSWORD: credential:db_password",
    ] {
        assert!(yaml.contains(part), "{part} in\n{yaml}");
    }
    assert_eq!(
        job.description,
        "Hands the month to the bank; from jobs.yaml line 1 (finance/night/Payroll Export)"
    );
    let command = job.command.argv.as_ref().unwrap();
    assert_eq!(
        command[2],
        "/opt/payroll/export --month \"${RD_OPTION_MONTH}\" --note ''\"${RD_OPTION_COMMENT}\"''"
    );
    assert_eq!(job.retry.delays.len(), 2);
    imported.has_left_out(14, "who is told");
    for (line, text) in [
        (13, "tag=payroll"),
        (13, "threadcount"),
        (23, "credential db_password"),
        (26, "regex"),
        (28, "orchestrator"),
        (35, "decklog job pause finance.night.payroll-export"),
    ] {
        imported.has_noted(line, text);
    }
    assert_eq!(imported.left_out.len(), 1, "{:#?}", imported.left_out);
}

#[test]
fn steps_become_one_script_that_ends_or_goes_on_as_the_sequence_does() {
    let text = |keepgoing: bool| {
        format!(
            "- name: a\n  sequence:\n    keepgoing: {keepgoing}\n    commands:\n    - exec: /bin/one\n    - script: |\n        #!/bin/bash\n        two=@option.x@\n        three $1\n      args: -x ${{option.x}}\n  options:\n  - {{ name: x, value: '1' }}\n"
        )
    };
    let stops = imported(&text(false));
    let command = &stops.only().command;
    assert_eq!(
        command.script.as_deref().unwrap(),
        "(\n/bin/one\n) || exit $?\n(\nset -- -x \"${RD_OPTION_X}\"\n#!/bin/bash\ntwo=\"${RD_OPTION_X}\"\nthree $1\n) || exit $?\n"
    );
    assert_eq!(command.interpreter, ["/bin/bash"]);
    let goes_on = imported(&text(true));
    let script = goes_on.only().command.script.clone().unwrap();
    assert_eq!(script.matches(") || failed=$?").count(), 2);
    assert!(script.ends_with("exit \"${failed:-0}\"\n"), "{script}");
}

#[test]
fn a_script_keeps_its_interpreter() {
    let text = "- name: a\n  sequence:\n    commands:\n    - script: |\n        #!/usr/bin/env python3\n        print(1)\n- name: b\n  sequence:\n    commands:\n    - script: say hi\n      scriptInterpreter: perl -w\n";
    let imported = imported(text);
    let interpreters: Vec<_> =
        imported.jobs().iter().map(|j| j.command.interpreter.clone()).collect();
    assert_eq!(interpreters, [vec!["/usr/bin/env", "python3"], vec!["perl", "-w"]]);
}

#[test]
fn jobs_that_run_others_become_flows() {
    let text = "\
- name: load
  sequence: { commands: [{ exec: /bin/load }] }
- name: report
  group: out
  uuid: 77-1
  sequence: { commands: [{ exec: /bin/report }] }
- name: night
  schedule: { crontab: 0 0 1 ? * * * }
  sequence:
    keepgoing: false
    commands:
    - jobref: { name: load, group: '' }
    - jobref: { name: report, uuid: 77-1 }
";
    let imported = imported(text);
    assert_eq!(imported.names(), ["load", "out.report", "night"]);
    let flow = imported.found.iter().find(|found| matches!(found.what, Document::Flow(_))).unwrap();
    let definitions = flow.what.definitions().unwrap();
    let report = definitions.iter().find(|d| d.name() == "night.report").unwrap().job().unwrap();
    assert_eq!(report.after[0].job, "night.load");
    assert_eq!(report.schedule.as_ref().unwrap().to_string(), "quartz: 0 0 1 ? * * *");
    assert!(imported.left_out.is_empty(), "{:#?}", imported.left_out);
}

#[test]
fn what_cannot_be_carried_is_left_out_with_its_line() {
    let step = |step: &str| format!("- name: a\n  sequence:\n    commands:\n    - {step}\n");
    let table = [
        (step("scriptfile: /x.sh"), 4, "on the server"),
        (step("scripturl: http://x"), 4, "behind an address"),
        (step("{ type: some-plugin, nodeStep: true }"), 4, "plugin"),
        (step("{ exec: x, errorhandler: { exec: y } }"), 4, "error handler"),
        (step("exec: echo ${node.hostname}"), 4, "node.hostname"),
        (step("jobref: { name: b }"), 4, "not among the files"),
        (step("jobref: { name: b, args: -x 1 }"), 4, "arguments"),
        (step("exec: x\n    - jobref: { name: b }"), 5, "mixes"),
        (step("script: |\n        #!/usr/bin/perl\n        @option.x@"), 4, "no shell's"),
        (step("exec: x\n  schedule: { crontab: 0 0 25 ? * * }"), 5, "hour"),
        (
            step("exec: x\n  timeZone: Mars/Base\n  schedule: { crontab: 0 0 1 ? * * }"),
            5,
            "unknown time zone",
        ),
        (step("exec: x\n  nodefilters: { filter: 'tags: a+b' }"), 5, "one name"),
        (step("exec: x\n  options:\n  - { name: f, type: file }"), 6, "uploads"),
        (
            step(
                "exec: x\n  schedule: { crontab: 0 0 1 ? * * }\n  options:\n  - { name: f, required: true }",
            ),
            1,
            "needs a default",
        ),
        ("- name: a\n".to_owned(), 1, "no steps"),
        ("- a\n".to_owned(), 1, "no name"),
    ];
    for (text, line, reason) in table {
        let imported = imported(&text);
        assert!(imported.found.is_empty(), "{text}: {imported:#?}");
        imported.has_left_out(line, reason);
    }
}

#[test]
fn the_xml_form_says_the_same() {
    let text = "\
<joblist>
  <job>
    <id>6e1d</id>
    <name>Payroll Export</name>
    <group>finance</group>
    <context>
      <options preserveOrder='true'>
        <option name='month' required='true' enforcedvalues='true' values='last,this' value='last'/>
      </options>
    </context>
    <sequence keepgoing='true' strategy='node-first'>
      <command><exec>/opt/a ${option.month}</exec></command>
      <command>
        <script><![CDATA[
  two $1
]]></script>
        <scriptargs>-v</scriptargs>
      </command>
    </sequence>
    <nodefilters><filter>name: db-07</filter></nodefilters>
    <dispatch><threadcount>1</threadcount></dispatch>
    <schedule>
      <time hour='2' minute='30' seconds='0'/>
      <weekday day='MON-FRI'/>
      <month month='*'/>
      <year year='*'/>
    </schedule>
    <timeZone>Europe/Paris</timeZone>
    <logging limit='1MB' limitAction='truncate'/>
    <retry delay='10s'>3</retry>
    <multipleExecutions>false</multipleExecutions>
  </job>
  <job>
    <name>night</name>
    <sequence><command><jobref name='Payroll Export' group='finance'><arg line='-x 1'/></jobref></command></sequence>
  </job>
</joblist>
";
    let imported = imported(text);
    let job = imported.only();
    assert_eq!(job.name, "finance.payroll-export");
    assert_eq!(job.schedule.as_ref().unwrap().to_string(), "quartz: 0 30 2 * * MON-FRI *");
    assert_eq!((job.zone.as_str(), job.host.as_deref()), ("Europe/Paris", Some("db-07")));
    assert_eq!(job.retry.delays.len(), 3);
    assert_eq!(job.output.limit_bytes, 1_048_576);
    assert_eq!(job.parameters["month"].choices, ["last", "this"]);
    let script = job.command.script.as_deref().unwrap();
    assert!(script.contains("set -- -v\n  two $1"), "{script}");
    assert_eq!(imported.lines_left_out(), [35]);
    assert!(imported.notes.is_empty(), "{:#?}", imported.notes);
}

#[test]
fn a_file_that_cannot_be_read_is_left_out_whole() {
    imported("<joblist><job></joblist>").has_left_out(1, "");
    imported("<html/>").has_left_out(1, "no list of Rundeck's jobs");
    imported("[]\n").has_left_out(1, "no job");
}
