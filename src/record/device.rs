use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The device that a session is bound to.
///
/// It is read and written with and without the feature `dbsc`, so that a process without it does not unbind a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) registered_at: u64,
    /// Its public key.
    pub(crate) jwk: Jwk,
}

impl Device {
    #[cfg_attr(not(feature = "dbsc"), expect(dead_code))]
    pub(crate) fn registered_at(&self) -> Timestamp {
        Timestamp::from_millis(self.registered_at)
    }
}

/// The key is public, and a user's all the same.
impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device(..)")
    }
}

/// Names a binding, whatever id its session moves to. It is no secret: the browser knows a binding by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceId(pub(crate) [u8; 16]);

impl DeviceId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a device's id is 16 bytes as base64"))
    }
}

/// A public key as RFC 7517 writes it, of the two kinds that devices have. Its numbers stay in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub(crate) enum Jwk {
    #[serde(rename = "EC")]
    Ec {
        crv: Box<str>,
        x: Box<str>,
        y: Box<str>,
    },
    #[serde(rename = "RSA")]
    Rsa { n: Box<str>, e: Box<str> },
}
