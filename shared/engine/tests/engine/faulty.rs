//! A REST server in memory that does what real ones do on a bad day.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What the server holds, and what is wrong with it.
#[derive(Default)]
pub(crate) struct State {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// It cannot read its directories, and says "not found".
    pub(crate) blind: AtomicBool,
    /// It does what it is asked and is cut off before it can say so, once for each file.
    pub(crate) cut_off: AtomicBool,
}

/// A running server; it ends with the test's process.
pub(crate) struct FaultyServer {
    pub(crate) state: Arc<State>,
    port: u16,
}

impl FaultyServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || state.answer(stream));
            }
        });
        Self { state, port }
    }

    pub(crate) fn location(&self) -> String {
        format!("rest:http://127.0.0.1:{}/vault/", self.port)
    }
}

struct Asked {
    method: String,
    path: String,
    range: Option<(usize, usize)>,
    body: Vec<u8>,
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let (mut length, mut range) = (0, None);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if let Some((first, last)) =
            header.strip_prefix("range: bytes=").and_then(|r| r.split_once('-'))
        {
            range = Some((first.parse().ok()?, last.parse().ok()?));
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let path = path.trim_start_matches("/vault/").to_owned();
    Some(Asked { method, path, range, body })
}

impl State {
    fn answer(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let Some(asked) = read(&mut stream) else { return };
        let Some((status, body)) = self.carry_out(&asked) else { return };
        let head = format!(
            "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut out = stream.into_inner();
        let _ = out.write_all(head.as_bytes());
        if asked.method != "HEAD" {
            let _ = out.write_all(&body);
        }
    }

    /// The status and the body; nothing when the line is cut.
    fn carry_out(&self, asked: &Asked) -> Option<(u16, Vec<u8>)> {
        let mut files = self.files.lock().unwrap();
        let path = &asked.path;
        Some(match asked.method.as_str() {
            "GET" if path.ends_with('/') => match self.blind.load(Ordering::Relaxed) {
                true => (404, Vec::new()),
                false => (200, list(&files, path)),
            },
            "GET" | "HEAD" => match files.get(path) {
                Some(file) => match asked.range {
                    Some((first, last)) => (206, file[first..=last].to_vec()),
                    None => (200, file.clone()),
                },
                None => (404, Vec::new()),
            },
            "POST" if path.starts_with('?') => (200, Vec::new()),
            "POST" if files.contains_key(path) => (403, Vec::new()),
            "POST" => {
                files.insert(path.clone(), asked.body.clone());
                if self.cut_off.load(Ordering::Relaxed) {
                    return None;
                }
                (200, Vec::new())
            }
            "DELETE" => (if files.remove(path).is_some() { 200 } else { 404 }, Vec::new()),
            _ => (405, Vec::new()),
        })
    }
}

fn list(files: &BTreeMap<String, Vec<u8>>, dir: &str) -> Vec<u8> {
    let found: Vec<_> = files
        .iter()
        .filter_map(|(path, file)| Some((path.strip_prefix(dir)?, file.len())))
        .map(|(name, size)| serde_json::json!({"name": name, "size": size}))
        .collect();
    serde_json::to_vec(&found).unwrap()
}
