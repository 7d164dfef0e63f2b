"""The control plane of an installation: its API as a person with a token asks it."""

import json
import urllib.error
import urllib.request

from waiting import wait_for, wait_for_file

DONE = ("window", "closed", "withdrawn", "rejected")


class Refused(AssertionError):
    """The plane's answer was not 2xx; `status` says what it was."""

    def __init__(self, method, path, status, answer):
        super().__init__(f"{method} {path}: {status} {answer}")
        self.status = status


class Control:
    """Asks the API of an installation that `telltale serve` keeps control in, wherever its role
    has come back to."""

    def __init__(self, installation):
        self.installation = installation

    @property
    def port(self):
        return int(wait_for_file(self.installation.dir / "run" / "control.port"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def local_token(self):
        return wait_for_file(self.installation.dir / "run" / "control.token")

    def ask(self, method, path, body=None, token="", raw=None, content_type="application/json"):
        """Status and answer (JSON where it is JSON); `token` "" = that of this machine."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", content_type)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token or self.local_token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, read(answer)
        except urllib.error.HTTPError as error:
            return error.code, read(error)

    def tell(self, *arguments, check=True, **options):
        """Runs `telltale ARGUMENTS --dir DIR`."""
        return self.installation.run(*arguments, "--dir", self.installation.dir, check=check,
                                     **options)

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


def read(answer):
    data = answer.read()
    if "json" in (answer.headers["Content-Type"] or ""):
        return json.loads(data)
    return data
