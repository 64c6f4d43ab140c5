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

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::device::random::rounds;

    /// A key of 2048 bits and its signature, made by OpenSSL.
    const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImRic2Mrand0IiwiandrIjp7Imt0eSI6IlJTQSIsIm4iOiJuZHkxdHNuYXVpYjM0OU44U2ZV\
         V2FHREZpVFpleldrZ3ZMQ0dmb3VTSm1XMTRERGNTZ2UyclRZeDlUUWYtNGRZb1I0a0lvNjU2RUJ3d3U0aFBxTUdpQTQ0NE5JdlJW\
         RXA3cUN2T1R2MDNtSDBWQWNaNVhpT0ZraGpwQ2hMVGV5Q3pocW03Mk5YLVVVTlVWTENDMnFJaGQ2SXdlOENla0pvVzhvLWZYVWxn\
         OVh5V2RhcWtIbS1pYkhfXzBRNkQ3TU8tNXdMLUw4U2pheFhEOGZpMGZIVXUtdEtlODVvRWVtZ2k4TGk5M2lQRlN2Qy1mV3FsdWlQ\
         X0VWamdONkFtYzFzLWZjZHF2UTFCVm90T3I2U0k2YVdjZXVWTmYxQUZkS2FpM0hlbk9IM3AyTnRHUFZ2NzdjZjEwU3RHbDlWYm9K\
         QndWVDZ5dUVvd2Izd0l1LXhWZEdkMFEiLCJlIjoiQVFBQiJ9fQ.eyJqdGkiOiJjdiJ9.JxSKaeE3-GG3ldeRtQ6BClvvXF4t96T-\
         kGyWXrenMpVqXC1M_ZoaTP21BJmpRoC5EwGPSAlBcioPPisSipk6mFLP_i7AJlPQiBwj7jpkup2-Wh4MAtxzUp1rabgL222HqGmS\
         TcgIHS8K0PKe_6wi2Lz8gEzr_WaynqKJXufegGUP0PYlF7qde9tsTfBG18bev7T6JQu6pJfKvLQzm71Ml_bqMHJvRyh8B9P1N_Hq\
         SaEFQQpxgEfx4L1bhO40ztuzSusvVFnbHNLgFgqbvjH8XLNKbs1X3jSi5BKG1nyKf51HdlsoV69GYuHrjRMi3Igh8dl1NwqGyXR-\
         ERrPtapLAQ";

    /// Signed with an RSA key of 1024 bits, which is too short.
    const WEAK: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImRic2Mrand0IiwiandrIjp7Imt0eSI6IlJTQSIsIm4iOiI1Q2dqYkhkSjFxNG5zSDRXZi03\
         MHVEX3pSRGF1TE41cTJGS3FJVU5zc3hPRmZVbXF1OXVUNERVNTgzLWt3M2gyWm1pZVhxOW9NT1czbEUzZE5qWjdzRHZXenVWbnRL\
         RWZGWV9FWTdXMld5eTVYXzRBMkIyaFVKandoWWc4SHgtUk82dHdSdlZMWkVoY1dWWGNkdklfanJSdnJTMkphaHFHalZQNnduOUp6\
         eGMiLCJlIjoiQVFBQiJ9fQ.eyJqdGkiOiJjdiJ9.EN5lE675bRz9avC5yV3M8DWu7RC5D_vN8klRbyuUgpu9zBlDDWariK_LOTHz\
         yUeAmnRvnrpESpQK_6AOb5T54Ilqw7iDPtUctYnz0gfgl5gbStp9ghdBiGKxwUp0ej9C9JBDifTVp-VrFVrhGzSHm2Zwv1xFb3ZJ\
         BFMFXxJedIk";

    fn es256() -> (EcdsaKeyPair, Value) {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "ignored" });
        (key, jwk)
    }

    fn sign(key: &EcdsaKeyPair, header: &Value) -> String {
        let parts = [header, &json!({ "jti": "cv", "iat": 1 })];
        let [header, payload] = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{payload}");
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn registration() -> String {
        let (key, jwk) = es256();
        sign(
            &key,
            &json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk }),
        )
    }

    /// Whether it is one, signed by the key that it has.
    fn is_signed(text: &str) -> bool {
        Jws::parse(text)
            .is_some_and(|jws| jws.jwk.as_ref().is_some_and(|jwk| jws.is_signed_by(jwk)))
    }

    #[test]
    fn both_algorithms_verify() {
        for text in [RS256, &registration()] {
            let quoted = HeaderValue::try_from(format!("\"{text}\"")).unwrap();
            for line in [HeaderValue::from_str(text).unwrap(), quoted] {
                let headers = HeaderMap::from_iter([(headers::RESPONSE, line)]);
                let jws = Jws::in_headers(&headers).expect("it is read");
                assert_eq!(jws.challenge, "cv");
                assert!(jws.is_signed_by(jws.jwk.as_ref().unwrap()));
            }
        }
    }

    #[test]
    fn a_weak_key_and_one_of_another_kind_do_not_verify() {
        assert!(Jws::parse(WEAK).is_some() && !is_signed(WEAK));
        let (rsa, ec) = (Jws::parse(RS256).unwrap(), registration());
        let ec = Jws::parse(&ec).unwrap();
        assert!(!rsa.is_signed_by(ec.jwk.as_ref().unwrap()));
        assert!(!ec.is_signed_by(rsa.jwk.as_ref().unwrap()));
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        let (key, jwk) = es256();
        for (name, value) in [
            ("x", "AA".to_owned()),
            ("y", "A".repeat(44)),
            ("x", "?".repeat(43)),
            ("crv", "P-384".to_owned()),
        ] {
            let mut jwk = jwk.clone();
            jwk[name] = json!(value);
            let text = sign(
                &key,
                &json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk }),
            );
            assert!(!is_signed(&text), "{name}: {value}");
        }
        let jwk = Jwk::Rsa {
            n: "_".repeat(800).into(),
            e: "AQAB".into(),
        };
        assert!(!Jws::parse(RS256).unwrap().is_signed_by(&jwk));
    }

    #[test]
    fn no_altered_answer_verifies() {
        let good = registration();
        assert!(is_signed(&good));
        let mut read = 0;
        for seed in rounds(20_000) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut text = good.clone().into_bytes();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..text.len());
                match rng.u8(..4) {
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, b'.'),
                    2 => text.truncate(at.max(8)),
                    _ => text[at] = b"ABCabc019-_.=\""[rng.usize(..14)],
                }
            }
            let text = String::from_utf8(text).unwrap();
            read += u32::from(Jws::parse(&text).is_some());
            assert!(text == good || !is_signed(&text), "seed {seed}: {text}");
        }
        assert!(read > 500, "only {read} were read");
    }

    #[test]
    fn random_answers_are_no_trouble() {
        const PIECES: [&str; 16] = [
            "{",
            "}",
            "\"alg\":",
            "\"ES256\"",
            "\"RS256\"",
            "\"typ\":",
            "\"dbsc+jwt\"",
            ",",
            "\"jwk\":",
            "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
            "{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AA\"}",
            "\"jti\":",
            "\"\u{1f600}\"",
            "[[",
            "null",
            "1e999",
        ];
        for seed in rounds(50_000) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut segment = || {
                let pieces = (0..rng.usize(..9)).map(|_| PIECES[rng.usize(..PIECES.len())]);
                let text: String = pieces.collect();
                match rng.u8(..8) {
                    0 => text,
                    _ => BASE64_URL_SAFE_NO_PAD.encode(text),
                }
            };
            let text = [segment(), segment(), segment()].join(".");
            assert!(!is_signed(&text), "seed {seed}: {text}");
        }
    }
}
