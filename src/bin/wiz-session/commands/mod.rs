//! One file for each command: what it asks the store, and how it puts the answer.

pub(crate) mod copy;
pub(crate) mod count;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod migrate;
pub(crate) mod revoke;
pub(crate) mod show;
pub(crate) mod sweep;
pub(crate) mod top;
pub(crate) mod users;

use std::io::Write as _;

use wiz_session::{Handle, Record};

use crate::{failure::Failure, store::Store, text::counted};

/// It quotes nothing: somebody may have taken a cookie for a handle.
fn handle(text: &str) -> Result<Handle, Failure> {
    text.parse()
        .map_err(|error: wiz_session::InvalidHandle| Failure::of_usage(error.to_string(), ADVICE))
}

/// Calls this for each record of a store, of which it holds a page at a time.
async fn for_each(
    store: &Store,
    mut call: impl FnMut(Handle, &Record),
) -> Result<Damaged, Failure> {
    const PAGE: usize = 500;
    let (mut after, mut damaged) = (None, Damaged::default());
    loop {
        let page = store.scan(after.as_ref(), PAGE).await?;
        for (handle, record) in page.sessions {
            match record {
                Ok(record) => call(handle, &record),
                Err(_) => damaged.add(handle),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(damaged);
        }
    }
}

/// Records that cannot be read. The first few are named.
#[derive(Debug, Default)]
struct Damaged {
    count: u64,
    first: Vec<Handle>,
}

impl Damaged {
    fn add(&mut self, handle: Handle) {
        const NAMED: usize = 5;
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(handle);
        }
    }

    /// Says so on the standard error, if there are any.
    fn tell(&self) {
        if self.count == 0 {
            return;
        }
        let named: Vec<String> = self.first.iter().map(Handle::to_string).collect();
        // There is nobody to tell if that fails.
        let _ = writeln!(
            std::io::stderr(),
            "wiz-session: left out {} that cannot be read: {}{}\n  end it with `wiz-session revoke`",
            counted(self.count, "session"),
            named.join(", "),
            if self.count > named.len() as u64 {
                ", …"
            } else {
                ""
            },
        );
    }
}

const ADVICE: &str = "`wiz-session list USER` shows those of a user; the logs have them too";

const NO_SESSION: &str = "there is no session with this handle";
