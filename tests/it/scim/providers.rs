//! Requests as Okta and Entra ID send them, word for word.

use serde_json::{Value, json};

use super::{assert_refused, count, delete, encoded, get, group, id, patch, send, user};
use crate::harness::{Server, Tenant};

fn tenant() -> (Server, Tenant) {
    let server = Server::start();
    let tenant = server.tenant("acme");
    (server, tenant)
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

/// The steps of Okta's "Create Users", "Update User Attributes", "Deactivate Users" and "Push Groups".
#[test]
fn okta_provisions_people_and_groups() {
    let (_server, tenant) = tenant();
    let admin = &tenant.admin;
    let look = |name: &str| {
        let filter = encoded(&format!("userName eq \"{name}\""));
        get(admin, &format!("/Users?filter={filter}&startIndex=1&count=100")).expect(200).json()
    };
    assert_eq!(look("test.user@okta.local")["totalResults"], 0);
    let body = parsed(
        r#"{
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [], "password": "1mz050nq", "active": true
        }"#,
    );
    let made = send(admin, "POST", "/Users", &body).expect(201);
    let (user, shown) = (id(&made), made.json());
    assert_eq!(made.header("location"), Some(format!("/scim/v2/Users/{user}").as_str()));
    assert_eq!(shown["meta"]["version"].as_str(), made.header("etag"));
    assert!(!made.text().contains("1mz050nq"), "a password is not kept");
    assert_eq!(shown["emails"], body["emails"]);
    let found = look("TEST.user@okta.local");
    assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(user)));
    assert_refused(&send(admin, "POST", "/Users", &body), 409, Some("uniqueness"));

    let mut whole = shown.clone();
    whole["name"]["familyName"] = json!("Updated");
    let replaced = send(admin, "PUT", &format!("/Users/{user}"), &whole).expect(200).json();
    assert_eq!((&replaced["name"]["familyName"], &replaced["active"]), (&json!("Updated"), &json!(true)));
    let off = parsed(
        r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "value": {"active": false}}]}"#,
    );
    assert_eq!(send(admin, "PATCH", &format!("/Users/{user}"), &off).expect(200).json()["active"], false);
    // A whole resource that does not say whether its user is active lets nobody in again.
    whole.as_object_mut().unwrap().remove("active");
    assert_eq!(send(admin, "PUT", &format!("/Users/{user}"), &whole).expect(200).json()["active"], false);

    let pushed = parsed(
        r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Test SCIMv2", "members": []}"#,
    );
    let group = id(&send(admin, "POST", "/Groups", &pushed).expect(201));
    let renamed = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"id": group, "displayName": "Test SCIMv2a"}}],
    });
    send(admin, "PATCH", &format!("/Groups/{group}"), &renamed).expect(204);
    let members = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": user, "display": "test.user@okta.local"}]}],
    });
    send(admin, "PATCH", &format!("/Groups/{group}"), &members).expect(204);
    send(admin, "PATCH", &format!("/Groups/{group}"), &members).expect(204);
    assert_eq!(
        tenant.admin.get("/v1/groups/Test%20SCIMv2a").expect(200).json()["members"],
        json!(["user:test.user@okta.local"])
    );
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{user}\"]")}]);
    patch(admin, &format!("/Groups/{group}"), &out).expect(204);
    assert_eq!(tenant.admin.get("/v1/groups/Test%20SCIMv2a").expect(200).json()["members"], json!([]));
    delete(admin, &format!("/Groups/{group}")).expect(204);
    tenant.admin.get("/v1/groups/Test%20SCIMv2a").expect(404);
}

/// The requests of Entra ID's "Develop a SCIM endpoint", with its capitals and texts for booleans.
#[test]
fn entra_provisions_people_and_groups() {
    let (_server, tenant) = tenant();
    let admin = &tenant.admin;
    let body = parsed(
        r#"{
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_ab6490ee-1e48-479e-a20b-2d77186b5dd1", "active": true,
        "emails": [{"primary": true, "type": "work", "value": "Test_User_fd0ea19b@testuser.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": []
        }"#,
    );
    let user = id(&send(admin, "POST", "/Users", &body).expect(201));
    let path = format!("/Users/{user}");
    assert_eq!(count(admin, "/Users", "externalId eq \"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef\""), 1);
    let operations = parsed(
        r#"[{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "updatedEmail@microsoft.com"},
            {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
            {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "Norway"},
            {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+47 1"},
            {"op": "Add", "path": "emails[type eq \"home\"].value", "value": "home@example.com"},
            {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Legal"},
            {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "42"}]"#,
    );
    let patched = patch(admin, &path, &operations).expect(200).json();
    assert_eq!(
        patched["emails"],
        json!([
            {"primary": true, "type": "work", "value": "updatedEmail@microsoft.com"},
            {"type": "home", "value": "home@example.com"},
        ])
    );
    assert_eq!(patched["name"]["familyName"], "updatedFamilyName");
    let enterprise = &patched["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
    assert_eq!(enterprise, &json!({"department": "Legal", "manager": {"value": "42"}}));
    // Without a path, names of attributes are paths.
    let operations = parsed(
        r#"[{"op": "Add", "value": {"name.givenName": "New",
             "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Sales",
             "emails[type eq \"home\"].value": "new@example.com"}}]"#,
    );
    let patched = patch(admin, &path, &operations).expect(200).json();
    assert_eq!(
        (&patched["name"]["givenName"], &patched["emails"][1]["value"]),
        (&json!("New"), &json!("new@example.com"))
    );
    let operations = parsed(r#"[{"op": "Replace", "path": "active", "value": "False"}]"#);
    assert_eq!(patch(admin, &path, &operations).expect(200).json()["active"], false);

    let body = parsed(
        r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", "displayName": "displayName",
            "meta": {"resourceType": "Group"}}"#,
    );
    let group = id(&send(admin, "POST", "/Groups", &body).expect(201));
    let path = format!("/Groups/{group}");
    assert_eq!(count(admin, "/Groups", "displayName eq \"displayname\""), 1);
    let add = json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": user}]}]);
    patch(admin, &path, &add).expect(204);
    let seen = get(admin, &format!("{path}?excludedAttributes=members")).expect(200).json();
    assert!(seen.get("members").is_none() && seen["externalId"] == body["externalId"]);
    assert_eq!(count(admin, "/Groups", &format!("id eq \"{group}\" and members eq \"{user}\"")), 1);
    // The member that goes stands in the value: nobody else goes.
    let other = super::user(&tenant, "other");
    patch(admin, &path, &json!([{"op": "Add", "path": "members", "value": [{"value": other}]}])).expect(204);
    let remove = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": user}]}]);
    patch(admin, &path, &remove).expect(204);
    let members = get(admin, &path).expect(200).json()["members"].clone();
    assert_eq!(members, json!([{"value": other, "$ref": format!("/scim/v2/Users/{other}"), "type": "User"}]));
    delete(admin, &format!("/Users/{user}")).expect(204);
    assert_refused(&get(admin, &format!("/Users/{user}")), 404, None);
}

/// What is one directory is seen on both sides, and nothing is lost on the way through.
#[test]
fn groups_of_both_kinds_are_one() {
    let (_server, tenant) = tenant();
    tenant.group("eng", &["user:unknown", "service:bot", "group:interns"]);
    let alice = user(&tenant, "alice");
    let interns = group(&tenant, "interns", &[&alice]);
    let filter = encoded("displayName eq \"eng\"");
    let eng = get(&tenant.admin, &format!("/Groups?filter={filter}")).expect(200).json()["Resources"][0].clone();
    let mut values: Vec<_> = eng["members"].as_array().unwrap().iter().map(|member| member["value"].clone()).collect();
    values.sort_by_key(Value::to_string);
    let mut expected = vec![json!(interns), json!("service:bot"), json!("user:unknown")];
    expected.sort_by_key(Value::to_string);
    assert_eq!(values, expected);
    let path = format!("/Groups/{}", eng["id"].as_str().unwrap());
    send(&tenant.admin, "PUT", &path, &eng).expect(200);
    patch(&tenant.admin, &path, &json!([{"op": "add", "path": "members", "value": [{"value": alice}]}])).expect(204);
    assert_eq!(
        tenant.admin.get("/v1/groups/eng").expect(200).json()["members"],
        json!(["group:interns", "service:bot", "user:alice", "user:unknown"])
    );
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", "engineering", &["group:eng"]);
    assert_eq!(tenant.user("alice", &[]).found("engineering"), ["d"]);
    // A group is renamed with its place in others.
    patch(
        &tenant.admin,
        &format!("/Groups/{interns}"),
        &json!([{"op": "replace", "path": "displayName", "value": "juniors"}]),
    )
    .expect(204);
    let members = tenant.admin.get("/v1/groups/eng").expect(200).json()["members"].clone();
    assert_eq!(members[0], "group:juniors");
    for (name, kind) in
        [("JUNIORS", (409, "uniqueness")), ("a,b", (400, "invalidValue")), ("group:x", (400, "invalidValue"))]
    {
        let made = send(&tenant.admin, "POST", "/Groups", &json!({"displayName": name}));
        assert_refused(&made, kind.0, Some(kind.1));
    }
}

#[test]
fn a_version_that_is_not_the_present_one_is_not_written_over() {
    let (_server, tenant) = tenant();
    let path = format!("/scim/v2/Users/{}", user(&tenant, "alice"));
    let first = tenant.admin.get(&path).expect(200).header("etag").unwrap().to_owned();
    let body = json!({"userName": "alice", "title": "one"}).to_string();
    let put = |version: &str| {
        tenant.admin.send_with("PUT", &path, Some(super::MEDIA_TYPE), &[("if-match", version)], Some(body.as_bytes()))
    };
    let second = put(&first).expect(200).header("etag").unwrap().to_owned();
    assert_ne!(first, second);
    assert_refused(&put(&first), 412, None);
    assert_eq!(put(&format!("\"x\", {second}")).expect(200).header("etag"), Some(second.as_str()), "nothing changed");
    put("*").expect(200);
    let gone = tenant.admin.send_with("DELETE", &path, None, &[("if-match", first.as_str())], None);
    assert_refused(&gone, 412, None);
}

#[test]
fn what_is_malformed_is_refused_and_changes_nothing() {
    let (_server, tenant) = tenant();
    let alice = user(&tenant, "alice");
    let path = format!("/Users/{alice}");
    let before = get(&tenant.admin, &path).body;
    for (operations, scim_type) in [
        (json!([]), "invalidSyntax"),
        (json!([{"op": "move", "path": "title"}]), "invalidSyntax"),
        (json!([{"op": "remove"}]), "noTarget"),
        (json!([{"op": "remove", "path": "userName"}]), "mutability"),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability"),
        (json!([{"op": "replace", "path": "meta.created", "value": "x"}]), "mutability"),
        (json!([{"op": "replace", "path": "shoeSize", "value": 1}]), "invalidPath"),
        (json!([{"op": "replace", "path": "emails[type eq", "value": 1}]), "invalidPath"),
        (
            json!([{"op": "replace", "path": "emails[primary eq true]", "value": {"value": "x"}}, {"op": "replace", "path": "emails[display pr].value", "value": "x"}]),
            "noTarget",
        ),
        (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), "invalidValue"),
        (
            json!([{"op": "add", "path": "title", "value": "x"}, {"op": "add", "path": "title", "value": 1}]),
            "invalidValue",
        ),
        (json!([{"op": "replace", "value": {"userName": null}}]), "invalidValue"),
        (json!([{"op": "replace", "path": "title", "value": "x".repeat(3000)}]), "invalidValue"),
        (json!(vec![json!({"op": "add", "path": "title", "value": "x"}); 1001]), "tooMany"),
    ] {
        let refused = patch(&tenant.admin, &path, &operations);
        assert_refused(&refused, 400, Some(scim_type));
        assert_eq!(get(&tenant.admin, &path).body, before, "{operations}");
    }
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName is \"a\"",
        "(userName pr",
        "userName eq \"a",
        "userName eq \"a\" and",
        "not userName pr",
        "shoeSize pr",
        "active gt true",
        "userName co 1",
        "emails[type eq \"work\"",
        "meta.created gt \"yesterday\"",
        &format!("{}userName pr{}", "(".repeat(40), ")".repeat(40)),
        &vec!["userName pr"; 100].join(" or "),
        &format!("userName eq \"{}\"", "x".repeat(5000)),
    ] {
        assert_refused(&get(&tenant.admin, &format!("/Users?filter={}", encoded(filter))), 400, Some("invalidFilter"));
    }
    for query in ["attributes=id&excludedAttributes=id", "count=x", "startIndex=1&startIndex=2", "sortOrder=up"] {
        assert_refused(&get(&tenant.admin, &format!("/Users?{query}")), 400, Some("invalidValue"));
    }
    let raw = |body: &str, media_type: &str| {
        tenant.admin.send("POST", "/scim/v2/Users", Some(media_type), Some(body.as_bytes()))
    };
    assert_refused(&raw("{", super::MEDIA_TYPE), 400, Some("invalidSyntax"));
    assert_refused(&raw("{\"userName\":\"a\",\"userName\":\"b\"}", super::MEDIA_TYPE), 400, Some("invalidSyntax"));
    assert_refused(&raw("{\"userName\":\"a\",\"USERNAME\":\"b\"}", super::MEDIA_TYPE), 400, Some("invalidSyntax"));
    assert_refused(&raw("{\"userName\":\"a\"}", "text/plain"), 415, None);
    assert_refused(&raw(&format!("{{\"userName\":\"{}\"}}", "x".repeat(5 << 20)), super::MEDIA_TYPE), 413, None);
    assert_refused(&raw("{\"schemas\":[\"urn:x\"],\"userName\":\"a\"}", super::MEDIA_TYPE), 400, Some("invalidValue"));
    assert_refused(&tenant.admin.send("POST", "/scim/v2/Bulk", None, None), 501, None);
    assert_refused(&tenant.admin.send("PATCH", "/scim/v2/Schemas", None, None), 405, None);
    assert_eq!(count(&tenant.admin, "/Users", "id pr"), 1);
}

#[test]
fn filters_pages_and_parts() {
    let (_server, tenant) = tenant();
    for (number, name) in ["ann", "Bo", "cy", "di", "ed"].iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        let body = json!({
            "userName": name, "externalId": format!("x{number}"), "active": number % 2 == 0, "title": "Dr \"No\"",
            "emails": [{"value": format!("{name}@work.example"), "type": "work"}, {"value": format!("{name}@home.example"), "type": "home"}],
        });
        send(&tenant.admin, "POST", "/Users", &body).expect(201);
    }
    for (filter, expected) in [
        ("userName eq \"bo\"", 1),
        ("USERNAME EQ \"BO\"", 1),
        ("externalId eq \"X1\"", 0),
        ("userName sw \"a\" or userName ew \"D\"", 2),
        ("userName co \"I\" and active eq false", 1),
        ("not (active eq true)", 2),
        ("active ne true", 2),
        ("active eq True", 3),
        ("userName gt \"bo\" and userName le \"di\"", 2),
        ("(userName eq \"ann\" or userName eq \"bo\") and not (userName eq \"ann\")", 1),
        ("userName eq \"ann\" or userName eq \"bo\" and active eq true", 1),
        ("emails co \"work.example\"", 5),
        ("emails[type eq \"work\" and value sw \"ann\"]", 1),
        ("emails[type eq \"work\" and value co \"home\"]", 0),
        ("emails.type eq \"home\" and emails.value eq \"cy@work.example\"", 1),
        ("title eq \"dr \\\"no\\\"\"", 5),
        ("displayName pr", 0),
        ("displayName eq null", 5),
        ("meta.created ge \"2026-11-02T09:00:00Z\"", 5),
        ("meta.created gt \"2026-11-02T10:30:00+01:00\"", 0),
        ("meta.resourceType eq \"User\"", 5),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"ed\"", 1),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department pr", 0),
        ("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", 5),
        ("phoneNumbers pr", 0),
    ] {
        assert_eq!(count(&tenant.admin, "/Users", filter), expected, "{filter}");
    }
    let names = |query: &str| {
        let answer = get(&tenant.admin, &format!("/Users?{query}")).expect(200).json();
        assert_eq!(answer["totalResults"], 5);
        let resources = answer["Resources"].as_array().unwrap().iter();
        resources.map(|user| user["userName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("sortBy=userName&attributes=userName"), ["ann", "Bo", "cy", "di", "ed"]);
    assert_eq!(names("sortBy=userName&sortOrder=descending&startIndex=2&count=2"), ["di", "cy"]);
    let mut all = [names("count=2"), names("startIndex=3&count=2"), names("startIndex=5&count=2")].concat();
    all.sort_unstable_by_key(|name| name.to_lowercase());
    assert_eq!(all, ["ann", "Bo", "cy", "di", "ed"]);
    assert!(names("startIndex=6").is_empty() && names("count=-1").is_empty());
    let body = json!({"filter": "userName eq \"ann\"", "attributes": ["emails.value", "name"], "count": 1});
    let found = send(&tenant.admin, "POST", "/Users/.search", &body).expect(200).json();
    let user = found["Resources"][0].as_object().unwrap();
    assert_eq!(user.keys().collect::<Vec<_>>(), ["schemas", "id", "emails"]);
    assert_eq!(user["emails"][0], json!({"value": "ann@work.example"}));
}
