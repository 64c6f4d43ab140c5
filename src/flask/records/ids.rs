use std::{collections::HashMap, mem};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use cookie::Key;
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::id::{Handle, SessionId};

/// Which session belongs to which id of Flask's.
pub(super) struct Ids {
    key: Hmac<Sha256>,
    /// Of sessions that began at Flask.
    seen: Mutex<Seen>,
}

/// `secrets.token_urlsafe(32)`, before it is text.
const BYTES: usize = 32;
const HALF: usize = 16;

impl Ids {
    pub(super) fn new(key: &Key) -> Self {
        Self {
            key: Hmac::new_from_slice(key.master()).expect("a key of any length will do"),
            seen: Mutex::default(),
        }
    }

    /// The id of the record that has this handle.
    pub(super) fn of(&self, handle: Handle) -> String {
        match self.seen.lock().get(handle) {
            Some(id) => id.into(),
            None => self.seal(handle),
        }
    }

    /// The handle of the record that has this id.
    pub(super) fn handle(&self, id: &str) -> Handle {
        self.open(id).unwrap_or_else(|| self.session(id).handle())
    }

    /// The session of the record that has this id, for who has nothing but that.
    pub(super) fn session(&self, id: &str) -> SessionId {
        let mac = self.mac("session", id.as_bytes());
        let handle = Handle::from_bytes(half(&mac));
        let text = handle.to_string();
        SessionId::from_text(text.as_bytes().try_into().expect("32 digits"))
    }

    /// From now on the store finds the record with this id by its handle.
    pub(super) fn note(&self, id: &str) -> Handle {
        let handle = self.handle(id);
        if self.open(id).is_none() {
            self.seen.lock().put(handle, id);
        }
        handle
    }

    /// A handle is public and an id is not, so it is a seal on the handle: a MAC, and the handle, encrypted by another
    /// MAC of that. It looks like an id of Flask's.
    fn seal(&self, handle: Handle) -> String {
        let mac: [u8; HALF] = half(&self.mac("seal", handle.as_bytes()));
        let hidden = self.hide(&mac, *handle.as_bytes());
        BASE64.encode([mac, hidden].concat())
    }

    fn open(&self, id: &str) -> Option<Handle> {
        let bytes: [u8; BYTES] = BASE64.decode(id).ok()?.try_into().ok()?;
        let mac: [u8; HALF] = half(&bytes);
        let hidden: [u8; HALF] = bytes[HALF..].try_into().ok()?;
        let handle = Handle::from_bytes(self.hide(&mac, hidden));
        let expected: [u8; HALF] = half(&self.mac("seal", handle.as_bytes()));
        bool::from(mac.ct_eq(&expected)).then_some(handle)
    }

    fn hide(&self, mac: &[u8; HALF], handle: [u8; HALF]) -> [u8; HALF] {
        let pad = self.mac("hide", mac);
        std::array::from_fn(|place| handle[place] ^ pad[place])
    }

    fn mac(&self, purpose: &str, message: &[u8]) -> [u8; BYTES] {
        let mut mac = self.key.clone();
        mac.update(b"wiz-session Flask-Session id\0");
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

fn half(bytes: &[u8; BYTES]) -> [u8; HALF] {
    bytes.first_chunk().copied().expect("half of it")
}

/// Ids by handle: the last ones that were used.
#[derive(Default)]
struct Seen {
    young: HashMap<Handle, Box<str>>,
    old: HashMap<Handle, Box<str>>,
}

/// Half of how many are remembered: some 15 MB of them.
const MOST: usize = 1 << 16;

impl Seen {
    fn get(&mut self, handle: Handle) -> Option<&str> {
        if let Some(id) = self.old.remove(&handle) {
            self.put(handle, &id);
        }
        self.young.get(&handle).map(|id| &**id)
    }

    fn put(&mut self, handle: Handle, id: &str) {
        if self.young.len() == MOST && !self.young.contains_key(&handle) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(handle, id.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(byte: u8) -> Ids {
        Ids::new(&Key::from(&[byte; 64]))
    }

    #[test]
    fn a_handle_is_sealed_into_an_id_as_flask_makes_them() {
        let (own, other) = (ids(1), ids(2));
        for _ in 0..100 {
            let handle = SessionId::random().handle();
            let id = own.of(handle);
            assert_eq!(id.len(), 43);
            assert_eq!(own.handle(&id), handle);
            assert_ne!(other.handle(&id), handle, "it takes the key");
            assert_eq!(other.open(&id), None);
        }
    }

    #[test]
    fn an_id_that_is_altered_opens_nothing() {
        let (ids, handle) = (ids(1), SessionId::random().handle());
        let id = ids.of(handle);
        for place in 0..id.len() {
            let mut altered = id.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(ids.open(&altered), None, "{place}");
        }
    }

    #[test]
    fn an_id_of_flasks_is_found_once_it_was_seen() {
        let ids = ids(1);
        let id = "wqJk3bJ5m0l7bmzQ9mR4pT2yV8xA1cD6eF0gH3iJ5kL";
        let handle = ids.session(id).handle();
        assert_ne!(ids.of(handle), id);
        assert_eq!(ids.note(id), handle);
        assert_eq!(ids.of(handle), id);
        let own = ids.of(SessionId::random().handle());
        ids.note(&own);
        assert_eq!(ids.seen.lock().young.len(), 1, "own ids need no memory");
    }

    #[test]
    fn what_is_used_is_not_forgotten() {
        let mut seen = Seen::default();
        let handle = |n: usize| Handle::from_bytes((n as u128).to_be_bytes());
        for n in 0..3 * MOST {
            seen.put(handle(n), "id");
            assert!(n % 1_000 > 0 || seen.get(handle(0)).is_some(), "{n}");
        }
        assert!(seen.get(handle(1)).is_none());
        assert!(seen.young.len() <= MOST && seen.old.len() <= MOST);
    }
}
