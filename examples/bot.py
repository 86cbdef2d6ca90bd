"""A trading bot for one challenge: follows its events, proposes decision actions, survives everything but its disk.

    .venv/bin/python examples/bot.py --token pd_... --challenge 1 --symbol EURUSD

It needs httpx and websockets. What it has to remember stands in one file (`--state`): the cursor of the last event it
has seen, and the action it is about to propose. An action is written down before it is sent and has an id of its own,
so sending it again, after a lost answer or a crash, gives the same answer and never a second trade. After a lost
connection it subscribes with its cursor and misses nothing. Each event and each answer is a line of JSON.

What it trades is a toy: it opens a LONG position, closes what it holds the next time, on either side, and so on.
"""

import argparse
import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

FOLLOW = """subscription ($after: String, $challenges: [ID!]) {
  challengeEvents(after: $after, filter: {challengeIds: $challenges}) { cursor number name marketTime payload }
}"""
LOOK = """query ($id: ID!) { challenge(id: $id) { status account { id
  decisionContext { status readOnly blockedUntil nextAccount { id } snapshot { positions { symbol side quantity } } }
} } }"""
PROPOSE = """mutation ($input: SubmitDecisionActionsInput!) { submitDecisionActions(input: $input) {
  results { actionId status code limit observed replayed fill { price quantity fee } }
  userErrors { code message transient }
} }"""
OVER = {"PASSED", "FAILED", "CANCELLED"}
ENDS = {"prop.challenge.passed", "prop.challenge.failed", "prop.challenge.cancelled"}
TRANSIENT = {"INTERNAL", "UNAVAILABLE", "BUSY"}  # asking again may help; actions are known by their ids
GIVE_UP = {4400, 4403, 4406}  # close codes: coming again does not help; see docs/errors.md
RETRY_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5)


class Refused(Exception):
    """The desk answered, and asking again does not help."""


class CursorExpired(Exception):
    """We were away for so long that some of what we missed is no longer kept."""


class State:
    """What outlives the process. Written to a second file first, so that it is whole whenever we are killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        known = json.loads(path.read_text()) if path.exists() else {}
        self.run: str = known.get("run") or f"bot-{secrets.token_hex(4)}"
        self.after: str | None = known.get("after", "0")  # None: from now on
        self.ended: bool = known.get("ended", False)
        self.answered: int = known.get("answered", 0)  # actions; the next one has the next number as its id
        self.pending: dict[str, Any] | None = known.get("pending")

    def save(self) -> None:
        facts = {name: value for name, value in vars(self).items() if name != "path"}
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(facts))
        draft.replace(self.path)


class Bot:
    """One challenge, whichever account it is on."""

    def __init__(self, options: argparse.Namespace, http: httpx.AsyncClient) -> None:
        self.options = options
        self.http = http
        self.state = State(options.state)

    async def run(self) -> None:
        """Trade until the challenge has ended."""
        trading = asyncio.create_task(self.trade())
        following = asyncio.create_task(self.follow())
        try:
            done, _ = await asyncio.wait([trading, following], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await following  # only this one knows the end
        finally:
            trading.cancel()
            following.cancel()

    async def follow(self) -> None:
        """Tell every event once and in order, until the challenge's last one."""
        failures = 0
        while not self.state.ended:
            try:
                async for event in self.events():
                    failures = 0
                    tell("event", event)
                    self.state.after = event["cursor"]
                    self.state.ended = event["name"] in ENDS
                    self.state.save()
                    if self.state.ended:
                        return
            except CursorExpired:
                challenge = (await self.ask(LOOK, id=self.options.challenge))["challenge"]
                self.state.after, self.state.ended = None, challenge is None or challenge["status"] in OVER
                self.state.save()
            except ConnectionClosed as closed:
                if closed.rcvd and closed.rcvd.code in GIVE_UP:
                    raise Refused(f"closed with {closed.rcvd.code}: {closed.rcvd.reason}") from None
            except (OSError, InvalidHandshake, TimeoutError):
                pass
            await pause(failures)
            failures += 1

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What comes after the cursor, over one connection. Raises Refused, ConnectionClosed, OSError."""
        url = self.options.url.replace("http", "ws", 1)
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            token = f"Bearer {self.options.token}"
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": token}}))
            async for text in socket:
                message = json.loads(text)
                match message["type"]:
                    case "connection_ack":
                        tell("following", {"after": self.state.after})
                        variables = {"after": self.state.after, "challenges": [self.options.challenge]}
                        payload = {"query": FOLLOW, "variables": variables}
                        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
                    case "ping":
                        await socket.send(json.dumps({"type": "pong"}))
                    case "next" if not message["payload"].get("errors"):
                        yield message["payload"]["data"]["challengeEvents"]
                    case "next" | "error":
                        payload = message["payload"]
                        errors = payload if isinstance(payload, list) else payload["errors"]
                        code = errors[0].get("extensions", {}).get("code")
                        if code == "CURSOR_EXPIRED":
                            raise CursorExpired
                        if code in TRANSIENT:
                            return
                        raise Refused(json.dumps(errors))
                    case "complete":
                        return

    async def trade(self) -> None:
        """Propose one action after the other, each until it is answered."""
        while not self.state.ended and self.state.answered < self.options.actions:
            if self.state.pending is None:
                self.state.pending = await self.next_action()
                self.state.save()
            if self.state.pending is not None:
                tell("answer", await self.propose(self.state.pending))
                self.state.answered += 1
                self.state.pending = None
                self.state.save()
            await asyncio.sleep(self.options.pause)

    async def next_action(self) -> dict[str, Any] | None:
        """What to do now; None while nothing may be done."""
        challenge = (await self.ask(LOOK, id=self.options.challenge))["challenge"]
        if challenge is None:
            raise Refused(f"there is no challenge {self.options.challenge}, or it is not this token's")
        context = challenge["account"]["decisionContext"]
        if challenge["status"] != "ACTIVE" or context["status"] != "ACTIVE" or context["readOnly"]:
            return None
        held = [p for p in context["snapshot"]["positions"] if p["symbol"] == self.options.symbol]
        if not held and context["blockedUntil"]:
            return None
        if held:
            action = {"action": "CLOSE", "side": held[0]["side"]}
        else:
            action = {"action": "OPEN", "side": "LONG", "notional": self.options.notional}
        proposal = {"actionId": str(self.state.answered + 1), "symbol": self.options.symbol} | action
        return {"accountId": challenge["account"]["id"], "runId": self.state.run, "actions": [proposal]}

    async def propose(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The answer to a batch of one; asked for again for as long as that may help."""
        failures = 0
        while True:
            payload = (await self.ask(PROPOSE, input=batch))["submitDecisionActions"]
            if not payload["userErrors"]:
                answer: dict[str, Any] = payload["results"][0]
                return answer
            if not all(error["transient"] for error in payload["userErrors"]):
                raise Refused(json.dumps(payload["userErrors"]))
            await pause(failures)
            failures += 1

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation. Asks again while the server is away, or says that it is too often."""
        failures = 0
        while True:
            try:
                response = await self.http.post(self.options.url, json={"query": query, "variables": variables})
            except httpx.TransportError:
                response = None
            if response is not None and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                if response.is_client_error:
                    raise Refused(response.text)
                if response.is_success:
                    answer = response.json()
                    if not answer.get("errors"):
                        data: dict[str, Any] = answer["data"]
                        return data
                    if any(error["extensions"]["code"] not in TRANSIENT for error in answer["errors"]):
                        raise Refused(json.dumps(answer["errors"]))
            await pause(failures)
            failures += 1


async def pause(failures: int) -> None:
    """Longer after each failure, and never quite the same for two bots."""
    seconds = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
    await asyncio.sleep(seconds * (0.5 + secrets.randbelow(1000) / 1000))


def tell(kind: str, facts: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps({kind: facts}), flush=True)


async def main(options: argparse.Namespace) -> None:
    headers = {"Authorization": f"Bearer {options.token}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as http:
        await Bot(options, http).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Trades one challenge until it has ended.")
    parser.add_argument("--url", default="http://127.0.0.1:8000/graphql")
    parser.add_argument("--token", required=True, help="a TRADER's, or the client's own")
    parser.add_argument("--challenge", required=True)
    parser.add_argument("--symbol", default="EURUSD")
    parser.add_argument("--notional", default="10000", help="in the account's currency")
    parser.add_argument("--pause", type=float, default=5, help="seconds between two actions")
    parser.add_argument("--actions", type=float, default=float("inf"), help="propose no more than so many")
    parser.add_argument("--state", type=Path, default=Path("bot.json"))
    try:
        asyncio.run(main(parser.parse_args()))
    except Refused as refused:
        parser.exit(1, f"{refused}\n")
    except KeyboardInterrupt:
        pass
