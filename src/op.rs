use std::{fmt, sync::Arc};

use crate::error::Error;

/// What a request did to one key: the entry of its operation log.
///
/// Operations on different keys commute, and an operation that sets or removes makes the ones before
/// it on that key void. So the log needs no order: it keeps one composed operation a key.
#[derive(Clone, PartialEq)]
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

/// The same one: of two that do alike nobody can tell.
impl PartialEq for Update {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The operation log of a request, sorted by key. Most hold one entry or two: a search beats a tree.
#[derive(Debug, Clone, Default, PartialEq)]
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

    /// Does an operation after what is there, at the [place](Self::find) of its key, if the two are `worth` keeping.
    pub(crate) fn add(
        &mut self,
        place: Result<usize, usize>,
        key: &str,
        op: Op,
        worth: impl Fn(&Op) -> bool,
    ) {
        match place {
            Err(place) if worth(&op) => self.0.insert(place, (key.into(), op)),
            Err(_) => {}
            Ok(place) => {
                let (key, earlier) = self.0.remove(place);
                let op = earlier.then(op);
                if worth(&op) {
                    self.0.insert(place, (key, op));
                }
            }
        }
    }

    /// These, then `late`, of which only what is `worth` it is kept.
    pub(crate) fn then(mut self, late: Self, worth: impl Fn(&str, &Op) -> bool) -> Self {
        for (key, op) in late.0 {
            self.add(self.find(&key), &key, op, |op| worth(&key, op));
        }
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Op)> + Clone {
        self.0.iter().map(|(key, op)| (&**key, op))
    }
}

impl Op {
    /// What the key holds after it, as seen by the request that did it.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Put(value) => Some(value),
            Self::Remove => None,
            Self::Update { value, .. } => value.as_deref(),
        }
    }

    /// This operation, then `next`, as one.
    pub(crate) fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Update { mut steps, .. }, Self::Update { steps: more, value }) => {
                steps.extend(more);
                Self::Update { steps, value }
            }
            // What was set or removed before does not depend on the record, so neither does the result.
            (Self::Put(_) | Self::Remove, Self::Update { value, .. }) => {
                value.map_or(Self::Remove, Self::Put)
            }
            (_, next) => next,
        }
    }

    /// The same operation on another record's value.
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
        let mut both = append("b", "a").then(append("c", "ab"));
        assert_eq!(both.value(), Some(b"abc".as_slice()));
        both.replay(Some(b"X")).unwrap();
        assert_eq!(both.value(), Some(b"Xbc".as_slice()));
        both.replay(None).unwrap();
        assert_eq!(both.value(), Some(b"bc".as_slice()));
    }

    #[test]
    fn an_update_of_what_was_set_no_longer_depends_on_the_record() {
        for first in [put("a"), Op::Remove] {
            let mut op = first.then(append("b", "a"));
            op.replay(Some(b"X")).unwrap();
            assert_eq!(op.value(), Some(b"ab".as_slice()));
        }
    }

    #[test]
    fn the_last_of_set_and_delete_counts() {
        assert_eq!(
            append("b", "a").then(put("c")).value(),
            Some(b"c".as_slice())
        );
        assert_eq!(put("c").then(Op::Remove).value(), None);
    }
}
