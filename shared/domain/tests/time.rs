//! Schedules against the days on which clocks change, and against what people write.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use domain::time::{
    AtList, AtTime, DstPolicy, Every, Gap, HumanDuration, Occurrence, OverlapTime, Reason,
    Schedule, ScheduleError, ScheduleSpec, occurrence_label, tzdb_version_from,
};
use jiff::Timestamp;
use proptest::prelude::*;

const NEW_YORK: &str = "America/New_York";

fn cron(line: &str) -> ScheduleSpec {
    ScheduleSpec::Cron(line.to_owned())
}

fn quartz(line: &str) -> ScheduleSpec {
    ScheduleSpec::Quartz(line.to_owned())
}

fn policy(gap: Gap, overlap_time: OverlapTime) -> DstPolicy {
    DstPolicy { gap, overlap_time }
}

fn schedule(spec: &ScheduleSpec, zone: &str, policy: DstPolicy) -> Schedule {
    Schedule::parse(spec, zone, policy).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The occurrences that run after the first instant of the range, up to and including the second.
fn found(spec: &ScheduleSpec, zone: &str, policy: DstPolicy, range: [&str; 2]) -> Vec<Occurrence> {
    let schedule = schedule(spec, zone, policy);
    let all = schedule.between(instant(range[0]), instant(range[1]));
    all.filter(|occurrence| occurrence.out.is_none()).collect()
}

/// Those that the schedule itself leaves out.
fn left_out(schedule: &Schedule, range: [&str; 2]) -> Vec<Occurrence> {
    let all = schedule.between(instant(range[0]), instant(range[1]));
    all.filter(|occurrence| occurrence.out.is_some()).collect()
}

fn shown(occurrences: &[Occurrence]) -> Vec<String> {
    let line =
        |found: &Occurrence| format!("{} {}", occurrence_label(found), found.reason.as_str());
    occurrences.iter().map(line).collect()
}

#[track_caller]
fn expect(line: &str, zone: &str, policy: DstPolicy, range: [&str; 2], wanted: &[&str]) {
    assert_eq!(shown(&found(&cron(line), zone, policy, range)), wanted, "{line} in {zone}");
}

fn refusal(spec: &ScheduleSpec, zone: &str) -> String {
    Schedule::parse(spec, zone, DstPolicy::default()).expect_err("should be refused").to_string()
}

/// 2026-03-08 in New York without its first instant, midnight; the clock goes from 02:00 to 03:00.
const SPRING: [&str; 2] = ["2026-03-08T00:00-05:00", "2026-03-08T23:59-04:00"];
/// 2026-11-01 in New York likewise; the clock goes from 02:00 back to 01:00.
const AUTUMN: [&str; 2] = ["2026-11-01T00:00-04:00", "2026-11-01T23:59-05:00"];

#[test]
fn a_list_of_hours_keeps_both_runs_on_the_day_of_the_gap() {
    expect(
        "30 2,14 * * *",
        NEW_YORK,
        DstPolicy::default(),
        SPRING,
        &["2026-03-08T03:30-04:00 gap-shifted", "2026-03-08T14:30-04:00 exact"],
    );
}

#[test]
fn a_list_of_minutes_keeps_its_spacing_across_the_gap() {
    expect(
        "0,30 2 * * *",
        NEW_YORK,
        DstPolicy::default(),
        SPRING,
        &["2026-03-08T03:00-04:00 gap-shifted", "2026-03-08T03:30-04:00 gap-shifted"],
    );
}

#[test]
fn a_list_of_hours_runs_once_in_the_overlap() {
    expect(
        "30 1,13 * * *",
        NEW_YORK,
        DstPolicy::default(),
        AUTUMN,
        &["2026-11-01T01:30-04:00 overlap-first", "2026-11-01T13:30-05:00 exact"],
    );
}

#[test]
fn a_range_that_covers_every_value_is_still_a_list_of_fixed_times() {
    let spring = found(&cron("0-59 2 * * *"), NEW_YORK, DstPolicy::default(), SPRING);
    assert_eq!(spring.len(), 60);
    assert!(spring.iter().all(|found| found.reason == Reason::GapShifted));
    let autumn = found(&cron("0 1-5 * * *"), NEW_YORK, DstPolicy::default(), AUTUMN);
    assert_eq!(autumn.len(), 5);
}

#[test]
fn a_step_has_no_times_in_the_gap() {
    let range = ["2026-03-08T01:00-05:00", "2026-03-08T04:00-04:00"];
    expect(
        "*/30 * * * *",
        NEW_YORK,
        DstPolicy::default(),
        range,
        &[
            "2026-03-08T01:30-05:00 exact",
            "2026-03-08T03:00-04:00 exact",
            "2026-03-08T03:30-04:00 exact",
            "2026-03-08T04:00-04:00 exact",
        ],
    );
    expect("*/30 2 * * *", NEW_YORK, DstPolicy::default(), SPRING, &[]);
}

#[test]
fn a_step_runs_in_both_halves_of_the_overlap_in_order() {
    let range = ["2026-11-01T00:30-04:00", "2026-11-01T02:00-05:00"];
    expect(
        "*/30 * * * *",
        NEW_YORK,
        DstPolicy::default(),
        range,
        &[
            "2026-11-01T01:00-04:00 both-halves",
            "2026-11-01T01:30-04:00 both-halves",
            "2026-11-01T01:00-05:00 both-halves",
            "2026-11-01T01:30-05:00 both-halves",
            "2026-11-01T02:00-05:00 exact",
        ],
    );
}

#[test]
fn two_times_that_come_to_one_instant_are_one_occurrence_naming_both() {
    let found = found(&cron("30 2,3 * * *"), NEW_YORK, DstPolicy::default(), SPRING);
    assert_eq!(shown(&found), ["2026-03-08T03:30-04:00 gap-shifted"]);
    let walls: Vec<String> = found[0].walls.iter().map(ToString::to_string).collect();
    assert_eq!(walls, ["2026-03-08T02:30:00", "2026-03-08T03:30:00"]);
    assert_eq!(
        found[0].describe(),
        "02:30 does not exist on 2026-03-08 in America/New_York; read with the offset before the gap; \
         03:30 on 2026-03-08 in America/New_York, as written: runs at 03:30 on 2026-03-08 in \
         America/New_York"
    );
}

#[test]
fn times_moved_out_of_the_gap_interleave_with_later_ones_in_order() {
    expect(
        "0,15,45 2,3 * * *",
        NEW_YORK,
        DstPolicy::default(),
        SPRING,
        &[
            "2026-03-08T03:00-04:00 gap-shifted",
            "2026-03-08T03:15-04:00 gap-shifted",
            "2026-03-08T03:45-04:00 gap-shifted",
        ],
    );
    let mixed = ScheduleSpec::At(AtList(vec![
        "2026-03-08T02:30".parse().unwrap(),
        "2026-03-08T03:00".parse().unwrap(),
    ]));
    assert_eq!(
        shown(&found(&mixed, NEW_YORK, DstPolicy::default(), SPRING)),
        ["2026-03-08T03:00-04:00 exact", "2026-03-08T03:30-04:00 gap-shifted"]
    );
}

#[test]
fn gap_end_moves_a_time_to_the_first_instant_after_the_gap() {
    let end = policy(Gap::End, OverlapTime::First);
    expect("30 2 * * *", NEW_YORK, end, SPRING, &["2026-03-08T03:00-04:00 gap-end"]);
    let both = found(&cron("0,30 2 * * *"), NEW_YORK, end, SPRING);
    assert_eq!(shown(&both), ["2026-03-08T03:00-04:00 gap-end"]);
    assert_eq!(both[0].walls.len(), 2);
}

#[test]
fn gap_skip_leaves_a_time_out_and_says_so() {
    let skip = policy(Gap::Skip, OverlapTime::First);
    let line = cron("30 2,14 * * *");
    assert_eq!(shown(&found(&line, NEW_YORK, skip, SPRING)), ["2026-03-08T14:30-04:00 exact"]);
    let schedule = schedule(&line, NEW_YORK, skip);
    let left_out = left_out(&schedule, SPRING);
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0].at, instant("2026-03-08T07:00Z"));
    assert_eq!(
        left_out[0].describe_out().unwrap(),
        "02:30 does not exist on 2026-03-08 in America/New_York; left out (gap: skip)"
    );
    let range = ["2026-03-08T07:00Z", "2026-12-01T00:00Z"];
    assert_eq!(self::left_out(&schedule, range), []);
    let range = ["2026-01-01T00:00Z", "2031-01-01T00:00Z"];
    assert_eq!(self::left_out(&schedule, range).len(), 5);
}

#[test]
fn only_the_policy_skip_leaves_times_out() {
    for (line, gap) in
        [("30 2 * * *", Gap::Shift), ("30 2 * * *", Gap::End), ("*/30 2 * * *", Gap::Skip)]
    {
        let schedule = schedule(&cron(line), NEW_YORK, policy(gap, OverlapTime::First));
        assert_eq!(left_out(&schedule, SPRING), [], "{line}");
    }
}

#[test]
fn the_overlap_policy_chooses_the_second_or_both() {
    let second = policy(Gap::Shift, OverlapTime::Second);
    expect("30 1 * * *", NEW_YORK, second, AUTUMN, &["2026-11-01T01:30-05:00 overlap-second"]);
    let both = policy(Gap::Shift, OverlapTime::Both);
    expect(
        "0,30 1 * * *",
        NEW_YORK,
        both,
        AUTUMN,
        &[
            "2026-11-01T01:00-04:00 overlap-first",
            "2026-11-01T01:30-04:00 overlap-first",
            "2026-11-01T01:00-05:00 overlap-second",
            "2026-11-01T01:30-05:00 overlap-second",
        ],
    );
}

#[test]
fn lord_howe_moves_its_clock_by_half_an_hour() {
    // 2026-10-04: 02:00+10:30 becomes 02:30+11:00. 2026-04-05: 02:00+11:00 becomes 01:30+10:30.
    let zone = "Australia/Lord_Howe";
    let spring = ["2026-10-04T00:00+10:30", "2026-10-04T12:00+11:00"];
    expect(
        "15,45 2 * * *",
        zone,
        DstPolicy::default(),
        spring,
        &["2026-10-04T02:45+11:00 gap-shifted"],
    );
    let autumn = ["2026-04-05T00:00+11:00", "2026-04-05T12:00+10:30"];
    expect(
        "15,45 1 * * *",
        zone,
        DstPolicy::default(),
        autumn,
        &["2026-04-05T01:15+11:00 exact", "2026-04-05T01:45+11:00 overlap-first"],
    );
}

#[test]
fn sao_paulo_had_no_midnight_on_the_day_summer_time_began() {
    let day = ["2018-11-03T12:00-03:00", "2018-11-04T12:00-02:00"];
    let zone = "America/Sao_Paulo";
    expect("0 0 * * *", zone, DstPolicy::default(), day, &["2018-11-04T01:00-02:00 gap-shifted"]);
    expect("@daily", zone, DstPolicy::default(), day, &["2018-11-04T01:00-02:00 gap-shifted"]);
    // It went back at midnight as well, so the last hour of 17 February came twice.
    let back = ["2018-02-17T20:00-02:00", "2018-02-18T12:00-03:00"];
    expect(
        "30 23 * * *",
        zone,
        DstPolicy::default(),
        back,
        &["2018-02-17T23:30-02:00 overlap-first"],
    );
}

#[test]
fn apia_lost_a_whole_day_and_its_times_fall_on_the_next() {
    let range = ["2011-12-29T12:00-10:00", "2012-01-01T00:00+14:00"];
    let found = found(&cron("30 2 * * *"), "Pacific/Apia", DstPolicy::default(), range);
    assert_eq!(shown(&found), ["2011-12-31T02:30+14:00 gap-shifted"]);
    assert_eq!(found[0].walls.len(), 2);
    let skip = policy(Gap::Skip, OverlapTime::First);
    let skipping = schedule(&cron("30 2 * * *"), "Pacific/Apia", skip);
    assert_eq!(left_out(&skipping, range).len(), 1);
    let end = policy(Gap::End, OverlapTime::First);
    expect(
        "30 2 * * *",
        "Pacific/Apia",
        end,
        range,
        &["2011-12-31T00:00+14:00 gap-end", "2011-12-31T02:30+14:00 exact"],
    );
}

#[test]
fn morocco_and_dublin_follow_their_own_calendars() {
    // Ramadan 2026: the clock goes back on 15 February at 03:00 and forward on 22 March at 02:00.
    expect(
        "30 2 * * *",
        "Africa/Casablanca",
        DstPolicy::default(),
        ["2026-02-14T12:00Z", "2026-02-15T12:00Z"],
        &["2026-02-15T02:30+01:00 overlap-first"],
    );
    expect(
        "30 2 * * *",
        "Africa/Casablanca",
        DstPolicy::default(),
        ["2026-03-21T12:00Z", "2026-03-22T12:00Z"],
        &["2026-03-22T03:30+01:00 gap-shifted"],
    );
    // Irish law calls winter time the exception; the clock does what London's does.
    expect(
        "30 1 * * *",
        "Europe/Dublin",
        DstPolicy::default(),
        ["2026-03-28T12:00Z", "2026-03-29T12:00Z"],
        &["2026-03-29T02:30+01:00 gap-shifted"],
    );
    expect(
        "30 1 * * *",
        "Europe/Dublin",
        DstPolicy::default(),
        ["2026-10-24T12:00Z", "2026-10-25T12:00Z"],
        &["2026-10-25T01:30+01:00 overlap-first"],
    );
}

/// The dates of the first `count` occurrences in UTC after 2026-01-01T00:00 (excluded).
fn dates(spec: &ScheduleSpec, count: usize) -> Vec<String> {
    let schedule = schedule(spec, "UTC", DstPolicy::default());
    let range = (instant("2026-01-01T00:00Z"), instant("2100-01-01T00:00Z"));
    let date = |found: Occurrence| found.local.date().to_string();
    schedule.between(range.0, range.1).take(count).map(date).collect()
}

#[test]
fn weekdays_nought_and_seven_are_sunday_and_one_is_monday() {
    for (line, first) in [
        ("0 12 * * 0", "2026-01-04"),
        ("0 12 * * 7", "2026-01-04"),
        ("0 12 * * sun", "2026-01-04"),
        ("0 12 * * 1", "2026-01-05"),
        ("0 12 * * FRI-SUN", "2026-01-02"),
        ("0 12 * * SUN-MON", "2026-01-04"),
        ("0 12 * * 6-7", "2026-01-03"),
    ] {
        assert_eq!(dates(&cron(line), 1), [first], "{line}");
    }
}

#[test]
fn a_day_of_month_or_a_weekday_is_enough() {
    let days = dates(&cron("0 0 13 * 5"), 4);
    assert_eq!(days, ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]);
}

#[test]
fn a_day_field_starting_with_a_star_must_match_too() {
    // crontab(5): with `*/2` as day of month a Monday must also be an odd day.
    let days = dates(&cron("0 0 */2 * 1"), 3);
    assert_eq!(days, ["2026-01-05", "2026-01-19", "2026-02-09"]);
}

#[test]
fn last_days_nearest_working_days_and_nth_weekdays_are_found() {
    for (line, wanted) in [
        ("0 0 L * *", ["2026-01-31", "2026-02-28"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27"]),
        ("0 0 15W * *", ["2026-01-15", "2026-02-16"]),
        ("0 0 * * 5L", ["2026-01-30", "2026-02-27"]),
        ("0 0 * * FRIL", ["2026-01-30", "2026-02-27"]),
        ("0 0 * * MON#2", ["2026-01-12", "2026-02-09"]),
        ("0 0 1,L FEB *", ["2026-02-01", "2026-02-28"]),
    ] {
        assert_eq!(dates(&cron(line), 2), wanted, "{line}");
    }
}

#[test]
fn a_leap_day_is_found_eight_years_on_and_a_leap_monday_forty() {
    let leap = schedule(&cron("0 0 29 2 *"), "UTC", DstPolicy::default());
    let found = leap.next(instant("2096-03-01T00:00Z")).unwrap();
    assert_eq!(found.label(), "2104-02-29T00:00+00:00");
    let fifth_monday = schedule(&cron("0 0 * 2 1#5"), "UTC", DstPolicy::default());
    let found = fifth_monday.next(instant("2072-03-01T00:00Z")).unwrap();
    assert_eq!(found.label(), "2112-02-29T00:00+00:00");
}

#[test]
fn the_words_of_crontab_mean_what_crontab_says() {
    for (word, line) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Annually", "0 0 1 1 *"),
    ] {
        let range = ["2026-02-20T00:00Z", "2028-02-20T00:00Z"];
        let both =
            [word, line].map(|text| found(&cron(text), NEW_YORK, DstPolicy::default(), range));
        assert_eq!(both[0], both[1], "{word}");
    }
}

#[test]
fn seconds_may_stand_first_and_show_in_the_label() {
    let range = ["2026-11-20T00:00-05:00", "2026-11-20T12:00-05:00"];
    expect(
        "0,5 30 2 * * *",
        NEW_YORK,
        DstPolicy::default(),
        range,
        &["2026-11-20T02:30-05:00 exact", "2026-11-20T02:30:05-05:00 exact"],
    );
    // A step in the seconds does not make a fixed time an elapsed one.
    let spring = found(&cron("*/20 30 2 * * *"), NEW_YORK, DstPolicy::default(), SPRING);
    assert_eq!(spring.len(), 3);
    assert!(spring.iter().all(|found| found.reason == Reason::GapShifted));
}

#[test]
fn a_schedule_that_never_fires_is_refused() {
    for line in ["0 0 31 2 *", "0 0 30 FEB *", "0 0 31 4,6,9,11 *"] {
        assert_eq!(
            refusal(&cron(line), "UTC"),
            format!(
                "`{line}` never fires: no date matches its day, month and year fields together"
            )
        );
    }
    assert!(refusal(&quartz("0 0 0 31 2 ?"), "UTC").contains("never fires"));
    assert!(refusal(&ScheduleSpec::At(AtList::default()), "UTC").contains("its list is empty"));
}

#[test]
fn a_wrong_field_is_named_with_what_it_may_hold() {
    for (line, wanted) in [
        ("61 * * * *", "the minute field `61` holds 61, which is out of range; allowed: 0-59"),
        ("0 24 * * *", "the hour field `24` holds 24, which is out of range; allowed: 0-23"),
        ("0 0 0 * *", "the day-of-month field `0` holds 0, which is out of range"),
        ("0 0 * 13 *", "the month field `13`"),
        (
            "0 0 * * 8",
            "the day-of-week field `8` holds 8, which is out of range; allowed: 0-7 (0 and 7",
        ),
        ("1,,2 * * * *", "has an empty place in its list"),
        ("5/10 * * * *", "steps from a single value; write 5-59"),
        (
            "*/90 * * * *",
            "has a step of 90, beyond its last value 59; for other intervals use `every:`",
        ),
        ("*/0 * * * *", "has a step of 0"),
        ("0 22-2 * * *", "runs backwards from 22 to 2; write 22-23,0-2"),
        ("0 0 * * L", "says L without a weekday"),
        ("0 0 * * MON#6", "asks for occurrence 6"),
        ("0 0 * * MONTUE", "holds `MONTUE`, which is not a value"),
        ("0~59 3 * * *", "asks for a random time (`~`); choose one"),
        ("0 0 ? * *", "holds `?`, which is not a value"),
        ("* * * *", "has 4 fields: a crontab line has 5"),
        ("0 0 0 1 1 * 2030", "has 7 fields"),
        ("", "has 0 fields"),
        ("@every", "`@every`: unknown word; use @hourly"),
        ("@reboot", "`@reboot`: starting with the machine is not a schedule"),
    ] {
        let said = refusal(&cron(line), "UTC");
        assert!(said.contains(wanted), "{line}: {said}");
    }
}

#[test]
fn an_unknown_zone_is_refused_with_a_near_one() {
    for (zone, near) in [
        ("America/New York", "America/New_York"),
        ("Europe/Berln", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("Europe/Kyjiv", "Europe/Kyiv"),
    ] {
        assert_eq!(
            refusal(&cron("@daily"), zone),
            format!("unknown time zone `{zone}`; did you mean `{near}`?")
        );
    }
    for zone in ["", "Middle-earth/Shire", "localtime", "Factory", "Etc/Unknown"] {
        assert!(refusal(&cron("@daily"), zone).contains("unknown time zone"), "{zone}");
    }
}

#[test]
fn quartz_counts_weekdays_from_sunday_and_joins_both_day_fields() {
    assert_eq!(dates(&quartz("0 0 8 ? * 1"), 1), ["2026-01-04"]);
    assert_eq!(dates(&quartz("0 0 8 ? * MON"), 1), ["2026-01-05"]);
    assert_eq!(dates(&quartz("0 0 8 13 * FRI"), 2), ["2026-02-13", "2026-03-13"]);
    assert_eq!(dates(&quartz("0 0 8 1 1 ? 2030-2031"), 3), ["2030-01-01", "2031-01-01"]);
}

#[test]
fn quartz_times_follow_the_same_rules_at_a_clock_change() {
    let shown_for =
        |line, range| shown(&found(&quartz(line), NEW_YORK, DstPolicy::default(), range));
    assert_eq!(
        shown_for("0 30 2,14 * * ?", SPRING),
        ["2026-03-08T03:30-04:00 gap-shifted", "2026-03-08T14:30-04:00 exact"]
    );
    assert_eq!(
        shown_for("0 0/30 1 * * ?", AUTUMN),
        [
            "2026-11-01T01:00-04:00 both-halves",
            "2026-11-01T01:30-04:00 both-halves",
            "2026-11-01T01:00-05:00 both-halves",
            "2026-11-01T01:30-05:00 both-halves",
        ]
    );
}

#[test]
fn a_wrong_quartz_field_is_named() {
    for (line, wanted) in [
        ("0 0 8 * *", "has 5 fields: a Quartz line has 6"),
        ("0 0 25 * * ?", "the hour field `25` is not understood; allowed: 0-23"),
        ("0 0 8 L * ?", "the day-of-month field `L` is not understood"),
        ("0 0 8 ? * 0", "the day-of-week field `0` is not understood; allowed: 1-7 (1 is Sunday)"),
        ("0 0 8 ? * 2#1", "the day-of-week field `2#1`"),
    ] {
        let said = refusal(&quartz(line), "UTC");
        assert!(said.contains(wanted), "{line}: {said}");
    }
}

#[test]
fn a_quartz_line_whose_years_are_past_has_no_next() {
    let past = schedule(&quartz("0 0 8 1 1 ? 2020"), "UTC", DstPolicy::default());
    assert!(past.next(instant("2026-01-01T00:00Z")).is_none());
}

fn every(interval: &str, from: Option<&str>) -> ScheduleSpec {
    ScheduleSpec::Every(Every { interval: interval.parse().unwrap(), from: from.map(instant) })
}

#[test]
fn every_counts_elapsed_time_through_a_clock_change() {
    let range = ["2026-03-08T06:00Z", "2026-03-08T09:00Z"];
    assert_eq!(
        shown(&found(&every("1h", None), NEW_YORK, DstPolicy::default(), range)),
        [
            "2026-03-08T03:00-04:00 elapsed",
            "2026-03-08T04:00-04:00 elapsed",
            "2026-03-08T05:00-04:00 elapsed",
        ]
    );
}

#[test]
fn every_counts_from_its_anchor_and_not_before() {
    let spec = every("90m", Some("2026-01-01T00:10:00Z"));
    let range = ["2025-12-01T00:00Z", "2026-01-01T03:10Z"];
    assert_eq!(
        shown(&found(&spec, "UTC", DstPolicy::default(), range)),
        [
            "2026-01-01T00:10+00:00 elapsed",
            "2026-01-01T01:40+00:00 elapsed",
            "2026-01-01T03:10+00:00 elapsed",
        ]
    );
    let next = schedule(&spec, "UTC", DstPolicy::default()).next(instant("2026-01-01T00:10:00.5Z"));
    assert_eq!(next.unwrap().label(), "2026-01-01T01:40+00:00");
}

#[test]
fn an_interval_below_a_second_or_with_a_fraction_is_refused() {
    for interval in ["0s", "500ms", "1s500ms"] {
        assert!(refusal(&every(interval, None), "UTC").contains("at least 1s"), "{interval}");
    }
    assert!(refusal(&every("1m", Some("2026-01-01T00:00:00.5Z")), "UTC").contains("whole seconds"));
}

#[test]
fn at_lists_fixed_times_of_the_zone_and_instants() {
    let spec: ScheduleSpec = serde_saphyr::from_str(
        "at: [2026-11-01T01:30, 2026-03-08T02:30, 2026-11-01T01:30-05:00, 2026-03-08T07:30:00Z]",
    )
    .unwrap();
    let range = ["2026-01-01T00:00Z", "2027-01-01T00:00Z"];
    let found = found(&spec, NEW_YORK, DstPolicy::default(), range);
    assert_eq!(
        shown(&found),
        [
            "2026-03-08T03:30-04:00 gap-shifted",
            "2026-11-01T01:30-04:00 overlap-first",
            "2026-11-01T01:30-05:00 exact",
        ]
    );
    assert_eq!(found[0].walls.len(), 2);
    let last = schedule(&spec, NEW_YORK, DstPolicy::default()).next(found[2].at);
    assert!(last.is_none());
}

#[test]
fn an_at_time_in_a_gap_that_is_skipped_is_named_or_refused() {
    let skip = policy(Gap::Skip, OverlapTime::First);
    let two: ScheduleSpec =
        serde_saphyr::from_str("at: [2026-03-08T02:30, 2026-03-09T02:30]").unwrap();
    assert_eq!(left_out(&schedule(&two, NEW_YORK, skip), SPRING).len(), 1);
    let one: ScheduleSpec = serde_saphyr::from_str("at: 2026-03-08T02:30").unwrap();
    let error = Schedule::parse(&one, NEW_YORK, skip).unwrap_err();
    assert!(matches!(error, ScheduleError::NeverFires { .. }), "{error}");
}

#[test]
fn an_at_entry_that_could_mean_two_things_is_refused() {
    for (text, wanted) in [
        ("2026-12-01", "has no time of day"),
        ("2026-12-01T02:30[Europe/Berlin]", "names a zone"),
        ("2026-13-01T02:30", "is not a date-time"),
    ] {
        let said = text.parse::<AtTime>().unwrap_err();
        assert!(said.contains(wanted), "{text}: {said}");
    }
}

#[test]
fn every_form_of_schedule_round_trips_through_yaml_and_json() {
    for text in [
        "cron: \"30 2 * * *\"",
        "quartz: \"0 0 8 * * ?\"",
        "every: 90s",
        "every: {interval: 90s, from: 2026-01-01T00:00:00Z}",
        "at: 2026-12-01T02:30",
        "at: [2026-12-01T02:30, 2026-12-02T02:30-05:00]",
    ] {
        let spec: ScheduleSpec =
            serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let yaml = serde_saphyr::to_string(&spec).unwrap();
        assert_eq!(serde_saphyr::from_str::<ScheduleSpec>(&yaml).unwrap(), spec, "{yaml}");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ScheduleSpec>(&json).unwrap(), spec, "{json}");
    }
}

#[test]
fn a_schedule_that_does_not_read_is_refused_in_its_own_words() {
    for (text, wanted) in [
        ("crn: \"30 2 * * *\"", "crn"),
        ("every: 90", "`90` has no unit after `90`"),
        ("every: {interval: 90s, form: 2026-01-01T00:00:00Z}", "form"),
        ("every: [90s]", "a duration such as `90s`, or a map"),
        ("at: tomorrow", "`tomorrow` has no time of day"),
        ("at: [2026-12-01T02:30, noon:ish]", "`noon:ish` is not a date-time"),
    ] {
        let said = serde_saphyr::from_str::<ScheduleSpec>(text).unwrap_err().to_string();
        assert!(said.contains(wanted), "{text}: {said}");
    }
}

#[test]
fn the_policy_reads_as_it_stands_in_a_job_file() {
    let read: DstPolicy = serde_saphyr::from_str("{gap: end, overlap-time: both}").unwrap();
    assert_eq!(read, policy(Gap::End, OverlapTime::Both));
    let defaulted: DstPolicy = serde_saphyr::from_str("{gap: skip}").unwrap();
    assert_eq!(defaulted, policy(Gap::Skip, OverlapTime::First));
    assert!(serde_saphyr::from_str::<DstPolicy>("{gap: later}").is_err());
    assert!(serde_saphyr::from_str::<DstPolicy>("{gaps: end}").is_err());
    assert_eq!(serde_json::to_string(&Reason::GapShifted).unwrap(), "\"gap-shifted\"");
}

#[test]
fn the_json_schema_names_the_four_forms() {
    let schema = serde_json::to_string(&schemars::schema_for!(ScheduleSpec)).unwrap();
    for word in ["cron", "quartz", "every", "at", "interval", "HumanDuration"] {
        assert!(schema.contains(&format!("\"{word}\"")), "{word} in {schema}");
    }
}

#[test]
fn durations_read_and_write_as_people_do() {
    for (text, millis, written) in [
        ("90s", 90_000, "1m30s"),
        ("5m", 300_000, "5m"),
        ("1h30m", 5_400_000, "1h30m"),
        ("1h 30m", 5_400_000, "1h30m"),
        ("1d", 86_400_000, "1d"),
        ("2w", 1_209_600_000, "14d"),
        ("500ms", 500, "500ms"),
        ("0s", 0, "0s"),
    ] {
        let duration: HumanDuration = text.parse().unwrap();
        assert_eq!(duration, HumanDuration::from_millis(millis), "{text}");
        assert_eq!(duration.to_string(), written);
    }
    for text in
        ["", "s", "90", "1h30", "30m1h", "1h1h", "-5m", "1.5h", "5 minutes", "99999999999999w"]
    {
        assert!(text.parse::<HumanDuration>().is_err(), "{text}");
    }
}

#[test]
fn a_schedule_describes_itself_in_words_with_its_zone() {
    for (spec, wanted) in [
        (cron("30 2 * * *"), "At 02:30, America/New_York time"),
        (cron("0 12 * * MON-FRI"), "At 12:00, on Monday"),
        (quartz("0 0 8 ? * MON"), "on Monday, America/New_York time"),
        (every("90s", None), "Every 1m30s, elapsed time"),
        (
            ScheduleSpec::At("2026-12-01T02:30".parse().map(|at| AtList(vec![at])).unwrap()),
            "Once at 2026-12-01T02:30:00, America/New_York time",
        ),
    ] {
        let said = schedule(&spec, NEW_YORK, DstPolicy::default()).describe();
        assert!(said.contains(wanted), "{spec}: {said}");
    }
}

#[test]
fn the_zone_is_spelt_as_the_database_spells_it() {
    assert_eq!(
        schedule(&cron("@daily"), "europe/BERLIN", DstPolicy::default()).zone(),
        "Europe/Berlin"
    );
}

#[test]
fn the_version_of_the_tz_database_stands_in_its_first_line() {
    assert_eq!(tzdb_version_from("# version 2026a\n# ddeps\n").as_deref(), Some("2026a"));
    assert_eq!(tzdb_version_from("2026a\n").as_deref(), Some("2026a"));
    assert_eq!(tzdb_version_from("# This file is in the public domain"), None);
    assert_eq!(tzdb_version_from(""), None);
}

#[test]
fn an_empty_or_backward_range_holds_nothing() {
    let now = instant("2026-01-01T00:00Z");
    let earlier = instant("2025-01-01T00:00Z");
    for spec in [cron("* * * * *"), every("1s", None)] {
        let schedule = schedule(&spec, "UTC", DstPolicy::default());
        assert_eq!(schedule.between(now, now).count(), 0);
        assert_eq!(schedule.between(now, earlier).count(), 0);
    }
}

#[test]
fn the_ends_of_time_hold_no_surprises() {
    for spec in [cron("* * * * *"), cron("0 0 29 2 *"), every("1s", None)] {
        let schedule = schedule(&spec, NEW_YORK, DstPolicy::default());
        let _ = schedule.next(Timestamp::MIN);
        assert!(schedule.next(Timestamp::MAX).is_none());
    }
}

#[test]
fn a_schedule_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Schedule>();
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[0-9*/,#LW@?A-Za-z~ -]{0,24}") {
        let _ = Schedule::parse(&cron(&text), "UTC", DstPolicy::default());
        let _ = Schedule::parse(&quartz(&text), "UTC", DstPolicy::default());
        let _ = text.parse::<AtTime>();
        let _ = text.parse::<HumanDuration>();
        let _ = tzdb_version_from(&text);
    }

    #[test]
    fn every_duration_reads_back_from_what_it_writes(millis: u64) {
        let duration = HumanDuration::from_millis(millis);
        prop_assert_eq!(duration.to_string().parse::<HumanDuration>().unwrap(), duration);
    }

    #[test]
    fn croner_enumerates_the_same_wall_clock_times(
        minute in 0_i8..60, hour in 0_i8..24, day in 1_i8..29, weekday in 0_i8..7, step in 2_i8..20,
    ) {
        for line in [
            format!("{minute} {hour} {day} * {weekday}"),
            format!("*/{step} {hour} * * {weekday}"),
            format!("{minute} {hour} L * *"),
        ] {
            let from = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);
            let theirs = croner::parser::CronParser::new().parse(&line).unwrap()
                .iter_after(from).take(20).collect::<Vec<_>>();
            let utc = schedule(&cron(&line), "UTC", DstPolicy::default());
            let ours: Vec<_> = utc.between(instant("2026-01-01T00:00Z"), Timestamp::MAX)
                .take(20).map(|found| found.local.datetime()).collect();
            prop_assert_eq!(ours, theirs, "{}", line);
        }
    }
}
