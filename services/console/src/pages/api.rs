//! The API, for people who write programs: a page that needs no other site.

use askama::Template;

use super::answer::Page;
use super::shell::{Shell, Visitor};
use crate::api::openapi;
use crate::document::{Operation, operations};

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    shell: Shell,
    operations: Vec<Operation>,
}

/// The page.
pub(crate) async fn page(visitor: Visitor) -> Page {
    let shell = visitor.shell().cli("decklog openapi");
    visitor.page(&ApiPage { shell, operations: operations(&openapi()) })
}
