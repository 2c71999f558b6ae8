//! A definition as one attempt carries it out: every token replaced by what it stands for.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::job::{JobDefinition, Tokens};
use crate::wire::Work;

/// A definition for one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// Its texts without tokens, and the parameters that have a variable in its environment. A script is left as it
    /// is written: values reach one by the environment only, where no quoting can go wrong.
    pub definition: JobDefinition,
    /// The business day of the run.
    pub business_day: Date,
}

/// The definition of an offer with the offer's values in it.
///
/// # Errors
/// What cannot be replaced, in a sentence.
pub fn filled(work: &Work, definition: &JobDefinition) -> Result<Filled, String> {
    let zone = TimeZone::get(&definition.zone)
        .map_err(|_| format!("this host does not know the time zone {}", definition.zone));
    let business_day = match work.business_day {
        Some(day) => day,
        None => zone.clone()?.to_datetime(work.at).date(),
    };
    let occurrence = match zone {
        Ok(zone) => work.at.to_zoned(zone).to_string(),
        Err(_) if definition.texts().all(|text| !text.contains("{{occurrence}}")) => String::new(),
        Err(unknown) => return Err(unknown),
    };
    let tokens = Tokens {
        parameters: &work.parameters,
        business_date: business_day,
        occurrence,
        job: &definition.name,
        run: work.run.rest(),
        attempt: work.attempt,
    };
    let mut definition = definition.clone();
    for text in definition.texts_mut() {
        *text = tokens.expand(text)?;
    }
    set_variables(&mut definition, work);
    Ok(Filled { definition, business_day })
}

/// What the command's own environment says wins.
fn set_variables(definition: &mut JobDefinition, work: &Work) {
    for (name, parameter) in &definition.parameters {
        if let (Some(variable), Some(value)) = (&parameter.env, work.parameters.get(name)) {
            let variable = definition.command.env.entry(variable.clone());
            variable.or_insert_with(|| value.clone());
        }
    }
}
