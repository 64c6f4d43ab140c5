use crate::{id::Handle, record::Version, store::Ended};

use super::keys::Keys;

/// A message that was published.
pub(super) struct Told {
    pub(super) channel: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// What it says of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Ended(Handle, Ended),
    Changed(Handle, Version),
}

impl Told {
    /// Others may publish there too: what is not understood is not for this store.
    pub(super) fn news(&self, keys: &Keys) -> Option<News> {
        let handle = keys.handle(&self.channel)?;
        let why = match str::from_utf8(&self.payload).ok()? {
            "logged_out" => Ended::LoggedOut,
            "revoked" => Ended::Revoked,
            "moved" => Ended::Moved,
            replaced => {
                let replaced = Version::new(replaced.parse().ok()?);
                return Some(News::Changed(handle, replaced.next()));
            }
        };
        Some(News::Ended(handle, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_publish_is_no_news() {
        let (keys, handle) = (Keys::new("wiz:"), Handle::from_bytes([7; 16]));
        let news = |channel: &str, payload: &str| {
            let (channel, payload) = (channel.into(), payload.into());
            Told { channel, payload }.news(&keys)
        };
        let own = keys.record(handle);
        let changed = news(&own, "00000000000000000007");
        assert_eq!(changed, Some(News::Changed(handle, Version::new(8))));
        let moved = Some(News::Ended(handle, Ended::Moved));
        assert_eq!(news(&own, "moved"), moved);
        for payload in ["", "changed", "-1", "expired", "Moved"] {
            assert_eq!(news(&own, payload), None, "{payload}");
        }
        assert_eq!(news("wiz:s:x", "moved"), None);
    }
}
