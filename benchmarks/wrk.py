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
LOOKED_INTO = 32_000
"""Bytes up to which answers are read in the load generator; longer ones are only counted."""

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
function look(status, headers, body)
  if status ~= 200 or string.find(body, '"error"', 1, true)
    or string.find(body, '"isError":true', 1, true) then bad = bad + 1 end
end
if {looks} then response = look end
function done(summary)
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + thread:get("bad") end
  io.write(string.format("Answers: %d, bad ones: %d, bytes: %d\\n",
    summary.requests, sum, summary.bytes))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Attributes:
        rate: Requests a second.
        cpu: Microseconds of processor time that one took the server.
        is_stream: Whether it answered event streams, not JSON.
    """

    rate: float
    cpu: float
    is_stream: bool


def load(server: Running, request: Request, connections: int, seconds: int = SECONDS) -> Load:
    """Ask over and over; fail loudly when an answer is not what was asked for."""
    good = probe(server.url, request)
    looks = good.size <= LOOKED_INTO
    command = _command(server, request, connections, seconds, looks=looks)
    busy, used = _children(), server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    busy, used = _children() - busy, server.cpu_seconds() - used
    answers = re.search(r"Answers: (\d+), bad ones: 0, bytes: (\d+)\n", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    faulty = done.returncode or "Non-2xx" in done.stdout or "Socket errors" in done.stdout
    if faulty or answers is None or rate is None or not int(answers[1]):
        sys.exit(f"The load on {server.contestant.name} failed:\n{done.stdout}{done.stderr}")
    if int(answers[2]) < 0.9 * good.size * int(answers[1]):
        sys.exit(f"Answers of {server.contestant.name} were too short under load:\n{done.stdout}")
    if busy > used:
        sys.exit(f"wrk had more to do than {server.contestant.name}: {busy:.2f} s, {used:.2f} s")
    return Load(float(rate[1]), used / int(answers[1]) * 1e6, good.is_stream)


def _command(
    server: Running, request: Request, connections: int, seconds: int, *, looks: bool
) -> list[str]:
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is needed to make a load: apt-get install wrk")
    before, after = request.body(ID).split(f'"{ID}"')
    headers = ",\n".join(map(_lua, request.headers))
    script = BUILD / "load.lua"
    script.write_text(
        LUA.format(before=before, after=after, headers=headers, looks=str(looks).lower())
    )
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
