use crate::id::Handle;

/// The names of records and of indexes.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// Prefixes.
    records: String,
    indexes: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            records: format!("{prefix}s:"),
            indexes: format!("{prefix}u:"),
        }
    }

    pub(super) fn record(&self, handle: Handle) -> String {
        let handle = handle.to_string();
        [&self.records, &*handle].concat()
    }

    pub(super) fn index(&self, user: &str) -> String {
        format!("{}{user}", self.indexes)
    }

    /// The glob pattern that matches every record, for `SCAN`.
    pub(super) fn pattern(&self) -> String {
        begins_with(&self.records)
    }

    /// The handle of the record with this name. Other keys that match the pattern are not ours.
    pub(super) fn handle(&self, name: &[u8]) -> Option<Handle> {
        let text = std::str::from_utf8(name).ok()?;
        text.strip_prefix(&self.records)?.parse().ok()
    }
}

/// The glob pattern that matches every name with this beginning.
pub(super) fn begins_with(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for char in prefix.chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_back() {
        let keys = Keys::new("shop:");
        let handle = Handle::from_bytes([7; 16]);
        let name = keys.record(handle);
        assert_eq!(name, "shop:s:07070707070707070707070707070707");
        assert_eq!(keys.handle(name.as_bytes()), Some(handle));
        assert_eq!(keys.handle(b"shop:s:x"), None);
        assert_eq!(keys.index("alice"), "shop:u:alice");
    }

    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(Keys::new("a*[b]\\:").pattern(), r"a\*\[b\]\\:s:*");
    }
}
