use tokio_postgres::types::{ToSql, Type};

use crate::store::sql::value::Value;

/// A value and its type.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A parameter that owns its value, for a task that may outlive its caller.
pub(super) type OwnedParameter = (Box<dyn ToSql + Send + Sync>, Type);

pub(super) fn owned(values: &[Value<'_>]) -> Vec<OwnedParameter> {
    let owned = |value: &Value<'_>| -> OwnedParameter {
        match *value {
            Value::Text(text) => (Box::new(text.map(str::to_owned)), Type::TEXT),
            Value::Number(number) => (Box::new(number), Type::INT8),
            Value::Flag(flag) => (Box::new(flag), Type::BOOL),
            #[cfg(feature = "flask")]
            Value::Bytes(bytes) => (Box::new(bytes.to_owned()), Type::BYTEA),
        }
    };
    values.iter().map(owned).collect()
}

pub(super) fn borrowed(values: &[OwnedParameter]) -> Vec<Parameter<'_>> {
    let values = values.iter();
    values
        .map(|(value, ty)| (&**value as _, ty.clone()))
        .collect()
}
