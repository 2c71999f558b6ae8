//! A server that does what a script says, and then hangs up: for what no real server does on demand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long it waits for a client that says nothing: then the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// One thing a scripted server does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends these bytes.
    Say(Vec<u8>),
    /// Reads a line.
    Hear,
    /// Reads so many bytes.
    Take(usize),
    /// Reads lines until one that is a dot only.
    HearMessage,
    /// Says the same again and again until the client hangs up.
    Babble(Vec<u8>),
    /// Says nothing until the client hangs up.
    Wait,
}

/// A server on a port of its own that serves one client.
#[derive(Debug)]
pub struct Scripted {
    port: u16,
    thread: Option<JoinHandle<String>>,
}

impl Scripted {
    /// Starts one.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start(script: Vec<Act>) -> anyhow::Result<Scripted> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let thread = std::thread::spawn(move || serve(&listener, &script));
        Ok(Scripted { port, thread: Some(thread) })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything it heard. Waits until the client has gone, and for none that has not come by now.
    pub fn heard(&mut self) -> String {
        // Whoever waits for a client sees one that goes at once.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.heard();
    }
}

fn serve(listener: &TcpListener, script: &[Act]) -> String {
    let mut heard = Vec::new();
    if let Ok((client, _)) = listener.accept() {
        client.set_read_timeout(Some(PATIENCE)).ok();
        client.set_write_timeout(Some(PATIENCE)).ok();
        let mut client = BufReader::new(client);
        for act in script {
            if act.perform(&mut client, &mut heard).is_err() {
                break;
            }
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

impl Act {
    fn perform(
        &self,
        client: &mut BufReader<TcpStream>,
        heard: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        match self {
            Act::Say(words) => client.get_mut().write_all(words),
            Act::Hear => client.read_until(b'\n', heard).map(drop),
            Act::Take(bytes) => {
                let begin = heard.len();
                heard.resize(begin + bytes, 0);
                client.read_exact(&mut heard[begin..])
            }
            Act::HearMessage => loop {
                let begin = heard.len();
                let got = client.read_until(b'\n', heard)?;
                if got == 0 || heard[begin..] == *b".\r\n" {
                    return Ok(());
                }
            },
            Act::Babble(words) => loop {
                client.get_mut().write_all(words)?;
            },
            Act::Wait => client.read_to_end(heard).map(drop),
        }
    }
}
