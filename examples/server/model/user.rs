//! The accounts. They live in memory, which is enough for an example.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use serde::Serialize;

use crate::model::password;

const WONDERLAND: &str = "$argon2id$v=19$m=19456,t=2,p=1$jHUpQPCT2ghdX/oaiG6aeg$snZmmCcM22BsTIkzgCvTd9qE2LI8VGPBdCZvPEaI21s";
const BUILDER: &str = "$argon2id$v=19$m=19456,t=2,p=1$xC9m/bYpP0oJP6Jgi3284A$KzRjTlF+KUW904E/VW5EH6GDafQNFdyPjkijZ9l1oBg";

/// What everybody may know about a user.
#[derive(Clone, Serialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) is_admin: bool,
}

/// How to reach a user; only they see it.
#[derive(Clone, Serialize)]
pub(crate) struct Contact {
    pub(crate) phone: String,
    pub(crate) address: String,
}

/// A user to be created.
pub(crate) struct NewUser {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) contact: Option<Contact>,
}

/// All accounts, shared between requests.
#[derive(Clone)]
pub(crate) struct Users {
    table: Arc<RwLock<Table>>,
}

struct Table {
    accounts: BTreeMap<i64, Account>,
    next_id: i64,
    has_guests: bool,
}

struct Account {
    user: User,
    contact: Option<Contact>,
    /// Who registers here chooses no password, and cannot log in with one.
    password_hash: Option<&'static str>,
}

impl Users {
    /// Alice, whose password is `wonderland`, and Bob, whose is `builder`.
    pub(crate) fn with_demo_accounts() -> Self {
        let alice = demo(123, "Alice", "alice@example.com", true, WONDERLAND);
        let bob = demo(456, "Bob", "bob@example.com", false, BUILDER);
        let accounts = [alice, bob].map(|account| (account.user.id, account));
        Self {
            table: Arc::new(RwLock::new(Table {
                accounts: BTreeMap::from(accounts),
                next_id: first_id(),
                has_guests: false,
            })),
        }
    }

    /// Beside them there is a guest for every number, `guest7@example.com` for one, with the password `guest`: the same in
    /// every process, and without the work of a hash. For tests that log many users in.
    pub(crate) fn with_guests(self) -> Self {
        self.table.write().has_guests = true;
        self
    }

    pub(crate) fn get(&self, id: i64) -> Option<User> {
        let table = self.table.read();
        let account = table.accounts.get(&id);
        account.map(|account| account.user.clone()).or_else(|| {
            let number = id.checked_sub(FIRST_GUEST).filter(|number| *number >= 0);
            number.filter(|_| table.has_guests).map(guest)
        })
    }

    pub(crate) fn contact(&self, id: i64) -> Option<Contact> {
        self.table.read().accounts.get(&id)?.contact.clone()
    }

    pub(crate) fn list(&self) -> Vec<User> {
        self.table
            .read()
            .accounts
            .values()
            .map(|account| account.user.clone())
            .collect()
    }

    /// Two users may give the same e-mail address: it is unproven, so it identifies nobody.
    pub(crate) fn create(&self, new: NewUser) -> User {
        let mut table = self.table.write();
        let user = User {
            id: table.next_id,
            name: new.name,
            email: new.email,
            is_admin: false,
        };
        table.next_id += 1;
        let account = Account {
            user: user.clone(),
            contact: new.contact,
            password_hash: None,
        };
        table.accounts.insert(user.id, account);
        user
    }

    /// The user whose password this is. Takes as long for an address that nobody has.
    pub(crate) async fn authenticate(&self, email: &str, password: String) -> Option<User> {
        if self.table.read().has_guests
            && let Some(number) = guest_number(email)
        {
            return (password == "guest").then(|| guest(number));
        }
        let (user, hash) = self.with_password(email).unzip();
        if password::verify(password, hash).await {
            user
        } else {
            None
        }
    }

    fn with_password(&self, email: &str) -> Option<(User, &'static str)> {
        self.table.read().accounts.values().find_map(|account| {
            let hash = account
                .password_hash
                .filter(|_| account.user.email == email)?;
            Some((account.user.clone(), hash))
        })
    }
}

fn demo(id: i64, name: &str, email: &str, is_admin: bool, hash: &'static str) -> Account {
    Account {
        user: User {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            is_admin,
        },
        contact: None,
        password_hash: Some(hash),
    }
}

/// Below the accounts that are created, and above the others.
const FIRST_GUEST: i64 = 1_000_000;

fn guest(number: i64) -> User {
    User {
        id: FIRST_GUEST + number,
        name: format!("Guest {number}"),
        email: format!("guest{number}@example.com"),
        is_admin: false,
    }
}

fn guest_number(email: &str) -> Option<i64> {
    let number = email.strip_prefix("guest")?.strip_suffix("@example.com")?;
    let number: u32 = number.parse().ok()?;
    Some(number.into())
}

/// Sessions in a database outlive these accounts. Counting on from the clock, no account of a
/// later run gets the id, and with it the sessions, of an earlier one.
fn first_id() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1000, |time| time.as_millis() as i64)
}
