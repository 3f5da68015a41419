//! `ringfence doctor`: what is well and what is not, one line a check, with what to do.

mod data;
mod originals;
mod server;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Without `--local` and `--data-dir` the server behind `--server` is checked; with a key, the key too.
A data directory is checked while no server runs on it.")]
pub(super) struct Doctor {
    /// Check the configured data directory instead of a server
    #[arg(long)]
    local: bool,
    /// Check this data directory instead of a server
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    server: ServerOptions,
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let is_local = self.local || self.data_dir.is_some();
        let checks = if is_local {
            data::examine(context.load(None, self.data_dir)?).await
        } else {
            server::examine(context, &self.server).await?
        };
        let failed = checks.iter().filter(|check| check.is_failed()).count() as u64;
        if context.json {
            output::say_json(
                &json!({"healthy": failed == 0, "checks": checks.iter().map(Check::json).collect::<Vec<_>>()}),
            )?;
        } else {
            output::say(&checks.iter().map(Check::words).collect::<Vec<_>>().join("\n"))?;
        }
        match failed {
            0 => Ok(()),
            failed => Err(Failure::new(format!("{} failed", output::counted(failed, "check", "checks")))),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Check {
    name: &'static str,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Well(String),
    Failed {
        what: String,
        remedy: String,
    },
    /// It could not be looked at, which is no fault.
    Left(String),
}

impl Check {
    fn well(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Well(what.into()) }
    }

    fn failed(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Failed { what: what.into(), remedy: remedy.into() } }
    }

    fn left(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Left(why.into()) }
    }

    /// Well where `is_well`, else failed with this remedy.
    fn that(name: &'static str, is_well: bool, what: impl Into<String>, remedy: &str) -> Self {
        if is_well { Self::well(name, what) } else { Self::failed(name, what, remedy) }
    }

    const fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    fn words(&self) -> String {
        let name = self.name;
        match &self.outcome {
            Outcome::Well(what) => format!("ok    {name:<14} {}", output::printable(what)),
            Outcome::Left(why) => format!("-     {name:<14} {}", output::printable(why)),
            Outcome::Failed { what, remedy } => {
                format!("FAIL  {name:<14} {}\n      remedy: {}", output::printable(what), output::printable(remedy))
            }
        }
    }

    fn json(&self) -> Value {
        match &self.outcome {
            Outcome::Well(what) => json!({"check": self.name, "outcome": "ok", "detail": what}),
            Outcome::Left(why) => json!({"check": self.name, "outcome": "skipped", "detail": why}),
            Outcome::Failed { what, remedy } => {
                json!({"check": self.name, "outcome": "fail", "detail": what, "remedy": remedy})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_and_a_failed_one_has_a_remedy() {
        assert_eq!(Check::well("clock", "0 s apart").words(), "ok    clock          0 s apart");
        let failed = Check::that("clock", false, "90 s apart", "set it");
        assert_eq!(failed.words(), "FAIL  clock          90 s apart\n      remedy: set it");
        assert!(failed.is_failed() && failed.json()["remedy"] == "set it");
        assert!(!Check::left("key", "none given").is_failed());
    }
}
