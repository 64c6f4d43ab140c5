/// Counts the changes of one record. A store compares it when it replaces, so that no change is lost.
///
/// ```
/// use wiz_session::Version;
///
/// assert_eq!(Version::FIRST.next(), Version::new(2));
/// assert_eq!(Version::new(2).get(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of a record that was just created.
    pub const FIRST: Self = Self(1);

    /// What fits a database's integer.
    pub(super) const LAST: Self = Self(i64::MAX as u64);

    /// The version that a store gives to the replacement of this one.
    ///
    /// # Panics
    /// After 2⁶³ changes.
    #[must_use]
    pub const fn next(self) -> Self {
        assert!(self.0 < Self::LAST.0, "a version fits a database's integer");
        Self(self.0 + 1)
    }

    /// The number to keep in a database. It fits an `i64`.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version kept as this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}
