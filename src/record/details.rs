use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::device::Device;
use crate::id::{self, Handle};

/// What only some sessions have beside their data: how they are shown, and what they are found and ended by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Details {
    /// How a list of sessions shows it.
    pub(crate) label: Option<Box<str>>,
    /// Of the credentials at the login.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) aliases: Vec<Alias>,
    /// The only one whose browser may use it.
    pub(crate) device: Option<Arc<Device>>,
}

impl Details {
    /// As a record keeps them. Most sessions have none, and pay for none.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }

    /// Gives the session this alias, in place of another one of that name.
    pub(crate) fn set_alias(&mut self, alias: Alias) {
        self.aliases.retain(|other| other.name != alias.name);
        self.aliases.push(alias);
    }
}

/// A fingerprint of a user's credentials, by which sessions from before a change of password are told. It is a hash, so
/// that a store's dump does not show what the application gave, which may be a password's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp([u8; 16]);

impl Stamp {
    pub(crate) fn of(credentials: &[u8]) -> Self {
        Self(id::digest_of("wiz-session stamp", &[credentials]))
    }
}

impl Serialize for Stamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let stamp = bytes.and_then(|bytes| bytes.try_into().ok());
        stamp
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a stamp is 16 bytes as base64"))
    }
}

/// A name under which another system knows the login, the `sid` of OpenID Connect for instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) name: Box<str>,
    pub(crate) value: Box<str>,
}

impl Alias {
    /// Bounds, in bytes.
    pub(crate) const MAX_NAME: usize = 64;
    pub(crate) const MAX_VALUE: usize = 512;
    /// How many a session has at the most.
    pub(crate) const MOST: usize = 8;

    /// Where the store keeps who has it.
    pub(crate) fn handle(&self) -> Handle {
        let parts = [self.name.as_bytes(), self.value.as_bytes()];
        Handle::of_entry("wiz-session alias", &parts)
    }
}
