//! The cart: product numbers in the order they were added, each once.

use wiz_session::{Error, WizSession};

use crate::model::Product;

const KEY: &str = "cart";

/// The cart of one session.
pub(crate) struct Cart<'a> {
    session: &'a WizSession,
}

impl<'a> Cart<'a> {
    pub(crate) fn of(session: &'a WizSession) -> Self {
        Self { session }
    }

    /// The products in the cart; a number that no product has is skipped.
    pub(crate) fn products(&self) -> Result<Vec<Product>, Error> {
        let cart: Vec<i64> = self.session.get_or_default(KEY)?;
        Ok(cart.into_iter().filter_map(Product::find).collect())
    }

    /// Adds a product and gives the cart as it was stored.
    pub(crate) async fn add(&self, product: i64) -> Result<Vec<i64>, Error> {
        self.session
            .transaction(|tx| {
                let mut cart: Vec<i64> = tx.get_or_default(KEY)?;
                if !cart.contains(&product) {
                    cart.push(product);
                    tx.set(KEY, &cart)?;
                }
                Ok(cart)
            })
            .await
    }

    /// Takes a product out and gives the cart as it was stored.
    pub(crate) async fn remove(&self, product: i64) -> Result<Vec<i64>, Error> {
        self.session
            .transaction(|tx| {
                let mut cart: Vec<i64> = tx.get_or_default(KEY)?;
                if let Some(position) = cart.iter().position(|&id| id == product) {
                    cart.remove(position);
                    tx.set(KEY, &cart)?;
                }
                Ok(cart)
            })
            .await
    }

    pub(crate) fn clear(&self) {
        self.session.delete(KEY);
    }
}
