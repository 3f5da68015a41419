"""Runs scim2-tester against a server and prints what it says, one JSON object a line."""

import json
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

url, key = sys.argv[1:]
with Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
    for result in check_server(SyncSCIMClient(client)):
        told = {
            "status": result.status.name,
            "title": result.title,
            "reason": result.reason,
            "resource": result.resource_type,
        }
        if result.status.name not in ("SUCCESS", "SKIPPED"):
            told["data"] = str(result.data)
        print(json.dumps(told))
