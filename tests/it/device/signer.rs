//! A browser by hand, which can also do what no browser does.

use axum::{body::Body, extract::Request};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderValue, Response, StatusCode, header};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use wiz_session::test_util::cookie_header;

use super::{REFRESH, REGISTER, Shop, json_of, request};

/// A device with one key.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    pub(super) fn jwk(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
    }

    pub(super) fn sign(&self, header: &Value, payload: &Value) -> String {
        let [header, payload] =
            [header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{payload}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.unwrap());
        format!("{signed}.{signature}")
    }

    pub(super) fn registration(&self, challenge: &str) -> String {
        let header = json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": self.jwk() });
        self.sign(&header, &json!({ "jti": challenge }))
    }

    pub(super) fn refresh(&self, challenge: &str) -> String {
        let header = json!({ "alg": "ES256", "typ": "dbsc+jwt" });
        self.sign(&header, &json!({ "jti": challenge }))
    }
}

/// A login whose offer is not taken yet.
pub(super) struct Login {
    pub(super) cookies: HeaderValue,
    pub(super) challenge: String,
}

/// A session that is bound.
pub(super) struct Bound {
    pub(super) signer: Signer,
    /// Both.
    pub(super) cookies: HeaderValue,
    pub(super) id: String,
    pub(super) challenge: String,
}

impl Shop {
    /// Alice logs in. The calls that it took are not counted.
    pub(super) async fn login(&self) -> Login {
        let response = self.ask(request("/login/alice")).await;
        self.site.store.take_calls();
        let offer = &response.headers()["secure-session-registration"];
        Login {
            cookies: cookie_header(&response).unwrap(),
            challenge: quoted(offer, 3),
        }
    }

    /// Alice logs in and is bound. The calls that it took are not counted.
    pub(super) async fn bound(&self) -> Bound {
        let (login, signer) = (self.login().await, Signer::new());
        let response = self.ask(login.registration(&signer)).await;
        assert_eq!(response.status(), StatusCode::OK);
        self.site.store.take_calls();
        login.bound(signer, response).await
    }
}

impl Login {
    pub(super) fn registration(&self, signer: &Signer) -> Request {
        to_register(&self.cookies, &signer.registration(&self.challenge))
    }

    pub(super) async fn bound(self, signer: Signer, response: Response<Body>) -> Bound {
        let challenge = quoted(&response.headers()["secure-session-challenge"], 1);
        let bound = cookie_header(&response).unwrap();
        let cookies = [self.cookies.as_bytes(), b"; ", bound.as_bytes()].concat();
        let id = json_of(response).await["session_identifier"].take();
        Bound {
            signer,
            cookies: HeaderValue::from_bytes(&cookies).unwrap(),
            id: id.as_str().unwrap().to_owned(),
            challenge,
        }
    }
}

impl Bound {
    pub(super) fn refresh(&self) -> Request {
        to_refresh(
            &self.cookies,
            &self.id,
            &self.signer.refresh(&self.challenge),
        )
    }

    /// Takes the next challenge from a response.
    pub(super) fn heed(&mut self, response: &Response<Body>) {
        self.challenge = quoted(&response.headers()["secure-session-challenge"], 1);
    }
}

pub(super) fn to_register(cookies: &HeaderValue, jws: &str) -> Request {
    Request::post(REGISTER)
        .header(header::COOKIE, cookies)
        .header("sec-fetch-site", "same-origin")
        .header("secure-session-response", jws)
        .body(Body::empty())
        .unwrap()
}

pub(super) fn to_refresh(cookies: &HeaderValue, id: &str, jws: &str) -> Request {
    Request::post(REFRESH)
        .header(header::COOKIE, cookies)
        .header("sec-secure-session-id", id)
        .header("secure-session-response", jws)
        .body(Body::empty())
        .unwrap()
}

/// What stands between the quotes of a header, counted from 0 with what stands outside of them.
fn quoted(line: &HeaderValue, at: usize) -> String {
    line.to_str()
        .unwrap()
        .split('"')
        .nth(at)
        .unwrap()
        .to_owned()
}
