//! Tokens for a task: whatever is done to one, it reaches no further than it did.

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::authz::Scope;

const NOW: i64 = 1_700_000_000_000_000;

fn tokens() -> TaskTokens {
    TaskTokens::new(&MasterKey::new([1; 32]), &Entropy::seeded([2; 32]))
}

fn root() -> Root {
    Root {
        id: "0a1b".into(),
        tenant: TenantId::new("acme").unwrap(),
        key: "k1".into(),
        secret: [7; 16],
        person: Principal::new("user:alice").unwrap(),
        groups: Groups {
            named: BTreeSet::from([Principal::new("group:eng").unwrap()]),
            directory: Directory::IsLeftOut,
        },
        attributes: BTreeMap::from([
            ("clearance".into(), AttributeValue::Integer(2)),
            ("regions".into(), AttributeValue::Texts(BTreeSet::from(["eu".into()]))),
        ]),
        issuer: "https://idp.example".into(),
        jti: Some("j1".into()),
        issued_at: Some(Timestamp(NOW)),
        purpose: Some("answer a ticket".into()),
        limits: Limits {
            scopes: Scopes::from_names(["search", "read", "explain"]).unwrap(),
            collections: Selection::Only(ids(&["a", "b", "c"])),
            results_max: Some(50),
            expires_at: Timestamp(NOW + 900_000_000),
        },
        budget: Some(9),
        is_of_this_process: true,
    }
}

fn ids(names: &[&str]) -> BTreeSet<CollectionId> {
    names.iter().map(|name| CollectionId::new(name).unwrap()).collect()
}

fn mint(root: &Root) -> String {
    tokens().mint(root, &Entropy::seeded([3; 32])).unwrap().expose_secret().to_owned()
}

fn within(child: &Limits, parent: &Limits) -> bool {
    child.scopes.is_subset(&parent.scopes)
        && child.collections.intersect(&parent.collections) == child.collections
        && parent.results_max.is_none_or(|most| child.results_max.is_some_and(|own| own <= most))
        && child.expires_at <= parent.expires_at
}

fn caveats() -> impl Strategy<Value = Caveat> {
    let scopes = proptest::option::of(proptest::collection::vec(proptest::sample::select(Scope::ALL.to_vec()), 0..5));
    let names = proptest::collection::btree_set(proptest::sample::select(vec!["a", "b", "c", "d", "e"]), 0..4);
    let end = proptest::option::of(NOW / 1_000_000 - 100..NOW / 1_000_000 + 2_000);
    (scopes, proptest::option::of(names), proptest::option::of(1_usize..200), end, proptest::option::of(0_u32..20))
        .prop_map(|(scopes, names, results_max, end, budget)| Caveat {
            scopes: scopes.map(|scopes| scopes.into_iter().collect()),
            collections: names.map(|names| ids(&names.into_iter().collect::<Vec<_>>())),
            results_max,
            expires_at: end.map(|seconds| Timestamp(seconds * 1_000_000)),
            budget,
            purpose: None,
        })
}

#[test]
fn a_token_says_what_it_was_made_with() {
    let token = mint(&root());
    let opened = tokens().open(&token).unwrap();
    assert_eq!(opened.root, root());
    assert_eq!(opened.limits, root().limits);
    assert_eq!(opened.budgets.len(), 1);
    let plain = Root { jti: None, issued_at: None, purpose: None, budget: None, ..root() };
    let plain = Root { limits: Limits { collections: Selection::All, results_max: None, ..plain.limits }, ..plain };
    assert_eq!(tokens().open(&mint(&plain)).unwrap().root, plain);
}

#[test]
fn a_budget_ends_with_the_process_that_counts_it() {
    let other = TaskTokens::new(&MasterKey::new([1; 32]), &Entropy::seeded([9; 32]));
    assert_eq!(other.open(&mint(&root())), None);
    let free = mint(&Root { budget: None, ..root() });
    assert!(other.open(&free).is_some());
    let counted = Caveat { budget: Some(1), ..Caveat::default() }.append(&free).unwrap();
    assert!(tokens().open(&counted).is_some() && other.open(&counted).is_none());
}

#[test]
fn nothing_else_is_a_token() {
    let token = mint(&root());
    let stranger = TaskTokens::new(&MasterKey::new([5; 32]), &Entropy::seeded([2; 32]));
    assert_eq!(stranger.open(&token), None);
    for bad in ["", "rft_", "rft_.", "rft_a.b", ".", &token[4..], &format!("{token}."), &format!("{token}.AAAA")] {
        assert_eq!(tokens().open(bad), None, "{bad}");
    }
    for (index, letter) in token.char_indices() {
        let other = if letter == 'A' { 'B' } else { 'A' };
        let altered = format!("{}{other}{}", &token[..index], &token[index + 1..]);
        assert_eq!(tokens().open(&altered), None, "at {index}");
    }
    assert!(tokens().mint(&Root { issuer: "x".repeat(20_000), ..root() }, &Entropy::seeded([3; 32])).is_none());
}

/// What is not understood was meant to narrow something.
#[test]
fn a_caveat_that_is_not_understood_refuses_the_token() {
    let token = mint(&root());
    let (body, code) = token.rsplit_once('.').unwrap();
    let code = BASE64URL_NOPAD.decode(code.as_bytes()).unwrap();
    let with = |caveat: &str| {
        let caveat = encode(caveat.as_bytes());
        tokens().open(&format!("{body}.{caveat}.{}", encode(extend(&code, &caveat).as_ref())))
    };
    for fine in ["{}", r#"{"scope":""}"#, r#"{"scope":"search","collections":[],"max_results":1,"exp":1,"budget":0}"#] {
        assert!(with(fine).is_some(), "{fine}");
    }
    assert!(with(r#"{"purpose":"answer a ticket"}"#).is_some());
    for bad in [
        "",
        "[]",
        "null",
        r#"{"scopes":"search"}"#,
        r#"{"scope":"search root"}"#,
        r#"{"scope":["search"]}"#,
        r#"{"collections":"a"}"#,
        r#"{"collections":["../a"]}"#,
        r#"{"max_results":0}"#,
        r#"{"max_results":-1}"#,
        r#"{"max_results":1.5}"#,
        r#"{"exp":"1"}"#,
        r#"{"exp":9223372036854775807}"#,
        r#"{"budget":-1}"#,
        r#"{"purpose":"marketing"}"#,
        r#"{"scope":"search","scope":"read"}"#,
    ] {
        assert_eq!(with(bad), None, "{bad}");
    }
    let silent = mint(&Root { purpose: None, ..root() });
    let said = Caveat { purpose: Some("marketing".into()), ..Caveat::default() }.append(&silent).unwrap();
    assert_eq!(tokens().open(&said), None, "a policy may allow one purpose what it refuses another");
}

#[test]
fn a_token_has_sixteen_caveats_at_most() {
    let mut token = mint(&root());
    for _ in 0..CAVEATS_MAX {
        token = Caveat::default().append(&token).unwrap();
        assert!(tokens().open(&token).is_some());
    }
    assert_eq!(Caveat::default().append(&token), None);
}

proptest! {
    #[test]
    fn a_child_reaches_no_further_than_its_parent(all in proptest::collection::vec(caveats(), 1..8)) {
        let mut token = mint(&root());
        let mut parent = tokens().open(&token).unwrap();
        for caveat in &all {
            token = caveat.append(&token).unwrap();
            let child = tokens().open(&token).unwrap();
            prop_assert!(within(&child.limits, &parent.limits));
            prop_assert!(child.budgets.starts_with(&parent.budgets), "what the child spends counts for the parent");
            prop_assert_eq!(&child.root, &parent.root);
            parent = child;
        }
    }

    /// Leaving caveats out, putting them in another order or between others' codes gives no token at all.
    #[test]
    fn caveats_stay_where_they_are(
        all in proptest::collection::vec(caveats(), 1..6),
        order in proptest::collection::vec(0_usize..8, 0..8),
    ) {
        let mut token = mint(&root());
        let mut codes = vec![token.rsplit_once('.').unwrap().1.to_owned()];
        for caveat in &all {
            token = caveat.append(&token).unwrap();
            codes.push(token.rsplit_once('.').unwrap().1.to_owned());
        }
        // The holder of the last token knows its parts and its own code alone.
        let parts: Vec<&str> = token.split('.').collect();
        let (sealed, segments) = (parts[0], &parts[1..parts.len() - 1]);
        let chosen: Vec<&str> = order.iter().filter_map(|index| segments.get(*index).copied()).collect();
        let forged = [&[sealed], chosen.as_slice(), &[parts[parts.len() - 1]]].concat().join(".");
        if chosen != segments {
            prop_assert_eq!(tokens().open(&forged), None);
        }
    }
}
