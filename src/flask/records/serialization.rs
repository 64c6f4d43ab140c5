/// `SESSION_SERIALIZATION_FORMAT`: how Flask-Session writes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FlaskSerialization {
    /// `msgpack`, Flask-Session's default.
    #[default]
    MsgPack,
    /// `json`.
    Json,
}
