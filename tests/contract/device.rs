//! Over HTTPS: sessions are bound to a device.

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto},
};

use crate::certificate::Certificate;
use crate::server::{Server, command};

/// A server over TLS, and who trusts it.
struct Site {
    server: Server,
    connector: TlsConnector,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Site {
    fn start(settings: &[(&str, &str)]) -> Self {
        let certificate = Certificate::new();
        let mut command = command();
        command.envs(settings.iter().copied());
        let server = Server::spawn(certificate.show(&mut command));
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate.der.clone().into())
            .expect("a certificate");
        let config =
            ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring knows them")
                .with_root_certificates(roots)
                .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Self { server, connector }
    }

    async fn ask(&self, start: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let address = self.server.url("");
        let address = address.strip_prefix("https://").expect("HTTPS");
        let stream = TcpStream::connect(address).await.expect("it listens");
        let name = "127.0.0.1".try_into().expect("a name");
        let mut stream = self.connector.connect(name, stream).await.expect("TLS");
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request = format!(
            "{start} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut text = String::new();
        // It may close without a farewell.
        let _ = stream.read_to_string(&mut text).await;
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        Answer {
            status: head[9..12].parse().expect("a status"),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    async fn get(&self, path: &str, cookies: &str) -> Value {
        let answer = self
            .ask(&format!("GET {path}"), &[("Cookie", cookies)], "")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        answer.body
    }

    async fn log_in(&self) -> Answer {
        let credentials = json!({ "email": "alice@example.com", "password": "wonderland" });
        self.ask("POST /api/login", &[], &credentials.to_string())
            .await
    }

    /// Logs in and binds the session. Its cookies: the session's, and the bound one.
    async fn bound(&self) -> [String; 2] {
        let login = self.log_in().await;
        let offer = login.header("secure-session-registration");
        let challenge = offer.split('"').nth(3).expect("a challenge");
        let session = login.cookie("__Host-sid");
        let path = "/.well-known/wiz-session/device/register";
        let headers = [
            ("Cookie", session.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Secure-Session-Response", &registration(challenge)),
        ];
        let answer = self.ask(&format!("POST {path}"), &headers, "").await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert_eq!(answer.header("cache-control"), "no-store");
        [session, answer.cookie("__Host-sid-bound")]
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let line = lines.find(|(other, _)| other.eq_ignore_ascii_case(name));
        line.unwrap_or_else(|| panic!("{name}: {}", self.head)).1
    }

    /// `name=value`.
    fn cookie(&self, name: &str) -> String {
        let start = format!("{name}=");
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.map(|(_, value)| value);
        let line = values.find(|value| value.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", self.head));
        line.split(';').next().expect("a pair").to_owned()
    }
}

fn registration(challenge: &str) -> String {
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let header = json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk });
    let parts = [header, json!({ "jti": challenge })];
    let [header, payload] = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{payload}");
    let signature = key.sign(&random, signed.as_bytes()).expect("randomness");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_login_is_bound_and_shown_as_such() {
    let site = Site::start(&[]);
    let [session, bound] = site.bound().await;
    let both = format!("{session}; {bound}");
    let logins = site.get("/api/sessions", &both).await;
    assert_eq!(logins["sessions"][0]["bound"], json!(true));
    let seen = site.get("/api/check_session", &both).await;
    assert_eq!(seen["user"]["name"], json!("Alice"));

    let unbound = site.log_in().await.cookie("__Host-sid");
    let logins = site.get("/api/sessions", &unbound).await;
    assert_eq!(logins["sessions"][0]["bound"], json!(false));
}

#[tokio::test]
async fn without_its_bound_cookie_it_is_a_visitors() {
    let site = Site::start(&[("DEVICE_COOKIE", "2")]);
    let [session, bound] = site.bound().await;
    let both = format!("{session}; {bound}");
    assert_eq!(
        site.get("/api/check_session", &both).await["logged_in"],
        json!(true)
    );
    sleep(Duration::from_millis(2_200)).await;
    for cookies in [session, both] {
        assert_eq!(site.get("/api/session", &cookies).await, json!({}));
        let seen = site.get("/api/check_session", &cookies).await;
        assert_eq!(seen, json!({ "logged_in": false }));
    }
}

#[tokio::test]
async fn where_it_is_required_an_unbound_login_ends_with_the_grace() {
    let site = Site::start(&[("DEVICE_COOKIE", "2"), ("REQUIRE_DEVICE", "1")]);
    let unbound = site.log_in().await.cookie("__Host-sid");
    sleep(Duration::from_millis(2_200)).await;
    let seen = site.get("/api/check_session", &unbound).await;
    assert_eq!(seen, json!({ "logged_in": false }));
}
