//! `ringfence policy`: put, list, show, delete, simulate, test. Each is one request; permission tests that fail give exit code 1.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::Client,
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};

#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Make or replace a policy from a file of Cedar text
    Put {
        /// Its name
        name: String,
        /// The file; `-` for standard input
        file: PathBuf,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// List the policies
    List {
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Show one policy and its versions
    Show {
        /// The policy
        name: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Delete a policy; its versions stay readable
    Delete {
        /// The policy
        name: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Show what a change would open and close; nothing is changed
    Simulate {
        /// The policy
        name: String,
        /// The file with the text that it would get; `-` for standard input
        #[arg(required_unless_present = "delete", conflicts_with = "delete")]
        file: Option<PathBuf>,
        /// What deleting it would do
        #[arg(long)]
        delete: bool,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Run permission tests, the server's own or those of a file; exit code 1 where one fails
    Test {
        /// The file, such as `tests.toml`; `-` for standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Keep the tests of the file: from then on every change of policies must pass them
        #[arg(long, requires = "file")]
        keep: bool,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Print the schema that policies hold to
    Schema {
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Say whether policies that permit take part, or ask
    Permit {
        /// `on` or `off`; without it, what holds now
        #[arg(value_parser = ["on", "off"])]
        value: Option<String>,
        #[command(flatten)]
        server: ServerOptions,
    },
}

impl Policy {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            PolicyCommand::Put { name, file, description, server } => {
                let body = json!({"text": read(&file)?, "description": description});
                put(&server.client(context)?, context, &name, &body).await
            }
            PolicyCommand::List { server } => list(&server.client(context)?, context).await,
            PolicyCommand::Show { name, server } => show(&server.client(context)?, context, &name).await,
            PolicyCommand::Delete { name, server } => delete(&server.client(context)?, context, &name).await,
            PolicyCommand::Simulate { name, file, delete, server } => {
                let mut body = json!({"name": name});
                match &file {
                    Some(file) => body["text"] = read(file)?.into(),
                    None => body["delete"] = delete.into(),
                }
                simulate(&server.client(context)?, context, &body).await
            }
            PolicyCommand::Test { file, keep, server } => {
                let tests = file.as_deref().map(read).transpose()?;
                test(&server.client(context)?, context, tests, keep).await
            }
            PolicyCommand::Schema { server } => schema(&server.client(context)?, context).await,
            PolicyCommand::Permit { value, server } => {
                permit(&server.client(context)?, context, value.map(|value| value == "on")).await
            }
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|found| text = found)
    };
    read.map_err(|error| Failure::caused(format!("cannot read `{}`", file.display()), &error))?;
    Ok(text)
}

fn text(value: &Value, field: &str) -> String {
    output::printable(value[field].as_str().unwrap_or_default())
}

async fn put(client: &Client, context: &Context, name: &str, body: &Value) -> Result<(), Failure> {
    let policy = client.send(client.request(Method::PUT, &["v1", "policies", name]).json(body)).await?;
    if context.json {
        return output::say_json(&policy);
    }
    let mut lines =
        vec![format!("version {} of the policy `{}` holds from now on", policy["version"], text(&policy, "name"))];
    for warning in policy["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("warning: {}", output::printable(warning.as_str().unwrap_or_default())));
    }
    output::say(&lines.join("\n"))
}

async fn list(client: &Client, context: &Context) -> Result<(), Failure> {
    let policies = client.list(&["v1", "policies"], &[]).await?;
    if context.json {
        return output::say_json(&json!({"policies": policies}));
    }
    if policies.is_empty() {
        return output::say("no policies");
    }
    let mut table = output::table(&["policy", "version", "does", "evaluated", "description", "written", "by"]);
    for policy in &policies {
        let evaluated = if policy["depends_on_context"] == true { "for each request" } else { "for each reader" };
        table.add_row([
            text(policy, "name"),
            policy["version"].to_string(),
            effects(policy).to_owned(),
            evaluated.to_owned(),
            text(policy, "description"),
            text(policy, "written_at"),
            text(policy, "written_by"),
        ]);
    }
    output::say(&table.to_string())
}

fn effects(policy: &Value) -> &'static str {
    match (policy["forbids"] == true, policy["permits"] == true) {
        (true, true) => "forbids, permits",
        (false, true) => "permits",
        _ => "forbids",
    }
}

async fn show(client: &Client, context: &Context, name: &str) -> Result<(), Failure> {
    let versions = client.list(&["v1", "policies", name, "versions"], &[]).await?;
    if context.json {
        return output::say_json(&json!({"name": name, "versions": versions}));
    }
    let mut lines = Vec::new();
    for version in &versions {
        let what = if version["text"].is_null() { " deleted" } else { "" };
        let by = text(version, "written_by");
        lines.push(format!("version {}{what}, {} by {by}", version["version"], text(version, "written_at")));
        for line in version["text"].as_str().unwrap_or_default().lines() {
            lines.push(format!("    {}", output::printable(line)));
        }
    }
    output::say(&lines.join("\n"))
}

async fn delete(client: &Client, context: &Context, name: &str) -> Result<(), Failure> {
    client.send(client.request(Method::DELETE, &["v1", "policies", name])).await?;
    if context.json {
        output::say_json(&json!({"deleted": name}))
    } else {
        output::say(&format!("deleted the policy `{}`", output::printable(name)))
    }
}

async fn simulate(client: &Client, context: &Context, body: &Value) -> Result<(), Failure> {
    let told = client.send(client.request(Method::POST, &["v1", "policies:simulate"]).json(body)).await?;
    if context.json {
        return output::say_json(&told);
    }
    let mut table = output::table(&["", "principal", "passages"]);
    for (list, word) in [("opens", "opens"), ("closes", "closes")] {
        for difference in told[list].as_array().into_iter().flatten() {
            table.add_row([word.to_owned(), text(difference, "principal"), difference["chunks"].to_string()]);
        }
    }
    let count = |list: &str, what: &str| told["counts"][list][what].as_u64().unwrap_or_default();
    let total = |list: &str| {
        let principals = output::counted(count(list, "principals"), "principal", "principals");
        format!("{list} {} for {principals}", output::counted(count(list, "chunks"), "passage", "passages"))
    };
    let examined = told["counts"]["examined"].as_u64().unwrap_or_default();
    let mut lines = Vec::new();
    if table.row_count() > 0 {
        lines.push(table.to_string());
    }
    let examined = output::counted(examined, "principal", "principals");
    lines.push(format!("{}; {}; looked at {examined}, changed nothing", total("opens"), total("closes")));
    if told["depends_on_context"] == true {
        lines.push("the policy looks at the request: this is for a request made now".to_owned());
    }
    let failing = failures(&told["tests"]);
    if !failing.is_empty() {
        lines.push(format!("the change would be refused, because permission tests fail:\n{}", failing.join("\n")));
    }
    output::say(&lines.join("\n"))
}

fn failures(run: &Value) -> Vec<String> {
    let results = run["results"].as_array().into_iter().flatten();
    results.filter(|result| result["passed"] == false).map(|result| text(result, "detail")).collect()
}

async fn test(client: &Client, context: &Context, tests: Option<String>, keep: bool) -> Result<(), Failure> {
    let body = tests.map_or_else(|| json!({}), |tests| json!({"tests": tests}));
    let (method, route) = if keep { (Method::PUT, "policies:tests") } else { (Method::POST, "policies:test") };
    let run = client.send(client.request(method, &["v1", route]).json(&body)).await?;
    if context.json {
        output::say_json(&run)?;
    } else {
        let mut table = output::table(&["line", "expectation", "outcome"]);
        for result in run["results"].as_array().into_iter().flatten() {
            let outcome = if result["passed"] == true { "holds" } else { "FAILS" };
            let detail = result["detail"].as_str().and_then(|detail| detail.split_once(" fails: "));
            let outcome =
                detail.map_or_else(|| outcome.to_owned(), |(_, why)| format!("{outcome}: {}", output::printable(why)));
            table.add_row([result["line"].to_string(), text(result, "test"), outcome]);
        }
        let count = |field: &str| run[field].as_u64().unwrap_or_default();
        let total = format!("{} hold, {} fail", count("passed"), count("failed"));
        output::say(&if table.row_count() == 0 {
            "no permission tests".to_owned()
        } else {
            format!("{table}\n{total}")
        })?;
    }
    match run["failed"].as_u64() {
        Some(0) => Ok(()),
        failed => Err(Failure::new(format!(
            "{} of the permission tests",
            output::counted(failed.unwrap_or_default(), "fails", "fail")
        ))),
    }
}

async fn schema(client: &Client, context: &Context) -> Result<(), Failure> {
    let schema = client.send(client.request(Method::GET, &["v1", "policies:schema"])).await?;
    if context.json { output::say_json(&schema) } else { output::say(schema["schema"].as_str().unwrap_or_default()) }
}

async fn permit(client: &Client, context: &Context, value: Option<bool>) -> Result<(), Failure> {
    let path = ["v1", "policies:settings"];
    let request = match value {
        Some(permit) => client.request(Method::PUT, &path).json(&json!({"permit": permit})),
        None => client.request(Method::GET, &path),
    };
    let settings = client.send(request).await?;
    if context.json {
        return output::say_json(&settings);
    }
    let does = if settings["permit"] == true { "take part" } else { "take no part" };
    output::say(&format!("policies that permit {does}"))
}
