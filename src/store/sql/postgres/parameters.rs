use std::error::Error as StdError;

use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::store::sql::value::Value;

/// A value and its type.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

pub(super) fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<Parameter<'a>> {
    let parameter = |value: &'a Value<'a>| -> Parameter<'a> { (value, value.type_of()) };
    values.iter().map(parameter).collect()
}

impl Value<'_> {
    fn type_of(&self) -> Type {
        match self {
            Value::Text(_) => Type::TEXT,
            Value::Number(_) => Type::INT8,
            Value::Flag(_) => Type::BOOL,
            #[cfg(feature = "flask")]
            Value::Bytes(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Value::Text(text) => text.to_sql(ty, out),
            Value::Number(number) => number.to_sql(ty, out),
            Value::Flag(flag) => flag.to_sql(ty, out),
            #[cfg(feature = "flask")]
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
