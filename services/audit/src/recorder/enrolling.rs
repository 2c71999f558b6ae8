//! Who is let in: producers with a ground, and, where the site asks for it, with a key that a person has confirmed.

use domain::canonical::Digest;
use domain::event::{LogProducerAsked, LogProducerEnrolled};
use domain::ids::{Class, StreamId};
use domain::ledger::{AskedKey, Joining, KeyAnswer, Mark};
use domain::people::plain_code;
use domain::wire::{AppendAnswer, Enrol};
use tracing::{info, warn};

use super::Recorder;
use crate::join;

/// On what ground somebody is let in now, or what they are answered.
type Admitted = Result<String, AppendAnswer>;

impl Recorder {
    pub(super) async fn enrol(&mut self, enrol: &Enrol) -> AppendAnswer {
        let key = match enrol.check() {
            Ok(key) => key,
            Err(error) => return AppendAnswer::Refused { reason: error.to_string() },
        };
        match self.appender.ledger().producers.get(&enrol.producer) {
            Some(known) if known.revoked => {
                let back = match enrol.producer.class() {
                    Class::Executor => self.next_key(enrol),
                    Class::Console | Class::Scheduler | Class::Audit => {
                        "give it another name, and another key".to_owned()
                    }
                };
                let reason = format!("the key of {} was revoked: {back}", enrol.producer);
                return AppendAnswer::Refused { reason };
            }
            Some(known) if known.key == key => return AppendAnswer::Enrolled,
            Some(_) => {
                let back = match enrol.producer.class() {
                    Class::Executor => format!("bring its key back, or {}", self.next_key(enrol)),
                    Class::Console | Class::Scheduler | Class::Audit => {
                        "give this producer another name, or bring its key back".to_owned()
                    }
                };
                let reason = format!("{} is enrolled with another key: {back}", enrol.producer);
                return AppendAnswer::Refused { reason };
            }
            None => {}
        }
        let ground = match self.admit(enrol).await {
            Ok(Ok(ground)) => ground,
            Ok(Err(answer)) => return answer,
            Err(error) => return AppendAnswer::Busy { reason: error.to_string() },
        };
        let event = LogProducerEnrolled {
            producer: enrol.producer.clone(),
            class: enrol.producer.class(),
            key: enrol.key.clone(),
            ground,
        };
        match self.say(event).await {
            Ok(Mark::Valid) => {
                info!(producer = %enrol.producer, key = %key.id().short(), "let a producer in");
                AppendAnswer::Enrolled
            }
            // Another recorder wrote to the same stream; the producer asks again.
            Ok(mark) => AppendAnswer::Busy { reason: mark.void().unwrap_or_default() },
            Err(error) => AppendAnswer::Busy { reason: error.to_string() },
        }
    }

    /// How a host comes back that has not the key with which it was let in.
    fn next_key(&self, enrol: &Enrol) -> String {
        let host = enrol.producer.name();
        let next = self.appender.ledger().keys_of(host).count() + 1;
        format!(
            "an administrator invites it again (`decklog host invite {host} --again`), and it joins with `--key-number {next}`"
        )
    }

    /// A producer that has a ground is let in, or waits where a person has to confirm its key. What it had as its ground is looked
    /// at once: a code does not live as long as people take.
    async fn admit(&mut self, enrol: &Enrol) -> anyhow::Result<Admitted> {
        let Some(joining) = self.joining().await?.filter(|joining| joining.required) else {
            let ground = self.ground(enrol).await?;
            return Ok(ground.map(str::to_owned).ok_or_else(|| no_ground(enrol)));
        };
        let asked = joining.asked.get(&enrol.producer).filter(|asked| asked.key == enrol.key);
        match asked {
            Some(AskedKey { answer: Some(KeyAnswer::Confirmed { .. }), ground, .. }) => {
                Ok(Ok(ground.clone()))
            }
            Some(AskedKey { answer: Some(KeyAnswer::Declined { reason, .. }), .. }) => {
                Ok(Err(AppendAnswer::Refused { reason: format!("its key was declined: {reason}") }))
            }
            Some(AskedKey { answer: None, .. }) => Ok(Err(AppendAnswer::Waiting)),
            None => Ok(Err(self.have_asked(&joining, enrol).await?)),
        }
    }

    async fn have_asked(
        &mut self,
        joining: &Joining,
        enrol: &Enrol,
    ) -> anyhow::Result<AppendAnswer> {
        let Some(ground) = self.ground(enrol).await? else { return Ok(no_ground(enrol)) };
        // Whoever is kept out asks again and again: that is not said each time.
        if let Err(reason) = joining.may_ask(&enrol.producer, &enrol.key, (self.around.clock)()) {
            return Ok(AppendAnswer::Busy { reason });
        }
        let (producer, key) = (enrol.producer.clone(), enrol.key.clone());
        let event = LogProducerAsked { producer, key, ground: ground.to_owned() };
        Ok(match self.say_of(StreamId::joining(), event).await? {
            Mark::Valid => {
                warn!(producer = %enrol.producer, "a key waits until a person confirms it at a console");
                AppendAnswer::Waiting
            }
            mark @ (Mark::Conflict { .. } | Mark::Refused { .. }) => {
                AppendAnswer::Busy { reason: mark.void().unwrap_or_default() }
            }
        })
    }

    async fn joining(&self) -> anyhow::Result<Option<Joining>> {
        let state = self.appender.log().stream(&StreamId::joining()).await?;
        Ok(state.and_then(|state| state.body.joining().cloned()))
    }

    /// On what ground a producer may be let in: the token of its class, or of a host that somebody at a console has invited it.
    /// A host that was let in once is enrolled, so that its code lets in nobody else.
    async fn ground(&self, enrol: &Enrol) -> anyhow::Result<Option<&'static str>> {
        let class = enrol.producer.class();
        let generation = enrol.producer.generation();
        // Whoever has the token of the class could otherwise silence any host.
        if generation == 1 && join::fits(&self.own.keys.join, class, &enrol.token) {
            return Ok(Some("join-token"));
        }
        if class != Class::Executor {
            return Ok(None);
        }
        let state = self.appender.log().stream(&StreamId::host(enrol.producer.name())).await?;
        let host = state.as_ref().and_then(|state| state.body.host());
        let code = Digest::of(plain_code(&enrol.token).as_bytes());
        let invited =
            host.is_some_and(|host| host.invites(&code, generation, (self.around.clock)()));
        Ok(invited.then_some("invitation"))
    }
}

fn no_ground(enrol: &Enrol) -> AppendAnswer {
    let class = enrol.producer.class();
    let other = if class == Class::Executor {
        ", or a code of a console that is not older than 15 minutes"
    } else {
        ""
    };
    let reason = format!(
        "the join token does not fit: producers of class {class} need the content of join-{class}.token of the recorder{other}"
    );
    AppendAnswer::Refused { reason }
}
