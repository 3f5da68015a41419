//! Tokens for one task: `rft_<root>.<caveat>….<mac>`, a macaroon (Birgisson et al., NDSS 2014).
//!
//! The root is sealed by the server and says who acts for whom, and within which limits. Each caveat narrows it; whoever holds a token can append one without asking anybody, because the code after a caveat is made with the code before it as key, and the code before cannot be got back.
//! HMAC-SHA256 rather than a faster hash, since every language brings it. A caveat can only take away: whatever is appended, the child reads nothing that its parent does not.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ringfence_indexes::{AttributeValue, CollectionId, Principal, Selection, TenantId, Timestamp};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::{
    strict_json,
    token::{Directory, Groups, attribute_value},
};
use crate::{
    authz::Scopes,
    entropy::Entropy,
    seal::{MasterKey, Sealer},
};

/// What every token starts with.
pub(super) const PREFIX: &str = "rft_";
/// The longest that a token holds.
pub const TTL_SECONDS_MAX: u32 = 900;
/// The longest token in bytes: it must fit into a header.
const TOKEN_BYTES_MAX: usize = 12 * 1_024;
/// The most caveats of one token.
const CAVEATS_MAX: usize = 16;
/// The longest caveat in bytes, as it stands in the token.
const CAVEAT_BYTES_MAX: usize = 4_096;
/// The longest purpose in bytes.
const PURPOSE_BYTES_MAX: usize = 256;

/// Makes and reads tokens, with keys that derive from the master key.
pub struct TaskTokens {
    sealer: Sealer,
    mac: hmac::Key,
    /// Drawn at the start. What a token has spent is counted in memory, so one with a budget ends with the process that made it.
    process: String,
}

/// What the root of a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// The token's id, for the audit log and for revocation.
    pub(super) id: String,
    pub(super) tenant: TenantId,
    /// The application's key, and what stands for the secret that it showed.
    pub(super) key: String,
    pub(super) secret: [u8; 16],
    /// The person acted for, as their own token told.
    pub(super) person: Principal,
    pub(super) groups: Groups,
    pub(super) attributes: BTreeMap<String, AttributeValue>,
    /// The person's own token.
    pub(super) issuer: String,
    pub(super) jti: Option<String>,
    pub(super) issued_at: Option<Timestamp>,
    /// What for.
    pub(super) purpose: Option<String>,
    pub(super) limits: Limits,
    /// The most requests.
    pub(super) budget: Option<u32>,
    /// Whether this process made it, and has counted what was spent of it.
    pub(super) is_of_this_process: bool,
}

/// How far a token reaches. Two of them join to one that reaches as far as both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) scopes: Scopes,
    pub(super) collections: Selection,
    pub(super) results_max: Option<usize>,
    pub(super) expires_at: Timestamp,
}

/// A limit on the number of requests, and the name it is counted under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) name: [u8; 32],
    pub(super) requests_max: u32,
}

/// A token that this server made, narrowed by its caveats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaskToken {
    pub(super) root: Root,
    pub(super) limits: Limits,
    pub(super) budgets: Vec<Budget>,
}

/// What narrows a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caveat {
    /// These scopes at most.
    pub scopes: Option<Scopes>,
    /// These collections at most.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// So many results of one answer at most.
    pub results_max: Option<usize>,
    /// Refused from this moment on.
    pub expires_at: Option<Timestamp>,
    /// So many requests at most.
    pub budget: Option<u32>,
    /// What for. It cannot be changed, since a policy may allow one purpose what it refuses another.
    pub purpose: Option<String>,
}

impl TaskTokens {
    /// The tokens of a server.
    #[must_use]
    pub fn new(master: &MasterKey, entropy: &Entropy) -> Self {
        Self {
            sealer: Sealer::of_server(master),
            mac: hmac::Key::new(hmac::HMAC_SHA256, &master.derive("task token")),
            process: HEXLOWER.encode(&entropy.bytes::<8>()),
        }
    }

    /// Makes a token; `None` where what it must say does not fit into a header.
    pub(super) fn mint(&self, root: &Root, entropy: &Entropy) -> Option<SecretString> {
        let text = self.write_root(root).to_string();
        let root = format!("{PREFIX}{}", self.sealer.seal_token(text.as_bytes(), entropy));
        let token = format!("{root}.{}", encode(hmac::sign(&self.mac, root.as_bytes()).as_ref()));
        (token.len() <= TOKEN_BYTES_MAX).then(|| SecretString::from(token))
    }

    /// Reads a token; `None` for anything but a token that this server made and caveats that narrow it.
    pub(super) fn open(&self, token: &str) -> Option<TaskToken> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (body, mac) = token.rsplit_once('.')?;
        let mut parts = body.split('.');
        let sealed = parts.next()?;
        let caveats: Vec<&str> = parts.collect();
        if caveats.len() > CAVEATS_MAX {
            return None;
        }
        let mut code = hmac::sign(&self.mac, sealed.as_bytes());
        let mut codes = Vec::with_capacity(caveats.len());
        for caveat in &caveats {
            code = extend(code.as_ref(), caveat);
            codes.push(code);
        }
        let shown = BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?;
        // Nothing is parsed before the code is known to be right.
        if !bool::from(shown.ct_eq(code.as_ref())) {
            return None;
        }
        let text = self.sealer.open_token(sealed.strip_prefix(PREFIX)?)?;
        let root = self.read_root(&strict_json::parse_object(&text)?)?;
        let mut token = TaskToken { limits: root.limits.clone(), budgets: root.own_budget(), root };
        for (caveat, code) in caveats.iter().zip(&codes) {
            token.narrow(&Caveat::parse(caveat)?, code.as_ref())?;
        }
        // What was spent before a restart is not known.
        let is_counted = token.budgets.is_empty() || token.root.is_of_this_process;
        is_counted.then_some(token)
    }

    fn write_root(&self, root: &Root) -> Value {
        let groups: Vec<&str> = root.groups.named.iter().map(Principal::as_str).collect();
        let attributes: Map<String, Value> =
            root.attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
        let collections = match &root.limits.collections {
            Selection::All => Value::Null,
            Selection::Only(names) => names.iter().map(CollectionId::as_str).collect(),
        };
        json!({
            "id": root.id, "tenant": root.tenant.as_str(), "key": root.key, "secret": HEXLOWER.encode(&root.secret),
            "person": root.person.as_str(), "groups": groups, "directory": root.groups.directory.name(),
            "attributes": attributes, "issuer": root.issuer, "jti": root.jti,
            "issued_at": root.issued_at.map(|time| time.0), "purpose": root.purpose,
            "scopes": root.limits.scopes.names(), "collections": collections,
            "results_max": root.limits.results_max, "expires_at": root.limits.expires_at.0,
            "budget": root.budget, "process": self.process,
        })
    }

    /// What was sealed here was written here: a field that does not fit means that another version wrote it.
    fn read_root(&self, form: &Map<String, Value>) -> Option<Root> {
        let text = |name: &str| form.get(name)?.as_str();
        let maybe_text = |name: &str| form.get(name)?.as_str().map(str::to_owned);
        let time = |name: &str| form.get(name)?.as_i64().map(Timestamp);
        let texts = |name: &str| form.get(name)?.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
        let named = texts("groups")?.into_iter().map(|name| Principal::new(name).ok()).collect::<Option<_>>()?;
        let attributes = form.get("attributes")?.as_object()?.iter();
        let attributes = attributes.map(|(name, value)| Some((name.clone(), attribute_value(value)?)));
        let collections = match form.get("collections")? {
            Value::Null => Selection::All,
            _ => Selection::Only(
                texts("collections")?.into_iter().map(|id| CollectionId::new(id).ok()).collect::<Option<_>>()?,
            ),
        };
        let budget = match form.get("budget")? {
            Value::Null => None,
            number => Some(u32::try_from(number.as_u64()?).ok()?),
        };
        Some(Root {
            id: text("id")?.to_owned(),
            tenant: TenantId::new(text("tenant")?).ok()?,
            key: text("key")?.to_owned(),
            secret: HEXLOWER.decode(text("secret")?.as_bytes()).ok()?.try_into().ok()?,
            person: Principal::new(text("person")?).ok()?,
            groups: Groups { named, directory: Directory::from_name(text("directory")?)? },
            attributes: attributes.collect::<Option<_>>()?,
            issuer: text("issuer")?.to_owned(),
            jti: maybe_text("jti"),
            issued_at: time("issued_at"),
            purpose: maybe_text("purpose"),
            limits: Limits {
                scopes: Scopes::from_names(texts("scopes")?).ok()?,
                collections,
                results_max: form.get("results_max")?.as_u64().and_then(|number| usize::try_from(number).ok()),
                expires_at: time("expires_at")?,
            },
            budget,
            is_of_this_process: text("process")? == self.process,
        })
    }
}

impl Root {
    fn own_budget(&self) -> Vec<Budget> {
        let name = *blake3::hash(self.id.as_bytes()).as_bytes();
        self.budget.map(|requests_max| Budget { name, requests_max }).into_iter().collect()
    }
}

impl Limits {
    /// Reaches as far as both.
    pub(super) fn join(&mut self, other: &Caveat) {
        if let Some(scopes) = &other.scopes {
            self.scopes = self.scopes.intersect(scopes);
        }
        if let Some(collections) = &other.collections {
            self.collections = self.collections.intersect(&Selection::Only(collections.clone()));
        }
        self.results_max = [self.results_max, other.results_max].into_iter().flatten().min();
        self.expires_at = other.expires_at.map_or(self.expires_at, |end| end.min(self.expires_at));
    }
}

impl TaskToken {
    /// Narrows it; `None` for a caveat that would change what for it is.
    fn narrow(&mut self, caveat: &Caveat, code: &[u8]) -> Option<()> {
        if caveat.purpose.is_some() && caveat.purpose != self.root.purpose {
            return None;
        }
        self.limits.join(caveat);
        if let Some(requests_max) = caveat.budget {
            self.budgets.push(Budget { name: code.try_into().ok()?, requests_max });
        }
        Some(())
    }
}

impl Caveat {
    /// Appends it to a token: what whoever holds the token can do without this program. `None` where the result would be too long.
    #[must_use]
    pub fn append(&self, token: &str) -> Option<String> {
        let (body, code) = token.rsplit_once('.')?;
        let caveat = encode(self.write().to_string().as_bytes());
        let code = extend(&BASE64URL_NOPAD.decode(code.as_bytes()).ok()?, &caveat);
        let longer = format!("{body}.{caveat}.{}", encode(code.as_ref()));
        let fits = caveat.len() <= CAVEAT_BYTES_MAX && longer.len() <= TOKEN_BYTES_MAX;
        (fits && body.split('.').count() <= CAVEATS_MAX).then_some(longer)
    }

    fn write(&self) -> Value {
        let mut form = Map::new();
        let mut put = |name: &str, value: Option<Value>| form.extend(value.map(|value| (name.to_owned(), value)));
        put("scope", self.scopes.as_ref().map(|scopes| scopes.names().join(" ").into()));
        put("collections", self.collections.as_ref().map(|ids| ids.iter().map(CollectionId::as_str).collect()));
        put("max_results", self.results_max.map(Value::from));
        // Whole seconds, as in a JWT; rounded down, so that it is never later.
        put("exp", self.expires_at.map(|time| time.0.div_euclid(1_000_000).into()));
        put("budget", self.budget.map(Value::from));
        put("purpose", self.purpose.as_deref().map(Value::from));
        form.into()
    }

    /// Reads a caveat; `None` for what is not understood, since it was meant to narrow something.
    fn parse(part: &str) -> Option<Self> {
        if part.len() > CAVEAT_BYTES_MAX {
            return None;
        }
        let mut caveat = Self::default();
        for (name, value) in strict_json::parse_object(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?)? {
            match name.as_str() {
                "scope" => {
                    caveat.scopes =
                        Some(Scopes::from_names(value.as_str()?.split(' ').filter(|name| !name.is_empty())).ok()?);
                }
                "collections" => {
                    let ids = value.as_array()?.iter().map(|id| CollectionId::new(id.as_str()?).ok());
                    caveat.collections = Some(ids.collect::<Option<_>>()?);
                }
                "max_results" => {
                    caveat.results_max = Some(usize::try_from(value.as_u64().filter(|most| *most > 0)?).ok()?);
                }
                "exp" => caveat.expires_at = Some(Timestamp(value.as_i64()?.checked_mul(1_000_000)?)),
                "budget" => caveat.budget = Some(u32::try_from(value.as_u64()?).ok()?),
                "purpose" => caveat.purpose = Some(value.as_str().filter(|text| is_purpose(text))?.to_owned()),
                _ => return None,
            }
        }
        Some(caveat)
    }
}

impl std::fmt::Debug for TaskTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TaskTokens").finish_non_exhaustive()
    }
}

/// Whether a text can be a purpose: short, and one line.
#[must_use]
pub fn is_purpose(text: &str) -> bool {
    !text.is_empty() && text.len() <= PURPOSE_BYTES_MAX && !text.contains(char::is_control)
}

/// The code after a caveat.
fn extend(code: &[u8], caveat: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, code), caveat.as_bytes())
}

fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Integer(number) => (*number).into(),
        AttributeValue::Text(text) => text.as_str().into(),
        AttributeValue::Texts(texts) => texts.iter().cloned().collect(),
        AttributeValue::Boolean(is_true) => (*is_true).into(),
    }
}

#[cfg(test)]
#[path = "task_token_tests.rs"]
mod tests;
