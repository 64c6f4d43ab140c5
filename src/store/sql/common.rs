/// What the public stores have in common: their methods forward to the `table` within, and stand on each store's own page.
macro_rules! sql_store {
    ($store:ident) => {
        /// The table.
        impl $store {
            /// Keeps the sessions in another table, for applications that share a database. Defaults to `wiz_sessions`.
            ///
            /// # Errors
            /// If the name has characters other than lower-case letters, digits and `_`, starts with a digit, or is
            /// empty or longer than 48 characters.
            ///
            /// ```no_run
            /// # async fn f(url: &str) -> Result<(), Box<dyn std::error::Error>> {
            #[doc = concat!("let store = wiz_session::", stringify!($store), "::connect(url).await?.with_table(\"shop_sessions\")?;")]
            /// # Ok(()) }
            /// ```
            pub fn with_table(self, name: &str) -> Result<Self, crate::error::ConfigError> {
                let table = self.table.with_table(name)?;
                Ok(Self { table })
            }

            /// Creates the table and its indexes if they do not exist. Any number of processes may do so at once.
            ///
            /// The database user needs permission to create tables, unless the table is there. If the application's
            /// has none, let an administrator run the [`schema`](Self::schema).
            ///
            /// # Errors
            /// [`Error::is_store`](crate::Error::is_store).
            ///
            /// # Cancel safety
            /// Dropped midway, it may have created the table or not; call it again.
            ///
            /// ```no_run
            #[doc = concat!("# async fn f(store: wiz_session::", stringify!($store), ") -> Result<(), wiz_session::Error> {")]
            /// store.migrate().await?;
            /// # Ok(()) }
            /// ```
            pub async fn migrate(&self) -> Result<(), crate::error::Error> {
                self.table.migrate().await
            }

            /// The SQL that [`migrate`](Self::migrate) runs.
            ///
            /// ```no_run
            #[doc = concat!("# fn f(store: wiz_session::", stringify!($store), ") {")]
            /// println!("{}", store.schema());
            /// # }
            /// ```
            #[must_use]
            pub fn schema(&self) -> &str {
                self.table.schema()
            }

            /// The number of rows that [`delete_expired`](crate::SessionStore::delete_expired) would delete at `now`.
            /// It uses an index, and is cheap as long as a sweeper runs.
            ///
            /// # Errors
            /// [`Error::is_store`](crate::Error::is_store).
            ///
            /// # Cancel safety
            /// It only reads.
            ///
            /// ```no_run
            /// # use std::time::SystemTime;
            #[doc = concat!("# async fn f(store: wiz_session::", stringify!($store), ") -> Result<(), wiz_session::Error> {")]
            /// if store.count_expired(SystemTime::now()).await? > 1_000_000 {
            ///     eprintln!("is a sweeper running?");
            /// }
            /// # Ok(()) }
            /// ```
            pub async fn count_expired(
                &self,
                now: std::time::SystemTime,
            ) -> Result<u64, crate::error::Error> {
                self.table.count_expired(now).await
            }
        }

        #[cfg(feature = "flask")]
        impl $store {
            /// Another application's table in the same database.
            pub(crate) fn blobs(
                &self,
                table: &str,
            ) -> Result<std::sync::Arc<dyn crate::store::Blobs>, crate::error::ConfigError> {
                let blobs = crate::store::sql::blobs::SqlBlobs::new(self.table.clone(), table)?;
                Ok(std::sync::Arc::new(blobs))
            }
        }

        impl crate::store::SessionStore for $store {
            crate::forward_session_store!(self => self.table);
        }

        impl std::fmt::Debug for $store {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // Not what it is connected to: that may print the server's address with the password.
                f.debug_struct(stringify!($store)).finish_non_exhaustive()
            }
        }
    };
}

pub(super) use sql_store;
