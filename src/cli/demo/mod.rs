//! `ringfence demo`: two companies, several people, the same questions, and a check of every answer.
//!
//! The demo is a client of its own server: it loads and asks over HTTP with real keys, so that what it shows is what a program would get.

mod data;
mod load;
mod show;
mod story;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use data_encoding::HEXLOWER;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use self::{load::Loaded, story::Told};
use super::{
    client::Client,
    failure::Failure,
    init::make_data_dir,
    local,
    options::Context,
    output,
    serve::{Signals, bind, url},
};
use crate::{app::App, cage::Cage, config::Config, entropy::Entropy, http, telemetry};

/// A file that says that a data directory was made by the demo, which loads into no other.
const MARK: &str = "demo";
/// The document that is asked for beside a missing one: by whom, where, which.
const HIDDEN: (&str, &str, &str) = ("user:carol", "hr", "salary-bands-2026");

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Exit after the questions instead of going on serving
    #[arg(long)]
    once: bool,
    /// Where to keep the data; may be used again [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7300")]
    listen: SocketAddr,
}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if !self.listen.ip().is_loopback() {
            return Err(Failure::usage(format!("the demo prints its keys, so it does not listen on {}", self.listen))
                .with_remedy("listen on 127.0.0.1"));
        }
        telemetry::start_quietly();
        let signals = Signals::new()?;
        // Before anything is made: the most likely refusal is that the port is taken.
        let listener = bind(self.listen, "--listen").await?;
        let home = Home::open(self.data_dir.as_deref())?;
        let config = Config {
            listen: self.listen,
            data_dir: home.dir.clone(),
            worker_program: Some(Cage::own_program()),
            ..Config::default()
        };
        let (app, operator) = local::open_or_init(config, load::OPERATOR_NAME).await?;
        let outcome = show_and_serve(context, self.once, Arc::clone(&app), &operator, listener, signals).await;
        local::close(&app).await.and(outcome)
    }
}

async fn show_and_serve(
    context: &Context,
    once: bool,
    app: Arc<App>,
    operator: &SecretString,
    listener: TcpListener,
    mut signals: Signals,
) -> Result<(), Failure> {
    let url = url(&listener, false)?;
    let client = Client::new(&url, operator)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move { http::run(app, listener, None, async { drop(stopped.await) }).await });
    let outcome = tokio::select! {
        outcome = show(context, &client, once) => outcome,
        name = signals.next() => Err(Failure::new(format!("ended by {name} before the last question"))),
    };
    if outcome.is_ok() && !once {
        signals.next().await;
    }
    // An error means that the server has ended by itself.
    let _ended = stop.send(());
    let served = server.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    outcome.and(served.map_err(|error| Failure::caused("the demo's server failed", &error)))
}

/// Loads, asks, tells; fails where something that must hold does not.
async fn show(context: &Context, operator: &Client, once: bool) -> Result<(), Failure> {
    let url = operator.server().as_str().trim_end_matches('/').to_owned();
    let say = |text: &str| if context.json { Ok(()) } else { output::say(text) };
    say(&format!("Ringfence {} demo at {url}\nAPI documentation: {url}/docs\n", env!("CARGO_PKG_VERSION")))?;
    load::revoke_old_operators(operator).await?;
    let mut tenants = Vec::new();
    for tenant in data::tenants() {
        tenants.push(load::load(operator, &tenant).await?);
    }
    say(&show::tenants(&tenants))?;
    let mut all = Vec::new();
    for (index, question) in data::questions().iter().enumerate() {
        let told = story::tell(&tenants, question).await?;
        say(&show::question(index + 1, &told))?;
        all.push(told);
    }
    let (person, collection, document) = HIDDEN;
    let hidden = story::hidden_like_missing(&tenants, person, collection, document).await?;
    say(&show::hidden(&hidden))?;
    let held = all.iter().map(|told| told.held).sum::<u64>() + u64::from(hidden.is_alike());
    let broken = all.iter().map(|told| told.broken.len()).sum::<usize>() as u64 + u64::from(!hidden.is_alike());
    if context.json {
        output::say_json(&report(&url, &tenants, &all, held, broken))?;
    } else {
        output::say(&ending(&url, &tenants, held, broken, once))?;
    }
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("{} of the demo did not hold", output::counted(broken, "expectation", "expectations"))))
}

fn report(url: &str, tenants: &[Loaded], told: &[Told], held: u64, broken: u64) -> Value {
    json!({
        "server": url, "docs": format!("{url}/docs"), "tenants": show::tenants_json(tenants),
        "questions": told.iter().map(show::question_json).collect::<Vec<_>>(), "held": held, "broken": broken,
    })
}

fn ending(url: &str, tenants: &[Loaded], held: u64, broken: u64, once: bool) -> String {
    let verdict = format!("\n{held} of {} held.", output::counted(held + broken, "expectation", "expectations"));
    let Some(asker) = tenants.first().and_then(|tenant| tenant.people.first()).filter(|_| !once) else {
        return verdict;
    };
    format!(
        "{verdict}\n\nAsk for yourself, as {}; another person's key gives another answer:\n\n\
         curl -s {url}/v1/search -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' -d '{{\"query\": \"How often do we rotate the signing keys?\"}}'\n\n\
         or RINGFENCE_SERVER={url} RINGFENCE_KEY=KEY ringfence search 'a question'\n\nServing until Ctrl-C.",
        asker.person.principal, asker.key
    )
}

/// Where the demo's data lies; a temporary folder is removed with it.
#[derive(Debug)]
struct Home {
    dir: PathBuf,
    is_temporary: bool,
}

impl Home {
    fn open(dir: Option<&Path>) -> Result<Self, Failure> {
        let home = match dir {
            Some(dir) => Self { dir: dir.to_owned(), is_temporary: false },
            None => {
                let name = format!("ringfence-demo-{}", HEXLOWER.encode(&Entropy::System.bytes::<8>()));
                Self { dir: std::env::temp_dir().join(name), is_temporary: true }
            }
        };
        if home.dir.join(MARK).is_file() {
            return Ok(home);
        }
        let made = make_data_dir(&home.dir);
        made.map_err(|failure| {
            failure
                .with_remedy("the demo loads into a new folder or into one of its own: name another with `--data-dir`")
        })?;
        fs::write(home.dir.join(MARK), "The demo of Ringfence made this data directory and may load into it again.\n")?;
        Ok(home)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.is_temporary && fs::remove_dir_all(&self.dir).is_err() {
            output::complain(&format!("`{}` could not be removed", self.dir.display()));
        }
    }
}
