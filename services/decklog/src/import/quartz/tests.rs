//! Schedules of Quartz as they are written.

use super::*;

fn imported(text: &str, commands: &[&str]) -> Imported {
    let commands: Vec<String> = commands.iter().map(|&entry| entry.to_owned()).collect();
    let commands = Commands::parse(&commands).unwrap();
    let mut imported = import(&[Text::new("q", text)], &commands, "Europe/Berlin");
    imported.settle();
    imported
}

#[test]
fn lines_become_jobs() {
    let text = "\
# what runs when

Finance.Close = 0 30 2 ? * MON-FRI : /opt/close --month last: yes
reports.daily=0 0/15 8-17 * * ? zone=America/New_York: PATH=/opt/bin report
month-end = 0 0 22 L * ? : /opt/end
no expression here
bad = 0 0 25 * * ? : x
none = 0 0 1 * * ? :
zone = 0 0 1 * * ? zone=Nowhere : x
";
    let imported = imported(text, &[]);
    assert_eq!(imported.names(), ["finance.close", "reports.daily", "month-end"]);
    let jobs = imported.jobs();
    let schedules: Vec<String> =
        jobs.iter().map(|job| job.schedule.as_ref().unwrap().to_string()).collect();
    assert_eq!(
        schedules,
        ["quartz: 0 30 2 ? * MON-FRI", "quartz: 0 0/15 8-17 * * ?", "cron: 0 22 L * *"]
    );
    assert_eq!(jobs[1].zone, "America/New_York");
    assert_eq!(jobs[0].command.argv.as_ref().unwrap()[2], "/opt/close --month last: yes");
    assert_eq!(imported.lines_left_out(), [6, 7, 8, 9]);
    imported.has_left_out(7, "hour");
    imported.has_left_out(9, "unknown time zone");
}

const DATA: &str = "\
<?xml version='1.0' encoding='UTF-8'?>
<job-scheduling-data xmlns='http://www.quartz-scheduler.org/xml/JobSchedulingData' version='2.0'>
  <schedule>
    <job>
      <name>daily</name>
      <group>reports</group>
      <description>The daily report</description>
      <job-class>com.example.Report</job-class>
      <recover>true</recover>
      <job-data-map><entry><key>a</key><value>b</value></entry></job-data-map>
    </job>
    <trigger>
      <cron>
        <name>t1</name>
        <job-name>daily</job-name>
        <job-group>reports</job-group>
        <calendar-name>Bank Holidays</calendar-name>
        <misfire-instruction>MISFIRE_INSTRUCTION_DO_NOTHING</misfire-instruction>
        <cron-expression>0 0 6 ? * MON-FRI</cron-expression>
        <time-zone>America/New_York</time-zone>
      </cron>
    </trigger>
    <trigger>
      <simple>
        <name>t2</name>
        <job-name>sweep</job-name>
        <repeat-count>-1</repeat-count>
        <repeat-interval>90000</repeat-interval>
      </simple>
    </trigger>
    <job>
      <name>sweep</name>
      <job-class>com.example.Sweep</job-class>
    </job>
    <trigger>
      <calendar-interval><name>t3</name><job-name>sweep</job-name></calendar-interval>
    </trigger>
    <trigger>
      <cron><name>t4</name><job-name>gone</job-name><cron-expression>0 0 6 * * ?</cron-expression></cron>
    </trigger>
  </schedule>
</job-scheduling-data>
";

#[test]
fn jobs_whose_command_is_given_are_carried_and_the_others_left_out_with_their_line() {
    let imported = imported(DATA, &["reports.daily=/usr/bin/report --daily"]);
    let job = imported.only();
    assert_eq!(job.name, "reports.daily");
    assert_eq!(job.schedule.as_ref().unwrap().to_string(), "quartz: 0 0 6 ? * MON-FRI");
    assert_eq!((job.zone.as_str(), job.catch_up), ("America/New_York", domain::job::CatchUp::None));
    assert_eq!(job.calendar.not_on, [domain::calendar::Days::named("bank-holidays")]);
    assert!(job.restartable);
    assert_eq!(job.command.argv.as_ref().unwrap()[2], "/usr/bin/report --daily");
    imported.has_noted(4, "job-data-map");
    imported.has_noted(4, "the calendar bank-holidays, which is not among what was imported");
    imported.has_left_out(31, "--command 'DEFAULT.sweep=COMMAND'");
    imported.has_left_out(36, "<calendar-interval>");
    imported.has_left_out(39, "DEFAULT.gone, which is not in the file");
    assert_eq!(imported.left_out.len(), 3, "{:#?}", imported.left_out);
}

#[test]
fn a_simple_trigger_is_an_interval_or_single_times() {
    let data = |simple: &str| {
        format!(
            "<job-scheduling-data><schedule><job><name>a</name></job><trigger><simple><job-name>a</job-name>{simple}</simple></trigger></schedule></job-scheduling-data>"
        )
    };
    let table = [
        (
            "<repeat-count>-1</repeat-count><repeat-interval>90000</repeat-interval>",
            Some("every: 1m30s"),
        ),
        (
            "<start-time>2026-12-01T02:30:00</start-time><repeat-count>-1</repeat-count><repeat-interval>3600000</repeat-interval>",
            Some("every: 1h from 2026-12-01T01:30:00Z"),
        ),
        (
            "<start-time>2026-12-01T02:30:00Z</start-time><repeat-count>1</repeat-count><repeat-interval>60000</repeat-interval>",
            Some("at: 2026-12-01T02:30:00Z, 2026-12-01T02:31:00Z"),
        ),
        ("<repeat-count>-1</repeat-count><repeat-interval>1</repeat-interval>", None),
        ("<repeat-count>5</repeat-count><repeat-interval>1000</repeat-interval>", None),
    ];
    for (simple, wanted) in table {
        let imported = imported(&data(simple), &["DEFAULT.a=/bin/a"]);
        let schedule = imported.only().schedule.as_ref().map(ToString::to_string);
        assert_eq!(schedule.as_deref(), wanted, "{simple}");
        assert_eq!(imported.left_out.len(), usize::from(wanted.is_none()), "{simple}");
    }
}

#[test]
fn a_file_that_is_something_else_is_left_out() {
    imported("<a/>", &[]).has_left_out(1, "no <job-scheduling-data>");
    imported("<a>", &[]).has_left_out(1, "");
    assert!(Commands::parse(&["nothing".to_owned()]).unwrap_err().contains("GROUP.NAME=COMMAND"));
}
