//! The products on sale.

use std::ops::RangeInclusive;

use serde::Serialize;

const IDS: RangeInclusive<i64> = 1..=100;

/// A product that can be bought.
#[derive(Serialize)]
pub(crate) struct Product {
    id: i64,
    name: String,
    price: i64,
}

impl Product {
    /// The product with this number, if there is one.
    pub(crate) fn find(id: i64) -> Option<Self> {
        IDS.contains(&id).then(|| Self {
            id,
            name: format!("Product {id}"),
            price: id * 1000,
        })
    }

    /// All products, by number.
    pub(crate) fn all() -> Vec<Self> {
        IDS.filter_map(Self::find).collect()
    }
}
