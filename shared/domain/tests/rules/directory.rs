//! Accounts that come in by a directory: what the log takes of what it says, and what it means here.

use std::collections::BTreeMap;

use domain::event::{
    Entry, LogDirectorySet, UserDirectorySaid, UserIdentitySet, UserPasswordSet, UserProvisioned,
    UserRemoved, UserTokenCreated, UserTokenUsed,
};
use domain::ledger::Mark;
use domain::people::{Directory, Grant, IDLE_MS, Identity};

use crate::given::later;
use crate::people::{HASH, People, code, grants_set, provisioned};
use crate::site::refused;

const ISSUER: &str = "https://id.example.com";

fn directory(groups: &[(&str, &[&str])]) -> LogDirectorySet {
    let grants = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let groups: BTreeMap<String, Vec<Grant>> =
        groups.iter().map(|(name, texts)| ((*name).to_owned(), grants(texts))).collect();
    let directory = Directory { issuer: ISSUER.to_owned(), groups };
    LogDirectorySet { directory, reason: "configured so".to_owned() }
}

fn identity(subject: &str) -> Identity {
    Identity { issuer: ISSUER.to_owned(), subject: subject.to_owned() }
}

fn said(subject: &str, groups: &[&str], grants: &[&str]) -> UserDirectorySaid {
    let groups = groups.iter().map(|one| (*one).to_owned()).collect();
    let grants = grants.iter().map(|text| text.parse().unwrap()).collect();
    UserDirectorySaid { identity: identity(subject), groups, grants }
}

fn linked(subject: Option<&str>) -> UserIdentitySet {
    UserIdentitySet { identity: subject.map(identity), reason: "moves to the directory".to_owned() }
}

fn people() -> People {
    let mut people = People::with(&[("mia", &["operator"])]);
    let set = directory(&[
        ("ops", &["operator", "author@folder/payroll"]),
        ("duty", &["operator"]),
        ("boss", &["approver"]),
        ("audit", &["auditor"]),
    ]);
    people.alone("log/directory", set);
    people
}

#[test]
fn whoever_comes_from_the_directory_for_the_first_time_has_an_account_that_may_what_its_groups_may()
{
    let mut people = people();
    people.alone("tom", said("t-1", &["duty", "ops"], &["operator", "author@folder/payroll"]));
    let tom = people.user("tom");
    let grants: Vec<String> = tom.grants.iter().map(Grant::to_string).collect();
    assert_eq!(grants, ["operator", "author@folder/payroll"]);
    assert_eq!(tom.identity, Some(identity("t-1")));
    people.valid("tom", "tom", people.login(Entry::Oidc, "s1"));
    // And for the next time, with others.
    let again = said("t-1", &["duty", "ops"], &["operator", "author@folder/payroll"]);
    assert_eq!(refused(&people.alone_says("tom", again)), "the log knows that already");
    people.alone("tom", said("t-1", &["boss"], &["approver"]));
    assert!(people.user("tom").session("s1", people.now).is_some());
    // Groups that nobody can have together give nothing, and do not leave them what they had.
    people.alone("tom", said("t-1", &["audit", "boss"], &[]));
    // In none that means anything they may nothing, and can be more again.
    people.alone("tom", said("t-1", &[], &[]));
    assert!(people.user("tom").grants.is_empty());
    people.alone("tom", said("t-1", &["boss"], &["approver"]));
}

#[test]
fn what_the_directory_did_not_say_or_the_site_does_not_mean_is_refused() {
    let mut people = people();
    people.alone("tom", said("t-1", &["duty"], &["operator"]));
    people.valid("ada", "eve", provisioned(&["viewer"]));
    people.valid("ada", "eve", UserRemoved { reason: "left".to_owned() });
    let other = Identity { issuer: "https://elsewhere.example".to_owned(), ..identity("t-1") };
    let not_meant = "that is not what its groups may do";
    for (name, said, why) in [
        ("zoe", said("z", &["ops"], &["operator", "author@folder/payroll", "admin"]), not_meant),
        ("zoe", said("z", &["ops"], &["operator"]), not_meant),
        ("zoe", said("z", &["ops", "duty"], &["operator", "author@folder/payroll"]), not_meant),
        ("zoe", said("z", &["unknown"], &[]), not_meant),
        ("zoe", said("z", &[], &[]), "none of their groups may do anything here"),
        ("zoe", said("z", &["audit", "boss"], &["approver", "auditor"]), not_meant),
        ("zoe", said("", &["duty"], &["operator"]), "a subject has 1 to 255 ASCII characters"),
        (
            "zoe",
            UserDirectorySaid { identity: other, ..said("z", &["duty"], &["operator"]) },
            "the directory of this site is https://id.example.com",
        ),
        (
            "tom",
            said("t-2", &["boss"], &["approver"]),
            "there is an account of that name that does not come in so",
        ),
        (
            "mia",
            said("m-1", &["boss"], &["approver"]),
            "there is an account of that name that does not come in so",
        ),
        ("eve", said("e-1", &["boss"], &["approver"]), "the account was removed"),
    ] {
        assert_eq!(refused(&people.alone_says(name, said.clone())), why, "{name} {said:?}");
    }
    let by = said("z", &["duty"], &["operator"]);
    people.refuses("ada", "zoe", by, "a directory speaks for itself");
    let mut none = People::new();
    let mark = none.alone_says("zoe", said("z", &["duty"], &["operator"]));
    assert_eq!(refused(&mark), "this site has no directory by which people come in");
}

#[test]
fn an_account_comes_in_by_the_directory_or_by_what_it_has_here_and_never_by_both() {
    let mut people = people();
    people.valid("ada", "mia", code(&people));
    people.valid("mia", "mia", people.login(Entry::Code, "s1"));
    people.valid("mia", "mia", UserPasswordSet { verifier: HASH.to_owned() });
    people.refuses("mia", "mia", people.login(Entry::Oidc, "s2"), "they have no such way in");
    people.refuses(
        "mia",
        "mia",
        linked(Some("m-1")),
        "user/mia may not make, change and remove accounts: that needs the role admin",
    );
    people.valid("ada", "mia", linked(Some("m-1")));
    let mia = people.user("mia");
    assert!(mia.password.is_none() && mia.session("s1", people.now).is_none());
    people.refuses("ada", "mia", linked(Some("m-1")), "that is how they come in already");
    people.refuses("mia", "mia", people.login(Entry::Password, "s2"), "they have no such way in");
    let first = "they come in by the directory: take that from them first";
    people.refuses("ada", "mia", code(&people), first);
    people.refuses("mia", "mia", UserPasswordSet { verifier: HASH.to_owned() }, first);
    let groups = "what they may do is what their groups in the directory may";
    people.refuses("ada", "mia", grants_set(&["viewer"]), groups);
    people.valid("mia", "mia", people.login(Entry::Oidc, "s2"));
    people.valid("ada", "mia", linked(None));
    assert!(people.user("mia").session("s2", people.now).is_none());
    people.refuses("mia", "mia", people.login(Entry::Oidc, "s3"), "they have no such way in");
    people.valid("ada", "mia", code(&people));
    people.refuses(
        "ada",
        "ada",
        linked(Some("a")),
        "nobody changes how they come in themselves: or nobody might",
    );
}

#[test]
fn whoever_was_removed_does_not_come_back_by_the_directory_until_somebody_says_so() {
    let mut people = people();
    people.alone("tom", said("t-1", &["duty"], &["operator"]));
    people.valid("ada", "tom", UserRemoved { reason: "left".to_owned() });
    let boss = || said("t-1", &["boss"], &["approver"]);
    assert_eq!(refused(&people.alone_says("tom", boss())), "the account was removed");
    assert_eq!(people.user("tom").identity, Some(identity("t-1")));
    people.valid("ada", "tom", provisioned(&["viewer"]));
    people.alone("tom", boss());
    // Whom a removed account was is free for another one.
    people.valid("ada", "tom", UserRemoved { reason: "left".to_owned() });
    people.valid("ada", "tom", linked(None));
    people.refuses("ada", "tom", linked(Some("t-1")), "there is no such user");
    people.alone("tom-2", said("t-1", &["boss"], &["approver"]));
}

#[test]
fn a_program_is_nobody_in_the_directory_although_a_person_had_its_name() {
    let mut people = people();
    people.alone("tom", said("t-1", &["duty"], &["operator"]));
    people.valid("ada", "tom", UserRemoved { reason: "left".to_owned() });
    let program = UserProvisioned { program: true, ..provisioned(&["viewer"]) };
    people.valid("ada", "tom", program);
    let mark = people.alone_says("tom", said("t-1", &["boss"], &["approver"]));
    assert_eq!(refused(&mark), "a program comes in by tokens");
    assert_eq!(people.user("tom").identity, None);
    people.valid("ada", "tom", grants_set(&["operator"]));
}

#[test]
fn somebody_at_the_machine_lets_in_whom_the_directory_does_not() {
    let mut people = people();
    people.valid("ada", "ben", provisioned(&["admin"]));
    people.valid("ben", "ada", linked(Some("a-1")));
    people.refuses(
        "ada",
        "ada",
        linked(None),
        "nobody changes how they come in themselves: or nobody might",
    );
    let by_code = code(&people);
    people.alone("ada", by_code);
    assert_eq!(people.user("ada").identity, None);
    people.valid("ada", "ada", people.login(Entry::Code, "s1"));
}

#[test]
fn of_whoever_comes_in_by_the_directory_tokens_end_with_it() {
    let mut people = people();
    people.alone("tom", said("t-1", &["duty"], &["operator"]));
    let until = later(people.now, 366 * 24 * 3_600_000);
    let (name, token) = ("t".to_owned(), domain::canonical::Digest::of(b"t"));
    let created = UserTokenCreated { name: name.clone(), token, grants: vec![], until };
    people.valid("tom", "tom", created);
    people.now = later(people.now, IDLE_MS / 2);
    people.alone("tom", UserTokenUsed { name, day: "2027-01-04".parse().unwrap() });
    people.now = later(people.now, IDLE_MS / 2 + 1_000);
    assert!(people.user("tom").is_idle(people.now));
    let idle = "it was not heard of for 90 days";
    // Ada was not heard of either: somebody at the machine lets her in.
    people.alone("ada", code(&people));
    people.valid("ada", "ada", people.login(Entry::Code, "s9"));
    let mark = people.alone_says("tom", said("t-1", &["boss"], &["approver"]));
    assert_eq!(refused(&mark), idle);
    people.valid("ada", "tom", linked(Some("t-1")));
    people.alone("tom", said("t-1", &["boss"], &["approver"]));
}

#[test]
fn a_directory_of_which_nothing_could_be_meant_is_refused() {
    let mut people = People::new();
    let mut refuses = |set: LogDirectorySet, why: &str| {
        assert_eq!(refused(&people.alone_says("log/directory", set)), why);
    };
    refuses(directory(&[]), "a directory has 1 to 200 groups that may do something here");
    refuses(directory(&[("ops", &[])]), "group \"ops\": an account has 1 to 50 grants");
    refuses(directory(&[("", &["viewer"])]), "the name of a group has 1 to 200 bytes");
    refuses(
        directory(&[("x", &["auditor", "admin"])]),
        "group \"x\": an auditor changes nothing: give them no other role",
    );
    let mut no_address = directory(&[("ops", &["operator"])]);
    no_address.directory.issuer = "id.example.com".to_owned();
    refuses(no_address, "a directory's address begins with https:// or http://");
    let set = directory(&[("ops", &["operator"])]);
    assert_eq!(people.alone_says("log/directory", set.clone()), Mark::Valid);
    let again = refused(&people.alone_says("log/directory", set.clone()));
    assert_eq!(again, "that is what its groups may do already");
    let elsewhere = refused(&people.alone_says("", set));
    assert!(elsewhere.ends_with("belongs to log/directory, not log/main"), "{elsewhere}");
}
