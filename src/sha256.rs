//! SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of 32 bytes, which is what an id takes, and a digest.
//!
//! A request with a cookie needs three blocks of SHA-256. The `sha2` crate computes them; here they are put together,
//! in whole words. Its streaming interface, made for messages of any length, writes a block piece by piece, and a
//! processor that reads in one what it has just written in pieces has to wait until all is written: for half as long as
//! the hash takes, and with nothing else to do meanwhile.

use std::slice;

use sha2::compress256;

const BLOCK: usize = 64;
const SIZE: usize = 32;

pub(crate) fn digest(message: &[u8; SIZE]) -> [u8; SIZE] {
    State::INITIAL.finish::<0>(message)
}

/// A key of HMAC-SHA256, scheduled.
#[derive(Clone)]
pub(crate) struct HmacKey {
    inner: State,
    outer: State,
}

impl HmacKey {
    pub(crate) fn new(key: &[u8; SIZE]) -> Self {
        let schedule = |pad: u8| {
            let mut block = [pad; BLOCK];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            State::INITIAL.after(&block)
        };
        Self {
            inner: schedule(0x36),
            outer: schedule(0x5c),
        }
    }

    pub(crate) fn mac(&self, message: &[u8; SIZE]) -> [u8; SIZE] {
        let inner = self.inner.finish::<BLOCK>(message);
        self.outer.finish::<BLOCK>(&inner)
    }
}

/// What SHA-256 keeps between two blocks.
#[derive(Clone, Copy)]
struct State([u32; 8]);

impl State {
    const INITIAL: Self = Self([
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ]);

    fn after(mut self, block: &[u8; BLOCK]) -> Self {
        compress256(&mut self.0, slice::from_ref(block.into()));
        self
    }

    /// The digest of `BEFORE` bytes, which have been hashed, and of these, which are the last.
    #[inline]
    fn finish<const BEFORE: usize>(self, last: &[u8; SIZE]) -> [u8; SIZE] {
        let mut block = const { padding(BEFORE + SIZE) };
        block[..SIZE].copy_from_slice(last);
        let Self(words) = self.after(&block);
        let mut digest = [0; SIZE];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

/// A last block without its first 32 bytes: after them comes a bit, and at the end how many bits there were in all.
const fn padding(bytes: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[SIZE] = 0x80;
    let (_, length) = block.split_at_mut(BLOCK - 8);
    length.copy_from_slice(&(8 * bytes as u64).to_be_bytes());
    block
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, Mac};
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_crates_agree() {
        let mut message = [0; SIZE];
        for _ in 0..1_000 {
            let next = digest(&message);
            assert_eq!(next[..], Sha256::digest(message)[..]);
            let mac = Hmac::<Sha256>::new_from_slice(&next).unwrap();
            let expected = mac.chain_update(message).finalize().into_bytes();
            assert_eq!(HmacKey::new(&next).mac(&message)[..], expected[..]);
            message = next;
        }
    }
}
