use std::{collections::BTreeMap, fmt};

use serde_json::value::RawValue;

/// The values of a session, sealed: raw JSON by key, in one allocation.
///
/// Looking a key up is a binary search that touches no other value, so it costs the same in a
/// session of three keys and of a hundred. The layout, all integers `u32` in native byte order:
///
/// ```text
/// count | end of key 0, end of value 0, end of key 1, … | key 0, value 0, key 1, …
/// ```
///
/// Ends count from the start of the first key; keys are sorted. Without keys there are no bytes at all.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Data(Box<[u8]>);

const WORD: usize = size_of::<u32>();

impl Data {
    /// Seals entries that are sorted by key, without duplicates.
    pub(crate) fn seal<'a>(entries: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Self {
        let (count, bytes) = entries
            .clone()
            .fold((0, 0), |(count, bytes), (key, value)| {
                (count + 1, bytes + key.len() + value.len())
            });
        if count == 0 {
            return Self::default();
        }
        let mut sealed = Vec::with_capacity(WORD * (1 + 2 * count) + bytes);
        sealed.extend(word(count));
        let mut end = 0;
        for (key, value) in entries.clone() {
            end += key.len();
            sealed.extend(word(end));
            end += value.len();
            sealed.extend(word(end));
        }
        for (key, value) in entries {
            sealed.extend_from_slice(key.as_bytes());
            sealed.extend_from_slice(value);
        }
        Self(sealed.into_boxed_slice())
    }

    pub(crate) fn len(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.word(0) }
    }

    /// Bytes of all keys and values: what `max_bytes` limits.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len().saturating_sub(self.payload())
    }

    /// The raw JSON of a key's value.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let (found, value) = self.entry(middle);
            match found.cmp(key.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(value),
            }
        }
        None
    }

    /// All entries, sorted by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        (0..self.len()).map(|index| {
            let (key, value) = self.entry(index);
            (
                str::from_utf8(key).expect("keys are sealed from str"),
                value,
            )
        })
    }

    fn entry(&self, index: usize) -> (&[u8], &[u8]) {
        let start = if index == 0 { 0 } else { self.word(2 * index) };
        let (key_end, value_end) = (self.word(2 * index + 1), self.word(2 * index + 2));
        let payload = &self.0[self.payload()..];
        (&payload[start..key_end], &payload[key_end..value_end])
    }

    fn payload(&self) -> usize {
        WORD * (1 + 2 * self.len())
    }

    fn word(&self, index: usize) -> usize {
        let bytes = self.0[WORD * index..]
            .first_chunk()
            .expect("the index is whole");
        u32::from_ne_bytes(*bytes) as usize
    }

    /// A JSON object as a person would want to read it in a database.
    pub(crate) fn to_json(&self) -> String {
        let mut json = Vec::with_capacity(self.bytes() + 4 * self.len() + 2);
        json.push(b'{');
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, key).expect("a string has a JSON form");
            json.push(b':');
            json.extend_from_slice(value);
        }
        json.push(b'}');
        String::from_utf8(json).expect("JSON is UTF-8")
    }

    /// Reads a JSON object. Of a repeated key the last value counts.
    pub(crate) fn from_json(json: &str) -> serde_json::Result<Self> {
        let entries: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
        if u32::try_from(json.len()).is_err() {
            return Err(serde::de::Error::custom("more than 4 GiB"));
        }
        Ok(Self::seal(entries.iter().map(|(key, value)| {
            (key.as_str(), value.get().as_bytes())
        })))
    }
}

fn word(value: usize) -> [u8; WORD] {
    u32::try_from(value)
        .expect("max_bytes keeps sessions far below 4 GiB")
        .to_ne_bytes()
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} keys)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(entries: &[(&'static str, &'static str)]) -> Data {
        Data::seal(entries.iter().map(|(key, value)| (*key, value.as_bytes())))
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: Vec<String> = (0..100).map(|n| format!("{n:03}")).collect();
        for count in 0..=keys.len() {
            let data = Data::seal(
                keys[..count]
                    .iter()
                    .map(|key| (key.as_str(), key.as_bytes())),
            );
            assert_eq!(data.len(), count);
            assert_eq!(data.bytes(), 6 * count);
            for (index, key) in keys.iter().enumerate() {
                assert_eq!(
                    data.get(key),
                    (index < count).then_some(key.as_bytes()),
                    "{key} of {count}"
                );
            }
            assert_eq!(
                (data.get(""), data.get("0005"), data.get("~")),
                (None, None, None)
            );
        }
    }

    #[test]
    fn json_and_back_keeps_every_digit_and_character() {
        let json = r#"{"":null,"a\"b\n":[1.000,1e400,18446744073709551616],"장바구니":"🛒\u0000"}"#;
        let data = Data::from_json(json).unwrap();
        assert_eq!(data.to_json(), json);
        assert_eq!(
            data.get("a\"b\n"),
            Some(b"[1.000,1e400,18446744073709551616]".as_slice())
        );
        assert_eq!(
            data.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            ["", "a\"b\n", "장바구니"]
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in ["", "[]", "null", "{", r#"{"a":}"#, r#"{"a":1}x"#] {
            assert!(Data::from_json(json).is_err(), "{json}");
        }
        assert_eq!(
            Data::from_json(r#"{"a":1,"a":2}"#).unwrap(),
            sealed(&[("a", "2")])
        );
    }

    #[test]
    fn nothing_costs_nothing() {
        assert_eq!(Data::from_json("{}").unwrap(), Data::default());
        assert_eq!(
            (Data::default().bytes(), Data::default().to_json()),
            (0, "{}".to_owned())
        );
    }

    #[test]
    fn it_prints_no_value() {
        assert_eq!(format!("{:?}", sealed(&[("pin", "1234")])), "Data(1 keys)");
    }
}
