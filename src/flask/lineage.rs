use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id;

/// What all cookies have in common that one login, or one visitor, was sent by a bridge. Flask writes none: so a cookie that
/// has one is one that a bridge wrote, and Flask has written nothing since.
///
/// It travels as white space before the JSON, which means nothing there and which Flask drops when it writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Lineage([u8; Self::BYTES]);

/// Two bits each.
const SPACES: &[u8; 4] = b" \t\n\r";

impl Lineage {
    const BYTES: usize = 6;
    const SPACES: usize = 4 * Self::BYTES;

    pub(super) fn random() -> Self {
        let [a, b, c, d, e, f, ..] = id::random();
        Self([a, b, c, d, e, f])
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn to_spaces(self) -> String {
        let pairs = self
            .0
            .iter()
            .flat_map(|byte| [6, 4, 2, 0].map(|shift| byte >> shift & 3));
        pairs
            .map(|pair| char::from(SPACES[usize::from(pair)]))
            .collect()
    }

    /// That of a JSON object.
    pub(super) fn of(json: &str) -> Option<Self> {
        let (spaces, rest) = json.as_bytes().split_first_chunk::<{ Self::SPACES }>()?;
        if !rest.starts_with(b"{") {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        for (index, space) in spaces.iter().enumerate() {
            let pair = SPACES.iter().position(|other| other == space)?;
            bytes[index / 4] = bytes[index / 4] << 2 | pair as u8;
        }
        Some(Self(bytes))
    }
}

impl Serialize for Lineage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Lineage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| de::Error::custom("no lineage"))
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lineage(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_travels_as_white_space() {
        for lineage in [Lineage([0; 6]), Lineage([255; 6]), Lineage::random()] {
            let spaces = lineage.to_spaces();
            assert!(spaces.trim().is_empty());
            assert_eq!(Lineage::of(&format!("{spaces}{{}}")), Some(lineage));
            for other in [
                "{}".to_owned(),
                format!(" {spaces}{{}}"),
                format!("{}{{}}", &spaces[1..]),
                spaces,
            ] {
                assert_eq!(Lineage::of(&other), None);
            }
        }
    }
}
