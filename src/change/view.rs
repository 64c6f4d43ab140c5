// Over 250 lines: the view and the operations on it, which have to agree in what they count.

use serde_json::{Map, Value};

use super::{
    data::Data,
    in_flight::Held,
    json::to_value,
    op::{Op, Ops},
};
use crate::error::Error;

/// What a request did to its session's values: operations, and what the view that they make of a record comes to.
///
/// The caller keeps the record, and hands it in. Nothing that no operation touches is copied or encoded
/// before [`to_data`](Self::to_data).
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    pub(super) ops: Ops,
    /// Of the commit whose outcome is not known yet.
    pub(super) held: Option<Box<Held>>,
    /// Operations that change nothing are kept as well: the data they were seen to change nothing of is old, and what
    /// counts is the record at the commit.
    pub(super) keep_redundant: bool,
    /// The operations show what they came to on older data, and have to be replayed before they are committed.
    pub(super) is_stale: bool,
    /// How many keys the view has.
    len: usize,
    /// Keys and values of the view, in bytes.
    bytes: usize,
    max_bytes: usize,
    /// Bytes of the limit that the user's name takes.
    reserved: usize,
    /// Operations with closures of the application's that are no longer needed, to be dropped outside of any lock.
    pub(super) discarded: Vec<Op>,
}

impl Changes {
    /// None yet, to this data.
    pub(crate) fn new(base: Option<&Data>, max_bytes: usize) -> Self {
        Self {
            ops: Ops::default(),
            held: None,
            keep_redundant: false,
            is_stale: false,
            len: base.map_or(0, Data::len),
            bytes: base.map_or(0, Data::bytes),
            max_bytes,
            reserved: 0,
            discarded: Vec::new(),
        }
    }

    /// Gives the pending operations up, and those in flight, and starts again from this data.
    pub(crate) fn reset(&mut self, base: Option<&Data>) {
        let mut fresh = Self::new(base, self.max_bytes);
        fresh.keep_redundant = self.keep_redundant;
        let old = std::mem::replace(self, fresh);
        self.discarded = old.discarded;
        self.discard(Some(old.ops));
        self.discard(old.held.map(|held| held.ops));
    }

    /// Gives the pending operations up. Those in flight stay.
    pub(crate) fn drop_pending(&mut self, base: Option<&Data>) {
        let ops = std::mem::take(&mut self.ops);
        self.discard(Some(ops));
        self.is_stale = false;
        self.measure(base);
    }

    pub(super) fn discard(&mut self, ops: Option<Ops>) {
        let updates = ops.into_iter().flat_map(Ops::into_updates);
        self.discarded.extend(updates);
    }

    /// Counts the keys and bytes of the view anew.
    pub(super) fn measure(&mut self, base: Option<&Data>) {
        let (mut len, mut bytes) = (base.map_or(0, Data::len), base.map_or(0, Data::bytes));
        let held = self.held.iter().flat_map(|held| held.ops.iter());
        let held = held.filter(|(key, _)| self.ops.get(key).is_none());
        for (key, op) in self.ops.iter().chain(held) {
            let size = |value: Option<&[u8]>| value.map_or(0, |value| key.len() + value.len());
            let (before, after) = (base.and_then(|base| base.get(key)), op.value());
            len = len + usize::from(after.is_some()) - usize::from(before.is_some());
            bytes = bytes + size(after) - size(before);
        }
        (self.len, self.bytes) = (len, bytes);
    }

    /// Whether the operations have to be replayed before they are committed.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Closures that may be dropped now that no lock is held.
    pub(crate) fn take_discarded(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.discarded)
    }

    #[inline]
    pub(crate) fn has_discarded(&self) -> bool {
        !self.discarded.is_empty()
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// How much of the limit the user's name takes.
    #[inline]
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.reserved = bytes;
    }

    /// From now on operations that change nothing are kept.
    pub(crate) fn keep_redundant(&mut self) {
        self.keep_redundant = true;
    }

    /// Whether an operation is pending, even one that changes nothing.
    #[inline]
    pub(crate) fn has_pending(&self) -> bool {
        !self.ops.is_empty()
    }

    /// Whether the pending operations change this data.
    #[inline]
    pub(crate) fn differ_from<'a>(&self, base: impl FnOnce() -> Option<&'a Data>) -> bool {
        if self.ops.is_empty() {
            return false;
        }
        if !self.keep_redundant {
            return true;
        }
        let base = base();
        let mut ops = self.ops.iter();
        ops.any(|(key, op)| op.value() != base.and_then(|base| base.get(key)))
    }

    /// The base with all operations applied.
    pub(crate) fn to_data(&self, base: Option<&Data>) -> Data {
        let all = match &self.held {
            Some(held) => &held.ops.clone().then(self.ops.clone()),
            None => &self.ops,
        };
        let edits = all.iter().map(|(key, op)| (key, op.value()));
        match base {
            Some(base) => base.with_edits(edits, self.len, self.bytes),
            None => Data::default().with_edits(edits, self.len, self.bytes),
        }
    }

    /// Replays the operations on other data, as if that had been loaded first.
    ///
    /// # Errors
    /// If an `update` no longer reads its value, or the data has become too large. Then nothing is changed.
    pub(crate) fn rebase(&mut self, base: Option<&Data>) -> Result<(), Error> {
        let mut rebased = Self::new(base, self.max_bytes);
        rebased.held.clone_from(&self.held);
        rebased.keep_redundant = self.keep_redundant;
        rebased.reserved = self.reserved;
        let mut draft = Draft::new(base, &mut rebased);
        let mut ops = Vec::new();
        for (key, op) in self.ops.iter() {
            let mut op = op.clone();
            op.replay(draft.below(key))?;
            ops.push((key, op));
        }
        draft.apply_all(ops)?;
        *self = rebased;
        Ok(())
    }
}

/// A session's values as one request sees and changes them: data, and the changes made to it since.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(super) base: Option<&'a Data>,
    pub(super) changes: &'a mut Changes,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(base: Option<&'a Data>, changes: &'a mut Changes) -> Self {
        Self { base, changes }
    }

    /// Every change goes through here; answers whether it is one. An operation that changes nothing leaves no trace,
    /// nor do several that together change nothing, unless it is not known yet what they will be applied to: a commit
    /// is [in flight](Changes::begin), or the data is old.
    pub(crate) fn apply(&mut self, key: &str, op: Op) -> Result<bool, Error> {
        let base = self.base.and_then(|base| base.get(key));
        let changes = &mut *self.changes;
        let held = changes.held.as_deref();
        let in_flight = held.and_then(|held| held.ops.get(key));
        let place = changes.ops.find(key);
        let before = changes.ops.at(place).or(in_flight).map_or(base, Op::value);
        let after = op.value();
        let differs = before != after;
        let keeps = changes.keep_redundant
            || in_flight.is_some()
            || held.is_some_and(|held| held.keeps_all);
        if !differs && !keeps {
            changes.discarded.extend(op.into_update());
            return Ok(false);
        }
        let size = |value: Option<&[u8]>| value.map_or(0, |value| key.len() + value.len());
        let bytes = changes.bytes - size(before) + size(after);
        if bytes + changes.reserved > changes.max_bytes && bytes > changes.bytes {
            changes.discarded.extend(op.into_update());
            return Err(Error::too_large(key, changes.max_bytes));
        }
        changes.bytes = bytes;
        changes.len = changes.len - usize::from(before.is_some()) + usize::from(after.is_some());
        let worth = |op: &Op| keeps || op.value() != base;
        changes
            .ops
            .add(place, key, op, worth, &mut changes.discarded);
        Ok(differs)
    }

    /// Applies operations of which only the outcome has to fit: in which order they took room and made it is not known
    /// any more. After an error the draft is of no use.
    pub(super) fn apply_all<'o>(
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
            self.apply(key, op)?;
        }
        self.changes.max_bytes = limit;
        let bytes = self.changes.bytes;
        if bytes + self.changes.reserved > limit && bytes > before {
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

    /// The operation that decides what a key holds, if there is one.
    #[inline]
    pub(crate) fn op(&self, key: &str) -> Option<&Op> {
        let held = self.changes.held.as_ref();
        let in_flight = || held.and_then(|held| held.ops.get(key));
        self.changes.ops.get(key).or_else(in_flight)
    }

    fn to_data(&self) -> Data {
        self.changes.to_data(self.base)
    }
}

/// What users do with a session's values. Methods of [`WizSession`](crate::WizSession) and
/// [`Transaction`](crate::Transaction) both end here.
impl Draft<'_> {
    pub(crate) fn get_value(&self, key: &str) -> Option<Value> {
        self.raw(key).map(to_value)
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.to_data()
            .iter()
            .map(|(key, _)| key.to_owned())
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.to_data()
            .iter()
            .map(|(key, raw)| (key.to_owned(), to_value(raw)))
            .collect()
    }

    /// Sets all members or, where one does not fit, none.
    pub(crate) fn extend(&mut self, members: &Data) -> Result<(), Error> {
        let mut extended = self.changes.clone();
        let mut draft = Draft::new(self.base, &mut extended);
        let puts = members
            .iter()
            .map(|(key, raw)| (key, Op::Put(raw.to_vec())));
        draft.apply_all(puts)?;
        let mut old = std::mem::replace(self.changes, extended);
        self.changes.discarded.append(&mut old.discarded);
        self.changes.discarded.extend(old.ops.into_updates());
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: &str) -> bool {
        self.apply(key, Op::Remove)
            .expect("removing never exceeds a limit")
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::change::InFlight;
    use crate::change::{decode, members, put_op, update_op, updated};

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

        fn set(&mut self, key: &str, value: &impl Serialize) -> Result<bool, Error> {
            let op = put_op(key, value)?;
            self.draft().apply(key, op)
        }

        fn delete(&mut self, key: &str) -> bool {
            self.draft().delete(key)
        }

        /// Whether there is something to commit.
        fn differs(&self) -> bool {
            self.changes.differ_from(|| self.base.as_ref())
        }

        fn ack(&mut self, in_flight: &InFlight, json: &str) {
            self.base = Some(data(json));
            self.changes.ack(in_flight, self.base.as_ref()).unwrap();
        }

        /// Its view as JSON, which has as many bytes as it says.
        fn json(&self) -> String {
            let sealed = self.changes.to_data(self.base.as_ref());
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
        draft.apply(key, update_op(key, raw, change)).unwrap();
    }

    #[test]
    fn the_view_is_the_base_with_the_operations_done() {
        let mut session = session(r#"{"b":1,"d":2,"f":3}"#);
        session.set("a", &0).unwrap();
        session.set("d", &"two").unwrap();
        session.set("g", &None::<u8>).unwrap();
        let mut draft = session.draft();
        assert!(draft.delete("f") && !draft.delete("x"));
        assert_eq!(draft.keys(), ["a", "b", "d", "g"]);
        assert!(draft.contains_key("g") && draft.get_value("g") == Some(Value::Null));
        assert_eq!(session.json(), r#"{"a":0,"b":1,"d":"two","g":null}"#);
    }

    #[test]
    fn what_changes_nothing_leaves_no_trace() {
        let mut session = session(r#"{"a":1}"#);
        session.set("a", &1).unwrap();
        session.delete("b");
        assert!(!session.differs());
        session.set("a", &2).unwrap();
        assert!(session.differs());
        session.set("a", &1).unwrap();
        assert!(!session.differs(), "set, then restored");
    }

    #[test]
    fn rebase_replays_on_the_newer_record() {
        let mut session = session(r#"{"cart":[1],"x":1,"y":1}"#);
        push(&mut session, "cart", 2);
        session.set("x", &5).unwrap();
        session.delete("y");
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
        large.set("a", &"x".repeat(50)).unwrap();
        let grown = data(&format!(r#"{{"b":"{}"}}"#, "y".repeat(60)));
        assert!(large.rebase(Some(grown)).unwrap_err().is_too_large());
    }

    #[test]
    fn what_changes_nothing_is_kept_for_other_data() {
        let mut session = session(r#"{"a":1}"#);
        session.set("a", &5).unwrap();
        session.changes.keep_redundant();
        session.rebase(Some(data(r#"{"a":5}"#))).unwrap();
        session.rebase(Some(data(r#"{"a":7,"b":9}"#))).unwrap();
        assert_eq!(session.json(), r#"{"a":5,"b":9}"#);
    }

    #[test]
    fn what_undoes_what_is_being_committed_is_kept_until_it_came_to_nothing() {
        let mut undone = session(r#"{"a":1}"#);
        undone.set("b", &2).unwrap();
        push(&mut undone, "cart", 3);
        let in_flight = undone.changes.begin();
        assert!(undone.delete("b") && !undone.delete("c"));
        undone.set("cart", &[4]).unwrap();
        push(&mut undone, "cart", 5);
        assert_eq!(undone.json(), r#"{"a":1,"cart":[4,5]}"#);
        let mut failed = Session {
            base: undone.base.clone(),
            changes: undone.changes.clone(),
        };
        undone.ack(&in_flight, r#"{"a":1,"b":2,"cart":[3]}"#);
        assert_eq!(undone.json(), r#"{"a":1,"cart":[4,5]}"#);
        failed.changes.abort(&in_flight, failed.base.as_ref());
        assert_eq!(failed.json(), r#"{"a":1,"cart":[4,5]}"#);
        assert_eq!(failed.changes.ops.iter().count(), 1, "`b` is as it was");
    }

    #[test]
    fn settle_keeps_what_came_after_the_commit() {
        let mut session = session(r#"{"cart":[1]}"#);
        push(&mut session, "cart", 2);
        session.set("saved", &1).unwrap();
        let in_flight = session.changes.begin();
        push(&mut session, "cart", 3);
        session.set("late", &1).unwrap();
        assert_eq!(session.json(), r#"{"cart":[1,2,3],"late":1,"saved":1}"#);
        session.ack(&in_flight, r#"{"cart":[1,2],"saved":1}"#);
        assert_eq!(session.json(), r#"{"cart":[1,2,3],"late":1,"saved":1}"#);
        let in_flight = session.changes.begin();
        session.ack(&in_flight, r#"{"cart":[1,2,3],"late":1,"saved":1}"#);
        assert!(!session.differs());
    }

    #[test]
    fn too_much_is_refused_at_once_and_changes_nothing() {
        let mut session = session(r#"{"a":"123"}"#);
        let error = session.set("b", &"x".repeat(100)).unwrap_err();
        assert!(
            error.is_too_large() && error.to_string().contains("`b`"),
            "{error}"
        );
        session.set("b", &"x".repeat(100 - 6 - 3)).unwrap();
        assert_eq!(session.changes.bytes, 100);
        let values = Map::from_iter([
            ("a".to_owned(), Value::Null),
            ("c".to_owned(), "long".into()),
        ]);
        let values = members(&values).unwrap();
        let refused = session.draft().extend(&values);
        assert!(refused.unwrap_err().is_too_large());
        let a = session.draft().raw("a").map(<[u8]>::to_vec);
        assert_eq!(
            decode::<String>("a", &a.unwrap()).unwrap(),
            "123",
            "none or all"
        );
        session.set("b", &"").unwrap();
        session.draft().extend(&values).unwrap();
        assert_eq!(session.draft().keys(), ["a", "b", "c"]);
    }

    #[test]
    fn the_users_name_counts() {
        let mut session = session("{}");
        session.changes.reserve(60);
        assert!(
            session
                .set("a", &"x".repeat(40))
                .unwrap_err()
                .is_too_large()
        );
        session.set("a", &"x".repeat(37)).unwrap();
    }

    #[test]
    fn what_cannot_be_replayed_now_is_replayed_later() {
        let mut session = session(r#"{"cart":[1]}"#);
        session.set("a", &1).unwrap();
        let in_flight = session.changes.begin();
        push(&mut session, "cart", 3);
        session.base = Some(data(r#"{"a":1,"cart":[1,2]}"#));
        session
            .changes
            .ack_without_replay(&in_flight, session.base.as_ref());
        assert_eq!(session.json(), r#"{"a":1,"cart":[1,3]}"#, "as it was seen");
        assert!(session.changes.is_stale());
        session.rebase(session.base.clone()).unwrap();
        assert_eq!(session.json(), r#"{"a":1,"cart":[1,2,3]}"#);
        assert!(!session.changes.is_stale());
    }

    #[test]
    fn what_is_rolled_back_leaves_what_is_in_flight() {
        let mut session = session(r#"{"a":1,"b":2}"#);
        session.set("a", &10).unwrap();
        session.delete("b");
        let _in_flight = session.changes.begin();
        session.set("a", &100).unwrap();
        session.set("c", &3).unwrap();
        session.changes.drop_pending(session.base.as_ref());
        assert_eq!(session.json(), r#"{"a":10}"#);
    }

    /// Says so when it goes.
    struct Noisy(std::sync::Arc<std::sync::atomic::AtomicBool>);

    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn no_closure_is_dropped_before_it_is_asked_for() {
        type Act = fn(&mut Session);
        let acts: [(&str, Act); 7] = [
            ("set", |session| drop(session.set("n", &7))),
            ("delete", |session| assert!(session.delete("n"))),
            ("reset", |session| session.changes.reset(None)),
            ("roll back", |session| session.changes.drop_pending(None)),
            ("extend", |session| {
                let values = members(&Map::from_iter([("n".to_owned(), 7.into())])).unwrap();
                session.draft().extend(&values).unwrap();
            }),
            ("abort", |session| {
                let in_flight = session.changes.begin();
                session.set("n", &7).unwrap();
                session.changes.abort(&in_flight, session.base.as_ref());
            }),
            ("reset in flight", |session| {
                let _in_flight = session.changes.begin();
                session.changes.reset(None);
            }),
        ];
        for (what, act) in acts {
            let dropped = std::sync::Arc::default();
            let mut session = session(r#"{"n":1}"#);
            let noisy = Noisy(std::sync::Arc::clone(&dropped));
            let change = move |n: &mut u32| {
                let _ = &noisy;
                *n += 1;
            };
            let op = update_op("n", b"2".to_vec(), change);
            session.draft().apply("n", op).unwrap();
            act(&mut session);
            let is_dropped = || dropped.load(std::sync::atomic::Ordering::SeqCst);
            assert!(!is_dropped() && session.changes.has_discarded(), "{what}");
            drop(session.changes.take_discarded());
            assert!(is_dropped(), "{what}");
        }
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
