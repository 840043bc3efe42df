"""A local server that answers in the documented shapes of Open-Meteo.

https://open-meteo.com/en/docs, /geocoding-api, /air-quality-api. `python open_meteo.py --port 9000`
starts it by hand; set `plugins.weather.forecast_url` and the others to it.
"""

import argparse
import json
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def place(
    name: str, admin1: str, country: str, code: str, at: tuple[float, float], people: int, zone: str
) -> dict[str, Any]:
    """One result of the geocoding API."""
    return {
        "id": abs(hash((name, admin1))) % 10_000_000,
        "name": name,
        "latitude": at[0],
        "longitude": at[1],
        "elevation": 12.0,
        "feature_code": "PPL",
        "country_code": code,
        "timezone": zone,
        "population": people,
        "country": country,
        "admin1": admin1,
    }


USA = "United States"
GERMAN = {USA: "Vereinigte Staaten", "United Kingdom": "Vereinigtes Königreich"}
PLACES = [
    place("Oslo", "Oslo", "Norway", "NO", (59.91273, 10.74609), 580000, "Europe/Oslo"),
    place("Oslo", "Minnesota", USA, "US", (48.19498, -97.13145), 330, "America/Chicago"),
    place("Springfield", "Missouri", USA, "US", (37.21, -93.29), 170067, "America/Chicago"),
    place("Springfield", "Massachusetts", USA, "US", (42.1, -72.59), 154341, "America/New_York"),
    place("Springfield", "Illinois", USA, "US", (39.8, -89.64), 116250, "America/Chicago"),
    place("Birmingham", "England", "United Kingdom", "GB", (52.48, -1.9), 984333, "Europe/London"),
    place("Birmingham", "Alabama", USA, "US", (33.52, -86.8), 212237, "America/Chicago"),
    place("Portland", "Oregon", USA, "US", (45.52, -122.68), 632309, "America/Los_Angeles"),
    place("Portland", "Maine", USA, "US", (43.66, -70.26), 68408, "America/New_York"),
    place("Málaga", "Andalusia", "Spain", "ES", (36.72, -4.42), 568305, "Europe/Madrid"),
    place("Malaga", "Washington", USA, "US", (47.37, -120.2), 1200, "America/Los_Angeles"),
    place("Tromsø", "Troms", "Norway", "NO", (69.65, 18.96), 52436, "Europe/Oslo"),
    place("Honolulu", "Hawaii", USA, "US", (21.3, -157.85), 371657, "Pacific/Honolulu"),
]

VALUES = {
    "temperature_2m": 3.4,
    "apparent_temperature": -0.6,
    "relative_humidity_2m": 81,
    "precipitation": 0.2,
    "precipitation_probability": 40,
    "cloud_cover": 100,
    "wind_speed_10m": 14.8,
    "wind_gusts_10m": 31.0,
    "wind_direction_10m": 210,
    "pressure_msl": 1004.2,
    "weather_code": 61,
    "is_day": 0,
    "temperature_2m_min": 1.0,
    "temperature_2m_max": 5.5,
    "precipitation_sum": 4.1,
    "precipitation_probability_max": 90,
    "wind_speed_10m_max": 22.0,
    "uv_index_max": 0.4,
    "european_aqi": 21,
    "us_aqi": 33,
    "pm10": 9.1,
    "pm2_5": 5.2,
    "nitrogen_dioxide": 18.0,
    "ozone": 40.0,
    "sulphur_dioxide": 0.9,
    "carbon_monoxide": 180.0,
}

ENDLESS = 1_000_000
"""Size that is promised of a body that drips."""

Answer = tuple[int, dict[str, str], bytes | Iterator[bytes]]


@dataclass
class OpenMeteo:
    """The server: what it was asked, and answers to give instead of the usual ones.

    Attributes:
        requests: Path and parameters of every request.
        scripted: Answers to give first, in order: status, headers, body; or a function to call.
            A body that is an iterator is sent piece by piece.
        left: Set when a client has closed its connection in the middle of an answer.
        stopped: Set when the tests are over: ends bodies that drip.
    """

    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    scripted: list[Answer | Callable[[], Answer]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    left: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def drip(self) -> Answer:
        """An answer that comes a byte at a time and never ends."""

        def body() -> Iterator[bytes]:
            while not self.stopped.wait(0.05):
                yield b" "

        return 200, {}, body()

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        """Answer one request."""
        with self.lock:
            self.requests.append((path, query))
            scripted = self.scripted.pop(0) if self.scripted else None
        if callable(scripted):
            return scripted()
        if scripted is not None:
            return scripted
        body = {
            "/v1/search": search,
            "/v1/forecast": forecast,
            "/v1/air-quality": forecast,
        }.get(path)
        if body is None:
            return 404, {}, b'{"error": true, "reason": "Not Found"}'
        return 200, {"Content-Type": "application/json"}, json.dumps(body(query)).encode()


def plain(name: str) -> str:
    """A name without case and marks: the API finds Tromsø by Tromso."""
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ø", "o"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def search(query: dict[str, str]) -> dict[str, Any]:
    """The geocoding API: matches by the beginning of the name, `results` left out when none."""
    wanted = plain(query["name"])
    found = [item for item in PLACES if plain(item["name"]).startswith(wanted)]
    if query.get("language") == "de":
        found = [{**item, "country": GERMAN.get(item["country"])} for item in found]
    answer: dict[str, Any] = {"generationtime_ms": 0.5}
    if found:
        answer["results"] = found[: int(query.get("count", "10"))]
    return answer


def forecast(query: dict[str, str]) -> dict[str, Any]:
    """The forecast and air quality APIs: only what was asked for."""
    answer: dict[str, Any] = {
        "latitude": float(query["latitude"]),
        "longitude": float(query["longitude"]),
        "generationtime_ms": 0.1,
        "utc_offset_seconds": 3600,
        "timezone": "Europe/Oslo",
        "timezone_abbreviation": "CET",
        "elevation": 12.0,
    }
    now = datetime(2026, 1, 15, 12, 45)  # noqa: DTZ001  # local times, as the API writes them
    if "current" in query:
        answer["current"] = {
            "time": now.isoformat(timespec="minutes"),
            "interval": 900,
            **{name: VALUES[name] for name in query["current"].split(",")},
        }
    if "hourly" in query:
        hours = [
            now.replace(minute=0) + timedelta(hours=n) for n in range(int(query["forecast_hours"]))
        ]
        answer["hourly"] = {
            "time": [hour.isoformat(timespec="minutes") for hour in hours],
            **{name: [VALUES[name]] * len(hours) for name in query["hourly"].split(",")},
        }
    if "daily" in query:
        days = [date(2026, 1, 15) + timedelta(days=n) for n in range(int(query["forecast_days"]))]
        answer["daily"] = {"time": [day.isoformat() for day in days]}
        for name in query["daily"].split(","):
            suns = {"sunrise": "T09:01", "sunset": "T15:52"}
            answer["daily"][name] = [
                f"{day}{suns[name]}" if name in suns else VALUES[name] for day in days
            ]
    return answer


def start(port: int = 0) -> tuple[OpenMeteo, ThreadingHTTPServer]:
    """Start the server in a thread, on loopback."""
    open_meteo = OpenMeteo()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, headers, body = open_meteo.answer(parts.path, query)
            size = len(body) if isinstance(body, bytes) else ENDLESS
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(size)}.items():
                self.send_header(name, value)
            try:
                self.end_headers()
                for chunk in [body] if isinstance(body, bytes) else body:
                    self.wfile.write(chunk)
            except OSError:
                self.close_connection = True
                open_meteo.left.set()

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    open_meteo.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return open_meteo, server


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    open_meteo, _ = start(parser.parse_args().port)
    print(open_meteo.url, flush=True)  # noqa: T201  # what a person wants to know
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
