//! Pages, redirections, problems; and the headers of all of them.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::canonical::Digest;

use super::shell::Shell;
use crate::commands::CommandError;
use crate::problem::Problem;

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/live.js");

/// Nothing but what is ours: no frame around us, no script or style in a page, no form to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer to a browser.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    body: String,
    to: Option<String>,
    cookies: Vec<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    shell: Shell,
    title: &'a str,
    detail: &'a str,
    back: &'a str,
    /// Whether it may be the log that does not go on.
    site: bool,
}

impl Page {
    /// A page.
    pub(crate) fn of(template: &impl Template) -> Self {
        match template.render() {
            Ok(body) => Self { status: StatusCode::OK, body, to: None, cookies: Vec::new() },
            Err(error) => {
                let detail = format!("the page could not be made: {error}");
                Self::problem(StatusCode::INTERNAL_SERVER_ERROR, &detail)
            }
        }
    }

    /// Leads elsewhere, by GET.
    pub(crate) fn away(to: &str) -> Self {
        Self::elsewhere(Self::within(to).to_owned())
    }

    /// Leads to another site, by GET.
    pub(crate) fn elsewhere(to: String) -> Self {
        let (status, body) = (StatusCode::SEE_OTHER, String::new());
        Self { status, body, to: Some(to), cookies: Vec::new() }
    }

    /// An address within this console, whatever stands in a link.
    pub(crate) fn within(to: &str) -> &str {
        let ours = to.starts_with('/')
            && !to.starts_with("//")
            && !to.contains(|c: char| c == '\\' || c.is_control());
        if ours { to } else { "/" }
    }

    /// What went wrong, as a page.
    pub(crate) fn problem(status: StatusCode, detail: &str) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let site = status == StatusCode::SERVICE_UNAVAILABLE;
        let page = ProblemPage { shell: Shell::bare(), title, detail, back: "/", site };
        let body = page.render().unwrap_or_else(|_| title.to_owned());
        Self { status, body, to: None, cookies: Vec::new() }
    }

    /// The same with a header that sets a cookie.
    #[must_use]
    pub(crate) fn with_cookie(mut self, cookie: Option<String>) -> Self {
        self.cookies.extend(cookie);
        self
    }

    /// The same with another status.
    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<Problem> for Page {
    fn from(problem: Problem) -> Self {
        Self::problem(problem.code(), &problem.detail)
    }
}

impl From<CommandError> for Page {
    fn from(error: CommandError) -> Self {
        Problem::from(error).into()
    }
}

impl From<bus::recorder::AskError> for Page {
    fn from(error: bus::recorder::AskError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut put = |name: HeaderName, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        };
        put(LOCATION, self.to);
        for cookie in self.cookies.into_iter().filter_map(|text| HeaderValue::try_from(text).ok()) {
            headers.append(SET_COOKIE, cookie);
        }
        (self.status, headers, self.body).into_response()
    }
}

/// The headers of every answer to a browser.
pub(crate) async fn harden(State(secure): State<bool>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    put(HeaderName::from_static("content-security-policy"), POLICY);
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(REFERRER_POLICY, "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if secure {
        // From now on browsers come by TLS only (RFC 6797).
        put(HeaderName::from_static("strict-transport-security"), "max-age=31536000");
    }
    put(HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()");
    response
}

/// Where a file of ours is found: another content has another address, so that browsers may keep it.
pub(crate) fn asset_path(name: &str) -> String {
    let content = if name == "style.css" { STYLE } else { SCRIPT };
    let digest = Digest::of(content.as_bytes()).to_string();
    let (stem, suffix) = name.split_once('.').unwrap_or((name, ""));
    format!("/assets/{stem}-{}.{suffix}", digest.get(..12).unwrap_or_default())
}

/// A file of ours.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let path = format!("/assets/{name}");
    let (content, kind) = if path == asset_path("style.css") {
        (STYLE, "text/css; charset=utf-8")
    } else if path == asset_path("live.js") {
        (SCRIPT, "text/javascript; charset=utf-8")
    } else {
        return Page::problem(StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, content).into_response()
}

/// A text as part of an address (RFC 3986 §2.1).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for (to, wanted) in [
            ("/night", "/night"),
            ("/runs/a?x=1#b", "/runs/a?x=1#b"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(Page::away(to).to.as_deref(), Some(wanted), "{to}");
        }
        assert_eq!(encoded("/a b?c=é"), "%2Fa%20b%3Fc%3D%C3%A9");
    }

    #[test]
    fn what_went_wrong_is_a_page_and_its_text_is_no_markup() {
        let page = Page::problem(StatusCode::NOT_FOUND, "there is no <b>job</b>");
        assert!(page.body.contains("there is no &#60;b&#62;job"), "{}", page.body);
        assert!(page.body.contains("<h1>Not Found</h1>"));
    }
}
