//! `ringfence ingest`: files and folders into a collection, resumable, with a report of what was stripped.

mod files;
mod state;
mod summary;
mod upload;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use futures_util::{StreamExt, stream::FuturesUnordered};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use ringfence_indexes::Principal;
use serde_json::{Value, json};

use self::{
    files::Found,
    state::{Entry, State},
    summary::Summary,
    upload::{Batch, Refused, Target, Upload, Uploaded},
};
use super::{
    client::{Client, ClientError},
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};
use crate::clock::Clock;

/// A larger file is not read: no server takes it.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Work that takes longer than this shows how far it is.
const BAR_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
A document's id is its path below the named folder. What an extension names is sent, what the server does not read is told; hidden files are left out and links are not followed.
What was uploaded is remembered, so that the same command goes on after a break and skips what has not changed.
Without `--allow` the collection's default ACL holds.")]
pub(super) struct Ingest {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The collection
    #[arg(long, value_name = "COLLECTION")]
    collection: String,
    /// Who may read them: `user:alice`, `group:eng`, `everyone`; may be repeated
    #[arg(long, value_name = "PRINCIPAL", value_delimiter = ',', value_parser = principal)]
    allow: Vec<Principal>,
    /// Who may not, although allowed otherwise; may be repeated
    #[arg(long, value_name = "PRINCIPAL", value_delimiter = ',', value_parser = principal, requires = "allow")]
    deny: Vec<Principal>,
    /// Make the collection where there is none
    #[arg(long)]
    create: bool,
    /// Where to remember what was uploaded [default: a file under the user's state folder]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How many requests at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    /// As this person, with a key that has the scope `assert`
    #[arg(long = "as", value_name = "PRINCIPAL")]
    person: Option<String>,
    #[command(flatten)]
    server: ServerOptions,
}

fn principal(text: &str) -> Result<Principal, String> {
    Principal::new(text).map_err(|error| error.to_string())
}

impl Ingest {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut client = self.server.client(context)?;
        if let Some(person) = &self.person {
            client = client.acting_for(person)?;
        }
        let settings = self.collection(&client).await?;
        let accept: Vec<String> = serde_json::from_value(settings["accept"].clone()).unwrap_or_default();
        let walk = files::walk(&self.paths, &accept)?;
        let path = self.state_path(&client)?;
        let state = State::load(path.clone()).map_err(|error| cannot_remember(&path, &error))?;
        let listed = self.listed(&client, &state, &walk.files).await?;
        let summary = Summary {
            unsupported: walk.unsupported,
            failed: walk.failed,
            is_verified: listed.is_some(),
            ..Summary::default()
        };
        let mut run = Run { state, listed, summary, bar: Bar::new(context, walk.files.len()), path };
        let target = Target { client, collection: self.collection.clone(), acl: self.acl() };
        let began = Clock::System.now();
        let stopped = run.upload(&target, walk.files, usize::from(self.jobs)).await;
        let micros = Clock::System.now().0.saturating_sub(began.0);
        run.summary.took = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        run.finish(context, stopped)
    }

    /// The settings of the collection, which is made where it is missing and that was asked for.
    async fn collection(&self, client: &Client) -> Result<Value, Failure> {
        let path = ["v1", "collections", &self.collection];
        match client.send(client.request(Method::GET, &path)).await {
            Ok(settings) => Ok(settings),
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => {
                if !self.create {
                    return Err(Failure::new(format!(
                        "there is no collection `{}` for this key",
                        output::printable(&self.collection)
                    ))
                    .with_remedy("`--create` makes it, with a key that has the scope `collections`"));
                }
                Ok(client.send(client.request(Method::PUT, &path).json(&json!({}))).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn acl(&self) -> Option<Value> {
        let names = |principals: &[Principal]| {
            principals.iter().map(|principal| principal.as_str().to_owned()).collect::<Vec<_>>()
        };
        let mut acl = json!({"allow": names(&self.allow)});
        if !self.deny.is_empty() {
            acl["deny"] = json!(names(&self.deny));
        }
        (!self.allow.is_empty()).then_some(acl)
    }

    fn state_path(&self, client: &Client) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.state {
            return Ok(path.clone());
        }
        // A token is another one each time: what it uploads is remembered under one name.
        let key = client.key_id().map_or("token", String::as_str);
        let key = format!("{key} {}", self.person.as_deref().unwrap_or_default());
        state::default_path(client.server().as_str(), &key, &self.collection).ok_or_else(|| {
            Failure::new("there is no home folder to remember in").with_remedy("name a file with `--state`")
        })
    }

    /// What the server has, by id; `None` where this key may not list it. Not asked where nothing could be skipped.
    async fn listed(
        &self,
        client: &Client,
        state: &State,
        files: &[Found],
    ) -> Result<Option<HashMap<String, String>>, Failure> {
        if !files.iter().any(|file| state.get(&file.id).is_some()) {
            return Ok(Some(HashMap::new()));
        }
        let list = client.list(&["v1", "collections", &self.collection, "documents"], &[("limit", "100")]).await;
        let documents = match list {
            Ok(documents) => documents,
            Err(ClientError::Refused(refusal)) if matches!(refusal.status, 403 | 404) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let text = |document: &Value, field: &str| document[field].as_str().map(str::to_owned);
        // A document that is held back is not among those that are read, and neither is its hash.
        let known = |document: &Value| {
            Some((
                text(document, "document_id")?,
                text(document, "content_hash").or_else(|| text(&document["provenance"], "content_hash"))?,
            ))
        };
        Ok(Some(documents.iter().filter_map(known).collect()))
    }
}

fn cannot_remember(path: &Path, error: &std::io::Error) -> Failure {
    Failure::caused(format!("cannot remember uploads in `{}`", path.display()), error)
        .with_remedy("name another file with `--state`")
}

/// One run over the files.
struct Run {
    state: State,
    listed: Option<HashMap<String, String>>,
    summary: Summary,
    bar: Bar,
    path: PathBuf,
}

impl Run {
    /// Uploads what is new or changed; gives back why it stopped early, if it did.
    async fn upload(&mut self, target: &Target, files: Vec<Found>, jobs: usize) -> Option<Failure> {
        let acl = target.acl.as_ref().map_or_else(String::new, Value::to_string);
        let (mut batch, mut uploads) = (Batch::default(), FuturesUnordered::new());
        for file in files {
            let Some(upload) = self.prepare(&file, &acl) else { continue };
            if let Some(full) = batch.push(upload) {
                uploads.push(target.clone().send(full));
            }
            while uploads.len() >= jobs {
                let done = uploads.next().await?;
                if let Err(failure) = self.take(done) {
                    return Some(failure);
                }
            }
        }
        if !batch.is_empty() {
            uploads.push(target.clone().send(batch));
        }
        while let Some(done) = uploads.next().await {
            if let Err(failure) = self.take(done) {
                return Some(failure);
            }
        }
        None
    }

    /// Reads a file; `None` for one that is not to be sent.
    fn prepare(&mut self, file: &Found, acl: &str) -> Option<Upload> {
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(why) => {
                self.summary.failed.push((file.id.clone(), why));
                self.bar.advance(1);
                return None;
            }
        };
        let fingerprint = state::fingerprint(&bytes, file.media_type, acl);
        let known = self.state.get(&file.id);
        if known.is_some_and(|known| known.fingerprint == fingerprint && self.is_there(known)) {
            self.summary.unchanged += 1;
            self.bar.advance(1);
            return None;
        }
        let is_change = known.is_some();
        Some(Upload { id: file.id.clone(), media_type: file.media_type, bytes, fingerprint, is_change })
    }

    /// Whether the server still has what was uploaded; believed where this key cannot see it.
    fn is_there(&self, known: &Entry) -> bool {
        self.listed.as_ref().is_none_or(|listed| listed.get(&known.id) == Some(&known.content_hash))
    }

    fn take(&mut self, done: Result<Vec<Uploaded>, ClientError>) -> Result<(), Failure> {
        let done = done?;
        self.bar.advance(done.len());
        let mut entries = Vec::new();
        for Uploaded { upload, outcome } in done {
            match outcome {
                Ok(result) => {
                    self.summary.count(&upload.id, &result, upload.is_change, upload.bytes.len());
                    let content_hash = result["content_hash"].as_str().unwrap_or_default().to_owned();
                    entries.push(Entry { id: upload.id, fingerprint: upload.fingerprint, content_hash });
                }
                Err(Refused::Format) => {
                    *self.summary.unsupported.entry(files::extension(Path::new(&upload.id))).or_default() += 1;
                }
                Err(Refused::Other(why)) => self.summary.failed.push((upload.id, why)),
            }
        }
        self.state.add(entries).map_err(|error| cannot_remember(&self.path, &error))
    }

    fn finish(self, context: &Context, stopped: Option<Failure>) -> Result<(), Failure> {
        self.bar.end();
        self.state.finish().map_err(|error| cannot_remember(&self.path, &error))?;
        if context.json {
            output::say_json(&self.summary.json())?;
        } else {
            output::say(&self.summary.words())?;
        }
        if let Some(failure) = stopped {
            return Err(failure.during("stopped early, and the same command goes on from here"));
        }
        match self.summary.failed.len() as u64 {
            0 => Ok(()),
            failed => Err(Failure::new(format!("{} could not be ingested", output::counted(failed, "file", "files")))),
        }
    }
}

fn read(file: &Found) -> Result<Vec<u8>, String> {
    let bytes = fs::metadata(&file.path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("{bytes} bytes are more than any server takes"));
    }
    fs::read(&file.path).map_err(|error| error.to_string())
}

/// How far it is, for a person who waits longer than a second.
struct Bar {
    bar: ProgressBar,
    is_watched: bool,
}

impl Bar {
    fn new(context: &Context, files: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {elapsed} gone, {eta} to go");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, is_watched: output::is_watched() && !context.json }
    }

    fn advance(&self, files: usize) {
        if self.is_watched && self.bar.is_hidden() && self.bar.elapsed() > BAR_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(files as u64);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
