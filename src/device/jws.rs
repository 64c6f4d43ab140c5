use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderMap;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};

use super::headers;
use crate::record::Jwk;

/// A browser's answer to a challenge, which its device has signed (RFC 7515). Read, and not verified yet.
pub(super) struct Jws<'a> {
    /// What the signature is over.
    signed: &'a [u8],
    signature: Vec<u8>,
    algorithm: Algorithm,
    pub(super) jwk: Option<Jwk>,
    pub(super) challenge: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Algorithm {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
}

#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    typ: String,
    jwk: Option<Jwk>,
    /// Extensions that have to be understood. None are.
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    jti: String,
}

const TYPE: &str = "dbsc+jwt";

impl<'a> Jws<'a> {
    pub(super) fn in_headers(headers: &'a HeaderMap) -> Option<Self> {
        Self::parse(headers::string(headers, headers::RESPONSE)?)
    }

    fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = json(header)?;
        let Payload { jti } = json(payload)?;
        let is_understood = header.typ == TYPE && header.crit.is_none();
        is_understood.then_some(Self {
            signed: signed.as_bytes(),
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
            algorithm: header.alg,
            jwk: header.jwk,
            challenge: jti,
        })
    }

    /// Whether it was signed by this key, with the algorithm of its kind: what the header says has to be that.
    pub(super) fn is_signed_by(&self, key: &Jwk) -> bool {
        let Self {
            signed,
            signature,
            algorithm,
            ..
        } = self;
        let Some(key) = PublicKey::of(key) else {
            return false;
        };
        match (key, algorithm) {
            (PublicKey::P256(point), Algorithm::Es256) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(signed, signature).is_ok()
            }
            (PublicKey::Rsa { n, e }, Algorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}

/// Three segments, so a second dot in one of them is no base64.
fn json<T: DeserializeOwned>(segment: &str) -> Option<T> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(segment).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A key as bytes.
enum PublicKey {
    /// Uncompressed, as SEC 1 has it.
    P256([u8; 65]),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// Of 4096 bits, which devices do not exceed: it is kept with the session.
    const MAX_RSA_BYTES: usize = 512;

    fn of(jwk: &Jwk) -> Option<Self> {
        let number = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        match jwk {
            Jwk::Ec { crv, x, y } => {
                let (x, y) = (number(x)?, number(y)?);
                if &**crv != "P-256" || x.len() != 32 || y.len() != 32 {
                    return None;
                }
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&x);
                point[33..].copy_from_slice(&y);
                Some(Self::P256(point))
            }
            Jwk::Rsa { n, e } => {
                let (n, e) = (number(n)?, number(e)?);
                (n.len() <= Self::MAX_RSA_BYTES && e.len() <= 8).then_some(Self::Rsa { n, e })
            }
        }
    }
}
