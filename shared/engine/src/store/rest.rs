//! restic's REST server, version 2 of its interface.

use std::io;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use ureq::http::Method;

use super::http::{Call, Client, joined, range_header, whole};
use super::location::Url;
use super::{Dir, Mode, Name, Object, Storage};
use crate::request::Keys;

/// The interface whose lists have sizes.
const V2: &str = "application/vnd.x.restic.rest.v2";

/// A repository of a server.
pub(super) struct Rest {
    base: String,
    authorization: Option<String>,
    client: Client,
}

/// One line of a list.
#[derive(Deserialize)]
struct Listed {
    name: String,
    size: u64,
}

impl Rest {
    /// The repository at a place, as the user of the location or of the keys.
    pub(super) fn new(place: Url, keys: &Keys, client: Client) -> io::Result<Self> {
        place.carries(keys).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let user = place.user.or_else(|| keys.get("RESTIC_REST_USERNAME").map(str::to_owned));
        let password = keys.get("RESTIC_REST_PASSWORD");
        let authorization = user.map(|user| {
            let both = format!("{user}:{}", password.unwrap_or_default());
            format!("Basic {}", BASE64_STANDARD.encode(both))
        });
        Ok(Self { base: place.base, authorization, client })
    }

    fn call<'a>(&self, method: Method, path: &str, body: Option<&'a [u8]>) -> Call<'a> {
        let headers = self.authorization.iter().map(|value| ("authorization", value.clone()));
        Call { method, url: format!("{}{path}", self.base), headers: headers.collect(), body }
    }

    /// When a file was written, where the server says it: rclone does, restic's own does not.
    fn changed(&self, name: &Name) -> Option<SystemTime> {
        let answer = self.client.send(|| self.call(Method::HEAD, &name.flat(), None)).ok()?;
        let time = jiff::fmt::rfc2822::parse(answer.header("last-modified")?).ok()?;
        Some(time.timestamp().into())
    }
}

impl Storage for Rest {
    fn list(&self, dir: Dir) -> io::Result<Vec<Object>> {
        let path = format!("{}/", dir.word());
        let listed = self.client.fetch(|| {
            let mut call = self.call(Method::GET, &path, None);
            call.headers.push(("accept", V2.to_owned()));
            call
        });
        // A server that cannot read its disk answers "not found" too: that is never an empty directory.
        let listed: Option<Vec<Listed>> = serde_json::from_slice(&listed?)
            .map_err(|error| io::Error::other(format!("its list cannot be read: {error}")))?;
        let object = |one: Listed| Object { name: one.name, size: one.size, changed: None };
        let mut found: Vec<Object> = listed.unwrap_or_default().into_iter().map(object).collect();
        if dir == Dir::Locks {
            for one in &mut found {
                one.changed = self.changed(&Name { dir, name: one.name.clone() });
            }
        }
        Ok(found)
    }

    fn has(&self, name: &Name) -> io::Result<bool> {
        match self.client.send(|| self.call(Method::HEAD, &name.flat(), None)) {
            Ok(answer) => Ok(answer.status().is_success()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read(&self, name: &Name, range: Option<(u64, u64)>) -> io::Result<Bytes> {
        let bytes = self.client.fetch(|| {
            let mut call = self.call(Method::GET, &name.flat(), None);
            call.headers.extend(range_header(range));
            call
        })?;
        whole(bytes, range)
    }

    /// The interface has no "only if it is not there"; a server that only appends refuses by itself.
    fn write(&self, name: &Name, content: &[Bytes], mode: Mode) -> io::Result<()> {
        if mode == Mode::New && self.has(name)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = joined(content);
        match self.client.send(|| self.call(Method::POST, &name.flat(), Some(&content))) {
            // Servers refuse what is there already: such as what we sent before an answer was lost.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let same = self.read(name, None).is_ok_and(|there| there == content);
                if same { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }

    /// What is gone already was removed by a try whose answer was lost.
    fn remove(&self, name: &Name) -> io::Result<()> {
        match self.client.send(|| self.call(Method::DELETE, &name.flat(), None)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            answer => answer.map(drop),
        }
    }

    fn prepare(&self) -> io::Result<()> {
        self.client.send(|| self.call(Method::POST, "?create=true", Some(&[]))).map(drop)
    }
}
