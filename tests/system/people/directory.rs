//! People of a directory that nobody here wrote (Canaille) come in by it, in a browser, and may what their groups may.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use testkit::process::Daemon;

use super::http::Http;
use super::{Person, events, of_kind, stop_and_verify};
use crate::browser::Browser;
use crate::programs::{Up, decklog};

const SOON: Duration = Duration::from_secs(60);
/// Of everybody in that directory.
const PASSWORD: &str = "correct horse battery staple";

/// The directory, and a site whose people come in by it.
struct Site {
    folder: PathBuf,
    directory: Daemon,
    port: u16,
    listen: String,
    up: Option<Up>,
}

/// Where `ops/dev/setup` puts it.
fn python() -> PathBuf {
    testkit::installed::place("directory/bin/python")
}

/// Into a field of the directory's page, which would look at it while it is typed, and put another in its place.
fn put(browser: &Browser, field: &str, text: &str) {
    browser.script(&format!("document.querySelector('input[name={field}]').value = '{text}'"));
}

fn start_directory(port: u16, console: &str, people: &Path) -> Daemon {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("system/people/directory.py");
    let mut command = Command::new(python());
    command.args([&script]).arg(port.to_string()).args([console]).arg(people);
    let mut daemon = Daemon::spawn(&mut command).unwrap();
    daemon.wait_for_line("ready", SOON).unwrap();
    daemon
}

impl Site {
    fn start(folder: &Path) -> Self {
        let (port, own) = (testkit::port::free().unwrap(), testkit::port::free().unwrap());
        let listen = format!("127.0.0.1:{own}");
        let people = folder.join("people.json");
        let groups = json!({"mia": ["ops"], "bob": ["boss", "other"], "eve": ["other"], "pat": ["audit", "boss"]});
        std::fs::write(&people, groups.to_string()).unwrap();
        std::fs::write(folder.join("secret"), "secret-of-this-test\n").unwrap();
        let directory = start_directory(port, &format!("http://{listen}"), &people);
        let mut site = Self { folder: folder.to_owned(), directory, port, listen, up: None };
        site.says("ops = ['operator', 'author@folder/payroll']\nboss = ['approver']\naudit = ['auditor']\n");
        site.begin();
        site
    }

    /// What groups may.
    fn says(&self, groups: &str) {
        let (port, listen, folder) = (self.port, &self.listen, self.folder.display());
        let text = format!(
            "issuer = 'http://127.0.0.1:{port}'\nclient-id = 'decklog'\n\
             client-secret = 'file:{folder}/secret'\nconsole = 'http://{listen}'\n\
             name = 'Example ID'\nname-claim = 'sub'\nscopes = ['profile', 'groups']\n[groups]\n{groups}"
        );
        std::fs::write(self.folder.join("oidc.toml"), text).unwrap();
    }

    fn begin(&mut self) {
        let mut command = decklog(["up", "--self-approval", "false", "--listen", &self.listen]);
        command.arg("--oidc").arg(self.folder.join("oidc.toml"));
        self.up = Some(Up::started(command, &self.folder.join("data"), &[]));
    }

    fn up(&self) -> &Up {
        self.up.as_ref().unwrap()
    }

    /// Puts everybody into these groups, and into no others.
    fn moves(&self, groups: &serde_json::Value) {
        std::fs::write(self.folder.join("people.json"), groups.to_string()).unwrap();
    }

    /// Comes in by the directory as somebody else than before.
    fn enter(&self, browser: &Browser, name: &str, next: &str) {
        browser.go(&format!("http://{}/login?next={next}", self.listen));
        browser.forget();
        browser.press("a[href^='/login/oidc']");
        put(browser, "login", name);
        browser.press("button[name=answer]");
        put(browser, "password", PASSWORD);
        browser.press("form button[type=submit]");
    }
}

#[test]
fn people_of_a_directory_come_in_by_it_and_may_what_their_groups_may_until_these_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path());
    let browser = Browser::open(1200);
    browser.go(&format!("http://{}/login", site.listen));
    assert!(browser.words().contains("Log in with Example ID"), "{}", browser.words());
    assert_eq!(browser.barriers(), [""; 0]);
    // The cookie goes only with what our own pages open: whoever comes from there sees the page they wanted all the same.
    site.enter(&browser, "mia", "/hosts");
    browser.settles("/hosts");
    browser.go(&format!("http://{}/account", site.listen));
    let words = browser.words();
    assert!(words.contains("operator, author@folder/payroll"), "{words}");
    assert!(words.contains("You come in by the directory of this site"), "{words}");
    assert_eq!(browser.barriers(), [""; 0]);

    // An auditor who may also approve is none; and whose groups mean nothing here is nobody.
    site.enter(&browser, "pat", "");
    assert!(browser.words().contains("an auditor changes nothing"), "{}", browser.words());
    site.enter(&browser, "eve", "");
    let words = browser.words();
    assert!(words.contains("none of your groups in the directory may do anything here"), "{words}");
    let users = site.up().call(&["user", "list", "-o", "json"]).ended(0).json();
    let names: Vec<&str> =
        users.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "mia"]);

    // Other groups are other rights the next time, and none are none: also for tokens.
    let token = make_token(&browser, &site);
    Http::token(site.up(), &token).get("/api/v1/jobs").is(200);
    site.moves(&json!({"mia": ["boss"], "bob": ["boss"]}));
    site.enter(&browser, "mia", "");
    browser.settles("/changes");
    let shown = site.up().call(&["user", "show", "mia"]).ended(0).out;
    assert!(shown.contains("grants    approver") && shown.contains("groups    boss"), "{shown}");
    site.moves(&json!({"mia": ["other"], "bob": ["boss"]}));
    site.enter(&browser, "mia", "");
    assert!(browser.words().contains("none of your groups"), "{}", browser.words());
    Http::token(site.up(), &token).get("/api/v1/jobs").is(403);

    // What a group may is an event, as is what the directory said.
    site.up.take().unwrap().stop();
    site.says("boss = ['approver', 'operator']\n");
    site.begin();
    let set = events(site.up(), Some("log/directory"));
    assert_eq!(of_kind(&set, "log.directory-set").len(), 2, "{set:?}");
    let shown = site.up().call(&["user", "directory"]).ended(0).out;
    assert!(shown.ends_with("group     boss: approver, operator\n"), "{shown}");
    let said = events(site.up(), Some("user/mia"));
    assert_eq!(of_kind(&said, "user.directory-said").len(), 3, "{said:?}");
    let review = site.up().call(&["user", "review"]).ended(0).out;
    assert!(
        review.contains("by the directory, may approver: the directory says: boss"),
        "{review}"
    );

    // Without the directory nobody comes in by it, and the others do.
    site.directory.term();
    site.directory.wait_for_end(SOON).unwrap();
    browser.forget();
    browser.go(&format!("http://{}/login/oidc", site.listen));
    assert!(browser.words().contains("the directory cannot be asked"), "{}", browser.words());
    Person::first(site.up());
    drop(browser);
    stop_and_verify(site.up.take().unwrap());
}

fn make_token(browser: &Browser, site: &Site) -> String {
    site.enter(browser, "mia", "/account");
    browser.settles("/account");
    browser.fill("form[action='/account/tokens'] input[name=name]", "scripts");
    browser.press("form[action='/account/tokens'] button");
    browser
        .script("return document.querySelector('.done pre').innerText")
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn an_account_that_was_there_is_linked_by_an_administrator_and_taken_over_by_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path());
    let admin = Person::first(site.up());
    let bob = Person::with(site.up(), &admin, "bob", &["viewer"]);
    let browser = Browser::open(1200);
    site.enter(&browser, "bob", "");
    let words = browser.words();
    let told = words.split("links it to subject ").nth(1).unwrap_or_else(|| panic!("{words}"));
    let subject = told.split(',').next().unwrap().to_owned();
    let up = site.up();
    let link = |name: &str| {
        up.call(&["user", "link", name, "--subject", &subject, "--reason", "one sign-in for all"])
    };
    link("bob").ended(0);
    bob.session.get("/api/v1/me").is(401);
    let log_in =
        Http::browser(up, "").form("/login", &[("name", "bob"), ("password", &bob.password)]);
    log_in.is(403);
    let twice = link("admin").ended(5).err;
    assert!(twice.contains("that is user/bob already"), "{twice}");
    site.enter(&browser, "bob", "");
    browser.settles("/changes");
    let page = admin.session.get("/people/bob").is(200).text;
    assert!(page.contains("the directory, as") && !page.contains("Issue a code"), "{page}");
    let own = ["user", "grant", "bob", "operator", "--reason", "x"];
    let refused = up.call(&own).ended(5).err;
    assert!(refused.contains("their groups in the directory"), "{refused}");

    // Whoever was removed does not come back by the directory, and is in again when somebody says so.
    up.call(&["user", "remove", "bob", "--reason", "left"]).ended(0);
    site.enter(&browser, "bob", "");
    assert!(browser.words().contains("the account was removed"), "{}", browser.words());
    up.call(&["user", "add", "bob", "--grant", "viewer", "--reason", "came back"]).ended(0);
    site.enter(&browser, "bob", "");
    browser.settles("/changes");
    up.call(&["user", "unlink", "bob", "--reason", "another way"]).ended(0);
    site.enter(&browser, "bob", "");
    assert!(browser.words().contains("does not come in by the directory"), "{}", browser.words());

    // An answer belongs to the browser that asked, once, and to the directory it went to.
    let nobody = Http::nobody(up).get("/login/oidc/back?code=x&state=y").is(403);
    assert!(nobody.text.contains("it was not begun here"), "{}", nobody.text);
    let led = Http::nobody(up).but("host", "localhost:1").get("/login/oidc?next=/runs").is(303);
    let own = format!("http://{}/login/oidc?led=1&next=%2Fruns", site.listen);
    assert_eq!(led.header("location"), own);
    let sent = Http::nobody(up).get("/login/oidc?next=//evil.example").is(303);
    let state = sent
        .header("location")
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    let tied = Http::browser(up, &sent.cookie());
    for (query, why) in [
        (format!("code=x&state={state}x"), "it was not begun here"),
        (format!("code=x&state={state}&iss=https://evil.example"), "another directory sent you"),
        (format!("error=access_denied&state={state}"), "the directory says: access_denied"),
        (format!("state={state}"), "the directory sent no code"),
        (format!("code=x&state={state}"), "the directory says"),
    ] {
        let page = tied.get(&format!("/login/oidc/back?{query}")).is(403).text;
        assert!(page.contains(why), "{query}: {page}");
    }

    // Where the site wants that, nobody has an account whom no administrator has made one.
    site.up.take().unwrap().stop();
    let file = dir.path().join("oidc.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("new-accounts = false\n{text}")).unwrap();
    site.begin();
    site.enter(&browser, "mia", "");
    let words = browser.words();
    assert!(words.contains("an administrator makes one, and links it to subject mia"), "{words}");
    drop(browser);
    stop_and_verify(site.up.take().unwrap());
}
