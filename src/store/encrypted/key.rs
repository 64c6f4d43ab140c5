use std::fmt;

use ::cookie::Key;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::id::{self, Handle};

/// One key of an [`EncryptedStore`](super::EncryptedStore), as its parts are used.
pub(super) struct StoreKey {
    /// Tells which key has sealed a record. Reveals nothing of it.
    pub(super) id: String,
    cipher: XChaCha20Poly1305,
    /// Hashes users, for the store's index.
    index: Hmac<Sha256>,
}

const NONCE: usize = 24;

impl StoreKey {
    pub(super) fn new(key: &Key) -> Self {
        let derive = |purpose: &str| -> [u8; 32] {
            let mac = hmac(key.signing()).chain_update(purpose);
            mac.finalize().into_bytes().into()
        };
        let id = derive("wiz-session store 1: id");
        Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(&id[..6]),
            cipher: XChaCha20Poly1305::new(&derive("wiz-session store 1: data").into()),
            index: hmac(&derive("wiz-session store 1: users")),
        }
    }

    /// A user, as the store sees them.
    pub(super) fn hash_of(&self, user: &str) -> String {
        let hash = self.index.clone().chain_update(user).finalize();
        BASE64_URL_SAFE_NO_PAD.encode(hash.into_bytes())
    }

    /// A nonce and the ciphertext. A nonce of 192 random bits never repeats, so a key has no limit of messages
    /// (draft-irtf-cfrg-xchacha §3.1).
    pub(super) fn encrypt(&self, handle: Handle, text: &str) -> String {
        let [first, second] = [(); 2].map(|()| id::random());
        let nonce: [u8; NONCE] = std::array::from_fn(|at| match at {
            0..16 => first[at],
            _ => second[at - 16],
        });
        let payload = Payload {
            msg: text.as_bytes(),
            aad: handle.as_bytes(),
        };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let mut bytes = Vec::from(nonce);
        bytes.extend(sealed.expect("a session is shorter than 256 GiB"));
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` if it is not of this key, of this handle, or was altered.
    pub(super) fn decrypt(&self, handle: Handle, sealed: &str) -> Option<String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let payload = Payload {
            msg: sealed,
            aad: handle.as_bytes(),
        };
        let text = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        String::from_utf8(text.ok()?).ok()
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as Mac>::new_from_slice(key).expect("a key of any length")
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreKey").field(&self.id).finish()
    }
}
