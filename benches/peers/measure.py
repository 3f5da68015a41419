"""Measures one peer on the workload that the Rust benchmark wrote. Called by it, see benches/api/serving/peers.rs.

Building and asking are processes of their own, so that memory is that of asking alone. Some peers run inside this process: their processor time includes what little Python does around them; that of a peer with a server is the server's.
"""

import argparse
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

PEERS = {"pgvector": "peer_pgvector", "qdrant": "peer_qdrant", "lancedb": "peer_lancedb", "chroma": "peer_chroma"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--data", required=True, help="the folder that the workload was written to")
    parser.add_argument("--store", required=True, help="a folder for what the peer keeps")
    parser.add_argument("--result", required=True, help="where the figures go, as JSON")
    parser.add_argument("--seconds", type=float, default=10.0, help="for one bucket of one setting at most")
    parser.add_argument("--reuse", action="store_true", help="take what an earlier run has built")
    parser.add_argument("--phase", choices=["build", "ask"], help="for this script's own use")
    arguments = parser.parse_args()
    if arguments.phase:
        phase(arguments)
        return
    store, built = Path(arguments.store), Path(arguments.store) / "built.json"
    earlier = arguments.reuse and built.exists()
    if not earlier:
        shutil.rmtree(store, ignore_errors=True)
        store.mkdir(parents=True)
        again(arguments, "build")
    again(arguments, "ask")
    figures = json.loads(built.read_text())
    systems = json.loads(Path(arguments.result).read_text())
    for system in systems:
        system["built"] = {**figures[system.pop("store")], "resident_mib": system.pop("resident_mib"), "earlier": earlier}
    Path(arguments.result).write_text(json.dumps(systems, indent=1))


def again(arguments, name):
    command = [sys.executable, __file__, arguments.peer, "--data", arguments.data, "--store", arguments.store]
    command += ["--result", arguments.result, "--seconds", str(arguments.seconds), "--phase", name]
    subprocess.run(command, check=True)


def phase(arguments):
    from common import Data

    peer = importlib.import_module(PEERS[arguments.peer])
    data, store = Data(arguments.data), Path(arguments.store)
    if arguments.phase == "build":
        figures = peer.build(data, store)
        (store / "built.json").write_text(json.dumps(figures, indent=1))
    else:
        Path(arguments.result).write_text(json.dumps(peer.ask(data, store, arguments.seconds), indent=1))


if __name__ == "__main__":
    main()
