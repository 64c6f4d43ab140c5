use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{cookie::Keys, id::Handle, record::DeviceId, sha256::HmacKey, time::Timestamp};

/// Makes and verifies what a browser has to bring back: the bound cookie, and the challenges that its device signs. The
/// signing key makes them; the next and the previous ones verify too.
pub(super) struct Macs {
    keys: Box<[MacKey]>,
}

struct MacKey {
    /// Scheduled, for the bound cookie, which each request brings.
    scheduled: HmacKey,
    bytes: [u8; 32],
}

/// What a challenge is for. One made for the one is none for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    Register,
    Refresh(&'a DeviceId),
}

/// A challenge that this application has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) made_at: Timestamp,
    /// The session that it was made for, which may have moved since.
    pub(super) handle: Handle,
}

const TIME: usize = 8;
const HANDLE: usize = 16;
const MAC: usize = 32;
const COOKIE: usize = TIME + MAC;
/// Of a bound cookie's value, in base64.
const COOKIE_LEN: usize = (COOKIE * 4).div_ceil(3);
const CHALLENGE: usize = TIME + HANDLE + MAC;

impl Macs {
    pub(super) fn new(keys: &Keys) -> Self {
        let keys = [&keys.signing]
            .into_iter()
            .chain(&keys.next)
            .chain(&keys.previous);
        Self {
            keys: keys.map(MacKey::derive).collect(),
        }
    }

    fn signing(&self) -> &MacKey {
        &self.keys[0]
    }

    /// The value of a bound cookie that ends then.
    pub(super) fn cookie(&self, id: DeviceId, end: Timestamp) -> String {
        let mac = self.signing().scheduled.mac(&bound(id, end));
        let end = end.as_millis().to_be_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&end[..], &mac].concat())
    }

    /// When the bound cookie of this value ends, if it is one of this binding.
    #[inline]
    pub(super) fn verify_cookie(&self, value: &[u8], id: DeviceId) -> Option<Timestamp> {
        if value.len() != COOKIE_LEN {
            return None;
        }
        let mut bytes = [0; COOKIE];
        let read = BASE64_URL_SAFE_NO_PAD.decode_slice(value, &mut bytes);
        read.ok().filter(|read| *read == COOKIE)?;
        let (end, mac) = bytes.split_first_chunk::<TIME>()?;
        let end = Timestamp::from_millis(u64::from_be_bytes(*end));
        let message = bound(id, end);
        let is_own = |key: &MacKey| is_equal(&key.scheduled.mac(&message), mac);
        self.keys.iter().any(is_own).then_some(end)
    }

    pub(super) fn challenge(&self, purpose: Purpose<'_>, handle: Handle, now: Timestamp) -> String {
        let challenge = Challenge {
            made_at: now,
            handle,
        };
        let mac = self.signing().mac_of(purpose, challenge);
        let time = now.as_millis().to_be_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&time[..], handle.as_bytes(), &mac].concat())
    }

    /// The challenge, of whatever age, if it was made for this.
    pub(super) fn verify_challenge(&self, text: &str, purpose: Purpose<'_>) -> Option<Challenge> {
        if text.len() > 2 * CHALLENGE {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes: &[u8; CHALLENGE] = bytes.as_slice().try_into().ok()?;
        let (time, rest) = bytes.split_first_chunk::<TIME>()?;
        let (handle, mac) = rest.split_first_chunk::<HANDLE>()?;
        let challenge = Challenge {
            made_at: Timestamp::from_millis(u64::from_be_bytes(*time)),
            handle: Handle::from_bytes(*handle),
        };
        let is_own = |key: &MacKey| is_equal(&key.mac_of(purpose, challenge), mac);
        self.keys.iter().any(is_own).then_some(challenge)
    }
}

impl MacKey {
    /// Not of the cookie's name, so that a cookie that is renamed keeps its bindings. An id is unique anyway.
    fn derive(key: &::cookie::Key) -> Self {
        let bytes = hmac(key.signing(), &[b"wiz-session v1 device"]);
        Self {
            scheduled: HmacKey::new(&bytes),
            bytes,
        }
    }

    fn mac_of(&self, purpose: Purpose<'_>, challenge: Challenge) -> [u8; MAC] {
        let Challenge { made_at, handle } = challenge;
        let time = made_at.as_millis().to_be_bytes();
        let (label, id): (&[u8; 8], &[u8]) = match purpose {
            Purpose::Register => (b"register", &[]),
            Purpose::Refresh(DeviceId(id)) => (b"refresh.", id),
        };
        hmac(&self.bytes, &[label, &time, handle.as_bytes(), id])
    }
}

/// What the MAC of a bound cookie is over. All challenges are longer or shorter.
fn bound(DeviceId(id): DeviceId, end: Timestamp) -> [u8; 32] {
    let mut message = *b"................................";
    message[..16].copy_from_slice(&id);
    message[16..24].copy_from_slice(&end.as_millis().to_be_bytes());
    message
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; MAC] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}

fn is_equal(one: &[u8; MAC], other: &[u8]) -> bool {
    one[..].ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use ::cookie::Key;

    use super::*;

    fn macs(signing: u8, previous: &[u8]) -> Macs {
        let key = |byte| Key::from(&[byte; 64]);
        Macs::new(&Keys {
            signing: key(signing),
            next: None,
            previous: previous.iter().copied().map(key).collect(),
        })
    }

    const ID: DeviceId = DeviceId([7; 16]);
    const OTHER: DeviceId = DeviceId([8; 16]);
    const HANDLE: Handle = Handle::from_bytes([9; 16]);
    const END: Timestamp = Timestamp::from_millis(1_700_000_000_123);

    /// HMAC-SHA256 over the id, the end and eight dots; it was computed by Python's.
    const PINNED: &str = "AAABi8_laHuuGqHDr_FL7Jh1jaK-c6wlkq-RUdhSMhbcY0wXMObljA";

    #[test]
    fn the_pinned_cookie_verifies_and_is_written_the_same() {
        let value = macs(1, &[]).cookie(ID, END);
        assert_eq!(value, PINNED);
        assert_eq!(macs(1, &[]).verify_cookie(value.as_bytes(), ID), Some(END));
    }

    #[test]
    fn a_cookie_of_another_binding_or_key_or_altered_in_any_byte_does_not_verify() {
        let value = macs(1, &[]).cookie(ID, END).into_bytes();
        assert_eq!(macs(1, &[]).verify_cookie(&value, OTHER), None);
        assert_eq!(macs(2, &[]).verify_cookie(&value, ID), None);
        assert_eq!(macs(2, &[1]).verify_cookie(&value, ID), Some(END));
        for at in 0..value.len() {
            for byte in 0..=u8::MAX {
                let mut altered = value.clone();
                altered[at] = byte;
                let verified = macs(1, &[]).verify_cookie(&altered, ID);
                assert_eq!(verified.is_some(), altered == value, "byte {at} as {byte}");
            }
            assert_eq!(macs(1, &[]).verify_cookie(&value[..at], ID), None);
        }
    }

    #[test]
    fn a_challenge_is_for_one_purpose_and_one_binding() {
        let all = [
            Purpose::Register,
            Purpose::Refresh(&ID),
            Purpose::Refresh(&OTHER),
        ];
        for made in all {
            let text = macs(1, &[]).challenge(made, HANDLE, END);
            for asked in all {
                let expected = Challenge {
                    made_at: END,
                    handle: HANDLE,
                };
                let expected = (made == asked).then_some(expected);
                assert_eq!(macs(1, &[]).verify_challenge(&text, asked), expected);
                assert_eq!(macs(3, &[2, 1]).verify_challenge(&text, asked), expected);
                assert_eq!(macs(2, &[]).verify_challenge(&text, asked), None);
            }
        }
    }

    #[test]
    fn no_altered_and_no_random_challenge_verifies() {
        let macs = macs(1, &[]);
        let text = macs.challenge(Purpose::Register, HANDLE, END);
        let mut rng = fastrand::Rng::with_seed(9449);
        for _ in 0..20_000 {
            let mut altered = text.clone().into_bytes();
            match rng.bool() {
                true => altered.truncate(rng.usize(..text.len())),
                false => {
                    let at = rng.usize(..text.len());
                    altered[at] = rng.alphanumeric() as u8;
                }
            }
            let altered = String::from_utf8(altered).unwrap();
            let verified = macs.verify_challenge(&altered, Purpose::Register);
            assert_eq!(verified.is_some(), altered == text, "{altered}");
        }
    }
}
