"""The load: wrk (Debian's package) on the last core, so that it is not what limits."""

import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.environment import BUILD
from benchmarks.measuring import cores
from benchmarks.requests import Request, probe
from benchmarks.serving import Running

SECONDS = 1
BUSY = 0.95
"""Share of its core from which the load generator would be what limits."""

ID = "the id"
"""Stands for the number of the request, where the script puts it."""

LUA = """
local before, after = [==[{before}]==], [==[{after}]==]
local headers = {{
{headers}
}}
local number = 0
bad = 0
local threads = {{}}
function setup(thread)
  table.insert(threads, thread)
end
function request()
  number = number + 1
  return wrk.format("POST", nil, headers[number % #headers + 1], before .. number .. after)
end
function response(status, headers, body)
  if status ~= 200 or string.find(body, '"error"', 1, true)
    or string.find(body, '"isError":true', 1, true) then bad = bad + 1 end
end
function done(summary)
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + thread:get("bad") end
  io.write(string.format("Answers: %d, bad ones: %d\\n", summary.requests, sum))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Attributes:
        rate: Requests a second.
        cpu: Microseconds of processor time that one took the server.
    """

    rate: float
    cpu: float


def load(server: Running, request: Request, connections: int, seconds: int = SECONDS) -> Load:
    """Ask over and over; fail loudly when an answer is not what was asked for."""
    probe(server.url, request)
    command = _command(server, request, connections, seconds)
    busy, used = _children(), server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    busy, used = _children() - busy, server.cpu_seconds() - used
    answers = re.search(r"Answers: (\d+), bad ones: 0\n", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    faulty = done.returncode or "Non-2xx" in done.stdout or "Socket errors" in done.stdout
    if faulty or answers is None or rate is None or not int(answers[1]):
        sys.exit(f"The load on {server.contestant.name} failed:\n{done.stdout}{done.stderr}")
    if busy > BUSY * seconds:
        sys.exit(f"wrk was what limited {server.contestant.name}: it used {busy:.2f} s of its core")
    return Load(float(rate[1]), used / int(answers[1]) * 1e6)


def _command(server: Running, request: Request, connections: int, seconds: int) -> list[str]:
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is needed to make a load: apt-get install wrk")
    before, after = request.body(ID).split(f'"{ID}"')
    headers = ",\n".join(map(_lua, request.headers))
    script = BUILD / "load.lua"
    script.write_text(LUA.format(before=before, after=after, headers=headers))
    return [
        *("taskset", "-c", str(cores()[-1]), wrk, "-t", "1", "-c", str(connections)),
        *("--timeout", "30s", "-s", str(script), "-d", f"{seconds}s", server.url),
    ]


def _lua(headers: dict[str, str]) -> str:
    """Write headers as a table of Lua."""
    sent = {**headers, "Content-Type": "application/json"}
    return "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in sent.items()) + "}"


def _children() -> float:
    """Processor time of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
