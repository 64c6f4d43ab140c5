use std::sync::Arc;

use super::session_store::SessionStore;

/// Forwards the methods of [`SessionStore`] to an inner store, inside of an `impl SessionStore` for a type that wraps it.
///
/// All methods, also those that have a default, such as [`regenerate`](SessionStore::regenerate): without this macro a
/// wrapper that leaves it out takes away the inner store's own, which is atomic, and no error says so. After `except`
/// stand the methods that the wrapper has its own version of.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use wiz_session::{Error, Handle, MemoryStore, Record, SessionStore, forward_session_store};
///
/// /// Counts the loads of a store.
/// #[derive(Default)]
/// struct Counting<S> {
///     inner: S,
///     loads: AtomicU64,
/// }
///
/// impl<S: SessionStore> SessionStore for Counting<S> {
///     const IMMEDIATE: bool = S::IMMEDIATE; // as its own `load` does not await anything either
///
///     forward_session_store!(self => self.inner, except [load]);
///
///     async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
///         self.loads.fetch_add(1, Ordering::Relaxed);
///         self.inner.load(handle).await
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # wiz_session::store::conformance::run(Counting::<MemoryStore>::default()).await;
/// # }
/// ```
///
/// [`IMMEDIATE`](SessionStore::IMMEDIATE) is not forwarded, as it depends on what the wrapper's own methods do.
///
/// A method that does not exist is an error:
///
/// ```compile_fail
/// # use wiz_session::{MemoryStore, SessionStore};
/// # struct Wrapper(MemoryStore);
/// impl SessionStore for Wrapper {
///     wiz_session::forward_session_store!(self => self.0, except [read]);
/// }
/// ```
#[macro_export]
macro_rules! forward_session_store {
    ($this:ident => $inner:expr) => {
        $crate::forward_session_store!($this => $inner, except []);
    };
    ($this:ident => $inner:expr, except [$($own:ident),* $(,)?]) => {
        $($crate::forward_session_store!(@exists $own);)*
        $crate::forward_session_store!(@unless use_clock [$($own)*] {
            fn use_clock(&$this, clock: &$crate::Clock) {
                $crate::SessionStore::use_clock(&$inner, clock);
            }
        });
        $crate::forward_session_store!(@unless create [$($own)*] {
            fn create(
                &$this,
                handle: $crate::Handle,
                record: &$crate::Record,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<$crate::store::Created, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::create(&$inner, handle, record)
            }
        });
        $crate::forward_session_store!(@unless load [$($own)*] {
            fn load(
                &$this,
                handle: $crate::Handle,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<
                    ::core::option::Option<$crate::Record>,
                    $crate::Error,
                >,
            > + ::core::marker::Send {
                $crate::SessionStore::load(&$inner, handle)
            }
        });
        $crate::forward_session_store!(@unless replace [$($own)*] {
            fn replace(
                &$this,
                handle: $crate::Handle,
                expected: $crate::Version,
                record: &$crate::Record,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<$crate::store::Replaced, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::replace(&$inner, handle, expected, record)
            }
        });
        $crate::forward_session_store!(@unless touch [$($own)*] {
            fn touch(
                &$this,
                handle: $crate::Handle,
                expires_at: ::std::time::SystemTime,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<bool, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::touch(&$inner, handle, expires_at)
            }
        });
        $crate::forward_session_store!(@unless delete [$($own)*] {
            fn delete(
                &$this,
                handle: $crate::Handle,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<bool, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::delete(&$inner, handle)
            }
        });
        $crate::forward_session_store!(@unless regenerate [$($own)*] {
            fn regenerate(
                &$this,
                old: $crate::Handle,
                expected: $crate::Version,
                tombstone: &$crate::Record,
                new: $crate::Handle,
                record: &$crate::Record,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<$crate::store::Replaced, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::regenerate(&$inner, old, expected, tombstone, new, record)
            }
        });
        $crate::forward_session_store!(@unless delete_expired [$($own)*] {
            fn delete_expired(
                &$this,
                now: ::std::time::SystemTime,
                limit: usize,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<u64, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::delete_expired(&$inner, now, limit)
            }
        });
        $crate::forward_session_store!(@unless list [$($own)*] {
            fn list(
                &$this,
                user: &str,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<
                    ::std::vec::Vec<($crate::Handle, $crate::Record)>,
                    $crate::Error,
                >,
            > + ::core::marker::Send {
                $crate::SessionStore::list(&$inner, user)
            }
        });
        $crate::forward_session_store!(@unless delete_user [$($own)*] {
            fn delete_user(
                &$this,
                user: &str,
                except: ::core::option::Option<$crate::Handle>,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<u64, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::delete_user(&$inner, user, except)
            }
        });
        $crate::forward_session_store!(@unless count [$($own)*] {
            fn count(
                &$this,
                now: ::std::time::SystemTime,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<u64, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::count(&$inner, now)
            }
        });
        $crate::forward_session_store!(@unless scan [$($own)*] {
            fn scan(
                &$this,
                after: ::core::option::Option<&$crate::store::Cursor>,
                limit: usize,
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<$crate::store::Page, $crate::Error>,
            > + ::core::marker::Send {
                $crate::SessionStore::scan(&$inner, after, limit)
            }
        });
        $crate::forward_session_store!(@unless look [$($own)*] {
            fn look(
                &$this,
                handles: &[$crate::Handle],
            ) -> impl ::core::future::Future<
                Output = ::core::result::Result<
                    ::std::vec::Vec<::core::option::Option<$crate::store::Status>>,
                    $crate::Error,
                >,
            > + ::core::marker::Send {
                $crate::SessionStore::look(&$inner, handles)
            }
        });
        $crate::forward_session_store!(@unless push [$($own)*] {
            fn push(
                &$this,
                feed: $crate::store::Feed,
            ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
                $crate::SessionStore::push(&$inner, feed)
            }
        });
    };

    // The method, unless it is in the list.
    (@unless $method:ident [] { $($forward:item)* }) => { $($forward)* };
    (@unless use_clock [use_clock $($more:ident)*] $forward:tt) => {};
    (@unless create [create $($more:ident)*] $forward:tt) => {};
    (@unless load [load $($more:ident)*] $forward:tt) => {};
    (@unless replace [replace $($more:ident)*] $forward:tt) => {};
    (@unless touch [touch $($more:ident)*] $forward:tt) => {};
    (@unless delete [delete $($more:ident)*] $forward:tt) => {};
    (@unless regenerate [regenerate $($more:ident)*] $forward:tt) => {};
    (@unless delete_expired [delete_expired $($more:ident)*] $forward:tt) => {};
    (@unless list [list $($more:ident)*] $forward:tt) => {};
    (@unless delete_user [delete_user $($more:ident)*] $forward:tt) => {};
    (@unless count [count $($more:ident)*] $forward:tt) => {};
    (@unless scan [scan $($more:ident)*] $forward:tt) => {};
    (@unless look [look $($more:ident)*] $forward:tt) => {};
    (@unless push [push $($more:ident)*] $forward:tt) => {};
    (@unless $method:ident [$own:ident $($more:ident)*] $forward:tt) => {
        $crate::forward_session_store!(@unless $method [$($more)*] $forward);
    };

    (@exists use_clock) => {};
    (@exists create) => {};
    (@exists load) => {};
    (@exists replace) => {};
    (@exists touch) => {};
    (@exists delete) => {};
    (@exists regenerate) => {};
    (@exists delete_expired) => {};
    (@exists list) => {};
    (@exists delete_user) => {};
    (@exists count) => {};
    (@exists scan) => {};
    (@exists look) => {};
    (@exists push) => {};
    (@exists $other:ident) => {
        ::core::compile_error!(::core::concat!(
            "a session store has no method `",
            ::core::stringify!($other),
            "`"
        ));
    };
}

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for Arc<S> {
    const IMMEDIATE: bool = S::IMMEDIATE;

    forward_session_store!(self => **self);
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        time::{Duration, SystemTime},
    };

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::{
        BoxStore, Clock, Error, Handle, MemoryStore, Record, Version,
        store::{Ended, Feed, FeedRequest, FeedSink, Replaced, Watching},
    };

    /// Has a regenerate of its own, and notes that it was asked.
    #[derive(Default)]
    struct Atomic {
        sessions: MemoryStore,
        regenerates: AtomicU32,
        clocks: AtomicU32,
        pushes: AtomicU32,
    }

    impl SessionStore for Atomic {
        forward_session_store!(self => self.sessions, except [regenerate, use_clock, push]);

        fn use_clock(&self, clock: &Clock) {
            self.clocks.fetch_add(1, Relaxed);
            self.sessions.use_clock(clock);
        }

        async fn regenerate(
            &self,
            old: Handle,
            expected: Version,
            tombstone: &Record,
            new: Handle,
            record: &Record,
        ) -> Result<Replaced, Error> {
            self.regenerates.fetch_add(1, Relaxed);
            let sessions = &self.sessions;
            sessions
                .regenerate(old, expected, tombstone, new, record)
                .await
        }

        async fn push(&self, _: Feed) {
            self.pushes.fetch_add(1, Relaxed);
        }
    }

    /// Who watches no session.
    struct Nobody;

    impl FeedSink for Nobody {
        fn ended(&self, _: Handle, _: Ended) {}
        fn changed(&self, _: Handle, _: Version) {}
        fn gap(&self) {}
    }

    impl Watching for Nobody {
        fn look(&self, _: Handle) {}

        fn requests(&self) -> UnboundedReceiver<FeedRequest> {
            unbounded_channel().1
        }
    }

    #[derive(Default)]
    struct Counting<S> {
        inner: S,
        loads: AtomicU32,
    }

    impl<S: SessionStore> SessionStore for Counting<S> {
        forward_session_store!(self => self.inner, except [load]);

        async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
            self.loads.fetch_add(1, Relaxed);
            self.inner.load(handle).await
        }
    }

    #[tokio::test]
    async fn a_wrapped_store_keeps_what_it_does_in_its_own_way() {
        let store = Arc::new(Counting::<Atomic>::default());
        let boxed = BoxStore::new(Arc::clone(&store));
        boxed.use_clock(&Clock::system());
        let [old, new] = [1, 2].map(|byte| Handle::from_bytes([byte; 16]));
        let end = SystemTime::now() + Duration::from_secs(60);
        let json = r#"{"v":1,"created_at":1000,"deadline":31000,"data":{}}"#;
        let record = Record::from_json(json, Version::FIRST, end).unwrap();
        boxed.create(old, &record).await.unwrap();
        let moved = boxed.regenerate(old, Version::FIRST, &record, new, &record);
        assert_eq!(moved.await.unwrap(), Replaced::Stored(Version::FIRST));
        assert!(boxed.load(new).await.unwrap().is_some());
        boxed.push(Feed::new(Arc::new(Nobody))).await;
        let Counting { inner, loads } = &*store;
        let counts = [loads, &inner.regenerates, &inner.clocks, &inner.pushes];
        assert_eq!(counts.map(|count| count.load(Relaxed)), [1; 4]);
    }
}
