"""Three tools in the standard library alone: what starting Python costs."""

import json
import sys

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
TOOLS = [
    {"name": name, "description": f"Say {name}", "inputSchema": SCHEMA}
    for name in ("echo", "upper", "lower")
]
ABOUT = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "floor", "version": "1"},
}

for line in sys.stdin:
    message = json.loads(line)
    results = {"initialize": ABOUT, "tools/list": {"tools": TOOLS}}
    if message.get("method") in results:
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
