//! Pages on which somebody finds a file in a snapshot and has it brought back.

use std::fs;
use std::path::Path;

use super::browser::{Browser, Page, encoded};
use super::{SOON, flaws};
use crate::backups::{Night, dataset, ran, succeeds};
use crate::programs::Up;

/// The pages at which a file is looked for, and brought back.
const FILES: &str = "/backups/files/files";
const RESTORE: &str = "/backups/files/restore";

/// A site with one more job, which lets one choose all of it.
fn site(dir: &Path) -> (Night, Up) {
    let night = Night::new(dir);
    fs::write(night.path("source/<odd> & name "), "here\n").unwrap();
    let more = "---\nname: bring\nkind: restore\nparameters: {snapshot: {default: latest}, path: {default: ''}, to: {}}\n\
        restore: {dataset: files, repository: vault, snapshot: '{{snapshot}}', path: '{{path}}', to: '{{to}}'}\n\
        ---\nkind: dataset\nname: bare\nrpo: 26h\n";
    let up = Up::start(&dir.join("data"), &[&night.site(more)]);
    (night, up)
}

/// Two snapshots: a file is added in between, one changed, one removed.
fn two_nights(night: &Night, up: &Up) -> (String, String) {
    succeeds(up, "save", &[]);
    fs::write(night.path("source/added.txt"), "new\n").unwrap();
    fs::write(night.path("source/deep/2.txt"), "changed\n").unwrap();
    fs::remove_file(night.path("source/deep/3.txt")).unwrap();
    succeeds(up, "save", &[]);
    let known = dataset(up, "files");
    let id = |n: usize| known["snapshots"][n]["id"].as_str().unwrap().to_owned();
    (format!("vault:{}", id(0)), format!("vault:{}", id(1)))
}

/// What a page says when a form is answered by the page itself.
#[track_caller]
fn said(page: &Page, status: u16, says: &[&str]) {
    assert_eq!(page.status, status, "{}", page.text);
    assert_eq!(flaws(&page.location, page), [""; 0]);
    for text in says {
        assert!(page.text.contains(text), "{text} in {}", page.text);
    }
}

/// The fields of the form in which a button stands.
fn around(page: &Page, button: &str) -> Vec<(String, String)> {
    let before = page.text.split(button).next().unwrap();
    let form = before.rsplit("<form").next().unwrap();
    Page::hidden(form).into_iter().filter(|(name, _)| name != "word").collect()
}

/// Presses a button of a list.
fn press(browser: &Browser, to: &str, page: &Page, (name, value): (&str, &str)) -> Page {
    let button = format!("name=\"{name}\" value=\"{}\"", value.replace('&', "&#38;"));
    let button = button.replace('<', "&#60;").replace('>', "&#62;");
    assert!(page.text.contains(&button), "{button} in {}", page.text);
    let mut fields = around(page, &button);
    fields.push((name.to_owned(), value.to_owned()));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
    browser.send(to, &fields)
}

fn viewer(up: &Up, admin: &Browser) -> Browser {
    let wanted = [("name", "vera"), ("grants", "viewer"), ("reason", "to look")];
    let made = admin.send("/people", &wanted);
    let code = made.text.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    Browser::by_code(up, "vera", code)
}

#[test]
fn somebody_opens_directories_finds_files_and_compares_nights_and_no_name_is_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (night, up) = site(dir.path());
    let (old, new) = two_nights(&night, &up);
    let browser = Browser::of_admin(&up);
    let page = browser.get("/backups/files");
    let link = format!("{FILES}?snapshot={}", encoded(&new));
    assert!(page.attributes("href").contains(&link), "{link} in {}", page.text);
    let form = browser.get(&link);
    said(&form, 200, &["Nothing is looked at before you ask", " selected>"]);
    assert!(!form.text.contains("id=\"seen\""));

    let browse =
        |path: &str| browser.send(FILES, &[("look", "browse"), ("snapshot", &new), ("path", path)]);
    let root = browse("");
    said(&root, 200, &["<strong class=\"mono\">/</strong>"]);
    let source = browse(&night.text("source"));
    said(&source, 200, &["added.txt", "&#60;odd&#62; &#38; name ", "deep/</button>", "drwx"]);
    let deep = press(&browser, FILES, &source, ("open", "/deep/"));
    said(&deep, 200, &["2.txt", "deeper/</button>", "1 to 60", "as host "]);
    let up_again =
        press(&browser, FILES, &deep, ("to-path", &format!("{}/", night.text("source"))));
    said(&up_again, 200, &["added.txt"]);

    let find = [("look", "find"), ("pattern", "3.txt"), ("repository", "vault")];
    let found = browser.send(FILES, &find);
    said(&found, 200, &["deep/3.txt", "1 to 1", "3.txt in all snapshots of vault"]);
    let diff = [("look", "diff"), ("older", &*old), ("newer", &*new)];
    let differs = browser.send(FILES, &diff);
    said(&differs, 200, &[">added</span>", ">changed</span>", ">removed</span>"]);

    for (fields, status, says) in [
        (vec![("look", "browse"), ("snapshot", &*new), ("path", "/nowhere")], 404, "/nowhere"),
        (vec![("look", "browse"), ("snapshot", "vault:ffffffff")], 404, "there is no snapshot"),
        (vec![("look", "find"), ("pattern", "[")], 400, "no glob"),
        (vec![("look", "find"), ("pattern", "x"), ("host", "elsewhere")], 503, "does not answer"),
        (vec![("look", "diff"), ("older", &*old)], 400, "several snapshots"),
        (vec![("look", "dance")], 400, "say what to look for"),
    ] {
        let page = browser.send(FILES, &fields);
        said(&page, status, &["role=\"alert\"", says]);
    }
    assert_eq!(browser.get("/backups/nobody/files").status, 404);
    let other = viewer(&up, &browser);
    said(&other.get(FILES), 200, &["do not let you look into snapshots"]);
    said(&other.send(FILES, &find), 403, &["do not let you look into snapshots"]);
    let log = up.call(&["events", "-o", "json"]).ended(0).out;
    for name in ["3.txt", "added.txt", "odd", "/deep"] {
        assert!(!log.contains(name), "{name} stands in the log");
    }
    assert_eq!(log.matches("backup.looked-into").count(), 6, "{log}");
    up.stop();
}

#[test]
fn a_directory_with_many_names_goes_on_over_pages_and_none_is_heavy() {
    let dir = tempfile::tempdir().unwrap();
    let (night, up) = site(dir.path());
    for n in 0..450 {
        let name = format!("source/deep/deeper/{:a<90}-{n:03}", "a-long-name");
        fs::write(night.path(&name), "").unwrap();
    }
    succeeds(&up, "save", &[]);
    let browser = Browser::of_admin(&up);
    let many = night.text("source/deep/deeper");
    let mut page =
        browser.send(FILES, &[("look", "browse"), ("path", &many), ("snapshot", "vault:")]);
    let (mut names, mut pages) = (0, 0);
    loop {
        said(&page, 200, &["a-long-name"]);
        names += page.text.matches("data-label=\"Name\"").count();
        pages += 1;
        let Some(more) = page.text.split("name=\"from\" value=\"").nth(1) else { break };
        let more = more.split('"').next().unwrap().to_owned();
        assert_eq!(more, names.to_string());
        page = press(&browser, FILES, &page, ("from", &more));
    }
    assert_eq!(names, 450);
    assert!((3..=8).contains(&pages), "{pages} pages");
    up.stop();
}

#[test]
fn a_file_of_an_old_night_is_brought_back_after_somebody_has_seen_what_will_happen() {
    let dir = tempfile::tempdir().unwrap();
    let (night, up) = site(dir.path());
    let (old, _) = two_nights(&night, &up);
    let browser = Browser::of_admin(&up);
    let find = [("look", "find"), ("pattern", "3.txt"), ("repository", "vault")];
    let found = browser.send(FILES, &find);
    let file = night.text("source/deep/3.txt");
    let (_, letters) = old.split_once(':').unwrap();
    let value = format!("{} {file}/", &letters[..16]);
    let chosen = press(&browser, RESTORE, &found, ("open", &value));
    said(&chosen, 200, &["Nothing is asked for before", &file, "<strong>bring</strong>"]);
    assert!(!chosen.text.contains("What will happen"));

    let to = night.text("back");
    let wish = |more: &[(&'static str, &str)]| {
        let mut fields = vec![("snapshot", &*old), ("path", &*file), ("to", &*to)];
        fields.extend_from_slice(more);
        browser.send(RESTORE, &fields)
    };
    let why = ("reason", "it's gone");
    let look = wish(&[("job", "bring"), why, ("step", "look")]);
    let command =
        format!("decklog backup restore files {} {file} --to {to} --job bring", &letters[..16]);
    said(&look, 200, &["What will happen", "never restored", "nothing that is there", &command]);
    assert!(look.text.contains("&#39;it&#39;\\&#39;&#39;s gone&#39;"), "{}", look.text);
    for (fields, says) in [
        (vec![("job", "restore"), why], "has no parameter snapshot"),
        (vec![("job", "nobody"), why], "choose the job"),
        (vec![("job", "bring")], "a reason of 1 to"),
    ] {
        let mut fields = fields;
        fields.push(("step", "look"));
        said(&wish(&fields), 400, &["role=\"alert\"", says]);
    }

    let button = "name=\"step\" value=\"ask\"";
    let mut fields = around(&look, button);
    fields.push(("step".to_owned(), "ask".to_owned()));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
    let run = browser.act(RESTORE, &fields);
    let twice = browser.send(RESTORE, &fields);
    assert_eq!(twice.status, 303, "what is sent twice is asked for once: {}", twice.text);
    assert!(run.heading().starts_with("bring@"), "{}", run.heading());
    let whole = Path::new(&to).join(file.trim_start_matches('/'));
    let there = || [whole.clone(), Path::new(&to).join("3.txt")].iter().any(|path| path.exists());
    testkit::wait::until("the file to be back", SOON, there).unwrap();
    let runs = up.call(&["runs", "--job", "bring", "-o", "json"]).ended(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    ran(&up, "restore", &[&format!("to={}", night.text("all"))]).ended(0);
    let look = wish(&[("job", "bring"), why, ("step", "look")]);
    assert!(look.text.contains("a restore at"), "{}", look.text);

    let bare = browser.get("/backups/bare/restore");
    said(&bare, 200, &["There is no snapshot to restore"]);
    let other = viewer(&up, &browser);
    said(&other.get(RESTORE), 200, &["do not let you ask for runs"]);
    let fields: Vec<(&str, &str)> = fields
        .into_iter()
        .filter(|(name, _)| *name != "request")
        .chain([("request", "x")])
        .collect();
    said(&other.send(RESTORE, &fields), 403, &["role=\"alert\""]);
    up.stop();
}

#[test]
fn where_no_job_restores_it_the_page_shows_one_that_can_be_applied() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    succeeds(&up, "save", &[]);
    up.call(&["job", "retire", "restore", "--reason", "not any more"]).ended(0);
    let browser = Browser::of_admin(&up);
    let page = browser.get(RESTORE);
    said(&page, 200, &["No active job of", "decklog-executor restore --repository "]);
    let yaml = page.text.split("aria-label=\"A job\">").nth(1).unwrap();
    let yaml = yaml.split("</pre>").next().unwrap();
    let file = dir.path().join("pasted.yaml");
    fs::write(&file, yaml.replace("&#39;", "'")).unwrap();
    up.call(&["apply", &file.display().to_string(), "--reason", "as the page says"]).ended(0);
    let page = browser.get(RESTORE);
    said(&page, 200, &["<strong>restore-files</strong> on host "]);
    up.stop();
}
