"""``python -m tests.load ADDRESS PID``: people who ask at once through the page, for a while.

Each has a browser's cookie, a tab and a conversation of their own. Afterwards every conversation
must hold exactly the questions that its owner asked, in order, each with an answer to itself.
Memory is compared from the moment when caches and threads are there.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ui.page.security import COOKIE

QUESTIONS = (
    "What is {}?",
    "How does {} work?",
    "Which papers are like {}?",
    "How well does {} do?",
)


@dataclass
class Person:
    """Somebody who asks, reads, and asks again."""

    address: str
    submit: dict[str, Any]
    names: list[str]
    owner: str = field(default_factory=lambda: secrets.token_hex(32))
    session: str = field(default_factory=lambda: secrets.token_hex(6))
    asked: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    place: str = ""

    def go_on(self, until: float) -> None:
        """Ask until the time is over."""
        cookies = {COOKIE: self.owner}
        with httpx.Client(base_url=self.address, cookies=cookies, timeout=120) as client:
            while time.monotonic() < until:
                name = self.names[len(self.asked) % len(self.names)]
                question = QUESTIONS[len(self.asked) % len(QUESTIONS)].format(name)
                started = time.monotonic()
                try:
                    self._ask(client, question)
                except (httpx.HTTPError, ValueError) as error:
                    self.errors.append(repr(error))
                    continue
                self.seconds.append(time.monotonic() - started)
                self.asked.append(question)

    def _ask(self, client: httpx.Client, question: str) -> None:
        """Submit a question as the page does, and wait for the end of its answer."""
        values = dict.fromkeys(self.submit["inputs"])
        first, _, place = self.submit["inputs"][:3]
        values |= {first: question, place: self.place}
        session = {"session_hash": self.session}
        body = {
            "data": [values[name] for name in self.submit["inputs"]],
            "fn_index": self.submit["id"],
            **session,
        }
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params=session) as s:
            for line in s.iter_lines():
                if not line.startswith("data: "):
                    continue
                message = json.loads(line.removeprefix("data: "))
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise ValueError(line)
                    break
        if not self.place:
            [listed] = client.get("/api/conversations").json()["conversations"]
            self.place = listed["id"]

    def check(self) -> None:
        """See that the conversation holds what was asked, and nothing else."""
        cookies = {COOKIE: self.owner}
        with httpx.Client(base_url=self.address, cookies=cookies, timeout=120) as client:
            record = client.get(f"/api/conversations/{self.place}").json()
        found = [answer["question"] for answer in record["answers"]]
        if found != self.asked:
            self.errors.append(f"asked {len(self.asked)}, found {len(found)}: mixed up")


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} says nothing of its memory")


def main() -> None:
    """Run the load and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("pid", type=int)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--warm", type=float, default=20, help="seconds before those")
    given = parser.parse_args()
    config = httpx.get(f"{given.address}/config").json()
    submit = next(
        each
        for each in config["dependencies"]
        if any(target[1] == "submit" for target in each["targets"]) and len(each["outputs"]) == 7
    )
    papers = httpx.get(f"{given.address}/api/papers", params={"limit": 200}).json()["papers"]
    names = [paper["title"].split(":")[0] for paper in papers]
    people = [Person(given.address, submit, names[n :: given.people]) for n in range(given.people)]
    warm = time.monotonic() + given.warm
    until = warm + given.seconds
    threads = [threading.Thread(target=person.go_on, args=(until,)) for person in people]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, warm - time.monotonic()))
    memory = [memory_mb(given.pid)]
    before = sum(len(person.asked) for person in people)
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(10, given.seconds / 4))
        memory.append(memory_mb(given.pid))
    since = sum(len(person.asked) for person in people) - before
    for person in people:
        person.check()
    seconds = sorted(second for person in people for second in person.seconds)
    errors = [error for person in people for error in person.errors]
    print(f"{len(seconds)} answers, {len(errors)} errors {errors[:3]}")
    print(f"p50 {statistics.median(seconds):.2f} s, p95 {seconds[int(0.95 * len(seconds))]:.2f} s")
    print("memory (MB):", *(f"{each:.0f}" for each in memory))
    print(f"{1024 * (memory[-1] - memory[0]) / max(1, since):.1f} kB a question over {since}")


if __name__ == "__main__":
    main()
