//! `ringfence emergency` and `ringfence token`: what an operator does at three in the morning, and what an application's owner does by day.

use super::world::World;

#[test]
fn somebody_is_let_in_seen_and_put_out_again() {
    let world = World::new();
    let operator = world.init();
    let server = world.serve();
    let run = |key: &str, arguments: &[&str]| {
        world.run_with(arguments, &[("RINGFENCE_SERVER", server.url.as_str()), ("RINGFENCE_KEY", key)])
    };
    let done = |key: &str, arguments: &[&str]| {
        let ran = run(key, arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran.out
    };
    done(&operator, &["tenant", "create", "acme"]);
    let key = |kind: &str, subject: &str, scopes: &str| {
        let create =
            ["--json", "key", "create", "--tenant", "acme", "--kind", kind, "--subject", subject, "--scope", scopes];
        let made: serde_json::Value = serde_json::from_str(&done(&operator, &create)).unwrap();
        made["key"].as_str().unwrap().to_owned()
    };
    let admin = key("service", "service:admin", "ingest,collections,acl,keys");
    let bo = key("user", "user:bo", "search,read");
    world.write("hr/salaries.md", "The salaries are reviewed in spring.");
    done(&admin, &["ingest", "hr", "--collection", "hr", "--create", "--allow", "user:boss"]);
    assert!(!done(&bo, &["search", "salaries"]).contains("spring"));

    let refused = run(&operator, &["emergency", "declare", "hr", "--principal", "bo", "--tenant", "acme"]);
    assert_eq!(refused.code, Some(2), "a reason is needed: {}", refused.err);
    let reason = ["--reason", "INC-7: payroll fails", "--for", "30m"];
    let declare = [&["emergency", "declare", "hr/sal*", "--principal", "bo", "--tenant", "acme"][..], &reason].concat();
    let told = done(&operator, &declare);
    assert!(told.contains("user:bo reads hr/sal* until ") && told.contains("ringfence emergency end "), "{told}");
    assert!(done(&bo, &["search", "salaries"]).contains("spring"));
    let list = done(&operator, &["emergency", "list", "--tenant", "acme"]);
    assert!(list.contains("in_force") && list.contains("INC-7") && list.contains("user:bo"), "{list}");
    assert!(done(&admin, &["emergency", "list"]).contains("INC-7"));
    let end = told.rsplit("emergency end ").next().unwrap().trim();
    let id = end.strip_suffix(" --tenant acme").expect("the line is whole").to_owned();
    assert!(done(&operator, &["emergency", "end", &id, "--tenant", "acme"]).contains("ended the grant"));
    assert!(!done(&bo, &["search", "salaries"]).contains("spring"));
    assert!(done(&admin, &["emergency", "list"]).contains("no emergency grant is in force"));
    let all: serde_json::Value =
        serde_json::from_str(&done(&admin, &["--json", "emergency", "list", "--all"])).unwrap();
    assert_eq!(all["grants"][0]["state"], "ended");
    let long = run(&operator, &[&declare[..5], &["--tenant", "acme", "--reason", "x", "--for", "9h"]].concat());
    assert_eq!(long.code, Some(1), "{}", long.out);
    assert!(long.err.contains("four hours"), "{}", long.err);
}

#[test]
fn a_token_is_exchanged_narrowed_and_revoked() {
    let world = World::new();
    let operator = world.init();
    let config = std::fs::read_to_string(world.path("ringfence.toml")).unwrap();
    // A setting of the whole file stands before its first table.
    world.write("ringfence.toml", &format!("development_issuer = true\n{config}"));
    let server = world.serve();
    let run = |key: &str, arguments: &[&str], more: &[(&str, &str)]| {
        let environment = [&[("RINGFENCE_SERVER", server.url.as_str()), ("RINGFENCE_KEY", key)], more].concat();
        world.run_with(arguments, &environment)
    };
    let done = |key: &str, arguments: &[&str], more: &[(&str, &str)]| {
        let ran = run(key, arguments, more);
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran.out.trim().to_owned()
    };
    done(&operator, &["tenant", "create", "acme"], &[]);
    let key = |subject: &str, scopes: &str| {
        let create = [
            "--json",
            "key",
            "create",
            "--tenant",
            "acme",
            "--kind",
            "service",
            "--subject",
            subject,
            "--scope",
            scopes,
        ];
        let made: serde_json::Value = serde_json::from_str(&done(&operator, &create, &[])).unwrap();
        made["key"].as_str().unwrap().to_owned()
    };
    let admin = key("service:admin", "ingest,collections,acl,keys");
    let agent = key("service:agent", "act,search,read");
    for folder in ["hr", "wiki"] {
        world.write(&format!("{folder}/page.md"), &format!("The {folder} page speaks of spring."));
        done(&admin, &["ingest", folder, "--collection", folder, "--create", "--allow", "user:ann"], &[]);
    }
    let person = done("", &["token", "mint", "--tenant", "acme", "--subject", "ann"], &[]);
    let subject = [("RINGFENCE_SUBJECT_TOKEN", person.as_str())];
    let task = done(&agent, &["token", "exchange", "--ttl", "5m", "--purpose", "a ticket"], &subject);
    let found = |token: &str| done(token, &["--json", "search", "spring"], &[]);
    assert!(found(&task).contains("The hr page") && found(&task).contains("The wiki page"));
    let narrow = ["token", "narrow", "--collection", "wiki", "--scope", "search", "--budget", "3"];
    let narrowed = done("", &narrow, &[("RINGFENCE_TASK_TOKEN", task.as_str())]);
    let seen = found(&narrowed);
    assert!(seen.contains("The wiki page") && !seen.contains("The hr page"), "{seen}");
    for (token, arguments) in [
        ("nonsense", &narrow[..]),
        (task.as_str(), &["token", "narrow"]),
        (task.as_str(), &["token", "narrow", "--scope", "fly"]),
    ] {
        assert_ne!(run("", arguments, &[("RINGFENCE_TASK_TOKEN", token)]).code, Some(0), "{arguments:?}");
    }
    let told = done(&admin, &["token", "revoke", "--subject", "user:ann", "--forget", "2d"], &[]);
    assert!(told.contains("the tokens of user:ann"), "{told}");
    assert_eq!(run(&task, &["search", "spring"], &[]).code, Some(1));
    assert_eq!(run(&narrowed, &["search", "spring"], &[]).code, Some(1));
    assert!(done(&admin, &["token", "revocations"], &[]).contains("user:ann"));
}
