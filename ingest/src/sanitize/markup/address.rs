//! Which addresses may stay in a text.

/// Whether an address stays on the site it is read from, and carries no data.
pub(super) fn is_local(address: &str) -> bool {
    let address = address.trim();
    let scheme = scheme(address);
    scheme.is_none()
        && !address.starts_with("//")
        && !address.starts_with("\\\\")
        && !address.starts_with("/\\")
        && !has_payload(address)
}

/// Whether an address may stay: a web, mail or relative address without credentials and without data.
pub(super) fn is_plain(address: &str) -> bool {
    let address = address.trim();
    match scheme(address).as_deref() {
        None => !has_payload(address),
        Some("http" | "https") => {
            let rest = address.split_once(':').map_or("", |(_, rest)| rest).trim_start_matches(['/', '\\']);
            let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
            !host.contains('@') && !has_payload(address)
        }
        Some("mailto") => !address.contains('?') || !has_payload(address),
        Some(_) => false,
    }
}

/// The scheme in lower case, with the characters that browsers ignore left out.
fn scheme(address: &str) -> Option<String> {
    let decoded = address
        .replace("&colon;", ":")
        .replace("&#58;", ":")
        .replace("&#x3a;", ":")
        .replace("%3A", ":")
        .replace("%3a", ":");
    let (before, _) = decoded.split_once(':')?;
    let scheme: String =
        before.chars().filter(|character| !character.is_whitespace() && !character.is_control()).collect();
    let valid = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.len() <= 32
        && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+.-&;#".contains(character));
    valid.then(|| scheme.to_ascii_lowercase())
}

/// Whether query or fragment carry something to be filled in, or more than a name.
fn has_payload(address: &str) -> bool {
    let template =
        ["{", "}", "%7b", "%7B", "[", "<", "$(", "PLACEHOLDER", "%5B"].iter().any(|mark| address.contains(mark));
    if address.starts_with('#') {
        // A place in the same document: nothing is sent anywhere, and headings are long.
        return template;
    }
    let Some(at) = address.find(['?', '#']) else { return template && address.contains("://") };
    let data = &address[at..];
    let long_value = data.split(['&', '=', '#', '?', ';']).any(|part| part.len() > 64);
    template || data.len() > 200 || long_value || (address.contains('?') && suspicious_query(data))
}

/// Parameters that are named for what a thief wants in them, or empty and waiting at the end.
fn suspicious_query(data: &str) -> bool {
    let lower = data.to_ascii_lowercase();
    let query = lower.trim_start_matches('?').split('#').next().unwrap_or_default();
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        value.is_empty() && pair.ends_with('=')
            || [
                "data",
                "secret",
                "secrets",
                "leak",
                "exfil",
                "payload",
                "stolen",
                "d",
                "password",
                "token",
                "key",
                "context",
                "prompt",
                "conversation",
                "history",
                "summary",
                "chat",
            ]
            .contains(&name)
            || ["secret", "conversation", "leak", "exfil", "system_prompt", "user_data", "api_key"]
                .iter()
                .any(|word| value.contains(word))
    })
}
