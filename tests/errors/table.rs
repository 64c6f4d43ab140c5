use crate::met::Met;

/// The rows of all tables in `docs/errors.md`.
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
pub(crate) struct Row {
    /// The message between the placeholders.
    pieces: Vec<String>,
    pub(crate) response: Option<u16>,
}

impl Table {
    pub(crate) fn read() -> Self {
        let page = include_str!("../../docs/errors.md");
        let rows = page.lines().filter_map(Row::read).collect::<Vec<_>>();
        assert!(rows.len() > 50, "the page has tables");
        Self(rows)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
    }

    /// A row, and only one, is of this error.
    pub(crate) fn has(&self, error: &Met) -> bool {
        let mut rows: Vec<_> = self.rows().filter(|row| row.is(&error.message)).collect();
        // Where two stores say the same, each has its row.
        rows.dedup_by(|a, b| a.pieces == b.pieces);
        let [row] = rows[..] else { return false };
        error.response.is_none() || error.response == row.response
    }
}

impl Row {
    /// A row whose first cell is a message.
    fn read(line: &str) -> Option<Self> {
        let cells = line.strip_prefix("| `")?;
        let (message, rest) = match cells.strip_prefix('`') {
            Some(cells) => cells.split_once("`` |")?,
            None => cells.split_once("` |")?,
        };
        let response = rest
            .split('|')
            .nth(1)
            .and_then(|cell| cell.trim().parse().ok());
        let mut pieces = Vec::new();
        let mut rest = message.trim();
        while let Some((piece, more)) = rest.split_once('{') {
            pieces.push(piece.to_owned());
            rest = more.split_once('}').expect("a placeholder ends").1;
        }
        pieces.push(rest.to_owned());
        Some(Self { pieces, response })
    }

    /// Whether the message is the row's, with something for each placeholder.
    fn is(&self, message: &str) -> bool {
        let [first, others @ ..] = &self.pieces[..] else {
            unreachable!("there is one piece at least")
        };
        let Some(mut rest) = message.strip_prefix(first.as_str()) else {
            return false;
        };
        for (n, piece) in others.iter().enumerate() {
            let is_last = n + 1 == others.len();
            let at = match is_last {
                true => rest
                    .ends_with(piece.as_str())
                    .then(|| rest.len() - piece.len()),
                false => rest.find(piece.as_str()),
            };
            match at {
                Some(at) if at > 0 => rest = &rest[at + piece.len()..],
                _ => return false,
            }
        }
        rest.is_empty()
    }

    pub(crate) fn is_met_by(&self, met: &[Met]) -> bool {
        met.iter().any(|error| self.is(&error.message))
    }
}

#[test]
fn a_message_is_told_from_others() {
    let row = |line: &str| Row::read(line).expect("a row");
    let limit = row("| ``with `{key}` over {limit} bytes`` | when | 413 | |");
    assert_eq!(limit.response, Some(413));
    assert!(limit.is("with `a` over 7 bytes"));
    for other in [
        "with `` over 7 bytes",
        "with `a` over 7 bytes!",
        "so with `a` over 7 bytes",
    ] {
        assert!(!limit.is(other), "{other}");
    }
    let plain = row("| `it ended` | when | 409 | |");
    assert!(plain.is("it ended") && !plain.is("it ended here"));
    assert!(Row::read("|---|---|").is_none() && Row::read("| message | when |").is_none());
}
