//! That an event is in the log: the proof, for whoever wants to check it elsewhere.

use axum::Json;
use axum::extract::{Path, State};
use bus::recorder::ask;
use domain::wire::{Answer, Content, Inclusion, Proof, Query};
use serde_json::{Value, json};

use super::Result;
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// The proof that an event is in the newest signed head (RFC 6962 §2.1.1): its leaf and hash, the audit path, the head.
#[utoipa::path(get, path = "/api/v1/events/{position}/proof", params(("position" = u64, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn proof(
    _: Caller,
    State(console): State<Console>,
    Path(position): Path<String>,
) -> Result<Json<Value>> {
    let position: u64 = position.parse().map_err(Problem::bad_request)?;
    let answer = ask(&console.bus, &Query::Proof { position }).await?;
    let Answer { position: size, content: Content::Proof(proof) } = answer else {
        return Err(Problem::unavailable("no proof"));
    };
    let proof = proven(proof, position, size)?;
    Ok(Json(json!({"position": size, "proof": proof})))
}

fn proven(proof: Proof, position: u64, size: u64) -> Result<Inclusion> {
    match proof {
        Proof::Proven(proof) => Ok(proof),
        Proof::NotSigned { .. } if !(1..=size).contains(&position) => {
            Err(Problem::not_found(format!("there is no event {position} (yet)")))
        }
        Proof::NotSigned { size } => {
            let text = format!(
                "there is no proof of event {position} yet: the newest signed head reaches to {size}"
            );
            Err(Problem::not_found(text))
        }
        Proof::Reading { read, size } => {
            let text = format!(
                "{read} of {size} leaves are read for it: ask again, it goes on from there"
            );
            Err(Problem::unavailable(text))
        }
    }
}
