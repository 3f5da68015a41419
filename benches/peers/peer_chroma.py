"""Chroma's own server over HTTP: a collection for each tenant, the principals as a list in the metadata."""

import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import chromadb
from chromadb.config import Settings

from common import TOP_K, Stopwatch, disk_mib, memory_mib, run, tree_cpu

PATIENCE_SECONDS = 180


class Server:
    """Chroma as a process of its own."""

    def __init__(self, store):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = Path(sys.executable).parent / "chroma"
        command = [program, "run", "--path", str(store / "chroma"), "--host", "127.0.0.1", "--port", str(self.port)]
        log = open(store / "server.log", "w")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.client().heartbeat()
                return
            except Exception as error:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError((store / "server.log").read_text()) from error
                time.sleep(0.1)

    def client(self):
        return chromadb.HttpClient(host="127.0.0.1", port=self.port, settings=Settings(anonymized_telemetry=False))

    def cpu(self):
        return tree_cpu(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def build(data, store):
    server = Server(store)
    watch, client, collections = Stopwatch(server.cpu), server.client(), {}
    for rows, vectors in data.batches(1_000):
        by_tenant = {}
        for (row, tenant, principals, text), vector in zip(rows, vectors):
            ids, embeddings, metadatas, documents = by_tenant.setdefault(tenant, ([], [], [], []))
            ids.append(str(row))
            embeddings.append(vector)
            metadatas.append({"principals": principals})
            documents.append(text)
        with watch:
            for tenant, (ids, embeddings, metadatas, documents) in by_tenant.items():
                if tenant not in collections:
                    collections[tenant] = client.create_collection(f"tenant-{tenant}", configuration={"hnsw": {"space": "ip"}})
                collections[tenant].add(ids=ids, embeddings=embeddings, metadatas=metadatas, documents=documents)
    with watch:
        # What was added is indexed when it is first asked for.
        for tenant, collection in collections.items():
            collection.query(query_embeddings=[data.query_vectors[0]], n_results=1)
    server.stop()
    return {
        "chroma": {
            "chunks_per_second": len(data) / watch.wall,
            "chunks_per_cpu_second": len(data) / watch.cpu,
            "disk_mib": disk_mib(store),
        }
    }


def permitted(question):
    names = [{"principals": {"$contains": name}} for name in question["principals"]]
    return names[0] if len(names) == 1 else {"$or": names}


def ask(data, store, seconds):
    server = Server(store)

    def open_client():
        client, collections = server.client(), {}

        def one(number):
            question = data.queries[number]
            tenant = question["tenant"]
            if tenant not in collections:
                collections[tenant] = client.get_collection(f"tenant-{tenant}")
            found = collections[tenant].query(
                query_embeddings=[data.query_vectors[number]], n_results=TOP_K, where=permitted(question), include=[]
            )
            return [int(row) for row in found["ids"][0]]

        return one

    runs = [run(data, server.cpu, "vector", "", open_client, seconds)]
    about = f"Chroma {version('chromadb')}, its server over HTTP, a collection for each tenant, HNSW as it comes; it mixes no words in; processor time of the server"
    system = {"name": "Chroma", "about": about, "store": "chroma", "resident_mib": memory_mib(server.process.pid), "runs": runs}
    server.stop()
    return [system]
