use http::StatusCode;
use wiz_session::{Error, Handle, WizSession};

use super::{Browser, Site, StoreMethod};

/// What a request does with its session, and what has to come of it, however often it is tried: once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Set,
    Update,
    Transaction,
    LogIn,
    Regenerate,
    Clear,
    ClearAndSet,
    /// Of a visitor who had no session.
    FirstSet,
}

impl Act {
    pub(crate) const ALL: [Self; 8] = [
        Self::Set,
        Self::Update,
        Self::Transaction,
        Self::LogIn,
        Self::Regenerate,
        Self::Clear,
        Self::ClearAndSet,
        Self::FirstSet,
    ];

    /// The calls by which the store is changed. Any of their answers may be lost.
    pub(crate) fn writes(self) -> &'static [StoreMethod] {
        match self {
            Self::Set | Self::Update | Self::Transaction => &[StoreMethod::Replace],
            Self::LogIn | Self::Regenerate => &[StoreMethod::Create, StoreMethod::Replace],
            Self::Clear => &[StoreMethod::Delete],
            Self::ClearAndSet => &[StoreMethod::Delete, StoreMethod::Create],
            Self::FirstSet => &[StoreMethod::Create],
        }
    }

    /// Who does it: with a session that holds `a = 1`, or without one.
    pub(crate) async fn browser(self, site: &Site) -> Browser {
        match self {
            Self::FirstSet => site.browser(),
            _ => site.visitor().await,
        }
    }

    /// Does it, all but for what a `save` does.
    pub(crate) async fn begin(self, session: &WizSession) -> Result<(), Error> {
        let add_one = |a: &mut u32| *a += 1;
        match self {
            Self::Set | Self::FirstSet => session.set("b", 2)?,
            Self::Update => drop(session.update("a", add_one)?),
            Self::Transaction => drop(session.transaction(|tx| tx.update("a", add_one)).await?),
            Self::LogIn => {
                session.log_in("alice");
                session.update("a", add_one)?;
            }
            Self::Regenerate => {
                session.regenerate();
                session.update("a", add_one)?;
            }
            Self::Clear => session.clear(),
            Self::ClearAndSet => {
                session.clear();
                session.set("b", 2)?;
            }
        }
        Ok(())
    }

    /// Does it, and saves it.
    pub(crate) async fn save(self, session: &WizSession) -> Result<(), Error> {
        self.begin(session).await?;
        match self {
            Self::Transaction => Ok(()),
            _ => session.save().await,
        }
    }

    /// Whether this call alone does nothing of it: the first of the two by which a session moves to a new id.
    pub(crate) fn is_half_done_by(self, write: StoreMethod) -> bool {
        matches!(self, Self::LogIn | Self::Regenerate) && write == StoreMethod::Create
    }

    /// Whether it stays the session that it was.
    pub(crate) fn keeps_id(self) -> bool {
        matches!(self, Self::Set | Self::Update | Self::Transaction)
    }

    /// Looks at the site with the next requests of the browser, and of a tab that wrote `c = 3` meanwhile, if it did.
    pub(crate) async fn was_done_once(
        self,
        site: &Site,
        browser: &mut Browser,
        mut tab: Option<Browser>,
        former: Option<Handle>,
        case: &str,
    ) {
        let mut seen = None;
        let reply = browser
            .visit(async |session| {
                let (a, b) = (session.get::<u32>("a")?, session.get::<u32>("b")?);
                seen = Some((session.user(), a, b, session.handle()));
                Ok::<_, Error>(())
            })
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{case}");
        let (user, a, b, handle) = seen.expect("it was visited");
        let expected = match self {
            Self::Set => (None, Some(1), Some(2)),
            Self::Update | Self::Transaction | Self::Regenerate => (None, Some(2), None),
            Self::LogIn => (Some("alice"), Some(2), None),
            Self::Clear => (None, None, None),
            Self::ClearAndSet | Self::FirstSet => (None, None, Some(2)),
        };
        assert_eq!((user.as_deref(), a, b), expected, "{case}");
        match self {
            Self::Clear => assert_eq!(handle, None, "{case}"),
            _ if self.keeps_id() => assert_eq!(handle, former, "{case}"),
            _ => assert!(handle.is_some() && handle != former, "{case}"),
        }
        assert_eq!(browser.has_cookies(), handle.is_some(), "{case}");

        let mut sessions = u64::from(handle.is_some());
        if let Some(tab) = &mut tab {
            let tabs = tab.handle().await;
            sessions += u64::from(tabs.is_some() && tabs != handle);
            if self.keeps_id() {
                assert_eq!(tab.read("c").await, Some(3), "{case}");
            }
        }
        assert_eq!(site.sessions().await, sessions, "nothing is left: {case}");
    }
}
