use std::{
    fmt::Display,
    io::{self, ErrorKind, Write as _},
};

use serde::Serialize;

use crate::failure::Failure;

/// Where answers go: the standard output, for people or for programs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    json: bool,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn show(self, answer: &(impl Display + Serialize)) -> Result<(), Failure> {
        match self.json {
            true => self.show_json(answer),
            false => write(&format!("{answer}\n")),
        }
    }

    /// That there is nothing to show: programs are told on the standard output, people on the standard error.
    pub(crate) fn show_none(self, answer: &impl Serialize, in_words: &str) -> Result<(), Failure> {
        match self.json {
            true => self.show_json(answer),
            false => {
                // There is nobody to tell if that fails; the exit code says it too.
                let _ = writeln!(io::stderr(), "wiz-session: {in_words}");
                Ok(())
            }
        }
    }

    fn show_json(self, answer: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(answer);
        let json = json.map_err(|error| unwritten(&error.into()))?;
        write(&(json + "\n"))
    }
}

/// Whoever closes the pipe, as `head` does, has read enough.
fn write(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| unwritten(&error)),
    }
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::of_system("the answer could not be written", error)
}
