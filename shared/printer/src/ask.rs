//! What is asked of a printer, and whether it says that it can.

use std::fmt;
use std::str::FromStr;

use crate::facts::Supported;
use crate::finishing::Finishing;
use crate::wire::{Group, Value};

/// Most octets of a name (RFC 8011 §5.1.3) and of a keyword (§5.1.4).
const LONGEST_NAME: usize = 255;
/// The word that holds a job until somebody releases it (RFC 8011 §5.2.2).
const INDEFINITE: &str = "indefinite";
/// How a job's password is sent: as it is. The connection protects it.
const PLAIN: &str = "none";
/// Most items that an error lists of what is supported.
const MOST_LISTED: usize = 20;

/// sides (RFC 8011 §5.2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sides {
    /// One side of each sheet.
    One,
    /// Both, to be turned like a book.
    TwoLongEdge,
    /// Both, to be turned like a calendar.
    TwoShortEdge,
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sides::One => "one-sided",
            Sides::TwoLongEdge => "two-sided-long-edge",
            Sides::TwoShortEdge => "two-sided-short-edge",
        })
    }
}

impl FromStr for Sides {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "one-sided" => Ok(Sides::One),
            "two-sided-long-edge" => Ok(Sides::TwoLongEdge),
            "two-sided-short-edge" => Ok(Sides::TwoShortEdge),
            other => Err(format!(
                "{other:?} is none of one-sided, two-sided-long-edge and two-sided-short-edge"
            )),
        }
    }
}

/// Pages from the first to the last, both printed; 1 is the first (page-ranges, RFC 8011 §5.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pages {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// A password that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(
    /// What it is.
    pub String,
);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A job. What is `None` or empty is left to the printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// job-name: unique among all jobs of all time, because it is what finds the job again. 1 to 255 octets.
    pub name: String,
    /// requesting-user-name: whose it is. 1 to 255 octets.
    pub user: String,
    /// document-format: a MIME type.
    pub format: String,
    /// copies: 1 and up.
    pub copies: u32,
    /// sides.
    pub sides: Option<Sides>,
    /// media: a size, such as `iso_a4_210x297mm` (PWG 5101.1).
    pub media: Option<String>,
    /// media-source: a tray (PWG 5100.7).
    pub tray: Option<String>,
    /// finishings.
    pub finishings: Vec<Finishing>,
    /// output-bin (PWG 5100.2).
    pub output_bin: Option<String>,
    /// page-ranges: in order, without overlap.
    pub pages: Vec<Pages>,
    /// job-priority: 1 (least) to 100.
    pub priority: Option<u32>,
    /// Held until somebody releases it (job-hold-until).
    pub hold: bool,
    /// job-impressions: how many there will be, so that the printer can refuse. Left away where it does not take it.
    pub impressions: Option<u32>,
    /// job-password (PWG 5100.11): printed only when somebody types it at the printer.
    pub password: Option<Secret>,
}

/// One thing asked that a printer does not offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The name of the attribute.
    pub option: &'static str,
    /// What was asked.
    pub asked: String,
    /// What would do.
    pub supported: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, it takes {}", self.option, self.asked, self.supported)
    }
}

/// Several in one line.
pub(crate) fn listed(unfit: &[Unfit]) -> String {
    unfit.iter().map(Unfit::to_string).collect::<Vec<_>>().join("; ")
}

impl Ask {
    /// One copy of a document, everything else as the printer does it.
    pub fn new(name: &str, user: &str, format: &str) -> Ask {
        Ask {
            name: name.to_owned(),
            user: user.to_owned(),
            format: format.to_owned(),
            copies: 1,
            sides: None,
            media: None,
            tray: None,
            finishings: Vec::new(),
            output_bin: None,
            pages: Vec::new(),
            priority: None,
            hold: false,
            impressions: None,
            password: None,
        }
    }

    /// Everything that does not fit what a printer says of itself; pure. `private` says whether the connection may
    /// carry a password.
    pub fn unfit(&self, supported: &Supported, private: bool) -> Vec<Unfit> {
        let mut all = Findings(Vec::new());
        all.name("job-name", &self.name);
        all.name("requesting-user-name", &self.user);
        all.one_of("document-format", Some(&self.format), &supported.formats);
        all.number("copies", Some(self.copies), supported.copies.unwrap_or((1, 1)));
        all.one_of("sides", self.sides.as_ref(), &supported.sides);
        all.one_of("media", self.media.as_ref(), &either(&supported.media, &supported.media_ready));
        all.one_of("media-source", self.tray.as_ref(), &supported.trays);
        self.media_in_tray(supported, &mut all);
        for finishing in &self.finishings {
            all.one_of("finishings", Some(finishing), &supported.finishings);
        }
        all.one_of("output-bin", self.output_bin.as_ref(), &supported.output_bins);
        self.page_ranges(supported, &mut all);
        let priority = if supported.priority.is_some() { (1, 100) } else { (1, 0) };
        all.number("job-priority", self.priority, priority);
        let hold = self.hold.then(|| INDEFINITE.to_owned());
        all.one_of("job-hold-until", hold.as_ref(), &supported.hold_until);
        if let Some(range) = supported.impressions {
            all.number("job-impressions", self.impressions, range);
        }
        self.job_password(supported, private, &mut all);
        all.0
    }

    /// Size and tray together need a collection that can hold both (PWG 5100.7 §6.3).
    fn media_in_tray(&self, supported: &Supported, all: &mut Findings) {
        if self.tray.is_none() {
            return;
        }
        let needed = if self.media.is_some() { "media-size-name" } else { "media-source" };
        all.one_of("media-col", Some(&needed.to_owned()), &supported.media_members);
    }

    fn page_ranges(&self, supported: &Supported, all: &mut Findings) {
        if self.pages.is_empty() {
            return;
        }
        let asked = || shown(&self.pages);
        if !supported.page_ranges {
            all.add("page-ranges", asked(), "no such option".to_owned());
        }
        let mut before = 0;
        let most = i32::MAX.unsigned_abs();
        let in_order = self.pages.iter().all(|pages| {
            let fits = pages.first > before && pages.last >= pages.first && pages.last <= most;
            before = pages.last;
            fits
        });
        if !in_order {
            let takes = "ranges from 1 up, in order, without overlap".to_owned();
            all.add("page-ranges", asked(), takes);
        }
    }

    fn job_password(&self, supported: &Supported, private: bool, all: &mut Findings) {
        let Some(Secret(password)) = &self.password else { return };
        let octets = u32::try_from(password.len()).unwrap_or(u32::MAX);
        let most = supported.password.unwrap_or(0);
        if octets == 0 || octets > most {
            all.add("job-password", format!("{octets} octets long"), format!("1 to {most}"));
        }
        let plain = PLAIN.to_owned();
        all.one_of("job-password-encryption", Some(&plain), &supported.password_encryptions);
        if !private {
            all.add(
                "job-password",
                "without encryption".to_owned(),
                "it over ipps:// only".to_owned(),
            );
        }
    }

    /// The attributes of Validate-Job and Create-Job (RFC 8011 §4.2.1.1), in order.
    pub(crate) fn attributes(&self, supported: &Supported) -> Vec<(Group, &'static str, Value)> {
        let mut all = vec![
            (Group::Operation, "requesting-user-name", Value::Name(self.user.clone())),
            (Group::Operation, "job-name", Value::Name(self.name.clone())),
            // A printer that cannot do it all refuses, instead of doing what it can.
            (Group::Operation, "ipp-attribute-fidelity", Value::Boolean(true)),
        ];
        if let (Some(count), Some(_)) = (self.impressions, supported.impressions) {
            all.push((Group::Operation, "job-impressions", Value::Integer(number(count))));
        }
        if let Some(Secret(password)) = &self.password {
            let octets = Value::Octets(password.as_bytes().to_vec());
            all.push((Group::Operation, "job-password", octets));
            let plain = Value::Keyword(PLAIN.to_owned());
            all.push((Group::Operation, "job-password-encryption", plain));
        }
        all.extend(
            self.template(supported).into_iter().map(|(name, value)| (Group::Job, name, value)),
        );
        all
    }

    fn template(&self, supported: &Supported) -> Vec<(&'static str, Value)> {
        let keyword = |text: &dyn fmt::Display| Value::Keyword(text.to_string());
        let mut all = Vec::new();
        // A printer may be set to print two of everything, so one copy is said too.
        if supported.copies.is_some() {
            all.push(("copies", Value::Integer(number(self.copies))));
        }
        all.extend(self.sides.iter().map(|sides| ("sides", keyword(sides))));
        all.extend(self.medium());
        if !self.finishings.is_empty() {
            let set = self.finishings.iter().map(|finishing| Value::Enum(finishing.0)).collect();
            all.push(("finishings", Value::Set(set)));
        }
        all.extend(self.output_bin.iter().map(|bin| ("output-bin", keyword(bin))));
        if !self.pages.is_empty() {
            let range = |pages: &Pages| Value::Range(number(pages.first), number(pages.last));
            all.push(("page-ranges", Value::Set(self.pages.iter().map(range).collect())));
        }
        let priority = |priority: &u32| ("job-priority", Value::Integer(number(*priority)));
        all.extend(self.priority.iter().map(priority));
        if self.hold {
            all.push(("job-hold-until", keyword(&INDEFINITE)));
        }
        all
    }

    fn medium(&self) -> Option<(&'static str, Value)> {
        let keyword = |text: &String| Value::Keyword(text.clone());
        match (&self.media, &self.tray) {
            (None, None) => None,
            (Some(media), None) => Some(("media", keyword(media))),
            (None, Some(tray)) => {
                Some(("media-col", Value::Collection(vec![("media-source", keyword(tray))])))
            }
            (Some(media), Some(tray)) => {
                let members =
                    vec![("media-size-name", keyword(media)), ("media-source", keyword(tray))];
                Some(("media-col", Value::Collection(members)))
            }
        }
    }
}

/// What does not fit.
struct Findings(Vec<Unfit>);

impl Findings {
    fn add(&mut self, option: &'static str, asked: String, supported: String) {
        self.0.push(Unfit { option, asked, supported });
    }

    fn name(&mut self, option: &'static str, name: &str) {
        if name.is_empty() || name.len() > LONGEST_NAME {
            let octets = format!("1 to {LONGEST_NAME} octets");
            self.add(option, format!("{} octets long", name.len()), octets);
        }
    }

    fn one_of<T: fmt::Display + PartialEq>(
        &mut self,
        option: &'static str,
        asked: Option<&T>,
        supported: &[T],
    ) {
        if let Some(asked) = asked
            && !supported.contains(asked)
        {
            self.add(option, asked.to_string(), shown(supported));
        }
    }

    fn number(&mut self, option: &'static str, asked: Option<u32>, (min, max): (u32, u32)) {
        if let Some(asked) = asked
            && !(min..=max).contains(&asked)
        {
            let takes =
                if min > max { "no such option".to_owned() } else { format!("{min} to {max}") };
            self.add(option, asked.to_string(), takes);
        }
    }
}

fn shown<T: fmt::Display>(values: &[T]) -> String {
    if values.is_empty() {
        return "no such option".to_owned();
    }
    let first: Vec<String> = values.iter().take(MOST_LISTED).map(T::to_string).collect();
    let more = values.len().saturating_sub(MOST_LISTED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    first.join(", ") + &more
}

fn either(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().chain(other).cloned().collect()
}

/// A number as IPP has it; what does not fit was found before.
fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supported() -> Supported {
        Supported {
            formats: vec!["application/pdf".to_owned()],
            copies: Some((1, 9)),
            sides: vec![Sides::One],
            media: vec!["iso_a4_210x297mm".to_owned()],
            media_members: vec!["media-source".to_owned()],
            trays: vec!["tray-1".to_owned()],
            finishings: vec![Finishing(3)],
            page_ranges: true,
            priority: Some(1),
            password: Some(4),
            password_encryptions: vec!["none".to_owned()],
            ..Supported::default()
        }
    }

    fn ask() -> Ask {
        Ask::new("payroll 1", "payroll", "application/pdf")
    }

    fn found(ask: &Ask, private: bool) -> Vec<&'static str> {
        ask.unfit(&supported(), private).iter().map(|unfit| unfit.option).collect()
    }

    #[test]
    fn what_a_printer_does_not_offer_is_named_with_what_it_does() {
        let tray = Some("tray-1".to_owned());
        let media = Some("iso_a4_210x297mm".to_owned());
        let secret = |text: &str| Some(Secret(text.to_owned()));
        for (asked, options) in [
            (ask(), &[][..]),
            (Ask { copies: 9, priority: Some(100), tray: tray.clone(), ..ask() }, &[]),
            (Ask { media: media.clone(), ..ask() }, &[]),
            (Ask { password: secret("1234"), ..ask() }, &[]),
            (Ask { impressions: Some(7), ..ask() }, &[]),
            (Ask { copies: 10, ..ask() }, &["copies"]),
            (Ask { copies: 0, ..ask() }, &["copies"]),
            (Ask { name: String::new(), ..ask() }, &["job-name"]),
            (Ask { name: "n".repeat(256), ..ask() }, &["job-name"]),
            (Ask { format: "text/plain".to_owned(), ..ask() }, &["document-format"]),
            (Ask { sides: Some(Sides::TwoLongEdge), ..ask() }, &["sides"]),
            (Ask { media: Some("a3".to_owned()), ..ask() }, &["media"]),
            (Ask { tray: Some("tray-9".to_owned()), ..ask() }, &["media-source"]),
            (Ask { tray, media, ..ask() }, &["media-col"]),
            (Ask { finishings: vec![Finishing(4)], ..ask() }, &["finishings"]),
            (Ask { output_bin: Some("face-up".to_owned()), ..ask() }, &["output-bin"]),
            (Ask { pages: vec![Pages { first: 3, last: 2 }], ..ask() }, &["page-ranges"]),
            (Ask { pages: vec![Pages { first: 0, last: 2 }], ..ask() }, &["page-ranges"]),
            (Ask { priority: Some(101), ..ask() }, &["job-priority"]),
            (Ask { hold: true, ..ask() }, &["job-hold-until"]),
            (Ask { password: secret("12345"), ..ask() }, &["job-password"]),
        ] {
            assert_eq!(found(&asked, true), options, "{asked:?}");
        }
        assert_eq!(found(&Ask { password: secret("1234"), ..ask() }, false), ["job-password"]);
        let said = listed(&Ask { copies: 10, ..ask() }.unfit(&supported(), true));
        assert_eq!(said, "copies is 10, it takes 1 to 9");
    }

    #[test]
    fn ranges_of_pages_stand_in_order_without_overlap() {
        let pages = |first, last| Pages { first, last };
        let unfit = |pages: Vec<Pages>| !found(&Ask { pages, ..ask() }, true).is_empty();
        assert!(!unfit(vec![pages(1, 1), pages(2, 5)]));
        assert!(unfit(vec![pages(1, 3), pages(3, 5)]));
        assert!(unfit(vec![pages(4, 5), pages(1, 2)]));
        assert!(unfit(vec![pages(1, u32::MAX)]));
    }

    #[test]
    fn one_copy_is_said_because_a_printer_may_be_set_to_two() {
        let names = |supported: &Supported| -> Vec<&str> {
            ask().attributes(supported).into_iter().map(|(_, name, _)| name).collect()
        };
        assert!(names(&supported()).contains(&"copies"));
        assert!(!names(&Supported::default()).contains(&"copies"));
        assert!(names(&supported()).contains(&"ipp-attribute-fidelity"));
    }
}
