//! A browser nobody here wrote, driven as its makers document it (W3C WebDriver), and what it says of a page's accessibility.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::process::Daemon;
use testkit::wait;

/// How long a page may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(60);

/// A window of its own, without a screen.
pub(crate) struct Browser {
    driver: Daemon,
    session: String,
    agent: ureq::Agent,
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)));
    config.build().into()
}

impl Browser {
    /// A window of this width.
    pub(crate) fn open(width: u32) -> Self {
        let port = testkit::port::free().unwrap();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let mut driver = Daemon::spawn(&mut command).unwrap();
        driver.wait_for_line("started successfully", SOON).unwrap();
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--window-size={width},900"),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, session: base.clone(), agent: agent() };
        let made = browser.post_to(&base, &wanted);
        browser.session = format!("{base}/{}", made["sessionId"].as_str().unwrap());
        browser
    }

    /// Gives its window another width.
    #[track_caller]
    pub(crate) fn resize(&self, width: u32) {
        self.post("window/rect", &json!({"width": width, "height": 900}));
    }

    #[track_caller]
    fn post_to(&self, url: &str, body: &Value) -> Value {
        let answer = self.agent.post(url).send(body.to_string().as_bytes()).unwrap();
        let text = answer.into_body().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        let problem = answer["value"]["error"].as_str();
        assert!(problem.is_none(), "{url} {body}: {text}\n{}", self.driver.output());
        answer["value"].clone()
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.post_to(&format!("{}/{path}", self.session), body)
    }

    /// Opens a page.
    #[track_caller]
    pub(crate) fn go(&self, url: &str) {
        self.post("url", &json!({"url": url}));
    }

    /// What a piece of script gives.
    #[track_caller]
    pub(crate) fn script(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": []}))
    }

    #[track_caller]
    fn element(&self, css: &str) -> String {
        let found = self.post("element", &json!({"using": "css selector", "value": css}));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Types into a field.
    #[track_caller]
    pub(crate) fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.post(&format!("element/{element}/clear"), &json!({}));
        self.post(&format!("element/{element}/value"), &json!({"text": text}));
    }

    /// Presses something that leads to another page, and waits for that.
    #[track_caller]
    pub(crate) fn press(&self, css: &str) {
        let element = self.element(css);
        self.script("window.pressed = true");
        self.post(&format!("element/{element}/click"), &json!({}));
        let new =
            || self.script("return document.readyState === 'complete' && !window.pressed") == true;
        wait::until("the next page", SOON, new).unwrap();
    }

    /// Waits until the address is this one: a page may lead on by itself.
    #[track_caller]
    pub(crate) fn settles(&self, path: &str) {
        let there =
            || self.path() == path && self.script("return document.readyState") == "complete";
        wait::until(path, SOON, there).unwrap();
    }

    /// Forgets who looks: there and elsewhere on this machine.
    #[track_caller]
    pub(crate) fn forget(&self) {
        let done = self.agent.delete(format!("{}/cookie", self.session)).call().unwrap();
        assert!(done.status().is_success(), "{done:?}");
    }

    /// The words of the page.
    #[track_caller]
    pub(crate) fn words(&self) -> String {
        self.script("return document.querySelector('main').innerText").as_str().unwrap().to_owned()
    }

    /// The address without its host.
    #[track_caller]
    pub(crate) fn path(&self) -> String {
        self.script("return location.pathname").as_str().unwrap().to_owned()
    }

    /// What axe finds wrong by WCAG 2, levels A and AA, in words.
    #[track_caller]
    pub(crate) fn barriers(&self) -> Vec<String> {
        self.script(&std::fs::read_to_string(axe()).unwrap());
        let run = "return axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(\
                   found => found.violations.map(one => one.id + ': ' + one.nodes[0].html))";
        let found = self.script(run);
        found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ended = self.agent.delete(&self.session).call();
        self.driver.term();
        let _ended = self.driver.wait_for_end(Duration::from_secs(10));
    }
}

/// Where `ops/dev/setup` puts it.
fn axe() -> PathBuf {
    testkit::installed::place("axe/axe_playwright_python/axe.min.js")
}
