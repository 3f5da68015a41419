"""What every peer's measurement has in common: the data, processor time and memory of processes, and the judging of answers.

The rules are those of the other side (benches/api/serving): a chunk is permitted to a user where the tenant is the same and the principals overlap; ten results are wanted; an id that is not permitted is a leak; recall is against all permitted vectors compared.
"""

import json
import os
import threading
import time
from pathlib import Path

import numpy as np

TOP_K = 10
BUCKETS = 4
# A score as near to the last right one as this counts as right: f32 sums differ by the order in which they are added.
TIE = 1e-6
TICKS = os.sysconf("SC_CLK_TCK")


class Data:
    """The workload as the Rust side wrote it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.tenant = np.load(self.folder / "tenant.npy")
        self.acl = np.load(self.folder / "acl.npy")
        self.queries = [json.loads(line) for line in open(self.folder / "queries.jsonl")]
        self.query_vectors = np.load(self.folder / "queries.npy")
        self.truth = np.load(self.folder / "gt.npy")
        self.truth_scores = np.load(self.folder / "gt_scores.npy")
        self.principals = {}
        for line in open(self.folder / "acls.jsonl"):
            acl = json.loads(line)
            self.principals[acl["tenant"], acl["acl"]] = acl["principals"]
        self.vectors = np.load(self.folder / "vectors.npy", mmap_mode="r")
        self.readable = [set(query["acls"]) for query in self.queries]

    def __len__(self):
        return len(self.tenant)

    def rows(self):
        """Every chunk: (id, tenant, principals, text)."""
        for line in open(self.folder / "chunks.jsonl"):
            chunk = json.loads(line)
            yield chunk["id"], chunk["tenant"], self.principals[chunk["tenant"], chunk["acl"]], chunk["text"]

    def batches(self, size):
        """Rows with their vectors, so many at a time."""
        batch = []
        for row in self.rows():
            batch.append(row)
            if len(batch) == size:
                yield batch, np.asarray(self.vectors[batch[0][0] : batch[-1][0] + 1])
                batch = []
        if batch:
            yield batch, np.asarray(self.vectors[batch[0][0] : batch[-1][0] + 1])

    def judge(self, number, ids):
        """(right results, right ones there are, whether too few were found, leaks)"""
        query = self.queries[number]
        permitted = {
            int(row) for row in ids if self.tenant[row] == query["tenant"] and int(self.acl[row]) in self.readable[number]
        }
        wanted = int((self.truth[number] >= 0).sum())
        floor = self.truth_scores[number][:wanted].min() - TIE
        right = set(self.truth[number][:wanted].tolist())
        hits = sum(1 for row in permitted if row in right or float(self.vectors[row] @ self.query_vectors[number]) >= floor)
        leaks = sum(1 for row in ids if int(row) not in permitted)
        return min(hits, wanted), wanted, len(permitted) < wanted, leaks


class Stopwatch:
    """Adds up wall time and processor time of what runs inside `with`."""

    def __init__(self, cpu):
        self.cpu_now = cpu
        self.wall = self.cpu = 0.0

    def __enter__(self):
        self.start = time.perf_counter(), self.cpu_now()

    def __exit__(self, *_):
        self.wall += time.perf_counter() - self.start[0]
        self.cpu += self.cpu_now() - self.start[1]


def own_cpu():
    """Processor seconds of this process, for what runs inside it."""
    return time.process_time()


def tree(root):
    """A process and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(parents.get(pid, []))
    return found


def tree_cpu(root):
    """Processor seconds of a process and its descendants, those that have ended included."""
    total = 0
    for pid in tree(root):
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def memory_mib(root):
    """Memory of a process and its descendants; what they share counts once."""
    total = 0
    for pid in tree(root):
        try:
            lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total // 1024


def disk_mib(folder):
    """What lies in a folder."""
    files = (file for file in Path(folder).rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files) >> 20


def run(data, cpu, mode, setting, open_client, seconds):
    """Asks in one mode and setting: bucket by bucket with one client, then mixed with two. `open_client()` gives a function from a query's number to ids."""
    ask = open_client()
    buckets, asked = [], []
    for bucket in range(BUCKETS):
        numbers = [number for number, query in enumerate(data.queries) if query["bucket"] == bucket]
        # Unmeasured, so that caches are warm.
        for number in within(numbers, seconds / 4):
            ask(number)
        times, answers, start = [], [], cpu()
        for number in within(numbers, seconds):
            before = time.perf_counter()
            ids = ask(number)
            times.append(time.perf_counter() - before)
            answers.append((number, ids))
        spent = cpu() - start
        asked.extend(number for number, _ in answers)
        buckets.append(summary(data, mode, answers, times, spent))
    rate, cpu_ms = two_clients(cpu, open_client, asked, seconds)
    return {
        "mode": mode,
        "setting": setting,
        "buckets": buckets,
        "two_clients_per_second": rate,
        "two_clients_cpu_ms": cpu_ms,
    }


def within(numbers, seconds):
    """As many as can be asked in the time, ten at least."""
    end = time.perf_counter() + seconds
    for index, number in enumerate(numbers):
        if index >= 10 and time.perf_counter() > end:
            return
        yield number


def summary(data, mode, answers, times, spent):
    judged = [data.judge(number, ids) for number, ids in answers]
    times = sorted(times) or [0.0]
    at = lambda share: times[min(int(len(times) * share), len(times) - 1)] * 1000
    return {
        "queries": len(answers),
        "recall": sum(hits for hits, *_ in judged) / max(1, sum(wanted for _, wanted, *_ in judged)) if mode == "vector" else None,
        "short": sum(short for *_, short, _ in judged) if mode != "keyword" else None,
        "leaks": sum(leaks for *_, leaks in judged),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "cpu_ms": spent * 1000 / len(times),
    }


def two_clients(cpu, open_client, numbers, seconds):
    """Answers a second and processor time of one, by two threads with a client each."""
    counts, clients = [0, 0], [open_client(), open_client()]
    numbers = sorted(numbers)
    start, before = time.perf_counter(), cpu()
    end = start + seconds

    def ask(client):
        at = client * len(numbers) // 2
        while time.perf_counter() < end:
            clients[client](numbers[at % len(numbers)])
            counts[client] += 1
            at += 1

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, count = time.perf_counter() - start, sum(counts)
    return count / took, (cpu() - before) * 1000 / max(1, count)
