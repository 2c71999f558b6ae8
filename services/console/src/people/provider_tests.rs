//! A directory of our own that says what a good one does not: whatever is not proven lets nobody in.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::provider::{OidcConfig, Provider, Tie, Trouble};

/// What it answers at which path, and what it was asked.
#[derive(Debug, Default)]
struct Said {
    answers: BTreeMap<String, Value>,
    asked: Vec<String>,
}

struct Fake {
    issuer: String,
    said: Arc<Mutex<Said>>,
}

fn serve(stream: &TcpStream, said: &Mutex<Said>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut said = said.lock().unwrap();
    said.asked.push(format!("{path} {}", String::from_utf8_lossy(&body)));
    let (status, answer) = match said.answers.get(&path) {
        Some(answer) => ("200 OK", answer.to_string()),
        None => ("404 Not Found", "{}".to_owned()),
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn keys(seed: u8) -> Value {
    let x = URL_SAFE_NO_PAD.encode(pair(seed).public_key().as_ref());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": "EdDSA"});
    json!({"keys": [key]})
}

/// A token with this head and these claims, signed by the key of this seed.
fn token(seed: u8, head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let signature = match head["alg"].as_str().unwrap() {
        "EdDSA" => pair(seed).sign(signed.as_bytes()).as_ref().to_vec(),
        "HS256" => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret");
            hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
        }
        _ => Vec::new(),
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn answer(token: &str) -> Value {
    json!({"access_token": "a", "token_type": "Bearer", "id_token": token})
}

fn tie() -> Tie {
    let [state, nonce, verifier] =
        ["s", "n", "verifier-verifier-verifier-verifier-verifier"].map(str::to_owned);
    Tie { state, nonce, verifier }
}

fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Fake {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::new(Mutex::new(Said::default()));
        let fake = Self { issuer: issuer.clone(), said: Arc::clone(&said) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(&stream, &said);
            }
        });
        let at = |path: &str| format!("{issuer}{path}");
        fake.says(
            "/.well-known/openid-configuration",
            json!({
                "issuer": issuer,
                "authorization_endpoint": at("/authorize"),
                "token_endpoint": at("/token"),
                "userinfo_endpoint": at("/userinfo"),
                "jwks_uri": at("/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "none", "HS256"],
            }),
        );
        fake.says("/keys", keys(1));
        fake
    }

    fn says(&self, path: &str, answer: Value) {
        self.said.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.asked.iter().filter(|line| line.starts_with(path)).cloned().collect()
    }

    fn provider(&self) -> Provider {
        Provider::new(OidcConfig {
            issuer: self.issuer.clone(),
            client_id: "decklog".to_owned(),
            client_secret: None,
            console: "http://127.0.0.1:7400/".to_owned(),
            name: "Example".to_owned(),
            scopes: vec!["profile".to_owned(), "groups".to_owned()],
            name_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            new_accounts: true,
            groups: BTreeMap::new(),
        })
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": "decklog", "sub": "u-1", "nonce": "n",
            "iat": seconds(), "exp": seconds() + 300,
            "preferred_username": "mia", "groups": ["ops", "other"],
        })
    }
}

#[test]
fn whoever_is_sent_away_is_tied_to_the_answer_and_the_code_to_us() {
    let fake = Fake::start();
    let provider = fake.provider();
    let (url, tie) = provider.begin().unwrap();
    let (at, query) = url.split_once('?').unwrap();
    assert_eq!(at, format!("{}/authorize", fake.issuer));
    let challenge = digest::digest(&digest::SHA256, tie.verifier.as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(challenge.as_ref());
    for part in [
        "response_type=code",
        "client_id=decklog",
        "scope=openid+profile+groups",
        "code_challenge_method=S256",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A7400%2Flogin%2Foidc%2Fback",
        &format!("code_challenge={challenge}"),
        &format!("state={}", tie.state),
        &format!("nonce={}", tie.nonce),
    ] {
        assert!(query.split('&').any(|one| one == part), "{part} in {query}");
    }
    let again = provider.begin().unwrap().1;
    assert!(again.state != tie.state && again.nonce != tie.nonce && again.verifier != tie.verifier);
    assert_eq!(fake.asked("/.well-known").len(), 1, "what it is, is asked once");
}

#[test]
fn what_is_proven_is_who_they_are_and_their_groups() {
    let fake = Fake::start();
    let head = json!({"alg": "EdDSA"});
    fake.says("/token", answer(&token(1, &head, &fake.claims())));
    let claimed = fake.provider().end(&tie(), "the code").unwrap();
    assert_eq!((&*claimed.identity.issuer, &*claimed.identity.subject), (&*fake.issuer, "u-1"));
    assert_eq!(claimed.name.as_deref(), Some("mia"));
    assert_eq!(claimed.groups, ["ops", "other"]);
    let asked = fake.asked("/token").concat();
    assert!(asked.contains("code=the+code") && asked.contains("code_verifier=verifier-verifier"));
    assert!(fake.asked("/userinfo").is_empty());
}

#[test]
fn groups_that_stand_in_no_token_are_asked_for_and_only_of_the_same_person() {
    let fake = Fake::start();
    let mut claims = fake.claims();
    claims.as_object_mut().unwrap().remove("groups");
    fake.says("/token", answer(&token(1, &json!({"alg": "EdDSA"}), &claims)));
    fake.says("/userinfo", json!({"sub": "u-1", "groups": ["boss"]}));
    assert_eq!(fake.provider().end(&tie(), "c").unwrap().groups, ["boss"]);
    fake.says("/userinfo", json!({"sub": "u-2", "groups": ["boss"]}));
    let why = Trouble::Refused("the directory speaks of somebody else".to_owned());
    assert_eq!(fake.provider().end(&tie(), "c"), Err(why));
}

#[test]
fn what_proves_nothing_lets_nobody_in() {
    let fake = Fake::start();
    let good = json!({"alg": "EdDSA"});
    let with = |name: &str, value: Value| {
        let mut claims = fake.claims();
        claims[name] = value;
        claims
    };
    let cases = [
        ("another key", token(2, &good, &fake.claims())),
        ("no signature", token(1, &json!({"alg": "none"}), &fake.claims())),
        ("the client's secret", token(1, &json!({"alg": "HS256"}), &fake.claims())),
        ("of another console", token(1, &good, &with("aud", json!("other")))),
        ("for others too", token(1, &good, &with("aud", json!(["decklog", "other"])))),
        ("of another directory", token(1, &good, &with("iss", json!("https://evil.example")))),
        ("over", token(1, &good, &with("exp", json!(seconds() - 1)))),
        ("without an end", token(1, &good, &with("exp", Value::Null))),
        ("of another question", token(1, &good, &with("nonce", json!("m")))),
        ("of no question", token(1, &good, &with("nonce", Value::Null))),
        ("no token", "a.b.c".to_owned()),
    ];
    let provider = fake.provider();
    for (what, token) in cases {
        fake.says("/token", answer(&token));
        let end = provider.end(&tie(), "c");
        assert!(
            matches!(end, Err(Trouble::Refused(_) | Trouble::Unreachable(_))),
            "{what}: {end:?}"
        );
    }
    fake.says("/token", json!({"access_token": "a", "token_type": "Bearer"}));
    let none = Trouble::Refused("the directory says no identity".to_owned());
    assert_eq!(provider.end(&tie(), "c"), Err(none));
}

#[test]
fn a_directory_may_sign_by_another_key_than_an_hour_ago() {
    let fake = Fake::start();
    let provider = fake.provider();
    provider.begin().unwrap();
    fake.says("/keys", keys(2));
    fake.says("/token", answer(&token(2, &json!({"alg": "EdDSA"}), &fake.claims())));
    assert_eq!(provider.end(&tie(), "c").unwrap().identity.subject, "u-1");
}

#[test]
fn a_directory_that_is_not_there_or_is_another_is_said_to_be() {
    let fake = Fake::start();
    let gone = Fake { issuer: "http://127.0.0.1:9".to_owned(), said: Arc::default() };
    let Err(Trouble::Unreachable(why)) = gone.provider().begin() else { panic!("it is not there") };
    assert!(why.contains("asking http://127.0.0.1:9 what it is"), "{why}");
    let mut metadata =
        fake.said.lock().unwrap().answers["/.well-known/openid-configuration"].clone();
    metadata["issuer"] = json!("https://evil.example");
    fake.says("/.well-known/openid-configuration", metadata);
    assert!(matches!(fake.provider().begin(), Err(Trouble::Unreachable(_))));
}

#[test]
fn a_name_that_stands_in_no_token_is_asked_for_too_and_an_error_is_no_answer() {
    let fake = Fake::start();
    let mut claims = fake.claims();
    claims.as_object_mut().unwrap().remove("preferred_username");
    fake.says("/token", answer(&token(1, &json!({"alg": "EdDSA"}), &claims)));
    let end = fake.provider().end(&tie(), "c");
    assert!(matches!(&end, Err(Trouble::Unreachable(why)) if why.contains("404")), "{end:?}");
    fake.says("/userinfo", json!({"sub": "u-1", "preferred_username": "mia"}));
    let claimed = fake.provider().end(&tie(), "c").unwrap();
    assert_eq!((claimed.name.as_deref(), claimed.groups.len()), (Some("mia"), 2));
}
