use std::mem;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    data::Data,
    error::Error,
    op::{Op, Ops, Update},
};

/// What a request did to its session's values: operations, and what the view that they make of a record comes to.
///
/// The record is kept by whoever keeps these, and handed in. Nothing that no operation touches is copied or encoded
/// before [`seal`](Self::seal).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changes {
    ops: Ops,
    under_way: Option<Box<UnderWay>>,
    /// How many keys the view has.
    len: usize,
    /// Keys and values of the view, in bytes.
    bytes: usize,
    max_bytes: usize,
}

/// A commit of which the outcome is not known yet.
#[derive(Debug, Clone, Default, PartialEq)]
struct UnderWay {
    /// What is being committed. Later operations on the same keys are kept even if they change nothing: it is not known
    /// what they are done on.
    held: Ops,
    /// All operations are kept so.
    keeps_all: bool,
}

impl Changes {
    /// None yet, to this data.
    pub(crate) fn new(base: Option<&Data>, max_bytes: usize) -> Self {
        Self {
            ops: Ops::default(),
            under_way: None,
            len: base.map_or(0, Data::len),
            bytes: base.map_or(0, Data::bytes),
            max_bytes,
        }
    }

    /// Begins with this data, where there are none yet.
    #[inline]
    pub(crate) fn begin(&mut self, base: &Data) {
        debug_assert!(self.ops.is_empty() && !self.is_under_way());
        self.len = base.len();
        self.bytes = base.bytes();
    }

    /// Gives them up, and begins anew with this data.
    pub(crate) fn reset(&mut self, base: Option<&Data>) {
        *self = Self::new(base, self.max_bytes);
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Whether sealing would give the data that the base has.
    #[inline]
    pub(crate) fn is_empty<'a>(&self, base: impl FnOnce() -> Option<&'a Data>) -> bool {
        let Some(under_way) = &self.under_way else {
            return self.ops.is_empty();
        };
        let base = base();
        let mut ops = under_way.held.iter().chain(self.ops.iter());
        ops.all(|(key, op)| op.value() == base.and_then(|base| base.get(key)))
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// A copy of these is about to be committed. What comes from now on is kept apart from them, until
    /// [`release`](Self::release) or [`settle`](Self::settle).
    pub(crate) fn hold(&mut self) {
        let under_way = self.under_way.get_or_insert_default();
        under_way.held = mem::take(&mut self.ops);
    }

    /// From now on all operations are kept, for there may be other data to do them on.
    pub(crate) fn keep_all(&mut self) {
        self.under_way.get_or_insert_default().keeps_all = true;
    }

    /// The commit came to nothing, or there is none: this is the data.
    pub(crate) fn release(&mut self, base: Option<&Data>) {
        if let Some(under_way) = self.under_way.take() {
            let late = mem::take(&mut self.ops);
            let before = |key: &str| base?.get(key);
            self.ops = under_way
                .held
                .then(late, |key, op| op.value() != before(key));
        }
    }

    /// What was held is in this data. Does what came later on it.
    pub(crate) fn settle(&mut self, base: Option<&Data>) -> Result<(), Error> {
        self.under_way = None;
        self.rebase(base)
    }

    /// Data of the base with the operations done.
    pub(crate) fn seal(&self, base: Option<&Data>) -> Data {
        let all = match &self.under_way {
            Some(before) => &before.held.clone().then(self.ops.clone(), |_, _| true),
            None => &self.ops,
        };
        let edits = all.iter().map(|(key, op)| (key, op.value()));
        match base {
            Some(base) => base.edited(edits, self.len, self.bytes),
            None => Data::default().edited(edits, self.len, self.bytes),
        }
    }

    /// Does the operations again on other data, as if that had been loaded first.
    ///
    /// # Errors
    /// If an `update` no longer reads its value, or the data has become too large. Then nothing is changed.
    pub(crate) fn rebase(&mut self, base: Option<&Data>) -> Result<(), Error> {
        let mut rebased = Self::new(base, self.max_bytes);
        rebased.under_way.clone_from(&self.under_way);
        let mut draft = Draft::new(base, &mut rebased);
        let mut ops = Vec::new();
        for (key, op) in self.ops.iter() {
            let mut op = op.clone();
            op.replay(draft.below(key))?;
            ops.push((key, op));
        }
        draft.record_all(ops)?;
        *self = rebased;
        Ok(())
    }
}

/// A session's values as one request sees and changes them: data, and the changes made to it since.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    base: Option<&'a Data>,
    changes: &'a mut Changes,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(base: Option<&'a Data>, changes: &'a mut Changes) -> Self {
        Self { base, changes }
    }

    /// The one door for changes; answers whether it is one. An operation that changes nothing leaves no trace, nor do
    /// several that together change nothing, unless a commit [is under way](Changes::hold).
    pub(crate) fn record(&mut self, key: &str, op: Op) -> Result<bool, Error> {
        let base = self.base.and_then(|base| base.get(key));
        let changes = &mut *self.changes;
        let under_way = changes.under_way.as_deref();
        let held = under_way.and_then(|under_way| under_way.held.get(key));
        let place = changes.ops.find(key);
        let before = changes.ops.at(place).or(held).map_or(base, Op::value);
        let after = op.value();
        let (differs, keeps) = (
            before != after,
            held.is_some() || under_way.is_some_and(|under_way| under_way.keeps_all),
        );
        if !differs && !keeps {
            return Ok(false);
        }
        let size = |value: Option<&[u8]>| value.map_or(0, |value| key.len() + value.len());
        let bytes = changes.bytes - size(before) + size(after);
        if bytes > changes.max_bytes && bytes > changes.bytes {
            return Err(Error::too_large(key, changes.max_bytes));
        }
        changes.bytes = bytes;
        changes.len = changes.len - usize::from(before.is_some()) + usize::from(after.is_some());
        changes
            .ops
            .add(place, key, op, |op| keeps || op.value() != base);
        Ok(differs)
    }

    /// Records operations of which only the outcome has to fit: in which order they took room and made it is not known
    /// any more. After an error the draft is of no use.
    fn record_all<'o>(
        &mut self,
        ops: impl IntoIterator<Item = (&'o str, Op)>,
    ) -> Result<(), Error> {
        let (before, limit) = (self.changes.bytes, self.changes.max_bytes);
        let (mut largest, mut size) = ("", 0);
        self.changes.max_bytes = usize::MAX;
        for (key, op) in ops {
            let bytes = op.value().map_or(0, <[u8]>::len);
            if bytes >= size {
                (largest, size) = (key, bytes);
            }
            self.record(key, op)?;
        }
        self.changes.max_bytes = limit;
        if self.changes.bytes > limit && self.changes.bytes > before {
            return Err(Error::too_large(largest, limit));
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn raw(&self, key: &str) -> Option<&[u8]> {
        match self.changes.ops.get(key) {
            Some(op) => op.value(),
            None => self.below(key),
        }
    }

    /// What the key holds without the operations that are not held.
    fn below(&self, key: &str) -> Option<&[u8]> {
        let under_way = self.changes.under_way.as_ref();
        match under_way.and_then(|under_way| under_way.held.get(key)) {
            Some(op) => op.value(),
            None => self.base?.get(key),
        }
    }

    fn seal(&self) -> Data {
        self.changes.seal(self.base)
    }
}

/// What users do with a session's values, typed. Reads of [`WizSession`](crate::WizSession) and [`Transaction`](crate::Transaction)
/// both end here.
impl Draft<'_> {
    #[inline]
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
        self.changes.len
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
        let mut extended = self.changes.clone();
        let mut draft = Draft::new(self.base, &mut extended);
        let puts = members
            .iter()
            .map(|(key, raw)| (key, Op::Put(raw.to_vec())));
        draft.record_all(puts)?;
        *self.changes = extended;
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
        steps: vec![Update::new(step)],
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

    struct Session {
        base: Option<Data>,
        changes: Changes,
    }

    impl Session {
        fn new(json: &str, max_bytes: usize) -> Self {
            let base = Some(data(json));
            Self {
                changes: Changes::new(base.as_ref(), max_bytes),
                base,
            }
        }

        fn draft(&mut self) -> Draft<'_> {
            Draft::new(self.base.as_ref(), &mut self.changes)
        }

        fn rebase(&mut self, base: Option<Data>) -> Result<(), Error> {
            self.changes.rebase(base.as_ref())?;
            self.base = base;
            Ok(())
        }

        fn settle(&mut self, json: &str) {
            self.base = Some(data(json));
            self.changes.settle(self.base.as_ref()).unwrap();
        }

        fn release(&mut self) {
            self.changes.release(self.base.as_ref());
        }

        /// Its view as JSON, which has as many bytes as it says.
        fn json(&self) -> String {
            let sealed = self.changes.seal(self.base.as_ref());
            assert_eq!(self.changes.bytes, sealed.bytes());
            sealed.to_json()
        }
    }

    fn data(json: &str) -> Data {
        Data::from_json(json).unwrap()
    }

    fn session(json: &str) -> Session {
        Session::new(json, 100)
    }

    fn push(session: &mut Session, key: &str, item: u32) {
        let change = move |list: &mut Vec<u32>| list.push(item);
        let mut draft = session.draft();
        let (raw, _) = updated(key, draft.raw(key), change).unwrap();
        draft.record(key, update_op(key, raw, change)).unwrap();
    }

    #[test]
    fn the_view_is_the_base_with_the_operations_done() {
        let mut session = session(r#"{"b":1,"d":2,"f":3}"#);
        let mut draft = session.draft();
        draft.set("a", &0).unwrap();
        draft.set("d", &"two").unwrap();
        draft.set("g", &None::<u8>).unwrap();
        assert!(draft.delete("f") && !draft.delete("x"));
        assert_eq!(draft.keys(), ["a", "b", "d", "g"]);
        assert!(draft.contains_key("g") && draft.get_value("g") == Some(Value::Null));
        assert_eq!(session.json(), r#"{"a":0,"b":1,"d":"two","g":null}"#);
    }

    #[test]
    fn what_changes_nothing_leaves_no_trace() {
        let mut session = session(r#"{"a":1}"#);
        session.draft().set("a", &1).unwrap();
        session.draft().delete("b");
        assert!(session.changes.is_empty(|| session.base.as_ref()));
        session.draft().set("a", &2).unwrap();
        assert!(!session.changes.is_empty(|| session.base.as_ref()));
        session.draft().set("a", &1).unwrap();
        assert!(
            session.changes.is_empty(|| session.base.as_ref()),
            "set, then restored"
        );
    }

    #[test]
    fn rebase_replays_on_the_newer_record() {
        let mut session = session(r#"{"cart":[1],"x":1,"y":1}"#);
        push(&mut session, "cart", 2);
        session.draft().set("x", &5).unwrap();
        session.draft().delete("y");
        let newer = data(r#"{"cart":[1,9],"x":3,"y":4,"z":6}"#);
        session.rebase(Some(newer)).unwrap();
        assert_eq!(session.json(), r#"{"cart":[1,9,2],"x":5,"z":6}"#);
        session.rebase(None).unwrap();
        assert_eq!(session.json(), r#"{"cart":[2],"x":5}"#);
    }

    #[test]
    fn rebase_refuses_a_value_of_another_type_and_too_much_data() {
        let mut wrong = session("{}");
        push(&mut wrong, "cart", 2);
        let refused = wrong.rebase(Some(data(r#"{"cart":"text"}"#)));
        assert!(refused.unwrap_err().is_decode());
        assert_eq!(wrong.json(), r#"{"cart":[2]}"#);
        let mut large = session("{}");
        large.draft().set("a", &"x".repeat(50)).unwrap();
        let grown = data(&format!(r#"{{"b":"{}"}}"#, "y".repeat(60)));
        assert!(large.rebase(Some(grown)).unwrap_err().is_too_large());
    }

    #[test]
    fn what_changes_nothing_is_kept_for_other_data() {
        let mut session = session(r#"{"a":1}"#);
        session.draft().set("a", &5).unwrap();
        session.changes.keep_all();
        session.rebase(Some(data(r#"{"a":5}"#))).unwrap();
        session.rebase(Some(data(r#"{"a":7,"b":9}"#))).unwrap();
        assert_eq!(session.json(), r#"{"a":5,"b":9}"#);
    }

    #[test]
    fn what_undoes_what_is_being_committed_is_kept_until_it_came_to_nothing() {
        let mut undone = session(r#"{"a":1}"#);
        undone.draft().set("b", &2).unwrap();
        push(&mut undone, "cart", 3);
        undone.changes.hold();
        assert!(undone.draft().delete("b") && !undone.draft().delete("c"));
        undone.draft().set("cart", &[4]).unwrap();
        push(&mut undone, "cart", 5);
        assert_eq!(undone.json(), r#"{"a":1,"cart":[4,5]}"#);
        let mut failed = Session {
            base: undone.base.clone(),
            changes: undone.changes.clone(),
        };
        undone.settle(r#"{"a":1,"b":2,"cart":[3]}"#);
        assert_eq!(undone.json(), r#"{"a":1,"cart":[4,5]}"#);
        failed.release();
        assert_eq!(failed.json(), r#"{"a":1,"cart":[4,5]}"#);
        assert_eq!(failed.changes.ops.iter().count(), 1, "`b` is as it was");
    }

    #[test]
    fn settle_keeps_what_came_after_the_commit() {
        let mut session = session(r#"{"cart":[1]}"#);
        push(&mut session, "cart", 2);
        session.draft().set("saved", &1).unwrap();
        session.changes.hold();
        push(&mut session, "cart", 3);
        session.draft().set("late", &1).unwrap();
        assert_eq!(session.json(), r#"{"cart":[1,2,3],"late":1,"saved":1}"#);
        session.settle(r#"{"cart":[1,2],"saved":1}"#);
        assert_eq!(session.json(), r#"{"cart":[1,2,3],"late":1,"saved":1}"#);
        session.changes.hold();
        session.settle(r#"{"cart":[1,2,3],"late":1,"saved":1}"#);
        assert!(session.changes.is_empty(|| session.base.as_ref()));
    }

    #[test]
    fn too_much_is_refused_at_once_and_changes_nothing() {
        let mut session = session(r#"{"a":"123"}"#);
        let mut draft = session.draft();
        let error = draft.set("b", &"x".repeat(100)).unwrap_err();
        assert!(
            error.is_too_large() && error.to_string().contains("`b`"),
            "{error}"
        );
        draft.set("b", &"x".repeat(100 - 6 - 3)).unwrap();
        assert_eq!(draft.changes.bytes, 100);
        let members = Map::from_iter([
            ("a".to_owned(), Value::Null),
            ("c".to_owned(), "long".into()),
        ]);
        let members = super::members(&members).unwrap();
        assert!(draft.extend(&members).unwrap_err().is_too_large());
        let a = draft.get::<String>("a").unwrap();
        assert_eq!(a.as_deref(), Some("123"), "none or all");
        draft.set("b", &"").unwrap();
        draft.extend(&members).unwrap();
        assert_eq!(draft.keys(), ["a", "b", "c"]);
    }

    #[test]
    fn a_value_that_does_not_read_is_not_taken() {
        let mut session = session(r#"{"a":"text"}"#);
        let mut draft = session.draft();
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
        let mut session = Session::new(&format!(r#"{{"big":1e400,"deep":{deep}}}"#), 1000);
        let draft = session.draft();
        assert_eq!(draft.get_value("big"), Some("1e400".into()));
        assert_eq!(draft.get_value("deep"), Some(deep.into()));
    }
}
