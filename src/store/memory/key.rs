use std::hash::{BuildHasherDefault, Hasher};

use crate::id::Handle;

/// Splits a handle into a 64-bit key and the rest, so that a queue's slot stores the key alone, at half the size. Handles
/// are digests, so equal keys are not to be expected; on a collision `create` reports the second handle as in use.
/// Multiplying also spreads the handles of tests, which count up in one half.
pub(super) fn split(handle: Handle) -> (u64, u64) {
    let (rest, last) = halves(handle);
    (last ^ rest.wrapping_mul(SPREAD), rest)
}

pub(super) fn join(key: u64, rest: u64) -> Handle {
    let last = key ^ rest.wrapping_mul(SPREAD);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&rest.to_ne_bytes());
    bytes[8..].copy_from_slice(&last.to_ne_bytes());
    Handle::from_bytes(bytes)
}

fn halves(handle: Handle) -> (u64, u64) {
    let [first @ .., _, _, _, _, _, _, _, _] = *handle.as_bytes();
    let [_, _, _, _, _, _, _, _, last @ ..] = *handle.as_bytes();
    (u64::from_ne_bytes(first), u64::from_ne_bytes(last))
}

/// An odd number with well-mixed bits (2⁶⁴ divided by the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The keys of a table are digests already, so they are not hashed again.
pub(super) type KeyIsHash = BuildHasherDefault<KeyHasher>;

#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("keys are numbers");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
