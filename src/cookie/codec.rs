use std::fmt;

use ::cookie::Key;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    id::{Handle, SessionId},
    sha256::HmacKey,
};

/// Signs and verifies cookie values of the form `base64url(HMAC-SHA256(id)) ‖ id`, without padding.
///
/// The format is this crate's own. It consists of `A–Z a–z 0–9 - _` only, so every encoder between server and client
/// (`encodeURIComponent`, a cookie jar, a bearer token) leaves it unchanged.
///
/// The MAC's key is derived from the application's key and the cookie's name: a value signed for another cookie never
/// verifies. Key schedules are computed once, not per request.
#[derive(Clone)]
pub(crate) struct Codec {
    signing: HmacKey,
    next: Option<HmacKey>,
    previous: Vec<HmacKey>,
}

/// The keys that an application gave. The first signs, all verify.
pub(crate) struct Keys {
    pub(crate) signing: Key,
    /// Will sign after the next deployment: some processes may sign with it already.
    pub(crate) next: Option<Key>,
    pub(crate) previous: Vec<Key>,
}

impl From<Key> for Keys {
    fn from(signing: Key) -> Self {
        Self {
            signing,
            next: None,
            previous: Vec::new(),
        }
    }
}

/// A cookie value signed with the current key. Its `Debug` output is redacted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedValue {
    mac: [u8; MAC_LEN],
    id: SessionId,
}

impl SignedValue {
    pub(crate) const LEN: usize = MAC_LEN + SessionId::LEN;

    /// MAC and id; concatenated they are the value.
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

/// The content of a cookie value whose signature is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    /// Signed with a previous key; the response should set the cookie again, signed with the current one.
    pub(crate) outdated: bool,
}

/// 32 bytes in base64 without padding.
const MAC_LEN: usize = 43;

impl Codec {
    pub(crate) fn new(name: &str, keys: &Keys) -> Self {
        let schedule = |key| HmacKey::new(&derive(key, name));
        Self {
            signing: schedule(&keys.signing),
            next: keys.next.as_ref().map(schedule),
            previous: keys.previous.iter().map(schedule).collect(),
        }
    }

    pub(crate) fn sign(&self, id: SessionId) -> SignedValue {
        SignedValue {
            mac: encode(self.signing.mac(id.text())),
            id,
        }
    }

    /// The id in a validly signed value, `None` for any other.
    ///
    /// MACs are compared in their encoded form, so each has exactly one valid spelling: setting the two spare bits of
    /// the last base64 character invalidates the value.
    pub(crate) fn verify(&self, value: &[u8; SignedValue::LEN]) -> Option<Verified> {
        let (presented, text) = value.split_first_chunk::<MAC_LEN>()?;
        let id = SessionId::from_text(text.try_into().ok()?);
        let mac = self.signing.mac(id.text());
        // Computed before the MACs are compared, so that the processor overlaps the two hashes.
        let handle = id.handle();
        let is_presented = |mac| is_equal(&encode(mac), presented);
        let signed_by = |key: &HmacKey| is_presented(key.mac(id.text()));
        let outdated = match is_presented(mac) || self.next.as_ref().is_some_and(signed_by) {
            true => false,
            false if self.previous.iter().any(signed_by) => true,
            false => return None,
        };
        Some(Verified {
            id,
            handle,
            outdated,
        })
    }
}

fn encode(mac: [u8; 32]) -> [u8; MAC_LEN] {
    let mut text = [0; MAC_LEN];
    BASE64URL
        .encode_slice(mac, &mut text)
        .expect("32 bytes make 43 characters");
    text
}

/// Constant time: returning at the first difference would reveal its position.
fn is_equal(one: &[u8; MAC_LEN], other: &[u8; MAC_LEN]) -> bool {
    let pairs = one.iter().zip(other);
    let difference = pairs.fold(0, |all, (one, other)| all | (one ^ other));
    difference.ct_eq(&0).into()
}

/// The MAC key for cookies of this name.
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
    use ::cookie::Cookie;
    use tower_cookies::Cookies;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::from(&[byte; 64])
    }

    fn keys(signing: u8, next: Option<u8>, previous: impl IntoIterator<Item = u8>) -> Keys {
        Keys {
            signing: key(signing),
            next: next.map(key),
            previous: previous.into_iter().map(key).collect(),
        }
    }

    fn id() -> SessionId {
        SessionId::from_text(*b"abababababababababababababababab")
    }

    /// `None` also for values of another length, as for all that does not verify.
    fn verify(codec: &Codec, value: impl AsRef<[u8]>) -> Option<Verified> {
        codec.verify(value.as_ref().try_into().ok()?)
    }

    /// Format version 1 must verify for ever: never change this text.
    const PINNED: &str =
        "kuO3I6RhKaYjptkz8DLHA9xCUHTj_h13jBvsViInuA4abababababababababababababababab";

    #[test]
    fn the_pinned_cookie_verifies_and_is_written_the_same() {
        let codec = Codec::new("sid", &key(1).into());
        assert_eq!(String::from(codec.sign(id())), PINNED);
        assert_eq!(
            verify(&codec, PINNED),
            Some(Verified {
                id: id(),
                handle: id().handle(),
                outdated: false
            })
        );
    }

    #[test]
    fn the_mac_is_that_of_the_hmac_crate() {
        let derived = Hmac::<Sha256>::new_from_slice(&derive(&key(1), "sid")).unwrap();
        let mac = derived.chain_update(id().text()).finalize().into_bytes();
        assert_eq!(BASE64URL.encode(mac), PINNED[..MAC_LEN]);
    }

    #[test]
    fn no_encoder_on_the_way_changes_a_value() {
        let codec = Codec::new("sid", &key(1).into());
        for _ in 0..1_000 {
            let value = String::from(codec.sign(SessionId::random()));
            assert_eq!(value.len(), SignedValue::LEN);
            // Stricter than `encodeURIComponent`, form encoding, and the grammars of a cookie's value and of a bearer token.
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            assert!(value.bytes().all(is_plain), "{value}");

            let cookies = Cookies::default();
            cookies.add(Cookie::new("sid", value.clone()));
            let kept = cookies.get("sid").unwrap();
            assert_eq!(kept.value(), value);
            assert_eq!(kept.to_string(), format!("sid={value}"));
        }
        const { assert!(SignedValue::LEN < 80) };
    }

    #[test]
    fn no_altered_value_verifies() {
        let codec = Codec::new("sid", &key(1).into());
        let value = String::from(codec.sign(id())).into_bytes();
        for index in 0..value.len() {
            for byte in 0..=u8::MAX {
                let mut altered = value.clone();
                altered[index] = byte;
                assert_eq!(
                    verify(&codec, &altered).is_some(),
                    altered == value,
                    "byte {index} as {byte}"
                );
            }
            assert_eq!(verify(&codec, &value[..index]), None);
        }
        assert_eq!(verify(&codec, [value.as_slice(), b"a"].concat()), None);
    }

    #[test]
    fn other_spellings_of_the_mac_do_not_verify() {
        let codec = Codec::new("sid", &key(1).into());
        let (mac, id) = PINNED.split_at(MAC_LEN);
        let (start, last) = mac.split_at(MAC_LEN - 1);
        assert_eq!(last, "4", "its two lowest bits are spare");
        for respelled in [
            format!("{start}5{id}"),
            format!("{start}6{id}"),
            format!("{start}7{id}"),
            format!("{mac}={id}"),
            format!("{}{id}", mac.replace('_', "/")),
            format!("{}{id}", mac.replace('_', "%2F")),
            format!("{mac}{}", id.to_uppercase()),
        ] {
            assert_eq!(verify(&codec, &respelled), None, "{respelled}");
        }
    }

    #[test]
    fn another_key_or_another_name_does_not_verify() {
        let value = String::from(Codec::new("sid", &key(1).into()).sign(id()));
        assert_eq!(verify(&Codec::new("sid", &key(2).into()), &value), None);
        assert_eq!(verify(&Codec::new("other", &key(1).into()), &value), None);
    }

    #[test]
    fn a_previous_key_verifies_and_no_longer_signs() {
        let old = String::from(Codec::new("sid", &key(1).into()).sign(id()));
        let codec = Codec::new("sid", &keys(2, None, [3, 1]));
        assert_eq!(
            verify(&codec, &old),
            Some(Verified {
                id: id(),
                handle: id().handle(),
                outdated: true
            })
        );
        assert_ne!(String::from(codec.sign(id())), old);
    }

    #[test]
    fn a_cookie_of_the_next_key_verifies_and_is_not_outdated() {
        let next = String::from(Codec::new("sid", &key(2).into()).sign(id()));
        let codec = Codec::new("sid", &keys(1, Some(2), [3]));
        assert_eq!(
            verify(&codec, &next).map(|verified| verified.outdated),
            Some(false)
        );
        assert_eq!(
            codec.sign(id()),
            Codec::new("sid", &key(1).into()).sign(id())
        );
    }

    #[test]
    fn random_values_never_verify() {
        let codec = Codec::new("sid", &keys(1, Some(3), [2]));
        let mut rng = fastrand::Rng::with_seed(6265);
        let mut value = [0; SignedValue::LEN];
        for round in 0..50_000 {
            match round % 2 {
                0 => rng.fill(&mut value),
                _ => value.fill_with(|| b"0123456789abcdef-_AZ"[rng.usize(..20)]),
            }
            assert_eq!(codec.verify(&value), None, "{value:?}");
        }
    }
}
