//! What a browser sends: fields, and the word that shows that a page of ours asked for it.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::StatusCode;
use domain::people::Grant;
use jiff::Timestamp;

use super::answer::Page;
use super::shell::Visitor;
use crate::commands::CommandError;
use crate::people::{Form, is_our_own};
use crate::state::Console;

/// The fields of a form. Those with nothing in them are not there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field, where something stands in it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A field, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn must(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("{name} is missing"))
    }

    /// Those whose names begin so, by what comes after that.
    pub(crate) fn behind(&self, prefix: &str) -> BTreeMap<String, String> {
        let own = self.0.iter();
        own.filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
            .collect()
    }

    /// A number, where something stands in the field.
    ///
    /// # Errors
    /// What stands there is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u32>, String> {
        let number = self.get(name).map(str::parse);
        number.transpose().map_err(|_| format!("{name} is a number"))
    }

    /// An instant that the page itself has put there.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn instant(&self, name: &str) -> Result<Timestamp, CommandError> {
        let instant = self.get(name).unwrap_or_default().parse();
        let none = "the form says no instant: open the page again";
        instant.map_err(|_| CommandError::Invalid(none.to_owned()))
    }

    /// Grants, separated by commas or blanks.
    ///
    /// # Errors
    /// One of them is none.
    pub(crate) fn grants(&self, name: &str) -> Result<Vec<Grant>, String> {
        let words = self.words(name);
        words.map(|word| word.parse::<Grant>().map_err(|error| error.to_string())).collect()
    }

    /// Words, separated by commas or blanks.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        let words = self.get(name).unwrap_or_default().split([',', ' ', '\n', '\r']);
        words.filter(|word| !word.is_empty())
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let filled = pairs.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
        Self(filled.filter(|(_, value)| !value.is_empty()).collect())
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Page;

    async fn from_request(request: Request, state: &S) -> Result<Self, Page> {
        let form = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
        let pairs =
            form.map_err(|error| Page::problem(StatusCode::BAD_REQUEST, &error.to_string()))?;
        Ok(pairs.0.into_iter().collect())
    }
}

/// A form of ours, sent by somebody who has come in.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
}

impl FromRequest<Console> for Sent {
    type Rejection = Page;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Page> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        let ours = is_our_own(&parts, console.secure);
        let fields = Fields::from_request(Request::from_parts(parts, body), console).await?;
        let session = visitor.caller.session().unwrap_or_default();
        if !ours || !Form::is_word(&console.keys, session, fields.get("word").unwrap_or_default()) {
            let why = "this form is of another session, or of another site: open the page again";
            return Err(Page::problem(StatusCode::FORBIDDEN, why));
        }
        Ok(Self { visitor, fields })
    }
}
