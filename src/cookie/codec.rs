use std::fmt;

use ::cookie::Key;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    id::{Handle, SessionId},
    sha256::HmacKey,
};

/// Signs and verifies the value of the session's cookie: `base64(HMAC-SHA256(id)) ‖ id`, the format of the
/// `cookie` crate's signed jar.
///
/// The key of the MAC is derived from the application's key and the cookie's name, so that a value
/// signed for another cookie never verifies. Each key's schedule is computed once.
#[derive(Clone)]
pub(crate) struct Codec {
    signing: HmacKey,
    previous: Vec<HmacKey>,
}

/// A cookie's value, made for an id by the present key. It prints as nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedValue {
    mac: [u8; MAC_LEN],
    id: SessionId,
}

impl SignedValue {
    /// One after the other they are the value.
    pub(crate) fn parts(&self) -> [&[u8]; 2] {
        [&self.mac, self.id.text()]
    }
}

impl From<SignedValue> for String {
    fn from(signed: SignedValue) -> Self {
        Self::from_utf8(signed.parts().concat()).expect("a signature and an id are ASCII")
    }
}

impl fmt::Debug for SignedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedValue(..)")
    }
}

/// A cookie's value that was signed by one of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    /// SignedValue by a previous key: the client is to get it signed by the present one.
    pub(crate) outdated: bool,
}

/// 32 bytes in base64, with padding.
const MAC_LEN: usize = 44;

impl Codec {
    pub(crate) fn new(name: &str, key: &Key, previous: &[Key]) -> Self {
        let schedule = |key| HmacKey::new(&derive(key, name));
        Self {
            signing: schedule(key),
            previous: previous.iter().map(schedule).collect(),
        }
    }

    pub(crate) fn sign(&self, id: SessionId) -> SignedValue {
        SignedValue {
            mac: encode(self.signing.mac(id.text())),
            id,
        }
    }

    /// The id in a signed value. Every bit of the value counts: the MAC is compared as text, so there is one way to
    /// write it.
    pub(crate) fn verify(&self, value: &[u8]) -> Option<Verified> {
        let (presented, text) = value.split_first_chunk::<MAC_LEN>()?;
        let id = SessionId::from_text(text.try_into().ok()?);
        let mac = self.signing.mac(id.text());
        // Before the MACs are compared: the processor works at both hashes at a time.
        let handle = id.handle();
        let is_presented = |mac| is_equal(&encode(mac), presented);
        let outdated = !is_presented(mac);
        let mut previous = self.previous.iter();
        if outdated && !previous.any(|key| is_presented(key.mac(id.text()))) {
            return None;
        }
        Some(Verified {
            id,
            handle,
            outdated,
        })
    }
}

fn encode(mac: [u8; 32]) -> [u8; MAC_LEN] {
    let mut text = [0; MAC_LEN];
    BASE64
        .encode_slice(mac, &mut text)
        .expect("32 bytes make 44 characters");
    text
}

/// Looks at all bytes, whichever differs: a way out at the first would tell where it is.
fn is_equal(one: &[u8; MAC_LEN], other: &[u8; MAC_LEN]) -> bool {
    let pairs = one.iter().zip(other);
    let difference = pairs.fold(0, |all, (one, other)| all | (one ^ other));
    difference.ct_eq(&0).into()
}

/// The key of the MAC for cookies of this name.
fn derive(key: &Key, name: &str) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key.signing())
        .expect("HMAC takes keys of any length")
        .chain_update(b"wiz-session v1 cookie ")
        .chain_update(name)
        .finalize()
        .into_bytes()
        .into()
}

#[cfg(test)]
mod tests {
    use ::cookie::CookieJar;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::from(&[byte; 64])
    }

    fn id() -> SessionId {
        SessionId::from_text(*b"abababababababababababababababab")
    }

    /// Format version 1 must verify for ever: never change this text.
    const PINNED: &str =
        "kuO3I6RhKaYjptkz8DLHA9xCUHTj/h13jBvsViInuA4=abababababababababababababababab";

    #[test]
    fn the_pinned_cookie_verifies_and_is_written_the_same() {
        let codec = Codec::new("sid", &key(1), &[]);
        assert_eq!(String::from(codec.sign(id())), PINNED);
        assert_eq!(
            codec.verify(PINNED.as_bytes()),
            Some(Verified {
                id: id(),
                handle: id().handle(),
                outdated: false
            })
        );
    }

    #[test]
    fn the_cookie_crates_signed_jar_agrees_given_the_derived_key() {
        let derived = Key::from(&[derive(&key(1), "sid"), [0; 32]].concat());
        let mut jar = CookieJar::new();
        jar.signed_mut(&derived)
            .add(("sid", "abababababababababababababababab"));
        assert_eq!(jar.get("sid").unwrap().value(), PINNED);

        let mut jar = CookieJar::new();
        jar.add((
            "sid",
            String::from(Codec::new("sid", &key(1), &[]).sign(id())),
        ));
        assert_eq!(
            jar.signed(&derived).get("sid").unwrap().value(),
            "abababababababababababababababab"
        );
    }

    #[test]
    fn no_altered_value_verifies() {
        let codec = Codec::new("sid", &key(1), &[]);
        let value = String::from(codec.sign(id())).into_bytes();
        for index in 0..value.len() {
            for byte in 0..=u8::MAX {
                let mut altered = value.clone();
                altered[index] = byte;
                assert_eq!(
                    codec.verify(&altered).is_some(),
                    altered == value,
                    "byte {index} as {byte}"
                );
            }
            assert_eq!(codec.verify(&value[..index]), None);
        }
        assert_eq!(codec.verify(&[value.as_slice(), b"a"].concat()), None);
    }

    #[test]
    fn another_key_or_another_name_does_not_verify() {
        let value = String::from(Codec::new("sid", &key(1), &[]).sign(id()));
        assert_eq!(
            Codec::new("sid", &key(2), &[]).verify(value.as_bytes()),
            None
        );
        assert_eq!(
            Codec::new("other", &key(1), &[]).verify(value.as_bytes()),
            None
        );
    }

    #[test]
    fn a_previous_key_verifies_and_no_longer_signs() {
        let old = String::from(Codec::new("sid", &key(1), &[]).sign(id()));
        let codec = Codec::new("sid", &key(2), &[key(3), key(1)]);
        assert_eq!(
            codec.verify(old.as_bytes()),
            Some(Verified {
                id: id(),
                handle: id().handle(),
                outdated: true
            })
        );
        assert_ne!(String::from(codec.sign(id())), old);
    }
}
