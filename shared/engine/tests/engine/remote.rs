//! Repositories on servers that nobody here wrote: OpenSSH's `sshd`, `rclone serve restic`, moto's S3.

use std::process::Command;
use std::sync::atomic::Ordering;

use engine::{
    Check, Copy, Done, EngineName, Forget, Keys, List, Operation, Outcome, ProblemKind, Prune,
    Read, Report, Repository, Request, Restore, Secrets, Source,
};
use testkit::storage::{ObjectStore, RestOptions, RestServer, Sshd};

use crate::faulty::FaultyServer;
use crate::support::{self, Engine, PASSWORD, Place, assert_same, noise, until};

/// A repository on a server, with what opens it.
struct Remote {
    repository: Repository,
    secrets: Secrets,
}

impl Remote {
    fn new(location: String, keys: &[(&'static str, String)]) -> Self {
        let key = |name: &str| keys.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        let keys = Keys::of(key);
        let password = PASSWORD.to_owned();
        let copy = (Some(password.clone()), keys.clone());
        Self {
            repository: Repository { location, initialise: true, ..Repository::default() },
            secrets: Secrets { password, keys, copy_password: copy.0, copy_keys: copy.1 },
        }
    }

    fn run(&self, operation: Operation) -> Report {
        let request = Request { repository: self.repository.clone(), operation };
        engine::run(&request, &self.secrets, &mut |_| {})
    }

    /// What must end well.
    fn done(&self, operation: Operation) -> Done {
        let report = self.run(operation);
        assert_eq!(report.outcome, Outcome::Good, "{}: {report:?}", self.repository.location);
        report.result.unwrap()
    }

    fn backup(&self, place: &Place) -> engine::BackupReport {
        let done = self.done(Operation::Backup(Box::new(place.backup_request())));
        let Done::Backup(report) = done else { panic!("{done:?}") };
        *report
    }

    fn restore(&self, place: &Place, snapshot: &str) {
        self.done(Operation::Restore(place.restore_request(snapshot)));
        assert_same(&place.source(), &place.path("target"));
        std::fs::remove_dir_all(place.path("target")).unwrap();
    }

    fn check(&self) -> Done {
        self.done(Operation::Check(Check { read: Read::All, snapshots: vec![] }))
    }

    fn snapshots(&self) -> u64 {
        let done = self.done(Operation::List(List::default()));
        let Done::List(list) = done else { panic!("{done:?}") };
        list.snapshots.count
    }

    fn kind(&self, operation: Operation) -> (Option<ProblemKind>, String) {
        let report = self.run(operation);
        (report.kind, report.problem.unwrap_or_default())
    }
}

fn sftp(server: &Sshd, name: &str) -> Remote {
    let mut remote = Remote::new(server.location(name), &[]);
    remote.repository.ssh_config = Some(server.ssh_config().into());
    remote
}

fn s3(store: &ObjectStore, bucket: &str) -> Remote {
    Remote::new(store.location(bucket, "nightly/ledger"), &store.credentials())
}

fn rest(server: &RestServer, name: &str) -> Remote {
    Remote::new(server.location(name), &server.credentials())
}

/// Everything an engine does, on one repository.
fn everything(remote: &Remote, restic: impl Fn(&Remote) -> Command) {
    let place = Place::with_files();
    let none = Remote {
        repository: Repository { initialise: false, ..remote.repository.clone() },
        secrets: remote.secrets.clone(),
    };
    let asked = || Operation::Backup(Box::new(place.backup_request()));
    assert_eq!(none.kind(asked()).0, Some(ProblemKind::NotARepository));
    let first = remote.backup(&place);
    place.write("more", &noise(400_000, 9));
    let second = remote.backup(&place);
    assert_eq!(second.parent.as_ref(), Some(&first.snapshot));
    assert_eq!(remote.snapshots(), 2);
    remote.check();
    remote.restore(&place, &second.snapshot);
    // restic reads the same repository over the same line.
    let output = restic(remote).args(["check", "--read-data"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    copied(remote, &place, &second.snapshot);
    remote.done(Operation::Forget(Forget { snapshots: vec![first.snapshot] }));
    remote.done(Operation::Prune(Prune { dry_run: false, instant: true }));
    assert_eq!(remote.snapshots(), 1);
    remote.check();
    remote.restore(&place, &second.snapshot);
    assert_eq!(remote.kind(Operation::Init).0, Some(ProblemKind::RepositoryExists));
}

/// The same, written by an installed restic and read by the engine built in.
fn by_restic(remote: &Remote) {
    let place = Place::with_files();
    let repository = Repository {
        engine: EngineName::Restic,
        restic: Some(testkit::restic::writing().unwrap().into()),
        ..remote.repository.clone()
    };
    let writer = Remote { repository, secrets: remote.secrets.clone() };
    let first = writer.backup(&place);
    place.write("more", &noise(400_000, 9));
    let second = writer.backup(&place);
    writer.restore(&place, &second.snapshot);
    remote.check();
    remote.restore(&place, &second.snapshot);
    writer.done(Operation::Forget(Forget { snapshots: vec![first.snapshot] }));
    writer.done(Operation::Prune(Prune { dry_run: false, instant: true }));
    remote.check();
    assert_eq!(remote.snapshots(), 1);
}

#[test]
fn an_installed_restic_writes_to_the_same_server_with_sftp() {
    let server = Sshd::start().unwrap();
    by_restic(&sftp(&server, "vault"));
}

#[test]
fn an_installed_restic_writes_to_the_same_object_store() {
    let store = ObjectStore::start().unwrap();
    store.make_bucket("vault", None).unwrap();
    by_restic(&s3(&store, "vault"));
}

#[test]
fn an_installed_restic_writes_to_the_same_rest_server() {
    let options = RestOptions { password: true, tls: true, ..RestOptions::default() };
    let server = RestServer::start(options).unwrap();
    let mut remote = rest(&server, "vault");
    remote.repository.ca_file = Some(server.ca_file().into());
    by_restic(&remote);
}

/// From there to a directory and back into another place beside it.
fn copied(remote: &Remote, place: &Place, snapshot: &str) {
    let local = Remote { repository: place.repository(), secrets: remote.secrets.clone() };
    let snapshots = vec![snapshot.to_owned()];
    let asked = Copy { to: local.repository.clone(), snapshots };
    let Done::Copy(report) = remote.done(Operation::Copy(Box::new(asked))) else { panic!() };
    let copy = report.copied[0].copy.clone();
    local.restore(place, &copy);
    let beside = format!("{}-copy", remote.repository.location);
    let to = Repository { location: beside, ..remote.repository.clone() };
    let back = Operation::Copy(Box::new(Copy { to, snapshots: vec![copy] }));
    local.done(back);
}

fn restic_on(remote: &Remote, location: &str) -> Command {
    let mut command = Command::new("restic");
    command.args(["-r", location, "--no-cache"]).env("RESTIC_PASSWORD", PASSWORD);
    for name in Keys::NAMES {
        if let Some(value) = remote.secrets.keys.get(name) {
            command.env(name, value);
        }
    }
    command
}

#[test]
fn a_repository_on_a_server_with_sftp_is_one_like_any_other() {
    let server = Sshd::start().unwrap();
    everything(&sftp(&server, "vault"), |remote| {
        let config = remote.repository.ssh_config.as_ref().unwrap();
        let mut restic = restic_on(remote, &remote.repository.location);
        restic.arg("-o").arg(format!("sftp.command=ssh -F {config} vault -s sftp"));
        restic
    });
}

#[test]
fn a_repository_in_an_object_store_is_one_like_any_other() {
    let store = ObjectStore::start().unwrap();
    store.make_bucket("vault", None).unwrap();
    everything(&s3(&store, "vault"), |remote| restic_on(remote, &remote.repository.location));
}

#[test]
fn a_repository_on_a_rest_server_is_one_like_any_other() {
    let server =
        RestServer::start(RestOptions { password: true, ..RestOptions::default() }).unwrap();
    everything(&rest(&server, "vault"), |remote| {
        let location = remote.repository.location.replace("http://", "http://backup:horse@");
        restic_on(remote, &location)
    });
}

#[test]
fn a_server_that_is_away_or_refuses_is_not_a_server_without_a_repository() {
    let place = Place::with_files();
    let asked = || Operation::Backup(Box::new(place.backup_request()));
    let mut server =
        RestServer::start(RestOptions { password: true, ..RestOptions::default() }).unwrap();
    let stranger = Remote::new(server.location("vault"), &[]);
    let (kind, said) = stranger.kind(asked());
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");
    assert!(said.contains("401"), "{said}");
    assert!(!server.directory("vault").exists(), "nothing was made");
    server.kill().unwrap();
    let (kind, said) = rest(&server, "vault").kind(asked());
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");

    let store = ObjectStore::start().unwrap();
    let (kind, said) = s3(&store, "no-such-bucket").kind(asked());
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");
    assert!(said.contains("NoSuchBucket"), "{said}");

    let mut server = Sshd::start().unwrap();
    let mut stranger = sftp(&server, "vault");
    stranger.repository.ssh_config = Some(place.write("no-key", b"Host vault\n").into());
    let (kind, said) = stranger.kind(asked());
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");
    server.kill().unwrap();
    let (kind, said) = sftp(&server, "vault").kind(asked());
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");
    assert!(said.contains("refused"), "ssh's own words: {said}");
}

#[test]
fn over_tls_only_a_server_is_believed_whose_certificate_is_trusted() {
    let place = Place::with_files();
    let server = RestServer::start(RestOptions { tls: true, ..RestOptions::default() }).unwrap();
    let mut remote = rest(&server, "vault");
    let (kind, said) = remote.kind(Operation::Backup(Box::new(place.backup_request())));
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");
    remote.repository.ca_file = Some(server.ca_file().into());
    let made = remote.backup(&place);
    remote.restore(&place, &made.snapshot);
}

#[test]
fn what_is_on_a_server_that_only_appends_cannot_be_forgotten_from_here() {
    let place = Place::with_files();
    let server =
        RestServer::start(RestOptions { append_only: true, ..RestOptions::default() }).unwrap();
    let remote = rest(&server, "vault");
    let first = remote.backup(&place);
    place.write("more", b"more");
    let second = remote.backup(&place);
    let forget = Operation::Forget(Forget { snapshots: vec![first.snapshot] });
    let (kind, said) = remote.kind(forget);
    assert_eq!(kind, Some(ProblemKind::Unreachable), "{said}");
    assert!(said.contains("403"), "{said}");
    assert_eq!(remote.snapshots(), 2);
    remote.restore(&place, &second.snapshot);
}

#[test]
fn what_an_object_lock_holds_comes_back_after_everything_was_deleted() {
    let place = Place::with_files();
    let store = ObjectStore::start().unwrap();
    store.make_bucket("locked", Some(30)).unwrap();
    let remote = s3(&store, "locked");
    let made = remote.backup(&place);
    // Whoever has the keys deletes all there is, and then the versions too.
    let deleted = store.as_owner(
        "for one in s3.list_objects_v2(Bucket='locked')['Contents']:\n    \
             s3.delete_object(Bucket='locked', Key=one['Key'])\n\
         refused = 0\n\
         for one in s3.list_object_versions(Bucket='locked')['Versions']:\n    \
             try:\n        \
                 s3.delete_object(Bucket='locked', Key=one['Key'], VersionId=one['VersionId'])\n    \
             except s3.exceptions.ClientError as error:\n        \
                 refused += error.response['Error']['Code'] == 'AccessDenied'\n\
         print(refused, len(s3.list_object_versions(Bucket='locked')['Versions']))",
    );
    let deleted = deleted.unwrap();
    let (refused, left) = deleted.trim().split_once(' ').unwrap();
    assert_eq!(refused, left, "every version is held");
    let asked = Operation::Check(Check { read: Read::All, snapshots: vec![] });
    assert_eq!(remote.kind(asked).0, Some(ProblemKind::NotARepository), "it looks empty");
    // The marks that hide them are not locked.
    let uncover = "for one in s3.list_object_versions(Bucket='locked')['DeleteMarkers']:\n    \
                   s3.delete_object(Bucket='locked', Key=one['Key'], VersionId=one['VersionId'])";
    store.as_owner(uncover).unwrap();
    remote.check();
    remote.restore(&place, &made.snapshot);
}

#[test]
fn of_two_first_backups_at_once_into_an_object_store_both_can_be_restored() {
    let store = ObjectStore::start().unwrap();
    store.make_bucket("vault", None).unwrap();
    let (one, two) = (Place::with_files(), Place::with_files());
    two.write("another", b"another");
    let remote = s3(&store, "vault");
    let made: Vec<_> = std::thread::scope(|scope| {
        let both = [&one, &two].map(|place| scope.spawn(|| remote.backup(place)));
        both.into_iter().map(|backup| backup.join().unwrap()).collect()
    });
    remote.check();
    for (place, made) in [&one, &two].into_iter().zip(made) {
        remote.restore(place, &made.snapshot);
    }
    let keys = store.as_owner(
        "print(s3.list_objects_v2(Bucket='vault', Prefix='nightly/ledger/keys/')['KeyCount'])",
    );
    assert_eq!(keys.unwrap().trim(), "1", "the other one's key is not there");
}

#[test]
fn a_backup_killed_while_it_writes_to_a_server_harms_nothing() {
    let server = Sshd::start().unwrap();
    let remote = sftp(&server, "vault");
    let place = Place::with_files();
    let first = remote.backup(&place);
    let before = support::below(&server.directory("vault/data")).len();
    for n in 0..30u64 {
        place.write(&format!("{n}.bin"), &noise(2_000_000, n + 50));
    }
    let operation = Operation::Backup(Box::new(place.backup_request()));
    let mut killed = Engine::start(&Request { repository: remote.repository.clone(), operation });
    until("a pack is written", || {
        support::below(&server.directory("vault/data")).len() > before + 2
    });
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let second = remote.backup(&place);
    remote.check();
    remote.restore(&place, &second.snapshot);
    let old: Restore = place.restore_request(&first.snapshot);
    remote.done(Operation::Restore(old));
}

#[test]
fn a_session_that_is_lost_in_the_middle_of_a_backup_is_opened_again() {
    let server = Sshd::start().unwrap();
    let remote = sftp(&server, "vault");
    let place = Place::with_files();
    // Between two halves of what it writes, the dump cuts the line: the children of this one server.
    let half = "head -c 20000000 /dev/urandom";
    let script = format!("{half}; pkill -KILL -P {} || exit 9; {half}", server.pid().unwrap());
    let argv = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let file_name = "dump".to_owned();
    let source = Source::Command(engine::Command { argv, file_name, ..Default::default() });
    let asked = Operation::Backup(Box::new(support::backup_of(source)));
    let Done::Backup(made) = remote.done(asked) else { panic!() };
    assert_eq!(made.bytes, 40_000_000);
    remote.check();
    let whole = Restore { path: None, ..place.restore_request(&made.snapshot) };
    remote.done(Operation::Restore(whole));
}

#[test]
fn answers_that_are_lost_on_the_way_leave_a_whole_repository() {
    let place = Place::with_files();
    let server = FaultyServer::start();
    server.state.cut_off.store(true, Ordering::Relaxed);
    let remote = Remote::new(server.location(), &[]);
    let made = remote.backup(&place);
    remote.check();
    remote.restore(&place, &made.snapshot);
}

#[test]
fn a_server_that_cannot_read_its_directories_loses_nothing_by_what_we_do() {
    let place = Place::with_files();
    let server = FaultyServer::start();
    let remote = Remote::new(server.location(), &[]);
    let made = remote.backup(&place);
    server.state.blind.store(true, Ordering::Relaxed);
    let tried = [
        Operation::Backup(Box::new(place.backup_request())),
        Operation::Repair,
        Operation::Prune(Prune { dry_run: false, instant: true }),
        Operation::List(List::default()),
        Operation::Check(Check { read: Read::All, snapshots: vec![] }),
    ];
    for operation in tried {
        let (kind, said) = remote.kind(operation.clone());
        assert_eq!(kind, Some(ProblemKind::Unreachable), "{operation:?}: {said}");
    }
    server.state.blind.store(false, Ordering::Relaxed);
    remote.check();
    remote.restore(&place, &made.snapshot);
}
