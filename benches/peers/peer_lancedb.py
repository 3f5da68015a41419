"""LanceDB inside this process: one table, filtered before the vectors are compared."""

import os
from importlib.metadata import version

# Its warnings about every search would hide what goes wrong.
os.environ["LANCE_LOG"] = "error"

import lancedb
import pyarrow as pa
from lancedb.rerankers import RRFReranker

from common import TOP_K, Stopwatch, disk_mib, memory_mib, own_cpu, run


def build(data, store):
    dimensions = data.vectors.shape[1]
    schema = pa.schema(
        [
            ("id", pa.int32()),
            ("tenant", pa.int32()),
            ("principals", pa.list_(pa.utf8())),
            ("text", pa.utf8()),
            ("vector", pa.list_(pa.float32(), dimensions)),
        ]
    )
    watch = Stopwatch(own_cpu)
    table = lancedb.connect(store / "lance").create_table("chunks", schema=schema)
    for rows, vectors in data.batches(20_000):
        ids, tenants, principals, texts = zip(*rows)
        with watch:
            flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimensions)
            table.add(pa.table([ids, tenants, principals, texts, flat], schema=schema))
    with watch:
        table.create_index(metric="dot", index_type="IVF_HNSW_SQ", vector_column_name="vector")
        table.create_scalar_index("tenant", index_type="BITMAP")
        table.create_scalar_index("principals", index_type="LABEL_LIST")
        table.create_fts_index("text")
        table.optimize()
    return {
        "lance": {
            "chunks_per_second": len(data) / watch.wall,
            "chunks_per_cpu_second": len(data) / watch.cpu,
            "disk_mib": disk_mib(store),
        }
    }


def ask(data, store, seconds):
    def permitted(question):
        names = ", ".join(f"'{name}'" for name in question["principals"])
        return f"tenant = {question['tenant']} AND array_has_any(principals, [{names}])"

    def vector_client():
        table = lancedb.connect(store / "lance").open_table("chunks")

        def one(number):
            search = table.search(data.query_vectors[number]).distance_type("dot").where(permitted(data.queries[number]))
            search = search.nprobes(20).ef(200).refine_factor(5).limit(TOP_K).select(["id"])
            return search.to_arrow()["id"].to_pylist()

        return one

    def hybrid_client():
        table, reranker = lancedb.connect(store / "lance").open_table("chunks"), RRFReranker()

        def one(number):
            question = data.queries[number]
            search = table.search(query_type="hybrid").vector(data.query_vectors[number]).text(question["text"])
            search = search.distance_type("dot").where(permitted(question)).nprobes(20).ef(200).refine_factor(5)
            return search.rerank(reranker).limit(TOP_K).select(["id"]).to_arrow()["id"].to_pylist()

        return one

    runs = [
        run(data, own_cpu, "vector", "", vector_client, seconds),
        run(data, own_cpu, "hybrid", "", hybrid_client, seconds),
    ]
    about = f"LanceDB {version('lancedb')} in process, IVF_HNSW_SQ with 20 probes, ef 200 and refinement 5, bitmap on tenant, label list on principals, reciprocal ranks; processor time with its Python caller"
    return [{"name": "LanceDB", "about": about, "store": "lance", "resident_mib": memory_mib(os.getpid()), "runs": runs}]
