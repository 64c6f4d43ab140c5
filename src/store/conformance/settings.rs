use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use crate::{id::Handle, time::Clock};

/// The suite with settings, for stores whose engine has limits, or that can be looked at more closely.
///
/// ```
/// use wiz_session::{MemoryStore, store::conformance::Conformance};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// Conformance::new()
///     .max_bytes(300 * 1024) // what fits an item of the engine
///     .run(MemoryStore::new())
///     .await;
/// # }
/// ```
#[derive(Clone)]
pub struct Conformance {
    pub(super) max_bytes: usize,
    pub(super) max_sessions_of_a_user: usize,
    pub(super) answers_within: Duration,
    pub(super) clock: Clock,
    pub(super) engine_expires: bool,
    pub(super) lists_read_all: bool,
    pub(super) damage: Option<Damage>,
}

/// Damages the record under a handle.
type Damage = Arc<dyn Fn(Handle) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl Conformance {
    /// The settings of [`run`](super::run).
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_sessions_of_a_user: 1_001,
            answers_within: Duration::from_secs(10),
            clock: Clock::system(),
            engine_expires: false,
            lists_read_all: false,
            damage: None,
        }
    }

    /// The size of the largest session that the suite stores: the `max_bytes` of the layer that the store is for. A
    /// record is a few hundred bytes longer. An engine whose items are smaller needs a layer with a smaller `max_bytes`.
    ///
    /// Defaults to 1 MiB.
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// How many sessions of one user the suite stores, lists and ends. Set less only where that takes too long: pages
    /// that were forgotten are found by a list that is longer than one.
    ///
    /// Defaults to 1,001.
    #[must_use]
    pub fn max_sessions_of_a_user(mut self, sessions: usize) -> Self {
        self.max_sessions_of_a_user = sessions;
        self
    }

    /// How long a call may take before the suite says that the store does not answer.
    ///
    /// Defaults to 10 seconds.
    #[must_use]
    pub fn answers_within(mut self, limit: Duration) -> Self {
        self.answers_within = limit;
        self
    }

    /// The clock that the store is given by [`use_clock`](crate::SessionStore::use_clock), and that the suite's times
    /// are counted from. A manual clock stands still meanwhile.
    ///
    /// Defaults to the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// For a store that leaves it to its engine to remove what has expired, and whose
    /// [`delete_expired`](crate::SessionStore::delete_expired) answers 0: what is expired may stay.
    #[must_use]
    pub fn engine_expires(mut self) -> Self {
        self.engine_expires = true;
        self
    }

    /// For a store without an index of users, whose lists read all records: the suite empties it after each of its checks
    /// and scenes, by [`delete_expired`](crate::SessionStore::delete_expired), and plays these one after the other. It
    /// checks the same.
    #[must_use]
    pub fn lists_read_all(mut self) -> Self {
        self.lists_read_all = true;
        self
    }

    /// How to damage the record under a handle, behind the store's back: so the suite can check that a damaged session
    /// is an error, and not a missing one.
    ///
    /// Defaults to none: that is not checked.
    ///
    /// ```no_run
    /// # #[cfg(feature = "sqlite")]
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// use wiz_session::{SqliteStore, store::conformance::Conformance};
    ///
    /// let store = SqliteStore::connect("sqlite:sessions.db").await?;
    /// let pool = store.pool().clone();
    /// let damage = move |handle| {
    ///     let pool = pool.clone();
    ///     async move {
    ///         let damage = "UPDATE wiz_sessions SET record = substr(record, 1, 40) WHERE handle = $1";
    ///         sqlx::query(damage).bind(format!("{handle}")).execute(&pool).await.expect("it can be damaged");
    ///     }
    /// };
    /// Conformance::new().damage(damage).run(store).await;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn damage<F>(mut self, damage: impl Fn(Handle) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.damage = Some(Arc::new(move |handle| Box::pin(damage(handle))));
        self
    }
}

impl Default for Conformance {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("max_bytes", &self.max_bytes)
            .field("max_sessions_of_a_user", &self.max_sessions_of_a_user)
            .field("answers_within", &self.answers_within)
            .field("clock", &self.clock)
            .field("engine_expires", &self.engine_expires)
            .field("lists_read_all", &self.lists_read_all)
            .field("damage", &self.damage.is_some())
            .finish()
    }
}
