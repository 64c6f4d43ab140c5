use super::{Loading, NearCache};
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
    loading: Option<Loading<'a>>,
    is_answered: bool,
    since: Timestamp,
}

impl<'a> Asking<'a> {
    pub(crate) fn begin(cache: &'a NearCache, call: Call<'a>, now: Timestamp) -> Self {
        let loading = match call {
            Call::Load(handle) | Call::Verify(handle) => Some(cache.begin_load(handle)),
            _ => None,
        };
        Self {
            cache,
            call,
            loading,
            is_answered: false,
            since: now,
        }
    }

    pub(crate) fn answered(mut self, answer: &Result<Answer, Error>) {
        let Self { cache, since, .. } = self;
        self.is_answered = true;
        match (self.call, answer) {
            (_, Ok(Answer::Loaded(record))) => {
                if let Some(loading) = self.loading.take() {
                    loading.keep(record.as_ref(), since);
                }
            }
            (Call::Create(handle, record), Ok(Answer::Created(Created::Created))) => {
                cache.put(handle, record, since);
            }
            (Call::Replace(handle, _, record), Ok(Answer::Replaced(Replaced::Stored(version)))) => {
                cache.put(handle, &record.clone().with_version(*version), since);
            }
            (
                Call::Regenerate {
                    old, new, record, ..
                },
                Ok(Answer::Replaced(Replaced::Stored(version))),
            ) => {
                cache.remove(old);
                cache.put(new, &record.clone().with_version(*version), since);
            }
            (Call::Touch(handle, until), Ok(Answer::Touched(true))) => cache.touch(handle, until),
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
