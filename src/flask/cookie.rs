// Over 250 lines: the codec and its builder, which have to agree, and the tests that may sign anything.

use std::{
    borrow::Cow,
    fmt,
    io::{Read, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{data::FlaskData, lineage::Lineage};
use crate::error::ConfigError;

/// Reads and writes the value of Flask's signed session cookie, as Flask 3 does.
///
/// [`FlaskBridge`](super::FlaskBridge) uses it for a whole application; by itself it serves a tool or a test.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use wiz_session::flask::{FlaskCookie, FlaskData};
///
/// let cookie = FlaskCookie::builder("the SECRET_KEY of the Flask application").build()?;
/// let mut data = FlaskData::default();
/// data.set("user_id", 123)?;
/// let value = cookie.encode(&data, SystemTime::now());
///
/// let read = cookie.decode(&value, SystemTime::now()).unwrap();
/// assert_eq!(read.get("user_id")?, Some(123));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FlaskCookie {
    /// The first one signs.
    signers: Vec<Signer>,
    lifetime: Duration,
}

/// The hash function of the signatures: `SecureCookieSessionInterface.digest_method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FlaskDigest {
    /// Flask's default.
    #[default]
    Sha1,
    /// `hashlib.sha256`.
    Sha256,
    /// `hashlib.sha512`.
    Sha512,
}

/// The settings of a [`FlaskCookie`]: those of the Flask application.
#[derive(Clone)]
#[must_use]
pub struct FlaskCookieBuilder {
    keys: Vec<Vec<u8>>,
    salt: Cow<'static, str>,
    digest: FlaskDigest,
    lifetime: Duration,
}

impl FlaskCookie {
    /// With Flask's `SECRET_KEY`, and otherwise with Flask's defaults.
    pub fn builder(secret_key: impl AsRef<[u8]>) -> FlaskCookieBuilder {
        FlaskCookieBuilder {
            keys: vec![secret_key.as_ref().to_vec()],
            salt: Cow::Borrowed("cookie-session"),
            digest: FlaskDigest::Sha1,
            lifetime: Duration::from_secs(31 * 24 * 60 * 60),
        }
    }

    /// What a cookie's value holds. `None` if it is not signed by one of the keys, was altered, is older than the
    /// lifetime or from the future, or holds no dictionary. The signature is verified before anything else is done, and
    /// no more than 256 KiB are decompressed.
    #[must_use]
    pub fn decode(&self, value: impl AsRef<[u8]>, now: SystemTime) -> Option<FlaskData> {
        Some(self.open(value.as_ref(), now)?.data)
    }

    /// A cookie's value, signed by the newest key.
    #[must_use]
    pub fn encode(&self, data: &FlaskData, now: SystemTime) -> String {
        self.seal(&data.to_json(), now)
    }

    /// A value that can be told from those that Flask writes, which mean the same. `None` if it could not be read again.
    pub(super) fn encode_marked(
        &self,
        data: &FlaskData,
        lineage: Lineage,
        now: SystemTime,
    ) -> Option<String> {
        let json = format!("{}{}", lineage.to_spaces(), data.to_json());
        (json.len() as u64 <= MAX_JSON).then(|| self.seal(&json, now))
    }

    /// What is before a signature without a time.
    #[cfg(any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql"
    ))]
    pub(super) fn unsign<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        let (signed, signature) = split(value)?;
        let mac = BASE64.decode(signature).ok()?;
        let mut signers = self.signers.iter();
        signers
            .any(|signer| signer.verifies(signed, &mac))
            .then_some(signed)
    }

    #[cfg(any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql"
    ))]
    pub(super) fn sign_bare(&self, text: &str) -> String {
        let mac = self.signers[0].sign(text.as_bytes());
        format!("{text}.{}", BASE64.encode(mac))
    }

    pub(super) fn open(&self, value: &[u8], now: SystemTime) -> Option<Opened> {
        let (signed, signature) = split(value)?;
        let mac = BASE64.decode(signature).ok()?;
        self.signers
            .iter()
            .find(|signer| signer.verifies(signed, &mac))?;
        let (payload, timestamp) = split(signed)?;
        let age = seconds(now).checked_sub(unix_time(timestamp)?)?;
        if age > self.lifetime.as_secs() {
            return None;
        }
        let json = match payload.split_first() {
            Some((b'.', compressed)) => decompressed(&BASE64.decode(compressed).ok()?)?,
            _ => BASE64.decode(payload).ok()?,
        };
        let json = str::from_utf8(&json).ok()?;
        Some(Opened {
            data: FlaskData::from_json(json)?,
            lineage: Lineage::of(json),
            age,
        })
    }

    pub(super) fn seal(&self, json: &str, now: SystemTime) -> String {
        let mut value = match compressed(json.as_bytes()) {
            // As Flask decides it.
            Some(shorter) if shorter.len() + 1 < json.len() => {
                format!(".{}", BASE64.encode(shorter))
            }
            _ => BASE64.encode(json),
        };
        let timestamp = seconds(now).to_be_bytes();
        let zeros = timestamp.iter().take_while(|byte| **byte == 0).count();
        value.push('.');
        BASE64.encode_string(&timestamp[zeros..], &mut value);
        let mac = self.signers[0].sign(value.as_bytes());
        value.push('.');
        BASE64.encode_string(mac, &mut value);
        value
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

/// A cookie that verified.
pub(super) struct Opened {
    pub(super) data: FlaskData,
    pub(super) lineage: Option<Lineage>,
    /// In seconds.
    pub(super) age: u64,
}

/// The part of a value that tells it from all others.
pub(super) fn signature(value: &[u8]) -> Box<str> {
    let (_, signature) = split(value).unwrap_or_default();
    String::from_utf8_lossy(signature).into()
}

/// A session of 4 KB compresses to less than that; nothing is read beyond.
const MAX_JSON: u64 = 256 * 1024;

/// At the last dot: a compressed payload begins with one.
fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = memchr::memrchr(b'.', value)?;
    Some((&value[..dot], &value[dot + 1..]))
}

/// The bytes of an integer as short as can be.
fn unix_time(timestamp: &[u8]) -> Option<u64> {
    let bytes = BASE64.decode(timestamp).ok()?;
    let is_shortest = bytes.first().is_some_and(|byte| *byte != 0);
    let is_time = is_shortest && bytes.len() <= 8;
    let append = |time, byte: &u8| time << 8 | u64::from(*byte);
    is_time.then(|| bytes.iter().fold(0, append))
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn decompressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(4 * bytes.len());
    let mut decoder = ZlibDecoder::new(bytes).take(MAX_JSON + 1);
    decoder.read_to_end(&mut json).ok()?;
    (json.len() as u64 <= MAX_JSON).then_some(json)
}

fn compressed(json: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json).ok()?;
    encoder.finish().ok()
}

/// A key, ready to sign.
#[derive(Clone)]
enum Signer {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Signer {
    fn new(secret: &[u8], salt: &str, digest: FlaskDigest) -> Self {
        match digest {
            FlaskDigest::Sha1 => Self::Sha1(derived(secret, salt)),
            FlaskDigest::Sha256 => Self::Sha256(derived(secret, salt)),
            FlaskDigest::Sha512 => Self::Sha512(derived(secret, salt)),
        }
    }

    fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        let verified = match self {
            Self::Sha1(key) => key.clone().chain_update(message).verify_slice(mac),
            Self::Sha256(key) => key.clone().chain_update(message).verify_slice(mac),
            Self::Sha512(key) => key.clone().chain_update(message).verify_slice(mac),
        };
        verified.is_ok()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1(key) => mac(key, message),
            Self::Sha256(key) => mac(key, message),
            Self::Sha512(key) => mac(key, message),
        }
    }
}

/// The key that Flask derives of its secret.
fn derived<M: Mac + hmac::digest::KeyInit>(secret: &[u8], salt: &str) -> M {
    let key = <M as Mac>::new_from_slice(secret).expect("HMAC takes keys of any length");
    let derived = key.chain_update(salt).finalize().into_bytes();
    <M as Mac>::new_from_slice(&derived).expect("HMAC takes keys of any length")
}

fn mac<M: Mac + Clone>(key: &M, message: &[u8]) -> Vec<u8> {
    let mac = key.clone().chain_update(message).finalize();
    mac.into_bytes().to_vec()
}

impl FlaskCookieBuilder {
    /// `SECRET_KEY_FALLBACKS`: keys that signed cookies in the past, the newest first. They are still accepted. Defaults
    /// to none.
    pub fn fallback_keys<K: AsRef<[u8]>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.keys.truncate(1);
        let keys = keys.into_iter().map(|key| key.as_ref().to_vec());
        self.keys.extend(keys);
        self
    }

    /// `SecureCookieSessionInterface.salt`. Defaults to `cookie-session`.
    pub fn salt(mut self, salt: impl Into<Cow<'static, str>>) -> Self {
        self.salt = salt.into();
        self
    }

    /// `SecureCookieSessionInterface.digest_method`. Defaults to [`FlaskDigest::Sha1`].
    pub fn digest(mut self, digest: FlaskDigest) -> Self {
        self.digest = digest;
        self
    }

    /// `PERMANENT_SESSION_LIFETIME`: for how long a cookie is good, permanent or not. At least one second. Defaults to
    /// 31 days.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The finished codec.
    ///
    /// # Errors
    /// A key that is empty, or that everybody knows: `season-wiz-secret`, with which wiz is shipped. A lifetime of less
    /// than a second.
    pub fn build(self) -> Result<FlaskCookie, ConfigError> {
        if self.keys.iter().any(Vec::is_empty) {
            return Err(ConfigError::new(
                "Flask's secret key is empty, so anybody can forge a login: set SECRET_KEY in the Flask application to \
                 32 random bytes, and give the same here",
            ));
        }
        if self.keys.iter().any(|key| key == b"season-wiz-secret") {
            return Err(ConfigError::new(
                "Flask's secret key is `season-wiz-secret`, which is published with wiz, so anybody can forge a login: \
                 set `secret_key` in the wiz project to 32 random bytes, and give the same here",
            ));
        }
        if self.lifetime < Duration::from_secs(1) {
            return Err(ConfigError::new(format!(
                "the lifetime of Flask's cookie is {:?}: give `.lifetime(…)` at least a second",
                self.lifetime
            )));
        }
        let signer = |key: &Vec<u8>| Signer::new(key, &self.salt, self.digest);
        Ok(FlaskCookie {
            signers: self.keys.iter().map(signer).collect(),
            lifetime: self.lifetime,
        })
    }
}

impl fmt::Debug for FlaskCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskCookie")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FlaskCookieBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskCookieBuilder")
            .field("salt", &self.salt)
            .field("digest", &self.digest)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Flask 3.1.3, as all that is pinned here: never change these texts.
    const PINNED: &str = "eyJ1c2VyX2lkIjoxMjN9.Z3SFgA.Lk14O70OCnE5vhXX0KHw0H5qc_4";
    const SIGNED_AT: u64 = 1_735_689_600;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The key of the pinned cookies is public, and no builder takes it.
    fn pinned() -> FlaskCookie {
        let mut cookie = FlaskCookie::builder("any").build().unwrap();
        cookie.signers = vec![Signer::new(
            b"season-wiz-secret",
            "cookie-session",
            FlaskDigest::Sha1,
        )];
        cookie
    }

    fn cookie(key: &str) -> FlaskCookie {
        FlaskCookie::builder(key).build().unwrap()
    }

    fn user(id: u64) -> FlaskData {
        let mut data = FlaskData::default();
        data.set("user_id", id).unwrap();
        data
    }

    #[test]
    fn the_pinned_cookie_verifies_and_is_written_the_same() {
        assert_eq!(pinned().encode(&user(123), at(SIGNED_AT)), PINNED);
        assert_eq!(pinned().decode(PINNED, at(SIGNED_AT)), Some(user(123)));
    }

    #[test]
    fn a_long_session_is_compressed_and_read_again() {
        let mut data = FlaskData::default();
        data.set("text", "장바구니 ".repeat(500)).unwrap();
        let value = cookie("a").encode(&data, at(SIGNED_AT));
        assert!(value.starts_with('.') && value.len() < 500, "{value}");
        assert_eq!(cookie("a").decode(&value, at(SIGNED_AT)), Some(data));
    }

    #[test]
    fn a_cookie_is_good_from_its_second_for_its_lifetime() {
        let cookie = FlaskCookie::builder("a").lifetime(Duration::from_secs(10));
        let cookie = cookie.build().unwrap();
        let value = cookie.encode(&user(1), at(SIGNED_AT));
        for (now, is_good) in [
            (-1, false),
            (0, true),
            (10, true),
            (11, false),
            (-SIGNED_AT.cast_signed(), false),
        ] {
            let now = at(SIGNED_AT.checked_add_signed(now).unwrap());
            assert_eq!(cookie.decode(&value, now).is_some(), is_good, "{now:?}");
        }
    }

    #[test]
    fn no_altered_cookie_verifies() {
        let codec = cookie("a");
        let value = codec.encode(&user(123), at(SIGNED_AT)).into_bytes();
        for index in 0..value.len() {
            for byte in 0..=u8::MAX {
                let mut altered = value.clone();
                altered[index] = byte;
                let read = codec.decode(&altered, at(SIGNED_AT));
                assert_eq!(read.is_some(), altered == value, "byte {index} as {byte}");
            }
            assert_eq!(codec.decode(&value[..index], at(SIGNED_AT)), None);
        }
        for respelled in [&b"="[..], b"A", b"."] {
            let longer = [&value[..], respelled].concat();
            assert_eq!(codec.decode(longer, at(SIGNED_AT)), None);
        }
    }

    #[test]
    fn another_key_salt_or_digest_does_not_verify() {
        let value = cookie("a").encode(&user(1), at(SIGNED_AT));
        let others = [
            FlaskCookie::builder("b"),
            FlaskCookie::builder("a").salt("other"),
            FlaskCookie::builder("a").digest(FlaskDigest::Sha256),
            FlaskCookie::builder("a").digest(FlaskDigest::Sha512),
        ];
        for other in others.map(|other| other.build().unwrap()) {
            assert_eq!(other.decode(&value, at(SIGNED_AT)), None);
            let own = other.encode(&user(1), at(SIGNED_AT));
            assert_eq!(other.decode(&own, at(SIGNED_AT)), Some(user(1)));
        }
    }

    #[test]
    fn a_fallback_key_verifies_and_no_longer_signs() {
        let old = cookie("old").encode(&user(1), at(SIGNED_AT));
        let rotated = FlaskCookie::builder("new").fallback_keys(["older", "old"]);
        let rotated = rotated.build().unwrap();
        assert_eq!(rotated.decode(&old, at(SIGNED_AT)), Some(user(1)));
        let new = rotated.encode(&user(1), at(SIGNED_AT));
        assert_eq!(new, cookie("new").encode(&user(1), at(SIGNED_AT)));
    }

    /// Output stays bounded even for a cookie that is signed with the right key.
    #[test]
    fn a_bomb_is_refused() {
        let codec = cookie("a");
        for (spaces, is_read) in [
            (MAX_JSON - 2, true),
            (MAX_JSON - 1, false),
            (64 << 20, false),
        ] {
            let json = format!("{}{{}}", " ".repeat(spaces as usize));
            let value = codec.seal(&json, at(SIGNED_AT));
            assert!(value.starts_with('.'));
            assert_eq!(codec.decode(&value, at(SIGNED_AT)).is_some(), is_read);
        }
    }

    #[test]
    fn what_is_signed_and_no_dictionary_is_refused() {
        for json in [
            "",
            "[]",
            "1",
            "null",
            "{",
            r#"{" t":[]}"#,
            r#"{" di":{}}"#,
            r#"{" di":{"a":1}}"#,
            r#"{"a":1}x"#,
        ] {
            let value = cookie("a").seal(json, at(SIGNED_AT));
            assert_eq!(cookie("a").decode(&value, at(SIGNED_AT)), None, "{json}");
        }
        let signed = |payload: &str| {
            let signer = &cookie("a").signers[0];
            let mac = BASE64.encode(signer.sign(payload.as_bytes()));
            cookie("a").decode(format!("{payload}.{mac}"), at(SIGNED_AT))
        };
        let time = BASE64.encode(&SIGNED_AT.to_be_bytes()[4..]);
        assert!(signed(&format!("e30.{time}")).is_some());
        let padded = BASE64.encode(&SIGNED_AT.to_be_bytes()[3..]);
        let payloads = [
            "e30".to_owned(),
            "e30.".to_owned(),
            format!("e30={time}"),
            format!("e31.{time}"),
            format!("e30.{padded}"),
            format!("..{time}"),
            format!(".e30.{time}"),
            format!("e30.{time}{time}{time}"),
        ];
        for payload in payloads {
            assert_eq!(signed(&payload), None, "{payload}");
        }
    }

    #[test]
    fn a_dictionary_that_looks_like_a_tag_is_one() {
        for key in [" t", " di", " b", "a"] {
            let mut data = FlaskData::default();
            data.set(key, [1]).unwrap();
            let value = cookie("a").encode(&data, at(SIGNED_AT));
            assert_eq!(cookie("a").decode(&value, at(SIGNED_AT)), Some(data));
        }
    }

    #[test]
    fn a_marked_cookie_means_the_same() {
        let codec = cookie("a");
        let lineage = Lineage::random();
        let marked = codec
            .encode_marked(&user(1), lineage, at(SIGNED_AT))
            .unwrap();
        let opened = codec.open(marked.as_bytes(), at(SIGNED_AT)).unwrap();
        assert!(opened.lineage == Some(lineage) && opened.data == user(1));
        let plain = codec.encode(&user(1), at(SIGNED_AT));
        let opened = codec.open(plain.as_bytes(), at(SIGNED_AT)).unwrap();
        assert_eq!(opened.lineage, None);
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let mut data = FlaskData::default();
        for (length, is_written) in [(200_000, true), (300_000, false)] {
            data.set("a", "a".repeat(length)).unwrap();
            let written = cookie("a").encode_marked(&data, Lineage::random(), at(SIGNED_AT));
            assert_eq!(written.is_some(), is_written);
        }
    }

    #[test]
    fn a_public_key_is_refused_by_name() {
        let refused = |builder: FlaskCookieBuilder| builder.build().unwrap_err().to_string();
        assert!(refused(FlaskCookie::builder("")).contains("is empty"));
        let public = FlaskCookie::builder("season-wiz-secret");
        assert!(refused(public).contains("`season-wiz-secret`"));
        let fallback = FlaskCookie::builder("a").fallback_keys(["season-wiz-secret"]);
        assert!(refused(fallback).contains("`season-wiz-secret`"));
        let short = FlaskCookie::builder("a").lifetime(Duration::ZERO);
        assert!(refused(short).contains("`.lifetime(…)`"));
    }

    #[test]
    fn it_prints_no_secret() {
        let builder = FlaskCookie::builder("hunter2").fallback_keys(["hunter3"]);
        let printed = format!("{builder:?} {:?} {:?}", cookie("hunter2"), user(1234));
        assert!(!printed.contains("hunter") && !printed.contains("1234"));
    }

    /// Random bytes, and signed ones, which get further in.
    #[test]
    fn no_cookie_breaks_the_codec() {
        const PIECES: [&str; 24] = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\" t\"",
            "\" di\"",
            "\" b\"",
            "\" f\"",
            "\"a__\"",
            "NaN",
            "-Infinity",
            "null",
            "1e5",
            "-",
            "12345678901234567890",
            "\\u",
            "d83d",
            "\\",
            "장",
            " ",
            "\u{0}",
        ];
        let codec = cookie("a");
        let mut rng = fastrand::Rng::with_seed(17);
        let end = time_to_fuzz().map(|time| std::time::Instant::now() + time);
        let (mut rounds, mut read) = (0, 0);
        while end.map_or(rounds < 500, |end| std::time::Instant::now() < end) {
            rounds += 1;
            let json: String = match rng.u8(..3) {
                0 => (0..rng.usize(..20))
                    .map(|_| PIECES[rng.usize(..PIECES.len())])
                    .collect(),
                _ => random_value(&mut rng, 0),
            };
            let json = if rng.bool() {
                json
            } else {
                format!("{{\"k\":{json}}}")
            };
            let mut value = codec.seal(&json, at(SIGNED_AT)).into_bytes();
            if rng.u8(..8) == 0 {
                let place = rng.usize(..value.len());
                value[place] = rng.u8(..);
            }
            let Some(data) = codec.decode(&value, at(SIGNED_AT)) else {
                continue;
            };
            read += 1;
            let again = codec.encode(&data, at(SIGNED_AT));
            assert_eq!(
                codec.decode(again, at(SIGNED_AT)).as_ref(),
                Some(&data),
                "{json}"
            );
            for (_, text) in data.iter() {
                let kept =
                    super::super::json::value(text, super::super::json::Way::FromFlask).unwrap();
                serde_json::from_str::<&serde_json::value::RawValue>(&kept).unwrap();
                let back = super::super::json::value(&kept, super::super::json::Way::ToFlask);
                let twice = super::super::json::value(
                    &super::super::json::value(
                        back.as_ref().unwrap(),
                        super::super::json::Way::FromFlask,
                    )
                    .unwrap(),
                    super::super::json::Way::ToFlask,
                );
                assert_eq!(back, twice, "{json}");
            }
        }
        assert!(read > rounds / 5, "only {read} of {rounds} were read");
    }

    /// Ten minutes: `FLASK_FUZZ_SECONDS=600 cargo test --features flask --lib no_cookie`.
    fn time_to_fuzz() -> Option<Duration> {
        let seconds = std::env::var("FLASK_FUZZ_SECONDS").ok()?;
        seconds.parse().map(Duration::from_secs).ok()
    }

    fn random_value(rng: &mut fastrand::Rng, depth: u8) -> String {
        const KEYS: [&str; 9] = [" t", " di", " di__", " t__", " f", " f__", " b", "a", "장"];
        match rng.u8(..if depth > 5 { 4 } else { 7 }) {
            0 => rng.i64(..).to_string(),
            1 => ["NaN", "Infinity", "-Infinity", "null", "1.5e+30"][rng.usize(..5)].to_owned(),
            2 => format!("{:?}", ["", "AAE=", "NaN", "x", "🛒"][rng.usize(..5)]),
            3 => "true".to_owned(),
            4 => {
                let values: Vec<_> = (0..rng.usize(..4))
                    .map(|_| random_value(rng, depth + 1))
                    .collect();
                format!("[{}]", values.join(","))
            }
            _ => {
                let members: Vec<_> = (0..rng.usize(..3))
                    .map(|_| {
                        format!(
                            "\"{}\":{}",
                            KEYS[rng.usize(..KEYS.len())],
                            random_value(rng, depth + 1)
                        )
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}
