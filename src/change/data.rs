use std::{cmp::Ordering, collections::BTreeMap, fmt, ops::Range};

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
    /// These values after edits, which are sorted by key: from then on a key holds another value, or none.
    ///
    /// `len` and `bytes` are those of the result, which the caller has counted.
    pub(crate) fn with_edits<'a>(
        &'a self,
        edits: impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + Clone,
        len: usize,
        bytes: usize,
    ) -> Self {
        if len == 0 {
            return Self::default();
        }
        let parts = self.parts();
        let size = WORD * (1 + 2 * len) + bytes;
        let mut sealed = Vec::with_capacity(size);
        sealed.extend(word(len));
        let mut end = 0;
        parts.runs(edits.clone(), |run| match run {
            Run::Kept(entries) => {
                let kept = sealed.len();
                sealed.extend_from_slice(parts.ends_of(&entries));
                let span = parts.span(&entries);
                shift(&mut sealed[kept..], span.start, end);
                end += span.len();
            }
            Run::Put(key, value) => {
                end += key.len();
                sealed.extend(word(end));
                end += value.len();
                sealed.extend(word(end));
            }
        });
        parts.runs(edits, |run| match run {
            Run::Kept(entries) => sealed.extend_from_slice(&parts.payload[parts.span(&entries)]),
            Run::Put(key, value) => {
                sealed.extend_from_slice(key.as_bytes());
                sealed.extend_from_slice(value);
            }
        });
        debug_assert_eq!(sealed.len(), size);
        Self(sealed.into_boxed_slice())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.first_chunk().map_or(0, unword)
    }

    /// Bytes of all keys and values: what `max_bytes` limits.
    pub(crate) fn bytes(&self) -> usize {
        self.parts().payload.len()
    }

    /// The raw JSON of a key's value.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        let parts = self.parts();
        let place = parts.find(key).ok()?;
        Some(parts.value(place))
    }

    /// All entries, sorted by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        let parts = self.parts();
        (0..self.len()).map(move |place| {
            let key = str::from_utf8(parts.key(place)).expect("keys are sealed from str");
            (key, parts.value(place))
        })
    }

    #[inline]
    fn parts(&self) -> Parts<'_> {
        let Some((len, rest)) = self.0.split_first_chunk() else {
            return Parts::default();
        };
        let (ends, payload) = rest.split_at(2 * WORD * unword(len));
        let (ends, _whole) = ends.as_chunks();
        Parts { ends, payload }
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
        let puts = entries
            .iter()
            .map(|(key, value)| (key.as_str(), Some(value.get().as_bytes())));
        let bytes = entries
            .iter()
            .map(|(key, value)| key.len() + value.get().len())
            .sum();
        Ok(Self::default().with_edits(puts, entries.len(), bytes))
    }
}

/// A block of data, taken apart.
#[derive(Clone, Copy, Default)]
struct Parts<'d> {
    /// Of keys (even) and of values (odd).
    ends: &'d [[u8; WORD]],
    payload: &'d [u8],
}

impl<'d> Parts<'d> {
    #[inline]
    fn len(self) -> usize {
        self.ends.len() / 2
    }

    /// What edits leave and what they put, in order.
    fn runs<'a>(
        self,
        edits: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
        mut visit: impl FnMut(Run<'a>),
    ) {
        let mut next = 0;
        for (key, value) in edits {
            let (place, after) = match self.find(key) {
                Ok(place) => (place, place + 1),
                Err(place) => (place, place),
            };
            if next < place {
                visit(Run::Kept(next..place));
            }
            if let Some(value) = value {
                visit(Run::Put(key, value));
            }
            next = after;
        }
        if next < self.len() {
            visit(Run::Kept(next..self.len()));
        }
    }

    /// Where the key is, or where it would be.
    #[inline]
    fn find(self, key: &str) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.key(middle).cmp(key.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    #[inline]
    fn key(self, place: usize) -> &'d [u8] {
        &self.payload[self.start(place)..self.end(2 * place)]
    }

    #[inline]
    fn value(self, place: usize) -> &'d [u8] {
        &self.payload[self.end(2 * place)..self.end(2 * place + 1)]
    }

    /// Where these entries are in the payload.
    fn span(self, entries: &Range<usize>) -> Range<usize> {
        self.start(entries.start)..self.start(entries.end)
    }

    fn ends_of(self, entries: &Range<usize>) -> &'d [u8] {
        self.ends[2 * entries.start..2 * entries.end].as_flattened()
    }

    #[inline]
    fn start(self, place: usize) -> usize {
        match (2 * place).checked_sub(1) {
            None => 0,
            Some(before) => self.end(before),
        }
    }

    #[inline]
    fn end(self, index: usize) -> usize {
        unword(&self.ends[index])
    }
}

/// A stretch of the entries after edits.
enum Run<'a> {
    Kept(Range<usize>),
    Put(&'a str, &'a [u8]),
}

fn word(value: usize) -> [u8; WORD] {
    u32::try_from(value)
        .expect("max_bytes keeps sessions far below 4 GiB")
        .to_ne_bytes()
}

#[inline]
fn unword(word: &[u8; WORD]) -> usize {
    u32::from_ne_bytes(*word) as usize
}

/// Moves ends that were counted from one place to another.
fn shift(ends: &mut [u8], from: usize, to: usize) {
    let by = (to as u32).wrapping_sub(from as u32);
    for end in ends.as_chunks_mut().0 {
        *end = u32::from_ne_bytes(*end).wrapping_add(by).to_ne_bytes();
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} keys)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(entries: &[(&str, &str)]) -> Data {
        edit(
            &Data::default(),
            entries.iter().map(|(key, value)| (*key, Some(*value))),
        )
    }

    /// The edited data, and what it must be: that of a map with the same edits.
    fn edit<'a>(data: &Data, edits: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Data {
        let edits: Vec<_> = edits.collect();
        let mut map: BTreeMap<&str, &[u8]> = data.iter().collect();
        for (key, value) in &edits {
            match value {
                Some(value) => map.insert(key, value.as_bytes()),
                None => map.remove(key),
            };
        }
        let bytes = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        let raw = edits
            .iter()
            .map(|(key, value)| (*key, value.map(str::as_bytes)));
        let edited = data.with_edits(raw, map.len(), bytes);
        assert!(edited.iter().eq(map), "{edits:?}");
        assert_eq!(edited.bytes(), bytes);
        edited
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: Vec<String> = (0..100).map(|n| format!("{n:03}")).collect();
        for count in 0..=keys.len() {
            let entries: Vec<_> = keys[..count].iter().map(|key| (&**key, &**key)).collect();
            let data = sealed(&entries);
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
    fn edits_of_any_kind_leave_the_rest_as_it_was() {
        let data = sealed(&[("b", "1"), ("d", "22"), ("f", "333"), ("h", "")]);
        let choices = [None, Some(None), Some(Some("")), Some(Some("longer"))];
        let keys = ["a", "b", "c", "d", "f", "h", "i"];
        for mut number in 0..choices.len().pow(keys.len() as u32) {
            let edits = keys.into_iter().filter_map(|key| {
                let choice = choices[number % choices.len()];
                number /= choices.len();
                choice.map(|value| (key, value))
            });
            edit(&data, edits.collect::<Vec<_>>().into_iter());
        }
        assert_eq!(
            edit(&data, keys.map(|key| (key, None)).into_iter()),
            Data::default()
        );
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
