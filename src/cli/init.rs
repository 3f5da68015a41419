//! `ringfence init`: a configuration, a data directory with its keys, and the first operator key.
//!
//! Nothing that exists is overwritten, and what a failed attempt made is removed.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{failure::Failure, options::Context, output};
use crate::{
    app::App,
    clock::Clock,
    config::{Config, FILE},
    entropy::Entropy,
};

#[derive(Debug, Args)]
#[command(after_help = "The operator key is shown once. It manages tenants and keys and reaches no content.")]
pub(super) struct Init {
    /// Where the database, the audit log and the keys go [default: ringfence-data beside the configuration]
    #[arg(long, value_name = "DIR", env = "RINGFENCE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR", env = "RINGFENCE_LISTEN", default_value = "127.0.0.1:7300")]
    listen: SocketAddr,
}

impl Init {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let file = context.config.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let written = self.data_dir.map_or_else(|| Ok(Config::default().data_dir), |dir| as_written(dir, &folder))?;
        let data_dir = folder.join(&written);
        if file.exists() {
            return Err(Failure::new(format!("`{}` exists already", file.display()))
                .with_remedy("`ringfence serve` runs with it; for a second server name another file with `--config`"));
        }
        if !folder.as_os_str().is_empty() && !folder.is_dir() {
            return Err(Failure::new(format!("there is no folder `{}`", folder.display())).with_remedy("make it first"));
        }
        let config = Config { data_dir: data_dir.clone(), ..Config::default() };
        let text = Config::template(self.listen, &written);
        let made = make_data_dir(&data_dir)?;
        let outcome = async {
            let key = App::init(config, Arc::new(Clock::System), Arc::new(Entropy::System)).await?;
            write_config(&file, &text)?;
            Ok(key)
        };
        let key: SecretString = match outcome.await {
            Ok(key) => key,
            Err(failure) => return Err(made.undo(failure)),
        };
        tell(context, &file, &data_dir, self.listen, &key)
    }
}

/// The data directory as the configuration names it: relative only where that means the same from the file's folder.
fn as_written(dir: PathBuf, folder: &Path) -> Result<PathBuf, Failure> {
    let is_here = folder.as_os_str().is_empty() || folder == Path::new(".");
    if dir.as_os_str().is_empty() {
        return Err(Failure::usage("`--data-dir` is empty"));
    }
    if is_here {
        Ok(dir)
    } else {
        std::path::absolute(&dir).map_err(|error| Failure::caused("cannot find out where this is", &error))
    }
}

/// What was made, to be removed again where the rest fails.
#[derive(Debug)]
pub(super) struct Made {
    dir: PathBuf,
    was_there: bool,
}

impl Made {
    pub(super) fn undo(self, failure: Failure) -> Failure {
        let removed = if self.was_there { empty(&self.dir) } else { fs::remove_dir_all(&self.dir) };
        match removed {
            Ok(()) => failure,
            Err(_) => failure.with_remedy(format!("remove `{}` before the next attempt", self.dir.display())),
        }
    }
}

fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

/// Makes a data directory for the owner alone; an empty one that is there is taken.
pub(super) fn make_data_dir(dir: &Path) -> Result<Made, Failure> {
    let cannot = |error: &io::Error| {
        Failure::caused(format!("cannot make the data directory `{}`", dir.display()), error)
            .with_remedy("name a place that this user may write to with `--data-dir`")
    };
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Failure::new(format!("the data directory `{}` is not empty", dir.display()))
                    .with_remedy("name another with `--data-dir`; `ringfence init` never overwrites one"));
            }
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            fs::set_permissions(dir, private).map_err(|error| cannot(&error))?;
            Ok(Made { dir: dir.to_owned(), was_there: true })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                fs::create_dir_all(parent).map_err(|error| cannot(&error))?;
            }
            DirBuilder::new().mode(0o700).create(dir).map_err(|error| cannot(&error))?;
            Ok(Made { dir: dir.to_owned(), was_there: false })
        }
        Err(error) => Err(cannot(&error)),
    }
}

fn write_config(file: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let mut out = OpenOptions::new().write(true).create_new(true).open(file)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    write().map_err(|error: io::Error| {
        Failure::caused(format!("cannot write `{}`", file.display()), &error)
            .with_remedy("name a place that this user may write to with `--config`")
    })
}

fn tell(
    context: &Context,
    file: &Path,
    data_dir: &Path,
    listen: SocketAddr,
    key: &SecretString,
) -> Result<(), Failure> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let (config, data_dir, key) = (absolute(file), absolute(data_dir), key.expose_secret());
    if context.json {
        return output::say_json(&json!({"config": config, "data_dir": data_dir, "operator_key": key}));
    }
    let warning = Config { listen, ..Config::default() }.check().err().map_or_else(String::new, |refusal| {
        format!("`serve` will refuse this address as it is: {}.\n\n", refusal.remedy)
    });
    let with_config = context.config.as_ref().map_or_else(String::new, |file| format!(" --config {}", file.display()));
    output::say(&format!(
        "configuration  {config}\ndata           {data_dir}\noperator key   {key}\n\n\
         Keep the operator key: it is not shown again. It manages tenants and keys and reaches no content.\n\n{warning}\
         next:\n  ringfence serve{with_config}                     # listens on {listen}\n  \
         export RINGFENCE_KEY={key}\n  ringfence tenant create acme --name \"Acme Ltd\"\n  \
         ringfence key create --tenant acme --kind service --name admin --scope collections,ingest,acl,keys,search,read,assert"
    ))
}
