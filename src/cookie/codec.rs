use std::fmt;

use ::cookie::Key;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::id::SessionId;

/// Signs and verifies the value of the session's cookie: `base64(HMAC-SHA256(id)) ‖ id`, the format of the
/// `cookie` crate's signed jar.
///
/// The key of the MAC is derived from the application's key and the cookie's name, so that a value
/// signed for another cookie never verifies. Each key's schedule is computed once.
#[derive(Clone)]
pub(crate) struct Codec {
    signing: Hmac<Sha256>,
    previous: Vec<Hmac<Sha256>>,
}

/// A cookie's value, made for an id by the present key. It prints as nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed([u8; VALUE_LEN]);

impl Signed {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Signed> for String {
    fn from(Signed(value): Signed) -> Self {
        Self::from_utf8(value.to_vec()).expect("a signature and an id are ASCII")
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed(..)")
    }
}

/// A cookie's value that was signed by one of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) id: SessionId,
    /// Signed by a previous key: the client is to get it signed by the present one.
    pub(crate) outdated: bool,
}

/// 32 bytes in base64, with padding.
const MAC_LEN: usize = 44;
const VALUE_LEN: usize = MAC_LEN + SessionId::TEXT_LEN;

impl Codec {
    pub(crate) fn new(name: &str, key: &Key, previous: &[Key]) -> Self {
        let schedule = |key| hmac(&derive(key, name));
        Self {
            signing: schedule(key),
            previous: previous.iter().map(schedule).collect(),
        }
    }

    pub(crate) fn sign(&self, id: SessionId) -> Signed {
        let mut value = [0; VALUE_LEN];
        let (signature, text) = value.split_at_mut(MAC_LEN);
        let text = text.first_chunk_mut().expect("an id is what remains");
        let text = id.encode(text);
        BASE64
            .encode_slice(mac(&self.signing, text.as_bytes()), signature)
            .expect("32 bytes make 44 characters");
        Signed(value)
    }

    /// The id in a signed value. Every bit of the value counts: the MAC is compared as text, so there is one way to
    /// write it.
    pub(crate) fn verify(&self, value: &[u8]) -> Option<Verified> {
        if value.len() != VALUE_LEN {
            return None;
        }
        let (presented, text) = value.split_at(MAC_LEN);
        let signed_by = |key| {
            let mut expected = [0; MAC_LEN];
            BASE64
                .encode_slice(mac(key, text), &mut expected)
                .expect("32 bytes make 44 characters");
            // All bytes, whichever differs: a way out at the first would tell where it is.
            let pairs = expected.iter().zip(presented);
            let difference = pairs.fold(0, |all, (one, other)| all | (one ^ other));
            bool::from(difference.ct_eq(&0))
        };
        let outdated = !signed_by(&self.signing);
        if outdated && !self.previous.iter().any(signed_by) {
            return None;
        }
        SessionId::parse(text).map(|id| Verified { id, outdated })
    }
}

/// The key of the MAC for cookies of this name.
fn derive(key: &Key, name: &str) -> [u8; 32] {
    let mut derived = hmac(key.signing());
    derived.update(b"wiz-session v1 cookie ");
    derived.update(name.as_bytes());
    derived.finalize().into_bytes().into()
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn mac(key: &Hmac<Sha256>, text: &[u8]) -> [u8; 32] {
    key.clone()
        .chain_update(text)
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
        SessionId::from_bytes([0xab; 16])
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
        let value = Codec::new("sid", &key(1), &[]).sign(id());
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
        let old = Codec::new("sid", &key(1), &[]).sign(id());
        let codec = Codec::new("sid", &key(2), &[key(3), key(1)]);
        assert_eq!(
            codec.verify(old.as_bytes()),
            Some(Verified {
                id: id(),
                outdated: true
            })
        );
        assert_ne!(codec.sign(id()), old);
    }
}
