"""A client of the control plane as a user would write one: HTTP and JSON, nothing of ours."""

import http.client
import json

from waiting import wait_for, wait_for_file

DONE = ("window", "closed", "withdrawn", "rejected")


class Refused(AssertionError):
    """The plane's answer was not 2xx; `status` and `error` say what it was."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body}")
        self.status = status
        self.error = body.get("error", {}) if isinstance(body, dict) else {}


class Control:
    """The control plane of one installation, asked with the token its role leaves for root."""

    def __init__(self, installation, token=None):
        self.run = installation.dir / "run"
        self._token = token

    def ask(self, method, path, body=None):
        """(status, answer); the answer is JSON where it says so, else text."""
        port = int(wait_for_file(self.run / "control.port"))
        token = self._token or wait_for_file(self.run / "control.token").strip()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               headers)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        if reply.getheader("Content-Type", "").startswith("application/json"):
            return reply.status, json.loads(text)
        return reply.status, text

    def call(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        if not 200 <= status < 300:
            raise Refused(method, path, status, answer)
        return answer

    def get(self, path):
        return self.call("GET", path)

    def put(self, path, body):
        return self.call("PUT", path, body)

    def post(self, path, body=None):
        return self.call("POST", path, body or {})

    def add_environment(self, key, site, policy, kind="dev", upstream=""):
        """Registers an installation and waits until control has looked at it."""
        self.put(f"/v1/environments/{key}",
                 {"kind": kind, "dir": str(site.dir), "upstream": upstream, "policy": policy,
                  "deletion_protection": False})

        def reached():
            return next((each for each in self.get("/v1/status")["environments"]
                         if each["key"] == key and each["reachable"] and each["stable"]), None)
        return wait_for(f"control to have looked at {key}", reached)

    def rollouts(self, environment):
        return self.get(f"/v1/rollouts?environment={environment}")["items"]

    def promote(self, environment, release, policy, close_window=True):
        """Asks for a release; the rollout that this begins."""
        before = {rollout["id"] for rollout in self.rollouts(environment)}
        self.put(f"/v1/environments/{environment}/promotion",
                 {"release": release, "policy": policy, "close_window": close_window})

        def begun():
            new = [each for each in self.rollouts(environment) if each["id"] not in before]
            return new[0] if new else None
        return wait_for(f"a rollout of {release[:8]} in {environment}", begun)

    def wait_phase(self, rollout, phases, timeout_s=60, on_change=None):
        """Waits until the rollout is in one of `phases`; tells each change on the way."""
        last = None

        def there():
            nonlocal last
            now = self.get(f"/v1/rollouts/{rollout}")
            told = (now["stage"], now["phase"])
            if told != last and on_change:
                on_change(now)
            last = told
            return now if now["phase"] in phases else None
        return wait_for(f"{rollout} to be {' or '.join(phases)}", there, timeout_s)

    def wait_flipped(self, rollout, timeout_s=60):
        """Waits until the candidate speaks for the stage's share in every partition."""
        def flipped():
            now = self.get(f"/v1/rollouts/{rollout}")
            if now["phase"] in DONE:
                return now
            return now if now["phase"] == "authority" and not now["partitions_pending"] else None
        return wait_for(f"every partition of {rollout} to flip", flipped, timeout_s)
