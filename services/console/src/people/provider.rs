//! A directory that speaks OpenID Connect (Core 1.0): where somebody is sent, and what is asked of it when they come back. The
//! library does the checks of the specification (§3.1.3.7: issuer, audience, signature, times, nonce); codes are bound to the
//! browser by a state and to us by PKCE (RFC 7636).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use delivery::https::agent_for;
use domain::people::{Directory, Grant, Identity};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken,
    CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata, CoreTokenResponse,
};
use openidconnect::http::Request;
use openidconnect::http::header::AUTHORIZATION;
use openidconnect::url::Url;
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use settings::secret;
use tokio::sync::Semaphore;
use ureq::Agent;

/// How long an answer of the directory may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const ANSWER_BYTES: u64 = 1024 * 1024;
/// What a directory says of itself is asked again after so long.
const KNOWN: Duration = Duration::from_secs(3_600);
/// Whether it is there is asked again after so long.
const GONE: Duration = Duration::from_secs(5);
/// How many wait for the directory at once.
const AT_ONCE: usize = 8;
/// Signatures that are checked by a public key: those by the client's secret (`HS256`) prove less, and `none` nothing.
const SIGNATURES: [Alg; 8] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// How people come in by a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OidcConfig {
    /// The directory's address, as it says it itself.
    pub issuer: String,
    /// What it calls this console.
    pub client_id: String,
    /// Where the secret stands by which it knows this console (`file:`, `env:`, `credential:`). A public client has none.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The console's address, as browsers know it: they come back to `/login/oidc/back` there.
    pub console: String,
    /// What the button says: the directory's name among people.
    #[serde(default = "name")]
    pub name: String,
    /// What is asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim by which a new account is named.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that has their groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Whether whoever comes for the first time has an account from then on; where not, an administrator makes one and links it.
    #[serde(default = "yes")]
    pub new_accounts: bool,
    /// What each group may do here.
    pub groups: BTreeMap<String, Vec<Grant>>,
}

fn yes() -> bool {
    true
}

fn name() -> String {
    "single sign-on".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

impl OidcConfig {
    /// The directory, as the log knows it.
    pub fn directory(&self) -> Directory {
        Directory { issuer: self.issuer.clone(), groups: self.groups.clone() }
    }

    /// Everything that is wrong with it, as a section of this name.
    pub fn problems(&self, section: &str) -> Vec<String> {
        let mut found = Vec::new();
        let directory = self.directory().check().err();
        found.extend(directory.map(|problem| format!("{section}: {problem}")));
        for (key, url) in [("issuer", &self.issuer), ("console", &self.console)] {
            if !is_safe(url) {
                let must = "it begins with https:// (http:// on this machine only)";
                found.push(format!("{section}.{key}: {must}"));
            }
        }
        if self.client_id.is_empty() {
            found.push(format!("{section}.client-id: it is empty"));
        }
        if self.client_secret.as_ref().is_some_and(|text| !secret::is_reference(text)) {
            let must = "say where it stands: file:, env: or credential:";
            found.push(format!("{section}.client-secret: {must}"));
        }
        found
    }
}

/// What is said there is read by nobody on the way.
fn is_safe(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && here))
}

/// Why somebody could not come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The directory does not answer, or not as one does.
    Unreachable(String),
    /// It does not let them in, or what it says of them proves nothing.
    Refused(String),
}

/// What ties an answer to its question; a browser keeps it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

/// What the directory says of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) identity: Identity,
    /// What it calls them.
    pub(crate) name: Option<String>,
    /// Their groups, whether they mean anything here or not.
    pub(crate) groups: Vec<String>,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The directory. What it does waits for the network: call it where that disturbs nobody.
#[derive(Debug)]
pub(crate) struct Provider {
    config: OidcConfig,
    agent: Agent,
    /// How many may wait for it at once: on their way there, and on their way back.
    pub(super) places: [Arc<Semaphore>; 2],
    known: Mutex<Known>,
}

/// What a directory has said of itself.
#[derive(Debug, Default)]
struct Known {
    /// It, and when.
    metadata: Option<(Instant, CoreProviderMetadata)>,
    /// When it could not be asked, and why.
    failed: Option<(Instant, String)>,
}

impl Provider {
    pub(crate) fn new(config: OidcConfig) -> Self {
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // Wherever it says that it is to be asked.
            .https_only(config.issuer.starts_with("https:"))
            .timeout_global(Some(ANSWER));
        let agent = agent_for(&config.issuer, settings);
        let places = [(); 2].map(|()| Arc::new(Semaphore::new(AT_ONCE)));
        Self { config, agent, places, known: Mutex::default() }
    }

    /// The console's address, as browsers know it.
    pub(crate) fn console(&self) -> &str {
        self.config.console.trim_end_matches('/')
    }

    /// Whether whoever comes for the first time has an account from then on.
    pub(crate) fn makes_accounts(&self) -> bool {
        self.config.new_accounts
    }

    /// What the button says.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Its address.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Where somebody is sent, and what ties the answer to that.
    pub(crate) fn begin(&self) -> Result<(String, Tie), Trouble> {
        let client = self.client(self.metadata(false)?)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in &self.config.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let tie = Tie {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        };
        Ok((url.to_string(), tie))
    }

    /// What it says of whoever came back with a code.
    pub(crate) fn end(&self, tie: &Tie, code: &str) -> Result<Claimed, Trouble> {
        let mut client = self.client(self.metadata(false)?)?;
        let answer = self.exchange(&client, tie, code)?;
        let missing = || Trouble::Refused("the directory says no identity".to_owned());
        let token = answer.id_token().ok_or_else(missing)?;
        let nonce = Nonce::new(tie.nonce.clone());
        let proven = self.proven(&client, token, &nonce).or_else(|_| {
            // It may sign by another key than an hour ago.
            client = self.client(self.metadata(true)?)?;
            self.proven(&client, token, &nonce)
        })?;
        let issuer = self.config.issuer.clone();
        let subject = text(&proven, "sub").unwrap_or_default();
        let mut claims = proven;
        let wanted = [&self.config.groups_claim, &self.config.name_claim];
        let some_are_missing = wanted.iter().any(|name| claims.get(name.as_str()).is_none());
        if some_are_missing && client.user_info_url().is_some() {
            claims = self.user_info(&client, &answer, &subject, claims)?;
        }
        let name = text(&claims, &self.config.name_claim);
        let groups = texts(claims.get(&self.config.groups_claim));
        Ok(Claimed { identity: Identity { issuer, subject }, name, groups })
    }

    fn exchange(
        &self,
        client: &Client,
        tie: &Tie,
        code: &str,
    ) -> Result<CoreTokenResponse, Trouble> {
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| Trouble::Unreachable(format!("it has no place for codes: {error}")))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(tie.verifier.clone()));
        request.request(&|request| self.ask(request)).map_err(|error| match error {
            openidconnect::RequestTokenError::ServerResponse(said) => {
                Trouble::Refused(format!("the directory says: {said}"))
            }
            openidconnect::RequestTokenError::Request(error) => {
                Trouble::Unreachable(error.to_string())
            }
            openidconnect::RequestTokenError::Parse(error, _) => {
                Trouble::Unreachable(format!("its answer is no token: {error}"))
            }
            openidconnect::RequestTokenError::Other(error) => Trouble::Unreachable(error),
        })
    }

    /// The claims of a token that is what it must be.
    fn proven(
        &self,
        client: &Client,
        token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Result<Value, Trouble> {
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        token.claims(&verifier, nonce).map_err(|error| {
            Trouble::Refused(format!("what the directory says of you proves nothing: {error}"))
        })?;
        // The library has no names for the claims of a site: they are read from what it has checked.
        let whole = token.to_string();
        let part = whole.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims = part.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        claims.ok_or_else(|| Trouble::Refused("what it says of you cannot be read".to_owned()))
    }

    /// The claims with those that stand in its answer to another question only (OpenID Connect Core 1.0 §5.3).
    fn user_info(
        &self,
        client: &Client,
        answer: &CoreTokenResponse,
        subject: &str,
        claims: Value,
    ) -> Result<Value, Trouble> {
        let Some(url) = client.user_info_url() else { return Ok(claims) };
        let unreachable = |error: &dyn std::fmt::Display| {
            Trouble::Unreachable(format!("asking for name and groups: {error}"))
        };
        let bearer = format!("Bearer {}", answer.access_token().secret());
        let request = Request::get(url.as_str()).header(AUTHORIZATION, bearer).body(Vec::new());
        let request = request.map_err(|error| unreachable(&error))?;
        let said = self.ask(request).map_err(|error| unreachable(&error))?;
        if !said.status().is_success() {
            return Err(unreachable(&said.status()));
        }
        let more: Value = serde_json::from_slice(said.body()).map_err(|e| unreachable(&e))?;
        // What is said of somebody else is not said of them (§5.3.2).
        if text(&more, "sub").as_deref() != Some(subject) {
            let why = "the directory speaks of somebody else";
            return Err(Trouble::Refused(why.to_owned()));
        }
        let mut all = claims;
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        Ok(all)
    }

    fn client(&self, metadata: CoreProviderMetadata) -> Result<Client, Trouble> {
        let secret =
            self.config.client_secret.as_deref().map(secret::text_from_reference).transpose();
        let secret =
            secret.map_err(|error| Trouble::Unreachable(format!("the secret: {error}")))?;
        let back = format!("{}/login/oidc/back", self.console());
        let back =
            RedirectUrl::new(back).map_err(|error| Trouble::Unreachable(error.to_string()))?;
        let id = ClientId::new(self.config.client_id.clone());
        // Where it does not say how it wants the secret it takes the header (OpenID Connect Discovery 1.0 §3).
        let ways = metadata.token_endpoint_auth_methods_supported();
        let in_head =
            ways.is_none_or(|ways| ways.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let how = if in_head { AuthType::BasicAuth } else { AuthType::RequestBody };
        let client =
            CoreClient::from_provider_metadata(metadata, id, secret.map(ClientSecret::new));
        Ok(client.set_redirect_uri(back).set_auth_type(how))
    }

    /// What it says of itself: asked again when that is old, or doubted. Nobody else waits meanwhile; and where it does not
    /// answer, what it said an hour ago is still good, and the next ones do not wait for it as long.
    fn metadata(&self, doubted: bool) -> Result<CoreProviderMetadata, Trouble> {
        let mut old = None;
        {
            let known = self.known();
            if let Some((at, metadata)) = &known.metadata {
                if !doubted && at.elapsed() < KNOWN {
                    return Ok(metadata.clone());
                }
                old = Some(metadata.clone()).filter(|_| !doubted);
            }
            if let Some((_, why)) = known.failed.as_ref().filter(|(at, _)| at.elapsed() < GONE) {
                return old.ok_or_else(|| Trouble::Unreachable(why.clone()));
            }
        }
        match self.discover() {
            Ok(metadata) => {
                let metadata_of_now = Some((Instant::now(), metadata.clone()));
                *self.known() = Known { metadata: metadata_of_now, failed: None };
                Ok(metadata)
            }
            Err(why) => {
                let why = format!("asking {} what it is: {why}", self.config.issuer);
                self.known().failed = Some((Instant::now(), why.clone()));
                old.ok_or(Trouble::Unreachable(why))
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn discover(&self) -> Result<CoreProviderMetadata, String> {
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|e| e.to_string())?;
        let found = CoreProviderMetadata::discover(&issuer, &|request| self.ask(request));
        found.map_err(|error| chain(&error))
    }

    fn ask(&self, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
        let (parts, body) = self.agent.run(request)?.into_parts();
        let body = body.into_with_config().limit(ANSWER_BYTES).read_to_vec()?;
        Ok(HttpResponse::from_parts(parts, body))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn text(claims: &Value, name: &str) -> Option<String> {
    claims.get(name)?.as_str().map(str::to_owned)
}

/// Groups are a list of texts; of one some directories make a text.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => {
            all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_a_directory_is_said_by_tls_or_on_this_machine() {
        for (url, safe) in [
            ("https://id.example.com/realms/ops", true),
            ("http://127.0.0.1:8000", true),
            ("http://localhost", true),
            ("http://[::1]:80/a", true),
            ("http://id.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost@evil.example", false),
            ("https://", false),
            ("id.example.com", false),
            ("ftp://id.example.com", false),
        ] {
            assert_eq!(is_safe(url), safe, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_directory_is_said_at_once_with_its_key() {
        let usual = serde_json::json!({
            "issuer": "https://id.example.com", "client-id": "decklog",
            "console": "https://decklog.example.com", "groups": {"ops": ["operator"]},
        });
        let usual: OidcConfig = serde_json::from_value(usual).unwrap();
        assert!(usual.problems("oidc").is_empty());
        let bad = OidcConfig {
            issuer: "http://id.example.com".to_owned(),
            client_id: String::new(),
            client_secret: Some("the secret itself".to_owned()),
            groups: BTreeMap::new(),
            ..usual
        };
        let problems = bad.problems("oidc").join("\n");
        for key in [
            "oidc: a directory has 1 to 200",
            "oidc.issuer",
            "oidc.client-id",
            "oidc.client-secret",
        ] {
            assert!(problems.contains(key), "{key}: {problems}");
        }
        assert!(!problems.contains("the secret itself"), "{problems}");
    }

    #[test]
    fn groups_are_texts_and_anything_else_is_none() {
        for (claim, groups) in [
            (serde_json::json!(["a", "b", 1, null]), vec!["a", "b"]),
            (serde_json::json!("a"), vec!["a"]),
            (serde_json::json!({"a": true}), vec![]),
        ] {
            assert_eq!(texts(Some(&claim)), groups, "{claim}");
        }
        assert!(texts(None).is_empty());
    }
}
