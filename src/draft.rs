use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    data::Data,
    error::Error,
    op::{Op, Ops},
    record::Record,
};

/// A session's values as one request sees them: a record, and the operations done on it since.
///
/// Nothing is copied to begin one, and nothing that no operation touches is copied or encoded before
/// [`seal`](Self::seal).
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    base: Option<Record>,
    ops: Ops,
    /// How many keys the view has.
    len: usize,
    /// Keys and values of the view, in bytes.
    bytes: usize,
    max_bytes: usize,
}

impl Draft {
    pub(crate) fn new(base: Option<Record>, max_bytes: usize) -> Self {
        let data = base.as_ref().map(Record::data);
        Self {
            ops: Ops::default(),
            len: data.map_or(0, Data::len),
            bytes: data.map_or(0, Data::bytes),
            base,
            max_bytes,
        }
    }

    pub(crate) fn base(&self) -> Option<&Record> {
        self.base.as_ref()
    }

    pub(crate) fn ops(&self) -> &Ops {
        &self.ops
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Whether sealing would give other data than the base has.
    pub(crate) fn is_changed(&self) -> bool {
        !self.ops.is_empty()
    }

    /// Data of the base with the operations done.
    pub(crate) fn seal(&self) -> Data {
        let edits = self.ops.iter().map(|(key, op)| (key, op.value()));
        match &self.base {
            Some(base) => base.data().edited(edits, self.len, self.bytes),
            None => Data::default().edited(edits, self.len, self.bytes),
        }
    }

    /// Does the operations again on another record, as if it had been loaded first.
    ///
    /// # Errors
    /// If an `update` no longer reads its value, or the data has become too large. Then nothing is changed.
    pub(crate) fn rebase(&mut self, base: Option<Record>) -> Result<(), Error> {
        let mut rebased = Self::new(base, self.max_bytes);
        for (key, op) in self.ops.iter() {
            let mut op = op.clone();
            op.replay(rebased.base_value(key))?;
            rebased.record(key, op)?;
        }
        *self = rebased;
        Ok(())
    }

    /// Goes on from the record that these operations, done in this draft, were committed to.
    pub(crate) fn settle(&mut self, committed: &Ops, record: Option<Record>) -> Result<(), Error> {
        self.ops = std::mem::take(&mut self.ops).without(committed);
        self.rebase(record)
    }

    /// The one door for changes. An operation that changes nothing leaves no trace, nor do several that together
    /// change nothing.
    pub(crate) fn record(&mut self, key: &str, op: Op) -> Result<bool, Error> {
        let base = self.base.as_ref().and_then(|base| base.data().get(key));
        let before = self.ops.get(key).map_or(base, Op::value);
        let after = op.value();
        if before == after {
            return Ok(false);
        }
        let size = |value: Option<&[u8]>| value.map_or(0, |value| key.len() + value.len());
        let bytes = self.bytes - size(before) + size(after);
        if bytes > self.max_bytes && bytes > self.bytes {
            return Err(Error::too_large(key, self.max_bytes));
        }
        self.bytes = bytes;
        self.len = self.len - usize::from(before.is_some()) + usize::from(after.is_some());
        self.ops.add(key, op, base);
        Ok(true)
    }

    pub(crate) fn raw(&self, key: &str) -> Option<&[u8]> {
        match self.ops.get(key) {
            Some(op) => op.value(),
            None => self.base_value(key),
        }
    }

    fn base_value(&self, key: &str) -> Option<&[u8]> {
        self.base.as_ref()?.data().get(key)
    }
}

/// What users do with a session's values, typed. Reads of [`WizSession`](crate::WizSession) and [`Tx`](crate::Tx)
/// both end here.
impl Draft {
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.raw(key).map(|raw| parse(key, raw)).transpose()
    }

    pub(crate) fn get_value(&self, key: &str) -> Option<Value> {
        self.raw(key).map(to_value)
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.seal().iter().map(|(key, _)| key.to_owned()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.seal()
            .iter()
            .map(|(key, raw)| (key.to_owned(), to_value(raw)))
            .collect()
    }

    pub(crate) fn set(&mut self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        self.record(key, put_op(key, value)?).map(drop)
    }

    /// Sets all members or, where one does not fit, none.
    pub(crate) fn extend(&mut self, members: &Data) -> Result<(), Error> {
        let mut extended = self.clone();
        for (key, raw) in members.iter() {
            extended.record(key, Op::Put(raw.to_vec()))?;
        }
        *self = extended;
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: &str) -> bool {
        self.record(key, Op::Remove)
            .expect("removing never exceeds a limit")
    }

    pub(crate) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Error> {
        let taken = self.get(key)?;
        self.delete(key);
        Ok(taken)
    }
}

pub(crate) fn put_op(key: &str, value: &impl Serialize) -> Result<Op, Error> {
    encode(key, value).map(Op::Put)
}

/// The members of an object as raw JSON, every digit as it was.
pub(crate) fn members<T: Serialize>(values: &T) -> Result<Data, Error> {
    let json = serde_json::to_string(values).map_err(|_| Error::not_an_object::<T>())?;
    Data::from_json(&json).map_err(|_| Error::not_an_object::<T>())
}

/// The raw value after `change`, and that value as `T`. A missing key starts as the default.
pub(crate) fn updated<T>(
    key: &str,
    raw: Option<&[u8]>,
    change: impl FnOnce(&mut T),
) -> Result<(Vec<u8>, T), Error>
where
    T: Default + Serialize + DeserializeOwned,
{
    let mut value = raw.map_or_else(|| Ok(T::default()), |raw| parse(key, raw))?;
    change(&mut value);
    Ok((encode(key, &value)?, value))
}

/// An update as an operation that replays.
pub(crate) fn update_op<T>(
    key: &str,
    value: Vec<u8>,
    change: impl Fn(&mut T) + Send + Sync + 'static,
) -> Op
where
    T: Default + Serialize + DeserializeOwned,
{
    let key = key.to_owned();
    let step = move |raw: Option<&[u8]>| Ok(Some(updated(&key, raw, &change)?.0));
    Op::Update {
        steps: vec![Arc::new(step)],
        value: Some(value),
    }
}

fn parse<T: DeserializeOwned>(key: &str, raw: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(raw).map_err(|error| Error::decode::<T>(key, raw, &error))
}

fn encode(key: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::encode(key, error))
}

/// What `Value` cannot hold (more than 128 levels, a number beyond `f64`) is given as its JSON text.
fn to_value(raw: &[u8]) -> Value {
    serde_json::from_slice(raw).unwrap_or_else(|_| String::from_utf8_lossy(raw).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Body, Version},
        time::Timestamp,
    };

    fn record(json: &str) -> Record {
        let now = Timestamp::from_millis(0);
        let body = Body {
            created_at: now,
            authenticated_at: None,
            deadline: now,
            remember: None,
            user: None,
            tombstone: false,
            data: Data::from_json(json).unwrap(),
        };
        Record::new(Version::FIRST, now, body)
    }

    fn draft(json: &str) -> Draft {
        Draft::new(Some(record(json)), 100)
    }

    fn push(draft: &mut Draft, key: &str, item: u32) {
        let change = move |list: &mut Vec<u32>| list.push(item);
        let (raw, _) = updated(key, draft.raw(key), change).unwrap();
        draft.record(key, update_op(key, raw, change)).unwrap();
    }

    #[test]
    fn the_view_is_the_base_with_the_operations_done() {
        let mut draft = draft(r#"{"b":1,"d":2,"f":3}"#);
        draft.set("a", &0).unwrap();
        draft.set("d", &"two").unwrap();
        draft.set("g", &None::<u8>).unwrap();
        assert!(draft.delete("f") && !draft.delete("x"));
        assert_eq!(
            draft.seal().to_json(),
            r#"{"a":0,"b":1,"d":"two","g":null}"#
        );
        assert_eq!(draft.keys(), ["a", "b", "d", "g"]);
        assert_eq!(draft.bytes, draft.seal().bytes());
        assert!(draft.contains_key("g") && draft.get_value("g") == Some(Value::Null));
    }

    #[test]
    fn what_changes_nothing_leaves_no_trace() {
        let mut draft = draft(r#"{"a":1}"#);
        draft.set("a", &1).unwrap();
        draft.delete("b");
        assert!(draft.ops.is_empty());
        draft.set("a", &2).unwrap();
        assert!(draft.is_changed());
        draft.set("a", &1).unwrap();
        assert!(!draft.is_changed(), "set, then restored");
    }

    #[test]
    fn rebase_replays_on_the_newer_record() {
        let mut draft = draft(r#"{"cart":[1],"x":1,"y":1}"#);
        push(&mut draft, "cart", 2);
        draft.set("x", &5).unwrap();
        draft.delete("y");
        draft
            .rebase(Some(record(r#"{"cart":[1,9],"x":3,"y":4,"z":6}"#)))
            .unwrap();
        assert_eq!(draft.seal().to_json(), r#"{"cart":[1,9,2],"x":5,"z":6}"#);
        assert_eq!(draft.bytes, draft.seal().bytes());
        draft.rebase(None).unwrap();
        assert_eq!(draft.seal().to_json(), r#"{"cart":[2],"x":5}"#);
    }

    #[test]
    fn rebase_refuses_a_value_of_another_type_and_too_much_data() {
        let mut wrong = draft("{}");
        push(&mut wrong, "cart", 2);
        assert!(
            wrong
                .rebase(Some(record(r#"{"cart":"text"}"#)))
                .unwrap_err()
                .is_decode()
        );
        let mut large = draft("{}");
        large.set("a", &"x".repeat(50)).unwrap();
        let grown = record(&format!(r#"{{"b":"{}"}}"#, "y".repeat(60)));
        assert!(large.rebase(Some(grown)).unwrap_err().is_too_large());
    }

    #[test]
    fn settle_keeps_what_came_after_the_commit() {
        let mut draft = draft(r#"{"cart":[1]}"#);
        push(&mut draft, "cart", 2);
        draft.set("saved", &1).unwrap();
        let committed = draft.clone();
        push(&mut draft, "cart", 3);
        draft.set("late", &1).unwrap();
        draft
            .settle(&committed.ops, Some(record(r#"{"cart":[1,2],"saved":1}"#)))
            .unwrap();
        assert_eq!(
            draft.seal().to_json(),
            r#"{"cart":[1,2,3],"late":1,"saved":1}"#
        );
        let all = draft.clone();
        draft
            .settle(
                &all.ops,
                Some(record(r#"{"cart":[1,2,3],"late":1,"saved":1}"#)),
            )
            .unwrap();
        assert!(draft.ops.is_empty());
    }

    #[test]
    fn too_much_is_refused_at_once_and_changes_nothing() {
        let mut draft = draft(r#"{"a":"123"}"#);
        let error = draft.set("b", &"x".repeat(100)).unwrap_err();
        assert!(
            error.is_too_large() && error.to_string().contains("`b`"),
            "{error}"
        );
        draft.set("b", &"x".repeat(100 - 6 - 3)).unwrap();
        assert_eq!(draft.bytes, 100);
        let members = Map::from_iter([
            ("a".to_owned(), Value::Null),
            ("c".to_owned(), "long".into()),
        ]);
        assert!(
            draft
                .extend(&super::members(&members).unwrap())
                .unwrap_err()
                .is_too_large()
        );
        assert_eq!(
            draft.get::<String>("a").unwrap().as_deref(),
            Some("123"),
            "none or all"
        );
        draft.set("b", &"").unwrap();
        draft.extend(&super::members(&members).unwrap()).unwrap();
        assert_eq!(draft.keys(), ["a", "b", "c"]);
    }

    #[test]
    fn a_value_that_does_not_read_is_not_taken() {
        let mut draft = draft(r#"{"a":"text"}"#);
        assert!(draft.take::<u32>("a").unwrap_err().is_decode());
        assert_eq!(draft.take::<String>("a").unwrap().as_deref(), Some("text"));
        assert_eq!(draft.take::<String>("a").unwrap(), None);
    }

    #[test]
    fn only_an_object_extends() {
        assert!(members(&[1, 2]).unwrap_err().is_encode());
        assert!(members(&"text").is_err());
        assert_eq!(members(&Map::new()).unwrap().len(), 0);
    }

    #[test]
    fn what_a_value_cannot_hold_is_given_as_text() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let draft = Draft::new(
            Some(record(&format!(r#"{{"big":1e400,"deep":{deep}}}"#))),
            1000,
        );
        assert_eq!(draft.get_value("big"), Some("1e400".into()));
        assert_eq!(draft.get_value("deep"), Some(deep.into()));
    }
}
