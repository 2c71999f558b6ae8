//! Somebody in front of a browser without scripts: follows links, sends forms, keeps the cookie.

use std::fs;

use ureq::Agent;

use crate::programs::Up;

/// A browser in which somebody has logged in.
pub(crate) struct Browser {
    agent: Agent,
    server: String,
    cookie: String,
}

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) text: String,
}

impl Browser {
    /// The administrator of a new installation comes in by the code that lies beside it.
    pub(crate) fn of_admin(up: &Up) -> Self {
        let code = fs::read_to_string(up.data.join("console.code")).unwrap();
        Self::by_code(up, "admin", code.trim())
    }

    /// Somebody comes in by a code.
    pub(crate) fn by_code(up: &Up, name: &str, code: &str) -> Self {
        Self::at(&up.server, name, code)
    }

    /// The same at a console's address.
    pub(crate) fn at(server: &str, name: &str, code: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let (agent, server) = (config.build().into(), server.to_owned());
        let mut browser = Self { agent, server, cookie: String::new() };
        assert_eq!(browser.get("/login").status, 200);
        let fields = format!("name={name}&code={code}");
        let answer = browser.answer("/login", &fields);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    fn answer(&self, path: &str, fields: &str) -> ureq::http::Response<ureq::Body> {
        let call = self.agent.post(format!("{}{path}", self.server));
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        let call = call.header("sec-fetch-site", "same-origin").header("cookie", &self.cookie);
        call.send(fields).unwrap()
    }

    /// Opens a page.
    pub(crate) fn get(&self, path: &str) -> Page {
        let call = self.agent.get(format!("{}{path}", self.server));
        let answer = call.header("cookie", &self.cookie).call();
        Page::of(answer.unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    /// Fills in a form of a page and sends it.
    pub(crate) fn send(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(path);
        let word = page.text.split("name=\"word\" value=\"").nth(1).unwrap();
        let word = word.split('"').next().unwrap();
        let encoded = fields.iter().map(|(name, value)| format!("&{name}={}", encoded(value)));
        let fields = format!("word={}{}", encoded_word(word), encoded.collect::<String>());
        Page::of(self.answer(path, &fields))
    }

    /// The same, of which something must come: the page that it leads to.
    #[track_caller]
    pub(crate) fn act(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let sent = self.send(path, fields);
        assert_eq!(sent.status, 303, "{path} {fields:?}: {}", sent.text);
        assert!(sent.location.contains("done="), "{path} {fields:?}: {}", sent.location);
        let page = self.get(&sent.location);
        assert_eq!(page.status, 200, "{}: {}", sent.location, page.text);
        assert!(page.text.contains("Done: <a href=\"/events/"), "{}", page.text);
        page
    }
}

impl Page {
    fn of(mut answer: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name: &str| {
            let value = answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        let (kind, location) = (header("content-type"), header("location"));
        let status = answer.status().as_u16();
        let text = String::from_utf8_lossy(&answer.body_mut().read_to_vec().unwrap()).into_owned();
        Self { status, kind, location, text }
    }

    /// What stands in these attributes, as a browser reads it.
    pub(crate) fn attributes(&self, name: &str) -> Vec<String> {
        let before = format!(" {name}=\"");
        let parts = self.text.split(&before).skip(1);
        parts.map(|rest| plain(rest.split('"').next().unwrap())).collect()
    }

    /// What the hidden fields of a form send.
    pub(crate) fn hidden(form: &str) -> Vec<(String, String)> {
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
        let field = |part: &str| {
            let (name, rest) = part.split_once("\" value=\"").unwrap();
            (name.to_owned(), plain(rest.split('"').next().unwrap()))
        };
        fields.map(field).collect()
    }

    /// The one heading.
    #[track_caller]
    pub(crate) fn heading(&self) -> String {
        let headings: Vec<&str> = self.text.split("<h1").skip(1).collect();
        let [heading] = headings.as_slice() else { panic!("{} headings", headings.len()) };
        let inner = heading.split_once('>').unwrap().1.split("</h1>").next().unwrap();
        let texts = inner.split('<').enumerate().map(|(number, part)| {
            if number == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) }
        });
        plain(texts.collect::<String>().trim())
    }
}

fn plain(text: &str) -> String {
    let all = [("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'")];
    all.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn encoded_word(word: &str) -> String {
    encoded(&plain(word))
}
