//! `ringfence audit`: is the log the one that was written, and what does it say?

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;
use ringfence_indexes::{TenantId, Timestamp};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::{duration, failure::Failure, options::Context, output, serve::Signals};
use crate::audit::{self, LogReport, PUBLIC_KEY_FILE, Problem};

/// How often `--follow` looks for new records.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// The log of what concerns no tenant.
const SERVER_LOG: &str = "_server";

#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check the chain of every log and its signed checkpoints; needs no server
    Verify {
        /// The data directory, or a copy of its audit folder [default: as configured]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// A copy of `checkpoint.pub` kept elsewhere, or its 64 hex digits: who can replace the file in the folder can forge the log
        #[arg(long, value_name = "FILE|HEX")]
        public_key: Option<String>,
    },
    /// Show the last records
    Tail {
        /// The tenant; without it the server's own log
        #[arg(long)]
        tenant: Option<String>,
        /// How many records
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        lines: usize,
        /// Go on with new records as they come, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// The data directory, or a copy of its audit folder [default: as configured]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

impl Audit {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            AuditCommand::Verify { data_dir, public_key } => verify(context, data_dir, public_key.as_deref()),
            AuditCommand::Tail { tenant, lines, follow, data_dir } => {
                let log = match &tenant {
                    None => SERVER_LOG,
                    Some(tenant) => TenantId::new(tenant)
                        .map(|_| tenant.as_str())
                        .map_err(|error| Failure::usage(format!("`--tenant`: {error}")))?,
                };
                tail(context, &audit_dir(context, data_dir)?.join(format!("{log}.log")), lines, follow).await
            }
        }
    }
}

/// The folder of the logs: inside a data directory, or itself.
fn audit_dir(context: &Context, data_dir: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let given = match data_dir {
        Some(dir) => dir,
        None => context.load(None, None)?.data_dir,
    };
    let inside = given.join("audit");
    let found = [inside, given.clone()].into_iter().find(|dir| dir.join(PUBLIC_KEY_FILE).is_file());
    found.ok_or_else(|| {
        Failure::new(format!("there is no audit log in `{}`", given.display()))
            .with_remedy("name the data directory with `--data-dir`, or the configuration with `--config`")
    })
}

fn verify(context: &Context, data_dir: Option<PathBuf>, public_key: Option<&str>) -> Result<(), Failure> {
    let dir = audit_dir(context, data_dir)?;
    let trusted = public_key.map(read_public_key).transpose()?;
    let report = audit::verify(&dir, trusted.as_ref())
        .map_err(|error| Failure::caused(format!("cannot read the audit log in `{}`", dir.display()), &error))?;
    if context.json {
        output::say_json(
            &json!({"sound": report.is_sound(), "logs": report.logs.iter().map(log_json).collect::<Vec<_>>()}),
        )?;
    } else {
        output::say(&report.logs.iter().map(log_words).collect::<Vec<_>>().join("\n"))?;
    }
    if report.is_sound() {
        return Ok(());
    }
    let damaged = report.logs.iter().filter(|log| !log.problems.is_empty()).count() as u64;
    Err(Failure::new(format!("{} of {} not as written", damaged, output::counted(report.logs.len() as u64, "log is", "logs are")))
        .with_remedy("keep the folder as it is, compare it with a backup, and find out who could write to it; a torn last line alone is repaired at the next start"))
}

fn read_public_key(given: &str) -> Result<[u8; 32], Failure> {
    let text = if Path::new(given).is_file() { fs::read_to_string(given)? } else { given.to_owned() };
    let key = HEXLOWER.decode(text.trim().to_ascii_lowercase().as_bytes()).ok().and_then(|key| key.try_into().ok());
    key.ok_or_else(|| {
        Failure::usage(format!("`--public-key`: `{given}` is neither a file with a public key nor 64 hex digits"))
    })
}

/// One log in words, and what exactly is wrong with it.
pub(super) fn log_words(report: &LogReport) -> String {
    let name = if report.log == SERVER_LOG {
        "the server's own log".to_owned()
    } else {
        format!("tenant `{}`", output::printable(&report.log))
    };
    let records = output::counted(report.records, "record", "records");
    let state = if report.problems.is_empty() { "sound" } else { "DAMAGED" };
    let mut words = format!("{state:<8} {name}: {records}, {} of them under a signed checkpoint", report.signed);
    for problem in &report.problems {
        words.push_str(&format!("\n         {problem}{}", consequence(problem)));
    }
    words
}

fn consequence(problem: &Problem) -> &'static str {
    match problem {
        Problem::Record { .. } | Problem::Chain { .. } => "; what follows it is not vouched for",
        Problem::Torn => "; the next start cuts it off and records that",
        Problem::Checkpoint { .. } => "; the checkpoints from there on prove nothing",
        Problem::Signed { .. } => ": records were cut off or rewritten",
    }
}

fn log_json(report: &LogReport) -> Value {
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    json!({"log": report.log, "records": report.records, "signed": report.signed, "problems": problems})
}

async fn tail(context: &Context, path: &Path, lines: usize, follow: bool) -> Result<(), Failure> {
    let cannot = |error: &io::Error| Failure::caused(format!("cannot read the log `{}`", path.display()), error);
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!("there is no log `{}`", path.display()))
            .with_remedy("a tenant's log begins with its first request; `ringfence tenant list` names the tenants"),
        _ => cannot(&error),
    })?;
    let mut last = std::collections::VecDeque::new();
    for line in BufReader::new(&file).split(b'\n') {
        last.push_back(line.map_err(|error| cannot(&error))?);
        if last.len() > lines {
            last.pop_front();
        }
    }
    for line in last {
        output::say(&record(context, &String::from_utf8_lossy(&line)))?;
    }
    if !follow {
        return Ok(());
    }
    let mut signals = Signals::new()?;
    let mut ticks = interval(FOLLOW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut begun = String::new();
    file.seek(SeekFrom::End(0)).map_err(|error| cannot(&error))?;
    loop {
        tokio::select! {
            _ = signals.next() => return Ok(()),
            _ = ticks.tick() => {}
        }
        file.read_to_string(&mut begun).map_err(|error| cannot(&error))?;
        while let Some(end) = begun.find('\n') {
            output::say(&record(context, &begun[..end]))?;
            begun.drain(..=end);
        }
    }
}

/// A record as it is, or in words: when, who, what, on what, with which outcome.
fn record(context: &Context, line: &str) -> String {
    let Ok(record) = serde_json::from_str::<Value>(line) else {
        return format!("not a record: {}", output::printable(line));
    };
    if context.json {
        return line.to_owned();
    }
    let text = |value: &Value| value.as_str().map(output::printable);
    let actor = &record["actor"];
    let who = text(&actor["principal"]).or_else(|| text(&actor["credential"])).unwrap_or_else(|| "?".to_owned());
    let acting = text(&actor["acting_for"]).map_or_else(String::new, |person| format!(" for {person}"));
    let resource = text(&record["resource"]).map_or_else(String::new, |resource| format!(" {resource}"));
    let documents = record["documents"].as_array().map_or(0, Vec::len) as u64;
    let documents = if documents > 0 {
        format!(", {}", output::counted(documents, "document", "documents"))
    } else {
        String::new()
    };
    format!(
        "{} {who}{acting}: {}{resource} → {}{documents}",
        duration::shown(Timestamp(record["at"].as_i64().unwrap_or(0))),
        text(&record["action"]).unwrap_or_default(),
        record["status"]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_log_is_told_with_its_tenant_and_line() {
        let report =
            LogReport { log: "acme".to_owned(), records: 11, signed: 10, problems: vec![Problem::Chain { line: 12 }] };
        let words = log_words(&report);
        assert!(words.starts_with("DAMAGED  tenant `acme`: 11 records"), "{words}");
        assert!(words.contains("line 12 does not follow the line before it; what follows"), "{words}");
        let sound = LogReport { log: SERVER_LOG.to_owned(), records: 1, signed: 0, problems: Vec::new() };
        assert_eq!(log_words(&sound), "sound    the server's own log: 1 record, 0 of them under a signed checkpoint");
    }

    #[test]
    fn a_record_reads_as_a_sentence() {
        let context = Context { config: None, json: false };
        let line = r#"{"seq":1,"at":1800000000000000,"actor":{"credential":"ab","principal":"service:sync","acting_for":"user:alice"},"action":"search","status":200,"request_id":"r","documents":["a/b"],"count":1,"prev":"","hash":""}"#;
        assert_eq!(
            record(&context, line),
            "2027-01-15T08:00:00Z service:sync for user:alice: search → 200, 1 document"
        );
        assert!(record(&context, "\u{1b}[2J").starts_with("not a record"));
    }

    #[test]
    fn a_public_key_is_a_file_or_its_digits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k.pub");
        fs::write(&file, format!("{}\n", "ab".repeat(32))).unwrap();
        assert_eq!(read_public_key(file.to_str().unwrap()), Ok([0xab; 32]));
        assert_eq!(read_public_key(&"AB".repeat(32)), Ok([0xab; 32]));
        assert!(read_public_key("nothing").is_err());
    }
}
