//! The store below the committer: its connections, its schema, and what it makes of a file that is not what it wrote.

use std::fs;

use sqlx::{Connection as _, Row as _};

use super::*;

/// Changes a database behind the store's back.
pub(crate) async fn tamper(data_dir: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(data_dir.join(DATABASE_FILE));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A text in the database or its log.
pub(crate) fn files_contain(data_dir: &Path, text: &str) -> bool {
    let contains = |path: &Path| fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes());
    let files = fs::read_dir(data_dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).any(|path| contains(&path))
}

#[tokio::test]
async fn every_connection_keeps_what_it_promises() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut connections = vec![store.writer.acquire().await.unwrap()];
    for _ in 0..READERS {
        connections.push(store.readers.acquire().await.unwrap());
    }
    // `synchronous` 2 is FULL: after a commit the log is on disk.
    let expected = [
        ("synchronous", "2"),
        ("journal_mode", "wal"),
        ("foreign_keys", "1"),
        ("secure_delete", "1"),
        ("busy_timeout", "10000"),
    ];
    for (index, connection) in connections.iter_mut().enumerate() {
        for (pragma, value) in expected {
            let row = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"))).fetch_one(&mut **connection).await;
            let row = row.unwrap();
            let found =
                row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|value| value.to_string()));
            assert_eq!(found.unwrap(), value, "{pragma} of connection {index}");
        }
        let written = sqlx::query("DELETE FROM tenants").execute(&mut **connection).await;
        assert_eq!(written.is_ok(), index == 0, "only the first connection writes");
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).await.unwrap().close().await.unwrap();
    tamper(
        dir.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', TRUE, x'00', 0)",
    )
    .await;
    assert!(matches!(Store::open(dir.path()).await, Err(StoreError::Newer)));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(DATABASE_FILE), [b'x'; 8192]).unwrap();
    assert!(matches!(Store::open(dir.path()).await, Err(StoreError::Damaged(_))));
}
