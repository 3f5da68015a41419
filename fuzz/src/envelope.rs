//! The signed envelope of an answer. It is the server's, so this target alone needs the whole server built.

use std::sync::LazyLock;

use ringfence::{
    envelope::{AnswerSigner, Demand, Envelope, PublicKeys, canonical, verify},
    seal::MasterKey,
};
use ringfence_indexes::{TenantId, Timestamp};
use serde_json::{Value, json};

/// The one answer that verifies.
static GENUINE: LazyLock<(Value, PublicKeys)> = LazyLock::new(|| {
    let signer = AnswerSigner::derive(&MasterKey::new([7; 32]));
    let result = |number: u32| json!({"chunk_id": format!("{number:032x}"), "text": format!("passage {number}"), "score": 0.764_168_74, "metadata": {"big": u64::MAX, "rate": 1e-7}});
    let mut answer = json!({"results": [result(1), result(2)], "took_ms": 1});
    let tenant = TenantId::new("acme").expect("a name");
    let envelope: Envelope = signer.sign(answer.to_string().as_bytes(), QUERY, &tenant, NOW).expect("it is signed");
    answer["envelope"] = serde_json::to_value(envelope).expect("it has a JSON form");
    (answer, signer.public_keys())
});
const QUERY: &str = "how often?";
const NOW: Timestamp = Timestamp(1_793_610_000_000_000);

/// The answer that the target `envelope` takes for genuine: its seed.
#[must_use]
pub fn genuine_answer() -> String {
    GENUINE.0.to_string()
}

/// The envelope: nothing but the genuine answer verifies, and the canonical form is one.
pub fn envelope(data: &[u8]) {
    let (genuine, keys) = &*GENUINE;
    let parsed = serde_json::from_slice::<Value>(data);
    let demand = Demand { query: QUERY, audience: Some("acme"), now: NOW };
    if verify(data, keys, &demand).is_ok() {
        assert_eq!(parsed.as_ref().ok(), Some(genuine), "another answer verifies");
    }
    if let Ok(value) = parsed {
        let once = canonical(&value);
        let again: Value = serde_json::from_str(&once).expect("the canonical form is JSON");
        assert_eq!(canonical(&again), once, "the canonical form is one");
    }
    let _whatever = PublicKeys::parse(data);
}
