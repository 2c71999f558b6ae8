//! Who gets which pages.

use document::{PageRanges, PageRangesError, Section, SectionsError, marker, sections};
use proptest::prelude::*;

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

#[test]
fn pages_are_written_as_people_write_them() {
    let ranges: PageRanges = "1-3, 5,8-".parse().expect("they are ranges");
    assert_eq!(ranges.to_string(), "1-3,5,8-");
    assert_eq!(ranges.within(9), Ok(vec![1..=3, 5..=5, 8..=9]));
    assert_eq!(ranges.within(8), Ok(vec![1..=3, 5..=5, 8..=8]));
    assert_eq!(ranges.within(7), Err(PageRangesError::Beyond { page: 8, pages: 7 }));
    assert_eq!(ranges.within(2), Err(PageRangesError::Beyond { page: 3, pages: 2 }));
}

#[test]
fn pages_that_are_out_of_order_or_named_twice_are_refused() {
    for text in ["3-1", "1,1", "5,1-3", "1-3,3", "2-,5", "1-,2-"] {
        let refused = text.parse::<PageRanges>();
        assert!(matches!(refused, Err(PageRangesError::Order(_))), "{text}: {refused:?}");
    }
    for text in ["", ",", "1,,2", "a", "-3", "1-2-3", "1 2", "+1", "99999999999", "1-x"] {
        let refused = text.parse::<PageRanges>();
        assert!(matches!(refused, Err(PageRangesError::NoRange(_))), "{text}: {refused:?}");
    }
    assert_eq!("0-3".parse::<PageRanges>(), Err(PageRangesError::Zero));
}

proptest! {
    #[test]
    fn ranges_of_any_text_are_refused_or_written_back_the_same(text in "[0-9,\\- ]{0,12}") {
        if let Ok(ranges) = text.parse::<PageRanges>() {
            prop_assert_eq!(ranges.to_string().parse::<PageRanges>(), Ok(ranges));
        }
    }
}
