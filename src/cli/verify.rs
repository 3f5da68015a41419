//! `ringfence verify`: whether a saved answer is the one that a server signed, for this query.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

use clap::Args;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;

use super::{
    client::Client,
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};
use crate::{
    clock::Clock,
    envelope::{Demand, EnvelopeError, PublicKeys, verify},
};

/// An answer has at most 100 passages; a file beyond this is something else.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The file with the answer of a search with `"signed": true`; `-` for standard input
    file: PathBuf,
    /// The query that was asked
    #[arg(long, value_name = "QUERY")]
    query: String,
    /// A file with the public keys, as `/.well-known/ringfence-keys.json` gave them; without it the server is asked
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The tenant that the answer must have been given to
    #[arg(long, value_name = "TENANT")]
    audience: Option<String>,
    #[command(flatten)]
    server: ServerOptions,
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let answer = self.answer()?;
        let keys = self.keys(context).await?;
        let demand = Demand { query: &self.query, audience: self.audience.as_deref(), now: Clock::System.now() };
        let envelope = verify(&answer, &keys, &demand).map_err(|error| {
            let failure = Failure::new(format!("not verified: {error}"));
            failure.with_remedy(remedy(&error))
        })?;
        if context.json {
            let envelope = json!({
                "verified": true, "key_id": envelope.key_id, "audience": envelope.audience,
                "issued_at": envelope.issued_at, "expires_at": envelope.expires_at, "results": envelope.results.len(),
            });
            return output::say_json(&envelope);
        }
        let count = output::counted(envelope.results.len() as u64, "passage", "passages");
        output::say(&format!(
            "verified: {count} for `{}`, signed at {} by the key {}, good until {}",
            output::printable(&envelope.audience),
            output::printable(&envelope.issued_at),
            output::printable(&envelope.key_id),
            output::printable(&envelope.expires_at)
        ))
    }

    fn answer(&self) -> Result<Vec<u8>, Failure> {
        let shown = output::printable(&self.file.display().to_string());
        let unreadable = |error: io::Error| Failure::caused(format!("cannot read `{shown}`"), &error);
        let mut bytes = Vec::new();
        if self.file.as_os_str() == "-" {
            io::stdin().take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
        } else {
            fs::File::open(&self.file)
                .and_then(|file| file.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes))
                .map_err(unreadable)?;
        }
        Ok(bytes)
    }

    async fn keys(&self, context: &Context) -> Result<PublicKeys, Failure> {
        let (json, from) = match &self.keys {
            Some(path) => {
                let shown = output::printable(&path.display().to_string());
                let unreadable = |error: io::Error| Failure::caused(format!("cannot read `{shown}`"), &error);
                (fs::read(path).map_err(unreadable)?, shown)
            }
            None => {
                // Public keys need no credential, and none is sent.
                let client = Client::new(&self.server.url(context), &SecretString::from("none"))?;
                let path = [".well-known", "ringfence-keys.json"];
                let keys = client.send_for_lines(client.request(Method::GET, &path)).await?;
                (keys.into_bytes(), client.server().as_str().to_owned())
            }
        };
        PublicKeys::parse(&json).map_err(|error| Failure::caused(format!("the keys of `{from}`"), &error))
    }
}

fn remedy(error: &EnvelopeError) -> &'static str {
    match error {
        EnvelopeError::Malformed(_) => "ask with `\"signed\": true`, and save the answer as it came",
        EnvelopeError::UnknownKey(_) => "use the public keys of the server that was asked",
        EnvelopeError::Expired(_) => "ask again: an envelope holds for five minutes",
        EnvelopeError::Future(_) => "set this machine's clock",
        EnvelopeError::OtherQuery => "give the query exactly as it was asked",
        EnvelopeError::OtherAudience | EnvelopeError::Signature | EnvelopeError::Answer => {
            "do not use the answer: ask the server again"
        }
    }
}
