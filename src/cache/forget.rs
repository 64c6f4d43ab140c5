use super::NearCache;
use crate::id::Handle;

/// Has the cache forget sessions when a call that ends them is answered, or is dropped.
pub(crate) struct Forget<'a> {
    cache: &'a NearCache,
    which: Which<'a>,
}

enum Which<'a> {
    One(Handle),
    OfUser(&'a str),
}

impl NearCache {
    pub(crate) fn forget(&self, handle: Handle) -> Forget<'_> {
        Forget {
            cache: self,
            which: Which::One(handle),
        }
    }

    pub(crate) fn forget_user<'a>(&'a self, user: &'a str) -> Forget<'a> {
        Forget {
            cache: self,
            which: Which::OfUser(user),
        }
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        match self.which {
            Which::One(handle) => self.cache.remove(handle),
            Which::OfUser(user) => self.cache.remove_user(user),
        }
    }
}
