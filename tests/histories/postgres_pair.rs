//! A PostgreSQL server and its synchronous standby, which takes its place.

use tokio::runtime::Handle;
use tokio_postgres::Client;

use crate::{
    beside,
    sql_servers::{Engine, Mortal},
    support::{self, wait_for},
};

pub(crate) struct PostgresPair {
    primary: Mortal,
    /// None until there is another.
    standby: Option<Mortal>,
    /// In the order in which the application knows them.
    ports: [u16; 2],
    runtime: Handle,
}

impl PostgresPair {
    pub(crate) fn start() -> Self {
        let primary = Mortal::start(Engine::Postgres);
        let ports = [primary.port(), support::free_port()];
        let mut pair = Self {
            primary,
            standby: None,
            ports,
            runtime: Handle::current(),
        };
        tokio::task::block_in_place(|| pair.rebuild());
        pair
    }

    pub(crate) fn primary(&mut self) -> &mut Mortal {
        &mut self.primary
    }

    pub(crate) fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// Once the standby is up to date, the primary dies. From then on a commit is answered when the standby has it.
    pub(crate) fn die(&mut self) {
        self.wait_for_standby();
        self.primary.kill();
    }

    /// Once nobody is connected to the former primary.
    pub(crate) fn promote(&mut self) {
        let standby = self.standby.take().expect("it runs");
        self.ask(&standby, "SELECT pg_promote(true, 30)");
        self.primary = standby;
    }

    /// Another standby, for the next time. Until it is there, commits do not wait for it.
    pub(crate) fn rebuild(&mut self) {
        let port = self
            .ports
            .into_iter()
            .find(|port| *port != self.primary.port());
        // The copy of the settings does not wait for one either, once it is promoted.
        self.ask(
            &self.primary,
            "ALTER SYSTEM RESET synchronous_standby_names",
        );
        self.standby = Some(Mortal::standby_of(
            &self.primary,
            port.expect("there are two"),
        ));
        self.ask(
            &self.primary,
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        );
        self.ask(&self.primary, "SELECT pg_reload_conf()");
        self.wait_for_standby();
    }

    /// All that was committed until now is on the standby, and what comes later will be before it is answered.
    fn wait_for_standby(&self) {
        const IS_SYNC: &str = "DO $$ BEGIN ASSERT (SELECT count(*) = 1 FROM pg_stat_replication \
            WHERE sync_state = 'sync' AND flush_lsn >= current_setting('wiz.lsn')::pg_lsn); END $$";
        let client = self.client(&self.primary);
        let mark = "SELECT set_config('wiz.lsn', pg_current_wal_flush_lsn()::text, false)";
        self.runtime
            .block_on(client.batch_execute(mark))
            .expect("a position");
        let is_sync = || self.runtime.block_on(client.batch_execute(IS_SYNC)).ok();
        wait_for("the standby to be up to date", is_sync);
    }

    fn ask(&self, server: &Mortal, statement: &str) {
        let client = self.client(server);
        let asked = self.runtime.block_on(client.batch_execute(statement));
        asked.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }

    fn client(&self, server: &Mortal) -> Client {
        self.runtime.block_on(beside::client(server.url()))
    }
}
