use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::id::Handle;

/// The connection that a command takes.
///
/// Replies come in the order of the commands, so a value of a megabyte holds up all that are behind it. Values of such a
/// size therefore have a connection of their own, and so has what looks at all sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    Small,
    Large,
}

/// In bytes. A small value is a part of what a server sends at a time, which is 64 KiB.
const LARGE: usize = 32 << 10;

impl Lane {
    pub(super) fn of_bytes(bytes: usize) -> Self {
        match bytes {
            LARGE.. => Self::Large,
            _ => Self::Small,
        }
    }
}

/// Which sessions were large when they were last read or written here: a command that reads does not tell.
///
/// A table of fixed size. Of sessions that share a place, the last large one has it; the others are read over the
/// connection for small values, and are none the worse for it.
pub(super) struct LargeSessions(Box<[AtomicU64]>);

const PLACES: usize = 1024;

impl LargeSessions {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    /// How to read it.
    pub(super) fn lane(&self, handle: Handle) -> Lane {
        let (place, tag) = self.place(handle);
        match place.load(Relaxed) == tag {
            true => Lane::Large,
            false => Lane::Small,
        }
    }

    /// Before it is sent, or after it came: so a read never overtakes a write of the same session.
    pub(super) fn note(&self, handle: Handle, bytes: usize) {
        let (place, tag) = self.place(handle);
        match (Lane::of_bytes(bytes), place.load(Relaxed) == tag) {
            (Lane::Large, false) => place.store(tag, Relaxed),
            (Lane::Small, true) => place.store(0, Relaxed),
            _ => {}
        }
    }

    /// Handles are hashes, so their bytes are evenly distributed. The tag is never the one of an empty place.
    fn place(&self, handle: Handle) -> (&AtomicU64, u64) {
        let [a, b, c, d, e, f, g, h, rest @ ..] = *handle.as_bytes();
        let place = u64::from_le_bytes([a, b, c, d, e, f, g, h]) % PLACES as u64;
        (&self.0[place as usize], u64::from_le_bytes(rest) | 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_as_large_as_it_was_last() {
        let (large, handle) = (LargeSessions::new(), Handle::from_bytes([7; 16]));
        assert_eq!(large.lane(handle), Lane::Small);
        large.note(handle, LARGE);
        assert_eq!(large.lane(handle), Lane::Large);
        large.note(handle, LARGE - 1);
        assert_eq!(large.lane(handle), Lane::Small);
    }

    #[test]
    fn sessions_of_one_place_are_told_apart() {
        let large = LargeSessions::new();
        let (one, mut other) = ([0; 16], [0; 16]);
        other[15] = 1;
        let [one, other] = [one, other].map(Handle::from_bytes);
        assert_eq!(large.lane(one), Lane::Small, "of an empty place");
        large.note(one, LARGE);
        large.note(other, 10);
        assert_eq!(
            (large.lane(one), large.lane(other)),
            (Lane::Large, Lane::Small)
        );
        large.note(other, LARGE);
        assert_eq!(
            (large.lane(one), large.lane(other)),
            (Lane::Small, Lane::Large)
        );
    }
}
