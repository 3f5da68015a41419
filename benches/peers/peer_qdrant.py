"""qdrant-edge: Qdrant's engine inside this process, one shard for all tenants."""

import os
from importlib.metadata import version

from qdrant_edge import (
    AcornSearchParams,
    Bm25,
    Bm25Config,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    Fusion,
    IdfParams,
    KeywordIndexParams,
    MatchAny,
    MatchValue,
    Modifier,
    Point,
    Prefetch,
    Query,
    QueryRequest,
    SearchParams,
    UpdateOperation,
)

from common import TOP_K, Stopwatch, disk_mib, memory_mib, own_cpu, run

CANDIDATES = 50


def words():
    return Bm25(Bm25Config(avg_len=57.0))


def build(data, store):
    config = EdgeConfig(
        vectors={"dense": EdgeVectorParams(size=data.vectors.shape[1], distance=Distance.Dot)},
        sparse_vectors={"words": EdgeSparseVectorParams(modifier=Modifier.Idf)},
    )
    (store / "shard").mkdir()
    shard, model, watch = EdgeShard.create(str(store / "shard"), config), words(), Stopwatch(own_cpu)
    with watch:
        tenant = KeywordIndexParams(is_tenant=True)
        shard.update(UpdateOperation.create_field_index("tenant", tenant))
        shard.update(UpdateOperation.create_field_index("principals", KeywordIndexParams()))
    for rows, vectors in data.batches(1_000):
        vectors = vectors.tolist()
        with watch:
            points = [
                Point(
                    id=row,
                    vector={"dense": vector, "words": model.embed_document(text)},
                    payload={"tenant": str(tenant), "principals": principals, "text": text},
                )
                for (row, tenant, principals, text), vector in zip(rows, vectors)
            ]
            shard.update(UpdateOperation.upsert_points(points))
    with watch:
        shard.optimize()
        shard.flush()
    shard.close()
    return {
        "shard": {
            "chunks_per_second": len(data) / watch.wall,
            "chunks_per_cpu_second": len(data) / watch.cpu,
            "disk_mib": disk_mib(store),
        }
    }


def ask(data, store, seconds):
    shard, model = EdgeShard.load(str(store / "shard")), words()

    def permitted(question):
        return Filter(
            must=[
                FieldCondition(key="tenant", match=MatchValue(str(question["tenant"]))),
                FieldCondition(key="principals", match=MatchAny(question["principals"])),
            ]
        )

    vectors = data.query_vectors.tolist()

    def vector_client(acorn):
        def one(number):
            params = SearchParams(acorn=AcornSearchParams(enable=True)) if acorn else None
            request = QueryRequest(
                limit=TOP_K,
                query=Query.Nearest(vectors[number], using="dense"),
                filter=permitted(data.queries[number]),
                params=params,
            )
            return [point.id for point in shard.query(request)]

        return lambda: one

    def hybrid_client(filtered):
        def one(number):
            question = data.queries[number]
            allowed = permitted(question)
            params = SearchParams(idf=IdfParams(corpus=allowed)) if filtered else None
            sparse = model.embed_query(question["text"])
            request = QueryRequest(
                limit=TOP_K,
                query=Fusion.Rrf(k=60),
                prefetches=[
                    Prefetch(limit=CANDIDATES, query=Query.Nearest(vectors[number], using="dense"), filter=allowed),
                    Prefetch(limit=CANDIDATES, query=Query.Nearest(sparse, using="words"), filter=allowed, params=params),
                ],
            )
            return [point.id for point in shard.query(request)]

        return lambda: one

    runs = [
        run(data, own_cpu, "vector", "", vector_client(False), seconds),
        run(data, own_cpu, "vector", "ACORN", vector_client(True), seconds),
        run(data, own_cpu, "hybrid", "", hybrid_client(False), seconds),
        run(data, own_cpu, "hybrid", "IDF filtered", hybrid_client(True), seconds),
    ]
    about = f"qdrant-edge {version('qdrant-edge-py')} in process, HNSW as it comes, keyword indexes on tenant and principals, BM25 as sparse vectors, reciprocal ranks; processor time with its Python caller"
    return [{"name": "qdrant-edge", "about": about, "store": "shard", "resident_mib": memory_mib(os.getpid()), "runs": runs}]
