//! Pages, copies, and how both are written.

use domain::print::{COPIES_MAX, Options, PageRange, check_ranges, selected};

use super::Dice;

fn range(text: &str) -> PageRange {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn ranges(text: &str) -> Vec<PageRange> {
    text.split_whitespace().map(range).collect()
}

#[test]
fn one_range_of_pages_has_one_spelling() {
    for (text, from, to) in [
        ("4", 4, Some(4)),
        ("3-7", 3, Some(7)),
        ("8-", 8, None),
        ("1-4294967295", 1, Some(u32::MAX)),
    ] {
        assert_eq!(range(text), PageRange { from, to });
        assert_eq!(range(text).to_string(), text);
    }
    for bad in [
        "",
        "-",
        "0",
        "0-3",
        "-3",
        "7-3",
        "4-4",
        "3-07",
        "03",
        "+3",
        " 3",
        "3 ",
        "3-7-9",
        "3,7",
        "a",
        "3-b",
        "3--7",
        "4294967296",
        "1-4294967296",
        "99999999999999999999",
        "３",
        "3–7",
    ] {
        let error = bad.parse::<PageRange>().unwrap_err();
        assert_eq!(error, format!("{bad:?} are no pages: write 4, 3-7 or 8-"));
    }
}

#[test]
fn no_text_makes_the_reader_panic_and_what_it_reads_it_writes_so() {
    let letters: Vec<char> = "0123456789--  +a\u{e9}".chars().collect();
    let (mut dice, mut read) = (Dice::new(5), 0);
    for _ in 0..20_000 {
        let text: String = (0..dice.below(7)).map(|_| dice.one(&letters)).collect();
        if let Ok(range) = text.parse::<PageRange>() {
            assert_eq!(range.to_string(), text);
            assert!(range.from >= 1 && range.to.is_none_or(|to| to >= range.from));
            read += 1;
        }
    }
    assert!(read > 500, "{read}");
}

#[test]
fn ranges_stand_in_order_apart_and_within_the_document() {
    let order = "ranges of pages stand in order and do not meet";
    for (text, pages, wanted) in [
        ("", Some(1), Ok(())),
        ("1-10", Some(10), Ok(())),
        ("1-11", Some(10), Err("the document has 10 pages only")),
        ("11-", Some(10), Err("the document has 10 pages only")),
        ("10-", Some(10), Ok(())),
        ("1 2 3", Some(10), Ok(())),
        ("1-3 5 8-", Some(10), Ok(())),
        ("1-3 3", Some(10), Err(order)),
        ("5 1", Some(10), Err(order)),
        ("5- 7", Some(10), Err(order)),
        ("1-99999", None, Ok(())),
    ] {
        assert_eq!(check_ranges(&ranges(text), pages), wanted.map_err(str::to_owned), "{text}");
    }
    let many: Vec<PageRange> = (1..=21).map(|n| PageRange { from: n, to: Some(n) }).collect();
    assert_eq!(check_ranges(&many, None), Err("at most 20 ranges of pages".to_owned()));
    assert_eq!(check_ranges(&many[..20], None), Ok(()));
}

#[test]
fn as_many_pages_are_selected_as_one_counts_by_hand() {
    let mut dice = Dice::new(11);
    for _ in 0..5_000 {
        let pages = 1 + u32::try_from(dice.below(40)).unwrap();
        let (mut chosen, mut at) = (Vec::new(), 1);
        while at <= pages && chosen.len() < 20 {
            let from = at + u32::try_from(dice.below(6)).unwrap();
            if from > pages {
                break;
            }
            let to = (!dice.in_ten(1)).then(|| from + u32::try_from(dice.below(5)).unwrap());
            chosen.push(PageRange { from, to: to.map(|to| to.min(pages)) });
            at = to.map_or(u32::MAX, |to| to + 1);
        }
        let of =
            |page: u32| chosen.iter().any(|r| r.from <= page && r.to.is_none_or(|to| page <= to));
        let by_hand = (1..=pages).filter(|page| chosen.is_empty() || of(*page)).count();
        assert_eq!(check_ranges(&chosen, Some(pages)), Ok(()));
        assert_eq!(selected(&chosen, pages) as usize, by_hand, "{chosen:?} of {pages}");
        let copies = 1 + u16::try_from(dice.below(999)).unwrap();
        let options = Options { copies, pages: chosen, ..Options::default() };
        assert_eq!(options.impressions(pages) as usize, by_hand * usize::from(copies));
    }
}

#[test]
fn no_count_overflows() {
    let most = u32::MAX;
    for (from, to, pages, count) in [
        (1, Some(most), most, most),
        (1, None, most, most),
        (most, None, most, 1),
        (9, Some(3), 10, 0),
        (11, Some(20), 10, 0),
        (0, Some(most), most, most),
        (1, Some(1), 0, 0),
    ] {
        assert_eq!(PageRange { from, to }.count(pages), count, "{from} {to:?} {pages}");
    }
    let twice = [PageRange { from: 1, to: None }; 2];
    assert_eq!(selected(&twice, most), most);
    let options = Options { copies: COPIES_MAX, ..Options::default() };
    assert_eq!(options.impressions(most), most);
}

#[test]
fn options_name_what_a_printer_can_be_asked_for() {
    let good = Options {
        copies: 999,
        media: Some("na_letter_8.5x11in".to_owned()),
        tray: Some("tray-2".to_owned()),
        output_bin: Some("face-down".to_owned()),
        finishing: vec!["staple".to_owned(); 10],
        pages: ranges("1 3-"),
        ..Options::default()
    };
    assert_eq!(good.problems(), []);
    let fields = |options: &Options| options.problems().iter().map(|(f, _)| *f).collect::<Vec<_>>();
    let word = |text: &str| Some(text.to_owned());
    for (field, bad) in [
        ("copies", Options { copies: 0, ..good.clone() }),
        ("copies", Options { copies: 1_000, ..good.clone() }),
        ("media", Options { media: word(""), ..good.clone() }),
        ("media", Options { media: word("A4"), ..good.clone() }),
        ("tray", Options { tray: word("tray 2"), ..good.clone() }),
        ("tray", Options { tray: word(&"x".repeat(256)), ..good.clone() }),
        ("output-bin", Options { output_bin: word("a\nb"), ..good.clone() }),
        ("finishing", Options { finishing: vec!["staple".to_owned(); 11], ..good.clone() }),
        ("finishing", Options { finishing: vec![String::new()], ..good.clone() }),
        ("pages", Options { pages: ranges("3- 4"), ..good }),
    ] {
        assert_eq!(fields(&bad), [field], "{bad:?}");
    }
}
