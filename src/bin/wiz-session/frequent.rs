use std::collections::HashMap;

/// Finds the most frequent of any number of names in bounded memory: the Misra-Gries summary.
///
/// It counts up to `capacity` names. When one more comes, all counts are lowered by one and those at zero are forgotten. So
/// a count falls short by at most `total / capacity`, and a name that comes more often than that is never forgotten. Up to
/// `capacity` names, every count is exact.
pub(crate) struct Frequent {
    counts: HashMap<Box<str>, u64>,
    capacity: usize,
}

impl Frequent {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            counts: HashMap::new(),
            capacity,
        }
    }

    pub(crate) fn add(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if self.counts.len() < self.capacity {
            self.counts.insert(name.into(), 1);
        } else {
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The most frequent names, the first one first; among equals by the alphabet.
    pub(crate) fn into_most(self, limit: usize) -> Vec<String> {
        let mut names: Vec<_> = self.counts.into_iter().collect();
        names.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        names.truncate(limit);
        names.into_iter().map(|(name, _)| name.into()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_counted_exactly() {
        let mut frequent = Frequent::new(3);
        for name in ["b", "a", "c", "b", "a", "b"] {
            frequent.add(name);
        }
        assert_eq!(frequent.into_most(2), ["b", "a"]);
    }

    #[test]
    fn a_frequent_name_is_found_among_more_than_fit() {
        let mut frequent = Frequent::new(10);
        for n in 0..1_000 {
            frequent.add(&format!("rare {n}"));
            if n > 100 && n % 5 == 0 {
                frequent.add("often");
            }
            assert!(frequent.counts.len() <= 10);
        }
        assert_eq!(frequent.into_most(1), ["often"]);
    }
}
