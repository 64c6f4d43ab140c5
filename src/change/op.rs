use std::{fmt, sync::Arc};

use crate::error::Error;

/// What a request did to one key: the entry of its operation log.
///
/// Operations on different keys commute, and an operation that sets or removes makes the ones before
/// it on that key void. So the log needs no order: it keeps one composed operation a key.
#[derive(Clone)]
pub(crate) enum Op {
    /// The key holds this raw JSON, whatever it held before.
    Put(Vec<u8>),
    /// The key is gone, whatever it held before.
    Remove,
    /// The key holds what the steps make of the value before; `value` is what they made of the snapshot.
    Update {
        steps: Vec<Update>,
        value: Option<Vec<u8>>,
    },
}

/// One `update`: from the raw value before, if any, to the raw value after, if any. It may run many times.
#[derive(Clone)]
pub(crate) struct Update(Arc<UpdateFn>);

type UpdateFn = dyn Fn(Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> + Send + Sync;

impl Update {
    pub(crate) fn new(
        step: impl Fn(Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(step))
    }
}

/// The operation log of a request, sorted by key. Most hold one entry or two: a search beats a tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ops(Vec<(Box<str>, Op)>);

impl Ops {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Op> {
        self.at(self.find(key))
    }

    /// Where the entry of a key is, or where it would have to be.
    pub(crate) fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(key))
    }

    pub(crate) fn at(&self, place: Result<usize, usize>) -> Option<&Op> {
        let (_, op) = &self.0[place.ok()?];
        Some(op)
    }

    /// Applies an operation after the one that is there, at the [place](Self::find) of its key, and keeps what the two
    /// come to if that is `worth` it. Closures that are no longer needed go to `discarded`: they are the application's,
    /// and may not be dropped under a lock.
    pub(crate) fn add(
        &mut self,
        place: Result<usize, usize>,
        key: &str,
        op: Op,
        worth: impl Fn(&Op) -> bool,
        discarded: &mut Vec<Op>,
    ) {
        match place {
            Err(place) if worth(&op) => self.0.insert(place, (key.into(), op)),
            Err(_) => discarded.extend(op.into_update()),
            Ok(place) => {
                let (key, earlier) = self.0.remove(place);
                let op = earlier.then(op, discarded);
                if worth(&op) {
                    self.0.insert(place, (key, op));
                } else {
                    discarded.extend(op.into_update());
                }
            }
        }
    }

    /// These, then `late`.
    pub(crate) fn then(mut self, late: Self) -> Self {
        let mut discarded = Vec::new();
        for (key, op) in late.0 {
            self.add(self.find(&key), &key, op, |_| true, &mut discarded);
        }
        self
    }

    pub(crate) fn into_updates(self) -> impl Iterator<Item = Op> {
        self.0.into_iter().filter_map(|(_, op)| op.into_update())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Op)> + Clone {
        self.0.iter().map(|(key, op)| (&**key, op))
    }
}

impl IntoIterator for Ops {
    type Item = (Box<str>, Op);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Op {
    /// Itself, if it has closures of the application's.
    pub(super) fn into_update(self) -> Option<Self> {
        matches!(self, Self::Update { .. }).then_some(self)
    }

    /// What the key holds after it, as seen by the request that did it.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Put(value) => Some(value),
            Self::Remove => None,
            Self::Update { value, .. } => value.as_deref(),
        }
    }

    /// This operation, then `next`, as one.
    fn then(self, next: Self, discarded: &mut Vec<Self>) -> Self {
        match (self, next) {
            (Self::Update { mut steps, .. }, Self::Update { steps: more, value }) => {
                steps.extend(more);
                Self::Update { steps, value }
            }
            // What was set or removed before does not depend on the record, so neither does the result.
            (Self::Put(_) | Self::Remove, Self::Update { steps, value }) => {
                discarded.push(Self::Update { steps, value: None });
                value.map_or(Self::Remove, Self::Put)
            }
            (earlier, next) => {
                discarded.extend(earlier.into_update());
                next
            }
        }
    }

    /// Applies the operation to another record's value.
    pub(crate) fn replay(&mut self, before: Option<&[u8]>) -> Result<(), Error> {
        if let Self::Update { steps, value } = self {
            let mut after = before.map(<[u8]>::to_vec);
            for Update(step) in &*steps {
                after = step(after.as_deref())?;
            }
            *value = after;
        }
        Ok(())
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put(_) => "Put",
            Self::Remove => "Remove",
            Self::Update { .. } => "Update",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(text: &'static str, before: &str) -> Op {
        let step =
            Update::new(move |raw| Ok(Some([raw.unwrap_or_default(), text.as_bytes()].concat())));
        Op::Update {
            value: Some([before, text].concat().into_bytes()),
            steps: vec![step],
        }
    }

    fn put(text: &str) -> Op {
        Op::Put(text.as_bytes().to_vec())
    }

    #[test]
    fn updates_add_up_and_replay_on_another_value() {
        let mut both = append("b", "a").then(append("c", "ab"), &mut Vec::new());
        assert_eq!(both.value(), Some(b"abc".as_slice()));
        both.replay(Some(b"X")).unwrap();
        assert_eq!(both.value(), Some(b"Xbc".as_slice()));
        both.replay(None).unwrap();
        assert_eq!(both.value(), Some(b"bc".as_slice()));
    }

    #[test]
    fn an_update_of_what_was_set_no_longer_depends_on_the_record() {
        for first in [put("a"), Op::Remove] {
            let mut discarded = Vec::new();
            let mut op = first.then(append("b", "a"), &mut discarded);
            assert_eq!(discarded.len(), 1, "its closure is no longer needed");
            op.replay(Some(b"X")).unwrap();
            assert_eq!(op.value(), Some(b"ab".as_slice()));
        }
    }

    #[test]
    fn the_last_of_set_and_delete_counts() {
        let mut discarded = Vec::new();
        let last = append("b", "a").then(put("c"), &mut discarded);
        assert_eq!(last.value(), Some(b"c".as_slice()));
        assert_eq!(discarded.len(), 1);
        assert_eq!(put("c").then(Op::Remove, &mut discarded).value(), None);
    }
}
