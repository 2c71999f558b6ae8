//! The API, for people who write programs: a page that needs no other site.

use askama::Template;

use super::answer::Page;
use super::shell::{Shell, Visitor};
use crate::api::openapi;
use crate::document::{KEY_SAYS, Operation, operations};

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    shell: Shell,
    /// What a key does, which whatever is said may be said with.
    key_says: &'static str,
    operations: Vec<Operation>,
}

/// The page.
pub(crate) async fn page(visitor: Visitor) -> Page {
    let shell = visitor.shell().cli("decklog openapi");
    visitor.page(&ApiPage { shell, key_says: KEY_SAYS, operations: operations(&openapi()) })
}
