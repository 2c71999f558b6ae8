//! Who gets which pages.

use document::{Section, SectionsError, marker, sections};

fn pages(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn divided(texts: &[&str]) -> Result<Vec<Section>, SectionsError> {
    sections(&pages(texts), &marker(r"^Invoice for (\S+)").expect("it is an expression"))
}

fn section(recipient: &str, pages: std::ops::RangeInclusive<u32>) -> Section {
    Section { recipient: recipient.to_owned(), pages }
}

#[test]
fn a_section_begins_where_another_name_is_on_the_page() {
    let texts =
        ["Head\nInvoice for A", "more", "Invoice for A", "x\nInvoice for B", "Invoice for A"];
    let expected = [section("A", 1..=3), section("B", 4..=4), section("A", 5..=5)];
    assert_eq!(divided(&texts).expect("it is divided"), expected);
}

#[test]
fn pages_that_belong_to_nobody_or_to_two_are_refused() {
    assert_eq!(divided(&["cover", "Invoice for A"]), Err(SectionsError::Nobody { page: 1 }));
    let two = divided(&["Invoice for A", "Invoice for B\nInvoice for C"]);
    assert_eq!(two, Err(SectionsError::Two { page: 2 }));
    assert_eq!(divided(&[]), Err(SectionsError::Empty));
    let named = |pattern| sections(&pages(&["x"]), &marker(pattern).expect("an expression"));
    assert_eq!(named("x"), Err(SectionsError::NoGroup));
    assert_eq!(named("x( *)"), Err(SectionsError::NoName { page: 1 }));
    assert_eq!(named("(y)?x"), Err(SectionsError::NoName { page: 1 }));
}

#[test]
fn the_same_name_twice_on_a_page_is_one_recipient() {
    let expected = [section("A", 1..=1)];
    assert_eq!(divided(&["Invoice for A\nInvoice for A"]).expect("it is divided"), expected);
}
