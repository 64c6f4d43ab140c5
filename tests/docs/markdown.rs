//! As much of Markdown as the documents use.

/// What the structure of a document consists of. Paragraphs are left out: a translation may break them elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Heading(usize),
    Code(String),
    Table { rows: usize, columns: usize },
    List { items: usize },
}

#[derive(Debug, Default)]
pub(crate) struct Document {
    outline: Vec<Part>,
    code: Vec<String>,
    /// The lines outside of code blocks.
    prose: Vec<String>,
}

impl Document {
    pub(crate) fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut lines = text.lines();
        let mut before = "";
        while let Some(line) = lines.next() {
            if let Some(info) = line.strip_prefix("```") {
                let block = lines.by_ref().take_while(|line| *line != "```");
                let block: Vec<&str> = block.collect();
                document.outline.push(Part::Code(info.to_owned()));
                document.code.push(without_comments(info, &block));
            } else {
                document.take(line, before);
                document.prose.push(line.to_owned());
            }
            before = line;
        }
        document
    }

    fn take(&mut self, line: &str, before: &str) {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level > 0 && line[level..].starts_with(' ') {
            self.outline.push(Part::Heading(level));
        } else if line.starts_with('|') {
            match self.outline.last_mut() {
                Some(Part::Table { rows, columns }) if before.starts_with('|') => {
                    *rows += 1;
                    assert_eq!(cells(line).len(), *columns, "an uneven table: {line}");
                }
                _ => self.outline.push(Part::Table {
                    rows: 1,
                    columns: cells(line).len(),
                }),
            }
        } else if line.starts_with("- ") {
            match self.outline.last_mut() {
                Some(Part::List { items }) if !before.is_empty() => *items += 1,
                _ => self.outline.push(Part::List { items: 1 }),
            }
        }
    }

    pub(crate) fn outline(&self) -> Vec<Part> {
        self.outline.clone()
    }

    /// The code blocks, without comments.
    pub(crate) fn code(&self) -> Vec<String> {
        self.code.clone()
    }

    pub(crate) fn languages(&self) -> Vec<String> {
        let languages = self.outline.iter().filter_map(|part| match part {
            Part::Code(info) => Some(info.clone()),
            _ => None,
        });
        languages.collect()
    }

    /// What is in backticks in tables, sorted within each row: another language may name it in another order.
    pub(crate) fn code_in_tables(&self) -> Vec<String> {
        let rows = self.prose.iter().filter(|line| line.starts_with('|'));
        rows.flat_map(|row| {
            let mut code: Vec<String> = row.split('`').skip(1).step_by(2).map(Into::into).collect();
            code.sort();
            code
        })
        .collect()
    }

    /// Where links lead: those in place, and definitions.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for line in &self.prose {
            if let Some((_, target)) = definition(line) {
                links.push(target.to_owned());
            }
            for rest in line.split("](").skip(1) {
                links.extend(rest.split(')').next().map(str::to_owned));
            }
        }
        links
    }

    /// Names in brackets that have no definition.
    pub(crate) fn undefined_references(&self) -> Vec<String> {
        let prose: Vec<_> = self.prose.iter().map(String::as_str).collect();
        let defined: Vec<_> = prose.iter().filter_map(|line| definition(line)).collect();
        let mut missing = Vec::new();
        for line in prose.iter().filter(|line| definition(line).is_none()) {
            for name in references(line) {
                if !defined.iter().any(|(defined, _)| *defined == name) {
                    missing.push(name.to_owned());
                }
            }
        }
        missing
    }
}

/// `[name]: target`
fn definition(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ")
}

/// What stands in brackets and is followed by no target. `[text][name]` is the name; code spans do not count, unless
/// all that is in the brackets is one.
fn references(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    let mut at = 0;
    while let Some(byte) = line.as_bytes().get(at) {
        match byte {
            b'`' => in_code = !in_code,
            b'[' if !in_code => {
                let rest = &line[at + 1..];
                let Some(end) = rest.find(']') else { break };
                let (name, after) = (&rest[..end], &rest[end + 1..]);
                if !after.starts_with(['(', '[']) {
                    found.push(name);
                }
                at += end + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The cells of a table's row. `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let row = row.replace("\\|", "/");
    let inner = row.trim().trim_start_matches('|');
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    inner.split('|').map(str::to_owned).collect()
}

fn without_comments(info: &str, block: &[&str]) -> String {
    let mark = match info.split(',').next() {
        Some("rust") => "// ",
        Some("sh" | "toml" | "python") => "# ",
        _ => "\0",
    };
    let bare = |line: &&str| match line.split_once(mark) {
        // The comment of a line, or one that is a line of its own.
        Some((code, _)) => code.trim_end().to_owned(),
        None => (*line).to_owned(),
    };
    let lines: Vec<String> = block.iter().map(bare).collect();
    let code = lines.iter().filter(|line| !line.trim().is_empty());
    code.cloned().collect::<Vec<_>>().join("\n")
}
