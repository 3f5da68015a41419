//! Why a command did not do what it was asked, and what to do about it.

use std::{error::Error, fmt, io, process::ExitCode};

use super::{client::ClientError, output};
use crate::{app::StartError, config::ConfigError};

/// A failure as it is told: one line, a remedy where there is one, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    remedy: Option<String>,
    is_wrong_usage: bool,
}

impl Failure {
    /// A failure that speaks for itself.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None, is_wrong_usage: false }
    }

    /// A failure of the person who typed the command.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { is_wrong_usage: true, ..Self::new(message) }
    }

    /// An error with its causes, in one line.
    #[must_use]
    pub fn caused(message: impl Into<String>, cause: &dyn Error) -> Self {
        Self::new(format!("{}: {}", message.into(), chain(cause)))
    }

    /// The same failure, with what it interrupted before it.
    #[must_use]
    pub fn during(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// What to do about it.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// What happened.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do; empty where there is nothing to say.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.remedy.as_deref().unwrap_or_default()
    }

    /// Tells the failure on standard error and gives the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        output::complain(&self.to_string());
        ExitCode::from(if self.is_wrong_usage { 2 } else { 1 })
    }
}

/// What standard error shows; each part is one line, whatever an error from elsewhere may hold.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}", output::printable(&self.message))?;
        match &self.remedy {
            Some(remedy) => write!(formatter, "\nremedy: {}", output::printable(remedy)),
            None => Ok(()),
        }
    }
}

/// An error and its causes, where they say more than the error itself.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let is_wrong_usage =
            matches!(error, ClientError::InvalidServer(_) | ClientError::NoKey | ClientError::InvalidPrincipal(_));
        let remedy = error.remedy().map(str::to_owned);
        Self { message: chain(&error), remedy, is_wrong_usage }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = match &error {
            ConfigError::Unsafe(refusal) => {
                return Self::new(format!("refusing to start: {}", refusal.reason)).with_remedy(&refusal.remedy);
            }
            _ => Self::new(chain(&error)),
        };
        match error {
            ConfigError::Unreadable { .. } => {
                failure.with_remedy("name the file with `--config`, or make one with `ringfence init`")
            }
            _ => failure.with_remedy(
                "correct the setting; `ringfence init --config NEW.toml` writes a file that explains each one",
            ),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let failure = Self::new(chain(&error));
        match error {
            StartError::Config(error) => error.into(),
            StartError::InUse(_) => failure
                .with_remedy("stop the server that uses it, or choose another directory with `--data-dir`; a running server is managed with `--server`"),
            StartError::NotInitialised(_) | StartError::Seal(_) => failure.with_remedy("`ringfence init` makes a data directory with its keys; without the key it was made with, a data directory cannot be opened"),
            StartError::Sandbox(_) => failure.with_remedy("run on a kernel that has what is missing, or set `require_sandbox = false`"),
            StartError::DataDir { .. } => failure.with_remedy("the server's user must own the directory"),
            StartError::Audit(_) => failure.with_remedy("`ringfence audit verify` says what is wrong with the log"),
            _ => failure,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_and_its_remedy_another() {
        let failure = Failure::new("a\nb\u{1b}[2J").with_remedy("c");
        assert_eq!(failure.to_string(), "error: a b\u{fffd}[2J\nremedy: c");
        assert_eq!(Failure::usage("x").to_string(), "error: x");
    }

    #[test]
    fn causes_are_told_once() {
        let inner = io::Error::other("disk on fire");
        let error = ConfigError::Unreadable { path: "a.toml".into(), source: inner };
        let failure = Failure::from(error).to_string();
        assert!(
            failure.starts_with("error: cannot read the configuration `a.toml`: disk on fire\nremedy: "),
            "{failure}"
        );
    }
}
