/// What a response does to the cookie of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieAction {
    /// Sets that of the live session.
    Set,
    Remove,
}
