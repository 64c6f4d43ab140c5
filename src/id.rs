use std::{cell::RefCell, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::sha256;

/// SHA-256 cut to 128 bits, over parts that cannot run into each other.
pub(crate) fn digest_of(purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new_with_prefix(purpose);
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().copied().expect("16 of 32 bytes")
}

/// The secret that a cookie carries: 128 random bits from the operating system, as 32 hexadecimal digits.
///
/// It leaves the crate only in a cookie; its `Debug` is redacted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId([u8; Self::LEN]);

impl SessionId {
    pub(crate) const LEN: usize = uuid::fmt::Simple::LENGTH;

    pub(crate) fn random() -> Self {
        let mut text = [0; Self::LEN];
        Uuid::from_bytes(random()).simple().encode_lower(&mut text);
        Self(text)
    }

    /// An id as presented by a cookie. Whether it is genuine is for the MAC to tell.
    pub(crate) const fn from_text(text: [u8; Self::LEN]) -> Self {
        Self(text)
    }

    pub(crate) const fn text(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The name under which the store knows this session. The id cannot be computed from it.
    pub(crate) fn handle(&self) -> Handle {
        let digest = sha256::digest(&self.0);
        Handle(digest.first_chunk().copied().expect("16 of 32 bytes"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// The public name of a session: SHA-256 of its secret id, cut to 128 bits.
///
/// Safe to log, to show and to put into a URL: it cannot be used as a cookie. `Display` writes 32 hexadecimal digits,
/// which `FromStr` and serde read back.
///
/// ```
/// use wiz_session::Handle;
///
/// let handle: Handle = "00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!(handle.to_string(), "00112233445566778899aabbccddeeff");
/// assert!("a cookie".parse::<Handle>().is_err());
/// # Ok::<(), wiz_session::InvalidHandle>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; 16]);

impl Handle {
    /// The handle with these bytes, for stores that keep handles as bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Of an entry that is no session's: a digest of these parts, which cannot run into each other. No cookie can name it,
    /// as a session's handle is the digest of an id alone.
    pub(crate) fn of_entry(purpose: &str, parts: &[&[u8]]) -> Self {
        Self(digest_of(purpose, parts))
    }

    /// The handle's bytes. They are uniformly distributed, so any part of them can serve as a hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; SessionId::LEN];
        f.write_str(Uuid::from_bytes(self.0).simple().encode_lower(&mut buffer))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

impl FromStr for Handle {
    type Err = InvalidHandle;

    fn from_str(text: &str) -> Result<Self, InvalidHandle> {
        match Uuid::try_parse(text) {
            Ok(uuid) if text.len() == SessionId::LEN => Ok(Self(uuid.into_bytes())),
            _ => Err(InvalidHandle(())),
        }
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A text that is not a [`Handle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidHandle(());

impl fmt::Display for InvalidHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session handle is 32 hexadecimal digits: take it from `handle()` as it is")
    }
}

impl std::error::Error for InvalidHandle {}

/// Sixteen bytes from the operating system's generator, fetched 1024 at a time, as the system call costs more than the
/// rest of a new session. Bytes that were handed out are wiped.
pub(crate) fn random() -> [u8; 16] {
    #[cfg(test)]
    if let Some(bytes) = counted::next() {
        return bytes;
    }
    thread_local! {
        static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; 1024], left: 0 }) };
    }
    POOL.with_borrow_mut(Pool::take)
}

struct Pool {
    bytes: [u8; 1024],
    left: usize,
}

impl Pool {
    fn take(&mut self) -> [u8; 16] {
        if self.left == 0 {
            // Without randomness there is no safe id, and nothing to fall back to.
            getrandom::getrandom(&mut self.bytes)
                .expect("the operating system provides randomness");
            self.left = self.bytes.len();
        }
        self.left -= 16;
        let (_, fresh) = self.bytes.split_at_mut(self.left);
        let mut taken = [0; 16];
        taken.copy_from_slice(&fresh[..16]);
        fresh[..16].fill(0);
        taken
    }
}

/// Ids in a fixed sequence, so that a test can replay a request.
#[cfg(test)]
pub(crate) mod counted {
    use std::cell::Cell;

    thread_local! {
        static NEXT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// While this runs, this thread's ids count upwards from here.
    pub(crate) fn from<R>(first: u64, run: impl FnOnce() -> R) -> R {
        let before = NEXT.replace(Some(first));
        let returned = run();
        NEXT.set(before);
        returned
    }

    pub(super) fn next() -> Option<[u8; 16]> {
        let number = NEXT.get()?;
        NEXT.set(Some(number + 1));
        Some((u128::from(number) << 64 | u128::from(number)).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_use_all_bits() {
        let ids: HashSet<[u8; 16]> = (0..10_000).map(|_| random()).collect();
        assert_eq!(ids.len(), 10_000);
        let ones = ids.iter().fold([0_u8; 16], |all, id| {
            std::array::from_fn(|i| all[i] | id[i])
        });
        let zeros = ids.iter().fold([0_u8; 16], |all, id| {
            std::array::from_fn(|i| all[i] | !id[i])
        });
        assert_eq!(
            (ones, zeros),
            ([0xff; 16], [0xff; 16]),
            "no bit is fixed, as a version 4 UUID would have them"
        );
    }

    #[test]
    fn an_id_prints_as_nothing() {
        assert_eq!(format!("{:?}", SessionId::random()), "SessionId(..)");
    }

    #[test]
    fn the_handle_is_pinned() {
        let handle = SessionId::from_text([b'7'; 32]).handle();
        assert_eq!(
            handle.to_string(),
            "5cfac09f7b171a7b492f1df33e8981f7",
            "SHA-256 of 32 sevens, cut to 128 bits"
        );
    }
}
