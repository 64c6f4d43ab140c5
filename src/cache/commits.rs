use super::{Fill, NearCache};
use crate::{
    commit::{Answer, Call},
    error::Error,
    store::{Created, Replaced},
    time::Timestamp,
};

/// A call of a commit under way. What it does to its sessions is noted with the answer. Without one, because the future was
/// dropped, nothing is known of them any more.
pub(crate) struct Asking<'a> {
    cache: &'a NearCache,
    call: Call<'a>,
    fill: Option<Fill<'a>>,
    is_answered: bool,
    since: Timestamp,
}

impl<'a> Asking<'a> {
    pub(crate) fn begin(cache: &'a NearCache, call: Call<'a>, now: Timestamp) -> Self {
        let fills = match call {
            Call::Load(handle)
            | Call::Verify(handle)
            | Call::Create(handle, _)
            | Call::Replace(handle, ..)
            | Call::Regenerate { new: handle, .. } => Some(handle),
            Call::Touch(..) | Call::Delete(_) => None,
        };
        Self {
            cache,
            call,
            fill: fills.map(|handle| cache.begin_fill(handle)),
            is_answered: false,
            since: now,
        }
    }

    pub(crate) fn answered(mut self, answer: &Result<Answer, Error>) {
        let Self { cache, since, .. } = self;
        self.is_answered = true;
        let fill = self.fill.take();
        match (self.call, answer, fill) {
            (_, Ok(Answer::Loaded(record)), Some(fill)) => fill.keep(record.as_ref(), since),
            (Call::Create(_, record), Ok(Answer::Created(Created::Created)), Some(fill)) => {
                fill.keep(Some(record), since);
            }
            (
                Call::Replace(_, _, record),
                Ok(Answer::Replaced(Replaced::Stored(version))),
                Some(fill),
            ) => fill.keep_stored(record, *version, since),
            (
                Call::Regenerate { old, record, .. },
                Ok(Answer::Replaced(Replaced::Stored(version))),
                Some(fill),
            ) => {
                cache.remove(old);
                fill.keep_stored(record, *version, since);
            }
            (Call::Touch(handle, until), Ok(Answer::Touched(true)), _) => {
                cache.touch(handle, until);
            }
            _ => self.is_answered = false,
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let (handle, other) = match self.call {
            Call::Load(_) | Call::Verify(_) => return,
            Call::Create(handle, _)
            | Call::Replace(handle, ..)
            | Call::Touch(handle, _)
            | Call::Delete(handle) => (handle, None),
            Call::Regenerate { old, new, .. } => (old, Some(new)),
        };
        self.cache.remove(handle);
        other.inspect(|other| self.cache.remove(*other));
    }
}
