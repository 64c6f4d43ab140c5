use rmpv::{ValueRef, decode::read_value_ref};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    serialization::FlaskSerialization::{self, Json, MsgPack},
    value,
};
use crate::error::Error;

/// A session as Flask-Session stores it: keys and values in their order, each as it is written. So what nobody changes
/// stays as it is, whatever it means.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) format: FlaskSerialization,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `None` for a key that is no text.
    key: Option<Box<str>>,
    written_key: Box<[u8]>,
    value: Box<[u8]>,
}

impl Map {
    pub(super) fn new(format: FlaskSerialization) -> Self {
        Self {
            format,
            entries: Vec::new(),
        }
    }

    /// # Errors
    /// If it is neither msgpack nor JSON, or no dictionary. A pickle is not read: who can write to the database could run
    /// code by it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if let [0x80, 0..=8, .., b'.'] = bytes {
            return Err(Error::corrupt(PICKLE));
        }
        let parsed = match bytes.first() {
            Some(b'{') => json_entries(bytes).map(|entries| (Json, entries)),
            _ => msgpack_entries(bytes).map(|entries| (MsgPack, entries)),
        };
        let (format, entries) = parsed.ok_or_else(|| Error::corrupt(UNREADABLE))?;
        Ok(Self { format, entries })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.format {
            MsgPack => {
                let len = self.entries.len();
                match u16::try_from(len) {
                    Ok(len @ 0..=15) => bytes.push(0x80 | len as u8),
                    Ok(len) => {
                        bytes.push(0xde);
                        bytes.extend(len.to_be_bytes());
                    }
                    Err(_) => {
                        bytes.push(0xdf);
                        bytes.extend((len as u32).to_be_bytes());
                    }
                }
                for entry in &self.entries {
                    bytes.extend_from_slice(&entry.written_key);
                    bytes.extend_from_slice(&entry.value);
                }
            }
            Json => {
                bytes.push(b'{');
                for (index, entry) in self.entries.iter().enumerate() {
                    if index > 0 {
                        bytes.push(b',');
                    }
                    bytes.extend_from_slice(&entry.written_key);
                    bytes.push(b':');
                    bytes.extend_from_slice(&entry.value);
                }
                bytes.push(b'}');
            }
        }
        bytes
    }

    /// The entries whose keys are texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let entries = self.entries.iter();
        entries.filter_map(|entry| Some((entry.key.as_deref()?, &*entry.value)))
    }

    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(other, _)| *other == key)
            .map(|(_, value)| value)
    }

    /// Where the key is, or at the end.
    pub(super) fn put(&mut self, key: &str, value: Vec<u8>) {
        let value = value.into_boxed_slice();
        let place = |entry: &&mut Entry| entry.key.as_deref() == Some(key);
        match self.entries.iter_mut().find(place) {
            Some(entry) => entry.value = value,
            None => self.entries.push(Entry {
                key: Some(key.into()),
                written_key: value::text(self.format, key).into_boxed_slice(),
                value,
            }),
        }
    }

    /// Keeps the keys that are texts only where this is so.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.entries
            .retain(|entry| entry.key.as_deref().is_none_or(&keep));
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Of all but the entry with this key.
    pub(super) fn digest_without(&self, key: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let others = self.entries.iter();
        for entry in others.filter(|entry| entry.key.as_deref() != Some(key)) {
            for part in [&entry.written_key, &entry.value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        hasher.finalize().into()
    }
}

const PICKLE: &str = "Flask-Session has written it as a pickle, which is not read here: let Flask-Session 0.8 write it again, with \
`SESSION_SERIALIZATION_FORMAT` as `msgpack` or `json`";

const UNREADABLE: &str = "it is no session of Flask-Session's as msgpack or JSON";

fn msgpack_entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (len, head) = match *bytes {
        [first @ 0x80..=0x8f, ..] => (usize::from(first & 0x0f), 1),
        [0xde, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 3),
        [0xdf, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]) as usize, 5),
        _ => return None,
    };
    let mut rest = &bytes[head..];
    let mut entries = Vec::new();
    for _ in 0..len {
        let (key, written_key) = msgpack_value(&mut rest)?;
        let (_, value) = msgpack_value(&mut rest)?;
        entries.push(Entry {
            key: key.map(Into::into),
            written_key: written_key.into(),
            value: value.into(),
        });
    }
    rest.is_empty().then_some(entries)
}

/// What is next, as a text if it is one, and as it is written.
fn msgpack_value<'a>(rest: &mut &'a [u8]) -> Option<(Option<&'a str>, &'a [u8])> {
    let all = *rest;
    let mut reader = all;
    let value = read_value_ref(&mut reader).ok()?;
    let text = match value {
        ValueRef::String(text) => text.into_str(),
        _ => None,
    };
    *rest = reader;
    Some((text, &all[..all.len() - reader.len()]))
}

fn json_entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    struct Entries(Vec<Entry>);

    impl<'de> Deserialize<'de> for Entries {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct InOrder;

            impl<'de> Visitor<'de> for InOrder {
                type Value = Entries;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                    let mut entries = Vec::new();
                    while let Some(key) = map.next_key::<String>()? {
                        let value: &RawValue = map.next_value()?;
                        entries.push(Entry {
                            written_key: value::text(Json, &key).into(),
                            key: Some(key.into()),
                            value: value.get().as_bytes().into(),
                        });
                    }
                    Ok(Entries(entries))
                }
            }

            deserializer.deserialize_map(InOrder)
        }
    }

    let Entries(entries) = serde_json::from_slice(bytes).ok()?;
    Some(entries)
}
