//! An object store that speaks S3: requests signed by `rusty-s3`, sent by our client.
//!
//! Every object is sent with its SHA-256 and its MD5: the store verifies what came, and a bucket with object lock takes
//! nothing without (which of the two, stores do not agree). The configuration is written with `If-None-Match: *`. Deleting in a bucket with versions only marks: what is locked stays.

use std::io;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use md5::Md5;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket as Signed, Credentials, Map, S3Action, UrlStyle};
use sha2::{Digest, Sha256};
use ureq::http::Method;

use super::http::{Call, Client, joined, range_header, whole};
use super::location::Bucket;
use super::{Dir, Mode, Name, Object, Storage};
use crate::request::Keys;

/// How long a signature holds: longer than a request may take on a slow line.
const HOLDS: Duration = Duration::from_secs(60 * 60);

/// The region of stores that have none.
const NO_REGION: &str = "us-east-1";

/// The objects of a repository below a prefix.
pub(super) struct S3 {
    bucket: Signed,
    credentials: Option<Credentials>,
    prefix: String,
    client: Client,
}

impl S3 {
    /// The objects of a place, with the keys of its storage.
    pub(super) fn new(
        place: Bucket,
        region: Option<&str>,
        keys: &Keys,
        client: Client,
    ) -> io::Result<Self> {
        let bad = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let endpoint = place.endpoint.parse().map_err(|error| bad(format!("{error}")))?;
        let region = region.or_else(|| keys.get("AWS_DEFAULT_REGION")).unwrap_or(NO_REGION);
        let bucket = Signed::new(endpoint, UrlStyle::Path, place.bucket, region.to_owned());
        let bucket = bucket.map_err(|error| bad(format!("{error}")))?;
        Ok(Self { bucket, credentials: credentials(keys)?, prefix: place.prefix, client })
    }

    fn key(&self, name: &Name) -> String {
        format!("{}{}", self.prefix, name.path())
    }

    /// A request with these headers, all of them signed.
    fn call<'b, 'a, A: S3Action<'a>>(
        method: Method,
        mut action: A,
        headers: &[(&'static str, String)],
        body: Option<&'b [u8]>,
    ) -> Call<'b> {
        let signed: &mut Map<'a> = action.headers_mut();
        for (name, value) in headers {
            signed.insert(*name, value.clone());
        }
        Call { method, url: action.sign(HOLDS).into(), headers: headers.to_vec(), body }
    }

    fn page(&self, prefix: &str, token: Option<&str>) -> io::Result<Page> {
        let text = self.client.fetch(|| {
            let mut action = self.bucket.list_objects_v2(self.credentials.as_ref());
            action.with_prefix(prefix.to_owned());
            if let Some(token) = token {
                action.with_continuation_token(token.to_owned());
            }
            Self::call(Method::GET, action, &[], None)
        })?;
        let read = std::str::from_utf8(&text).map_err(io::Error::other)?;
        let page = ListObjectsV2::parse_response(read).map_err(io::Error::other)?;
        let objects = page.contents.into_iter().filter_map(|one| {
            let name = one.key.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
            let changed = one.last_modified.and_then(|time| time.parse::<jiff::Timestamp>().ok());
            let changed = changed.map(SystemTime::from);
            Some((one.key, Object { name, size: one.size.unwrap_or(0), changed }))
        });
        Ok(Page { objects: objects.collect(), next: page.next_continuation_token })
    }
}

struct Page {
    /// With their whole keys.
    objects: Vec<(String, Object)>,
    next: Option<String>,
}

/// Both keys, or none: then nothing is signed.
fn credentials(keys: &Keys) -> io::Result<Option<Credentials>> {
    let (id, secret) = (keys.get("AWS_ACCESS_KEY_ID"), keys.get("AWS_SECRET_ACCESS_KEY"));
    match (id, secret, keys.get("AWS_SESSION_TOKEN")) {
        (Some(id), Some(secret), Some(token)) => {
            Ok(Some(Credentials::new_with_token(id, secret, token)))
        }
        (Some(id), Some(secret), None) => Ok(Some(Credentials::new(id, secret))),
        (None, None, _) => Ok(None),
        (Some(_), None, _) | (None, Some(_), _) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing: give both as secrets",
        )),
    }
}

impl Storage for S3 {
    fn list(&self, dir: Dir) -> io::Result<Vec<Object>> {
        let prefix = format!("{}{}/", self.prefix, dir.word());
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.page(&prefix, token.as_deref())?;
            found.extend(page.objects.into_iter().map(|(_, object)| object));
            match page.next {
                Some(next) => token = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// By a list: asking for the object itself, a bucket that is not there looks like an object that is not.
    fn has(&self, name: &Name) -> io::Result<bool> {
        let key = self.key(name);
        let page = self.page(&key, None)?;
        Ok(page.objects.iter().any(|(there, _)| *there == key))
    }

    fn read(&self, name: &Name, range: Option<(u64, u64)>) -> io::Result<Bytes> {
        let key = self.key(name);
        let headers: Vec<_> = range_header(range).into_iter().collect();
        let bytes = self.client.fetch(|| {
            let action = self.bucket.get_object(self.credentials.as_ref(), &key);
            Self::call(Method::GET, action, &headers, None)
        })?;
        whole(bytes, range)
    }

    fn write(&self, name: &Name, content: &[Bytes], mode: Mode) -> io::Result<()> {
        let (key, content) = (self.key(name), joined(content));
        let mut headers = vec![
            ("content-md5", BASE64_STANDARD.encode(Md5::digest(&content))),
            ("x-amz-checksum-sha256", BASE64_STANDARD.encode(Sha256::digest(&content))),
        ];
        if mode == Mode::New {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let sent = self.client.send(|| {
            let action = self.bucket.put_object(self.credentials.as_ref(), &key);
            Self::call(Method::PUT, action, &headers, Some(&content))
        });
        sent.map(drop)
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        let key = self.key(name);
        let sent = self.client.send(|| {
            let action = self.bucket.delete_object(self.credentials.as_ref(), &key);
            Self::call(Method::DELETE, action, &[], None)
        });
        sent.map(drop)
    }

    /// There are no directories, and buckets are made by whoever pays for them.
    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }
}
