//! Envelopes against everybody who touches an answer on its way.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const QUERY: &str = "how often are signing keys rotated?";
const NOW: Timestamp = Timestamp(1_793_610_000_000_000);

fn signer() -> AnswerSigner {
    AnswerSigner::derive(&MasterKey::new([7; 32]))
}

fn result(number: u32) -> Value {
    json!({
        "chunk_id": format!("{number:032x}"), "document_id": "d", "collection": "handbook", "title": "Keys – ключи", "uri": null,
        "metadata": {"lang": "en", "big": u64::MAX - u64::from(number), "rate": 0.1, "tags": ["a", "\u{1f600}"]}, "rank": number,
        "score": 0.764_168_74, "scores": {"keyword": 1.065_695_4, "vector": null}, "text": format!("passage {number}\n\"quoted\""),
        "span": {"start": 0, "end": 59}, "trust": "untrusted",
        "sanitization": {"removed": 1, "findings": [{"kind": "comment", "action": "stripped", "at": 61}]}, "redactions": [],
        "provenance": {"content_hash": "blake3:13", "ingested_at": "2026-11-25T14:21:31.414936Z", "ingested_by": "service:wiki", "version": 1, "sanitizer": "rules-1"},
    })
}

fn answer() -> Value {
    json!({
        "results": [result(1), result(2), result(3)], "context": "Between lines …", "usage": {"tokens": 43, "chunks": 3},
        "revision": "7OGW", "request_id": "ff41", "took_ms": 1,
    })
}

fn enveloped(answer: &Value) -> Value {
    let tenant = TenantId::new("acme").unwrap();
    let envelope = signer().sign(answer.to_string().as_bytes(), QUERY, &tenant, NOW).unwrap();
    let mut answer = answer.clone();
    answer["envelope"] = serde_json::to_value(envelope).unwrap();
    answer
}

fn check(answer: &[u8], demand: &Demand<'_>) -> Result<(), EnvelopeError> {
    verify(answer, &signer().public_keys(), demand).map(drop)
}

fn demand() -> Demand<'static> {
    Demand { query: QUERY, audience: Some("acme"), now: NOW }
}

#[test]
fn a_signed_answer_holds_however_it_is_laid_out() {
    let answer = enveloped(&answer());
    assert_eq!(check(answer.to_string().as_bytes(), &demand()), Ok(()));
    assert_eq!(check(serde_json::to_string_pretty(&answer).unwrap().as_bytes(), &demand()), Ok(()));
    let empty = enveloped(&json!({"results": [], "usage": {"tokens": 0, "chunks": 0}}));
    assert_eq!(check(empty.to_string().as_bytes(), &demand()), Ok(()));
}

type Change = fn(&mut Value);

#[test]
fn what_was_added_taken_out_or_moved_is_noticed() {
    let whole = enveloped(&answer());
    let changes: [(&str, Change); 7] = [
        ("a byte of a text", |answer| answer["results"][0]["text"] = "passage 1\n\"quotes\"".into()),
        ("a label", |answer| answer["results"][1]["trust"] = "curated".into()),
        ("a passage taken out", |answer| drop(answer["results"].as_array_mut().unwrap().remove(1))),
        ("a passage added", |answer| answer["results"].as_array_mut().unwrap().push(result(4))),
        ("a passage twice", |answer| answer["results"].as_array_mut().unwrap().push(result(3))),
        ("passages moved", |answer| answer["results"].as_array_mut().unwrap().swap(0, 2)),
        ("a field added", |answer| answer["results"][0]["note"] = "obey".into()),
    ];
    for (name, change) in changes {
        let mut changed = whole.clone();
        change(&mut changed);
        assert_eq!(check(changed.to_string().as_bytes(), &demand()), Err(EnvelopeError::Answer), "{name}");
        // Nor does it help to change the digests with it.
        let forged = AnswerSigner::derive(&MasterKey::new([8; 32]));
        changed.as_object_mut().unwrap().remove("envelope");
        let tenant = TenantId::new("acme").unwrap();
        let mut envelope = forged.sign(changed.to_string().as_bytes(), QUERY, &tenant, NOW).unwrap();
        changed["envelope"] = serde_json::to_value(&envelope).unwrap();
        let unknown = check(changed.to_string().as_bytes(), &demand());
        assert!(matches!(unknown, Err(EnvelopeError::UnknownKey(_))), "{name}");
        envelope.key_id = signer().key_id;
        changed["envelope"] = serde_json::to_value(&envelope).unwrap();
        assert_eq!(check(changed.to_string().as_bytes(), &demand()), Err(EnvelopeError::Signature), "{name}");
    }
}

#[test]
fn an_answer_is_good_for_one_query_one_tenant_and_some_minutes() {
    let answer = enveloped(&answer()).to_string();
    let check = |demand: Demand<'_>| check(answer.as_bytes(), &demand);
    assert_eq!(check(Demand { query: "another", ..demand() }), Err(EnvelopeError::OtherQuery));
    assert_eq!(check(Demand { audience: Some("globex"), ..demand() }), Err(EnvelopeError::OtherAudience));
    assert_eq!(check(Demand { audience: None, ..demand() }), Ok(()));
    let after = |seconds: i64| Demand { now: Timestamp(NOW.0 + seconds * SECOND_MICROS), ..demand() };
    assert_eq!(check(after(LIFETIME_SECONDS - 1)), Ok(()));
    assert!(matches!(check(after(LIFETIME_SECONDS)), Err(EnvelopeError::Expired(_))));
    assert_eq!(check(after(-60)), Ok(()));
    assert!(matches!(check(after(-61)), Err(EnvelopeError::Future(_))));
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let answer = enveloped(&answer()).to_string();
    for (from, to) in [
        ("\"took_ms\":1", "\"took_ms\":1,\"took_ms\":1"),
        ("\"text\":\"passage 1", "\"text\":\"obey\",\"text\":\"passage 1"),
        ("\"audience\":\"acme\"", "\"audience\":\"acme\",\"audience\":\"acme\""),
    ] {
        let twice = answer.replacen(from, to, 1);
        assert_ne!(twice, answer);
        assert!(matches!(check(twice.as_bytes(), &demand()), Err(EnvelopeError::Malformed(_))), "{to}");
    }
}

/// Every place in a value, as a path of steps.
fn places(value: &Value, path: &[Step], out: &mut Vec<Vec<Step>>) {
    out.push(path.to_vec());
    let below: Vec<(Step, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (Step::Member(name.clone()), value)).collect(),
        Value::Array(entries) => entries.iter().enumerate().map(|(index, value)| (Step::Entry(index), value)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in below {
        places(value, &[path, &[step]].concat(), out);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Member(String),
    Entry(usize),
}

fn at<'a>(value: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step {
        Step::Member(name) => &mut value[name.as_str()],
        Step::Entry(index) => &mut value[*index],
    })
}

/// Changes the value at a place in one of several ways.
fn mutate(value: &mut Value, way: u8) {
    match value {
        Value::Null => *value = json!(false),
        Value::Bool(truth) => *truth = !*truth,
        Value::Number(number) => {
            *value = match (number.as_u64(), number.as_f64()) {
                (Some(number), _) if way.is_multiple_of(2) => json!(number ^ 1),
                (_, Some(number)) => json!(f64::from_bits(number.to_bits() ^ 1)),
                _ => json!(0),
            }
        }
        Value::String(text) => match way % 3 {
            0 => text.push('x'),
            1 => drop(text.pop().unwrap_or_else(|| {
                text.push(' ');
                ' '
            })),
            _ => *text = text.chars().rev().chain(['y']).collect(),
        },
        Value::Array(entries) => match way % 3 {
            0 => entries.push(json!(null)),
            1 if !entries.is_empty() => drop(entries.remove(usize::from(way) % entries.len())),
            _ => entries.reverse(),
        },
        Value::Object(members) => match way % 3 {
            0 => drop(members.insert(format!("new{way}"), json!(way))),
            _ => {
                let name = members.keys().nth(usize::from(way) % members.len().max(1)).cloned();
                let removed = name.and_then(|name| members.remove(&name).map(|value| (name, value)));
                if let (Some((name, value)), 1) = (removed, way % 3) {
                    members.insert(format!("{name}_"), value);
                }
            }
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Any one change of the JSON, wherever it is, fails.
    #[test]
    fn any_single_mutation_fails(place in any::<prop::sample::Index>(), way in any::<u8>()) {
        let whole = enveloped(&answer());
        let mut all = Vec::new();
        places(&whole, &[], &mut all);
        let mut changed = whole.clone();
        mutate(at(&mut changed, place.get::<Vec<Step>>(&all)), way);
        prop_assume!(changed != whole);
        prop_assert!(check(changed.to_string().as_bytes(), &demand()).is_err(), "{:?} {way}", place.get::<Vec<Step>>(&all));
    }

    /// Any one bit of the bytes: it fails, or the JSON says the same.
    #[test]
    fn any_flipped_bit_fails_or_says_the_same(place in any::<prop::sample::Index>(), bit in 0..8u8) {
        let whole = enveloped(&answer());
        let mut bytes = whole.to_string().into_bytes();
        let index = place.index(bytes.len());
        bytes[index] ^= 1 << bit;
        let says_the_same = serde_json::from_slice::<Value>(&bytes).is_ok_and(|changed| changed == whole);
        prop_assert_eq!(check(&bytes, &demand()).is_ok(), says_the_same);
    }
}
