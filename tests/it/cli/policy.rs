//! `ringfence policy`: what a security team does with it, from the first draft to a guarded change.

use super::world::World;

#[test]
fn policies_are_tried_put_tested_and_deleted() {
    let world = World::new();
    let operator = world.init();
    let server = world.serve();
    let with = |key: &str| vec![("RINGFENCE_SERVER", server.url.clone()), ("RINGFENCE_KEY", key.to_owned())];
    let run = |key: &str, arguments: &[&str]| {
        let environment = with(key);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.run_with(arguments, &environment)
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
    let admin = key("service", "service:admin", "policy,ingest,collections,acl");
    let bo = key("user", "user:bo", "search,read");
    world.write("hr/salaries.md", "The salaries are reviewed in spring.");
    done(&admin, &["ingest", "hr", "--collection", "hr", "--create", "--allow", "everyone", "--allow", "user:bo"]);
    assert!(done(&bo, &["search", "salaries"]).contains("spring"));

    world.write("closed.cedar", "forbid (principal == User::\"bo\", action, resource in Collection::\"hr\");\n");
    world.write(
        "tests.toml",
        "# HR\nexpect user:bo !read collection/hr/*\nexpect user:ann read collection/hr/salaries.md\n",
    );
    let failed = run(&admin, &["policy", "test", "--file", "tests.toml"]);
    assert_eq!(failed.code, Some(1), "{}", failed.out);
    assert!(
        failed.out.contains("FAILS: user:bo can read the document") && failed.out.contains("1 hold, 1 fail"),
        "{}",
        failed.out
    );
    assert!(done(&admin, &["policy", "list"]).contains("no policies"));
    let told = done(&admin, &["policy", "simulate", "closed", "closed.cedar"]);
    assert!(told.contains("user:bo") && told.contains("closes 1 passage for 1 principal"), "{told}");
    assert!(
        done(&admin, &["policy", "put", "closed", "closed.cedar", "--description", "HR alone"]).contains("version 1")
    );
    assert!(done(&bo, &["search", "salaries"]).contains("nothing found"));
    done(&admin, &["policy", "test", "--file", "tests.toml", "--keep"]);
    let list = done(&admin, &["policy", "list"]);
    assert!(list.contains("closed") && list.contains("HR alone") && list.contains("for each reader"), "{list}");

    // Guarded from now on.
    world.write("all.cedar", "forbid (principal, action, resource);");
    let refused = run(&admin, &["policy", "put", "all", "all.cedar"]);
    assert!(
        refused.code == Some(1) && refused.err.contains("user:ann read collection/hr/salaries.md"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("remedy: "), "{}", refused.err);
    assert_eq!(run(&admin, &["policy", "delete", "closed"]).code, Some(1));
    world.write("none.toml", "");
    done(&admin, &["policy", "test", "--file", "none.toml", "--keep"]);
    done(&admin, &["policy", "delete", "closed"]);
    assert!(done(&bo, &["search", "salaries"]).contains("spring"));
    let shown = done(&admin, &["policy", "show", "closed"]);
    assert!(shown.contains("version 2 deleted") && shown.contains("User::\"bo\""), "{shown}");
    assert!(done(&admin, &["policy", "permit", "on"]).contains("take part"));
    assert!(done(&admin, &["policy", "schema"]).contains("entity Class"));
    world.write("bad.cedar", "forbid (principal, action, resource) when { resource.owner };");
    let refused = run(&admin, &["policy", "put", "bad", "bad.cedar"]);
    assert!(refused.code == Some(1) && refused.err.contains("does not hold to the schema"), "{}", refused.err);
    assert_eq!(run(&admin, &["policy", "put", "bad", "absent.cedar"]).code, Some(1));
    assert_eq!(run(&admin, &["policy", "simulate", "bad"]).code, Some(2));
}
