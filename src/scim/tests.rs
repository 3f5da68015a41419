//! The one form of resources, and that no path or filter breaks it.

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use ringfence_indexes::Declarations;
use serde_json::{Value, json};

use super::{Fault, Filter, Resource, folded, patch, project::Projection, resource, schema};

fn of() -> schema::ResourceType {
    schema::user(&Declarations::default())
}

fn user(body: &Value) -> Resource {
    resource::read(body, &of()).unwrap()
}

#[test]
fn a_body_is_brought_into_one_form() {
    let read = user(&json!({
        "USERNAME": "ann", "active": "False", "shoeSize": 9, "id": "theirs", "meta": {}, "groups": [], "title": null,
        "emails": {"VALUE": "a@b", "primary": "true", "colour": 1}, "name": {"GivenName": "Ann", "x": 1},
        "phoneNumbers": [{"value": "1"}],
    }));
    let expected = json!({
        "userName": "ann", "active": false, "name": {"givenName": "Ann"},
        "emails": [{"value": "a@b", "primary": true}],
    });
    assert_eq!(Value::from(read), expected);
}

#[test]
fn one_value_is_the_preferred_one() {
    let before = user(&json!({"userName": "a", "emails": [
        {"value": "1", "primary": true}, {"value": "2", "primary": true}, {"value": "3"},
    ]}));
    assert_eq!(before["emails"][0]["primary"], false);
    let operations = json!([{"op": "add", "path": "emails", "value": [{"value": "4", "primary": true}]}]);
    let after = patch::apply(&json!({"Operations": operations}), &before, &of()).unwrap();
    let primary: Vec<_> = after["emails"].as_array().unwrap().iter().map(|email| &email["primary"]).collect();
    assert_eq!(primary, [&json!(false), &json!(false), &Value::Null, &json!(true)]);
}

#[test]
fn letters_are_folded() {
    for (left, right) in [("Straße", "STRASSE"), ("ſ", "S"), ("É", "é"), ("K", "k")] {
        assert_eq!(folded(left), folded(right));
    }
    assert_ne!(folded("é"), folded("e"));
}

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "userName",
            "emails",
            "emails[type eq \"work\"]",
            ".value",
            " eq ",
            " and ",
            " or ",
            "not ",
            "(",
            ")",
            "[",
            "]",
            "\"a\"",
            "true",
            "null",
            "-1",
            "pr",
            " ",
            "urn:ietf:params:scim:schemas:core:2.0:User:",
            "\\",
            "\"",
            "é",
            ".",
        ]),
        0..12,
    )
    .prop_map(|words| words.concat())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!("False"),
        json!("x"),
        json!(7),
        json!([]),
        json!({}),
        json!({"value": "v"}),
        json!([{"value": "v", "type": "work"}, {"value": "w", "primary": true}]),
        json!({"userName": "b", "title": "t"}),
        json!({"emails[type eq \"work\"].value": "n", "name.givenName": "g"}),
    ]);
    leaf.prop_map(|value| value)
}

proptest! {
    #[test]
    fn no_filter_or_path_breaks_anything(text in texts(), value in values(), verb in prop::sample::select(vec!["add", "Replace", "REMOVE"])) {
        let before = user(&json!({"userName": "a", "emails": [{"value": "v", "type": "work"}]}));
        if let Ok(filter) = Filter::parse(&text, &of()) {
            let negated = Filter::parse(&format!("not ({text})"), &of());
            // One step deeper may be too deep.
            if let Ok(negated) = negated {
                prop_assert!(filter.matches(&before) != negated.matches(&before));
            }
        }
        let operations = json!({"Operations": [{"op": verb, "path": text, "value": value}]});
        match patch::apply(&operations, &before, &of()) {
            // What comes out is in the form that a body is brought into.
            Ok(after) => {
                prop_assert!(after["userName"].as_str().is_some_and(|name| !name.is_empty()));
                prop_assert_eq!(resource::read(&Value::from(after.clone()), &of()), Ok(after));
            }
            Err(error) => prop_assert!(error.kind != Fault::Uniqueness),
        }
        let whole = Value::from(before.clone());
        let only = Projection::parse(Some(&text), None, &of()).unwrap().of(before.clone());
        let without = Projection::parse(None, Some(&text), &of()).unwrap().of(before.clone());
        for (name, part) in only.iter().chain(&without) {
            prop_assert!(whole.get(name).is_some() && !part.is_null());
        }
    }

    #[test]
    fn what_is_read_is_read_again_the_same(name in "[a-z]{1,8}", active in any::<bool>(), values in values()) {
        let body = json!({"userName": name, "active": active, "emails": values, "name": {"givenName": name}});
        if let Ok(read) = resource::read(&body, &of()) {
            prop_assert_eq!(resource::read(&Value::from(read.clone()), &of()), Ok(read));
        }
    }
}
