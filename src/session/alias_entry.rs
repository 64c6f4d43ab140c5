use super::request::RequestSession;
use crate::{
    change::Data,
    error::Error,
    expiry,
    id::Handle,
    record::{Alias, Body, Record, Version},
    store::{Created, Replaced, StoreClient},
    time::Timestamp,
};

/// The entry of a store that leads from an alias to the user who has it: a record under a handle that is computed from
/// the alias and that no cookie can name. It is marked as a tombstone, so that stores neither count nor list it. Which of
/// the user's sessions has the alias, their own records say: so it stays true when they move to a new id.
pub(crate) struct AliasEntry<'a> {
    store: &'a StoreClient,
    handle: Handle,
}

/// How often it is tried again, when other logins with this alias are faster.
const TRIES: u32 = 5;

const USER: &str = "user";

impl<'a> AliasEntry<'a> {
    pub(crate) fn of(store: &'a StoreClient, alias: &Alias) -> Self {
        Self {
            store,
            handle: alias.handle(),
        }
    }

    /// The user who has the alias.
    pub(crate) async fn user(&self) -> Result<Option<String>, Error> {
        let Some(record) = self.store.load(self.handle).answer().await? else {
            return Ok(None);
        };
        user(&record).map(Some)
    }

    /// Leads to this user until then, or until the end of an earlier login with this alias.
    async fn lead_to(&self, user: &str, now: Timestamp, until: Timestamp) -> Result<(), Error> {
        for _ in 0..TRIES {
            let record = entry(user, now, until);
            match self.store.create(self.handle, &record).answer().await? {
                Created::Created => return Ok(()),
                Created::Exists => {}
            }
            let Some(stored) = self.store.load(self.handle).answer().await? else {
                continue;
            };
            let record = entry(user, now, until.max(stored.expires()));
            let version = stored.version();
            let replace = self.store.replace(self.handle, version, &record);
            match replace.answer().await? {
                Replaced::Stored(_) => return Ok(()),
                Replaced::Conflict | Replaced::Gone => {}
            }
        }
        Err(Error::conflict())
    }
}

impl RequestSession {
    /// Gives the login this alias.
    pub(super) async fn add_alias(&self, alias: Alias) -> Result<(), Error> {
        let (user, remember, details) = self.view(|state| {
            let user = state.user().map(str::to_owned);
            (user, state.remembered(), state.details())
        });
        let user = user.ok_or_else(Error::not_logged_in)?;
        let others = details.iter().flat_map(|details| &details.aliases);
        if others.filter(|other| other.name != alias.name).count() >= Alias::MOST {
            return Err(Error::alias_too_large());
        }
        let now = self.config.clock.timestamp();
        let until = self.config.policy.expiry.deadline(now, remember);
        let until = until.saturating_add(expiry::GRACE);
        let entry = AliasEntry::of(&self.config.store, &alias);
        entry.lead_to(&user, now, until).await?;
        self.edit(|state| state.set_alias(alias));
        Ok(())
    }
}

fn entry(user: &str, now: Timestamp, until: Timestamp) -> Record {
    let data = serde_json::json!({ USER: user }).to_string();
    let body = Body {
        data: Data::from_json(&data).expect("an object"),
        deadline: until,
        ..Record::tombstone(Version::FIRST, now).body().clone()
    };
    Record::new(Version::FIRST, until, body)
}

fn user(entry: &Record) -> Result<String, Error> {
    let raw = entry.data().get(USER);
    raw.and_then(|raw| serde_json::from_slice(raw).ok())
        .ok_or_else(|| Error::corrupt("the entry of an alias names no user"))
}
